package main

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"github.com/driftback/driftback/gitstore/forge/github"
)

func TestRepositorySlugs(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]slug{
		"https://github.com/acme/contact-centre.git":         {"https://github.com", "acme", "contact-centre"},
		"https://github.com/acme/contact-centre":             {"https://github.com", "acme", "contact-centre"},
		"git@github.com:acme/contact-centre.git":             {"https://github.com", "acme", "contact-centre"},
		"ssh://git@ssh.github.com:443/acme/c.git":            {"https://github.com", "acme", "c"},
		"ssh://git@github.example.org:2222/acme/c.git":       {"https://github.example.org", "acme", "c"},
		"http://127.0.0.1:8080/acme/c.git":                   {"http://127.0.0.1:8080", "acme", "c"},
		"github.example.org:acme/c":                          {"https://github.example.org", "acme", "c"},
		"/srv/git/config.git":                                {},
		"https://github.com/acme":                            {},
		"https://github.com/acme/c/d.git":                    {},
		"file:///srv/acme/c.git":                             {},
		"https://github.com/acme/c%2F..%2Fd.git?x=\x00":      {},
		"https://github.com/acme/name with a space/more.git": {},
	} {
		got, ok := repositorySlug(url)
		require.Equal(t, want != slug{}, ok, url)
		if ok {
			require.Equal(t, want, got, url)
		}
	}
}

const githubEnvironments = "environments: {prod: {vendor: directory, directory: {root: /x}}}\n"

func TestGitHubConfigs(t *testing.T) {
	t.Parallel()
	const https = "repository: {url: https://github.com/acme/c.git}\n"
	for name, c := range map[string]struct{ src, says string }{
		"an app":                    {https + "forge: {github: {app: {id: 1, key: env:K}}}\n", ""},
		"a token":                   {https + "forge: {github: {token: env:T}}\n", ""},
		"the repository's token":    {"repository: {url: https://github.com/acme/c.git, auth: {token: env:T}}\nforge: {github: {}}\n", ""},
		"by path":                   {"repository: {url: /srv/c.git}\nforge: {github: {token: env:T, repository: acme/c, url: https://ghe.example.org}}\n", ""},
		"two secrets":               {https + "forge: {github: {token: env:T, webhookSecret: ['env:A', 'env:B']}}\n", ""},
		"both forges":               {https + "forge: {local: {}, github: {token: env:T}}\n", "want one of local and github"},
		"nobody":                    {https + "forge: {github: {}}\n", "want app or token"},
		"two sign-ins":              {https + "forge: {github: {token: env:T, app: {id: 1, key: env:K}}}\n", "not both"},
		"no key":                    {https + "forge: {github: {app: {id: 1}}}\n", "app.key: missing"},
		"no id":                     {https + "forge: {github: {app: {key: env:K}}}\n", "app.id: missing"},
		"no repository of GitHub":   {"repository: {url: /srv/c.git}\nforge: {github: {token: env:T}}\n", "want OWNER/NAME"},
		"path without a server":     {"repository: {url: /srv/c.git}\nforge: {github: {token: env:T, repository: acme/c}}\n", "want OWNER/NAME"},
		"no name of a repository":   {https + "forge: {github: {token: env:T, repository: acme}}\n", "want OWNER/NAME"},
		"credentials in the URL":    {https + "forge: {github: {token: env:T, url: 'https://a:b@ghe.example.org'}}\n", "forge.github.url: want https://HOST"},
		"no team":                   {https + "forge: {github: {token: env:T, teams: [operators]}}\n", "want ORGANISATION/TEAM"},
		"no login":                  {https + "forge: {github: {token: env:T, logins: {ann: ann}}}\n", "an e-mail address and a login"},
		"no merge method":           {https + "forge: {github: {token: env:T, mergeMethod: octopus}}\n", "want merge, squash, rebase"},
		"too often":                 {https + "forge: {github: {token: env:T, redeliver: 1s}}\n", "between 1m and 72h"},
		"a literal secret":          {https + "forge: {github: {token: env:T, webhookSecret: [hunter2]}}\n", "never as itself"},
		"an unknown key":            {https + "forge: {github: {token: env:T, secret: env:S}}\n", "unknown key secret"},
		"a proxy with a password":   {"repository: {url: https://github.com/acme/c.git, proxy: 'http://u:pw@p:1'}\nforge: {local: {}}\n", "belong into the variable HTTPS_PROXY"},
		"a proxy that is none":      {"repository: {url: https://github.com/acme/c.git, proxy: 'p:1'}\nforge: {local: {}}\n", "want http://HOST:PORT"},
		"a certificate without key": {"repository: {url: https://github.com/acme/c.git, tls: {certificate: c.pem}}\nforge: {local: {}}\n", "want certificate and key"},
		"a state nowhere":           {"repository: {url: https://github.com/acme/c.git, state: cloud}\nforge: {local: {}}\n", "want ref, branch"},
	} {
		got, err := parseConfig("driftback.yaml", []byte(c.src+githubEnvironments))
		if c.says == "" {
			require.NoError(t, err, name)
			require.NotNil(t, got)
			continue
		}
		require.ErrorContains(t, err, c.says, name)
		require.NotContains(t, err.Error(), "hunter2")
		require.NotContains(t, err.Error(), "u:pw@")
		require.NotContains(t, err.Error(), "a:b@")
	}
}

func TestSkipCIAndStates(t *testing.T) {
	t.Parallel()
	load := func(repository, forge string) *config {
		c, err := parseConfig("x", []byte("repository: {url: https://github.com/acme/c.git"+repository+"}\nforge: "+forge+"\n"+githubEnvironments))
		require.NoError(t, err)
		return c
	}
	require.True(t, load("", "{github: {token: env:T}}").skipsCI())
	require.False(t, load("", "{local: {}}").skipsCI())
	require.False(t, load(", skipCI: false", "{github: {token: env:T}}").skipsCI())
	require.Equal(t, "refs/heads/driftback/state/", load(", state: branch", "{local: {}}").statesPrefix())
	require.Equal(t, "refs/driftback/state/", load("", "{local: {}}").statesPrefix())
}

func TestConcernedEnvironments(t *testing.T) {
	t.Parallel()
	c := &config{Environments: map[string]environment{"prod": {Branch: "main"}, "prod2": {Branch: "main"}, "test": {Branch: "develop"}}}
	for _, x := range []struct {
		event github.Event
		want  []string
	}{
		{github.Event{Branch: "main"}, []string{"prod", "prod2"}},
		{github.Event{Branch: "develop"}, []string{"test"}},
		{github.Event{Branch: "topic"}, nil},
		{github.Event{Branch: "live/test"}, []string{"test"}},
		{github.Event{Branch: "driftback/drift/prod"}, []string{"prod"}},
		{github.Event{Branch: "driftback/drift/prod-2"}, []string{"prod"}},
		{github.Event{Branch: "driftback/revert/test/abc"}, []string{"test"}},
		{github.Event{Base: "develop", Pull: 3}, []string{"test"}},
		{github.Event{Kind: "issue_comment", Pull: 3}, []string{"prod", "prod2", "test"}},
	} {
		require.Equal(t, x.want, c.concerned(x.event), "%+v", x.event)
	}
}

// Tokens that come and go are kept out of logs while they are good, and not for ever.
func TestTokenKeeper(t *testing.T) {
	t.Parallel()
	r := new(redactor)
	r.add("a lasting secret")
	k := &tokenKeeper{redact: r, user: "x-access-token"}
	for _, token := range []string{"ghs_one1", "ghs_two2", "ghs_two2", "ghs_three", "ghs_four", "ghs_five"} {
		k.heard(token)
		require.Equal(t, "is "+redacted, r.text("is "+token))
	}
	require.Equal(t, "ghs_one1", r.text("ghs_one1"), "it ended hours ago")
	require.Equal(t, redacted, r.text("ghs_two2"))
	require.Equal(t, redacted, r.text("a lasting secret"))
	require.Len(t, k.last, keptTokens)
}

// newSigningKey makes a key as ssh-keygen does.
func newSigningKey(t *testing.T) []byte {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	block, err := ssh.MarshalPrivateKey(private, "")
	require.NoError(t, err)
	return pem.EncodeToMemory(block)
}
