package files

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A megabyte of each is read or refused, without a message that carries the content on.
func TestHostileInput(t *testing.T) {
	t.Parallel()
	const size = 1 << 20
	rep := func(s string) string { return strings.Repeat(s, size/len(s)) }
	for name, in := range map[string]string{
		"brackets": rep("["), "braces": rep("{"), "dashes": rep("- "), "questions": rep("? "), "colons": rep("a: "), "flow keys": "a: {" + rep("a: 1, ") + "}",
		"anchors": "a: [" + rep("&a 1, ") + "]", "tags": "a: [" + rep("!a 1, ") + "]", "documents": rep("---\n"), "directives": rep("%A b\n") + "---\na: 1",
		"comments": "a:\n" + rep("  # a\n") + "  - 1\n", "late error": "a:\n" + rep("  - 1\n") + " b: [", "digits": "a: " + rep("9"), "octal": "a: 0" + rep("7"), "underscores": "a: " + rep("0_"),
		"key": rep("k") + ": 1", "directive": "$" + rep("k") + ": 1", "number key": rep("7") + ": 1", "ref": "a: {$ref: " + rep("x") + "}", "tag": "a: !" + rep("x") + " 1",
		"alias": "a: *" + rep("x"), "control": rep("\x01"), "bomb": "a: &a [x]\nb: &b [*a,*a]\n" + rep("c: [*b,*b]\n"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, f := decodeDocument([]byte(in))
			if f == nil {
				require.Contains(t, []string{"comments", "anchors"}, name)
				return
			}
			require.Less(t, len(f.Error()), 300)
		})
	}
}
