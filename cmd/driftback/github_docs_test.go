package main

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/driftback/driftback/gitstore/forge/github"
)

var manifestJSON = regexp.MustCompile("(?s)## App manifest\n.*?```json\n(.*?)```")

// What docs/github.md says of permissions and events is what the code has a use for: the table, the manifest, the token.
func TestPageOfGitHubNamesWhatIsNeeded(t *testing.T) {
	t.Parallel()
	page := readDoc(t, docs+"/github.md")
	table, manifest := "", map[string]string{}
	for _, n := range github.Needs(true, true) {
		shown := strings.ToUpper(n.Name[:1]) + n.Name[1:]
		level := "read"
		if n.Write {
			level = "write"
		}
		table += "| " + shown + ": " + level + " | " + n.For + " |\n"
		name, level := n.Manifest()
		manifest[name] = level
	}
	require.Contains(t, page, "| permission | what for |\n|---|---|\n"+table+"\n")

	var said struct {
		Permissions map[string]string `json:"default_permissions"`
		Events      []string          `json:"default_events"`
	}
	require.NoError(t, json.Unmarshal([]byte(manifestJSON.FindStringSubmatch(page)[1]), &said))
	require.Equal(t, manifest, said.Permissions)
	slices.Sort(said.Events)
	require.Equal(t, github.Events(), said.Events)
	events := strings.Join(strings.Fields(page), " ")
	_, events, _ = strings.Cut(events, "Events to subscribe to: ")
	events, _, _ = strings.Cut(events, ".")
	shown := strings.Split(strings.ReplaceAll(strings.ToLower(events), " ", "_"), ",_")
	slices.Sort(shown)
	require.Equal(t, github.Events(), shown)

	_, token, _ := strings.Cut(strings.Join(strings.Fields(page), " "), "with the permissions ")
	write, rest, _ := strings.Cut(token, " (write)")
	read, _, _ := strings.Cut(strings.TrimPrefix(rest, " and "), " (read)")
	var needs []string
	for _, n := range github.Needs(false, false) {
		needs = append(needs, n.String())
	}
	var have []string
	for level, list := range map[string]string{"write": write, "read": read} {
		for name := range strings.SplitSeq(strings.ReplaceAll(list, " and ", ", "), ", ") {
			have = append(have, strings.ToLower(name)+": "+level)
		}
	}
	require.ElementsMatch(t, needs, have)
}
