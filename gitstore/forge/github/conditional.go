package github

import (
	"bytes"
	"container/list"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
)

// conditional is a transport that asks whether what was read before is still so:
// an answer of "not modified" costs no quota. It is keyed by URL, for
// GitHub's tags depend on the token, which an app's changes every hour: then
// everything is read once more.
type conditional struct {
	next http.RoundTripper

	mu    sync.Mutex // guards what follows
	at    map[string]*list.Element
	order *list.List // of *remembered, the last used first
	size  int        // bytes of bodies
}

// What is remembered, and what an answer may be.
const (
	maxRemembered = 1000     // answers
	maxBytes      = 16 << 20 // of all together
	maxKept       = 1 << 20  // of one that is remembered
	maxAnswer     = 64 << 20 // of one that is read at all
)

type remembered struct {
	key, tag string
	header   http.Header
	body     []byte
}

func newConditional(next http.RoundTripper) *conditional {
	return &conditional{next: next, at: map[string]*list.Element{}, order: list.New()}
}

// RoundTrip implements http.RoundTripper.
func (c *conditional) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Method != http.MethodGet {
		res, err := c.next.RoundTrip(req)
		return bounded(res), err
	}
	key := req.Header.Get("Accept") + " " + req.URL.String()
	had := c.get(key)
	if had != nil {
		again, err := clone(req)
		if err != nil {
			return nil, err
		}
		again.Header.Set("If-None-Match", had.tag)
		req = again
	}
	res, err := c.next.RoundTrip(req)
	switch {
	case err != nil:
		return nil, err
	case had != nil && res.StatusCode == http.StatusNotModified:
		_ = res.Body.Close()
		return had.answer(req, res), nil
	case res.StatusCode == http.StatusOK && res.Header.Get("ETag") != "":
		return c.keep(key, res)
	}
	return bounded(res), nil
}

func (c *conditional) get(key string) *remembered {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.at[key]
	if e == nil {
		return nil
	}
	c.order.MoveToFront(e)
	return e.Value.(*remembered)
}

// keep remembers an answer, unless it is large.
func (c *conditional) keep(key string, res *http.Response) (*http.Response, error) {
	body, err := io.ReadAll(io.LimitReader(res.Body, maxKept+1))
	if err != nil {
		_ = res.Body.Close()
		return nil, err
	}
	if len(body) > maxKept {
		res.Body = struct {
			io.Reader
			io.Closer
		}{io.MultiReader(bytes.NewReader(body), res.Body), res.Body}
		return bounded(res), nil
	}
	_ = res.Body.Close()
	r := &remembered{key: key, tag: res.Header.Get("ETag"), header: res.Header.Clone(), body: body}
	res.Body = io.NopCloser(bytes.NewReader(body))
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := c.at[key]; e != nil {
		c.drop(e)
	}
	c.at[key] = c.order.PushFront(r)
	c.size += len(body)
	for c.size > maxBytes || c.order.Len() > maxRemembered {
		c.drop(c.order.Back())
	}
	return res, nil
}

// drop forgets an answer. The caller holds mu.
func (c *conditional) drop(e *list.Element) {
	r := e.Value.(*remembered)
	c.order.Remove(e)
	delete(c.at, r.key)
	c.size -= len(r.body)
}

// answer is what was remembered, with what the server says now of its limits and of the time.
func (r *remembered) answer(req *http.Request, now *http.Response) *http.Response {
	h := r.header.Clone()
	for name, values := range now.Header {
		if strings.HasPrefix(name, "X-Ratelimit-") || name == "Date" {
			h[name] = values
		}
	}
	return &http.Response{
		Status: "200 OK", StatusCode: http.StatusOK, Proto: now.Proto, ProtoMajor: now.ProtoMajor, ProtoMinor: now.ProtoMinor,
		Header: h, Body: io.NopCloser(bytes.NewReader(r.body)), ContentLength: int64(len(r.body)), Request: req,
	}
}

// bounded makes reading an endless answer an error.
func bounded(res *http.Response) *http.Response {
	if res != nil {
		res.Body = &boundedBody{res.Body, maxAnswer}
	}
	return res
}

type boundedBody struct {
	io.ReadCloser
	left int64
}

func (b *boundedBody) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, fmt.Errorf("answer of more than %d bytes", maxAnswer)
	}
	n, err := b.ReadCloser.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	return n, err
}
