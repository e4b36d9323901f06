package main

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/invopop/jsonschema"
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

// A percent is a share between 0 and 100 written as 20%.
type percent float64

func (p *percent) UnmarshalYAML(n ast.Node) error {
	s, ok := strings.CutSuffix(scalarText(n), "%")
	v, err := strconv.ParseFloat(s, 64)
	if !ok || err != nil || !(v > 0 && v <= 100) {
		return valueError(n, "want a share such as 20%%, above 0%% and at most 100%%")
	}
	*p = percent(v)
	return nil
}

// JSONSchema says how a share is written.
func (percent) JSONSchema() *jsonschema.Schema {
	return &jsonschema.Schema{Type: "string", Pattern: `^[0-9]+(\.[0-9]+)?%$`}
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
	how, what, _ := strings.Cut(scalarText(n), ":")
	if what = strings.TrimSpace(what); what == "" {
		return secretError(n)
	}
	switch how {
	case "env":
		s.env = what
	case "file":
		s.file = what
	case "cmd":
		s.cmd = strings.Fields(what)
	default:
		return secretError(n)
	}
	return nil
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

// list joins words for a sentence.
func list(words []string) string {
	if len(words) == 0 {
		return "none"
	}
	return strings.Join(words, ", ")
}
