package genesyscloud

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/driftback/driftback/vendors"
	"github.com/driftback/driftback/vendors/genesyscloud/simulator"
	"github.com/driftback/driftback/vendors/resource"
)

// A crowd edits, renames, deletes and makes objects of every kind at random.
type crowd struct {
	*testing.T
	*rand.Rand
	h hand
	d *Driver
	// now is how what was planned under a name is called by now.
	now  map[resource.Key]resource.Key
	told []string
}

func (c *crowd) called(k resource.Key) resource.Key {
	if to, ok := c.now[k]; ok {
		return to
	}
	return k
}

// act does one thing. What the platform refuses is not done.
func (c *crowd) act() {
	all := slices.Concat(examples, parted)
	e := all[c.IntN(len(all))]
	k := key(e.key)
	err := error(nil)
	what := ""
	switch n := c.IntN(10); {
	case n < 7:
		what = "put"
		n := c.IntN(max(1, min(4, e.values)))
		if e.values == 0 {
			n = c.IntN(4)
		}
		spec, _ := renamedRefs(map[string]any(e.spec(c.T, n)), c.called).(map[string]any)
		if k.Kind == flow && n > 1 {
			spec["content"] = "inboundCall:\n  startUpRef: here\n  tasks:\n    - transferToAcd:\n        targetQueue:\n          lit:\n            name: " + c.called(key("queue/Support")).Name + "\n"
		}
		if c.IntN(4) == 0 {
			what = "deploy"
			err = c.deploy(resource.Resource{Key: c.called(k), Spec: spec})
			break
		}
		err = c.h.put(c.called(k), spec)
	case n < 9:
		to := resource.Key{Kind: k.Kind, Name: k.Name + fmt.Sprint(c.IntN(3))}
		what = "rename to " + to.Name
		if strings.Contains(k.Name, "/") || e.without["ForeignRename"] != "" || k.Kind == routingsettings || k.Kind == utilization {
			return
		}
		if err = c.h.rename(c.called(k), to); err == nil {
			c.now[k] = to
		}
	default:
		what = "delete"
		err = c.h.delete(c.called(k))
	}
	c.told = append(c.told, fmt.Sprintf("%s %s: %v", what, k, err))
}

// deploy writes a value over what was read last, as driftback does.
func (c *crowd) deploy(after resource.Resource) error {
	s, err := c.d.Read(c.Context(), []resource.Key{after.Key})
	if err != nil {
		return err
	}
	before, err := s.Resource(after.Key)
	if err != nil {
		return err
	}
	_, err = c.d.Apply(c.Context(), resource.Change{Before: before, After: &after})
	return err
}

func renamedRefs(v any, called func(resource.Key) resource.Key) any {
	switch v := v.(type) {
	case resource.Ref:
		return resource.Ref{Key: called(v.Key)}
	case map[string]any:
		out := map[string]any{}
		for k, x := range v {
			out[k] = renamedRefs(x, called)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, x := range v {
			out[i] = renamedRefs(x, called)
		}
		return out
	}
	return v
}

// Whatever people do, a driver that relies on the audit and looks at parts in turn says the same as one that reads everything,
// a minute later.
func TestReadingWhatTheAuditNamesIsReadingEverything(t *testing.T) {
	t.Parallel()
	for seed := range uint64(wildSeeds) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			o := simulator.Options{Rate: -1, Seed: seed}
			if seed%2 == 1 {
				o.ListLag, o.ReadLag = 30*time.Second, 45*time.Second
			}
			w := newWorld(t, o)
			require.NoError(t, w.clock.Sleep(t.Context(), 2*time.Minute)) // the home division is shown by then
			org := w.Org("Acme")
			include := func(c *Config) {
				c.Include = []string{"user", "datatablerow", "queue.members", "user.skills", "user.languages", "user.roles"}
			}
			objects := centre(t)
			for _, e := range slices.Concat(colleagues, parted) {
				objects = append(objects, resource.Resource{Key: key(e.key), Spec: e.spec(t, 0)})
			}
			fill(t, w.open(t, org, include), objects)
			require.NoError(t, w.clock.Sleep(t.Context(), 20*time.Minute))
			d := w.open(t, org, func(c *Config) { include(c); *c.Full, *c.Parts = defaultFull, defaultParts })
			known := observe(t, d)
			c := &crowd{T: t, Rand: rand.New(rand.NewPCG(seed, 1)), h: hand{w, org, "Ann Lee"}, d: d, now: map[resource.Key]resource.Key{}}
			for range 30 {
				for range 1 + c.IntN(3) {
					c.act()
				}
				for _, wait := range []int{1 + c.IntN(40), 61, 61} {
					require.NoError(t, w.clock.Sleep(t.Context(), time.Duration(wait)*time.Second))
					s, err := d.Observe(t.Context(), vendors.Request{Known: known})
					require.NoError(t, err)
					known = s
				}
				all := observe(t, w.open(t, org, include))
				for k, h := range hashes(all) {
					require.Equal(t, h, known.Hash(k), "%s, after %q", k, c.told)
				}
				require.Equal(t, all.Len(), known.Len(), "%q", c.told)
			}
		})
	}
}

// wildSeeds is how many crowds are let in.
const wildSeeds = 4
