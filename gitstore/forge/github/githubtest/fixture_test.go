package githubtest

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A clock moves when it is told to.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// A user is a client of the API without any library.
type user struct {
	t     *testing.T
	s     *Server
	token string
}

// An answer is what the server said.
type answer struct {
	t      *testing.T
	status int
	header http.Header
	body   []byte
}

func (u user) do(method, path string, body any, header ...string) answer {
	u.t.Helper()
	var in io.Reader
	if body != nil {
		raw, err := json.Marshal(body)
		require.NoError(u.t, err)
		in = bytes.NewReader(raw)
	}
	if !strings.HasPrefix(path, "http") {
		path = u.s.API() + strings.TrimPrefix(path, "/")
	}
	r, err := http.NewRequest(method, path, in)
	require.NoError(u.t, err)
	if u.token != "" {
		r.Header.Set("Authorization", "Bearer "+u.token)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	res, err := http.DefaultClient.Do(r)
	require.NoError(u.t, err)
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	require.NoError(u.t, err)
	return answer{u.t, res.StatusCode, res.Header, raw}
}

func (u user) get(path string) answer              { u.t.Helper(); return u.do("GET", path, nil) }
func (u user) post(path string, body any) answer   { u.t.Helper(); return u.do("POST", path, body) }
func (u user) put(path string, body any) answer    { u.t.Helper(); return u.do("PUT", path, body) }
func (u user) patch(path string, body any) answer  { u.t.Helper(); return u.do("PATCH", path, body) }
func (u user) delete(path string, body any) answer { u.t.Helper(); return u.do("DELETE", path, body) }

// is requires a status.
func (a answer) is(status int) answer {
	a.t.Helper()
	require.Equal(a.t, status, a.status, "%s", a.body)
	return a
}

// obj is the answer as an object.
func (a answer) obj() obj {
	a.t.Helper()
	var o obj
	require.NoError(a.t, json.Unmarshal(a.body, &o), "%s", a.body)
	return o
}

// list is the answer as a list of objects.
func (a answer) list() []obj {
	a.t.Helper()
	var l []obj
	require.NoError(a.t, json.Unmarshal(a.body, &l), "%s", a.body)
	return l
}

// at is a field of the answer, by a path with dots.
func (a answer) at(path string) any {
	a.t.Helper()
	return at(a.obj(), path)
}

func at(o obj, path string) any {
	var v any = o
	for key := range strings.SplitSeq(path, ".") {
		m, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		v = m[key]
	}
	return v
}

func (a answer) id() string {
	a.t.Helper()
	return num(a.at("id"))
}

func num(v any) string {
	n, _ := v.(float64)
	return itoa(int64(n))
}

// A site is a server with a repository, and those who work on it.
type site struct {
	*Server
	clock *clock
	repo  *Repo
	root  string // the first commit on main
	app   *App
	ann   user // may write
	bot   user // an installation of the App
}

func newSite(t *testing.T, o Options) site {
	t.Helper()
	c := newClock()
	o.Now = c.Now
	s := New(t, o)
	s.Org("acme", "ann", "bob")
	s.User("eve", "Eve Stranger", "eve@example.org")
	r := s.Repo("acme/config")
	r.Grant("ann", "write")
	r.Grant("bob", "read")
	app := s.App("driftback", "acme", nil)
	i := app.Install("acme", nil)
	x := site{Server: s, clock: c, repo: r, app: app, ann: user{t, s, s.Token("ann")}, bot: user{t, s, i.Token()}}
	x.root = r.Push(t, "main", map[string]string{"README": "read me\n"})
	return x
}

// opened makes a branch with one file and a pull request of it by the App.
func (x site) opened(t *testing.T, branch string) string {
	t.Helper()
	x.repo.Push(t, branch, map[string]string{branch + ".txt": "from " + branch + "\n"}, x.repo.Tip(t, "main"))
	return num(x.bot.post("repos/acme/config/pulls", obj{"title": "Change of " + branch, "head": branch, "base": "main", "body": "why"}).is(201).at("number"))
}
