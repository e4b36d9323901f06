package githubtest

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// A meter counts what one identity asked for within an hour.
type meter struct {
	limit, used int
	reset       time.Time
}

// resource is which of GitHub's budgets an operation is taken from.
func resource(op string) string {
	switch {
	case strings.HasPrefix(op, "search/"):
		return "search"
	case op == "graphql":
		return "graphql"
	}
	return "core"
}

func (c *call) resource() string {
	if c.rt == nil {
		return "core"
	}
	return resource(c.rt.id)
}

// budget returns the meter of an identity, a new one when its hour is over.
func (s *Server) budget(who, resource string) *meter {
	limit, span := s.o.Limit, time.Hour
	if resource == "search" {
		limit, span = 30, time.Minute
	} else if who == "" {
		limit = 60
	}
	key := who + "/" + resource
	m := s.meters[key]
	if m == nil || !s.now().Before(m.reset) {
		m = &meter{limit: limit, reset: s.now().Add(span)}
		s.meters[key] = m
	}
	return m
}

// meter counts the request, or refuses it (GitHub Docs, Rate limits for the REST API).
func (c *call) meter() error {
	if c.rt.id == "rate-limit/get" {
		return nil
	}
	m := c.budget(c.who.login(), c.resource())
	if m.used >= m.limit {
		f := refuse(http.StatusForbidden, "API rate limit exceeded for user %s.", c.who.login())
		f.body["documentation_url"] = "https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api"
		return f
	}
	m.used++
	return nil
}

func (c *call) meterHeader(h http.Header) {
	m := c.budget(c.who.login(), c.resource())
	h.Set("X-RateLimit-Limit", strconv.Itoa(m.limit))
	h.Set("X-RateLimit-Remaining", strconv.Itoa(m.limit-m.used))
	h.Set("X-RateLimit-Used", strconv.Itoa(m.used))
	h.Set("X-RateLimit-Reset", strconv.FormatInt(m.reset.Unix(), 10))
	h.Set("X-RateLimit-Resource", c.resource())
}

// conditional adds the entity tag and answers 304, which costs nothing, where the client has the body already. As at
// GitHub the tag depends on who asks.
func (c *call) conditional(a reply) reply {
	if c.r.Method != http.MethodGet || a.status != http.StatusOK {
		return a
	}
	body, _ := a.body.([]byte)
	sum := sha256.New()
	for _, part := range [][]byte{[]byte(c.r.Header.Get("Accept")), []byte(c.r.Header.Get("Authorization")), body, []byte(a.header.Get("Link"))} {
		sum.Write(part)
		sum.Write([]byte{0})
	}
	tag := `W/"` + hex.EncodeToString(sum.Sum(nil)) + `"`
	a.header.Set("ETag", tag)
	a.header.Set("Cache-Control", "private, max-age=60, s-maxage=60")
	a.header.Set("Vary", "Accept, Authorization, Cookie, X-GitHub-OTP")
	if c.who == nil || !strings.Contains(c.r.Header.Get("If-None-Match"), tag) {
		return a
	}
	if c.rt.id != "rate-limit/get" {
		c.budget(c.who.login(), c.resource()).used--
		c.meterHeader(a.header)
	}
	return reply{status: http.StatusNotModified, header: a.header, body: []byte(nil)}
}

func rateLimit(c *call) (any, error) {
	show := func(name string) obj {
		m := c.budget(c.who.login(), name)
		return obj{"limit": m.limit, "remaining": m.limit - m.used, "used": m.used, "reset": m.reset.Unix()}
	}
	return obj{"resources": obj{"core": show("core"), "search": show("search"), "graphql": show("graphql")}, "rate": show("core")}, nil
}

// Exhaust makes an identity have this many requests left in its hour.
func (s *Server) Exhaust(login string, remaining int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.budget(login, "core")
	m.used = m.limit - remaining
}
