package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/goccy/go-yaml"
	"golang.org/x/term"
)

// schemaVersion is the version of every structured result. It changes when a
// field changes its meaning or goes; new fields do not change it.
const schemaVersion = 1

var formats = []string{"text", "json", "yaml", "markdown"}

// A format is the value of --output; empty is text.
type format string

func (f *format) String() string {
	if *f == "" {
		return formats[0]
	}
	return string(*f)
}

func (f *format) Set(s string) error {
	if !slices.Contains(formats, s) {
		return fmt.Errorf("want one of %s", strings.Join(formats, ", "))
	}
	*f = format(s)
	return nil
}

func (f *format) Type() string { return "format" }

// A result is what a command prints: a value for programs, and how people see
// it as text and as Markdown.
type result struct {
	// value is a struct or map with JSON tags; schemaVersion is put first.
	value    any
	text     func(io.Writer)
	markdown func(io.Writer) // nil: the text in a fence
}

// print writes the result to stdout in the format asked for, redacted.
func (c *cli) print(r result) error {
	var b bytes.Buffer
	switch c.format {
	case "json", "yaml":
		doc, err := versioned(r.value)
		if err != nil {
			return err
		}
		if c.format == "yaml" {
			if doc, err = yaml.JSONToYAML(doc); err != nil {
				return fmt.Errorf("write the result as YAML: %w", err)
			}
		}
		b.Write(doc)
	case "markdown":
		if r.markdown != nil {
			r.markdown(&b)
			break
		}
		var text bytes.Buffer
		r.text(&text)
		fence := fenceFor(text.String())
		fmt.Fprintf(&b, "%s\n%s%s\n", fence, text.String(), fence)
	default:
		r.text(&b)
	}
	_, err := io.WriteString(c.stdout, c.redact.text(b.String()))
	if err != nil {
		return fmt.Errorf("write the result: %w", err)
	}
	return nil
}

// versioned marshals v, whose JSON must be an object, with schemaVersion as its first member.
func versioned(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		return nil, fmt.Errorf("write the result as JSON: %w", err)
	}
	body := strings.TrimPrefix(b.String(), "{")
	head := fmt.Sprintf("{\n  \"schemaVersion\": %d", schemaVersion)
	if strings.TrimSpace(body) == "}" {
		return []byte(head + "\n}\n"), nil
	}
	return []byte(head + "," + body), nil
}

// fenceFor returns a fence of backquotes that nothing in s can close.
func fenceFor(s string) string {
	longest, n := 2, 0
	for _, r := range s {
		if r != '`' {
			n = 0
			continue
		}
		n++
		longest = max(longest, n)
	}
	return strings.Repeat("`", longest+1)
}

// colourful reports whether w is a terminal on which colour is wanted.
func colourful(w io.Writer) bool {
	return os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb" && isTerminal(w)
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// printable returns s on one line and without what could lead a terminal astray: names
// and reasons come from platforms and repositories, and hold anything.
func printable(s string) string { return visible(s, "") }

// printableText is printable for texts of several lines.
func printableText(s string) string { return visible(s, "\n\t") }

func visible(s, kept string) string {
	clean := func(r rune) bool {
		return unicode.IsPrint(r) && !unicode.Is(unicode.Bidi_Control, r) || strings.ContainsRune(kept, r)
	}
	// A byte that is no text reads as a rune that prints, and is written as what it was: tabwriter takes 0xff for an order.
	s = strings.ToValidUTF8(s, "\ufffd")
	if strings.IndexFunc(s, func(r rune) bool { return !clean(r) }) < 0 {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if clean(r) {
			b.WriteRune(r)
			continue
		}
		b.WriteString(strings.Trim(strconv.QuoteRuneToASCII(r), "'"))
	}
	return b.String()
}
