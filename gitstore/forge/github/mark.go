package github

import (
	"encoding/base64"
	"encoding/binary"
	"hash/fnv"
	"slices"
	"strings"
)

// A comment of ours begins with its key, in an HTML comment that no page shows:
// at the beginning, because an unclosed fence in the text would swallow one at
// the end. The key is encoded, so that none can end the mark.
const (
	keyMark = "<!-- driftback:key "
	endMark = " -->\n"
)

// marked returns the text of a comment of ours.
func marked(key, body string) string {
	return keyMark + base64.RawURLEncoding.EncodeToString([]byte(key)) + endMark + body
}

// unmarked is the inverse; ok is false for what is not of that form.
func unmarked(text string) (key, body string, ok bool) {
	rest, ok := strings.CutPrefix(text, keyMark)
	if !ok {
		return "", "", false
	}
	digits, body, ok := strings.Cut(rest, strings.TrimSuffix(endMark, "\n"))
	if !ok {
		return "", "", false
	}
	b, err := base64.RawURLEncoding.DecodeString(digits)
	if err != nil || len(b) == 0 {
		return "", "", false
	}
	body = strings.TrimPrefix(strings.TrimPrefix(body, "\r"), "\n")
	return string(b), body, true
}

// An ours is what of a pull request is driftback's: the labels that it put, so
// that it takes away no others, and whom it asked for a review, so that it asks
// nobody twice. It is kept in a hidden mark at the body's end, as digests of bounded length.
type ours struct{ labels, asked []uint32 }

const (
	pullMark    = "\n\n<!-- driftback:pull "
	endPullMark = " -->"
)

func digest(s string) uint32 {
	h := fnv.New32a()
	_, _ = h.Write([]byte(strings.ToLower(s)))
	return h.Sum32()
}

func digests(names []string) []uint32 {
	var out []uint32
	for _, n := range names {
		out = append(out, digest(n))
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func (o ours) has(list []uint32, name string) bool { return slices.Contains(list, digest(name)) }

// with returns the body as it is kept.
func (o ours) with(body string) string {
	if len(o.labels)+len(o.asked) == 0 {
		return body
	}
	return body + pullMark + packed(o.labels) + "." + packed(o.asked) + endPullMark
}

// without returns a pull request's text and what of it is ours.
func without(kept string) (string, ours) {
	at := strings.LastIndex(kept, pullMark)
	end := strings.TrimRight(kept, " \r\n")
	if at < 0 || !strings.HasSuffix(end, endPullMark) {
		return kept, ours{}
	}
	labels, asked, ok := strings.Cut(strings.TrimSuffix(end[at+len(pullMark):], endPullMark), ".")
	if !ok {
		return kept, ours{}
	}
	l, ok1 := unpacked(labels)
	a, ok2 := unpacked(asked)
	if !ok1 || !ok2 {
		return kept, ours{}
	}
	return kept[:at], ours{l, a}
}

func packed(list []uint32) string {
	var b []byte
	for _, d := range list {
		b = binary.BigEndian.AppendUint32(b, d)
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

func unpacked(s string) ([]uint32, bool) {
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil || len(b)%4 != 0 {
		return nil, false
	}
	var out []uint32
	for ; len(b) > 0; b = b[4:] {
		out = append(out, binary.BigEndian.Uint32(b))
	}
	return out, true
}
