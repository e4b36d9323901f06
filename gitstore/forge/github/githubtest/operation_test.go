package githubtest

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// jwt signs a token for an App, for a time around now.
func jwt(t *testing.T, app *App, now time.Time) string {
	t.Helper()
	part := func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
	text := part(`{"alg":"RS256","typ":"JWT"}`) + "." + part(fmt.Sprintf(`{"iss":"%d","iat":%d,"exp":%d}`, app.ID, now.Unix()-30, now.Unix()+300))
	sum := sha256.Sum256([]byte(text))
	sig, err := rsa.SignPKCS1v15(rand.Reader, appKey(), crypto.SHA256, sum[:])
	require.NoError(t, err)
	return text + "." + base64.RawURLEncoding.EncodeToString(sig)
}

// TestEveryOperation asks for each operation at least once, so that each answer is held against GitHub's description.
func TestEveryOperation(t *testing.T) {
	t.Parallel()
	x := newSite(t, Options{})
	x.Team("acme", "ops", "ann")
	x.repo.GrantTeam("ops", "maintain")
	x.repo.Grant("root", "admin")
	root := user{t, x.Server, x.Token("root")}
	appUser := user{t, x.Server, jwt(t, x.app, x.clock.Now())}
	to := newReceiver(t, 200)
	x.app.SetHook(Hook{URL: to.URL, Secret: "s", Events: []string{"*"}})
	n := x.opened(t, "topic")
	pull, issue, head := repoPath+"/pulls/"+n, repoPath+"/issues/"+n, x.repo.Tip(t, "topic")

	x.ann.get("").is(200)
	x.ann.get("meta").is(200)
	x.ann.get("rate_limit").is(200)
	x.ann.get("user").is(200)
	x.bot.get("user").is(403)
	x.ann.get("users/eve").is(200)
	require.Equal(t, 1.0, x.ann.get("search/users?q="+url.QueryEscape("eve@example.org in:email")).is(200).at("total_count"))

	installation := fmt.Sprint(x.app.installs[0].ID)
	require.Equal(t, "driftback", appUser.get("app").is(200).at("slug"))
	appUser.get("app/installations").is(200)
	appUser.get("app/installations/" + installation).is(200)
	appUser.get(repoPath + "/installation").is(200)
	token, _ := appUser.post("app/installations/"+installation+"/access_tokens", obj{"permissions": obj{"checks": "read"}}).is(201).at("token").(string)
	narrow := user{t, x.Server, token}
	narrow.get("installation/repositories").is(200)
	require.Equal(t, "checks=write", narrow.post(repoPath+"/check-runs", obj{"name": "c", "head_sha": head}).is(403).header.Get("X-Accepted-GitHub-Permissions"))

	x.ann.get(repoPath).is(200)
	root.get(repoPath + "/teams").is(200)
	require.Equal(t, []any{"write", "maintain"}, func() []any {
		p := x.bot.get(repoPath + "/collaborators/ann/permission").is(200)
		return []any{p.at("permission"), p.at("role_name")}
	}(), "by the team")
	x.bot.get("orgs/acme/teams/ops").is(200)
	x.bot.get("orgs/acme/teams/ops/members").is(200)
	x.bot.get("orgs/acme/teams/ops/memberships/ann").is(200)
	x.bot.get("orgs/acme/teams/ops/memberships/bob").is(404)
	x.bot.get("orgs/acme/teams/ops/repos/acme/config").is(204)

	x.ann.get(repoPath + "/branches").is(200)
	x.ann.get(repoPath + "/branches/topic").is(200)
	root.get(repoPath + "/branches/topic/protection").is(404)
	x.repo.Protect("held/*", Protection{Approvals: 1, Checks: []string{"ci"}, Strict: true, Signed: true})
	x.repo.Set(t, "held/a", x.root)
	root.get(repoPath + "/branches/held%2Fa/protection").is(200)
	x.ann.get(repoPath + "/rules/branches/held%2Fa").is(200)
	x.repo.Protect("held/*", Protection{Approvals: 1, Checks: []string{"ci"}, Signed: true, Ruleset: true})
	require.Len(t, x.ann.get(repoPath+"/rules/branches/held%2Fa").is(200).list(), 3)
	require.Equal(t, "cmVhZCBtZQo=\n", x.ann.get(repoPath+"/contents/README").is(200).at("content"))
	require.Len(t, x.ann.get(repoPath+"/contents/?ref=topic").is(200).list(), 2)
	x.ann.get(repoPath + "/commits").is(200)
	x.ann.get(repoPath + "/commits/topic").is(200)
	x.ann.get(repoPath + "/commits/" + head + "/pulls").is(200)
	require.Equal(t, "ahead", x.ann.get(repoPath+"/compare/main...topic").is(200).at("status"))
	x.ann.get(repoPath + "/git/commits/" + head).is(200)
	x.ann.get(repoPath + "/git/trees/topic?recursive=1").is(200)
	x.ann.post(repoPath+"/git/refs", obj{"ref": "refs/heads/a/b", "sha": x.root}).is(201)
	x.ann.get(repoPath + "/git/ref/heads/a/b").is(200)
	x.ann.get(repoPath + "/git/matching-refs/heads/a").is(200)
	x.ann.patch(repoPath+"/git/refs/heads/a/b", obj{"sha": head}).is(200)
	x.ann.patch(repoPath+"/git/refs/heads/a/b", obj{"sha": x.root}).is(422)
	x.ann.delete(repoPath+"/git/refs/heads/a/b", nil).is(204)

	every := map[string]func(){
		"comments": func() {
			id := x.bot.post(issue+"/comments", obj{"body": "plan"}).is(201).id()
			x.ann.get(repoPath + "/issues/comments/" + id).is(200)
			x.bot.patch(repoPath+"/issues/comments/"+id, obj{"body": "plan 2"}).is(200)
			require.Equal(t, "plan 2", x.ann.get(issue + "/comments").is(200).list()[0]["body"])
			x.ann.get(repoPath + "/issues/comments?sort=updated&direction=asc&since=2026-01-01T00:00:00Z").is(200)
			r := x.bot.post(repoPath+"/issues/comments/"+id+"/reactions", obj{"content": "eyes"}).is(201).id()
			x.bot.post(repoPath+"/issues/comments/"+id+"/reactions", obj{"content": "eyes"}).is(200)
			x.ann.get(repoPath + "/issues/comments/" + id + "/reactions").is(200)
			x.bot.delete(repoPath+"/issues/comments/"+id+"/reactions/"+r, nil).is(204)
			x.bot.delete(repoPath+"/issues/comments/"+id, nil).is(204)
		},
		"labels": func() {
			x.ann.post(repoPath+"/labels", obj{"name": "drift", "color": "ff0000"}).is(201)
			x.ann.post(repoPath+"/labels", obj{"name": "Drift"}).is(422)
			x.ann.get(repoPath + "/labels/drift").is(200)
			x.ann.patch(repoPath+"/labels/drift", obj{"color": "00ff00"}).is(200)
			x.ann.get(repoPath + "/labels").is(200)
			x.ann.post(issue+"/labels", []string{"drift"}).is(200)
			x.ann.post(issue+"/labels", obj{"labels": []string{"env/prod"}}).is(200)
			require.Len(t, x.ann.get(issue+"/labels").is(200).list(), 2)
			x.ann.put(issue+"/labels", obj{"labels": []string{"drift", "b"}}).is(200)
			x.ann.delete(issue+"/labels/b", nil).is(200)
			x.ann.get(repoPath + "/issues?labels=drift&state=all").is(200)
			x.ann.delete(issue+"/labels", nil).is(204)
		},
		"reviews": func() {
			x.bot.post(pull+"/requested_reviewers", obj{"reviewers": []string{"ann"}, "team_reviewers": []string{"ops"}}).is(201)
			x.bot.post(pull+"/requested_reviewers", obj{"reviewers": []string{"eve"}}).is(422)
			x.ann.get(pull + "/requested_reviewers").is(200)
			x.bot.delete(pull+"/requested_reviewers", obj{"reviewers": []string{"ann"}}).is(200)
			x.ann.post(pull+"/reviews", obj{"event": "COMMENT", "body": "hm"}).is(200)
			x.bot.post(pull+"/reviews", obj{"event": "APPROVE"}).is(422)
			x.ann.get(pull + "/reviews").is(200)
		},
		"statuses": func() {
			x.ann.post(repoPath+"/statuses/"+head, obj{"state": "pending", "context": "plan", "description": "3 changes", "target_url": "https://example.org"}).is(201)
			x.ann.post(repoPath+"/statuses/"+head, obj{"state": "success", "context": "plan"}).is(201)
			require.Len(t, x.ann.get(repoPath+"/commits/topic/statuses").is(200).list(), 2)
			require.Equal(t, "success", x.ann.get(repoPath+"/commits/topic/status").is(200).at("state"))
			x.bot.post(repoPath+"/statuses/"+head, obj{"state": "success", "context": "plan"}).is(403) // the App asks for no such permission
		},
		"checks": func() {
			x.ann.post(repoPath+"/check-runs", obj{"name": "plan", "head_sha": head}).is(403)
			note := obj{"path": "topic.txt", "start_line": 1, "end_line": 1, "annotation_level": "failure", "message": "no such queue"}
			id := x.bot.post(repoPath+"/check-runs", obj{"name": "plan", "head_sha": head, "status": "in_progress",
				"output": obj{"title": "t", "summary": "s", "annotations": slices.Repeat([]obj{note}, 50)}}).is(201).id()
			x.Excuse("checks/update", "maximum number of items is 50")
			x.bot.patch(repoPath+"/check-runs/"+id, obj{"output": obj{"summary": "s", "annotations": slices.Repeat([]obj{note}, 51)}}).is(422)
			x.bot.patch(repoPath+"/check-runs/"+id, obj{"conclusion": "failure", "output": obj{"summary": "s", "annotations": []obj{note}}}).is(200)
			require.Equal(t, 51.0, x.ann.get(repoPath+"/check-runs/"+id).is(200).at("output.annotations_count"))
			require.Len(t, x.ann.get(repoPath+"/check-runs/"+id+"/annotations?per_page=100").is(200).list(), 51)
			require.Equal(t, 1.0, x.ann.get(repoPath+"/commits/topic/check-runs?check_name=plan").is(200).at("total_count"))
			x.bot.post(repoPath+"/check-runs/"+id+"/rerequest", nil).is(201)
		},
		"deployments": func() {
			ask := obj{"ref": "main", "environment": "prod", "auto_merge": false, "required_contexts": []string{}, "payload": obj{"id": "1"}}
			id := x.bot.post(repoPath+"/deployments", ask).is(201).id()
			x.bot.post(repoPath+"/deployments/"+id+"/statuses", obj{"state": "success", "log_url": "https://example.org"}).is(201)
			second := x.bot.post(repoPath+"/deployments", ask).is(201).id()
			x.bot.post(repoPath+"/deployments/"+second+"/statuses", obj{"state": "success"}).is(201)
			x.ann.get(repoPath + "/deployments?environment=prod").is(200)
			x.ann.get(repoPath + "/deployments/" + id).is(200)
			require.Equal(t, "inactive", x.ann.get(repoPath + "/deployments/" + id + "/statuses").is(200).list()[0]["state"])
		},
		"hooks": func() {
			got := make(chan string, 100)
			srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got <- r.Header.Get("X-GitHub-Event") }))
			defer srv.Close()
			id := root.post(repoPath+"/hooks", obj{"config": obj{"url": srv.URL, "secret": "s", "content_type": "json"}, "events": []string{"push"}}).is(201).id()
			require.Equal(t, "ping", <-got)
			hook := repoPath + "/hooks/" + id
			root.get(repoPath + "/hooks").is(200)
			root.get(hook).is(200)
			root.post(hook+"/pings", nil).is(204)
			x.Flush()
			d := num(root.get(hook + "/deliveries").is(200).list()[0]["id"])
			root.get(hook + "/deliveries/" + d).is(200)
			root.post(hook+"/deliveries/"+d+"/attempts", nil).is(202)
			x.ann.post(issue+"/comments", obj{"body": "/plan"}).is(201)
			x.Flush()
			d = num(appUser.get("app/hook/deliveries").is(200).list()[0]["id"])
			appUser.get("app/hook/deliveries/" + d).is(200)
			appUser.post("app/hook/deliveries/"+d+"/attempts", nil).is(202)
			x.Flush()
			root.delete(hook, nil).is(204)
		},
	}
	for _, name := range slices.Sorted(maps.Keys(every)) {
		every[name]()
	}
	x.ann.get(issue).is(200)
	x.ann.get(pull).is(200)
	x.repo.Push(t, "main", map[string]string{"other": "o\n"}, x.root)
	x.ann.put(pull+"/update-branch", obj{"expected_head_sha": head}).is(202)
	x.ann.get(pull + "/files").is(200)
	x.ann.get(pull + "/commits").is(200)
	x.ann.get(repoPath + "/pulls?state=all&sort=updated").is(200)
	x.bot.patch(pull, obj{"title": "t"}).is(200)
	x.bot.put(pull+"/merge", obj{"commit_title": "T", "commit_message": "B"}).is(200)
	require.Equal(t, "T\n\nB\n", x.repo.Message(t, x.repo.Tip(t, "main")))
	x.ann.get(pull + "/merge").is(204)

	CheckEvents(t, x.app.Hook.Deliveries())
	count := x.Count()
	for op := range operations {
		require.Positive(t, count[op], op)
	}
}
