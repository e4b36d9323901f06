package diff

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"
	"unicode/utf8"

	"github.com/driftback/driftback/vendors/resource"
)

// The marks of what JSON cannot say itself. A map with a single key that
// starts with $ is wrapped in markMap, so that nothing is taken for a mark.
const (
	markRef    = "$ref"
	markSecret = "$secret"
	markBytes  = "$bytes" // a string that is not valid UTF-8, in base64
	markMap    = "$map"
)

// MarshalValue returns a canonical value as JSON from which UnmarshalValue
// restores it exactly. A nil value is null. Names of fields, references and secrets must be valid UTF-8.
func MarshalValue(v any) ([]byte, error) {
	p, err := pack(v)
	if err != nil {
		return nil, err
	}
	return marshal(p)
}

// marshal is json.Marshal that leaves <, > and & as they are.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}

func pack(v any) (any, error) {
	switch v := v.(type) {
	case nil, bool, json.Number:
		return v, nil
	case string:
		if !utf8.ValidString(v) {
			return map[string]any{markBytes: base64.StdEncoding.EncodeToString([]byte(v))}, nil
		}
		return v, nil
	case resource.Ref:
		if k, err := resource.ParseKey(v.String()); err != nil || k != v.Key || !utf8.ValidString(v.String()) {
			return nil, fmt.Errorf("the reference %q cannot be written", v)
		}
		return map[string]any{markRef: v.String()}, nil
	case resource.Secret:
		if !utf8.ValidString(v.Name) {
			return nil, fmt.Errorf("the secret %q cannot be written", v.Name)
		}
		return map[string]any{markSecret: v.Name}, nil
	case resource.Spec:
		return pack(map[string]any(v))
	case []any:
		out := make([]any, len(v))
		for i, x := range v {
			p, err := pack(x)
			if err != nil {
				return nil, err
			}
			out[i] = p
		}
		return out, nil
	case map[string]any:
		return packMap(v)
	}
	return nil, fmt.Errorf("a value of type %T is not canonical", v)
}

func packMap(m map[string]any) (any, error) {
	out := make(map[string]any, len(m))
	for k, x := range m {
		p, err := pack(x)
		if err != nil {
			return nil, err
		}
		if !utf8.ValidString(k) {
			return nil, fmt.Errorf("the name %q is not valid UTF-8", k)
		}
		out[k] = p
	}
	if _, _, marked := mark(m); marked {
		return map[string]any{markMap: out}, nil
	}
	return out, nil
}

// mark returns the only entry of a map, and whether its key starts with $.
func mark(m map[string]any) (string, any, bool) {
	if len(m) == 1 {
		for k, x := range m {
			return k, x, strings.HasPrefix(k, "$")
		}
	}
	return "", nil, false
}

// UnmarshalValue is the inverse of MarshalValue.
func UnmarshalValue(b []byte) (any, error) {
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return nil, err
	}
	if dec.More() {
		return nil, errors.New("more than one value")
	}
	return unpack(v)
}

func unpack(v any) (any, error) {
	switch v := v.(type) {
	case json.Number:
		return resource.CanonicalNumber(string(v))
	case []any:
		for i, x := range v {
			u, err := unpack(x)
			if err != nil {
				return nil, err
			}
			if u == nil {
				return nil, errors.New("null in a list")
			}
			v[i] = u
		}
		return v, nil
	case map[string]any:
		if k, x, marked := mark(v); marked {
			return unpackMark(k, x)
		}
		return unpackMap(v)
	}
	return v, nil
}

func unpackMap(m map[string]any) (any, error) {
	for k, x := range m {
		u, err := unpack(x)
		if err != nil {
			return nil, err
		}
		m[k] = u
	}
	maps.DeleteFunc(m, func(_ string, x any) bool { return x == nil })
	return m, nil
}

func unpackMark(name string, x any) (any, error) {
	if m, ok := x.(map[string]any); ok && name == markMap {
		return unpackMap(m)
	}
	s, ok := x.(string)
	switch {
	case ok && name == markRef:
		k, err := resource.ParseKey(s)
		return resource.Ref{Key: k}, err
	case ok && name == markSecret:
		return resource.Secret{Name: s}, nil
	case ok && name == markBytes:
		b, err := base64.StdEncoding.DecodeString(s)
		return string(b), err
	}
	return nil, fmt.Errorf("%s is not followed by what it marks", name)
}

// fieldJSON is a Field in JSON; absent values are left out.
type fieldJSON struct {
	Path   Path            `json:"path"`
	Op     Op              `json:"op"`
	Before json.RawMessage `json:"before,omitempty"`
	After  json.RawMessage `json:"after,omitempty"`
}

// MarshalJSON writes the path as text and the values as MarshalValue does.
func (f Field) MarshalJSON() ([]byte, error) {
	out := fieldJSON{Path: f.Path, Op: f.Op}
	for to, v := range map[*json.RawMessage]any{&out.Before: f.Before, &out.After: f.After} {
		if v == nil {
			continue
		}
		b, err := MarshalValue(v)
		if err != nil {
			return nil, fmt.Errorf("field %s: %w", f.Path, err)
		}
		*to = b
	}
	return marshal(out)
}

// UnmarshalJSON is the inverse of MarshalJSON.
func (f *Field) UnmarshalJSON(b []byte) error {
	var in fieldJSON
	if err := json.Unmarshal(b, &in); err != nil {
		return err
	}
	out := Field{Path: in.Path, Op: in.Op}
	for to, raw := range map[*any]json.RawMessage{&out.Before: in.Before, &out.After: in.After} {
		if raw == nil {
			continue
		}
		v, err := UnmarshalValue(raw)
		if err != nil {
			return fmt.Errorf("field %s: %w", in.Path, err)
		}
		*to = v
	}
	*f = out
	return nil
}
