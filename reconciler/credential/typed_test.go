package credential_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/stretchr/testify/require"

	"github.com/driftback/driftback/reconciler/credential"
	"github.com/driftback/driftback/vendors/resource"
)

func Example() {
	file := resource.Key{Kind: "file", Name: "prometheus.yml"}
	found := credential.Find(file, resource.RawSpec([]byte("basic_auth:\n  username: admin\n  password: hunter2\n")), true)
	fmt.Println(credential.Reason(found))
	operator := credential.Allow{{Object: "file/prometheus.yml", Rule: credential.Assignment}}
	fmt.Println(len(operator.Filter(file, found)))
	// Output:
	// looks like a credential: assignment at 3:13
	// 0
}

var integration = resource.Key{Kind: "integration", Name: "CRM"}

const random = "a8Kd93nQz17XwPb54RtYu02LmVc68HsJ"

func TestFieldsOfSpecs(t *testing.T) {
	t.Parallel()
	token := "ghp" + "_" + random + "a1B2"
	for _, c := range []struct {
		spec resource.Spec
		want []string
	}{
		{resource.Spec{"password": "hunter2"}, []string{"assignment at password"}},
		{resource.Spec{"password": json.Number("4711")}, []string{"assignment at password"}},
		{resource.Spec{"auth": map[string]any{"clientSecret": "abc", "clientId": "abc"}}, []string{"assignment at auth.clientSecret"}},
		{resource.Spec{"headers": []any{map[string]any{"name": "X-Api-Key", "value": "abc"}, map[string]any{"name": "Accept", "value": "abc"}}}, []string{"assignment at headers[0].value"}},
		{resource.Spec{"note": "use " + token}, []string{"github-token at note"}},
		{resource.Spec{"password": token}, []string{"github-token at password"}},
		{resource.Spec{"url": "https://me:hunter2@example.com"}, []string{"url-password at url"}},
		{resource.Spec{"map": map[string]any{token: "x"}}, []string{"github-token at map.*"}},
		{resource.Spec{"script": "a: b\npassword: hunter2\n"}, []string{"assignment at script"}},
		{resource.Spec{"body": `{"password": "hunter2"}`}, []string{"assignment at body"}},
		{resource.Spec{"secrets": map[string]any{"one": random, "two": "short"}}, []string{"high-entropy at secrets.one"}},
		{resource.Spec{"passwords": []any{random}}, []string{"high-entropy at passwords[0]"}},
		{resource.Spec{"password": resource.Secret{Name: "CRM"}, "token": resource.Ref{Key: integration}}, nil},
		{resource.Spec{"password": true, "token": json.Number("30"), "passwordPolicy": "strict", "secret": "${CRM}", "pin": "none"}, nil},
		{resource.Spec{"description": "Password: ask the manager", "prompt": "Please say your password: then hold"}, nil},
		{resource.Spec{"key": "support", "id": "123e4567-e89b-12d3-a456-426614174000", "hash": random}, nil},
		{resource.Spec{}, nil},
		{nil, nil},
		{resource.Spec{"key": "AKIA" + "ABCDEFGHIJKLMNOP1", "ssh_key": "id_rsa.pem", "salt": "aaaaaaaaaaaaaaaaaaaaaaaa1", "session": "/a/b/0123456789abcdef0", "cookie": "name@host 0123456789abcdef"}, nil},
		{resource.Spec{"pin": "4711", "ha1": "x", "aws_secret_access_key": "abc", "publicKey": random, "load_credentials": "id", "secret_id": random}, []string{"assignment at aws_secret_access_key", "assignment at ha1", "assignment at pin", "high-entropy at secret_id"}},
	} {
		var got []string
		for _, f := range credential.Find(integration, c.spec, false) {
			got = append(got, f.String())
		}
		require.Equal(t, c.want, got, "%v", c.spec)
	}
	named := credential.Find(resource.Key{Kind: "file", Name: token}, resource.Spec{}, true)
	require.Equal(t, []credential.Finding{{Path: "(name)", Rule: "github-token"}}, named)
}

func TestTheMoreSpecificRuleNames(t *testing.T) {
	t.Parallel()
	token := "ghp" + "_" + random + "a1B2"
	for _, text := range []string{"password: " + token, "token=" + token, "{\"key\": \"" + token + "\"}"} {
		found := credential.Find(integration, resource.RawSpec([]byte(text)), true)
		require.Len(t, found, 1, text)
		require.Equal(t, "github-token", found[0].Rule)
		require.NotContains(t, credential.Reason(found), token)
	}
}

func TestPlaces(t *testing.T) {
	t.Parallel()
	text := "a: 1\r\n\tpassword: hunter2\n\nx: https://u:pw@h/\n" + strings.Repeat("password: hunter2\n", 100) + "y: https://u:pw@h/\n"
	found := credential.Find(integration, resource.RawSpec([]byte(text)), true)
	require.Equal(t, credential.Finding{Path: "2:12", Rule: "assignment"}, found[0])
	require.Equal(t, credential.Finding{Path: "4:12", Rule: "url-password"}, found[1])
	require.Equal(t, credential.Finding{Path: "105:12", Rule: "url-password"}, found[len(found)-1], "many of one rule hide no other")
	require.Len(t, found, 22)
	require.Equal(t, "looks like a credential: assignment at 2:12, url-password at 4:12, assignment at 5:11 and 19 more", credential.Reason(found))
	require.Empty(t, credential.Reason(nil))
}

func TestCleanSamples(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/clean/*")
	require.NoError(t, err)
	require.Len(t, files, 4)
	for _, f := range files {
		b, err := os.ReadFile(f)
		require.NoError(t, err)
		require.Empty(t, credential.Find(resource.Key{Kind: "file", Name: f}, resource.RawSpec(b), true), f)
		// The same file with one credential more is not clean.
		b = append(b, "\npassword: hunter2\n"...)
		require.Len(t, credential.Find(resource.Key{Kind: "file", Name: f}, resource.RawSpec(b), true), 1, f)
	}
}

func TestAllow(t *testing.T) {
	t.Parallel()
	var allow credential.Allow
	require.NoError(t, yaml.UnmarshalWithOptions([]byte("- file/a.yml\n- {object: 'queue/**', rule: jwt}\n"), &allow, yaml.Strict()))
	require.Equal(t, credential.Allow{{Object: "file/a.yml"}, {Object: "queue/**", Rule: "jwt"}}, allow)
	require.NoError(t, allow.Validate())
	require.Error(t, yaml.UnmarshalWithOptions([]byte("- {objects: 'queue/**'}\n"), &credential.Allow{}, yaml.Strict()))
	for text, want := range map[string]string{"queue": "want a glob over kind/name", "queue/[": "want a glob", "": "want a glob"} {
		require.ErrorContains(t, credential.Allow{{Object: text}}.Validate(), want)
	}
	require.ErrorContains(t, credential.Allow{{Object: "**", Rule: "jot"}}.Validate(), `allow **: no rule is called "jot"; there are assignment, `)
	found := []credential.Finding{{Path: "1:1", Rule: "jwt"}, {Path: "2:1", Rule: "assignment"}}
	for key, want := range map[string]int{"file/a.yml": 0, "file/b.yml": 2, "queue/x/y": 1} {
		k, err := resource.ParseKey(key)
		require.NoError(t, err)
		require.Len(t, allow.Filter(k, found), want, key)
	}
	require.Equal(t, found, credential.Allow(nil).Filter(integration, found))
	require.Equal(t, "jwt", found[0].Rule, "the findings are not modified")
}

// FuzzFind: never a panic, places that exist, and no content in a finding.
func FuzzFind(f *testing.F) {
	for _, s := range []string{
		"password: hunter2", "a = \"${X}\"", "https://u:p@h/", "modparam(\"a\", \"password\", \"x\")", "<password>x</password>", "kind: Secret\ndata: x", "machine a login b password c",
		"password: |\n  x", "eyJabcdefghijk.eyJ", "u:p@tcp(h)", "metric{\n token=\"x\",\n}", "{\"name\":\"password\",\"value\":\"x\"}", "-----BEGIN RSA " + "PRIVATE KEY-----", "$2y$10$", "\xff:=>{}[]()'\"",
	} {
		f.Add(s)
	}
	rules := map[string]bool{}
	for _, r := range credential.Rules() {
		rules[r] = true
	}
	f.Fuzz(func(t *testing.T, s string) {
		lines := strings.Split(s, "\n")
		for _, found := range credential.Find(integration, resource.RawSpec([]byte(s)), true) {
			var line, column int
			_, err := fmt.Sscanf(found.Path, "%d:%d", &line, &column)
			require.NoError(t, err)
			require.LessOrEqual(t, line, len(lines))
			require.LessOrEqual(t, column, len(lines[line-1])+1)
			require.True(t, rules[found.Rule], found.Rule)
		}
		for _, found := range credential.Find(integration, resource.Spec{"a": s, "password": s, "m": map[string]any{"k": s}}, false) {
			require.Contains(t, []string{"a", "password", "m.k"}, found.Path)
			require.True(t, rules[found.Rule], found.Rule)
		}
	})
}

// Benchmark looks at 1 MiB each: a real configuration, and texts that are made to be slow.
func Benchmark(b *testing.B) {
	clean, err := os.ReadFile("testdata/clean/prometheus.yml")
	require.NoError(b, err)
	for name, unit := range map[string]string{
		"prometheus": string(clean), "assignments": "password=password=", "colons": "secret: secret:", "urls": "://", "prefixes": "xoxb-", "segments": "-eyJ", "values": "name: password value: ", "lines": "password:\n  ",
		"netrc": "machine ", "modparam": "modparam(", "manifest": "kind: Secret\n", "equal": "=", "found": "password: hunter2\n", "oneline": "\"password\": \"hunter2\", ", "tags": "<secret>", "braces": "m{token=\"x\"", "datasource": "u:p@tcp(",
	} {
		text := resource.RawSpec([]byte(strings.Repeat(unit, (1<<20)/len(unit)+1)[:1<<20]))
		b.Run(name, func(b *testing.B) {
			b.SetBytes(1 << 20)
			for b.Loop() {
				credential.Find(integration, text, true)
			}
		})
	}
}
