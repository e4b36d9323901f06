package diff

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/driftback/driftback/vendors/resource"
)

func TestValueJSON(t *testing.T) {
	t.Parallel()
	for want, v := range map[string]any{
		`null`:                        nil,
		`"<&>"`:                       "<&>",
		`1.5`:                         json.Number("1.5"),
		`{"$ref":"user/Ann"}`:         user("Ann"),
		`{"$secret":"K"}`:             resource.Secret{Name: "K"},
		`{"$bytes":"/w=="}`:           "\xff",
		`{"$map":{"$ref":"x"}}`:       map[string]any{"$ref": "x"},
		`{"$map":{"$map":{}}}`:        map[string]any{"$map": map[string]any{}},
		`{"$map":{"$x":true}}`:        map[string]any{"$x": true},
		`{"$ref":"x","b":[]}`:         map[string]any{"$ref": "x", "b": []any{}},
		`[{"a":{"$ref":"user/a/b"}}]`: []any{map[string]any{"a": user("a/b")}},
	} {
		b, err := MarshalValue(v)
		require.NoError(t, err)
		require.Equal(t, want, string(b))
		got, err := UnmarshalValue(b)
		require.NoError(t, err)
		require.Equal(t, v, got)
	}
	b, err := MarshalValue(resource.Spec{"a": "b"})
	require.NoError(t, err)
	require.Equal(t, `{"a":"b"}`, string(b))
}

func TestValueJSONErrors(t *testing.T) {
	t.Parallel()
	for want, v := range map[string]any{
		"not canonical":     map[string]any{"a": []any{1.5}},
		"not valid UTF-8":   map[string]any{"\xff": "a"},
		"cannot be written": user(""),
	} {
		_, err := MarshalValue(v)
		require.ErrorContains(t, err, want)
		_, err = json.Marshal(Field{Path: Path{Name("x")}, Before: v})
		require.ErrorContains(t, err, "field x: ")
	}
	for text, want := range map[string]string{
		`{`:                  "unexpected EOF",
		`1 2`:                "more than one value",
		`[null]`:             "null in a list",
		`{"$ref":"Ann"}`:     "want kind/name",
		`{"$ref":1}`:         "$ref is not followed",
		`{"$other":"x"}`:     "$other is not followed",
		`{"$bytes":"?"}`:     "illegal base64",
		`{"a":[{"$map":1}]}`: "$map is not followed",
		`1e999`:              "exponent",
	} {
		_, err := UnmarshalValue([]byte(text))
		require.ErrorContains(t, err, want, text)
		require.Error(t, json.Unmarshal([]byte(`{"path":"a","after":`+text+`}`), new(Field)))
	}
	require.Error(t, json.Unmarshal([]byte(`{"path":"["}`), new(Field)))
	got, err := UnmarshalValue([]byte(`{"a":null,"b":1.0}`))
	require.NoError(t, err)
	require.Equal(t, map[string]any{"b": json.Number("1")}, got)
}

func FuzzValueJSON(f *testing.F) {
	f.Add([]byte("some bytes of a spec"))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, in []byte) {
		v := (&tape{in}).value(0)
		b, err := MarshalValue(v)
		require.NoError(t, err)
		got, err := UnmarshalValue(b)
		require.NoError(t, err)
		require.Equal(t, v, got)
	})
}
