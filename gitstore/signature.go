package gitstore

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// clean returns s as a commit header can hold it: one line of valid UTF-8 without angle
// brackets and control characters, not beginning or ending with what Git trims from names.
func clean(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case r == '<' || r == '>':
			return -1
		case unicode.IsControl(r) || r == '\u2028' || r == '\u2029' || r == unicode.ReplacementChar:
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, " "))
	return strings.Trim(s, " .,:;\"\\'")
}

// cleaned returns the signature as it is stored. It always has a name: Git refuses commits without one.
func (s Signature) cleaned() Signature {
	s.Name, s.Email = clean(s.Name), strings.ReplaceAll(clean(s.Email), " ", "")
	if s.Name == "" {
		s.Name, _, _ = strings.Cut(s.Email, "@")
	}
	if s.Name == "" {
		s.Name = "unknown"
	}
	if s.When.Unix() < 0 {
		s.When = time.Unix(0, 0).UTC()
	}
	s.When = s.When.Truncate(time.Second)
	if _, off := s.When.Zone(); off%60 != 0 || off >= 24*3600 || off <= -24*3600 {
		s.When = s.When.UTC()
	}
	return s
}

// appendTo writes a cleaned signature in the form of a commit header.
func (s Signature) appendTo(b []byte) []byte {
	b = append(b, s.Name...)
	b = append(b, " <"...)
	b = append(b, s.Email...)
	b = append(b, "> "...)
	b = strconv.AppendInt(b, s.When.Unix(), 10)
	_, off := s.When.Zone()
	sign := byte('+')
	if off < 0 {
		sign, off = '-', -off
	}
	return append(b, ' ', sign,
		byte('0'+off/36000), byte('0'+off/3600%10), byte('0'+off%3600/600), byte('0'+off%600/60)) // #nosec G115 -- digits of an offset that was bounded above
}

// parseSignature reads the form of a commit header. What is broken in it is left out: history may hold anything.
func parseSignature(b []byte) Signature {
	var s Signature
	open, end := bytes.IndexByte(b, '<'), bytes.LastIndexByte(b, '>')
	if open < 0 || end < open {
		s.Name = string(bytes.TrimSpace(b))
		return s
	}
	s.Name, s.Email = string(bytes.TrimSpace(b[:open])), string(b[open+1:end])
	sec, zone, _ := bytes.Cut(bytes.TrimSpace(b[end+1:]), []byte(" "))
	unix, err := strconv.ParseInt(string(sec), 10, 64)
	if err != nil {
		return s
	}
	s.When = time.Unix(unix, 0).UTC()
	if hhmm, err := strconv.Atoi(string(zone)); err == nil && len(zone) == 5 && hhmm != 0 {
		s.When = s.When.In(time.FixedZone("", (hhmm/100*60+hhmm%100)*60))
	}
	return s
}

// encodeCommit returns the object of c, whose ID is ignored.
func encodeCommit(c Commit) Object {
	b := make([]byte, 0, 256+len(c.Message))
	b = fmt.Appendf(b, "tree %x\n", c.Tree[:])
	for _, p := range c.Parents {
		b = fmt.Appendf(b, "parent %x\n", p[:])
	}
	b = c.Author.appendTo(append(b, "author "...))
	b = c.Committer.appendTo(append(b, "\ncommitter "...))
	b = append(b, "\n\n"...)
	return newObject(KindCommit, append(b, c.Message...))
}

// parseCommit reads a commit object.
func parseCommit(o Object) (Commit, error) {
	c := Commit{ID: o.ID}
	if o.Kind != KindCommit {
		return c, fmt.Errorf("object %s: is a %s, not a commit", o.ID, o.Kind)
	}
	rest := o.Data
	for len(rest) > 0 && rest[0] != '\n' {
		var line []byte
		line, rest, _ = bytes.Cut(rest, []byte("\n"))
		key, value, _ := bytes.Cut(line, []byte(" "))
		var err error
		switch string(key) { // continuation lines have an empty key
		case "tree":
			c.Tree, err = ParseID(string(value))
		case "parent":
			var p ID
			p, err = ParseID(string(value))
			c.Parents = append(c.Parents, p)
		case "author":
			c.Author = parseSignature(value)
		case "committer":
			c.Committer = parseSignature(value)
		}
		if err != nil {
			return c, fmt.Errorf("commit %s: %w", o.ID, err)
		}
	}
	if c.Tree.IsZero() {
		return c, fmt.Errorf("commit %s: names no tree", o.ID)
	}
	if len(rest) > 0 {
		c.Message = string(rest[1:])
	}
	return c, nil
}

// cleanMessage returns msg as a commit can hold it: valid UTF-8 without NUL, ending in one newline.
func cleanMessage(msg string) string {
	msg = strings.ReplaceAll(strings.ToValidUTF8(msg, "\uFFFD"), "\x00", "\uFFFD")
	return strings.TrimRight(msg, "\n") + "\n"
}
