package githubtest

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// What others say of GitHub, beside its OpenAPI description: the schema of its GraphQL, and the schemas of its
// events that octokit keeps.

// node runs one of the scripts in testdata/octokit with an argument in JSON, and returns what it prints.
func runNode(t testing.TB, script string, arg any) string {
	t.Helper()
	modules := filepath.Join(npm(t), "node_modules")
	source, err := npmFiles.ReadFile("testdata/octokit/" + script)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, script), source, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(modules, filepath.Join(dir, "node_modules")); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "node", script, string(encode(arg)))
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("node %s: %v: %s", script, err, out)
	}
	return string(out)
}

// CheckGraphQL fails the test where GitHub's schema does not permit one of the requests (Documents).
func CheckGraphQL(t testing.TB, documents []string) {
	t.Helper()
	if len(documents) == 0 {
		t.Error("no request of GraphQL to check")
	}
	if wrong := runNode(t, "graphql.mjs", documents); wrong != "" {
		t.Errorf("not what GitHub's GraphQL schema permits: %s", wrong)
	}
}

// events compiles octokit's schemas, once. They forbid fields that they do not know, which GitHub adds now and then:
// that part is left out.
var events = sync.OnceValues(func() (*jsonschema.Compiler, error) {
	dir, err := installed()
	if err != nil {
		return nil, err
	}
	raw, err := os.ReadFile(filepath.Join(dir, "node_modules/@octokit/webhooks-schemas/schema.json"))
	if err != nil {
		return nil, err
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		return nil, err
	}
	open(doc)
	c := jsonschema.NewCompiler()
	return c, c.AddResource("events.json", doc)
})

func open(node any) {
	switch n := node.(type) {
	case map[string]any:
		if closed, ok := n["additionalProperties"].(bool); ok && !closed {
			delete(n, "additionalProperties")
		}
		if n["format"] == "uri-template" {
			delete(n, "format") // the validator takes {/name} for none
		}
		for _, v := range n {
			open(v)
		}
	case []any:
		for _, v := range n {
			open(v)
		}
	}
}

// compiling is held while a schema is compiled: the compiler is not for several at once.
var compiling sync.Mutex

// CheckEvents fails the test where a payload is not what octokit's schemas say of its event.
func CheckEvents(t testing.TB, deliveries []Delivery) {
	t.Helper()
	npm(t)
	c, err := events()
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range deliveries {
		name := d.Event + "$" + orElse(d.Action, "event")
		compiling.Lock()
		schema, err := c.Compile("events.json#/definitions/" + name)
		compiling.Unlock()
		if err != nil {
			t.Errorf("event %s: %v", name, err)
			continue
		}
		var payload any
		if payload, err = jsonschema.UnmarshalJSON(bytes.NewReader(d.Payload)); err == nil {
			err = schema.Validate(payload)
		}
		if err != nil {
			t.Errorf("event %s: %v", name, err)
		}
	}
}
