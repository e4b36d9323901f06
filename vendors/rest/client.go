package rest

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/driftback/driftback/vendors"
)

// A Client speaks to one tenant: it authorizes requests, keeps the budget, repeats what is safe to
// repeat, and tells refusals apart. It may be used concurrently.
type Client struct {
	base   *url.URL
	p      *Platform
	o      Options
	http   *http.Client
	budget *budget
	tokens *tokens
	flying chan struct{} // as many as may be under way
	sent   atomic.Int64  // requests so far
}

// A Request is one thing asked of the platform.
type Request struct {
	Operation string // for metrics: list, get, create
	Method    string // "" means GET
	Path      string // below the base URL, escaped
	Query     url.Values
	Header    http.Header
	Body      any // JSON; nil sends none
	// Repeat says that sending it twice is sending it once, so that it is sent again when its answer was lost. GET
	// always is. What was refused for too many requests is sent again in any case.
	Repeat bool
	// Reads says that it changes nothing, though it is no GET: a query by POST. It is safe to repeat.
	Reads bool
	// MaxAnswer in bytes, where it is another than the client's.
	MaxAnswer int64

	// buffer, if there is one, holds the answer's body until the next request with it.
	buffer *bytes.Buffer
}

// An Answer is a success (2xx), read to its end.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// JSON decodes the body; numbers become json.Number.
func (a *Answer) JSON(into any) error {
	d := json.NewDecoder(bytes.NewReader(a.Body))
	d.UseNumber()
	if err := d.Decode(into); err != nil {
		return fmt.Errorf("answer: %w", err)
	}
	return nil
}

func newClient(p *Platform, o Options) (*Client, error) {
	base, err := url.Parse(o.BaseURL)
	if err != nil || base.Host == "" || base.Scheme != "http" && base.Scheme != "https" || base.RawQuery != "" || base.User != nil {
		return nil, fmt.Errorf("base URL %q: want https://host", o.BaseURL)
	}
	base.Path = strings.TrimSuffix(base.Path, "/")
	o.Timeout = cmp.Or(o.Timeout, 30*time.Second)
	o.MaxAnswer = cmp.Or(o.MaxAnswer, 64<<20)
	o.MaxTries = cmp.Or(o.MaxTries, 5)
	if o.Clock == nil {
		o.Clock = vendors.SystemClock{}
	}
	if o.Jitter == nil {
		o.Jitter = rand.Float64
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	concurrency := cmp.Or(p.Rate.Concurrency, 4)
	if o.Transport == nil {
		t := http.DefaultTransport.(*http.Transport).Clone()
		t.MaxIdleConnsPerHost, t.MaxConnsPerHost = concurrency, 2*concurrency
		o.Transport = t
	}
	perMinute := p.Rate.PerMinute
	if o.PerMinute > 0 && (perMinute == 0 || o.PerMinute < perMinute) {
		perMinute = o.PerMinute
	}
	c := &Client{base: base, p: p, o: o, budget: newBudget(perMinute, o.Clock), flying: make(chan struct{}, concurrency)}
	c.http = &http.Client{Transport: o.Transport, CheckRedirect: stay}
	if o.Auth.TokenURL != "" {
		c.tokens = &tokens{auth: o.Auth, clock: o.Clock, send: c.sendToken}
	}
	return c, nil
}

// stay follows no redirection to another host, as that would be handed the credentials.
func stay(r *http.Request, via []*http.Request) error {
	if r.URL.Host != via[0].URL.Host || r.URL.Scheme != via[0].URL.Scheme || len(via) > 3 {
		return http.ErrUseLastResponse
	}
	return nil
}

// close ends idle connections.
func (c *Client) close() { c.http.CloseIdleConnections() }

// Do sends the request and returns its answer. Refusals are a *Refusal. Where the answer was lost and the request
// is not one to be repeated, the error is none of the classes, and nobody knows what happened.
func (c *Client) Do(ctx context.Context, r Request) (*Answer, error) {
	r.Method = cmp.Or(r.Method, http.MethodGet)
	reads := r.Reads || r.Method == http.MethodGet || r.Method == http.MethodHead
	repeat := r.Repeat || reads
	var body []byte
	if r.Body != nil {
		var err error
		if body, err = json.Marshal(r.Body); err != nil {
			return nil, fmt.Errorf("%s %s: %w", r.Method, r.Path, err)
		}
	}
	bad := "" // a token that was refused
	failures, throttles := 0, 0
	for try := 0; ; try++ {
		a, token, err := c.once(ctx, r, body, bad, !reads)
		var no *Refusal
		refused := errors.As(err, &no)
		switch {
		case err == nil:
			return a, nil
		case ctx.Err() != nil:
			return nil, err
		case refused && no.Status == http.StatusUnauthorized && c.tokens != nil && bad == "":
			bad = token // once: it may have been revoked before its time
			continue
		case refused && no.throttled():
			throttles++ // a platform that is busy has not failed
			c.budget.refused(c.retryAfter(a, try))
		case errors.Is(err, vendors.ErrLease), !repeat || refused && no.class != nil || errors.Is(err, vendors.ErrDenied) || errors.Is(err, vendors.ErrInvalid):
			return nil, err
		default:
			if failures++; failures < c.o.MaxTries {
				if ended := c.o.Clock.Sleep(ctx, c.backoff(failures-1)); ended != nil {
					return nil, errors.Join(err, ended)
				}
			}
		}
		if failures >= c.o.MaxTries || throttles >= 4*c.o.MaxTries {
			return nil, fmt.Errorf("%w (tried %d times)", err, try+1)
		}
		c.o.Logger.Debug("trying again", "method", r.Method, "path", r.Path, "error", err)
	}
}

// The waits between tries: the first is a half to one and a half times minWait, each one twice the one before.
const (
	minWait = 250 * time.Millisecond
	maxWait = 30 * time.Second
)

func (c *Client) backoff(try int) time.Duration {
	d := min(maxWait, minWait<<min(try, 16))
	return time.Duration(float64(d) * (0.5 + c.o.Jitter()))
}

// retryAfter is how long the platform wants no requests; without a word of its own, a while. It is bounded by 5 minutes.
func (c *Client) retryAfter(a *Answer, try int) time.Duration {
	v := a.Header.Get("Retry-After")
	if s, err := strconv.Atoi(v); err == nil && s >= 0 {
		return min(time.Duration(min(s, 1000))*time.Second, 5*time.Minute) + time.Duration(c.o.Jitter()*float64(minWait))
	}
	if t, err := http.ParseTime(v); err == nil {
		return max(0, min(t.Sub(c.o.Clock.Now()), 5*time.Minute))
	}
	return 4 * c.backoff(try)
}

// once sends the request once. A refusal comes with its answer.
func (c *Client) once(ctx context.Context, r Request, body []byte, bad string, writes bool) (a *Answer, token string, err error) {
	target := c.base.String() + r.Path
	if len(r.Query) > 0 {
		target += "?" + r.Query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, r.Method, target, bytes.NewReader(body))
	if err != nil {
		return nil, "", fmt.Errorf("%s %s: %w", r.Method, r.Path, err)
	}
	if body == nil {
		req.Body, req.GetBody = http.NoBody, nil
	} else {
		req.Header.Set("Content-Type", "application/json")
	}
	req.Header.Set("Accept", "application/json")
	for k, v := range r.Header {
		req.Header[k] = v
	}
	for k, v := range c.o.Auth.Header {
		req.Header[k] = v
	}
	if c.tokens != nil {
		if token, err = c.tokens.get(ctx, bad); err != nil {
			return nil, "", err
		}
		req.Header.Set("Authorization", "Bearer "+token)
	}
	if err := c.begin(ctx, writes); err != nil {
		return nil, "", fmt.Errorf("%s %s: %w", r.Method, r.Path, err)
	}
	a, err = c.send(req, cmp.Or(r.Operation, strings.ToLower(r.Method)), cmp.Or(r.MaxAnswer, c.o.MaxAnswer), r.buffer)
	c.end()
	if err != nil {
		return nil, token, fmt.Errorf("%s %s: %w", r.Method, r.Path, c.hidden(err))
	}
	if a.Status < 200 || a.Status > 299 {
		return a, token, fmt.Errorf("%s %s: %w", r.Method, r.Path, refusal(c.p.Errors, r.Method, a, c.hide))
	}
	return a, token, nil
}

// begin waits until one more request may be under way, and the budget has a place for it. What
// writes is begun only under a lease that still holds then.
func (c *Client) begin(ctx context.Context, writes bool) error {
	select {
	case c.flying <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	err := c.budget.take(ctx)
	if err != nil {
		<-c.flying
		return err
	}
	if !writes {
		return nil
	}
	if err = vendors.Leased(ctx); err != nil {
		c.budget.cancel()
		<-c.flying
	}
	return err
}

func (c *Client) end() {
	c.sent.Add(1)
	c.budget.land()
	<-c.flying
}

var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// send makes the request and reads the answer, whatever its status.
func (c *Client) send(req *http.Request, operation string, limit int64, into *bytes.Buffer) (a *Answer, err error) {
	ctx, cancel := context.WithTimeout(req.Context(), c.o.Timeout)
	defer cancel()
	begun, status := c.o.Clock.Now(), 0
	defer func() {
		if c.o.OnRequest != nil {
			c.o.OnRequest(operation, status, c.o.Clock.Now().Sub(begun))
		}
	}()
	resp, err := c.http.Do(req.WithContext(ctx))
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }() // read only
	status = resp.StatusCode
	b := into
	if b == nil {
		b = buffers.Get().(*bytes.Buffer)
		defer buffers.Put(b)
	}
	b.Reset()
	n, err := b.ReadFrom(io.LimitReader(resp.Body, limit+1))
	if err != nil {
		return nil, err
	}
	if n > limit {
		return nil, fmt.Errorf("the answer is larger than %d bytes: %w", limit, vendors.ErrInvalid)
	}
	a = &Answer{Status: status, Header: resp.Header, Body: b.Bytes()}
	if into == nil {
		a.Body = bytes.Clone(a.Body)
	}
	return a, nil
}

// sendToken asks for a token. The budget of a token has no part in it.
func (c *Client) sendToken(ctx context.Context, r *http.Request) (*Answer, error) {
	for try := 0; ; try++ {
		a, err := c.sendTokenOnce(ctx, r)
		var no *Refusal
		passing := err != nil && ctx.Err() == nil && (!errors.As(err, &no) || no.class == nil || no.throttled())
		if !passing || try+1 >= c.o.MaxTries {
			return a, err
		}
		wait := c.backoff(try)
		if a != nil && no != nil && no.throttled() {
			wait = c.retryAfter(a, try)
		}
		if ended := c.o.Clock.Sleep(ctx, wait); ended != nil {
			return nil, errors.Join(err, ended)
		}
		if r.Body, err = r.GetBody(); err != nil {
			return nil, err
		}
	}
}

func (c *Client) sendTokenOnce(ctx context.Context, r *http.Request) (*Answer, error) {
	a, err := c.send(r.WithContext(ctx), "token", 1<<20, nil)
	if err != nil {
		return nil, errors.New(oneLine(c.o.Auth.hide(err.Error())))
	}
	if a.Status < 200 || a.Status > 299 {
		no := refusal(c.p.Errors, r.Method, a, c.o.Auth.hide)
		if no.class != nil && !no.throttled() {
			no.class = vendors.ErrDenied // whatever the server calls it, the credentials do not do
		}
		return a, no
	}
	return a, nil
}

// hide returns the text without the credentials.
func (c *Client) hide(text string) string {
	text = c.o.Auth.hide(text)
	if c.tokens != nil {
		text = c.tokens.hide(text)
	}
	return text
}

// hidden returns the error of a transport without credentials; it still is a cancellation if it was one.
func (c *Client) hidden(err error) error {
	text := oneLine(c.hide(err.Error()))
	if text == err.Error() {
		return err
	}
	for _, class := range []error{context.Canceled, context.DeadlineExceeded, vendors.ErrInvalid} {
		if errors.Is(err, class) {
			return fmt.Errorf("%s: %w", text, class)
		}
	}
	return errors.New(text)
}
