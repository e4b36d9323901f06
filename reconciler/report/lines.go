package report

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/aymanbagabas/go-udiff"

	"github.com/driftback/driftback/reconciler/diff"
	"github.com/driftback/driftback/vendors/resource"
)

// A line of a difference: what is there on one side only, or beside it.
type line struct {
	mark byte // '+', '-', ' ' for context, '@' for a place in a text
	text string
}

// Limits of what is shown of one object.
const (
	maxLines = 200     // of a difference
	maxLine  = 400     // bytes of a line
	maxText  = 2 << 20 // bytes of both sides of a text; above, only sizes are told
	maxInRow = 100     // bytes of a value that stays on one line
)

// difference returns the lines that show how the object differs, at most maxLines and
// one that says how many were left out.
func (o Object) difference() []line {
	if o.Withheld != "" {
		return []line{{'@', clip(visible("withheld: "+o.Withheld, true), maxLine)}}
	}
	before, after := o.sides()
	var out []line
	if isRaw(before) && isRaw(after) {
		out = content(before, after)
	} else {
		for _, f := range diff.Fields(o.Schema, before, after) {
			out = append(out, fieldLines(f)...)
		}
	}
	if len(out) > maxLines {
		out = append(out[:maxLines:maxLines], line{'@', fmt.Sprintf("… %d more lines", len(out)-maxLines)})
	}
	for i := range out {
		out[i].text = clip(visible(out[i].text, true), maxLine)
	}
	return out
}

// isRaw reports whether a spec is that of a raw kind, or absent.
func isRaw(s resource.Spec) bool {
	if len(s) == 0 {
		return true
	}
	_, is := s[resource.Content].(string)
	return is && len(s) == 1
}

func content(before, after resource.Spec) []line {
	a, isTextA := before.Text()
	b, isTextB := after.Text()
	if len(before) == 0 {
		a, isTextA = "", true
	}
	if len(after) == 0 {
		b, isTextB = "", true
	}
	if !isTextA || !isTextB {
		return []line{{'@', fmt.Sprintf("binary, %d bytes → %d bytes", len(a), len(b))}}
	}
	return textLines(a, b)
}

// textLines is the unified difference of two texts.
func textLines(a, b string) []line {
	if len(a)+len(b) > maxText {
		return []line{{'@', fmt.Sprintf("text, %d bytes → %d bytes, too large to show", len(a), len(b))}}
	}
	u, err := udiff.ToUnifiedDiff("", "", a, udiff.Lines(a, b), udiff.DefaultContextLines)
	if err != nil {
		return []line{{'@', fmt.Sprintf("text, %d bytes → %d bytes", len(a), len(b))}}
	}
	var out []line
	for _, h := range u.Hunks {
		out = append(out, line{'@', fmt.Sprintf("line %d", max(1, h.FromLine))})
		for _, l := range h.Lines {
			mark := map[udiff.OpKind]byte{udiff.Delete: '-', udiff.Insert: '+', udiff.Equal: ' '}[l.Kind]
			text, ended := strings.CutSuffix(l.Content, "\n")
			out = append(out, line{mark, text})
			if !ended {
				out = append(out, line{'@', "no newline at the end"})
			}
		}
	}
	return out
}

func fieldLines(f diff.Field) []line {
	name := f.Path.String()
	if name == "" {
		name = "object"
	}
	b, wasText := f.Before.(string)
	a, isText := f.After.(string)
	if wasText && isText && (strings.Contains(b, "\n") || strings.Contains(a, "\n")) && utf8.ValidString(b) && utf8.ValidString(a) {
		return append([]line{{' ', name + ": |"}}, textLines(b, a)...)
	}
	var out []line
	for _, side := range []struct {
		mark  byte
		value any
	}{{'-', f.Before}, {'+', f.After}} {
		if side.value != nil {
			for _, l := range block(name+":", side.value) {
				out = append(out, line{side.mark, l})
			}
		}
	}
	return out
}

// block shows a value after its name, on one line where it is short, else as an indented block.
func block(name string, v any) []string {
	if one := inline(v); len(one) <= maxInRow || !nested(v) {
		return []string{name + " " + one}
	}
	out := []string{name}
	switch v := v.(type) {
	case string:
		out[0] += " |"
		for l := range strings.SplitSeq(strings.TrimSuffix(v, "\n"), "\n") {
			out = append(out, "  "+l)
		}
	case []any:
		for _, x := range v {
			out = appendIndented(out, block("-", x))
		}
	case map[string]any:
		for _, k := range slices.Sorted(maps.Keys(v)) {
			out = appendIndented(out, block(word(k)+":", v[k]))
		}
	}
	return out
}

func appendIndented(out, lines []string) []string {
	for _, l := range lines {
		out = append(out, "  "+l)
	}
	return out
}

// nested reports whether the value can be shown on several lines.
func nested(v any) bool {
	switch v := v.(type) {
	case string:
		return strings.Contains(v, "\n")
	case []any, map[string]any:
		return true
	}
	return false
}

// inline shows a canonical value on one line, in the words of the files: references as
// {$ref: kind/name}, secrets as {$secret: NAME}, absence as absent.
func inline(v any) string {
	switch v := v.(type) {
	case nil:
		return "absent"
	case resource.Spec:
		if v == nil {
			return "absent"
		}
		return inline(map[string]any(v))
	case resource.Ref:
		return "{$ref: " + word(v.String()) + "}"
	case resource.Secret:
		return "{$secret: " + word(v.Name) + "}"
	case json.Number:
		return v.String()
	case string:
		return word(v)
	case []any:
		parts := make([]string, len(v))
		for i, x := range v {
			parts[i] = inline(x)
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case map[string]any:
		parts := make([]string, 0, len(v))
		for _, k := range slices.Sorted(maps.Keys(v)) {
			parts = append(parts, word(k)+": "+inline(v[k]))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	}
	return fmt.Sprint(v)
}

// word is a string as it stands where it cannot be taken for anything else, else in quotes.
func word(s string) string {
	odd := s == "" || s == "true" || s == "false" || s == "absent" || json.Valid([]byte(s)) ||
		strings.TrimSpace(s) != s || strings.ContainsAny(s, "{}[]\"\\\n\r\t,:|") || !utf8.ValidString(s)
	if !odd {
		return s
	}
	b := strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "\r", `\r`, "\t", `\t`).Replace(s)
	return `"` + b + `"`
}
