package githubtest

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestConditional(t *testing.T) {
	t.Parallel()
	x := newSite(t, Options{})
	x.opened(t, "topic")
	first := x.ann.get(repoPath + "/pulls").is(200)
	tag := first.header.Get("ETag")
	left := first.header.Get("X-RateLimit-Remaining")
	again := x.ann.do("GET", repoPath+"/pulls", nil, "If-None-Match", tag).is(304)
	require.Equal(t, left, again.header.Get("X-RateLimit-Remaining"), "it costs nothing")
	require.Empty(t, again.body)
	x.bot.do("GET", repoPath+"/pulls", nil, "If-None-Match", tag).is(200) // another's tag
	x.opened(t, "other")
	x.ann.do("GET", repoPath+"/pulls", nil, "If-None-Match", tag).is(200)
	require.Equal(t, 1, x.Count()["pulls/list 304"])
}

func TestPrimaryLimit(t *testing.T) {
	t.Parallel()
	x := newSite(t, Options{Limit: 10})
	for i := range 10 {
		require.Equal(t, strconv.Itoa(9-i), x.ann.get(repoPath).is(200).header.Get("X-RateLimit-Remaining"))
	}
	no := x.ann.get(repoPath).is(403)
	require.Equal(t, "0", no.header.Get("X-RateLimit-Remaining"))
	require.Equal(t, strconv.FormatInt(x.clock.Now().Add(time.Hour).Unix(), 10), no.header.Get("X-RateLimit-Reset"))
	require.Equal(t, 0.0, x.ann.get("rate_limit").is(200).at("resources.core.remaining"), "asking costs nothing")
	x.bot.get(repoPath).is(200)
	x.clock.Add(time.Hour)
	x.ann.get(repoPath).is(200)
	x.Exhaust("ann", 1)
	x.ann.get(repoPath).is(200)
	x.ann.get(repoPath).is(403)
}

func TestPages(t *testing.T) {
	t.Parallel()
	x := newSite(t, Options{})
	n := x.opened(t, "topic")
	for i := range 101 {
		x.ann.post(repoPath+"/issues/"+n+"/comments", obj{"body": strconv.Itoa(i)}).is(201)
	}
	require.Len(t, x.ann.get(repoPath+"/issues/"+n+"/comments").list(), 30)
	path := repoPath + "/issues/" + n + "/comments?per_page=1000"
	seen := 0
	for pages := 1; path != ""; pages++ {
		a := x.ann.get(path).is(200)
		require.LessOrEqual(t, len(a.list()), 100)
		seen += len(a.list())
		path = ""
		for link := range strings.SplitSeq(a.header.Get("Link"), ", ") {
			if address, rel, _ := strings.Cut(link, "; "); rel == `rel="next"` {
				path = strings.Trim(address, "<>")
			}
		}
	}
	require.Equal(t, 101, seen)
}

func TestFaults(t *testing.T) {
	t.Parallel()
	x := newSite(t, Options{})
	n := x.opened(t, "topic")
	comments := repoPath + "/issues/" + n + "/comments"

	x.Fail(Fault{Op: "issues/create-comment", Status: 502, Times: 2})
	x.ann.post(comments, obj{"body": "a"}).is(502)
	x.ann.get(comments).is(200)
	x.ann.post(comments, obj{"body": "a"}).is(502)
	x.ann.post(comments, obj{"body": "a"}).is(201)

	x.Fail(Fault{Op: "issues/create-comment", Late: true})
	r, err := http.NewRequest("POST", x.API()+comments, strings.NewReader(`{"body":"b"}`))
	require.NoError(t, err)
	r.Header.Set("Authorization", "token "+x.ann.token)
	_, err = http.DefaultTransport.RoundTrip(r)
	require.Error(t, err)
	require.Len(t, x.ann.get(comments).list(), 2, "it was done")

	x.Fail(SecondaryLimit(403, time.Minute))
	no := x.ann.get(repoPath).is(403)
	require.Equal(t, "60", no.header.Get("Retry-After"))
	require.Contains(t, string(no.body), "secondary rate limit")
	x.ann.get(repoPath).is(200)

	called := false
	x.Fail(Fault{Op: "repos/get", Skip: 1, Pass: true, Before: func() { called = true; x.Revoke(x.ann.token) }})
	x.ann.get(repoPath).is(200)
	require.False(t, called)
	x.ann.get(repoPath).is(401)
	require.True(t, called, "the token ended in the middle")
	require.Zero(t, x.Heal())
}

func TestTokensExpire(t *testing.T) {
	t.Parallel()
	x := newSite(t, Options{TokenLife: time.Minute})
	x.bot.get(repoPath).is(200)
	x.clock.Add(time.Minute)
	x.bot.get(repoPath).is(401)
	x.app.installs[0].Suspend(true)
	app := user{t, x.Server, jwt(t, x.app, x.clock.Now())}
	app.post("app/installations/"+itoa(x.app.installs[0].ID)+"/access_tokens", nil).is(403)
	user{t, x.Server, jwt(t, x.app, x.clock.Now().Add(-time.Hour))}.get("app").is(401)
	user{t, x.Server, "a.b.c"}.get("app").is(401)
}

func TestPermissions(t *testing.T) {
	t.Parallel()
	x := newSite(t, Options{})
	n := x.opened(t, "topic")
	few := user{t, x.Server, x.app.Install("acme", map[string]string{"metadata": "read", "pull_requests": "read"}).Token()}
	no := few.post(repoPath+"/issues/"+n+"/comments", obj{"body": "b"}).is(403)
	require.Equal(t, "issues=write; pull_requests=write", no.header.Get("X-Accepted-GitHub-Permissions"))
	require.Contains(t, string(no.body), "Resource not accessible by integration")
	fine := user{t, x.Server, x.Token("ann", "pull_requests=write")}
	fine.post(repoPath+"/issues/"+n+"/comments", obj{"body": "b"}).is(201)
	require.Contains(t, string(fine.post(repoPath+"/deployments", obj{"ref": "main"}).is(403).body), "personal access token")
	bob := user{t, x.Server, x.Token("bob")}
	bob.post(repoPath+"/issues/"+n+"/comments", obj{"body": "readers may comment"}).is(201)
	bob.put(repoPath+"/pulls/"+n+"/merge", nil).is(403)
	elsewhere := user{t, x.Server, x.app.Install("eve", nil).Token()}
	elsewhere.get(repoPath).is(404)
}

func TestViolationsFailTheTest(t *testing.T) {
	t.Parallel()
	x := newSite(t, Options{})
	x.ann.post(repoPath+"/statuses/"+x.root, obj{"state": "fine"}).is(422)
	x.ann.get("no/such/thing").is(404)
	got := x.Violations()
	require.Len(t, got, 2)
	require.Contains(t, got[0], "repos/create-commit-status: Error at \"/state\"")
	require.Contains(t, got[1], "has no such operation")
	x.mu.Lock()
	x.violations = nil
	x.mu.Unlock()
}
