package simulator

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/driftback/driftback/vendors/genesyscloud/simulator/contracttest"
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
	check *contracttest.Checked
}

func newWorld(t *testing.T, o Options) *world {
	t.Helper()
	w := &world{t: t, clock: newClock()}
	if o.Now == nil {
		o.Now = w.clock.Now
	}
	w.s = New(o)
	w.org = w.s.Org("Acme")
	w.check = contracttest.New(t, w.s, "testdata/openapi.json")
	w.http = httptest.NewServer(w.check)
	t.Cleanup(func() {
		w.http.CloseClientConnections()
		w.http.Close()
		require.Empty(t, w.check.Violations(), "answers that are not in the vendor's contract")
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
