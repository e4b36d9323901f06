package main

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/lmittmann/tint"
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
	secrets  []string // longest first, so that one that contains another goes first
	replacer *strings.Replacer
}

// minSecret is the length below which a value is no secret worth the name:
// removing it would garble texts without hiding anything.
const minSecret = 4

// add makes the redactor remove s, also line by line where it has several.
func (r *redactor) add(s string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, part := range append(strings.Split(s, "\n"), s) {
		if part = strings.TrimSpace(part); len(part) >= minSecret && !slices.Contains(r.secrets, part) {
			r.secrets = append(r.secrets, part)
		}
	}
	slices.SortFunc(r.secrets, func(a, b string) int { return len(b) - len(a) })
	pairs := make([]string, 0, 2*len(r.secrets))
	for _, s := range r.secrets {
		pairs = append(pairs, s, redacted)
	}
	r.replacer = strings.NewReplacer(pairs...)
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

// A redactHandler removes secrets from the message and from every attribute
// before the handler beneath escapes anything.
type redactHandler struct {
	slog.Handler
	redact *redactor
}

func (h redactHandler) Handle(ctx context.Context, r slog.Record) error {
	clean := slog.NewRecord(r.Time, r.Level, h.redact.text(r.Message), r.PC)
	r.Attrs(func(a slog.Attr) bool {
		clean.AddAttrs(h.attr(a))
		return true
	})
	return h.Handler.Handle(ctx, clean)
}

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
		a.Value = slog.StringValue(h.redact.text(a.Value.String()))
	case slog.KindGroup:
		group := a.Value.Group()
		out := make([]slog.Attr, len(group))
		for i, g := range group {
			out[i] = h.attr(g)
		}
		a.Value = slog.GroupValue(out...)
	case slog.KindAny:
		// An error or a struct may hold a secret anywhere: it is logged as its text.
		a.Value = slog.StringValue(h.redact.text(fmt.Sprint(a.Value.Any())))
	}
	return a
}
