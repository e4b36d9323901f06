package main

import (
	"fmt"
	"slices"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"

	"github.com/driftback/driftback/reconciler/plan"
	"github.com/driftback/driftback/vendors/all"
)

// A config is driftback.yaml: targets, credentials, modes and gates. It never
// lives in the repository, where a pull request could change it.
type config struct {
	FingerprintKey secretSource            `yaml:"fingerprintKey,omitempty" jsonschema_description:"HMAC key for the fingerprints of secrets. Without one, secrets are written on creation or on request only."`
	Listen         string                  `yaml:"listen,omitempty" jsonschema:"default=127.0.0.1:9650" jsonschema_description:"Address of /metrics, /livez, /readyz and /webhooks/github. The word off listens nowhere."`
	Repository     repositoryConfig        `yaml:"repository" jsonschema_description:"The Git repository."`
	Forge          forgeConfig             `yaml:"forge" jsonschema_description:"Where pull requests live."`
	Secrets        map[string]secretSource `yaml:"secrets,omitempty" jsonschema_description:"What {$secret: NAME} stands for in the environments' files."`
	Claim          claimConfig             `yaml:"claim,omitempty" jsonschema_description:"How processes that work on one environment keep out of each other's way."`
	Environments   map[string]environment  `yaml:"environments" jsonschema:"minProperties=1" jsonschema_description:"The live systems, by name."`
}

type repositoryConfig struct {
	URL    string     `yaml:"url" jsonschema_description:"https, http or ssh URL, or the path of a bare repository."`
	Branch string     `yaml:"branch,omitempty" jsonschema:"default=main" jsonschema_description:"The tracked branch."`
	Auth   authConfig `yaml:"auth,omitempty" jsonschema_description:"How to sign in."`
	Mirror string     `yaml:"mirror,omitempty" jsonschema_description:"Directory of the disposable local copy (default: below the user's cache directory)."`
	Author identity   `yaml:"committer,omitempty" jsonschema_description:"Who commits (default driftback <driftback@localhost>)."`
	Proxy  string     `yaml:"proxy,omitempty" jsonschema_description:"Proxy to the repository's server and to the forge's, for http and https (default that of the variables HTTPS_PROXY, HTTP_PROXY and NO_PROXY)."`
	TLS    *tlsConfig `yaml:"tls,omitempty" jsonschema_description:"Certificates for https, to the repository and to the forge."`
	// SigningKey signs every commit.
	SigningKey secretSource `yaml:"signingKey,omitempty" jsonschema_description:"SSH key, of type ed25519 or rsa, that signs every commit of driftback."`
	State      string       `yaml:"state,omitempty" jsonschema:"enum=ref,enum=branch,default=ref" jsonschema_description:"Where the states are kept: in refs/driftback/state/, or in branches driftback/state/ that a forge's rules can protect."`
	SkipCI     *bool        `yaml:"skipCI,omitempty" jsonschema_description:"Whether commits of live branches and states say [skip ci] (default true on GitHub)."`
	// Timeout bounds one request to the repository.
	Timeout duration `yaml:"timeout,omitempty" jsonschema:"default=60s" jsonschema_description:"Of one request to the repository."`
}

type claimConfig struct {
	For     duration `yaml:"for,omitempty" jsonschema:"default=1m" jsonschema_description:"How long a claim on an environment holds. After a crash another process waits this long before it takes over."`
	Request duration `yaml:"request,omitempty" jsonschema:"default=15s" jsonschema_description:"Longest that one request to a platform is expected to take: none is begun later than this before the claim ends."`
}

type identity struct {
	Name  string `yaml:"name,omitempty"`
	Email string `yaml:"email,omitempty"`
}

type authConfig struct {
	User  string       `yaml:"user,omitempty" jsonschema:"default=x-access-token" jsonschema_description:"User name that goes with the token."`
	Token secretSource `yaml:"token,omitempty" jsonschema_description:"Token or password for https."`
	SSH   *sshConfig   `yaml:"ssh,omitempty" jsonschema_description:"Key for ssh."`
}

type sshConfig struct {
	Key        secretSource `yaml:"key" jsonschema_description:"Private key."`
	KnownHosts string       `yaml:"knownHosts" jsonschema_description:"File with the server's host key."`
}

type forgeConfig struct {
	Local  *localConfig  `yaml:"local,omitempty" jsonschema_description:"The built-in forge: pull requests kept in the repository itself."`
	GitHub *githubConfig `yaml:"github,omitempty" jsonschema_description:"GitHub, on github.com or a server of one's own."`
}

// An environment is one live system. Its vendor's own part stands under the
// vendor's name and is decoded by the vendor.
type environment struct {
	Vendor      string                  `yaml:"vendor" jsonschema_description:"Which kind of platform: the name under which its own settings stand beside."`
	Mode        string                  `yaml:"mode,omitempty" jsonschema:"enum=observe,enum=sync,enum=enforce,default=observe" jsonschema_description:"observe never writes to the platform; sync deploys what is merged; enforce also puts drift back."`
	Every       duration                `yaml:"every,omitempty" jsonschema:"default=1m" jsonschema_description:"Time between two passes."`
	Branch      string                  `yaml:"branch,omitempty" jsonschema_description:"Tracked branch, where it is not the repository's."`
	Path        string                  `yaml:"path,omitempty" jsonschema_description:"Folder of the repository that holds environments/ and shared/ (default its root)."`
	Attribution string                  `yaml:"attribution,omitempty" jsonschema:"enum=name,enum=login,enum=none,default=name" jsonschema_description:"What of a person is written to Git."`
	Kinds       kindsConfig             `yaml:"kinds,omitempty" jsonschema_description:"Which kinds are managed (default all)."`
	Guard       guardConfig             `yaml:"guard,omitempty" jsonschema_description:"When a plan is so large that people must look first."`
	Windows     []windowConfig          `yaml:"windows,omitempty" jsonschema_description:"When the environment may be deployed to (default always)."`
	Rollback    rollbackConfig          `yaml:"rollback,omitempty" jsonschema_description:"What becomes of commits that could not be deployed."`
	Pulls       pullsConfig             `yaml:"pulls,omitempty" jsonschema_description:"What pull requests are told, and who may ask for what in their comments."`
	OnClose     string                  `yaml:"onClose,omitempty" jsonschema:"enum=silence,enum=revert,default=silence" jsonschema_description:"What closing a drift pull request means."`
	Merge       string                  `yaml:"merge,omitempty" jsonschema:"enum=ask,enum=auto" jsonschema_description:"Whether texts merged line by line are deployed unreviewed (default auto where the activation checks them, else ask)."`
	Secrets     map[string]secretSource `yaml:"secrets,omitempty" jsonschema_description:"As secrets above, for this environment alone."`
	Allow       []exception             `yaml:"allow,omitempty" jsonschema_description:"Objects that may be committed although something in them looks like a credential: globs over keys such as file/tls/*.pem, or a mapping with object and rule."`

	vendorPart ast.Node // nil where there is none
}

type kindsConfig struct {
	Include []string `yaml:"include,omitempty"`
	Exclude []string `yaml:"exclude,omitempty"`
}

type rollbackConfig struct {
	Auto *bool `yaml:"auto,omitempty" jsonschema:"default=true" jsonschema_description:"Whether the revert of commits that could not be deployed is proposed as a pull request."`
	Push bool  `yaml:"push,omitempty" jsonschema:"default=false" jsonschema_description:"Whether such a revert, and one asked for with driftback rollback, is pushed at once, where it concerns this environment alone and the branch is not protected; else it is a pull request."`
}

type windowConfig struct {
	Allow    string   `yaml:"allow" jsonschema_description:"When it opens: minute, hour, day of the month, month and day of the week, as in crontab."`
	For      duration `yaml:"for" jsonschema_description:"How long it stays open, of 1m to 168h."`
	TimeZone string   `yaml:"timeZone,omitempty" jsonschema:"default=UTC" jsonschema_description:"Whose clocks are meant, such as Europe/Zurich."`
}

type guardConfig struct {
	Deletes maxDeletes `yaml:"deletes,omitempty" jsonschema_description:"Most deletions that need nobody's look (default 10); off sets no limit."`
	Changes maxChanges `yaml:"changes,omitempty" jsonschema_description:"Largest share of an environment's objects that may change unseen (default 20%), counted above ten objects; off sets no limit."`
}

// UnmarshalYAML takes the vendor's own part out before the rest is decoded strictly.
func (e *environment) UnmarshalYAML(n ast.Node) error {
	type plain environment
	m, ok := n.(*ast.MappingNode)
	if !ok {
		return yaml.NodeToValue(n, (*plain)(e), yaml.Strict())
	}
	vendor := ""
	for _, v := range m.Values {
		if v.Key.String() != "vendor" {
			continue
		}
		vendor = scalarText(v.Value)
		if known := sortedKeys(all.Vendors()); !slices.Contains(known, vendor) {
			return valueError(v.Value, "no vendor is called %q; %s", vendor, suggestion(vendor, known))
		}
	}
	rest := *m
	rest.Values = nil
	for _, v := range m.Values {
		if vendor != "" && v.Key.String() == vendor {
			e.vendorPart = v.Value
			continue
		}
		rest.Values = append(rest.Values, v)
	}
	return yaml.NodeToValue(&rest, (*plain)(e), yaml.Strict())
}

// decodeVendor fills in the vendor's own part, strictly. Texts in it that are
// written as a secret's source are replaced by what resolve returns. It leaves v
// alone where the file has no such part.
func (e environment) decodeVendor(v any, resolve func(secretSource) (string, error)) error {
	if e.vendorPart == nil {
		return nil
	}
	if _, null := e.vendorPart.(*ast.NullNode); null {
		return nil
	}
	r := &secretReplacer{resolve: resolve}
	defer r.restore() // a secret may be another one the next time
	if ast.Walk(r, e.vendorPart); r.err != nil {
		return r.err
	}
	return yaml.NodeToValue(e.vendorPart, v, yaml.Strict())
}

// setDefaults fills in what the file leaves out.
func (c *config) setDefaults() {
	def := func(s *string, d string) {
		if *s == "" {
			*s = d
		}
	}
	def(&c.Listen, "127.0.0.1:9650")
	def(&c.Repository.Branch, "main")
	def(&c.Repository.Author.Name, "driftback")
	def(&c.Repository.Author.Email, "driftback@localhost")
	def(&c.Repository.Auth.User, "x-access-token")
	def(&c.Repository.State, "ref")
	if g := c.Forge.GitHub; g != nil {
		def(&g.MergeMethod, "merge")
		if g.Redeliver == 0 {
			g.Redeliver = duration(10 * time.Minute)
		}
	}
	if c.Repository.Timeout == 0 {
		c.Repository.Timeout = duration(time.Minute)
	}
	if c.Claim.For == 0 {
		c.Claim.For = duration(time.Minute)
	}
	if c.Claim.Request == 0 {
		c.Claim.Request = min(duration(15*time.Second), c.Claim.For/4)
	}
	for name, e := range c.Environments {
		def(&e.Mode, "observe")
		def(&e.Branch, c.Repository.Branch)
		def(&e.Attribution, "name")
		def(&e.OnClose, "silence")
		if e.Every == 0 {
			e.Every = duration(time.Minute)
		}
		c.Environments[name] = e
	}
}

// environment returns the named environment or an error that names the known ones.
func (c *config) environment(name string) (environment, error) {
	if e, ok := c.Environments[name]; ok {
		return e, nil
	}
	return environment{}, fmt.Errorf("environment %s: not in the configuration; %s", name, suggestion(name, sortedKeys(c.Environments)))
}

// limits returns the guard. Its parts were checked when the file was decoded.
func (e environment) limits() plan.Limits {
	l, err := plan.ParseLimits(string(e.Guard.Deletes), string(e.Guard.Changes))
	if err != nil {
		return plan.Limits{} // which lets nothing pass
	}
	return l
}
