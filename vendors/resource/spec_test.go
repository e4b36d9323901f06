package resource

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCanonicalNumber(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"0": "0", "-0": "0", "-0.0": "0", "0e9": "0", "1": "1", "-17": "-17", "1.50": "1.5", "1e2": "100", "1E+2": "100", "12e-1": "1.2",
		"1.0": "1", "100e-2": "1", "0.000001": "0.000001", "1e-7": "0.0000001", "9007199254740993": "9007199254740993",
		"0.1000000000000000055511151231257827": "0.1000000000000000055511151231257827", "123456789012345678901234567890": "123456789012345678901234567890",
	} {
		got, err := CanonicalNumber(in)
		require.NoError(t, err, in)
		require.Equal(t, want, string(got), in)
	}
	for _, in := range []string{"", "+1", "01", "1.", ".5", "0x1", "1_0", "1 ", " 1", "NaN", "Inf", "-", "1e", "1/2", "1e401", "1e-401", "1e99999999999999999999", "true",
		strings.Repeat("9", 1001), strings.Repeat("9", 999) + "e300", strings.Repeat("9", 999) + "e-400", "1\n"} {
		_, err := CanonicalNumber(in)
		require.Error(t, err, in)
	}
}

var canonicalNumber = regexp.MustCompile(`^(0|-?[1-9][0-9]*|-?(0|[1-9][0-9]*)\.[0-9]*[1-9])$`)

// The canonical form has one shape, exactly the value that was written, and is its own canonical form.
func FuzzCanonicalNumber(f *testing.F) {
	for _, s := range []string{"0", "-0", "1e2", "1.50", "-12.340e-3", "1E400", "100000000000000000000.1", strings.Repeat("9", 990) + "e10"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		n, err := CanonicalNumber(s)
		if err != nil {
			return
		}
		require.True(t, json.Valid([]byte(s)))
		require.Regexp(t, canonicalNumber, string(n))
		a, ok := new(big.Rat).SetString(s)
		require.True(t, ok)
		b, ok := new(big.Rat).SetString(string(n))
		require.True(t, ok)
		require.Zero(t, a.Cmp(b), "%s became %s", s, n)
		again, err := CanonicalNumber(string(n))
		require.NoError(t, err)
		require.Equal(t, n, again)
	})
}

func TestCanonical(t *testing.T) {
	t.Parallel()
	inner := map[string]any{"x": nil, "n": json.Number("1.0")}
	got, err := CanonicalSpec(map[string]any{"m": inner, "i": 1, "j": int64(-2), "u": uint64(3), "l": []any{true, "s", Spec{"a": 1}}, "r": Ref{Key{"skill", "a"}}, "s": Secret{"x"}, "nil": nil})
	require.NoError(t, err)
	require.Equal(t, Spec{"m": map[string]any{"n": json.Number("1")}, "i": json.Number("1"), "j": json.Number("-2"), "u": json.Number("3"),
		"l": []any{true, "s", map[string]any{"a": json.Number("1")}}, "r": Ref{Key{"skill", "a"}}, "s": Secret{"x"}}, got)
	inner["n"] = "changed"
	require.Equal(t, json.Number("1"), got["m"].(map[string]any)["n"], "nothing is shared")

	for _, c := range []struct {
		in   map[string]any
		want string
	}{
		{map[string]any{"a": map[string]any{"b": 1.5}}, "a.b: a value of type float64 has no canonical form"},
		{map[string]any{"a": []any{nil}}, "a[0]: a value of type <nil> has no canonical form"},
		{map[string]any{"a": map[any]any{}}, "a: a value of type map[interface {}]interface {} has no canonical form"},
		{map[string]any{"a": json.Number("x")}, `a: "x" is not a number`},
	} {
		_, err := CanonicalSpec(c.in)
		require.EqualError(t, err, c.want)
	}
	deep := any("x")
	for range MaxDepth {
		deep = []any{deep}
	}
	_, err = Canonical(deep)
	require.NoError(t, err)
	_, err = Canonical([]any{deep})
	require.ErrorContains(t, err, "nested deeper than 100 levels")
}

func TestCloneSharesNothing(t *testing.T) {
	t.Parallel()
	s := Spec{"m": map[string]any{"l": []any{"a", map[string]any{"b": true}}}}
	c := s.Clone()
	require.True(t, Equal(s, c))
	c["m"].(map[string]any)["l"].([]any)[1].(map[string]any)["b"] = false
	require.Equal(t, Spec{"m": map[string]any{"l": []any{"a", map[string]any{"b": true}}}}, s)
	require.Nil(t, Spec(nil).Clone())
	l := []any{"a"}
	CloneValue(l).([]any)[0] = "b"
	require.Equal(t, []any{"a"}, l)
}

func TestEqual(t *testing.T) {
	t.Parallel()
	m := map[string]any{"a": []any{json.Number("1")}}
	require.True(t, Equal(Spec(m), m))
	require.True(t, Equal(m, Spec(m)))
	require.False(t, Equal(Spec(m), Spec{}))
	require.False(t, Equal(m, Spec{"b": m["a"]}))
	require.False(t, Equal(m, "a"))
	require.False(t, Equal("a", m))
	require.False(t, Equal("a", []any{"a"}))
	require.False(t, Equal([]any{"a"}, "a"))
	require.False(t, Equal("1", json.Number("1")))
	require.False(t, Equal(Secret{"a"}, Ref{Key{"a", ""}}))
	require.False(t, Equal(Spec(nil), Spec{}), "absent is not empty")
	require.True(t, Equal(Spec(nil), Spec(nil)))
	require.True(t, Equal(nil, nil))
}

// slowHash writes a value out in full with types and lengths, which is injective, and hashes that.
func slowHash(v any) Hash { return sha256.Sum256([]byte(written(v))) }

func written(v any) string {
	switch v := v.(type) {
	case Spec:
		return written(map[string]any(v))
	case map[string]any:
		out := fmt.Sprintf("map %d", len(v))
		for _, k := range slices.Sorted(maps.Keys(v)) {
			out += written(k) + written(v[k])
		}
		return out
	case []any:
		out := fmt.Sprintf("list %d", len(v))
		for _, x := range v {
			out += written(x)
		}
		return out
	case Ref:
		return "ref" + written(string(v.Kind)) + written(v.Name)
	case Secret:
		return "secret" + written(v.Name)
	case string:
		return fmt.Sprintf("string %d:%s", len(v), v)
	case json.Number:
		return fmt.Sprintf("number %d:%s", len(v), string(v))
	}
	return fmt.Sprintf("%T %v", v, v)
}

func checkPair(t *testing.T, a, b Spec) {
	t.Helper()
	equal := slowHash(a) == slowHash(b)
	require.Equal(t, equal, Equal(a, b), "%#v\n%#v", a, b)
	require.Equal(t, equal, a.Hash() == b.Hash(), "%#v\n%#v", a, b)
	require.Equal(t, equal, Text(a) == Text(b), "%s\n%s", Text(a), Text(b))
}

func TestHashIsEqualIffEqual(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	same := 0
	for range 20000 {
		a, b := randomSpec(r, 2), randomSpec(r, 2)
		if Equal(a, b) {
			same++
		}
		checkPair(t, a, b)
		checkPair(t, a, a.Clone())
	}
	require.Positive(t, same)
	require.True(t, Spec(nil).Hash().IsZero())
	require.False(t, Spec{}.Hash().IsZero())
	big := Spec{"a": strings.Repeat("x", 10000), "b": []any{strings.Repeat("y", 5000), "z"}}
	require.Equal(t, big.Hash(), big.Clone().Hash())
	require.NotEqual(t, big.Hash(), Spec{"a": strings.Repeat("x", 10000), "b": []any{strings.Repeat("y", 5000), "w"}}.Hash())
	require.Panics(t, func() { Spec{"a": 1.5}.Hash() })
	require.Equal(t, big.Hash(), big.Clone().Hash(), "a panic leaves nothing behind")
}

func FuzzHash(f *testing.F) {
	f.Add(uint64(1), uint64(2))
	f.Fuzz(func(t *testing.T, x, y uint64) {
		checkPair(t, randomSpec(rand.New(rand.NewPCG(x, 0)), 3), randomSpec(rand.New(rand.NewPCG(y, 0)), 3))
	})
}

func TestTextIsInjective(t *testing.T) {
	t.Parallel()
	for _, pair := range [][2]any{
		{"\xff", "\xfe"}, {"\xff", "\ufffd"}, {map[string]any{"\xff": true}, map[string]any{"\xfe": true}},
		{Ref{Key{"skill", "a"}}, map[string]any{"$ref": "skill/a"}}, {Secret{"a"}, map[string]any{"$secret": "a"}},
		{Ref{Key{"a/b", "c"}}, Ref{Key{"a", "b/c"}}}, {"1", json.Number("1")}, {"\xff", map[string]any{"$bytes": "ff"}},
		{map[string]any{"\xff": true}, map[string]any{"$bytes:ff": true}},
	} {
		require.NotEqual(t, Text(pair[0]), Text(pair[1]))
	}
	require.Panics(t, func() { Text(func() {}) })
}

func TestRefsAndRaw(t *testing.T) {
	t.Parallel()
	var got []string
	Spec{"a": Ref{Key{"skill", "x"}}, "l": []any{Ref{Key{"skill", "y"}}, map[string]any{"z": Ref{Key{"user", "z"}}}}, "s": "no"}.Refs(func(r Ref) { got = append(got, r.String()) })
	require.ElementsMatch(t, []string{"skill/x", "skill/y", "user/z"}, got)

	s := RawSpec([]byte("text\n"))
	text, ok := s.Text()
	require.True(t, ok)
	require.Equal(t, "text\n", text)
	for _, bad := range []Spec{RawSpec([]byte{0xff}), RawSpec([]byte{'a', 0}), {}} {
		_, ok = bad.Text()
		require.False(t, ok)
	}
}

func TestHashText(t *testing.T) {
	t.Parallel()
	h := Spec{"a": true}.Hash()
	b, err := json.Marshal(map[string]Hash{"h": h, "none": {}})
	require.NoError(t, err)
	var back map[string]Hash
	require.NoError(t, json.Unmarshal(b, &back))
	require.Equal(t, map[string]Hash{"h": h, "none": {}}, back)
	require.Len(t, h.String(), 64)
	require.EqualError(t, new(Hash).UnmarshalText([]byte("abc")), "hash of 3 digits, want 64")
	require.Error(t, new(Hash).UnmarshalText([]byte(strings.Repeat("x", 64))))
}

func TestKeys(t *testing.T) {
	t.Parallel()
	k, err := ParseKey("file/rules/a.yml")
	require.NoError(t, err)
	require.Equal(t, Key{"file", "rules/a.yml"}, k)
	for _, bad := range []string{"", "a", "/a", "a/"} {
		_, err := ParseKey(bad)
		require.Error(t, err, bad)
	}
	b, err := json.Marshal(map[Key]int{k: 1})
	require.NoError(t, err)
	var back map[Key]int
	require.NoError(t, json.Unmarshal(b, &back))
	require.Equal(t, map[Key]int{k: 1}, back)
	require.Error(t, json.Unmarshal([]byte(`{"x":1}`), &back))
	require.True(t, Key{}.IsZero())
	require.False(t, k.IsZero())
	require.Negative(t, Key{"a", "z"}.Compare(Key{"b", "a"}))
	require.Positive(t, Key{"a", "z"}.Compare(Key{"a", "a"}))
	require.Zero(t, k.Compare(k))
}

func TestChange(t *testing.T) {
	t.Parallel()
	a, b := &Resource{Key: Key{"q", "a"}}, &Resource{Key: Key{"q", "b"}}
	for _, c := range []struct {
		Change
		key    Key
		action Action
	}{
		{Change{nil, a}, a.Key, Create}, {Change{a, nil}, a.Key, Delete}, {Change{a, b}, a.Key, Rename}, {Change{a, a}, a.Key, Update},
	} {
		require.Equal(t, c.key, c.Change.Key())
		require.Equal(t, c.action, c.Change.Action())
	}
}
