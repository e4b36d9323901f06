package files

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/driftback/driftback/vendors/resource"
)

// The directives that may stand at the top of a typed file.
const (
	dirAbsent      = "$absent"
	dirName        = "$name"
	dirOverlay     = "$overlay"
	dirRenamedFrom = "$renamedFrom"
	dirRef         = "$ref"
	dirSecret      = "$secret"
)

// A document is what one typed file says.
type document struct {
	overlay, absent bool
	name            string         // $name: the full name where the file's name cannot hold it
	renamedFrom     string         // $renamedFrom
	line, column    int            // of $overlay or $absent
	body            map[string]any // the whole spec, or a merge patch in which nil deletes
}

// Encode returns the file of an object: its path kind/name below the folder of
// an environment, and its content. Equal specs give equal bytes, as specs are
// normalised first. It refuses what no file can hold, saying why.
func Encode(k resource.KindInfo, r resource.Resource) (path string, content []byte, err error) {
	if path, err = relPath(k, r.Key.Name); err != nil {
		return "", nil, fmt.Errorf("encode %s: %w", r.Key, err)
	}
	switch {
	case r.Spec == nil:
		err = errors.New("there is no object")
	case k.Raw:
		content, err = rawContent(k, r.Spec)
	default:
		d := document{body: k.Schema().Normalize(r.Spec)}
		if _, long := longName(strings.TrimSuffix(path, ext)); long {
			d.name = r.Key.Name
		}
		content, err = encodeDocument(k, d)
	}
	if err != nil {
		return "", nil, fmt.Errorf("encode %s: %w", r.Key, err)
	}
	return path, content, nil
}

// rawContent returns the bytes of a raw spec.
func rawContent(k resource.KindInfo, s resource.Spec) ([]byte, error) {
	c, ok := s[resource.Content].(string)
	if !ok || len(s) != 1 {
		return nil, fmt.Errorf("an object of a raw kind has the one field %s, a text", resource.Content)
	}
	if err := checkSize(k, len(c)); err != nil {
		return nil, err
	}
	return []byte(c), nil
}

const defaultMaxSize = 1 << 20

func maxSize(k resource.KindInfo) int64 {
	if k.MaxSize > 0 {
		return k.MaxSize
	}
	return defaultMaxSize
}

func checkSize(k resource.KindInfo, n int) error {
	if int64(n) > maxSize(k) {
		return fmt.Errorf("%d bytes are over the limit of %d for files of kind %s", n, maxSize(k), k.Kind)
	}
	return nil
}

// encodeDocument writes canonical YAML.
func encodeDocument(k resource.KindInfo, d document) ([]byte, error) {
	e := encoder{}
	e.directive(dirAbsent, d.absent)
	e.text(dirName, d.name)
	e.directive(dirOverlay, d.overlay)
	e.text(dirRenamedFrom, d.renamedFrom)
	if len(d.body) > 0 {
		e.mapping(d.body, 0, false)
	} else if len(e.b) == 0 {
		e.b = append(e.b, "{}\n"...)
	}
	if e.err != nil {
		return nil, e.err
	}
	return e.b, checkSize(k, len(e.b))
}

type encoder struct {
	b     []byte
	field string // the key written last, to name in errors
	err   error
}

func (e *encoder) fail(format string, args ...any) {
	if e.err == nil {
		e.err = fmt.Errorf(format, args...)
	}
}

func (e *encoder) directive(name string, on bool) {
	if on {
		e.b = append(append(e.b, name...), ": true\n"...)
	}
}

func (e *encoder) text(name, value string) {
	if value != "" {
		e.b = append(append(e.b, name...), ": "...)
		e.scalar(value, false)
		e.b = append(e.b, '\n')
	}
}

// mapping writes the entries of m at indent columns. With inline, the first
// entry goes on the line that is begun already, after "- ".
func (e *encoder) mapping(m map[string]any, indent int, inline bool) {
	if indent/2 >= resource.MaxDepth {
		e.fail("nested deeper than %d levels", resource.MaxDepth)
		return
	}
	for _, k := range slices.Sorted(maps.Keys(m)) {
		if !inline {
			e.spaces(indent)
		}
		inline = false
		e.key(k, indent)
		e.value(m[k], indent)
	}
}

// longKey is the length above which a key is written in YAML's explicit form,
// because a parser looks no further than 1024 characters for the colon.
const longKey = 500

func (e *encoder) key(k string, indent int) {
	if strings.HasPrefix(k, "$") {
		k = "$" + k
	}
	start := len(e.b)
	e.field = k
	e.scalar(k, false)
	if len(e.b)-start > longKey {
		e.b = slices.Insert(e.b, start, '?', ' ')
		e.b = append(e.b, '\n')
		e.spaces(indent)
	}
	e.b = append(e.b, ':')
}

// value writes what stands after "key:" of a mapping at indent, with the end of the line.
func (e *encoder) value(v any, indent int) {
	switch v := v.(type) {
	case map[string]any:
		if len(v) > 0 {
			e.b = append(e.b, '\n')
			e.mapping(v, indent+2, false)
			return
		}
	case []any:
		if len(v) > 0 {
			e.b = append(e.b, '\n')
			e.list(v, indent+2, false)
			return
		}
	}
	e.b = append(e.b, ' ')
	e.leaf(v, indent)
}

func (e *encoder) list(l []any, indent int, inline bool) {
	if indent/2 >= resource.MaxDepth {
		e.fail("nested deeper than %d levels", resource.MaxDepth)
		return
	}
	for _, v := range l {
		if !inline {
			e.spaces(indent)
		}
		inline = false
		e.b = append(e.b, "- "...)
		switch v := v.(type) {
		case map[string]any:
			if len(v) > 0 {
				e.mapping(v, indent+2, true)
				continue
			}
		case []any:
			if len(v) > 0 {
				e.list(v, indent+2, true)
				continue
			}
		}
		e.leaf(v, indent)
	}
}

// leaf writes a value without entries and ends the line. indent is the column of the parent.
func (e *encoder) leaf(v any, indent int) {
	switch v := v.(type) {
	case nil:
		e.b = append(e.b, "null"...)
	case bool:
		e.b = fmt.Appendf(e.b, "%t", v)
	case json.Number:
		e.b = append(e.b, v...)
	case string:
		if blockable(v) {
			e.block(v, indent)
			return
		}
		e.scalar(v, false)
	case resource.Ref:
		if v.Kind == "" || v.Name == "" || strings.Contains(string(v.Kind), "/") {
			e.fail("a reference to %.60q, which is not kind/name", v.String())
		}
		e.flow(dirRef, v.String())
	case resource.Secret:
		if v.Name == "" {
			e.fail("a secret without a name")
		}
		e.flow(dirSecret, v.Name)
	case map[string]any:
		e.b = append(e.b, "{}"...)
	case []any:
		e.b = append(e.b, "[]"...)
	default:
		e.fail("a value of type %T, which no canonical spec holds", v)
	}
	e.b = append(e.b, '\n')
}

func (e *encoder) flow(directive, value string) {
	e.b = append(append(append(e.b, '{'), directive...), ": "...)
	e.scalar(value, true)
	e.b = append(e.b, '}')
}

func (e *encoder) spaces(n int) {
	for range n {
		e.b = append(e.b, ' ')
	}
}
