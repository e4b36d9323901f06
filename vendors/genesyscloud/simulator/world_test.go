package simulator

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"
	"github.com/stretchr/testify/require"
)

// A clock that stands until it is moved.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// A world is a server with one organisation, whose every answer is held against the vendor's contract.
type world struct {
	t     *testing.T
	s     *Server
	org   *Org
	clock *clock
	http  *httptest.Server
	token string
	check *checked
}

func newWorld(t *testing.T, o Options) *world {
	t.Helper()
	w := &world{t: t, clock: newClock()}
	if o.Now == nil {
		o.Now = w.clock.Now
	}
	w.s = New(o)
	w.org = w.s.Org("Acme")
	w.check = contract(t, w.s)
	w.http = httptest.NewServer(w.check)
	t.Cleanup(func() {
		w.http.CloseClientConnections()
		w.http.Close()
		require.Empty(t, w.check.violations(), "answers that are not in the vendor's contract")
	})
	w.token = w.login(w.org.ClientID(), w.org.Secret())
	return w
}

func (w *world) login(id, secret string) string {
	w.t.Helper()
	r, err := http.NewRequest(http.MethodPost, w.http.URL+"/oauth/token", strings.NewReader("grant_type=client_credentials"))
	require.NoError(w.t, err)
	r.SetBasicAuth(id, secret)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	a, err := http.DefaultClient.Do(r)
	require.NoError(w.t, err)
	defer a.Body.Close()
	var out struct {
		Token string `json:"access_token"`
	}
	require.Equal(w.t, http.StatusOK, a.StatusCode)
	require.NoError(w.t, json.NewDecoder(a.Body).Decode(&out))
	return out.Token
}

type value = map[string]any

// ask sends a request and returns the answer's status and body.
func (w *world) ask(method, path string, body any) (int, value) {
	w.t.Helper()
	status, _, b := w.raw(method, path, body)
	var out any
	if len(b) > 0 {
		require.NoError(w.t, decode(b, &out), string(b))
	}
	if l, ok := out.([]any); ok {
		return status, value{"list": l}
	}
	return status, asMap(out)
}

func (w *world) raw(method, path string, body any) (int, http.Header, []byte) {
	w.t.Helper()
	a, err := w.send(method, path, body)
	require.NoError(w.t, err)
	defer a.Body.Close()
	b, err := io.ReadAll(a.Body)
	require.NoError(w.t, err)
	return a.StatusCode, a.Header, b
}

func (w *world) send(method, path string, body any) (*http.Response, error) {
	w.t.Helper()
	var in io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		require.NoError(w.t, err)
		in = bytes.NewReader(b)
	}
	r, err := http.NewRequestWithContext(w.t.Context(), method, w.http.URL+path, in)
	require.NoError(w.t, err)
	r.Header.Set("Authorization", "bearer "+w.token)
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	return http.DefaultClient.Do(r)
}

// ok sends a request that must succeed.
func (w *world) ok(method, path string, body any) value {
	w.t.Helper()
	status, out := w.ask(method, path, body)
	require.Less(w.t, status, 300, "%s %s: %v", method, path, out)
	return out
}

// refused sends a request that must not, and returns the message.
func (w *world) refused(status int, method, path string, body any) string {
	w.t.Helper()
	got, out := w.ask(method, path, body)
	require.Equal(w.t, status, got, "%s %s: %v", method, path, out)
	return text(out, "message")
}

func (w *world) names(path string) []string {
	w.t.Helper()
	var out []string
	for _, e := range w.ok("GET", path, nil)["entities"].([]any) {
		out = append(out, text(asMap(e), "name"))
	}
	return out
}

// checked validates requests and answers against the description that is read from the vendor's client.
type checked struct {
	s      http.Handler
	router routers.Router

	mu    sync.Mutex
	found []string
}

var description = sync.OnceValues(func() (routers.Router, error) {
	d, err := openapi3.NewLoader().LoadFromFile("testdata/openapi.json")
	if err != nil {
		return nil, err
	}
	d.Servers = openapi3.Servers{{URL: "/"}}
	return gorillamux.NewRouter(d)
})

func contract(t *testing.T, s http.Handler) *checked {
	t.Helper()
	r, err := description()
	require.NoError(t, err)
	return &checked{s: s, router: r}
}

func (c *checked) violations() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.found
}

func (c *checked) violate(r *http.Request, what string, err error) {
	line := strings.Join(strings.Fields(err.Error()), " ")
	c.mu.Lock()
	defer c.mu.Unlock()
	c.found = append(c.found, fmt.Sprintf("%s %s: %s: %.400s", r.Method, r.URL.Path, what, line))
}

func (c *checked) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !strings.HasPrefix(r.URL.Path, "/api/v2/") {
		c.s.ServeHTTP(w, r)
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		c.violate(r, "body", err)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	route, params, err := c.router.FindRoute(r)
	if err != nil {
		rec := httptest.NewRecorder()
		c.s.ServeHTTP(rec, r)
		if rec.Code < 400 {
			c.violate(r, "no such operation", err)
		}
		reply(w, rec)
		return
	}
	in := &openapi3filter.RequestValidationInput{Request: r, PathParams: params, Route: route, Options: &openapi3filter.Options{
		AuthenticationFunc: openapi3filter.NoopAuthenticationFunc, MultiError: true, IncludeResponseStatus: true, ExcludeRequestBody: len(body) == 0,
	}}
	invalid := openapi3filter.ValidateRequest(context.Background(), in)
	r.Body = io.NopCloser(bytes.NewReader(body))
	rec := httptest.NewRecorder()
	c.s.ServeHTTP(rec, r)
	if invalid != nil && rec.Code < 400 {
		c.violate(r, "request", invalid)
	}
	out := &openapi3filter.ResponseValidationInput{RequestValidationInput: in, Status: rec.Code, Header: rec.Header(), Options: in.Options}
	out.SetBodyBytes(rec.Body.Bytes())
	if rec.Body.Len() > 0 {
		if err := openapi3filter.ValidateResponse(context.Background(), out); err != nil {
			c.violate(r, "answer", err)
		}
	}
	reply(w, rec)
}

func reply(w http.ResponseWriter, rec *httptest.ResponseRecorder) {
	for k, v := range rec.Header() {
		w.Header()[k] = v
	}
	w.WriteHeader(rec.Code)
	_, _ = w.Write(rec.Body.Bytes())
}
