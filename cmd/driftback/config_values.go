package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/invopop/jsonschema"

	"github.com/driftback/driftback/reconciler/credential"
	"github.com/driftback/driftback/reconciler/plan"
)

// A duration is a time.Duration written as 90s, 5m or 1h30m.
type duration time.Duration

func (d *duration) UnmarshalYAML(n ast.Node) error {
	v, err := time.ParseDuration(scalarText(n))
	if err != nil {
		return valueError(n, "want a duration such as 90s, 5m or 1h30m")
	}
	*d = duration(v)
	return nil
}

// JSONSchema says how a duration is written.
func (duration) JSONSchema() *jsonschema.Schema {
	return &jsonschema.Schema{Type: "string", Pattern: `^([0-9]+(\.[0-9]+)?(ms|s|m|h))+$`}
}

// A maxDeletes is a number or the word off; empty is the default.
type maxDeletes string

func (m *maxDeletes) UnmarshalYAML(n ast.Node) error {
	*m = maxDeletes(scalarText(n))
	return limit(n, string(*m), "")
}

// JSONSchema says how the number is written.
func (maxDeletes) JSONSchema() *jsonschema.Schema {
	return &jsonschema.Schema{AnyOf: []*jsonschema.Schema{{Type: "integer", Minimum: "0"}, {Const: "off"}}}
}

// A maxChanges is a share written as 20% or the word off; empty is the default.
type maxChanges string

func (m *maxChanges) UnmarshalYAML(n ast.Node) error {
	*m = maxChanges(scalarText(n))
	return limit(n, "", string(*m))
}

// JSONSchema says how a share is written.
func (maxChanges) JSONSchema() *jsonschema.Schema {
	return &jsonschema.Schema{AnyOf: []*jsonschema.Schema{{Type: "string", Pattern: `^[0-9]+(\.[0-9]+)?%$`}, {Const: "off"}}}
}

func limit(n ast.Node, deletes, changes string) error {
	if scalarText(n) == "" {
		return valueError(n, "want a value")
	}
	if _, err := plan.ParseLimits(deletes, changes); err != nil {
		return valueError(n, "%v", err)
	}
	return nil
}

// An exception is a glob over keys, or a mapping with the rule that it is an exception to.
type exception credential.Exception

func (e *exception) UnmarshalYAML(n ast.Node) error {
	if glob := scalarText(n); glob != "" {
		e.Object = glob
		return nil
	}
	type plain exception // without this method
	return yaml.NodeToValue(n, (*plain)(e), yaml.Strict())
}

// JSONSchema says how an exception is written.
func (exception) JSONSchema() *jsonschema.Schema {
	props := jsonschema.NewProperties()
	props.Set("object", &jsonschema.Schema{Type: "string"})
	rule := &jsonschema.Schema{Type: "string"}
	for _, r := range credential.Rules() {
		rule.Enum = append(rule.Enum, r)
	}
	props.Set("rule", rule)
	return &jsonschema.Schema{AnyOf: []*jsonschema.Schema{
		{Type: "string"},
		{Type: "object", Properties: props, Required: []string{"object"}, AdditionalProperties: jsonschema.FalseSchema},
	}}
}

// A secretSource says where a secret is to be found; never the secret itself.
// The zero source is not set.
type secretSource struct {
	env, file string
	cmd       []string
}

func (s secretSource) isSet() bool { return s.env != "" || s.file != "" || len(s.cmd) > 0 }

const wantSecret = "a secret is written env:NAME, file:PATH, cmd:PROGRAM ARGUMENT… or {cmd: [PROGRAM, ARGUMENT…]}, never as itself"

func (s *secretSource) UnmarshalYAML(n ast.Node) error {
	if _, isMap := n.(*ast.MappingNode); isMap {
		var m struct {
			Cmd []string `yaml:"cmd"`
		}
		if err := yaml.NodeToValue(n, &m, yaml.Strict()); err != nil || len(m.Cmd) == 0 || m.Cmd[0] == "" {
			return secretError(n)
		}
		s.cmd = m.Cmd
		return nil
	}
	var ok bool
	if *s, ok = parseSource(scalarText(n)); !ok {
		return secretError(n)
	}
	return nil
}

// parseSource reads env:NAME, file:PATH or cmd:PROGRAM ARGUMENT…. A file URL is none.
func parseSource(text string) (s secretSource, ok bool) {
	how, what, _ := strings.Cut(text, ":")
	what = strings.TrimSpace(what)
	switch how {
	case "env":
		s.env = what
	case "file":
		s.file = what
	case "cmd":
		s.cmd = strings.Fields(what)
	}
	return s, s.isSet() && !strings.HasPrefix(what, "//")
}

// A secretReplacer puts secrets in the place of their sources in a tree of YAML,
// until restore puts the sources back.
type secretReplacer struct {
	resolve func(secretSource) (string, error)
	err     error
	before  map[*ast.StringNode]string
}

// Visit implements ast.Visitor. Keys are never replaced.
func (r *secretReplacer) Visit(n ast.Node) ast.Visitor {
	switch n := n.(type) {
	case *ast.MappingValueNode:
		ast.Walk(r, n.Value)
		return nil
	case *ast.StringNode:
		source, ok := parseSource(n.Value)
		if !ok || r.err != nil {
			return nil
		}
		value, err := r.resolve(source)
		if err != nil {
			r.err = err
			return nil
		}
		if r.before == nil {
			r.before = map[*ast.StringNode]string{}
		}
		r.before[n] = n.Value
		n.Value = value
	}
	return r
}

func (r *secretReplacer) restore() {
	for n, text := range r.before {
		n.Value = text
	}
}

// JSONSchema says how a source is written.
func (secretSource) JSONSchema() *jsonschema.Schema {
	props := jsonschema.NewProperties()
	props.Set("cmd", &jsonschema.Schema{Type: "array", Items: &jsonschema.Schema{Type: "string"}})
	return &jsonschema.Schema{AnyOf: []*jsonschema.Schema{
		{Type: "string", Pattern: `^(env|file|cmd):.+$`},
		{Type: "object", Properties: props, Required: []string{"cmd"}, AdditionalProperties: jsonschema.FalseSchema},
	}}
}

// A secretList is one secret's source or a list of them.
type secretList []secretSource

func (l *secretList) UnmarshalYAML(n ast.Node) error {
	seq, ok := n.(*ast.SequenceNode)
	if !ok {
		*l = make(secretList, 1)
		return (*l)[0].UnmarshalYAML(n)
	}
	*l = make(secretList, len(seq.Values))
	for i, v := range seq.Values {
		if err := (*l)[i].UnmarshalYAML(v); err != nil {
			return err
		}
	}
	return nil
}

// JSONSchema says how they are written.
func (secretList) JSONSchema() *jsonschema.Schema {
	one := secretSource{}.JSONSchema()
	one.AnyOf = append(one.AnyOf, &jsonschema.Schema{Type: "array", Items: secretSource{}.JSONSchema()})
	return one
}

// A nodeError is a wrong value at a place in the file.
type nodeError struct {
	node   ast.Node
	msg    string
	secret bool // the value may be a secret: it is not shown
}

func (e *nodeError) Error() string { return e.msg }

func valueError(n ast.Node, format string, args ...any) error {
	return &nodeError{node: n, msg: fmt.Sprintf(format, args...)}
}

func secretError(n ast.Node) error { return &nodeError{node: n, msg: wantSecret, secret: true} }

// scalarText returns the text of a scalar node; empty for anything else.
func scalarText(n ast.Node) string {
	switch n := n.(type) {
	case *ast.StringNode:
		return n.Value
	case *ast.LiteralNode:
		return n.Value.Value
	case ast.ScalarNode:
		if t := n.GetToken(); t != nil {
			return t.Value
		}
	}
	return ""
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// suggestion names what is there: the nearest word, or all of them.
func suggestion(word string, known []string) string {
	if near := nearest(word, known); near != "" {
		return "did you mean " + near + "?"
	}
	if len(known) == 0 {
		return "there is none"
	}
	return "there is " + strings.Join(known, ", ")
}
