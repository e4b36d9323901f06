package main

import (
	"fmt"
	"net"
	"path"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"

	"github.com/driftback/driftback/reconciler/credential"
	"github.com/driftback/driftback/reconciler/window"
	"github.com/driftback/driftback/vendors/resource"
)

// A problem is a value that decodes and still is wrong.
type problem struct {
	path   string // of the key, as yaml.PathString writes it: $.environments.prod.every
	msg    string
	secret bool // the value may be one: it is not shown
}

// at places the problem in the file; the path of a missing key is shortened to what is there.
func (p problem) at(file string, src []byte, f *ast.File) error {
	key := strings.TrimPrefix(p.path, "$.")
	for where := p.path; strings.Contains(where, "."); where = where[:strings.LastIndex(where, ".")] {
		yp, err := yaml.PathString(where)
		if err != nil {
			continue
		}
		if n, err := yp.FilterFile(f); err == nil && n != nil {
			return located(file, src, tokenOf(n), key+": "+p.msg, p.secret)
		}
	}
	return fmt.Errorf("configuration %s: %s: %s", file, key, p.msg)
}

// A checker collects problems.
type checker struct{ problems []problem }

func (c *checker) wrong(path, format string, args ...any) {
	c.problems = append(c.problems, problem{path: path, msg: fmt.Sprintf(format, args...)})
}

func (c *checker) oneOf(path, value string, allowed ...string) {
	if !slices.Contains(allowed, value) {
		c.wrong(path, "%q: want %s", value, strings.Join(allowed, ", "))
	}
}

// environmentName is what fits into branch names, metrics and paths alike.
var environmentName = regexp.MustCompile(`^[a-z0-9]([a-z0-9._-]*[a-z0-9])?$`)

// check returns everything that is wrong with the values, in a stable order.
func (c *config) check() []problem {
	var k checker
	if c.Listen != "off" {
		if _, _, err := net.SplitHostPort(c.Listen); err != nil {
			k.wrong("$.listen", "%q: want host:port or off", c.Listen)
		}
	}
	k.repository(c.Repository)
	k.reach(c.Repository)
	switch {
	case c.Forge.GitHub != nil && c.Forge.Local != nil:
		k.wrong("$.forge", "want one of local and github")
	case c.Forge.GitHub != nil:
		k.github(c)
	case c.Forge.Local == nil:
		k.wrong("$.forge", "want local: {} or github")
	}
	if c.Claim.For < duration(time.Second) || c.Claim.For > duration(time.Hour) {
		k.wrong("$.claim.for", "want 1s to 1h")
	}
	if c.Claim.Request <= 0 || c.Claim.Request > c.Claim.For/2 {
		k.wrong("$.claim.request", "want at most half of claim.for, which is %s", time.Duration(c.Claim.For))
	}
	if len(c.Environments) == 0 {
		k.wrong("$.environments", "want at least one")
	}
	for _, name := range sortedKeys(c.Environments) {
		k.environment(name, c.Environments[name], c.Forge.GitHub != nil)
	}
	k.overlaps(c.Environments)
	return k.problems
}

func (k *checker) repository(r repositoryConfig) {
	const at = "$.repository."
	if r.URL == "" {
		k.wrong(at+"url", "missing")
	}
	if strings.Contains(r.URL, "@") && strings.HasPrefix(r.URL, "http") {
		k.problems = append(k.problems, problem{path: at + "url", msg: "holds credentials; they belong under auth", secret: true})
	}
	k.branch(at+"branch", r.Branch)
	if r.Timeout < duration(time.Second) {
		k.wrong(at+"timeout", "want at least 1s")
	}
	if s := r.Auth.SSH; s != nil {
		if r.Auth.Token.isSet() {
			k.wrong(at+"auth", "want token or ssh, not both")
		}
		if !s.Key.isSet() {
			k.wrong(at+"auth.ssh.key", "missing")
		}
		if s.KnownHosts == "" {
			k.wrong(at+"auth.ssh.knownHosts", "missing: without it nobody knows who answers")
		}
	}
}

func (k *checker) environment(name string, e environment, github bool) {
	at := "$.environments." + name + "."
	if !environmentName.MatchString(name) || len(name) > 63 || strings.Contains(name, "..") {
		k.wrong(strings.TrimSuffix(at, "."), "want a name of at most 63 small letters, digits, points and hyphens")
		return
	}
	if e.Vendor == "" {
		k.wrong(at+"vendor", "missing")
	}
	k.oneOf(at+"mode", e.Mode, "observe", "sync", "enforce")
	k.oneOf(at+"attribution", e.Attribution, "name", "login", "none")
	k.pulls(at, e.Pulls, github)
	k.oneOf(at+"onClose", e.OnClose, "silence", "revert")
	if e.Merge != "" {
		k.oneOf(at+"merge", e.Merge, "ask", "auto")
	}
	if every := time.Duration(e.Every); every < time.Second || every > 24*time.Hour {
		k.wrong(at+"every", "%s: want between 1s and 24h", every)
	}
	for i, w := range e.Windows {
		if _, err := window.Parse(w.Allow, time.Duration(w.For), w.TimeZone); err != nil {
			k.wrong(fmt.Sprintf("%swindows[%d]", at, i), "%v", err)
		}
	}
	for _, x := range e.Allow {
		if err := (credential.Allow{credential.Exception(x)}).Validate(); err != nil {
			k.wrong(at+"allow", "%v", err)
		}
	}
	k.branch(at+"branch", e.Branch)
	if clean := path.Clean(e.Path); e.Path != "" && (clean != e.Path || path.IsAbs(clean) || clean == "." || strings.HasPrefix(clean, "..")) {
		k.wrong(at+"path", "%q: want a folder of the repository, such as platform/emea", e.Path)
	}
	for _, list := range []struct {
		key   string
		globs []string
	}{{"kinds.include", e.Kinds.Include}, {"kinds.exclude", e.Kinds.Exclude}} {
		for _, g := range list.globs {
			if !resource.ValidGlob(g) {
				k.wrong(at+list.key, "%q: not a valid glob", g)
			}
		}
	}
}

func (k *checker) branch(at, name string) {
	bad := name == "" || strings.HasPrefix(name, "-") || strings.HasPrefix(name, "/") || strings.HasSuffix(name, "/") ||
		strings.HasSuffix(name, ".lock") || strings.Contains(name, "..") || strings.Contains(name, "//") || strings.ContainsAny(name, " ~^:?*[\\\x7f")
	if bad || strings.HasPrefix(name, "live/") || strings.HasPrefix(name, "driftback/") {
		k.wrong(at, "%q: want the name of a branch that people push to", name)
	}
}

// overlaps refuses an environment whose folder lies in another's: each would take
// the other's objects for its own.
func (k *checker) overlaps(envs map[string]environment) {
	names := sortedKeys(envs)
	for i, a := range names {
		for _, b := range names[i+1:] {
			x, y := path.Join(envs[a].Path, "environments", a)+"/", path.Join(envs[b].Path, "environments", b)+"/"
			if envs[a].Branch == envs[b].Branch && (strings.HasPrefix(x, y) || strings.HasPrefix(y, x)) {
				k.wrong("$.environments."+b+".path", "%s and %s lie in each other", x, y)
			}
		}
	}
}

// yamlType names a Go type as the operator would.
func yamlType(t reflect.Type) string {
	if t == nil {
		return "nothing"
	}
	switch t.Kind() {
	case reflect.String:
		return "a text"
	case reflect.Bool:
		return "true or false"
	case reflect.Slice, reflect.Array:
		return "a list"
	case reflect.Map, reflect.Struct:
		return "a mapping"
	case reflect.Pointer:
		return yamlType(t.Elem())
	case reflect.Float32, reflect.Float64:
		return "a number"
	}
	return "a whole number"
}
