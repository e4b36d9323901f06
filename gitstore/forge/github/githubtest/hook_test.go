package githubtest

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// A receiver keeps what it is sent.
type receiver struct {
	URL string
	mu  sync.Mutex
	got []received
}

type received struct {
	event, guid, signature string
	body                   []byte
}

func newReceiver(t *testing.T, status int) *receiver {
	t.Helper()
	r := &receiver{}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		body, _ := io.ReadAll(q.Body)
		r.mu.Lock()
		defer r.mu.Unlock()
		h := q.Header
		r.got = append(r.got, received{h.Get("X-GitHub-Event"), h.Get("X-GitHub-Delivery"), h.Get("X-Hub-Signature-256"), body})
		w.WriteHeader(status)
	}))
	t.Cleanup(srv.Close)
	r.URL = srv.URL
	return r
}

func (r *receiver) take() []received {
	r.mu.Lock()
	defer r.mu.Unlock()
	got := r.got
	r.got = nil
	return got
}

func names(got []received) []string {
	var out []string
	for _, g := range got {
		var o obj
		_ = json.Unmarshal(g.body, &o)
		action, _ := o["action"].(string)
		out = append(out, g.event+" "+action)
	}
	return out
}

func TestEvents(t *testing.T) {
	t.Parallel()
	x := newSite(t, Options{})
	to := newReceiver(t, 202)
	x.app.SetHook(Hook{URL: to.URL, Secret: "s3cret", Events: []string{"*"}})
	n := x.opened(t, "topic")
	x.ann.post(repoPath+"/issues/"+n+"/comments", obj{"body": "/plan"}).is(201)
	x.bot.post(repoPath+"/check-runs", obj{"name": "driftback/prod", "head_sha": x.repo.Tip(t, "topic"), "conclusion": "failure"}).is(201)
	x.repo.Rerequest("ann", "driftback/prod", x.repo.Tip(t, "topic"))
	x.bot.put(repoPath+"/pulls/"+n+"/merge", nil).is(200)
	x.Flush()
	got := to.take()
	require.Equal(t, []string{"push ", "pull_request opened", "issue_comment created", "check_run created", "check_run rerequested", "pull_request closed", "push "}, names(got))
	for _, g := range got {
		require.Equal(t, Sign("s3cret", g.body), g.signature)
		var o obj
		require.NoError(t, json.Unmarshal(g.body, &o))
		require.Equal(t, "acme/config", at(o, "repository.full_name"))
		require.Equal(t, itoa(x.app.installs[0].ID), num(at(o, "installation.id")))
	}
	CheckEvents(t, x.app.Hook.Deliveries())
	for _, d := range x.app.Hook.Deliveries() {
		require.Equal(t, 202, d.Status)
	}
}

func TestFates(t *testing.T) {
	t.Parallel()
	x := newSite(t, Options{})
	n := x.opened(t, "topic")
	to := newReceiver(t, 200)
	fates := []Fate{Send, Lose, Twice, Hold, Hold, Send}
	h := x.repo.Hook(Hook{URL: to.URL, Events: []string{"issue_comment"}, Fate: func(Delivery) Fate {
		f := fates[0]
		fates = fates[1:]
		return f
	}})
	for len(fates) > 0 {
		x.ann.post(repoPath+"/issues/"+n+"/comments", obj{"body": "c"}).is(201)
	}
	x.Flush()
	sent := h.Deliveries()
	guids := func() []string {
		var out []string
		for _, g := range to.take() {
			out = append(out, g.guid)
		}
		return out
	}
	require.Equal(t, []string{sent[0].GUID, sent[2].GUID, sent[2].GUID, sent[5].GUID}, guids())
	require.Equal(t, 0, sent[1].Status, "lost")
	h.Release()
	x.Flush()
	require.Equal(t, []string{sent[4].GUID, sent[3].GUID}, guids(), "out of order")
	h.Replay(sent[0])
	require.Equal(t, []string{sent[0].GUID}, guids())

	root := user{t, x.Server, x.Token("acme")}
	list := root.get(repoPath + "/hooks/" + itoa(h.ID) + "/deliveries?per_page=2").is(200)
	require.Len(t, list.list(), 2)
	require.Contains(t, list.header.Get("Link"), `rel="next"`)
	root.post(repoPath+"/hooks/"+itoa(h.ID)+"/deliveries/"+itoa(sent[1].ID)+"/attempts", nil).is(202)
	x.Flush()
	require.Equal(t, []string{sent[1].GUID}, guids(), "asked for again, with its old GUID")
	require.True(t, h.Deliveries()[6].Redelivery)
}
