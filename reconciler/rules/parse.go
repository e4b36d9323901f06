package rules

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"

	"github.com/driftback/driftback/vendors/resource"
)

// MaxSize bounds a rules file, in bytes.
const MaxSize = 256 << 10

// maxDepth is deeper than any rules file needs to nest, and protects the parser.
const maxDepth = 100

// An Error is what is wrong with a rules file, and where.
type Error struct {
	Line, Column int // from 1; 0 when the whole file is meant
	Cause        string
}

// Error prints line:column: cause.
func (e *Error) Error() string {
	if e.Line == 0 {
		return e.Cause
	}
	return fmt.Sprintf("%d:%d: %s", e.Line, e.Column, e.Cause)
}

// file is the rules file as written. Other keys are errors, so that a rule nobody
// enforces is not believed to be enforced.
type file struct {
	Ignore  []entry `yaml:"ignore"`
	Protect []glob  `yaml:"protect"`
	Manage  []entry `yaml:"manage"`
}

type entry struct {
	Objects []glob  `yaml:"objects"`
	Kinds   []kind  `yaml:"kinds"`
	Fields  []field `yaml:"fields"`
	listed  bool    // fields was written
	at      *token.Token
}

// Parse reads a rules file. An empty one is no rule. The error is an *Error with
// line and column; nothing of a file with an error is used.
//
//	ignore:
//	  - objects: ["queue/*"]            # globs over keys; and/or kinds: [queue]
//	    fields: [description, "members[].ring"]
//	  - kinds: [user]                   # no fields: the whole object
//	protect: ["queue/Emergency", "ivr/**"]
//	manage:                             # operational fields that are deployed as any other
//	  - kinds: [campaign]
//	    fields: [campaignStatus]        # no fields: all operational ones
func Parse(data []byte) (Rules, error) {
	if len(data) > MaxSize {
		return Rules{}, &Error{Cause: fmt.Sprintf("%d bytes are more than the %d that rules may have", len(data), MaxSize)}
	}
	if strings.TrimSpace(string(data)) == "" {
		return Rules{}, nil
	}
	if e := nesting(data); e != nil {
		return Rules{}, e
	}
	tree, err := parser.ParseBytes(data, 0)
	if err != nil {
		return Rules{}, located(err)
	}
	if len(tree.Docs) > 1 {
		return Rules{}, &Error{Line: tree.Docs[1].GetToken().Position.Line, Column: 1, Cause: "a second document; rules are one"}
	}
	if len(tree.Docs) == 0 || tree.Docs[0].Body == nil {
		return Rules{}, nil
	}
	body := tree.Docs[0].Body
	if e := plainOnly(body); e != nil {
		return Rules{}, e
	}
	var f file
	if err := yaml.NodeToValue(body, &f, yaml.Strict()); err != nil {
		return Rules{}, located(err)
	}
	return f.compile()
}

func (f file) compile() (Rules, error) {
	var r Rules
	for _, e := range f.Ignore {
		i, err := e.objects("an ignore rule", "to ignore whole objects")
		if err != nil {
			return Rules{}, err
		}
		for _, p := range e.Fields {
			if i.fields == nil {
				i.fields = &fields{}
			}
			if err := i.fields.add(p.path); err != nil {
				return Rules{}, at(e.at, err.Error())
			}
		}
		r.ignore = append(r.ignore, i)
	}
	for _, e := range f.Manage {
		i, err := e.objects("a manage rule", "to manage all operational fields")
		if err != nil {
			return Rules{}, err
		}
		m := manage{ignore: i}
		for _, p := range e.Fields {
			m.paths = append(m.paths, managed(p))
		}
		r.manage = append(r.manage, m)
	}
	for _, g := range f.Protect {
		r.protect = append(r.protect, string(g))
	}
	return r, nil
}

// objects compiles which objects an entry is about. What it is called, and what leaving fields out is for, is for the error.
func (e entry) objects(name, all string) (ignore, error) {
	if len(e.Objects) == 0 && len(e.Kinds) == 0 {
		return ignore{}, at(e.at, name+" needs objects or kinds; to mean all objects, say objects: [\"**\"]")
	}
	if e.listed && len(e.Fields) == 0 {
		return ignore{}, at(e.at, "an empty list of fields; "+all+", leave fields out")
	}
	i := ignore{}
	for _, g := range e.Objects {
		i.objects = append(i.objects, string(g))
	}
	for _, k := range e.Kinds {
		i.kinds = append(i.kinds, resource.Kind(k))
	}
	return i, nil
}

// UnmarshalYAML notes where the entry stands and whether it lists fields.
func (e *entry) UnmarshalYAML(n ast.Node) error {
	type plain entry // without this method
	if err := yaml.NodeToValue(n, (*plain)(e), yaml.Strict()); err != nil {
		return err
	}
	e.at = n.GetToken()
	if m, ok := n.(*ast.MappingNode); ok {
		for _, v := range m.Values {
			e.listed = e.listed || v.Key.String() == "fields"
			if e.at == nil || v.Key.GetToken().Position.Offset < e.at.Position.Offset {
				e.at = v.Key.GetToken()
			}
		}
	}
	return nil
}

// glob, kind and field are strings that are checked where they stand.
type (
	glob  string
	kind  string
	field managed
)

// UnmarshalYAML reads a glob over keys.
func (g *glob) UnmarshalYAML(n ast.Node) error {
	s, err := text(n)
	if err != nil {
		return err
	}
	if s != "**" && !strings.Contains(s, "/") || !resource.ValidGlob(s) {
		return at(n.GetToken(), fmt.Sprintf("%q is no glob over kind/name, such as queue/* or ivr/**", s))
	}
	*g = glob(s)
	return nil
}

// UnmarshalYAML reads the name of a kind.
func (k *kind) UnmarshalYAML(n ast.Node) error {
	s, err := text(n)
	if err != nil {
		return err
	}
	if s == "" || strings.ContainsAny(s, "/*?[") {
		return at(n.GetToken(), fmt.Sprintf("%q is no kind, such as queue", s))
	}
	*k = kind(s)
	return nil
}

// UnmarshalYAML reads a field pattern.
func (f *field) UnmarshalYAML(n ast.Node) error {
	s, err := text(n)
	if err != nil {
		return err
	}
	if err := (&fields{}).add(s); err != nil {
		return at(n.GetToken(), err.Error())
	}
	*f = field{s, n.GetToken()}
	return nil
}

func text(n ast.Node) (string, error) {
	switch n := n.(type) {
	case *ast.StringNode:
		return n.Value, nil
	case *ast.LiteralNode:
		return "", at(n.GetToken(), "want one line of text")
	}
	return "", at(n.GetToken(), fmt.Sprintf("want text, not %s", strings.ToLower(n.Type().YAMLName())))
}

// plainOnly refuses what rules have no use for and what could expand.
func plainOnly(n ast.Node) *Error {
	v := &refuser{}
	ast.Walk(v, n)
	return v.err
}

type refuser struct{ err *Error }

// Visit refuses anchors, aliases, tags and merge keys.
func (r *refuser) Visit(n ast.Node) ast.Visitor {
	if r.err != nil {
		return nil
	}
	switch n := n.(type) {
	case *ast.SequenceNode:
		for _, v := range n.Values {
			if _, empty := v.(*ast.NullNode); empty {
				r.err = at(v.GetToken(), "an empty element of a list")
				return nil
			}
		}
	case *ast.AnchorNode, *ast.AliasNode, *ast.TagNode, *ast.MergeKeyNode:
		r.err = at(n.GetToken(), "anchors, aliases and tags are not accepted here")
		return nil
	}
	return r
}

// nesting refuses what nests deeper than a rules file can, before the parser recurses into it.
func nesting(data []byte) *Error {
	line, column, flow, block := 1, 0, 0, 0
	begins := true // only spaces and indicators of blocks so far
	for _, c := range data {
		column++
		switch {
		case c == '\n':
			line, column, block, begins = line+1, 0, 0, true
			continue
		case c == '[' || c == '{':
			flow++
		case c == ']' || c == '}':
			flow = max(0, flow-1)
		case begins && (c == '-' || c == '?' || c == ':'):
			block++
		}
		begins = begins && bytes.IndexByte([]byte("-?: \t"), c) >= 0
		if flow > maxDepth || block > maxDepth {
			return &Error{Line: line, Column: column, Cause: fmt.Sprintf("nested deeper than %d levels", maxDepth)}
		}
	}
	return nil
}

func at(t *token.Token, cause string) *Error {
	e := &Error{Cause: cause}
	if t != nil && t.Position != nil {
		e.Line, e.Column = t.Position.Line, t.Position.Column
	}
	return e
}

// located turns an error of the YAML library into one of ours, without the quoted source.
func located(err error) error {
	var own *Error
	if errors.As(err, &own) {
		return own
	}
	var e yaml.Error
	if errors.As(err, &e) {
		return at(e.GetToken(), e.GetMessage())
	}
	return &Error{Cause: err.Error()}
}
