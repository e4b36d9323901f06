package main

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/lmittmann/tint"

	"github.com/driftback/driftback/reconciler/credential"
	"github.com/driftback/driftback/vendors/resource"
)

// logger returns the logger of the command line: for people on a terminal, JSON
// elsewhere, and never with a resolved secret in it. least is its level where nobody asked for another.
func (c *cli) logger(least slog.Level) (*slog.Logger, error) {
	var h slog.Handler
	if c.logLevel != "" {
		if err := least.UnmarshalText([]byte(c.logLevel)); err != nil {
			return nil, fmt.Errorf("--log-level %s: want debug, info, warn or error", c.logLevel)
		}
	}
	switch text := c.logFormat == "text" || c.logFormat == "" && isTerminal(c.stderr); {
	case text:
		h = tint.NewTextHandler(c.stderr, &tint.Options{Level: least, TimeFormat: time.TimeOnly, NoColor: !colourful(c.stderr)})
	case c.logFormat == "" || c.logFormat == "json":
		h = slog.NewJSONHandler(c.stderr, &slog.HandlerOptions{Level: least})
	default:
		return nil, fmt.Errorf("--log-format %s: want text or json", c.logFormat)
	}
	return slog.New(redactHandler{h, c.redact}), nil
}

// redacted is what is shown in the place of a secret.
const redacted = "[secret]"

// A redactor knows every secret that was resolved in this process and removes
// them from texts. The zero redactor is ready; it is safe for concurrent use.
type redactor struct {
	mu       sync.RWMutex
	known    map[string]bool // what add was given
	secrets  []string        // longest first, so that one that contains another goes first
	replacer *strings.Replacer
}

// minSecret is the length below which a value is no secret worth the name:
// removing it would garble texts without hiding anything.
const minSecret = 4

// add makes the redactor remove s, also line by line where it has several, and as it is written in JSON,
// in a URL and in base64.
func (r *redactor) add(s string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.known[s] {
		return
	}
	if r.known == nil {
		r.known = map[string]bool{}
	}
	r.known[s] = true
	r.rebuild()
}

// forget takes back what add was given, once it is worth nothing any more.
func (r *redactor) forget(s string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.known, s)
	r.rebuild()
}

// rebuild makes the replacer anew. The caller holds mu.
func (r *redactor) rebuild() {
	r.secrets = nil
	for s := range r.known {
		for _, part := range append(strings.Split(s, "\n"), s) {
			if part = strings.TrimSpace(part); len(part) >= minSecret {
				r.secrets = append(append(r.secrets, part), spellings(part)...)
			}
		}
	}
	slices.SortFunc(r.secrets, func(a, b string) int { return cmp.Or(len(b)-len(a), strings.Compare(a, b)) })
	r.secrets = slices.Compact(r.secrets)
	pairs := make([]string, 0, 2*len(r.secrets))
	for _, s := range r.secrets {
		pairs = append(pairs, s, redacted)
	}
	r.replacer = strings.NewReplacer(pairs...)
}

// spellings are the other forms in which a secret is sent and echoed. Base64 comes whole and as the digits that it
// has at each place within something longer, such as user:secret.
func spellings(secret string) []string {
	out := []string{url.QueryEscape(secret), url.PathEscape(secret)}
	if quoted, err := json.Marshal(secret); err == nil {
		out = append(out, strings.Trim(string(quoted), `"`))
	}
	for _, e := range []*base64.Encoding{base64.StdEncoding, base64.URLEncoding} {
		out = append(out, e.EncodeToString([]byte(secret)), e.WithPadding(base64.NoPadding).EncodeToString([]byte(secret)))
		for before := range 3 {
			digits := e.EncodeToString(append(make([]byte, before), secret...))
			if inner := digits[(before*8+5)/6 : (before+len(secret))*8/6]; len(inner) >= 2*minSecret {
				out = append(out, inner)
			}
		}
	}
	return out
}

// text returns s without secrets.
func (r *redactor) text(s string) string {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if r.replacer == nil {
		return s
	}
	return r.replacer.Replace(s)
}

// holds reports whether s has a known secret in it that is long enough to be there for no other reason.
func (r *redactor) holds(s string) bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return slices.ContainsFunc(r.secrets, func(secret string) bool { return len(secret) >= minKnown && strings.Contains(s, secret) })
}

// minKnown is the length from which on the mere presence of a secret's value keeps an object out of Git.
const minKnown = 10

// conceal returns s without secrets, and without what has the shape of one that nobody told us.
func (r *redactor) conceal(s string) string { return credential.Conceal(r.text(s)) }

// withheldAnswer stands for a text of a platform that is not repeated.
const withheldAnswer = "(the answer is withheld: it looks like a credential)"

// pair is the beginning of a name: value or name=value in the middle of a line.
var pair = regexp.MustCompile(`\s+([^\s:=]+[:=])`)

// answer returns what a platform or a command of the operator said, without secrets; a text in which something
// unknown looks like one is not repeated at all.
func (r *redactor) answer(s string) string {
	s = r.text(s)
	// An answer comes on one line: a pair in the middle of it is looked at as one on a line of its own.
	lines := pair.ReplaceAllString(s, "\n$1")
	if len(credential.Find(resource.Key{}, resource.Spec{resource.Content: s + "\n" + lines}, true)) > 0 {
		return withheldAnswer
	}
	return s
}

// A redactHandler removes secrets, and what has the shape of one, from the message and from every attribute
// before the handler beneath escapes anything.
type redactHandler struct {
	slog.Handler
	redact *redactor
}

func (h redactHandler) Handle(ctx context.Context, r slog.Record) error {
	clean := slog.NewRecord(r.Time, r.Level, h.clean(r.Message), r.PC)
	r.Attrs(func(a slog.Attr) bool {
		clean.AddAttrs(h.attr(a))
		return true
	})
	return h.Handler.Handle(ctx, clean)
}

// clean is a text for a log: without secrets, and with what turns or ends lines for whoever looks at it written as an escape.
func (h redactHandler) clean(s string) string { return printableText(h.redact.conceal(s)) }

func (h redactHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	out := make([]slog.Attr, len(attrs))
	for i, a := range attrs {
		out[i] = h.attr(a)
	}
	return redactHandler{h.Handler.WithAttrs(out), h.redact}
}

func (h redactHandler) WithGroup(name string) slog.Handler {
	return redactHandler{h.Handler.WithGroup(name), h.redact}
}

func (h redactHandler) attr(a slog.Attr) slog.Attr {
	a.Value = a.Value.Resolve()
	switch a.Value.Kind() {
	case slog.KindString:
		a.Value = slog.StringValue(h.clean(a.Value.String()))
	case slog.KindGroup:
		group := a.Value.Group()
		out := make([]slog.Attr, len(group))
		for i, g := range group {
			out[i] = h.attr(g)
		}
		a.Value = slog.GroupValue(out...)
	case slog.KindAny:
		// An error or a struct may hold a secret anywhere: it is logged as its text.
		a.Value = slog.StringValue(h.clean(fmt.Sprint(a.Value.Any())))
	}
	return a
}
