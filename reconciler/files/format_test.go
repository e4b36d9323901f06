package files

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestFormat(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"tags: [b, a, b]\nenabled: true\nsize: 1.50 # why\n": "size: 1.5\ntags:\n  - a\n  - b\n",
		"enabled: true\n$overlay: true\nsize: ~\n":           "$overlay: true\nenabled: true\nsize: null\n",
		"'$absent': true":       "$absent: true\n",
		"{}":                    "{}\n",
		"$renamedFrom: \"1\"\n": "$renamedFrom: \"1\"\n",
	} {
		got, err := Format(testKinds[1], []byte(in))
		require.NoError(t, err)
		require.Equal(t, want, string(got))
		again, err := Format(testKinds[1], got)
		require.NoError(t, err)
		require.Equal(t, got, again)
	}
	_, err := Format(testKinds[1], []byte("a: 1\na: 2\n"))
	require.EqualError(t, err, `2:1: the field "a" is there twice`)
	got, err := Format(testKinds[3], []byte("a:   1"))
	require.NoError(t, err)
	require.Equal(t, "a:   1", string(got))
}
