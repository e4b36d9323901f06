package github_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/driftback/driftback/gitstore/forge/forgetest"
	"github.com/driftback/driftback/gitstore/forge/github"
	"github.com/driftback/driftback/gitstore/forge/github/githubtest"
)

const secret = "of the webhook"

// A door is a Hook that notes what came in.
type door struct {
	*github.Hook
	mu      sync.Mutex
	events  []github.Event
	results map[string]int
}

func newDoor(change func(*github.HookOptions)) *door {
	d := &door{results: map[string]int{}}
	o := github.HookOptions{
		Secrets: []string{secret}, Owner: owner, Repo: name,
		Own: func(login string) bool { return login == "driftback[bot]" },
		Wake: func(e github.Event) {
			d.mu.Lock()
			defer d.mu.Unlock()
			d.events = append(d.events, e)
		},
		OnDelivery: func(_, result string) {
			d.mu.Lock()
			defer d.mu.Unlock()
			d.results[result]++
		},
	}
	if change != nil {
		change(&o)
	}
	d.Hook = github.NewHook(o)
	return d
}

// deliver hands in a payload and returns the status of the answer.
func (d *door) deliver(t *testing.T, event, guid, secret string, payload []byte, header ...string) int {
	t.Helper()
	r, err := githubtest.NewDelivery("http://x/webhooks/github", event, guid, secret, payload)
	require.NoError(t, err)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
		if header[i+1] == "" {
			r.Header.Del(header[i])
		}
	}
	w := httptest.NewRecorder()
	d.ServeHTTP(w, r)
	return w.Code
}

func payload(t *testing.T, v map[string]any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	require.NoError(t, err)
	return b
}

func pushed(t *testing.T, branch, by string) []byte {
	t.Helper()
	return payload(t, map[string]any{
		"ref": "refs/heads/" + branch, "sender": map[string]any{"login": by}, "repository": map[string]any{"full_name": "Acme/config"},
	})
}

func TestDeliveries(t *testing.T) {
	t.Parallel()
	d := newDoor(nil)
	require.Equal(t, 202, d.deliver(t, "push", "1", secret, pushed(t, "main", "ann")))
	require.Equal(t, []github.Event{{Kind: "push", Branch: "main"}}, d.events)
	require.Equal(t, 200, d.deliver(t, "push", "1", secret, pushed(t, "main", "ann")), "delivered twice, or replayed")
	require.Equal(t, 200, d.deliver(t, "push", "2", secret, pushed(t, "driftback/drift/prod", "driftback[bot]")), "what we did ourselves is no news")
	require.Equal(t, 200, d.deliver(t, "ping", "3", secret, payload(t, map[string]any{"zen": "x"})))
	require.Equal(t, 200, d.deliver(t, "push", "4", secret, bytes.ReplaceAll(pushed(t, "main", "ann"), []byte("Acme"), []byte("other"))))
	require.Equal(t, 200, d.deliver(t, "issue_comment", "5", secret, payload(t, map[string]any{"action": "edited", "issue": map[string]any{"number": 4}})))
	require.Equal(t, map[string]int{"accepted": 1, "duplicate": 1, "ignored": 4}, d.results)

	pull := map[string]any{"number": 7, "base": map[string]any{"ref": "develop"}}
	require.Equal(t, 202, d.deliver(t, "pull_request", "6", secret, payload(t, map[string]any{"action": "closed", "pull_request": pull})))
	require.Equal(t, 202, d.deliver(t, "issue_comment", "7", secret, payload(t, map[string]any{"action": "created", "issue": map[string]any{"number": 4}})))
	require.Equal(t, []github.Event{
		{Kind: "pull_request", Action: "closed", Base: "develop", Pull: 7}, {Kind: "issue_comment", Action: "created", Pull: 4},
	}, d.events[1:])
	require.Equal(t, 202, d.deliver(t, "push", "8", secret, payload(t, map[string]any{"ref": 5, "repository": "odd", "sender": []any{}})),
		"a form that we do not know is a hint still")
	head := strings.Repeat("a1", 20)
	for i, kind := range []string{"check_run", "check_suite"} {
		again := map[string]any{"action": "rerequested", kind: map[string]any{"head_sha": head}}
		require.Equal(t, 202, d.deliver(t, kind, fmt.Sprint("9.", i), secret, payload(t, again)))
		require.Equal(t, github.Event{Kind: kind, Action: "rerequested", Head: head}, d.events[len(d.events)-1])
	}
}

func TestForgedDeliveries(t *testing.T) {
	t.Parallel()
	d := newDoor(nil)
	good := pushed(t, "main", "ann")
	other := bytes.Replace(good, []byte("main"), []byte("evil"), 1)
	sum := githubtest.Sign(secret, good)
	for name, code := range map[string]int{
		"not signed":             d.deliver(t, "push", "a", "", good),
		"another secret":         d.deliver(t, "push", "a", "guess", good),
		"another body":           d.deliver(t, "push", "a", "", other, "X-Hub-Signature-256", sum),
		"half a signature":       d.deliver(t, "push", "a", "", good, "X-Hub-Signature-256", sum[:20]),
		"no signature at all":    d.deliver(t, "push", "a", "", good, "X-Hub-Signature-256", "sha256="),
		"another algorithm":      d.deliver(t, "push", "a", "", good, "X-Hub-Signature-256", "md5="+sum[7:]),
		"the old header":         d.deliver(t, "push", "a", "", good, "X-Hub-Signature", "sha1=da39a3ee5e6b4b0d3255bfef95601890afd80709"),
		"a kind of body unknown": d.deliver(t, "push", "a", secret, good, "Content-Type", "text/plain"),
	} {
		require.Equal(t, 401, code, name)
	}
	require.Empty(t, d.events)
	require.Equal(t, 202, d.deliver(t, "push", "a", secret, good), "a forged delivery does not use up the id of a true one")
	require.Equal(t, 400, d.deliver(t, "push", "", secret, good, "X-GitHub-Delivery", ""))
	require.Equal(t, 400, d.deliver(t, "push", strings.Repeat("x", 65), secret, good))
	require.Equal(t, 400, d.deliver(t, "push", "b", secret, []byte("[1]")))
	require.Equal(t, 400, d.deliver(t, "push", "b", secret, nil))

	none := newDoor(func(o *github.HookOptions) { o.Secrets = nil })
	require.Equal(t, 403, none.deliver(t, "push", "a", "", good))
	require.Equal(t, 403, none.deliver(t, "push", "a", secret, good))
	require.Equal(t, map[string]int{"refused": 2}, none.results)
	empty := newDoor(func(o *github.HookOptions) { o.Secrets = []string{""} })
	require.Equal(t, 401, empty.deliver(t, "push", "a", "", good, "X-Hub-Signature-256", githubtest.Sign("", good)))
	two := newDoor(func(o *github.HookOptions) { o.Secrets = []string{"new", secret} })
	require.Equal(t, 202, two.deliver(t, "push", "a", secret, good))
	require.Equal(t, 202, two.deliver(t, "push", "b", "new", good))

	w := httptest.NewRecorder()
	d.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/webhooks/github", nil))
	require.Equal(t, 405, w.Code)
}

// An endless reader counts what is read of it.
type endless struct{ read int }

func (e *endless) Read(b []byte) (int, error) { e.read += len(b); return len(b), nil }

// Of a large body nothing, or no more than the limit, is read, whether it says its length or not.
func TestLargeDeliveries(t *testing.T) {
	t.Parallel()
	d := newDoor(nil)
	body := &endless{}
	r := httptest.NewRequest(http.MethodPost, "/webhooks/github", io.LimitReader(body, 10<<20))
	r.ContentLength = 10 << 20
	r.Header.Set("X-Hub-Signature-256", "sha256=00")
	w := httptest.NewRecorder()
	d.ServeHTTP(w, r)
	require.Equal(t, 413, w.Code)
	require.Zero(t, body.read)

	r = httptest.NewRequest(http.MethodPost, "/webhooks/github", body)
	r.ContentLength = -1
	r.Header.Set("X-Hub-Signature-256", "sha256=00")
	w = httptest.NewRecorder()
	d.ServeHTTP(w, r)
	require.Equal(t, 413, w.Code)
	require.Less(t, body.read, 2*github.MaxDelivery)
	require.Equal(t, map[string]int{"too_large": 2}, d.results)
	require.Equal(t, 202, d.deliver(t, "push", "1", secret, append(pushed(t, "main", "ann"), bytes.Repeat([]byte(" "), github.MaxDelivery-1000)...)))
}

// While as many deliveries as may be are being read, others are told to come again.
func TestCrowdOfDeliveries(t *testing.T) {
	t.Parallel()
	d := newDoor(nil)
	var slow []*io.PipeWriter
	var all sync.WaitGroup
	for range 8 {
		in, out := io.Pipe()
		slow = append(slow, out)
		r := httptest.NewRequest(http.MethodPost, "/webhooks/github", in)
		r.Header.Set("X-Hub-Signature-256", "sha256=00")
		all.Go(func() { d.ServeHTTP(httptest.NewRecorder(), r) })
		_, err := out.Write([]byte("{")) // it is being read
		require.NoError(t, err)
	}
	require.Equal(t, 503, d.deliver(t, "push", "1", secret, pushed(t, "main", "ann")))
	for _, out := range slow {
		require.NoError(t, out.CloseWithError(io.ErrUnexpectedEOF))
	}
	all.Wait()
	require.Equal(t, 202, d.deliver(t, "push", "1", secret, pushed(t, "main", "ann")))
	require.Equal(t, map[string]int{"busy": 1, "malformed": 8, "accepted": 1}, d.results)
}

// What is remembered of deliveries is bounded, the oldest go first.
func TestDeliveriesAreForgotten(t *testing.T) {
	t.Parallel()
	d := newDoor(nil)
	body := pushed(t, "main", "ann")
	for i := range 4096 + 10 {
		require.Equal(t, 202, d.deliver(t, "push", fmt.Sprint(i), secret, body))
	}
	require.Equal(t, 200, d.deliver(t, "push", "4105", secret, body))
	require.Equal(t, 200, d.deliver(t, "push", "10", secret, body))
	require.Equal(t, 202, d.deliver(t, "push", "9", secret, body))
}

// Payloads as GitHub sends them, of every event that it has.
func TestExamplesOfDeliveries(t *testing.T) {
	t.Parallel()
	d := newDoor(func(o *github.HookOptions) { o.Owner, o.Repo = "Codertocat", "Hello-World" })
	examples := githubtest.Examples(t)
	require.Greater(t, len(examples), 200)
	kinds := map[string]bool{}
	for i, e := range examples {
		code := d.deliver(t, e.Event, fmt.Sprint(i), secret, e.Payload)
		require.Contains(t, []int{200, 202}, code, "%s: %.200s", e.Event, e.Payload)
		require.Equal(t, 401, d.deliver(t, e.Event, "forged", "guess", e.Payload))
	}
	for _, e := range d.events {
		kinds[e.Kind] = true
		switch e.Kind {
		case "push", "create", "delete":
			require.NotEmpty(t, e.Branch+e.Action, "%+v", e)
		case "pull_request", "pull_request_review", "issue_comment":
			require.Positive(t, e.Pull)
		}
	}
	for _, kind := range []string{"push", "pull_request", "pull_request_review", "issue_comment", "check_suite", "installation"} {
		require.True(t, kinds[kind], "an example of %s woke nobody", kind)
	}
}

// Events of the stand-in reach the hook as GitHub sends them: lost, doubled, held back and in another order; what was
// lost is asked for again until it arrives.
func TestLostDeliveriesAreAskedForAgain(t *testing.T) {
	t.Parallel()
	s := newSite(t, githubtest.Options{})
	d := newDoor(nil)
	srv := httptest.NewServer(d)
	t.Cleanup(srv.Close)
	fate := githubtest.Lose
	hook := s.app.SetHook(githubtest.Hook{URL: srv.URL, Secret: secret, Events: []string{"*"}, Fate: func(githubtest.Delivery) githubtest.Fate { return fate }})
	f := s.client(t, s.options(true))
	person := githubtest.Person{Login: "ann", Name: "Ann Lee", Email: "ann@example.org"}
	tip := s.repo.PushAs(t, person, forgetest.Main, map[string]string{"a": "1\n"}, s.repo.Tip(t, forgetest.Main))
	s.Flush()
	require.Empty(t, d.events)
	n, err := f.Redeliver(t.Context(), time.Now().Add(-time.Hour))
	require.NoError(t, err)
	require.Positive(t, n)
	s.Flush()
	require.Contains(t, d.events, github.Event{Kind: "push", Branch: forgetest.Main})
	again, err := f.Redeliver(t.Context(), time.Now().Add(-time.Hour))
	require.NoError(t, err)
	require.Zero(t, again, "what arrived is not asked for any more")

	fate = githubtest.Twice
	seen := len(d.events)
	tip = s.repo.PushAs(t, person, forgetest.Main, map[string]string{"a": "2\n"}, tip)
	s.Flush()
	require.Len(t, d.events, seen+1, "delivered twice, heard once")
	fate = githubtest.Hold
	for i := range 3 {
		tip = s.repo.PushAs(t, person, forgetest.Main, map[string]string{"a": fmt.Sprint("x", i)}, tip)
	}
	hook.Release()
	s.Flush()
	require.Len(t, d.events, seen+4, "in whatever order")
	list := hook.Deliveries()
	hook.Replay(list[len(list)-1])
	require.Len(t, d.events, seen+4, "replayed")
	n, err = s.client(t, s.options(false)).Redeliver(t.Context(), time.Time{})
	require.NoError(t, err)
	require.Zero(t, n, "a token may not ask for this")
}
