//go:build unix

package directory_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/driftback/driftback/vendors"
	"github.com/driftback/driftback/vendors/directory"
)

// activator opens a tree with a reload.
func activator(t *testing.T, reload directory.Reload) vendors.Activator {
	t.Helper()
	a, ok := newTree(t).open(func(c *directory.Config) { c.Reload = &reload }).(vendors.Activator)
	require.True(t, ok)
	return a
}

// server answers with the status and body.
func server(t *testing.T, status int, body string) (url string, asked *atomic.Int64) {
	t.Helper()
	asked = new(atomic.Int64)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		w.WriteHeader(status)
		_, _ = w.Write([]byte(r.Method + " " + r.Header.Get("X-Who") + ": " + body))
	}))
	t.Cleanup(s.Close)
	return s.URL + "/-/reload", asked
}

func TestWithoutReloadThereIsNoActivator(t *testing.T) {
	t.Parallel()
	_, ok := newTree(t).open().(vendors.Activator)
	require.False(t, ok)
}

func TestReloadByRequest(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]error{
		200: nil, 204: nil, 500: vendors.ErrRefused, 400: vendors.ErrRefused, 404: vendors.ErrRefused,
		401: vendors.ErrDenied, 403: vendors.ErrDenied, 302: vendors.ErrRefused,
	} {
		url, asked := server(t, status, "line 3:\n\tbad "+strings.Repeat("x", 10000))
		a := activator(t, directory.Reload{HTTP: &directory.Request{URL: url, Headers: map[string]string{"X-Who": "driftback"}}})
		require.True(t, a.Checks())
		err := a.Activate(t.Context())
		require.EqualValues(t, 1, asked.Load())
		if want == nil {
			require.NoError(t, err)
			continue
		}
		require.ErrorIs(t, err, want, status)
		require.ErrorContains(t, err, "POST driftback: line 3: bad")
		require.Less(t, len(err.Error()), 4400)
	}
	for _, status := range []int{429, 502, 503, 504} { // passing
		url, _ := server(t, status, "busy")
		err := activator(t, directory.Reload{HTTP: &directory.Request{URL: url, Method: "PUT"}}).Activate(t.Context())
		require.ErrorContains(t, err, "busy")
		require.NotErrorIs(t, err, vendors.ErrRefused)
	}
	gone := httptest.NewServer(nil)
	gone.Close()
	err := activator(t, directory.Reload{HTTP: &directory.Request{URL: gone.URL}}).Activate(t.Context())
	require.Error(t, err)
	require.NotErrorIs(t, err, vendors.ErrRefused)
}

func TestReloadFollowsNoRedirectToAnotherHost(t *testing.T) {
	t.Parallel()
	elsewhere, asked := server(t, 200, "")
	s := httptest.NewServer(http.RedirectHandler(elsewhere, http.StatusTemporaryRedirect))
	t.Cleanup(s.Close)
	err := activator(t, directory.Reload{HTTP: &directory.Request{URL: s.URL}}).Activate(t.Context())
	require.ErrorIs(t, err, vendors.ErrRefused)
	require.Zero(t, asked.Load())
}

func TestReloadHasATimeLimit(t *testing.T) {
	t.Parallel()
	done := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-r.Context().Done():
		case <-done:
		}
	}))
	t.Cleanup(s.Close)
	t.Cleanup(func() { close(done) })
	limit := directory.Duration(50 * time.Millisecond)
	for _, r := range []directory.Reload{
		{HTTP: &directory.Request{URL: s.URL}, Timeout: &limit},
		{Command: []string{"sh", "-c", "sleep 60 & sleep 60"}, Timeout: &limit}, // the child holds our pipe
	} {
		begun := time.Now()
		err := activator(t, r).Activate(t.Context())
		require.ErrorContains(t, err, "no answer within 50ms")
		require.NotErrorIs(t, err, vendors.ErrRefused)
		require.Less(t, time.Since(begun), 20*time.Second)
	}
}

func TestReloadByCommand(t *testing.T) {
	t.Setenv("DRIFTBACK_TEST_CREDENTIAL", "hunter2")
	r := newTree(t)
	open := func(command ...string) vendors.Activator {
		return r.open(func(c *directory.Config) { c.Reload = &directory.Reload{Command: command} }).(vendors.Activator)
	}
	a := open("sh", "-c", `env > env; pwd > pwd; echo "$1" > arg`, "sh", "$(touch injected)")
	require.False(t, a.Checks())
	require.NoError(t, a.Activate(t.Context()))
	require.NotContains(t, r.read("env"), "hunter2")
	require.Contains(t, r.read("env"), "PATH=")
	require.Equal(t, r.root, strings.TrimSpace(r.read("pwd")))
	require.Equal(t, "$(touch injected)\n", r.read("arg"))
	err := open("sh", "-c", "echo first; echo 'line 7: unexpected }' >&2; exit 3").Activate(t.Context())
	require.ErrorIs(t, err, vendors.ErrRefused)
	require.ErrorContains(t, err, "exit status 3: first line 7: unexpected }")
	err = open("sh", "-c", "kill -9 $$").Activate(t.Context())
	require.Error(t, err)
	require.NotErrorIs(t, err, vendors.ErrRefused, "it gave no verdict")
	err = open("sh", "-c", "head -c 100000 /dev/zero | tr '\\0' x; exit 1").Activate(t.Context())
	require.Less(t, len(err.Error()), 4400)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, a.Activate(ended), context.Canceled)
}

func TestCheckIsAskedFirst(t *testing.T) {
	t.Parallel()
	url, asked := server(t, 200, "")
	reload := &directory.Request{URL: url}
	a := activator(t, directory.Reload{HTTP: reload, Check: &directory.Check{Command: []string{"sh", "-c", "echo no such rule; exit 1"}}})
	err := a.Activate(t.Context())
	require.ErrorIs(t, err, vendors.ErrRefused)
	require.ErrorContains(t, err, "check: activation refused: exit status 1: no such rule")
	require.Zero(t, asked.Load())
	a = activator(t, directory.Reload{HTTP: reload, Check: &directory.Check{Command: []string{"true"}}})
	require.NoError(t, a.Activate(t.Context()))
	require.EqualValues(t, 1, asked.Load())
	require.True(t, activator(t, directory.Reload{Command: []string{"true"}, Check: &directory.Check{HTTP: reload}}).Checks())
}
