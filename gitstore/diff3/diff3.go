// Package diff3 merges texts line by line, three-way, with the verdicts of git merge-file:
// what both sides changed in the same or in touching lines is a conflict unless they agree.
//
// Lines keep their ends: a missing final newline and CRLF come through as they are. Time and
// memory grow with the length of the texts times the square root of it at worst.
package diff3

import (
	"slices"
	"strings"
)

// A Hunk is a piece of a merge. All its texts are whole lines, the last line of a text perhaps without its end. Where a
// conflict is cut into several hunks, the lines of base stand in the first.
type Hunk struct {
	Base, Ours, Theirs []string
	// Conflict says that ours and theirs differ and both differ from base. Else Merged returns the hunk's lines.
	Conflict bool
	plain    bool // neither side changed it, or both have it inside a conflict
}

// Merged returns the lines of a hunk without conflict: the side that differs from base.
func (h Hunk) Merged() []string {
	if slices.Equal(h.Ours, h.Base) {
		return h.Theirs
	}
	return h.Ours
}

// Labels name the sides after the markers of a conflict.
type Labels struct{ Ours, Theirs string }

// Merge returns the merge of two texts that both came from base, and whether there are conflicts. Conflicts stand in
// the text between markers <<<<<<<, ======= and >>>>>>>.
func Merge(base, ours, theirs string) (merged string, conflicts bool) {
	return MergeLabelled(base, ours, theirs, Labels{"ours", "theirs"})
}

// MergeLabelled is Merge with names for the sides.
func MergeLabelled(base, ours, theirs string, l Labels) (merged string, conflicts bool) {
	switch {
	case ours == theirs || theirs == base:
		return ours, false
	case ours == base:
		return theirs, false
	}
	var b strings.Builder
	b.Grow(len(ours) + len(theirs)/8)
	eol := lineEnd(ours, theirs)
	for _, h := range Hunks(base, ours, theirs) {
		if !h.Conflict {
			write(&b, h.Merged(), "")
			continue
		}
		conflicts = true
		write(&b, []string{mark("<<<<<<<", l.Ours), eol}, "")
		write(&b, h.Ours, eol)
		write(&b, []string{"=======", eol}, "")
		write(&b, h.Theirs, eol)
		write(&b, []string{mark(">>>>>>>", l.Theirs), eol}, "")
	}
	return b.String(), conflicts
}

func mark(marker, label string) string {
	if label == "" {
		return marker
	}
	return marker + " " + label
}

// write adds lines; the last one gets the end if it has none.
func write(b *strings.Builder, lines []string, end string) {
	for _, line := range lines {
		b.WriteString(line)
	}
	if n := len(lines); n > 0 && !strings.HasSuffix(lines[n-1], "\n") { // #nosec G602 -- n > 0
		b.WriteString(end)
	}
}

// lineEnd returns how the lines of the texts end.
func lineEnd(texts ...string) string {
	for _, t := range texts {
		if i := strings.IndexByte(t, '\n'); i >= 0 {
			if i > 0 && t[i-1] == '\r' {
				return "\r\n"
			}
			return "\n"
		}
	}
	return "\n"
}

// Hunks returns the merge in pieces, in order: concatenating Merged or a side of each gives a whole text. Lines on which
// both sides agree are kept out of conflicts, but conflicts that only a few such lines part are one.
func Hunks(base, ours, theirs string) []Hunk {
	t := newTable()
	m := merger{
		base: t.lines(base), ours: t.lines(ours), theirs: t.lines(theirs),
		table: t,
	}
	m.merge(diff(m.base, m.ours), diff(m.base, m.theirs))
	return joined(m.out)
}

// joined makes one of conflicts that only up to three lines part, or lines without a letter or digit.
func joined(hunks []Hunk) []Hunk {
	out := hunks[:0]
	for _, h := range hunks {
		n := len(out)
		if h.Conflict && n > 1 && out[n-1].plain && out[n-2].Conflict && (len(out[n-1].Ours) <= 3 || !speaks(out[n-1].Ours)) {
			first, between := out[n-2], out[n-1]
			out[n-2] = Hunk{
				Base:     slices.Concat(first.Base, between.Base, h.Base),
				Ours:     slices.Concat(first.Ours, between.Ours, h.Ours),
				Theirs:   slices.Concat(first.Theirs, between.Theirs, h.Theirs),
				Conflict: true,
			}
			out = out[:n-1]
			continue
		}
		out = append(out, h)
	}
	return out
}

// speaks reports whether lines have an ASCII letter or digit.
func speaks(lines []string) bool {
	return slices.ContainsFunc(lines, func(line string) bool {
		return strings.ContainsAny(line, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
	})
}

// A table gives equal lines equal numbers.
type table struct {
	number map[string]int
	text   []string
}

func newTable() *table { return &table{number: map[string]int{}} }

// lines returns the numbers of a text's lines. Lines include their ends.
func (t *table) lines(s string) []int {
	out := make([]int, 0, strings.Count(s, "\n")+1)
	for s != "" {
		line := s
		if i := strings.IndexByte(s, '\n'); i >= 0 {
			line = s[:i+1]
		}
		s = s[len(line):]
		n, ok := t.number[line]
		if !ok {
			n = len(t.text)
			t.number[line] = n
			t.text = append(t.text, line)
		}
		out = append(out, n)
	}
	return out
}

func (t *table) texts(numbers []int) []string {
	out := make([]string, len(numbers))
	for i, n := range numbers {
		out[i] = t.text[n]
	}
	return out
}

// A merger walks the changes of both sides.
type merger struct {
	table              *table
	base, ours, theirs []int
	out                []Hunk
	b, o, t            int // how far base, ours and theirs are written
}

// merge goes through the changes of both sides in order of base.
func (m *merger) merge(ours, theirs []change) {
	for len(ours) > 0 || len(theirs) > 0 {
		// a region: the first change, and whatever overlaps or touches it
		var no, nt int
		lo, hi := first(ours, theirs)
		for {
			switch {
			case no < len(ours) && ours[no].a0 <= hi:
				hi = max(hi, ours[no].a1)
				no++
				continue
			case nt < len(theirs) && theirs[nt].a0 <= hi:
				hi = max(hi, theirs[nt].a1)
				nt++
				continue
			}
			break
		}
		m.agreed(lo)
		o1, t1 := m.o+grown(ours[:no])+hi-lo, m.t+grown(theirs[:nt])+hi-lo
		m.region(m.base[lo:hi], m.ours[m.o:o1], m.theirs[m.t:t1], no > 0 && nt > 0)
		m.b, m.o, m.t = hi, o1, t1
		ours, theirs = ours[no:], theirs[nt:]
	}
	m.agreed(len(m.base))
}

// first returns where the next change of either side begins, as an empty range.
func first(ours, theirs []change) (lo, hi int) {
	switch {
	case len(theirs) == 0:
		lo = ours[0].a0
	case len(ours) == 0:
		lo = theirs[0].a0
	default:
		lo = min(ours[0].a0, theirs[0].a0)
	}
	return lo, lo
}

// grown returns by how many lines changes lengthen a text.
func grown(list []change) int {
	n := 0
	for _, c := range list {
		n += c.b1 - c.b0 - (c.a1 - c.a0)
	}
	return n
}

// agreed writes what neither side changed up to a line of base.
func (m *merger) agreed(to int) {
	if n := to - m.b; n > 0 {
		lines := m.table.texts(m.base[m.b:to])
		m.out = append(m.out, Hunk{Base: lines, Ours: lines, Theirs: lines, plain: true})
		m.b, m.o, m.t = to, m.o+n, m.t+n
	}
}

// region writes what one or both sides changed.
func (m *merger) region(base, ours, theirs []int, both bool) {
	whole := Hunk{Base: m.table.texts(base), Ours: m.table.texts(ours), Theirs: m.table.texts(theirs)}
	if !both || slices.Equal(ours, theirs) {
		m.out = append(m.out, whole)
		return
	}
	o := 0
	for i, p := range diff(ours, theirs) {
		m.same(ours[o:p.a0])
		h := Hunk{Ours: m.table.texts(ours[p.a0:p.a1]), Theirs: m.table.texts(theirs[p.b0:p.b1]), Conflict: true}
		if i == 0 { // base cannot be split along lines that it may not have
			h.Base = whole.Base
		}
		m.out = append(m.out, h)
		o = p.a1
	}
	m.same(ours[o:])
}

// same writes lines of a conflicting region that both sides have.
func (m *merger) same(lines []int) {
	if len(lines) > 0 {
		text := m.table.texts(lines)
		m.out = append(m.out, Hunk{Ours: text, Theirs: text, plain: true})
	}
}
