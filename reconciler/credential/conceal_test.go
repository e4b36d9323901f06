package credential

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestConceal(t *testing.T) {
	t.Parallel()
	token := "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"
	key := "-----BEGIN RSA PRIVATE KEY-----\nMIIEow\nabc\n-----END RSA PRIVATE KEY-----"
	for in, want := range map[string]string{
		"":                               "",
		"nothing of the kind":            "nothing of the kind",
		"token " + token + " refused":    "token [github-token] refused",
		"`" + token + "`":                "`[github-token]`",
		"a" + token:                      "a" + token, // in the middle of a word
		"before\n" + key + "\nafter":     "before\n[private-key]\nafter",
		"-----BEGIN PRIVATE KEY-----\nx": "[private-key]",
		"get https://bob:hunter2@example.org/x: no": "get https://bob:[url-password]@example.org/x: no",
		"see https://example.org:443/a@b":           "see https://example.org:443/a@b",
		"ghp_short":                                 "ghp_short",
	} {
		require.Equal(t, want, Conceal(in), in)
		require.Equal(t, want, Conceal(Conceal(in)), "twice is once")
	}
}

func FuzzConceal(f *testing.F) {
	f.Add("x ghp_a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8 y ://a:b@c")
	f.Add("-----BEGIN X PRIVATE KEY-----\n-----END ")
	f.Fuzz(func(t *testing.T, text string) {
		out := Conceal(text)
		require.Equal(t, out, Conceal(out))
		s := scanner{text: out}
		for i := range len(out) {
			from, to, rule := s.tokenAt(i)
			require.True(t, rule == "" || out[from:to] == "["+rule+"]", "%q: %q is left", text, out)
		}
		if !strings.ContainsAny(text, ":-_.$/AEghksx") {
			require.Equal(t, text, out)
		}
	})
}
