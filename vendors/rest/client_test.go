package rest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/driftback/driftback/vendors"
)

// wire is a platform without a network: it answers each request by a function.
type wire func(r *http.Request) (status int, header http.Header, body string)

func (w wire) RoundTrip(r *http.Request) (*http.Response, error) {
	status, h, body := w(r)
	if status < 0 {
		return nil, errors.New("connection reset")
	}
	if h == nil {
		h = http.Header{}
	}
	return &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(strings.NewReader(body)), Request: r}, r.Context().Err()
}

func client(t *testing.T, o Options, w wire) *Client {
	t.Helper()
	o.BaseURL, o.Transport = "https://api.example.test", w
	c, err := newClient(&Platform{Name: "test", Errors: Errors{Message: "message", Throttled: []string{"rate limit exceeded"}}, Rate: Rate{PerMinute: 300}}, o)
	require.NoError(t, err)
	return c
}

// mostInWindow is the largest number of moments that lie within one window.
func mostInWindow(moments []time.Time) int {
	slices.SortFunc(moments, time.Time.Compare)
	most, from := 0, 0
	for i := range moments {
		for moments[i].Sub(moments[from]) >= window {
			from++
		}
		most = max(most, i-from+1)
	}
	return most
}

func TestBudgetIsNeverExceeded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var came []time.Time
		rnd := rand.New(rand.NewPCG(1, 2))
		c := client(t, Options{}, func(r *http.Request) (int, http.Header, string) {
			mu.Lock()
			there, back := time.Duration(rnd.Int64N(int64(5*time.Second))), time.Duration(rnd.Int64N(int64(time.Second)))
			if rnd.IntN(20) > 0 {
				there, back = there/1000, back/1000
			}
			mu.Unlock()
			time.Sleep(there) // the platform counts when a request comes, not when it is sent
			mu.Lock()
			came = append(came, time.Now())
			mu.Unlock()
			time.Sleep(back)
			return 200, nil, "{}"
		})
		begun := time.Now()
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				for range 250 {
					_, err := c.Do(t.Context(), Request{Path: "/x"})
					require.NoError(t, err)
				}
			})
		}
		all.Wait()
		require.Len(t, came, 2000)
		require.LessOrEqual(t, mostInWindow(came), 300)
		require.Less(t, time.Since(begun), 7*time.Minute+30*time.Second, "the budget is not used")
	})
}

// handClock stands still until somebody turns it.
type handClock struct {
	vendors.Clock
	now time.Time
}

func (c *handClock) Now() time.Time { return c.now }

func TestRemaining(t *testing.T) {
	clock := &handClock{now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	b := newBudget(300, clock)
	left := func() int {
		n, bounded := b.remaining()
		require.True(t, bounded)
		return n
	}
	require.Equal(t, 300, left())
	for range 10 {
		require.NoError(t, b.take(t.Context()))
	}
	require.Equal(t, 290, left(), "what is under way has its place")
	for range 10 {
		b.land()
	}
	require.Equal(t, 290, left(), "and keeps it for a window")
	clock.now = clock.now.Add(window + margin)
	require.Equal(t, 300, left())
	b.refused(20 * time.Second)
	clock.now = clock.now.Add(19 * time.Second)
	require.Zero(t, left(), "the platform wants none")
	clock.now = clock.now.Add(time.Second)
	require.Equal(t, 150, left(), "a refusal halves the limit")
	clock.now = clock.now.Add(window)
	require.Equal(t, 180, left(), "and a window without one adds a tenth")
	unbounded := newBudget(0, clock)
	_, bounded := unbounded.remaining()
	require.False(t, bounded)
	unbounded.refused(20 * time.Second)
	n, bounded := unbounded.remaining()
	require.True(t, bounded)
	require.Zero(t, n, "nor does one without a bound send while the platform wants none")
}

func TestLimitIsLearnt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		refused, limit := 0, 100
		var came []time.Time
		c := client(t, Options{}, func(r *http.Request) (int, http.Header, string) {
			time.Sleep(10 * time.Millisecond)
			now := time.Now()
			n := 0
			for _, at := range came {
				if now.Sub(at) < window {
					n++
				}
			}
			if n >= limit {
				refused++
				return 429, http.Header{"Retry-After": {"20"}}, `{"message":"slow down"}`
			}
			came = append(came, now)
			return 200, nil, "{}"
		})
		for range 1000 {
			_, err := c.Do(t.Context(), Request{Path: "/x", Method: "POST"})
			require.NoError(t, err, "what was refused for its number is sent again, also a POST")
		}
		require.Less(t, refused, 60)
		require.LessOrEqual(t, c.budget.limit, 150)
		limit = 1 << 30
		for range 3000 {
			_, err := c.Do(t.Context(), Request{Path: "/x"})
			require.NoError(t, err)
		}
		require.Equal(t, 300, c.budget.limit, "the limit does not recover")
	})
}

func TestRepeats(t *testing.T) {
	tests := map[string]struct {
		request Request
		answers []int // one a try; the last one goes on
		tries   int
		class   error
	}{
		"a reading":               {Request{}, []int{-1, 503, 200}, 3, nil},
		"a reading without end":   {Request{}, []int{500}, 5, nil},
		"a creation is not":       {Request{Method: "POST"}, []int{503}, 1, nil},
		"a lost creation is not":  {Request{Method: "POST"}, []int{-1}, 1, nil},
		"a guarded write":         {Request{Method: "PUT", Repeat: true}, []int{-1, 200}, 2, nil},
		"a query by POST":         {Request{Method: "POST", Reads: true}, []int{502, 200}, 2, nil},
		"refused for its value":   {Request{Method: "PUT", Repeat: true}, []int{400}, 1, vendors.ErrInvalid},
		"stale":                   {Request{Method: "PUT", Repeat: true}, []int{409}, 1, vendors.ErrConflict},
		"stale, says a time-out":  {Request{Method: "PUT", Repeat: true}, []int{408}, 1, vendors.ErrConflict},
		"timed out and repeated":  {Request{Method: "POST", Repeat: true}, []int{408, 200}, 2, nil},
		"gone":                    {Request{}, []int{410}, 1, ErrMissing},
		"timed out is not there":  {Request{}, []int{408}, 1, ErrMissing},
		"forbidden":               {Request{}, []int{403}, 1, vendors.ErrDenied},
		"redirected elsewhere":    {Request{}, []int{302}, 1, vendors.ErrInvalid},
		"no such method":          {Request{Method: "PATCH"}, []int{405}, 1, vendors.ErrUnsupported},
		"busy, and failing once":  {Request{}, []int{429, 429, 429, 429, 503, 200}, 6, nil},
		"too many for a creation": {Request{Method: "POST"}, []int{429, 201}, 2, nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tries := 0
				c := client(t, Options{}, func(r *http.Request) (int, http.Header, string) {
					require.Equal(t, "api.example.test", r.URL.Host, "credentials went to another host")
					status := test.answers[min(tries, len(test.answers)-1)]
					tries++
					return status, http.Header{"Location": {"https://elsewhere.test/"}}, `{"message":"as arranged"}`
				})
				test.request.Path = "/x"
				_, err := c.Do(t.Context(), test.request)
				require.Equal(t, test.tries, tries)
				last := test.answers[min(tries, len(test.answers))-1]
				if last >= 200 && last < 300 {
					require.NoError(t, err)
					return
				}
				require.Error(t, err)
				if test.class != nil {
					require.ErrorIs(t, err, test.class)
				}
				if last > 0 {
					require.ErrorContains(t, err, "as arranged")
				}
			})
		})
	}
}

func TestToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issued, revoked := 0, map[string]bool{}
		o := Options{Auth: Auth{TokenURL: "https://login.example.test/oauth/token", ClientID: "me", ClientSecret: "very secret"}}
		throttle := true
		c := client(t, o, func(r *http.Request) (int, http.Header, string) {
			if r.URL.Host == "login.example.test" {
				user, password, _ := r.BasicAuth()
				require.Equal(t, [2]string{"me", "very+secret"}, [2]string{user, password})
				if throttle {
					throttle = false
					return 400, nil, `{"message":"invalid_request (Rate limit exceeded; wait)"}`
				}
				issued++
				return 200, nil, fmt.Sprintf(`{"access_token":"token-%d","expires_in":86400}`, issued)
			}
			token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
			if revoked[token] {
				return 401, nil, `{"message":"` + token + ` is no good"}`
			}
			return 200, nil, "{}"
		})
		get := func() error { _, err := c.Do(t.Context(), Request{Path: "/x"}); return err }
		require.NoError(t, get())
		require.NoError(t, get())
		require.Equal(t, 1, issued)
		time.Sleep(24*time.Hour - 4*time.Minute)
		require.NoError(t, get())
		require.Equal(t, 2, issued, "not renewed before its end")
		revoked["token-2"] = true
		require.NoError(t, get())
		require.Equal(t, 3, issued, "a 401 does not renew")
		maps.Copy(revoked, map[string]bool{"token-3": true, "token-4": true})
		err := get()
		require.ErrorIs(t, err, vendors.ErrDenied)
		require.Equal(t, 4, issued, "one renewal a request")
		require.NotContains(t, err.Error(), "token-4")
	})
}

func TestTokenRefused(t *testing.T) {
	o := Options{Auth: Auth{TokenURL: "https://login.example.test/t", ClientID: "me", ClientSecret: "very secret"}}
	c := client(t, o, func(r *http.Request) (int, http.Header, string) {
		return 400, nil, `{"message":"invalid client me with very secret"}`
	})
	_, err := c.Do(t.Context(), Request{Path: "/x"})
	require.ErrorIs(t, err, vendors.ErrDenied)
	require.NotContains(t, err.Error(), "very secret")
}

func TestAnswersAreBounded(t *testing.T) {
	c := client(t, Options{MaxAnswer: 1000}, func(r *http.Request) (int, http.Header, string) {
		if r.URL.Path == "/refused" {
			return 400, nil, `{"message":"` + strings.Repeat("line\n", 200) + `"}`
		}
		return 200, nil, strings.Repeat("x", 1001)
	})
	_, err := c.Do(t.Context(), Request{Path: "/x"})
	require.ErrorContains(t, err, "larger than 1000 bytes")
	_, err = c.Do(t.Context(), Request{Path: "/refused"})
	require.Less(t, len(err.Error()), 500)
	require.NotContains(t, err.Error(), "\n")
}

func TestNothingIsSentAfterTheLease(t *testing.T) {
	sent := 0
	c := client(t, Options{}, func(r *http.Request) (int, http.Header, string) { sent++; return 200, nil, "{}" })
	ctx := vendors.WithLease(context.Background(), func() bool { return false })
	_, err := c.Do(ctx, Request{Path: "/x", Method: "PUT", Repeat: true})
	require.ErrorIs(t, err, vendors.ErrLease)
	require.Zero(t, sent)
	_, err = c.Do(ctx, Request{Path: "/x"})
	require.NoError(t, err, "reading needs no lease")
	_, err = c.Do(ctx, Request{Path: "/x", Method: "POST", Reads: true})
	require.NoError(t, err)
	require.Equal(t, 2, sent)
	require.Zero(t, c.budget.flying)
}

func TestBaseURL(t *testing.T) {
	for _, bad := range []string{"", "api.example.test", "ftp://x", "https://u:p@x", "https://x?y=z"} {
		_, err := newClient(&Platform{}, Options{BaseURL: bad})
		require.Error(t, err, bad)
	}
}
