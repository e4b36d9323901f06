package genesyscloud

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/driftback/driftback/vendors/genesyscloud/simulator"
	"github.com/driftback/driftback/vendors/genesyscloud/simulator/contracttest"
	"github.com/driftback/driftback/vendors/resource"
)

// A clock is the time of a test: only Sleep moves it.
type clock struct {
	mu      sync.Mutex
	now     time.Time
	onSleep func(time.Duration) // called before each sleep
}

func newClock() *clock { return &clock{now: time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Sleep(ctx context.Context, d time.Duration) error {
	if c.onSleep != nil {
		c.onSleep(d)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(max(0, d))
	return nil
}

// A world is a platform on loopback and the time in which it lives.
type world struct {
	*simulator.Server
	clock *clock
	http  *httptest.Server
}

// newWorld starts a platform. Its time is the test's. Every request and answer is held against the vendor's contract.
func newWorld(t *testing.T, o simulator.Options) *world {
	t.Helper()
	var held *contracttest.Checked
	w := serve(t, o, func(s *simulator.Server) http.Handler {
		held = contracttest.New(t, s, "simulator/testdata/openapi.json")
		return held
	})
	t.Cleanup(func() { require.Empty(t, held.Violations(), "what the vendor's contract does not have") })
	return w
}

// newLargeWorld is one for so many objects that holding each against the contract, again and again, takes too long.
func newLargeWorld(t *testing.T, o simulator.Options) *world {
	t.Helper()
	return serve(t, o, func(s *simulator.Server) http.Handler { return s })
}

func serve(t *testing.T, o simulator.Options, through func(*simulator.Server) http.Handler) *world {
	w := &world{clock: newClock()}
	o.Now = w.clock.Now
	w.Server = simulator.New(o)
	w.http = httptest.NewServer(through(w.Server))
	t.Cleanup(w.http.Close)
	return w
}

// config is what an operator would write for an organisation of the world.
func (w *world) config(org *simulator.Org) Config {
	full, parts := Duration(0), Duration(0)
	return Config{Gateway: w.http.URL, ClientID: org.ClientID(), ClientSecret: org.Secret(), Full: &full, Parts: &parts}
}

// open opens a driver on an organisation; change may change its configuration.
func (w *world) open(t *testing.T, org *simulator.Org, change func(*Config), kinds ...resource.Kind) *Driver {
	t.Helper()
	c := w.config(org)
	if change != nil {
		change(&c)
	}
	d, err := New(c, Options{Kinds: kinds, Clock: w.clock, Jitter: func() float64 { return 0.5 }, Resubscribe: 20 * time.Millisecond})
	require.NoError(t, err)
	return d
}

// spec reads a spec from JSON, in which {"$ref": "skill/Billing"} is a reference.
func spec(t *testing.T, text string) resource.Spec {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var m map[string]any
	require.NoError(t, d.Decode(&m), text)
	v, err := resource.CanonicalSpec(withRefs(m).(map[string]any))
	require.NoError(t, err)
	return v
}

func withRefs(v any) any {
	switch v := v.(type) {
	case map[string]any:
		if s, ok := v["$ref"].(string); ok && len(v) == 1 {
			k, err := resource.ParseKey(s)
			if err != nil {
				return nil
			}
			return resource.Ref{Key: k}
		}
		out := map[string]any{}
		for k, x := range v {
			out[k] = withRefs(x)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, x := range v {
			out[i] = withRefs(x)
		}
		return out
	}
	return v
}

// key reads kind/name.
func key(s string) resource.Key {
	k, err := resource.ParseKey(s)
	if err != nil {
		panic(err)
	}
	return k
}
