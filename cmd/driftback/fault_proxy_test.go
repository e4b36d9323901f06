package main

import (
	"bytes"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A faultProxy stands between a daemon and a server. It can delay a request, cut the connection before
// the server sees it or after the server has answered, and send it twice. It also keeps a record of the writes.
type faultProxy struct {
	url    string
	server *url.URL

	mu     sync.Mutex
	random *rand.Rand
	share  float64 // of requests that meet a fault
	writes []proxied
	before func(n int) // is called with the number of a write, from 1, before the server sees it
	after  func(n int) // and after the server has answered it, before the daemon hears of that
	counts map[fault]int
}

// proxied is one write that went through.
type proxied struct {
	at    time.Time // when it arrived
	path  string
	heads map[string]string // of a push: the new commit of each ref
}

type fault string

const (
	noFault   fault = "none"
	delayed   fault = "delayed"
	cutBefore fault = "cut before the server saw it"
	cutAfter  fault = "cut after the server answered"
	twice     fault = "sent twice"
)

func newFaultProxy(t *testing.T, server string, seed uint64) *faultProxy {
	t.Helper()
	u, err := url.Parse(server)
	require.NoError(t, err)
	p := &faultProxy{server: &url.URL{Scheme: u.Scheme, Host: u.Host}, random: rand.New(rand.NewPCG(seed, 1)), counts: map[fault]int{}}
	s := httptest.NewServer(p)
	t.Cleanup(s.Close)
	u.Host = strings.TrimPrefix(s.URL, "http://")
	p.url = u.String()
	return p
}

// faulty sets the share of requests that meet a fault, from now on.
func (p *faultProxy) faulty(share float64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.share = share
}

// onWrite sets what is called around the writes from now on, which are counted anew.
func (p *faultProxy) onWrite(before, after func(n int)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.before, p.after, p.writes = before, after, nil
}

func (p *faultProxy) record() []proxied {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]proxied(nil), p.writes...)
}

func (p *faultProxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the daemon is gone
	}
	f, wait, before, after, n := p.meet(r, body)
	before(n)
	if f == delayed {
		pause(r, wait)
	}
	if f == cutBefore {
		cut(w)
		return
	}
	res, err := p.forward(r, body)
	if f == twice && err == nil {
		_, _ = io.Copy(io.Discard, res.Body)
		_ = res.Body.Close()
		res, err = p.forward(r, body)
	}
	if err != nil {
		cut(w)
		return
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	after(n)
	if err != nil || f == cutAfter {
		cut(w)
		return
	}
	for k, v := range res.Header {
		w.Header()[k] = v
	}
	w.Header().Del("Content-Length")
	w.WriteHeader(res.StatusCode)
	_, _ = w.Write(answer)
}

// meet records the request and draws what happens to it.
func (p *faultProxy) meet(r *http.Request, body []byte) (f fault, wait time.Duration, before, after func(int), n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	before, after = func(int) {}, func(int) {}
	if r.Method == http.MethodPost && !strings.HasSuffix(r.URL.Path, "/git-upload-pack") {
		p.writes = append(p.writes, proxied{at: time.Now(), path: r.URL.Path, heads: pushed(body)})
		n = len(p.writes)
		if p.before != nil {
			before = p.before
		}
		if p.after != nil {
			after = p.after
		}
	}
	f = noFault
	if p.random.Float64() < p.share {
		f = []fault{delayed, cutBefore, cutAfter, twice}[p.random.IntN(4)]
		wait = time.Duration(p.random.IntN(300)) * time.Millisecond
	}
	p.counts[f]++
	return f, wait, before, after, n
}

// command is one line of a push: old id, new id, ref (git's pack protocol, "Reference Update Request").
var command = regexp.MustCompile(`[0-9a-f]{40} ([0-9a-f]{40}) (refs/[^\x00\n]+?)(?:\x00|\n|00[0-9a-f]{2}|PACK|$)`)

// pushed reads the commands of a push.
func pushed(body []byte) map[string]string {
	head, _, _ := bytes.Cut(body, []byte("PACK"))
	out := map[string]string{}
	for _, m := range command.FindAllSubmatch(head, -1) {
		out[string(m[2])] = string(m[1])
	}
	return out
}

func (p *faultProxy) forward(r *http.Request, body []byte) (*http.Response, error) {
	u := *r.URL
	u.Scheme, u.Host = p.server.Scheme, p.server.Host
	out, err := http.NewRequest(r.Method, u.String(), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	for k, v := range r.Header {
		if k != "Connection" && k != "Content-Length" && k != "Transfer-Encoding" {
			out.Header[k] = v
		}
	}
	return http.DefaultTransport.RoundTrip(out)
}

// cut ends the connection without an answer.
func cut(w http.ResponseWriter) {
	c, _, err := http.NewResponseController(w).Hijack()
	if err == nil {
		_ = c.Close()
	}
}

// pause waits, or until the daemon has given up.
func pause(r *http.Request, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-r.Context().Done():
	}
}

func TestPushedReadsTheCommandsOfAPush(t *testing.T) {
	t.Parallel()
	a, b, c := strings.Repeat("a", 40), strings.Repeat("b", 40), strings.Repeat("c", 40)
	body := "00b4" + a + " " + b + " refs/heads/live/prod\x00report-status atomic agent=x" +
		"0077" + b + " " + c + " refs/driftback/state/prod" + "0000PACK...."
	require.Equal(t, map[string]string{"refs/heads/live/prod": b, "refs/driftback/state/prod": c}, pushed([]byte(body)))
}
