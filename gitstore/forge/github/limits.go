package github

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// ErrLimited says that GitHub wants no more requests for a while.
var ErrLimited = errors.New("rate limit of GitHub")

// A LimitError is ErrLimited with the time until which nothing is asked.
type LimitError struct {
	Until     time.Time
	Secondary bool // not the hourly quota, but too much at once
}

func (e *LimitError) Error() string {
	kind := "used up"
	if e.Secondary {
		kind = "too many requests at once"
	}
	return fmt.Sprintf("%v: %s until %s", ErrLimited, kind, e.Until.UTC().Format(time.RFC3339))
}

// Unwrap returns ErrLimited.
func (e *LimitError) Unwrap() error { return ErrLimited }

// limits is a transport that keeps to what the server says of its rate limits,
// and repeats reads that failed. Writes go one at a time and not faster than
// GitHub's rules of conduct ask for.
type limits struct {
	o      Options
	writes chan struct{} // holds one token: the right to write
	pace   *rate.Limiter // nil for none

	mu      sync.Mutex // guards what follows
	blocked map[string]*LimitError
}

const (
	tries       = 3           // of a request
	burst       = 20          // writes that need not wait for each other
	secondary   = time.Minute // pause where a secondary limit does not say how long
	maxErrorAPI = 64 << 10    // bytes of an answer that is an error
)

func newLimits(o Options) *limits {
	l := &limits{o: o, writes: make(chan struct{}, 1), blocked: map[string]*LimitError{}}
	if o.Pace > 0 {
		l.pace = rate.NewLimiter(rate.Every(o.Pace), burst)
	}
	return l
}

func isRead(req *http.Request) bool {
	return req.Method == http.MethodGet || req.Method == http.MethodHead
}

// RoundTrip implements http.RoundTripper.
func (l *limits) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx := req.Context()
	if !isRead(req) {
		select {
		case l.writes <- struct{}{}:
			defer func() { <-l.writes }()
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		if l.pace != nil {
			if err := l.pace.Wait(ctx); err != nil {
				return nil, err
			}
		}
	}
	for try := 1; ; try++ {
		if err := l.open(ctx, resourceOf(req)); err != nil {
			return nil, err
		}
		again, err := clone(req)
		if err != nil {
			return nil, err
		}
		res, err := l.send(again)
		l.count(req.Method, res)
		limited := l.learn(req, res)
		last := try == tries || ctx.Err() != nil || req.Body != nil && req.GetBody == nil
		var pause time.Duration
		switch {
		case limited != nil: // it was not carried out
			_ = res.Body.Close()
			if pause = limited.Until.Sub(l.o.Now()); last || pause > l.o.MaxWait {
				return nil, limited
			}
		case last || !isRead(req) || err == nil && (res.StatusCode < 500 || res.StatusCode == http.StatusNotImplemented):
			return res, err
		default:
			pause = time.Duration(try*try) * 300 * time.Millisecond
			if res != nil {
				_ = res.Body.Close()
			}
		}
		if err := l.o.Wait(ctx, pause); err != nil {
			return nil, err
		}
	}
}

// send makes one attempt, whose answer must be read within the time-out.
func (l *limits) send(req *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithTimeout(req.Context(), l.o.Timeout)
	res, err := l.o.Transport.RoundTrip(req.WithContext(ctx))
	if err != nil {
		cancel()
		return nil, err
	}
	res.Body = &timedBody{res.Body, cancel}
	return res, nil
}

type timedBody struct {
	io.ReadCloser
	end context.CancelFunc
}

func (b *timedBody) Close() error {
	defer b.end()
	return b.ReadCloser.Close()
}

// open returns an error while the server wants no requests, after a short pause where that is enough.
func (l *limits) open(ctx context.Context, resource string) error {
	for _, of := range []string{"", resource} {
		l.mu.Lock()
		b := l.blocked[of]
		l.mu.Unlock()
		if b == nil {
			continue
		}
		pause := b.Until.Sub(l.o.Now())
		switch {
		case pause > l.o.MaxWait:
			return b
		case pause > 0:
			if err := l.o.Wait(ctx, pause); err != nil {
				return err
			}
		}
		l.mu.Lock()
		if l.blocked[of] == b {
			delete(l.blocked, of)
		}
		l.mu.Unlock()
	}
	return nil
}

func (l *limits) count(method string, res *http.Response) {
	if l.o.OnRequest == nil {
		return
	}
	code := 0
	if res != nil {
		code = res.StatusCode
	}
	l.o.OnRequest(method, code)
}

// resourceOf names the quota that a request is counted against, as GitHub's X-RateLimit-Resource does.
func resourceOf(req *http.Request) string {
	switch {
	case strings.HasSuffix(req.URL.Path, "/graphql"):
		return "graphql"
	case strings.Contains(req.URL.Path, "/search/"):
		return "search"
	}
	return "core"
}

// learn reads what an answer says of limits, and returns what it is refused for, if it is.
// Source: docs.github.com, "Rate limits for the REST API".
func (l *limits) learn(req *http.Request, res *http.Response) *LimitError {
	if res == nil {
		return nil
	}
	remaining, err := strconv.Atoi(res.Header.Get("X-RateLimit-Remaining"))
	known := err == nil
	total, _ := strconv.Atoi(res.Header.Get("X-RateLimit-Limit"))
	sec, _ := strconv.ParseInt(res.Header.Get("X-RateLimit-Reset"), 10, 64)
	resource := res.Header.Get("X-RateLimit-Resource")
	if resource == "" {
		resource = resourceOf(req)
	}
	if known && l.o.OnLimit != nil {
		l.o.OnLimit(Limit{Resource: resource, Remaining: remaining, Total: total, Reset: time.Unix(sec, 0)})
	}
	if res.StatusCode != http.StatusForbidden && res.StatusCode != http.StatusTooManyRequests {
		return nil
	}
	var e *LimitError
	key := resourceOf(req)
	switch after, err := strconv.Atoi(res.Header.Get("Retry-After")); {
	case err == nil && after >= 0:
		e, key = &LimitError{Until: l.o.Now().Add(time.Duration(after) * time.Second), Secondary: true}, ""
	case known && remaining == 0 && sec > 0:
		e = &LimitError{Until: time.Unix(sec, 0)}
	case res.StatusCode == http.StatusTooManyRequests || strings.Contains(peek(res), "secondary rate limit"):
		e, key = &LimitError{Until: l.o.Now().Add(secondary), Secondary: true}, ""
	default:
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.blocked[key] = e
	return e
}

// peek returns the beginning of an answer, in small letters, and leaves the answer whole.
func peek(res *http.Response) string {
	b, err := io.ReadAll(io.LimitReader(res.Body, maxErrorAPI))
	rest := res.Body
	var r io.Reader = io.MultiReader(bytes.NewReader(b), rest)
	if err != nil {
		r = bytes.NewReader(b)
	}
	res.Body = struct {
		io.Reader
		io.Closer
	}{r, rest}
	return strings.ToLower(string(b))
}
