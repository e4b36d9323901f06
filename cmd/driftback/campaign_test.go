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

// A campaign that somebody starts by hand is no drift, and what is merged about it neither stops nor starts it.
func TestCampaignsRunAsPeopleStartThem(t *testing.T) {
	t.Parallel()
	platform := simulator.New(simulator.Options{Rate: -1})
	server := httptest.NewServer(platform)
	t.Cleanup(server.Close)
	org := platform.Org("Acme")
	ann := org.By("Ann")
	phones := []any{map[string]any{"columnName": "phone", "type": "cell"}}
	list, err := ann.Create("contactlist", map[string]any{"name": "Customers", "columnNames": []any{"phone"}, "phoneColumns": phones})
	require.NoError(t, err)
	id, err := ann.Create("campaign", map[string]any{
		"name": "Spring", "contactList": map[string]any{"id": list}, "dialingMode": "agentless", "phoneColumns": phones, "callerName": "Acme", "callerAddress": "+41441234567", "priority": 5,
	})
	require.NoError(t, err)

	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	require.NoError(t, os.WriteFile(at("secret"), []byte(org.Secret()), 0o600))
	require.NoError(t, os.WriteFile(at("driftback.yaml"), fmt.Appendf(nil, "repository: {url: %q, mirror: %q}\nforge: {local: {}}\nenvironments:\n  prod:\n    vendor: genesyscloud\n    genesyscloud: {gateway: %q, clientId: %q, clientSecret: %q, full: 0s}\n    mode: sync\n",
		at("config.git"), at("mirror"), server.URL, org.ClientID(), "file:"+at("secret")), 0o600))
	require.NoError(t, gitstore.Init(at("config.git"), "main"))
	store, err := gitstore.Open(t.Context(), gitstore.Options{URL: at("config.git"), Committer: gitstore.Signature{Name: "ann", Email: "ann@example.invalid"}})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	_, err = store.Commit(t.Context(), "refs/heads/main", gitstore.ID{}, gitstore.Edit{"README.md": []byte("Acme\n")}, gitstore.Signature{}, "begin")
	require.NoError(t, err)
	driftback := func(args ...string) string {
		t.Helper()
		var out bytes.Buffer
		require.Equal(t, exitDone, run(t.Context(), append([]string{"-c", at("driftback.yaml")}, args...), &out, &out), "%v: %s", args, out.String())
		return out.String()
	}
	file := "environments/prod/campaign/Spring.yaml"
	edit := func(path, old, new string) {
		t.Helper()
		refs, err := store.Sync(t.Context())
		require.NoError(t, err)
		text := ""
		if f, ok, err := store.File(refs["refs/heads/main"], path); ok {
			b, err := store.Blob(f.ID, 0)
			require.NoError(t, err)
			text = string(b)
		} else {
			require.NoError(t, err)
		}
		require.Contains(t, text, old)
		_, err = store.Commit(t.Context(), "refs/heads/main", refs["refs/heads/main"], gitstore.Edit{path: []byte(strings.Replace(text, old, new, 1))}, gitstore.Signature{}, "edit")
		require.NoError(t, err)
	}
	is := func(status, priority string) {
		t.Helper()
		body := org.Body("campaign", id)
		require.Equal(t, status, body["campaignStatus"])
		require.Equal(t, priority, fmt.Sprint(body["priority"]))
	}

	driftback("run", "--once")
	driftback("pulls", "merge", "1", "--draft")
	require.Contains(t, driftback("run", "--once"), "no drift")

	require.NoError(t, ann.Edit("campaign", id, func(b map[string]any) { b["priority"] = 3 }))
	require.Contains(t, driftback("run", "--once"), "1 drifted")
	require.Contains(t, driftback("pulls", "show", "2"), "| `Ann` with `Admin UI` |", "as the audit says")
	driftback("pulls", "merge", "2")
	require.Contains(t, driftback("run", "--once"), "no drift")

	require.NoError(t, ann.Edit("campaign", id, func(b map[string]any) { b["campaignStatus"] = "on" }))
	out := driftback("run", "--once")
	require.Contains(t, out, "no drift")
	require.Contains(t, out, "operational campaign/Spring: campaignStatus: off → on\n")
	require.Contains(t, driftback("plan", "prod"), "operational campaign/Spring: campaignStatus: off → on\n")
	require.Contains(t, driftback("diff", "git:prod", "live:prod"), "campaignStatus: operational, observed and not deployed", "and the exit code is that of no difference")

	edit(file, "priority: 3", "priority: 4")
	require.Contains(t, driftback("run", "--once"), "deployed 1 change")
	is("on", "4")

	edit("driftback.rules.yaml", "", "manage:\n  - kinds: [campaign]\n")
	driftback("run", "--once")
	edit(file, "campaignStatus: \"off\"", "campaignStatus: \"on\"")
	require.NotContains(t, driftback("run", "--once"), "operational")
	edit(file, "campaignStatus: \"on\"", "campaignStatus: \"off\"")
	require.Contains(t, driftback("run", "--once"), "deployed 1 change")
	is("off", "4")

	// What is no operational field cannot be managed as one: the rules say where.
	wrong := "manage:\n  - kinds: [campaign]\n    fields: [priority]\n"
	edit("driftback.rules.yaml", "manage:\n  - kinds: [campaign]\n", wrong)
	clone := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(clone, "driftback.rules.yaml"), []byte(wrong), 0o600))
	for _, args := range [][]string{{"run", "--once"}, {"validate", clone}} {
		var out bytes.Buffer
		require.NotEqual(t, exitDone, run(t.Context(), append([]string{"-c", at("driftback.yaml")}, args...), &out, &out))
		require.Contains(t, out.String(), `driftback.rules.yaml:`)
		require.Contains(t, out.String(), `3:14: field "priority" is not operational (of campaign)`)
	}
}
