package simulator

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A browser keeps cookies and follows links.
type browser struct {
	t    *testing.T
	http *http.Client
	base string
}

func newBrowser(w *world) browser {
	jar, err := cookiejar.New(nil)
	require.NoError(w.t, err)
	return browser{w.t, &http.Client{Jar: jar}, w.http.URL}
}

func (b browser) read(a *http.Response, err error) (int, string) {
	b.t.Helper()
	require.NoError(b.t, err)
	defer a.Body.Close()
	body, err := io.ReadAll(a.Body)
	require.NoError(b.t, err)
	require.Contains(b.t, string(body), "This is a simulator", "every page says so")
	return a.StatusCode, string(body)
}

func (b browser) get(path string) (int, string) { return b.read(b.http.Get(b.base + path)) }

func (b browser) post(path string, form url.Values) (int, string) {
	return b.read(b.http.PostForm(b.base+path, form))
}

// TestPages changes a queue and a schedule by hand, as a person whom the audit log names.
func TestPages(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Options{})
	by := w.org.By("Setup")
	queue, err := by.Create("queue", value{"name": "Support <b>", "acwSettings": value{"wrapupPrompt": "MANDATORY_TIMEOUT", "timeoutMs": 30000}})
	require.NoError(t, err)
	schedule, err := by.Create("schedule", value{"name": "Open", "start": "2026-01-01T08:00:00", "end": "2026-01-01T18:00:00"})
	require.NoError(t, err)
	w.clock.pass(time.Hour)
	b := newBrowser(w)
	_, home := b.get("/admin/Acme/queue/" + queue)
	require.Contains(t, home, "Your name", "who is not signed in is asked to")
	_, edit := b.post("/signin", url.Values{"name": {"Ada Example"}, "next": {"/admin/Acme/queue/" + queue}})
	require.Contains(t, edit, "Signed in as <strong>Ada Example</strong>")
	require.Contains(t, edit, "Support &lt;b&gt;")
	require.NotContains(t, edit, "Support <b>")

	_, saved := b.post("/admin/Acme/queue/"+queue, url.Values{"acwSettings-timeoutMs": {"20000"}, "version": {"1"}})
	require.Contains(t, saved, "Saved.")
	require.True(t, equal(20000, asMap(w.ok("GET", "/api/v2/routing/queues/"+queue, nil)["acwSettings"])["timeoutMs"]))
	status, refused := b.post("/admin/Acme/queue/"+queue, url.Values{"acwSettings-timeoutMs": {"5"}, "version": {"2"}})
	require.Equal(t, http.StatusUnprocessableEntity, status)
	require.Contains(t, refused, "acwSettings.timeoutMs must be from 1000")
	_, late := b.post("/admin/Acme/queue/"+queue, url.Values{"description": {"late"}, "version": {"1"}})
	require.Contains(t, late, "Somebody else changed this meanwhile")
	_, saved = b.post("/admin/Acme/schedule/"+schedule, url.Values{"end": {"2026-01-01T20:00:00"}})
	require.Contains(t, saved, "Saved.")

	_, log := b.get("/admin/Acme/audit")
	require.Contains(t, log, "Ada Example")
	found := w.ok("POST", "/api/v2/audits/query/realtime", value{"interval": stamp(w.clock.Now().Add(-time.Second)) + "/" + stamp(w.clock.Now().Add(time.Hour))})["entities"].([]any)
	require.Len(t, found, 2)
	require.Equal(t, "Ada Example", text(asMap(asMap(found[0])["user"]), "name"))
	for _, path := range []string{"/", "/admin/Acme", "/admin/Acme/schedule"} {
		status, _ := b.get(path)
		require.Equal(t, http.StatusOK, status, path)
	}
	for _, path := range []string{"/admin/Other", "/admin/Acme/flow", "/admin/Acme/queue/none"} {
		status, _ := b.get(path)
		require.Equal(t, http.StatusNotFound, status, path)
	}
}

func TestForeignFormsAreRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Options{})
	r, err := http.NewRequest(http.MethodPost, w.http.URL+"/signin", nil)
	require.NoError(t, err)
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	a, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	require.NoError(t, a.Body.Close())
	require.Equal(t, http.StatusForbidden, a.StatusCode)
}
