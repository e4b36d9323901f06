package main

import (
	"bytes"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/driftback/driftback/gitstore"
	"github.com/driftback/driftback/vendors/genesyscloud/simulator"
)

// An installation is a simulated organisation, a repository and the commands on both.
type installation struct {
	*testing.T
	platform *simulator.Server
	org      *simulator.Org
	ann      simulator.Hand
	store    *gitstore.Store
	config   string
}

// install makes one whose environment prod includes what is managed on request only.
func install(t *testing.T, include string) *installation {
	t.Helper()
	i := &installation{T: t, platform: simulator.New(simulator.Options{Rate: -1})}
	server := httptest.NewServer(i.platform)
	t.Cleanup(server.Close)
	i.org = i.platform.Org("Acme")
	i.ann = i.org.By("Ann")
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	i.config = at("driftback.yaml")
	require.NoError(t, os.WriteFile(at("secret"), []byte(i.org.Secret()), 0o600))
	require.NoError(t, os.WriteFile(i.config, fmt.Appendf(nil, "repository: {url: %q, mirror: %q}\nforge: {local: {}}\nenvironments:\n  prod:\n    vendor: genesyscloud\n    genesyscloud: {gateway: %q, clientId: %q, clientSecret: %q, full: 0s, include: [%s]}\n    mode: sync\n",
		at("config.git"), at("mirror"), server.URL, i.org.ClientID(), "file:"+at("secret"), include), 0o600))
	require.NoError(t, gitstore.Init(at("config.git"), "main"))
	var err error
	i.store, err = gitstore.Open(t.Context(), gitstore.Options{URL: at("config.git"), Committer: gitstore.Signature{Name: "ann", Email: "ann@example.invalid"}})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, i.store.Close()) })
	_, err = i.store.Commit(t.Context(), "refs/heads/main", gitstore.ID{}, gitstore.Edit{"README.md": []byte("Acme\n")}, gitstore.Signature{}, "begin")
	require.NoError(t, err)
	return i
}

// run is a command that must end well; it returns what it printed.
func (i *installation) run(args ...string) string {
	i.Helper()
	var out bytes.Buffer
	require.Equal(i, exitDone, run(i.Context(), append([]string{"-c", i.config}, args...), &out, &out), "%v: %s", args, out.String())
	return out.String()
}

// import takes what is live into Git.
func (i *installation) importAll() {
	i.Helper()
	i.run("run", "--once")
	i.run("pulls", "merge", "1", "--draft")
	require.Contains(i, i.run("run", "--once"), "no drift")
}

// file is what main has at the path.
func (i *installation) file(path string) string {
	i.Helper()
	refs, err := i.store.Sync(i.Context())
	require.NoError(i, err)
	f, ok, err := i.store.File(refs["refs/heads/main"], path)
	require.NoError(i, err)
	require.True(i, ok, path)
	b, err := i.store.Blob(f.ID, 0)
	require.NoError(i, err)
	return string(b)
}

// commit writes a file on main.
func (i *installation) commit(path, text string) {
	i.Helper()
	refs, err := i.store.Sync(i.Context())
	require.NoError(i, err)
	_, err = i.store.Commit(i.Context(), "refs/heads/main", refs["refs/heads/main"], gitstore.Edit{path: []byte(text)}, gitstore.Signature{}, "edit "+path)
	require.NoError(i, err)
}

// api is a request as Ann's browser sends it.
func (i *installation) api(method, path string, body any) map[string]any {
	i.Helper()
	out, err := i.ann.Request(method, "/api/v2/"+path, body)
	require.NoError(i, err)
	m, _ := out.(map[string]any)
	return m
}

// create makes an object as Ann and returns its id.
func (i *installation) create(kind string, body map[string]any) string {
	i.Helper()
	id, err := i.ann.Create(kind, body)
	require.NoError(i, err)
	return id
}

// Members of queues are read, drift, are deployed in requests of at most a hundred, conflict and are reverted, once the
// environment's settings include them.
func TestMembersOfQueuesOnRequest(t *testing.T) {
	t.Parallel()
	i := install(t, "queue.members")
	var users []string
	for n := range 230 {
		users = append(users, i.create("user", map[string]any{"name": fmt.Sprintf("Agent %03d", n), "email": fmt.Sprintf("a%03d@example.org", n), "divisionId": i.org.Find("division", "Home")}))
	}
	queue := i.create("queue", map[string]any{"name": "Support", "division": map[string]any{"id": i.org.Find("division", "Home")}})
	for _, id := range users[:3] {
		i.api("POST", "routing/queues/"+queue+"/members", []any{map[string]any{"id": id}})
	}
	i.importAll()
	file := "environments/prod/queue/Support.yaml"
	member := func(n, ring int) string {
		line := fmt.Sprintf("  - id: {$ref: user/a%03d@example.org}\n", n)
		if ring > 1 {
			line += fmt.Sprintf("    ringNumber: %d\n", ring)
		}
		return line
	}
	rings := func() map[string]string {
		out := map[string]string{}
		for page := 1; page <= 3; page++ {
			for _, e := range i.api("GET", fmt.Sprintf("routing/queues/%s/members?pageSize=100&pageNumber=%d", queue, page), nil)["entities"].([]any) {
				out[e.(map[string]any)["id"].(string)] = fmt.Sprint(e.(map[string]any)["ringNumber"])
			}
		}
		return out
	}

	// Drift: somebody joins, and somebody's ring is another.
	i.api("POST", "routing/queues/"+queue+"/members", []any{map[string]any{"id": users[3]}})
	i.api("PATCH", "routing/queues/"+queue+"/members/"+users[1], map[string]any{"id": users[1], "ringNumber": 2})
	require.Contains(t, i.run("run", "--once"), "1 drifted")
	shown := i.run("pulls", "show", "2")
	require.Contains(t, shown, "| `Ann` with `Admin UI` |")
	require.Contains(t, shown, "a003@example.org")
	i.run("pulls", "merge", "2")
	require.Contains(t, i.run("run", "--once"), "no drift")
	before := i.file(file)
	require.Contains(t, before, "members:\n"+member(0, 1)+member(1, 2)+member(2, 1)+member(3, 1))

	// A deployment: everybody, those at the end in ring 3, and one out.
	all := member(0, 1) + member(1, 2) + member(3, 1)
	for n := 4; n < len(users); n++ {
		all += member(n, 1+2*(n/200))
	}
	calls := i.platform.Calls()
	add, patch := "POST /api/v2/routing/queues/{id}/members", "PATCH /api/v2/routing/queues/{id}/members"
	i.commit(file, strings.Replace(before, member(0, 1)+member(1, 2)+member(2, 1)+member(3, 1), all, 1))
	require.Contains(t, i.run("run", "--once"), "deployed 1 change")
	is := rings()
	require.Len(t, is, len(users)-1)
	require.Equal(t, []string{"1", "2", "1", "3"}, []string{is[users[0]], is[users[1]], is[users[199]], is[users[200]]})
	require.NotContains(t, is, users[2])
	require.Equal(t, 1+3, i.platform.Calls()[add]-calls[add], "one takes out, three put in")
	require.Equal(t, 1, i.platform.Calls()[patch]-calls[patch])
	require.Contains(t, i.run("run", "--once"), "no drift")

	// A conflict: Ann and Git say otherwise of the same ring, and neither is overwritten.
	deployed := i.file(file)
	i.api("PATCH", "routing/queues/"+queue+"/members/"+users[3], map[string]any{"id": users[3], "ringNumber": 5})
	i.commit(file, strings.Replace(deployed, member(3, 1), member(3, 4), 1))
	require.Contains(t, i.run("run", "--once"), "1 conflict")
	require.Equal(t, "5", rings()[users[3]])
	i.commit(file, strings.Replace(deployed, member(3, 1), member(3, 5), 1))
	require.Contains(t, i.run("run", "--once"), "no drift")

	// A revert: everything is as it was before the deployment, to the byte.
	i.commit(file, before)
	require.Contains(t, i.run("run", "--once"), "deployed 1 change")
	require.Equal(t, map[string]string{users[0]: "1", users[1]: "2", users[2]: "1", users[3]: "1"}, rings())
	require.Contains(t, i.run("run", "--once"), "no drift")
	require.Equal(t, before, i.file(file))
}

// Users, with their skills, languages and roles, and rows of data tables: the same, on request.
func TestUsersAndRowsOnRequest(t *testing.T) {
	t.Parallel()
	i := install(t, "user, user.skills, user.languages, user.roles, datatablerow")
	var skills []string
	for n := range 60 {
		skills = append(skills, i.create("skill", map[string]any{"name": fmt.Sprintf("Skill %02d", n)}))
	}
	german := i.create("language", map[string]any{"name": "Deutsch"})
	operator := i.create("role", map[string]any{"name": "Operator"})
	user := i.create("user", map[string]any{"name": "Ann Lee", "email": "ann@example.org", "divisionId": i.org.Find("division", "Home")})
	table := i.create("datatable", map[string]any{"name": "Shops", "schema": map[string]any{
		"type": "object", "required": []any{"key"}, "properties": map[string]any{"key": map[string]any{"type": "string"}, "phone": map[string]any{"type": "string"}},
	}})
	i.api("POST", "users/"+user+"/routingskills", map[string]any{"id": skills[0], "proficiency": 3})
	i.api("POST", "flows/datatables/"+table+"/rows", map[string]any{"key": "17", "phone": "+41441"})
	i.importAll()
	file, row := "environments/prod/user/ann@example.org.yaml", "environments/prod/datatablerow/Shops%2F17.yaml"
	require.Contains(t, i.file(file), "skills:\n  - id: {$ref: skill/Skill 00}\n    proficiency: 3\n")
	require.Contains(t, i.file(row), "+41441")
	proficiencies := func() map[string]string {
		out := map[string]string{}
		for _, e := range i.api("GET", "users/"+user+"/routingskills?pageSize=100", nil)["entities"].([]any) {
			out[e.(map[string]any)["name"].(string)] = fmt.Sprint(e.(map[string]any)["proficiency"])
		}
		return out
	}
	phone := func() string {
		return fmt.Sprint(i.api("GET", "flows/datatables/"+table+"/rows/17?showbrief=false", nil)["phone"])
	}

	// Drift.
	i.api("POST", "users/"+user+"/routinglanguages", map[string]any{"id": german, "proficiency": 4})
	_, err := i.ann.Request("PUT", "/api/v2/users/"+user+"/roles", []any{operator})
	require.NoError(t, err)
	i.api("PUT", "flows/datatables/"+table+"/rows/17", map[string]any{"key": "17", "phone": "+41442"})
	require.Contains(t, i.run("run", "--once"), "2 drifted")
	i.run("pulls", "merge", "2")
	require.Contains(t, i.run("run", "--once"), "no drift")
	before, rowBefore := i.file(file), i.file(row)
	require.Contains(t, before, "languages:\n  - id: {$ref: language/Deutsch}\n    proficiency: 4\n")
	require.Contains(t, before, "- {$ref: role/Operator}\n")
	require.Contains(t, rowBefore, "+41442")

	// A deployment: more skills than one request takes, no languages, no roles, another phone.
	cut := func(text, from, to string) string {
		head, rest, found := strings.Cut(text, from)
		require.True(t, found, from)
		_, tail, _ := strings.Cut(rest, to)
		return head + tail
	}
	deployed := cut(before, "languages:\n", "proficiency: 4\n")
	deployed = cut(deployed, "roles:\n", "role/Operator}\n")
	all := ""
	for n := range skills {
		all += fmt.Sprintf("  - id: {$ref: skill/Skill %02d}\n    proficiency: %d\n", n, n%5+1)
	}
	deployed = strings.Replace(deployed, "  - id: {$ref: skill/Skill 00}\n    proficiency: 3\n", all, 1)
	i.commit(file, deployed)
	i.commit(row, strings.Replace(rowBefore, "+41442", "+41443", 1))
	require.Contains(t, i.run("run", "--once"), "deployed 2 changes")
	require.Len(t, proficiencies(), len(skills))
	require.Equal(t, "1", proficiencies()["Skill 00"])
	require.Equal(t, "5", proficiencies()["Skill 59"])
	require.Empty(t, i.api("GET", "users/"+user+"/routinglanguages", nil)["entities"])
	require.Empty(t, i.api("GET", "users/"+user+"/roles", nil)["roles"])
	require.Equal(t, "+41443", phone())
	require.Contains(t, i.run("run", "--once"), "no drift")

	// A conflict, in a skill and in a row.
	i.api("POST", "users/"+user+"/routingskills", map[string]any{"id": skills[7], "proficiency": 5})
	i.api("PUT", "flows/datatables/"+table+"/rows/17", map[string]any{"key": "17", "phone": "+41445"})
	i.commit(file, strings.Replace(deployed, "Skill 07}\n    proficiency: 3\n", "Skill 07}\n    proficiency: 1\n", 1))
	i.commit(row, strings.Replace(rowBefore, "+41442", "+41446", 1))
	require.Contains(t, i.run("run", "--once"), "2 conflicts")
	require.Equal(t, "5", proficiencies()["Skill 07"])
	require.Equal(t, "+41445", phone())
	i.commit(file, strings.Replace(deployed, "Skill 07}\n    proficiency: 3\n", "Skill 07}\n    proficiency: 5\n", 1))
	i.commit(row, strings.Replace(rowBefore, "+41442", "+41445", 1))
	require.Contains(t, i.run("run", "--once"), "no drift")

	// A revert, to the byte.
	i.commit(file, before)
	i.commit(row, rowBefore)
	require.Contains(t, i.run("run", "--once"), "deployed 2 changes")
	require.Equal(t, map[string]string{"Skill 00": "3"}, proficiencies())
	require.Len(t, i.api("GET", "users/"+user+"/roles", nil)["roles"], 1)
	require.Equal(t, "+41442", phone())
	require.Contains(t, i.run("run", "--once"), "no drift")
	require.Equal(t, before+rowBefore, i.file(file)+i.file(row))
}
