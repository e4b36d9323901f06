package resource

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// A Spec is an object's configuration in canonical form. Its values are
// bool, string, json.Number, []any, map[string]any, Ref and Secret, nested at
// will; there is no nil, no float64 and no int. Numbers are exact decimals in
// the form that CanonicalNumber gives. What the platform computes is left out.
//
// The spec of a raw kind (KindInfo.Raw) has the one field Content, a string of
// arbitrary bytes.
type Spec map[string]any

// Content is the only field in the spec of a raw kind.
const Content = "content"

// A Ref is a reference by key to another object. A Ref whose name is Unresolved
// stands for an id that leads nowhere: it is observed, never deployed.
type Ref struct{ Key }

// Unresolved is the name in a reference to something that is not there.
const Unresolved = "?"

// A Secret names a value that only the operator's configuration knows. It is
// resolved at the moment of writing and never stored.
type Secret struct{ Name string }

// MaxDepth is how deep specs may nest. Deeper input is refused.
const MaxDepth = 100

// Canonical returns v in canonical form, sharing nothing with it: Go numbers
// become json.Number, map[any]any is refused, nil is dropped from maps and
// refused in lists. It is the door through which decoded input enters.
func Canonical(v any) (any, error) { return canonical(v, "", 0) }

// CanonicalSpec is Canonical for a whole object.
func CanonicalSpec(m map[string]any) (Spec, error) {
	v, err := canonical(m, "", 0)
	if err != nil {
		return nil, err
	}
	return Spec(v.(map[string]any)), nil
}

func canonical(v any, at string, depth int) (any, error) {
	if depth > MaxDepth {
		return nil, fmt.Errorf("%s: nested deeper than %d levels", strings.TrimPrefix(at, "."), MaxDepth)
	}
	switch v := v.(type) {
	case bool, string, Ref, Secret:
		return v, nil
	case json.Number:
		n, err := CanonicalNumber(string(v))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", strings.TrimPrefix(at, "."), err)
		}
		return n, nil
	case int:
		return json.Number(strconv.Itoa(v)), nil
	case int64:
		return json.Number(strconv.FormatInt(v, 10)), nil
	case uint64:
		return json.Number(strconv.FormatUint(v, 10)), nil
	case Spec:
		return canonical(map[string]any(v), at, depth)
	case map[string]any:
		out := make(map[string]any, len(v))
		for _, k := range slices.Sorted(maps.Keys(v)) {
			if v[k] == nil {
				continue
			}
			c, err := canonical(v[k], at+"."+k, depth+1)
			if err != nil {
				return nil, err
			}
			out[k] = c
		}
		return out, nil
	case []any:
		out := make([]any, len(v))
		for i := range v {
			c, err := canonical(v[i], fmt.Sprintf("%s[%d]", at, i), depth+1)
			if err != nil {
				return nil, err
			}
			out[i] = c
		}
		return out, nil
	}
	return nil, fmt.Errorf("%s: a value of type %T has no canonical form", strings.TrimPrefix(at, "."), v)
}

// maxExponent bounds decimal exponents, so that 1e999999999 cannot fill memory.
const maxExponent = 400

// maxDigits bounds the spelling of a number, before and after.
const maxDigits = 1000

// CanonicalNumber returns the one spelling of a JSON number: plain digits
// without a leading zero, a trailing zero after the point, an exponent or a
// negative zero. 1e2 is 100, 1.50 is 1.5, -0 is 0. The value is kept exactly.
func CanonicalNumber(s string) (json.Number, error) {
	if !isJSONNumber(s) {
		return "", fmt.Errorf("%q is not a number", s)
	}
	if len(s) > maxDigits {
		return "", fmt.Errorf("a number of %d digits is too long", len(s))
	}
	if isPlainInteger(s) {
		return json.Number(s), nil
	}
	if _, exp, ok := strings.Cut(strings.ToLower(s), "e"); ok {
		if e, err := strconv.Atoi(exp); err != nil || e > maxExponent || e < -maxExponent {
			return "", fmt.Errorf("the exponent of %s is beyond ±%d", s, maxExponent)
		}
	}
	r, ok := new(big.Rat).SetString(s)
	if !ok {
		return "", fmt.Errorf("%q is not a number", s)
	}
	// A decimal fraction has a denominator of twos and fives only, so that this many digits are exact.
	prec, exact := r.FloatPrec()
	if !exact {
		return "", fmt.Errorf("%q is not a decimal number", s)
	}
	out := r.FloatString(prec)
	if out == "-0" {
		out = "0"
	}
	if len(out) > maxDigits { // else the canonical form would not be canonical
		return "", fmt.Errorf("a number of %d digits is too long", len(out))
	}
	return json.Number(out), nil
}

func isPlainInteger(s string) bool {
	d := strings.TrimPrefix(s, "-")
	if d == "" || s == "-0" || len(d) > 1 && d[0] == '0' {
		return false
	}
	return strings.Trim(d, "0123456789") == ""
}

func isJSONNumber(s string) bool {
	if s == "" || s[0] != '-' && (s[0] < '0' || s[0] > '9') {
		return false
	}
	return json.Valid([]byte(s))
}

// Clone returns a deep copy.
func (s Spec) Clone() Spec {
	if s == nil {
		return nil
	}
	return Spec(cloneValue(map[string]any(s)).(map[string]any))
}

// CloneValue returns a deep copy of a canonical value.
func CloneValue(v any) any { return cloneValue(v) }

func cloneValue(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, x := range v {
			out[k] = cloneValue(x)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, x := range v {
			out[i] = cloneValue(x)
		}
		return out
	}
	return v
}

// Equal reports whether two canonical values are the same. Lists are compared
// in order: what is a set has been sorted by its descriptor before. A nil Spec
// is an absent object and equals only another one.
func Equal(a, b any) bool {
	switch x := a.(type) {
	case Spec:
		if y, ok := b.(Spec); ok && (x == nil) != (y == nil) {
			return false
		}
		return Equal(map[string]any(x), b)
	case map[string]any:
		y, ok := b.(map[string]any)
		if s, isSpec := b.(Spec); isSpec {
			y, ok = s, true
		}
		if !ok || len(x) != len(y) {
			return false
		}
		for k, v := range x {
			w, ok := y[k]
			if !ok || !Equal(v, w) {
				return false
			}
		}
		return true
	case []any:
		y, ok := b.([]any)
		return ok && slices.EqualFunc(x, y, Equal)
	}
	switch b.(type) {
	case Spec, map[string]any, []any:
		return false // not comparable with ==
	}
	return a == b
}

// Refs calls yield for every reference inside the spec, in no order.
func (s Spec) Refs(yield func(Ref)) { refs(map[string]any(s), yield) }

func refs(v any, yield func(Ref)) {
	switch v := v.(type) {
	case Ref:
		yield(v)
	case map[string]any:
		for _, x := range v {
			refs(x, yield)
		}
	case []any:
		for _, x := range v {
			refs(x, yield)
		}
	}
}

// RawSpec is the spec of an object of a raw kind.
func RawSpec(content []byte) Spec { return Spec{Content: string(content)} }

// Text returns the content of a raw spec, and whether it is valid UTF-8 without
// NUL, so that it can be shown and merged line by line.
func (s Spec) Text() (string, bool) {
	c, ok := s[Content].(string)
	return c, ok && utf8.ValidString(c) && !strings.ContainsRune(c, 0)
}
