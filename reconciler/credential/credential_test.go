package credential

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/driftback/driftback/vendors/resource"
)

// Tokens are put together from parts, so that no scanner of this repository takes the tests for a leak.
const filler = "a8Kd93nQz17XwPb54RtYu02LmVc68HsJe4TgBfNo9iUqA1D5"

var anyFile = resource.Key{Kind: "file", Name: "some.conf"}

func find(text string) []Finding { return Find(anyFile, resource.RawSpec([]byte(text)), true) }

func TestTokens(t *testing.T) {
	t.Parallel()
	for rule, samples := range map[string][]string{
		"private-key": {
			"-----BEGIN " + "PRIVATE KEY-----\nMIIE", "-----BEGIN RSA " + "PRIVATE KEY-----", "-----BEGIN OPENSSH " + "PRIVATE KEY-----",
			"-----BEGIN PGP " + "PRIVATE KEY BLOCK-----", "AGE-SECRET-" + "KEY-1" + strings.ToUpper(filler), "PuTTY-User-" + "Key-File-3: ssh-rsa",
			`"-----BEGIN EC ` + `PRIVATE KEY-----\nMHc`,
		},
		"github-token": {"ghp" + "_" + filler[:36], "ghs" + "_" + filler[:36], "github" + "_pat_" + filler + filler, `a\n` + "ghp" + "_" + filler[:36]},
		"gitlab-token": {"glpat" + "-" + filler[:20]},
		"slack-token":  {"xoxb" + "-1234567890-" + filler[:24], "xapp" + "-1-" + filler},
		"webhook-url":  {"https://hooks.slack.com/" + "services/T01234567/B01234567/" + filler[:24]},
		"aws-access-key": {
			"AKIA" + "Z7XKQ2M5PLR4TN3B",
		},
		"stripe-key":        {"sk_" + "live_" + filler[:24]},
		"google-key":        {"AIza" + filler[:35], "ya29" + "." + filler},
		"huggingface-token": {"hf_" + "abcdefghijklmnopqrstuvwxyzABCDEFGHIJ"},
		"npm-token":         {"npm_" + filler[:36]},
		"openai-key":        {"sk-" + "proj-" + filler + filler},
		"sendgrid-key":      {"SG." + filler + filler},
		"jwt":               {"eyJ" + "hbGciOiJIUzI1NiJ9.eyJ" + "zdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U"},
		"password-hash":     {"alice: $2y$" + "10$" + filler + "abcdefgh", "root:$6$" + "salt$" + filler + filler},
		"vault-token":       {"hvs." + filler},
		"url-password": {
			"mysql://kamailio:kamailiorw@localhost/kamailio", "https://admin:s3cr3t@example.com/x", "redis://:pass@h", "dsn: root:hunter2@tcp(127.0.0.1:3306)/db",
			"https://" + filler + "@example.com/",
		},
		"kubernetes-secret": {"apiVersion: v1\nkind: Secret\nmetadata: {name: x}\ndata:\n  a: aHVudGVyMg==\n"},
	} {
		for _, sample := range samples {
			for _, text := range []string{sample, "# a line\n  x " + sample + " y\n", `["` + sample + `"]`} {
				var rules []string
				for _, f := range find(text) {
					rules = append(rules, f.Rule)
				}
				require.Contains(t, rules, rule, "%s", text)
				require.Contains(t, Rules(), rule)
			}
		}
	}
}

func TestAssignments(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"password: hunter2", "  password: hunter2 # the usual", `password: "hunter2"`, "password: 'it''s'", "password: correct horse battery", "- password: x",
		"db_password = hunter2", "DB_PASSWORD=hunter2", "export DB_PASSWORD='hunter2'", "password: 123456", "dbPassword: hunter2", "smtp_auth_password: changeme",
		`{"password":"hunter2"}`, `{"a": {"client_secret": "abc"}}`, `{password: hunter2, user: x}`, "auth = { password = \"hunter2\" }", "auth { token = \"abcdef\" }",
		"bearer_token: abcdef", "credentials: abcdef", "api_key: abcdef", "apiKey=abcdef", "secret: abcdef", "token: 'abcdef'", "secret => abcdef", "requirepass: foobared",
		"password: |\n  hunter2\n", "password:\n  hunter2\n", "a:\n  password: >-\n    hunter2", "password: !!str hunter2", "password: &p hunter2", "passwords: [x]\npassword: [hunter2]",
		"https://example.com/?token=abcdef&x=1", "curl -H \"Authorization: Bearer abcdef\"", "Authorization: Basic dXNlcjpwYXNz", "--password=hunter2",
		"modparam(\"uac\", \"auth_password\", \"hunter2\")", "<password>hunter2</password>", `<param name="password" value="hunter2"/>`, "- name: DB_PASSWORD\n  value: hunter2\n",
		`{"name": "DB_PASSWORD", "value": "hunter2"}`, `config: "{\"password\": \"hunter2\"}"`, `$config['password'] = 'hunter2';`, `os.environ["DB_PASSWORD"] = "hunter2"`,
		"# password: hunter2", "Server=x;Password=letmein;User=y", "const token = \"abcdef\";", "voicemail_pin: 4711", "machine example.com login me password hunter2",
		"password := \"hunter2\"", "key: " + filler[:32], "key=0123456789abcdef0123456789abcdef", "password:hunter2", "requirepass foobared", "bearer_token: 1234", "userPassword: {SSHA}abcdefg12345", "  secret \"abc\";", "<secret type='x'>abc</secret>", "$var(password) = \"hunter2\";", "x{\n  a: b\n  password=\"hunter2\"\n",
	} {
		require.NotEmpty(t, find(text), "%s", text)
		require.NotEmpty(t, find("x: y\n"+text+"\nz: 1\n"), "%s", text)
	}
}

func TestNoCredential(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"password_file: /etc/prometheus/pw", "credentials_file: token", "bearer_token_file: /var/run/secrets/token", "password: ${PASSWORD}", "password: $PASSWORD",
		"password: <secret>", "password: ''", "password: \"\"", "password:", "password: ~", "password: null", "password: xxxxxxxx", "password: '********'", "password: {{ .Values.password }}",
		"password: '{{ password }}'", "password: ENC[AES256_GCM,data:x]", "password: env:DB_PASSWORD", "password: file:/run/secrets/x", "password: {$secret: DB}", "password: !vault |\n  x",
		"password: /run/secrets/db", "token: true", "secret: no", "max_tokens: 100000000", "next_page_token: abc", "token_url: https://example.com/token", "tokenUrl: abc",
		"password_policy: strict", "secret_name: db", "secretRef: db", "public_key: " + filler, "key: value", "key: 123e4567-e89b-12d3-a456-426614174000", "key: /a/b/c/d/e/f/g1",
		`expr: rate(http_requests_total{token="abc",password!="x"}[5m]) > 0`, `expr: '{token="abc"}'`, "expr: sum by (token) (rate(password_changes_total[5m]))",
		"expr: |\n  metric{\n    token=\"abc\",\n    secret=\"x\",\n  }\n", "record: token:rate5m", "expr: |\n  token:rate5m\n  / secret:rate5m\n",
		"summary: 'The token: expired for {{ $labels.token }}'", "summary: \"Password: ask the manager\"", "description: please change your password", "description: password",
		"if (token == \"abc\")", "token != \"abc\"", "password = getPassword()", "password = settings.db_password", "token = other;", "secret = os.environ[\"X\"]", "token = $hdr(X-Token);",
		"https://user@example.com/", "https://example.com:8080/@me", "postgres://postgres@127.0.0.1:5432/kamailio", "mysql://user:${PW}@host/", "https://user:<secret>@host",
		"ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", "AKIA" + "IOSFODNN7EXAMPLE", "eyJhbGciOi", "-----BEGIN CERTIFICATE-----", "-----BEGIN PUBLIC KEY-----",
		"modparam(\"auth_db\", \"password_column\", \"password\")", "modparam(\"auth_db\", \"calculate_ha1\", 1)", "{\"password\": {\"type\": \"string\"}}", "kind: Secretary\ndata: x",
		"authorization:\n  type: Bearer\n  credentials_file: x\n", "credentials:\n  user: x\n", "tokens:\n  - a\n", "secrets: [a, b]", "hash: 0123456789abcdef0123456789abcdef", "sha256: " + strings.Repeat("0a1b2c3d", 8),
		"pin: 12", "# password: ask the manager for it", "FOOAKIA" + "Z7XKQ2M5PLR4TN3B", "password: [", "auth: {password: \"${X}\"}", "password reset mail", "<secret>\n<a>b</a></secret>", "password: \"--\"", "secret: ???", "kind: Secret\nmetadata: {a: b}", "$this->pass=\",\"", "voicemail_pin: none", "routing_key: my.topic.name", "", "\n\n", "=", ":", "{", "password", "password =", "://", "://@", "@tcp(",
	} {
		require.Empty(t, find(text), "%s", text)
		require.Empty(t, find("x: y\n"+text+"\nz: 1\n"), "%s", text)
	}
}
