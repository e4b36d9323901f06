// Package credential recognises what looks like a credential, so that it is
// withheld from Git, pull requests and logs until the operator lists it.
//
// It knows the shapes of secrets: tokens with a well-known prefix, private keys,
// URLs with a password, and literal values assigned to names such as password or
// client_secret. It must not know who stores the objects, and what it returns
// never contains what it found. Every function is pure, safe for concurrent use, and
// takes time linear in its input.
package credential

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/driftback/driftback/vendors/resource"
)

// A Finding says where something looks like a credential. It never holds any of
// the content.
type Finding struct {
	// Path is line:column, counted from 1 and in bytes, in the text of a raw object; else the
	// path of the field, such as headers[2].value, with * for a key that itself looks like a
	// credential. The object's name is "(name)".
	Path string `json:"path"`
	// Rule names the shape: one of those that Rules returns.
	Rule string `json:"rule"`
}

// String prints the place and the shape.
func (f Finding) String() string { return f.Rule + " at " + f.Path }

// perRule bounds how many findings of one rule are reported of one object. The
// whole object is always looked at, so that no other rule is hidden.
const perRule = 20

// The shapes that are no token with a prefix of its own.
const (
	Assignment   = "assignment"   // a literal value under a name such as password
	HighEntropy  = "high-entropy" // a random-looking value under a name such as key
	URLPassword  = "url-password" // user:password@ in a URL or a data source name
	PrivateKey   = "private-key"
	PasswordHash = "password-hash"
	Kubernetes   = "kubernetes-secret" // a manifest of kind Secret with data
)

// Find returns what looks like a credential in the object, in the order in which
// it stands there; raw says that the object is of a raw kind. Of one rule at most
// the first 20 findings are returned. Secret and reference values are none.
func Find(k resource.Key, s resource.Spec, raw bool) []Finding {
	w := walker{}
	w.text("(name)", k.Name, false)
	if raw {
		content, _ := s[resource.Content].(string)
		w.raw(content)
	} else {
		w.value("", map[string]any(s), none)
	}
	return w.limited()
}

// Reason is one line for people: which shapes were found, and where the first ones stand.
// It is empty where fs is.
func Reason(fs []Finding) string {
	if len(fs) == 0 {
		return ""
	}
	const shown = 3
	var parts []string
	for _, f := range fs[:min(shown, len(fs))] {
		parts = append(parts, f.String())
	}
	out := "looks like a credential: " + strings.Join(parts, ", ")
	if more := len(fs) - shown; more > 0 {
		out += fmt.Sprintf(" and %d more", more)
	}
	return out
}

// A walker collects findings while it walks down a spec.
type walker struct{ found []Finding }

func (w *walker) add(path, rule string) { w.found = append(w.found, Finding{Path: path, Rule: rule}) }

func (w *walker) limited() []Finding {
	seen := map[string]int{}
	return slices.DeleteFunc(w.found, func(f Finding) bool {
		seen[f.Rule]++
		return seen[f.Rule] > perRule
	})
}

func (w *walker) raw(content string) {
	line, begins, at := 1, 0, 0
	for _, h := range scan(content, true) {
		between := content[at:h.at]
		line += strings.Count(between, "\n")
		if i := strings.LastIndexByte(between, '\n'); i >= 0 {
			begins = at + i + 1
		}
		at = h.at
		w.add(fmt.Sprintf("%d:%d", line, at-begins+1), h.rule)
	}
}

// text looks at one string that stands at path.
func (w *walker) text(path, s string, config bool) {
	for _, h := range scan(s, config) {
		w.add(path, h.rule)
	}
}

// value looks at v, which stands at path under a name of class c.
func (w *walker) value(path string, v any, c class) {
	switch v := v.(type) {
	case map[string]any:
		w.object(path, v, c)
	case []any:
		for i, x := range v {
			w.value(path+"["+strconv.Itoa(i)+"]", x, c)
		}
	case json.Number:
		if c.literal(string(v), plain) {
			w.add(path, Assignment)
		}
	case string:
		before := len(w.found)
		// Prose mentions passwords; only what is laid out like a configuration is read as one.
		w.text(path, v, strings.ContainsAny(v, "\n{<="))
		if len(w.found) > before {
			return
		}
		if c.literal(v, quoted) {
			w.add(path, c.rule())
		}
	}
}

func (w *walker) object(path string, m map[string]any, inherited class) {
	named := none
	for _, n := range nameFields {
		if s, ok := m[n].(string); ok {
			named = max(named, classify(s))
		}
	}
	for _, key := range slices.Sorted(maps.Keys(m)) {
		step := key
		if len(scan(key, false)) > 0 {
			step = "*"
		}
		at := step
		if path != "" {
			at = path + "." + step
		}
		if step == "*" {
			w.text(at, key, false)
		}
		c := classify(key)
		if slices.Contains(valueFields, strings.ToLower(key)) {
			c = max(c, named)
		}
		if c == none && inherited != none {
			c = maybe // near a name that holds secrets, what looks random counts
		}
		w.value(at, m[key], c)
	}
}

// Pairs such as {name: DB_PASSWORD, value: …} have the name in one field and the value in another.
var (
	nameFields  = []string{"name", "key", "param"}
	valueFields = []string{"value", "val", "default"}
)
