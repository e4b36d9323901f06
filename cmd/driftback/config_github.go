package main

import (
	"net/url"
	"regexp"
	"strings"
	"time"
)

// A githubConfig is the forge that GitHub is.
type githubConfig struct {
	App           *githubApp        `yaml:"app,omitempty" jsonschema_description:"Sign in as a GitHub App. Its token is the password of git as well, where repository.auth has none."`
	Token         secretSource      `yaml:"token,omitempty" jsonschema_description:"Sign in with a token instead of an app (default repository.auth.token). There are then commit statuses instead of check runs."`
	Login         string            `yaml:"login,omitempty" jsonschema_description:"Account of the token, where the token may not ask."`
	WebhookSecret secretList        `yaml:"webhookSecret,omitempty" jsonschema_description:"Secret of the webhook at /webhooks/github, or a list of them while one replaces another. Without one every delivery is refused."`
	URL           string            `yaml:"url,omitempty" jsonschema_description:"URL of a GitHub Enterprise server (default the server of repository.url)."`
	Repository    string            `yaml:"repository,omitempty" jsonschema_description:"OWNER/NAME (default that of repository.url)."`
	Teams         []string          `yaml:"teams,omitempty" jsonschema_description:"Teams whose members commands in comments are told apart by, as ORGANISATION/TEAM."`
	Logins        map[string]string `yaml:"logins,omitempty" jsonschema_description:"GitHub logins by e-mail address, where GitHub does not know."`
	MergeMethod   string            `yaml:"mergeMethod,omitempty" jsonschema:"enum=merge,enum=squash,enum=rebase,default=merge" jsonschema_description:"How driftback merges where people ask it to."`
	Redeliver     duration          `yaml:"redeliver,omitempty" jsonschema:"default=10m" jsonschema_description:"How often an app asks for webhook deliveries that were missed."`
}

type githubApp struct {
	ID           int64        `yaml:"id" jsonschema:"minimum=1" jsonschema_description:"The app's id."`
	Installation int64        `yaml:"installation,omitempty" jsonschema:"minimum=0" jsonschema_description:"Id of the app's installation (default that on the repository)."`
	Key          secretSource `yaml:"key" jsonschema_description:"The app's private key."`
}

// A tlsConfig is how to know a server, and how it is to know us.
type tlsConfig struct {
	CA          string       `yaml:"ca,omitempty" jsonschema_description:"File with certificates of authorities to trust besides the system's, in PEM form."`
	Certificate string       `yaml:"certificate,omitempty" jsonschema_description:"File with our own certificate, in PEM form."`
	Key         secretSource `yaml:"key,omitempty" jsonschema_description:"Private key of our own certificate."`
}

// A slug is a repository of a server.
type slug struct{ server, owner, name string }

// repositorySlug finds the server and repository that a URL of git names: https://HOST/OWNER/NAME.git, ssh, or
// user@host:path. ok is false for a path of this machine and for what is no OWNER/NAME.
func repositorySlug(repository string) (s slug, ok bool) {
	host, path := "", ""
	s.server = "https://"
	if u, err := url.Parse(repository); err == nil && u.Host != "" {
		switch u.Scheme {
		case "http":
			s.server, host = "http://", u.Host
		case "https":
			host = u.Host
		case "ssh":
			host = u.Hostname()
		default:
			return slug{}, false
		}
		path = u.Path
	} else if at, rest, found := strings.Cut(repository, ":"); found && !strings.Contains(at, "/") {
		_, host, found = strings.Cut(at, "@")
		if !found {
			host = at
		}
		path = rest
	}
	if host == "ssh.github.com" { // by port 443
		host = "github.com"
	}
	s.server += host
	path = strings.TrimSuffix(strings.Trim(path, "/"), ".git")
	s.owner, s.name, ok = strings.Cut(path, "/")
	return s, ok && host != "" && githubName.MatchString(s.owner) && githubName.MatchString(s.name)
}

var (
	githubName = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,100}$`)
	teamName   = regexp.MustCompile(`^[A-Za-z0-9-]{1,39}/[a-z0-9_-]{1,100}$`)
)

// slug returns the repository on GitHub that the configuration means.
func (c *config) slug() (slug, bool) {
	g := c.Forge.GitHub
	s, ok := repositorySlug(c.Repository.URL)
	if g.Repository != "" {
		s.owner, s.name, ok = strings.Cut(g.Repository, "/")
		ok = ok && githubName.MatchString(s.owner) && githubName.MatchString(s.name)
	}
	if g.URL != "" {
		s.server = g.URL
	}
	return s, ok && s.server != "" && s.server != "https://"
}

// github refuses what the forge could not work with.
func (k *checker) github(c *config) {
	const at = "$.forge.github"
	g := c.Forge.GitHub
	if _, ok := c.slug(); !ok {
		k.wrong(at+".repository", "%q: want OWNER/NAME, and url where repository.url is not GitHub's", g.Repository)
	}
	if g.URL != "" {
		if u, err := url.Parse(g.URL); err != nil || u.Host == "" || u.User != nil || u.Scheme != "https" && u.Scheme != "http" {
			k.problems = append(k.problems, problem{path: at + ".url", msg: "want https://HOST", secret: true})
		}
	}
	switch {
	case g.App != nil && g.Token.isSet():
		k.wrong(at, "want app or token, not both")
	case g.App == nil && !g.Token.isSet() && !c.Repository.Auth.Token.isSet():
		k.wrong(at, "want app or token")
	}
	if a := g.App; a != nil {
		if a.ID <= 0 {
			k.wrong(at+".app.id", "missing")
		}
		if a.Installation < 0 {
			k.wrong(at+".app.installation", "%d: want the number in the installation's address", a.Installation)
		}
		if !a.Key.isSet() {
			k.wrong(at+".app.key", "missing")
		}
	}
	for _, t := range g.Teams {
		if !teamName.MatchString(t) {
			k.wrong(at+".teams", "%q: want ORGANISATION/TEAM, the team as in its address", t)
		}
	}
	for _, email := range sortedKeys(g.Logins) {
		if !strings.Contains(email, "@") || !githubName.MatchString(g.Logins[email]) {
			k.wrong(at+".logins", "%q: %q: want an e-mail address and a login", email, g.Logins[email])
		}
	}
	k.oneOf(at+".mergeMethod", g.MergeMethod, "merge", "squash", "rebase")
	if every := time.Duration(g.Redeliver); every < time.Minute || every > 72*time.Hour {
		k.wrong(at+".redeliver", "%s: want between 1m and 72h", every)
	}
}

// reach refuses proxies and certificates that cannot be.
func (k *checker) reach(r repositoryConfig) {
	const at = "$.repository."
	if r.Proxy != "" {
		u, err := url.Parse(r.Proxy)
		switch {
		case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" && u.Scheme != "socks5":
			k.problems = append(k.problems, problem{path: at + "proxy", msg: "want http://HOST:PORT", secret: true})
		case u.User != nil:
			k.problems = append(k.problems, problem{path: at + "proxy", msg: "holds credentials; they belong into the variable HTTPS_PROXY", secret: true})
		}
	}
	if t := r.TLS; t != nil && (t.Certificate == "") != !t.Key.isSet() {
		k.wrong(at+"tls", "want certificate and key, or neither")
	}
	k.oneOf(at+"state", r.State, "ref", "branch")
}
