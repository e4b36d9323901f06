package files

import (
	"maps"
	"slices"

	"go.yaml.in/yaml/v3"
)

// A sidecar maps names of raw objects to what their content cannot say:
//
//	rules/old.yml: {$absent: true}        the shared object is not in this environment
//	rules/new.yml: {$renamedFrom: a.yml}  a hint, as in typed files
//	tls/key.pem: {$secret: TLS_KEY}       the content is a secret; there is no file
type marks map[string]mark

// A mark is what a sidecar says of one name.
type mark struct {
	absent              bool
	renamedFrom, secret string
	fault               *fault // of this entry alone
	line, column        int
}

func decodeMarks(data []byte) (marks, *fault) {
	root, f := parseYAML(data)
	if f != nil {
		return nil, f
	}
	if root.Kind != yaml.MappingNode {
		return nil, faultAt(root.Line, root.Column, "want a map from names to directives")
	}
	out := marks{}
	for i := 0; i+1 < len(root.Content); i += 2 {
		k, v := root.Content[i], root.Content[i+1]
		name, f := fieldName(k)
		if f != nil {
			return nil, f
		}
		if _, twice := out[name]; twice {
			return nil, faultAt(k.Line, k.Column, "the name %.60q is there twice", name)
		}
		out[name] = decodeMark(k, v)
	}
	return out, nil
}

func decodeMark(k, v *yaml.Node) mark {
	m := mark{line: k.Line, column: k.Column}
	if v.Kind != yaml.MappingNode {
		m.fault = faultAt(v.Line, v.Column, "want directives, such as {%s: true}", dirAbsent)
		return m
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(v.Content) && m.fault == nil; i += 2 {
		k, v := v.Content[i], v.Content[i+1]
		switch {
		case seen[k.Value]:
			m.fault = faultAt(k.Line, k.Column, "%.60q is there twice", k.Value)
		case k.Value == dirAbsent:
			if m.absent = v.Kind == yaml.ScalarNode && v.Style == 0 && v.Value == "true"; !m.absent {
				m.fault = faultAt(v.Line, v.Column, "%s can only be true", dirAbsent)
			}
		case k.Value == dirRenamedFrom:
			m.renamedFrom, m.fault = nameText(k.Value, v)
		case k.Value == dirSecret:
			m.secret, m.fault = nameText(k.Value, v)
		default:
			m.fault = faultAt(k.Line, k.Column, "unknown directive %.60q; there are %s, %s and %s", k.Value, dirAbsent, dirRenamedFrom, dirSecret)
		}
		seen[k.Value] = true
	}
	if m.fault == nil && m.absent && m.secret != "" {
		m.fault = faultAt(m.line, m.column, "%s and %s exclude each other", dirAbsent, dirSecret)
	}
	return m
}

// encodeMarks writes a sidecar in canonical form; nil when there is nothing to say.
func encodeMarks(ms marks) ([]byte, error) {
	if len(ms) == 0 {
		return nil, nil
	}
	e := encoder{}
	for _, name := range slices.Sorted(maps.Keys(ms)) {
		m := ms[name]
		e.key(name, 0)
		e.b = append(e.b, '\n')
		for _, d := range []struct {
			name, value string
		}{{dirRenamedFrom, m.renamedFrom}, {dirSecret, m.secret}} {
			if m.absent && d.name == dirRenamedFrom {
				e.b = append(e.b, "  "...)
				e.directive(dirAbsent, true)
			}
			if d.value != "" {
				e.b = append(e.b, "  "...)
				e.text(d.name, d.value)
			}
		}
	}
	return e.b, e.err
}
