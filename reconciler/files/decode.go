package files

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"github.com/driftback/driftback/vendors/resource"
)

// decodeDocument reads one typed file. Every error says where.
func decodeDocument(data []byte) (*document, *fault) {
	root, f := parseYAML(data)
	if f != nil {
		return nil, f
	}
	if root.Kind != yaml.MappingNode {
		return nil, faultAt(root.Line, root.Column, "want a map of fields")
	}
	if root.Style&yaml.TaggedStyle != 0 {
		return nil, faultAt(root.Line, root.Column, "the tag %.60s is not read", root.Tag)
	}
	d := &document{}
	plain, f := d.directives(root)
	if f != nil {
		return nil, f
	}
	dec := decoder{overlay: d.overlay}
	d.body, f = dec.mapping(plain, 0)
	if f != nil {
		return nil, f
	}
	if d.absent && (d.overlay || len(d.body) > 0) {
		return nil, faultAt(d.line, d.column, "%s says that there is no object, but the file has fields", dirAbsent)
	}
	return d, nil
}

// parseYAML reads exactly one document of YAML.
func parseYAML(data []byte) (*yaml.Node, *fault) {
	if !utf8.Valid(data) {
		line, column := invalidAt(data)
		return nil, faultAt(line, column, "not valid UTF-8")
	}
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var doc, more yaml.Node
	switch err := dec.Decode(&doc); {
	case errors.Is(err, io.EOF):
		return nil, faultAt(1, 1, "the file is empty; an object without fields is {}")
	case err != nil:
		return nil, syntaxFault(data, err)
	}
	switch err := dec.Decode(&more); {
	case err == nil:
		return nil, faultAt(more.Line, max(more.Column, 1), "a second document in the file, want one")
	case !errors.Is(err, io.EOF):
		return nil, syntaxFault(data, err)
	}
	return doc.Content[0], nil
}

func invalidAt(data []byte) (line, column int) {
	line, column = 1, 1
	for len(data) > 0 {
		r, n := utf8.DecodeRune(data)
		if r == utf8.RuneError && n == 1 {
			break
		}
		if column++; r == '\n' {
			line, column = line+1, 1
		}
		data = data[n:]
	}
	return line, column
}

var syntaxLine = regexp.MustCompile(`^line (\d+): `)

// syntaxFault finds the place of a syntax error. Of an error inside a word the
// parser tells the line. Of one in the order of words it tells where the
// surrounding block begins, if anything, so that it is run again to see how far
// it reads. The column is where the line's text begins.
func syntaxFault(data []byte, err error) *fault {
	msg := strings.TrimPrefix(err.Error(), "yaml: ")
	line := 1
	if m := syntaxLine.FindStringSubmatch(msg); m != nil {
		line, _ = strconv.Atoi(m[1])
		msg = msg[len(m[0]):]
	}
	if strings.HasPrefix(msg, "did not find expected") {
		line = 1 + bytes.Count(data[:readUntilError(data)], []byte("\n"))
	}
	column := 1
	if lines := bytes.SplitAfterN(data, []byte("\n"), line+1); line <= len(lines) {
		text := lines[line-1]
		column += len(text) - len(bytes.TrimLeft(text, " \t"))
	}
	return faultAt(line, column, "%.120s", msg)
}

// readUntilError returns how many bytes a parser takes before it gives up, less
// the three that it looks ahead, and less the blank end of the text.
func readUntilError(data []byte) int {
	r := bytes.NewReader(data)
	dec := yaml.NewDecoder(byteReader{r})
	var n yaml.Node
	for dec.Decode(&n) == nil {
		n = yaml.Node{}
	}
	const lookahead = 3
	text := data[:max(len(data)-r.Len()-lookahead, 0)]
	if r.Len() == 0 {
		text = bytes.TrimRight(data, " \t\r\n")
	}
	return len(text)
}

// byteReader hands out one byte at a time.
type byteReader struct{ r *bytes.Reader }

func (b byteReader) Read(p []byte) (int, error) { return b.r.Read(p[:min(1, len(p))]) }

// directives takes what begins with one $ off the top of the file, and returns the rest.
func (d *document) directives(root *yaml.Node) (*yaml.Node, *fault) {
	rest := *root
	rest.Content = nil
	seen := map[string]bool{}
	for i := 0; i+1 < len(root.Content); i += 2 {
		k, v := root.Content[i], root.Content[i+1]
		if k.Kind != yaml.ScalarNode || !strings.HasPrefix(k.Value, "$") || strings.HasPrefix(k.Value, "$$") {
			rest.Content = append(rest.Content, k, v)
			continue
		}
		if seen[k.Value] {
			return nil, faultAt(k.Line, k.Column, "%s is there twice", k.Value)
		}
		seen[k.Value] = true
		if f := d.directive(k, v); f != nil {
			return nil, f
		}
	}
	return &rest, nil
}

func (d *document) directive(k, v *yaml.Node) (f *fault) {
	switch k.Value {
	case dirOverlay, dirAbsent:
		if v.Kind != yaml.ScalarNode || v.Style != 0 || v.Value != "true" {
			return faultAt(v.Line, v.Column, "%s can only be true", k.Value)
		}
		if d.line == 0 {
			d.line, d.column = k.Line, k.Column
		}
		if k.Value == dirOverlay {
			d.overlay = true
		} else {
			d.absent = true
		}
	case dirName:
		d.name, f = nameText(k.Value, v)
	case dirRenamedFrom:
		d.renamedFrom, f = nameText(k.Value, v)
	default:
		f = faultAt(k.Line, k.Column, "unknown directive %.60q; a field of that name is written with $$", k.Value)
	}
	return f
}

// nameText reads a scalar that holds a name, which may look like a number.
func nameText(what string, v *yaml.Node) (string, *fault) {
	if v.Kind == yaml.ScalarNode && v.Style&yaml.TaggedStyle == 0 {
		s, f := scalar(v)
		if f != nil {
			return "", f
		}
		switch s := s.(type) {
		case string:
			if s != "" {
				return s, nil
			}
		case json.Number:
			return "", faultAt(v.Line, v.Column, "%s is a number; quote it", what)
		}
	}
	return "", faultAt(v.Line, v.Column, "%s wants a name", what)
}

// A decoder walks parsed YAML. In an overlay null is allowed where it deletes a field.
type decoder struct{ overlay bool }

func (d decoder) mapping(n *yaml.Node, depth int) (map[string]any, *fault) {
	out := make(map[string]any, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		name, f := fieldName(k)
		if f != nil {
			return nil, f
		}
		if _, twice := out[name]; twice {
			return nil, faultAt(k.Line, k.Column, "the field %.60q is there twice", name)
		}
		x, f := d.value(v, depth+1)
		if f != nil {
			return nil, f
		}
		if x == nil && !d.overlay {
			return nil, faultAt(v.Line, v.Column, "the field %.60q has no value; remove it (only an overlay deletes with null)", name)
		}
		out[name] = x
	}
	return out, nil
}

// fieldName reads a key of a map. A literal $ at its beginning is doubled in files.
func fieldName(k *yaml.Node) (string, *fault) {
	switch {
	case k.Kind == yaml.AliasNode:
		return "", faultAt(k.Line, k.Column, "aliases are not read; write the value out")
	case k.Kind != yaml.ScalarNode:
		return "", faultAt(k.Line, k.Column, "a key must be a string")
	case k.Style == 0 && k.Value == "<<":
		return "", faultAt(k.Line, k.Column, "merge keys are not read; write the fields out")
	}
	v, f := scalar(k)
	if f != nil {
		return "", f
	}
	s, ok := v.(string)
	if !ok {
		return "", faultAt(k.Line, k.Column, "the key %.60s is not a string; quote it", k.Value)
	}
	if !strings.HasPrefix(s, "$") {
		return s, nil
	}
	if !strings.HasPrefix(s, "$$") {
		return "", faultAt(k.Line, k.Column, "unknown directive %.60q here; a field of that name is written with $$", s)
	}
	return s[1:], nil
}

func (d decoder) value(n *yaml.Node, depth int) (any, *fault) {
	if depth > resource.MaxDepth {
		return nil, faultAt(n.Line, n.Column, "nested deeper than %d levels", resource.MaxDepth)
	}
	switch n.Kind {
	case yaml.AliasNode:
		return nil, faultAt(n.Line, n.Column, "aliases are not read; write the value out")
	case yaml.ScalarNode:
		return scalar(n)
	}
	if n.Style&yaml.TaggedStyle != 0 {
		return nil, faultAt(n.Line, n.Column, "the tag %.60s is not read", n.Tag)
	}
	if n.Kind == yaml.MappingNode {
		if v, special, f := reference(n); special {
			return v, f
		}
		m, f := d.mapping(n, depth)
		if f != nil {
			return nil, f
		}
		return m, nil
	}
	out := make([]any, len(n.Content))
	whole := decoder{} // lists replace whole, so that null has no meaning in them
	for i, c := range n.Content {
		x, f := whole.value(c, depth+1)
		if f != nil {
			return nil, f
		}
		if x == nil {
			return nil, faultAt(c.Line, c.Column, "null in a list has no meaning; remove it")
		}
		out[i] = x
	}
	return out, nil
}

// reference reads {$ref: kind/name} and {$secret: NAME}.
func reference(n *yaml.Node) (v any, special bool, f *fault) {
	for i := 0; i+1 < len(n.Content); i += 2 {
		k := n.Content[i]
		if k.Kind != yaml.ScalarNode || k.Value != dirRef && k.Value != dirSecret {
			continue
		}
		if len(n.Content) != 2 {
			return nil, true, faultAt(k.Line, k.Column, "%s stands alone in its map", k.Value)
		}
		at := n.Content[1]
		text, f := nameText(k.Value, at)
		if f != nil {
			return nil, true, f
		}
		if k.Value == dirSecret {
			return resource.Secret{Name: text}, true, nil
		}
		key, err := resource.ParseKey(text)
		if err != nil {
			return nil, true, faultAt(at.Line, at.Column, "%s wants kind/name, such as {$ref: queue/Support}", dirRef)
		}
		return resource.Ref{Key: key}, true, nil
	}
	return nil, false, nil
}
