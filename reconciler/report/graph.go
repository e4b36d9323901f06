package report

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/driftback/driftback/vendors/resource"
)

const (
	maxNodes = 40 // of a graph: what is larger nobody can read
	maxLabel = 48 // bytes of a node's label
)

// graph draws which objects refer to which, in mermaid: the changed ones in bold frames. It is empty where there is
// no reference, and says so where there are too many to be drawn.
func graph(changed []resource.Key, references [][2]resource.Key) string {
	if len(references) == 0 {
		return ""
	}
	number := map[resource.Key]int{}
	var nodes []resource.Key
	for _, r := range references {
		for _, k := range r {
			if _, known := number[k]; !known {
				number[k] = len(nodes)
				nodes = append(nodes, k)
			}
		}
	}
	if len(nodes) > maxNodes {
		return fmt.Sprintf("%d objects hang together here, which are too many to be drawn.\n\n", len(nodes))
	}
	var b strings.Builder
	b.WriteString("graph LR\n")
	for i, k := range nodes {
		open, shut := `["`, `"]`
		if slices.Contains(changed, k) {
			open, shut = `[["`, `"]]`
		}
		fmt.Fprintf(&b, "  n%d%s%s%s\n", i, open, label(k.String()), shut)
	}
	for _, r := range references {
		fmt.Fprintf(&b, "  n%d --> n%d\n", number[r[0]], number[r[1]])
	}
	return fold("What hangs together", fence("mermaid", b.String()))
}

// label is a name as a label, in which mermaid finds neither its own signs nor HTML.
func label(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune(" /._-", r) {
			return r
		}
		return '·'
	}, clip(visible(s, false), maxLabel))
}
