package github

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/driftback/driftback/gitstore/forge"
)

// A stub answers as a test says, and remembers what it was asked.
type stub struct {
	*httptest.Server
	mu    sync.Mutex
	asked []string
	auth  []string
	waits []time.Duration
	now   time.Time
}

func newStub(t *testing.T, answer http.HandlerFunc) *stub {
	t.Helper()
	s := &stub{now: time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.asked = append(s.asked, r.Method+" "+strings.TrimPrefix(r.URL.Path, "/api/v3"))
		s.auth = append(s.auth, r.Header.Get("Authorization"))
		s.mu.Unlock()
		answer(w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *stub) requests() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.asked...)
}

// forge opens a client whose clock moves by waiting only.
func (s *stub) forge(t *testing.T, change func(*Options)) *Forge {
	t.Helper()
	o := Options{
		URL: s.URL, Owner: "acme", Repo: "config", Login: "robot", Pace: -1,
		Token: func(context.Context) (string, error) { return "t0ken", nil },
		Now:   func() time.Time { s.mu.Lock(); defer s.mu.Unlock(); return s.now },
		Wait: func(_ context.Context, d time.Duration) error {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.waits, s.now = append(s.waits, d), s.now.Add(d)
			return nil
		},
	}
	if change != nil {
		change(&o)
	}
	f, err := New(o)
	require.NoError(t, err)
	return f
}

func say(w http.ResponseWriter, code int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(v)
}

func newAppKey(t *testing.T) []byte {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	return pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})
}

func TestAddressOfTheAPI(t *testing.T) {
	t.Parallel()
	for server, want := range map[string]string{
		"":                                   "https://api.github.com/",
		"https://github.com":                 "https://api.github.com/",
		"https://GitHub.com/":                "https://api.github.com/",
		"https://acme.ghe.com":               "https://api.acme.ghe.com/",
		"https://github.example.org":         "https://github.example.org/api/v3/",
		"https://github.example.org/api/v3/": "https://github.example.org/api/v3/",
		"http://127.0.0.1:8080":              "http://127.0.0.1:8080/api/v3/",
	} {
		got, err := apiURL(server)
		require.NoError(t, err, server)
		require.Equal(t, want, got.String(), server)
	}
	for _, bad := range []string{"github.com", "ftp://github.com", "https://user:pw@github.com", "https://", ":"} {
		_, err := apiURL(bad)
		require.Error(t, err, bad)
		require.NotContains(t, err.Error(), "api.github")
	}
}

// An app's token is got with its key, for one repository, and another one when the server does not take it any more.
func TestBranchURL(t *testing.T) {
	t.Parallel()
	for server, want := range map[string]string{
		"": "https://github.com/acme/config/commits/live/prod", "https://github.com": "https://github.com/acme/config/commits/live/prod",
		"https://git.example.org/": "https://git.example.org/acme/config/commits/live/prod", "https://git.example.org/api/v3": "https://git.example.org/acme/config/commits/live/prod",
		"https://acme.ghe.com": "https://acme.ghe.com/acme/config/commits/live/prod", "https://api.acme.ghe.com": "https://acme.ghe.com/acme/config/commits/live/prod",
	} {
		f, err := New(Options{URL: server, Owner: "acme", Repo: "config", Token: func(context.Context) (string, error) { return "t", nil }})
		require.NoError(t, err)
		require.Equal(t, want, f.BranchURL("live/prod"), server)
		require.Equal(t, strings.Replace(want, "live/prod", "live/a%25b", 1), f.BranchURL("live/a%b"))
	}
}

func TestAppSignIn(t *testing.T) {
	t.Parallel()
	var issued int
	good := ""
	s := newStub(t, func(w http.ResponseWriter, r *http.Request) {
		switch path := r.URL.Path; {
		case strings.HasSuffix(path, "/repos/acme/config/installation"):
			say(w, 200, map[string]any{"id": 77})
		case strings.HasSuffix(path, "/app/installations/77/access_tokens"):
			body, _ := io.ReadAll(r.Body)
			if string(body) != `{"repositories":["config"]}`+"\n" {
				say(w, 422, map[string]string{"message": string(body)})
				return
			}
			issued++
			good = fmt.Sprintf("ghs_%d", issued)
			say(w, 201, map[string]any{"token": good, "expires_at": time.Now().Add(time.Hour)})
		case r.Header.Get("Authorization") != "Bearer "+good:
			say(w, 401, map[string]string{"message": "Bad credentials"})
		default:
			say(w, 200, []any{})
		}
	})
	var heard []string
	f := s.forge(t, func(o *Options) {
		o.App, o.Token = &App{ID: 5, Key: newAppKey(t)}, nil
		o.OnToken = func(token string) { heard = append(heard, token) }
	})
	_, err := f.Pulls(t.Context(), forge.Filter{})
	require.NoError(t, err)
	token, err := f.Token(t.Context())
	require.NoError(t, err)
	require.Equal(t, "ghs_1", token, "it is the password of git as well")
	require.Equal(t, []string{
		"GET /repos/acme/config/installation", "POST /app/installations/77/access_tokens", "GET /repos/acme/config/pulls",
	}, s.requests())

	s.mu.Lock()
	good = "revoked"
	s.mu.Unlock()
	_, err = f.Pulls(t.Context(), forge.Filter{State: forge.Open})
	require.NoError(t, err, "a token that ends in mid-pass is replaced")
	require.Equal(t, []string{"ghs_1", "ghs_2"}, heard)
	require.Equal(t, 2, issued)
	for _, auth := range s.auth[2:] {
		require.Contains(t, auth, "Bearer ")
	}
}

func TestAppKeyAndRefusedApp(t *testing.T) {
	t.Parallel()
	_, err := New(Options{Owner: "a", Repo: "b", App: &App{ID: 1, Key: []byte("secret words")}})
	require.ErrorContains(t, err, "no RSA private key")
	require.NotContains(t, err.Error(), "secret words")
	s := newStub(t, func(w http.ResponseWriter, _ *http.Request) {
		say(w, 401, map[string]string{"message": "A JSON web token could not be decoded"})
	})
	f := s.forge(t, func(o *Options) { o.App, o.Token = &App{ID: 5, Installation: 7, Key: newAppKey(t)}, nil })
	_, err = f.Pulls(t.Context(), forge.Filter{})
	require.ErrorIs(t, err, ErrSignIn)
	require.ErrorContains(t, err, "clock")
}

// A token that is refused is asked for again, for it may have been changed, and not twice in vain.
func TestTokenChanges(t *testing.T) {
	t.Parallel()
	s := newStub(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer new" {
			say(w, 401, map[string]string{"message": "Bad credentials"})
			return
		}
		say(w, 200, []any{})
	})
	tokens := []string{"old", "new"}
	f := s.forge(t, func(o *Options) {
		o.Token = func(context.Context) (string, error) {
			next := tokens[0]
			tokens = tokens[min(1, len(tokens)-1):]
			return next, nil
		}
	})
	_, err := f.Pulls(t.Context(), forge.Filter{})
	require.NoError(t, err)
	f = s.forge(t, func(o *Options) { o.Token = func(context.Context) (string, error) { return "stale-t0ken", nil } })
	before := len(s.requests())
	_, err = f.Pulls(t.Context(), forge.Filter{})
	require.ErrorIs(t, err, ErrSignIn)
	require.NotContains(t, err.Error(), "stale-t0ken")
	require.Len(t, s.requests(), before+1)
	f = s.forge(t, func(o *Options) {
		o.Token = func(context.Context) (string, error) { return "", errors.New("the file is gone") }
	})
	_, err = f.Pulls(t.Context(), forge.Filter{})
	require.ErrorContains(t, err, "the file is gone")
}

// What is read again is asked for conditionally, and "not modified" is the same answer.
func TestConditionalRequests(t *testing.T) {
	t.Parallel()
	tag, full, remaining := `"one"`, 0, 100
	s := newStub(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", tag)
		remaining--
		w.Header().Set("X-RateLimit-Remaining", strconv.Itoa(remaining))
		w.Header().Set("X-RateLimit-Limit", "100")
		if r.Header.Get("If-None-Match") == tag {
			remaining++
			w.Header().Set("X-RateLimit-Remaining", strconv.Itoa(remaining))
			w.WriteHeader(http.StatusNotModified)
			return
		}
		full++
		page := r.URL.Query().Get("page")
		if page == "" {
			w.Header().Set("Link", `<http://x/?page=2>; rel="next"`)
			page = "1"
		}
		n, _ := strconv.Atoi(page)
		say(w, 200, []any{map[string]any{"number": 10 - n, "title": tag, "state": "open"}})
	})
	var left []int
	f := s.forge(t, func(o *Options) { o.OnLimit = func(l Limit) { left = append(left, l.Remaining) } })
	first, err := f.Pulls(t.Context(), forge.Filter{})
	require.NoError(t, err)
	require.Len(t, first, 2, "both pages")
	again, err := f.Pulls(t.Context(), forge.Filter{})
	require.NoError(t, err)
	require.Equal(t, first, again)
	require.Equal(t, 2, full, "the second time nothing was sent")
	require.Equal(t, []int{99, 98, 98, 98}, left)
	tag = `"two"`
	again, err = f.Pulls(t.Context(), forge.Filter{})
	require.NoError(t, err)
	require.Equal(t, `"two"`, again[0].Title)
}

func TestConditionalIsBounded(t *testing.T) {
	t.Parallel()
	c := newConditional(roundTrip(func(r *http.Request) (*http.Response, error) {
		size := 100
		if r.URL.Path == "/large" {
			size = maxKept + 1
		}
		return &http.Response{StatusCode: 200, Header: http.Header{"Etag": {`"x"`}}, Body: io.NopCloser(strings.NewReader(strings.Repeat("x", size)))}, nil
	}))
	get := func(path string) int {
		req, err := http.NewRequest(http.MethodGet, "http://x"+path, nil)
		require.NoError(t, err)
		res, err := c.RoundTrip(req)
		require.NoError(t, err)
		defer res.Body.Close()
		b, err := io.ReadAll(res.Body)
		require.NoError(t, err)
		return len(b)
	}
	for i := range maxRemembered + 10 {
		require.Equal(t, 100, get(fmt.Sprintf("/%d", i)))
	}
	require.Equal(t, maxKept+1, get("/large"), "what is large is read, and not kept")
	require.Len(t, c.at, maxRemembered)
	require.Equal(t, maxRemembered, c.order.Len())
	require.Equal(t, 100*maxRemembered, c.size)
	body := &boundedBody{io.NopCloser(strings.NewReader("abcdef")), 3}
	_, err := io.ReadAll(body)
	require.ErrorContains(t, err, "more than")
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestRateLimits(t *testing.T) {
	t.Parallel()
	type answer struct {
		code   int
		header map[string]string
		body   string
	}
	const ok = `[]`
	at := time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)
	secondaryBody := `{"message":"You have exceeded a secondary rate limit. Please wait a few minutes."}`
	for name, c := range map[string]struct {
		answers []answer
		waits   []time.Duration
		until   time.Time // of the error; zero: none
		asked   int       // requests in two calls
	}{
		"a short pause is waited for": {
			answers: []answer{{429, map[string]string{"Retry-After": "5"}, secondaryBody}, {200, nil, ok}, {200, nil, ok}},
			waits:   []time.Duration{5 * time.Second}, asked: 3,
		},
		"a long pause is an error, and nothing is asked meanwhile": {
			answers: []answer{{403, map[string]string{"Retry-After": "60"}, secondaryBody}}, until: at.Add(time.Minute), asked: 1,
		},
		"a secondary limit that says nothing": {
			answers: []answer{{403, nil, secondaryBody}}, until: at.Add(time.Minute), asked: 1,
		},
		"the quota is used up": {
			answers: []answer{{403, map[string]string{"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": strconv.FormatInt(at.Add(20*time.Minute).Unix(), 10)},
				`{"message":"API rate limit exceeded"}`}}, until: at.Add(20 * time.Minute), asked: 1,
		},
		"the server is away for a moment": {
			answers: []answer{{502, nil, "<html>"}, {503, nil, ""}, {200, nil, ok}, {200, nil, ok}},
			waits:   []time.Duration{300 * time.Millisecond, 1200 * time.Millisecond}, asked: 4,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			answers := c.answers
			s := newStub(t, func(w http.ResponseWriter, _ *http.Request) {
				a := answers[0]
				answers = answers[1:]
				for k, v := range a.header {
					w.Header().Set(k, v)
				}
				w.WriteHeader(a.code)
				_, _ = io.WriteString(w, a.body)
			})
			var codes []int
			f := s.forge(t, func(o *Options) { o.OnRequest = func(_ string, code int) { codes = append(codes, code) } })
			for range 2 {
				_, err := f.Pulls(t.Context(), forge.Filter{})
				if c.until.IsZero() {
					require.NoError(t, err)
					continue
				}
				require.ErrorIs(t, err, ErrLimited)
				var limit *LimitError
				require.ErrorAs(t, err, &limit)
				require.True(t, c.until.Equal(limit.Until), "%s", limit.Until)
			}
			require.Equal(t, c.waits, s.waits)
			require.Len(t, s.requests(), c.asked)
			require.Len(t, codes, c.asked)
		})
	}
}

// A write whose answer is lost is not repeated blindly, one that was refused for its rate is.
func TestWritesAreNotRepeatedBlindly(t *testing.T) {
	t.Parallel()
	codes := []int{500, 429, 201}
	var texts []string
	s := newStub(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			say(w, 200, []any{})
			return
		}
		body, _ := io.ReadAll(r.Body)
		texts = append(texts, string(body))
		w.Header().Set("Retry-After", "1")
		say(w, codes[0], map[string]string{"message": "no"})
		codes = codes[1:]
	})
	f := s.forge(t, nil)
	require.ErrorContains(t, f.EnsureComment(t.Context(), 1, "k", "text"), "HTTP 500")
	require.Len(t, texts, 1)
	_ = f.EnsureComment(t.Context(), 1, "k", "text") // which the stub does not list afterwards
	require.Len(t, texts, 3)
	require.Equal(t, texts[1], texts[2], "with its body")
}

func TestPermissionsAreNamed(t *testing.T) {
	t.Parallel()
	header := ""
	s := newStub(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/comments") && r.Method == http.MethodGet {
			say(w, 200, []any{})
			return
		}
		if header != "" {
			w.Header().Set("X-Accepted-GitHub-Permissions", header)
		}
		say(w, 403, map[string]string{"message": "Resource not accessible by integration"})
	})
	f := s.forge(t, nil)
	commit := strings.Repeat("a", 40)
	for want, call := range map[string]func() error{
		"commit statuses: read": func() error {
			return f.SetStatus(t.Context(), commit, forge.Status{Context: "c", State: "success"})
		},
		"deployments: read": func() error {
			return f.EnsureDeployment(t.Context(), forge.Deployment{ID: "1", Environment: "prod", Commit: commit, State: "queued"})
		},
		"pull requests: read":  func() error { _, err := f.Pulls(t.Context(), forge.Filter{}); return err },
		"pull requests: write": func() error { return f.EnsureComment(t.Context(), 1, "k", "text") },
	} {
		err := call()
		require.ErrorIs(t, err, ErrPermission, want)
		require.ErrorContains(t, err, "needs "+want)
	}
	header = "pull_requests=write; issues=write"
	require.ErrorContains(t, f.EnsureComment(t.Context(), 1, "k", "text"), "needs pull requests: write or issues: write")
}

// A server that does not answer, or stops in the middle, does not hold anybody up.
func TestServerThatHangs(t *testing.T) {
	t.Parallel()
	for name, begin := range map[string]string{"says nothing": "", "stops in the middle": "[{"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			over := make(chan struct{})
			s := newStub(t, func(w http.ResponseWriter, r *http.Request) {
				if begin != "" {
					_, _ = io.WriteString(w, begin)
					_ = http.NewResponseController(w).Flush()
				}
				select {
				case <-over:
				case <-r.Context().Done():
				}
			})
			t.Cleanup(func() { close(over) })
			f := s.forge(t, func(o *Options) { o.Timeout = 50 * time.Millisecond })
			_, err := f.Pulls(t.Context(), forge.Filter{})
			require.ErrorIs(t, err, context.DeadlineExceeded)
		})
	}
}

func TestErrorsAreOneShortLine(t *testing.T) {
	t.Parallel()
	s := newStub(t, func(w http.ResponseWriter, _ *http.Request) {
		say(w, 404, map[string]string{"message": "line\none\x1b[31m\u202e" + strings.Repeat("long ", 1000)})
	})
	_, err := s.forge(t, nil).Comments(t.Context(), 1)
	require.ErrorIs(t, err, forge.ErrNotFound)
	require.Less(t, len(err.Error()), 500)
	require.NotContains(t, err.Error(), "\n")
	require.NotContains(t, err.Error(), "\x1b")
}

func TestCursor(t *testing.T) {
	t.Parallel()
	c := cursor{at: time.Unix(1_772_000_000, 0).UTC(), seen: []int64{1, 99999999999}}
	back, err := parseCursor(c.String())
	require.NoError(t, err)
	require.Equal(t, c, back)
	for _, bad := range []string{"1", "1:", "2:1", "1:x", "1:1:!", "1:-1", "1:99999999999999999999", strings.Repeat("1:", 5000)} {
		_, err := parseCursor(bad)
		require.ErrorIs(t, err, forge.ErrInvalid, bad)
	}
}

func FuzzMarks(f *testing.F) {
	f.Add("plan", "a body\n")
	f.Add("k -->", "<!-- driftback:key cGxhbg -->\n-->")
	f.Add("k", "\n\n<!-- driftback:pull AAAAAA.AAAAAA -->")
	f.Fuzz(func(t *testing.T, key, body string) {
		if forge.CheckKey(key) != nil {
			return
		}
		k, b, ok := unmarked(marked(key, body))
		if !ok || k != key || b != strings.TrimPrefix(body, "") {
			if !strings.HasPrefix(body, "\n") && !strings.HasPrefix(body, "\r") {
				t.Fatalf("%q %q: %q %q %v", key, body, k, b, ok)
			}
		}
		o := ours{labels: digests([]string{key}), asked: digests([]string{body, key})}
		text, has := without(o.with(body))
		if text != body || len(has.labels) != 1 || !has.has(has.asked, key) {
			t.Fatalf("%q: %q %v", body, text, has)
		}
	})
}
