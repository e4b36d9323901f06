package credential

import (
	"math/bits"
	"slices"
	"strings"
)

// A shape is a credential that is known by how it begins. follows reports whether
// what stands in text after the prefix, from body on, completes one that begins at
// at; it looks at a bounded stretch.
type shape struct {
	rule    string
	prefix  string
	inside  bool // may begin in the middle of a word
	follows func(text string, at, body int) bool
}

// Rules returns the names of all rules, for documentation and for checking an Allow.
func Rules() []string {
	out := []string{Assignment, HighEntropy, URLPassword}
	seen := map[string]bool{}
	for _, s := range shapes {
		if !seen[s.rule] && s.rule != Assignment {
			seen[s.rule] = true
			out = append(out, s.rule)
		}
	}
	return out
}

// The alphabets of tokens.
const (
	base62    = letters + "0123456789"
	base62us  = base62 + "_"
	base64url = base62 + "_-"
	base64std = base62 + "+/="
	upper32   = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
)

var shapes = []shape{
	{PrivateKey, "-----BEGIN ", true, privateKey},
	{PrivateKey, "PuTTY-User-Key-File-", false, run(base64url, 1)},
	{PrivateKey, "AGE-SECRET-KEY-1", false, run(base64url, 24)},
	{PasswordHash, "$2a$", true, run(base64std+"$.", 46)},
	{PasswordHash, "$2b$", true, run(base64std+"$.", 46)},
	{PasswordHash, "$2y$", true, run(base64std+"$.", 46)},
	{PasswordHash, "$1$", true, run(base64std+"$.", 22)},
	{PasswordHash, "$5$", true, run(base64std+"$.", 40)},
	{PasswordHash, "$6$", true, run(base64std+"$.", 83)},
	{PasswordHash, "$y$", true, run(base64std+"$.", 47)},
	{PasswordHash, "$apr1$", true, run(base64std+"$.", 22)},
	{PasswordHash, "$argon2", true, run(base64std+"$.,", 43)},
	{"github-token", "ghp_", false, run(base62, 36)},
	{"github-token", "gho_", false, run(base62, 36)},
	{"github-token", "ghu_", false, run(base62, 36)},
	{"github-token", "ghs_", false, run(base62, 36)},
	{"github-token", "ghr_", false, run(base62, 36)},
	{"github-token", "github_pat_", false, run(base62us, 49)},
	{"gitlab-token", "glpat-", false, run(base64url+".", 20)},
	{"gitlab-token", "gldt-", false, run(base64url, 20)},
	{"gitlab-token", "glrt-", false, run(base64url, 20)},
	{"gitlab-token", "glptt-", false, run(base62, 40)},
	{"slack-token", "xoxb-", false, run(base64url, 15)},
	{"slack-token", "xoxp-", false, run(base64url, 15)},
	{"slack-token", "xoxa-", false, run(base64url, 15)},
	{"slack-token", "xoxs-", false, run(base64url, 15)},
	{"slack-token", "xoxe-", false, run(base64url, 15)},
	{"slack-token", "xapp-", false, run(base64url, 15)},
	{"webhook-url", "hooks.slack.com/services/", true, run(base62+"/", 20)},
	{"webhook-url", "hooks.slack.com/workflows/", true, run(base62+"/", 19)},
	{"webhook-url", "discord.com/api/webhooks/", true, run(base64url+"/", 50)},
	{"webhook-url", "discordapp.com/api/webhooks/", true, run(base64url+"/", 47)},
	{"webhook-url", "webhook.office.com/webhookb2/", true, run(base64url+"/@", 61)},
	{"webhook-url", "api.telegram.org/bot", true, run(base64url+":", 30)},
	{"aws-access-key", "AKIA", false, exactly(upper32, 16)},
	{"aws-access-key", "ASIA", false, exactly(upper32, 16)},
	{"stripe-key", "sk_live_", false, run(base62, 16)},
	{"stripe-key", "rk_live_", false, run(base62, 16)},
	{"stripe-key", "sk_test_", false, run(base62, 16)},
	{"stripe-key", "whsec_", false, run(base64std, 24)},
	{"google-key", "AIza", false, exactly(base64url, 35)},
	{"google-key", "ya29.", false, run(base64url, 25)},
	{"google-key", "GOCSPX-", false, run(base64url, 23)},
	{"huggingface-token", "hf_", false, run(letters, 34)},
	{"npm-token", "npm_", false, run(base62, 36)},
	{"pypi-token", "pypi-AgE", false, run(base64url, 52)},
	{"rubygems-key", "rubygems_", false, run(base62, 48)},
	{"docker-token", "dckr_pat_", false, run(base64url, 23)},
	{"digitalocean-token", "dop_v1_", false, run(base62, 53)},
	{"openai-key", "sk-proj-", false, run(base64url, 40)},
	{"openai-key", "sk-", false, run(base62, 45)},
	{"anthropic-key", "sk-ant-", false, run(base64url, 41)},
	{"sendgrid-key", "SG.", false, run(base64url+".", 57)},
	{"mailgun-key", "key-", false, exactly("0123456789abcdef", 32)},
	{"shopify-token", "shpat_", false, run(base62, 32)},
	{"grafana-token", "glsa_", false, run(base62us, 35)},
	{"grafana-token", "glc_", false, run(base64std, 32)},
	{"vault-token", "hvs.", false, run(base64url, 24)},
	{"vault-token", "hvb.", false, run(base64url, 24)},
	{"databricks-token", "dapi", false, exactly("0123456789abcdef", 32)},
	{"linear-key", "lin_api_", false, run(base62, 32)},
	{"pulumi-token", "pul-", false, exactly("0123456789abcdef", 40)},
	{"terraform-token", ".atlasv1.", true, run(base64url+"=", 51)},
	{"jwt", "eyJ", false, jwt},
	{Assignment, "modparam(", false, modparam},
	{Assignment, "machine ", false, netrc},
	{Kubernetes, "kind", false, kubernetesSecret},
}

// byFirst finds the shapes that begin with a byte.
var byFirst = func() (t [256][]shape) {
	for _, s := range shapes {
		t[s.prefix[0]] = append(t[s.prefix[0]], s)
	}
	return t
}()

// charset is a set of bytes.
type charset [256]bool

func setOf(s string) *charset {
	var c charset
	for i := range len(s) {
		c[s[i]] = true
	}
	return &c
}

// run matches n characters of the alphabet after the prefix, unless they are those of a sample such as xxxxxxxx.
func run(alphabet string, n int) func(string, int, int) bool {
	set := setOf(alphabet)
	return func(text string, _, body int) bool {
		return body+n <= len(text) && set.all(text[body:body+n]) && varied(text[body:body+n])
	}
}

// exactly is run for tokens that end after n characters.
func exactly(alphabet string, n int) func(string, int, int) bool {
	begins := run(alphabet, n)
	return func(text string, at, body int) bool {
		end := body + n
		return begins(text, at, body) && (end == len(text) || !isAlnum(text[end]) && text[end] != '_') &&
			!strings.HasSuffix(text[:end], "EXAMPLE")
	}
}

func (c *charset) all(s string) bool {
	for i := range len(s) {
		if !c[s[i]] {
			return false
		}
	}
	return true
}

// varied reports whether a stretch has as many different characters as a random one.
func varied(s string) bool {
	var seen [4]uint64
	for i := range len(s) {
		seen[s[i]>>6] |= 1 << (s[i] & 63)
	}
	n := 0
	for _, w := range seen {
		n += bits.OnesCount64(w)
	}
	return n >= min(8, (len(s)+1)/2)
}

// privateKey matches the rest of -----BEGIN RSA PRIVATE KEY-----.
func privateKey(text string, _, body int) bool {
	label, _, ok := strings.Cut(text[body:min(len(text), body+50)], "-----")
	return ok && strings.Contains(label, "PRIVATE KEY")
}

// jwt matches two segments that are both base64 of a JSON object.
func jwt(text string, at, body int) bool {
	if at > 0 && base64urls[text[at-1]] {
		return false // so that no stretch is looked at twice
	}
	i := body
	for i < len(text) && i < body+2000 && base64urls[text[i]] {
		i++
	}
	return i-body >= 10 && strings.HasPrefix(text[i:], ".eyJ")
}

var base64urls = setOf(base64url)

// netrc matches machine HOST login NAME password WORD.
func netrc(text string, _, body int) bool {
	entry, _, _ := strings.Cut(text[body:min(len(text), body+maxValue)], "\n\n")
	if !strings.Contains(entry, "password") {
		return false
	}
	f := strings.Fields(entry)
	for i := 1; i+1 < len(f) && i < 8; i++ {
		if f[i] == "password" {
			return slices.Contains(f[:i], "login") && password.literal(f[i+1], plain)
		}
	}
	return false
}

// kubernetesSecret matches kind: Secret, in YAML or JSON.
func kubernetesSecret(text string, _, body int) bool {
	rest := strings.TrimLeft(strings.TrimPrefix(text[body:min(len(text), body+20)], `"`), " ")
	rest, ok := strings.CutPrefix(rest, ":")
	rest, is := strings.CutPrefix(strings.TrimLeft(rest, ` "'`), "Secret")
	return ok && is && (rest == "" || strings.IndexByte("\n\r\"', }", rest[0]) >= 0)
}

// modparam matches Kamailio's modparam("module", "password", "value").
func modparam(text string, _, body int) bool {
	line, _, _ := strings.Cut(text[body:min(len(text), body+2*maxValue)], "\n")
	part := strings.Split(line, `"`)
	return len(part) >= 7 && classify(part[3]).literal(part[5], quoted)
}
