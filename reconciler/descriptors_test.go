package reconciler_test

import (
	"context"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/driftback/driftback/reconciler"
	"github.com/driftback/driftback/vendors"
	"github.com/driftback/driftback/vendors/mem"
	"github.com/driftback/driftback/vendors/resource"
)

// older is a driver of a version that did not know field c yet.
type older struct{ vendors.Driver }

func (d older) Kinds() []resource.KindInfo {
	out := slices.Clone(d.Driver.Kinds())
	for i := range out {
		out[i].Fields = append([]resource.Field{{Path: "c", Volatile: true}}, out[i].Fields...)
	}
	return out
}

func (d older) Observe(ctx context.Context, r vendors.Request) (*resource.Snapshot, error) {
	s, err := d.Driver.Observe(ctx, r)
	return d.known(s), err
}

func (d older) Read(ctx context.Context, keys []resource.Key) (*resource.Snapshot, error) {
	s, err := d.Driver.Read(ctx, keys)
	return d.known(s), err
}

func (d older) known(s *resource.Snapshot) *resource.Snapshot {
	over := resource.Overlay{}
	for e := range s.Entries() {
		if r, err := s.Resource(e.Key); err == nil && r.Spec["c"] != nil {
			spec := r.Spec.Clone()
			delete(spec, "c")
			over[e.Key] = &resource.Resource{Key: e.Key, Spec: spec, Origin: r.Origin}
		}
	}
	return s.With(over)
}

// ofVersion restarts the daemon with a driver of another version of the program.
func (l *loop) ofVersion(d vendors.Driver) {
	l.env.Platform = vendors.NewTarget(d, vendors.TargetOptions{Clock: l})
	l.restart()
}

// Enforce must not take away what only the program did not know: DESIGN §4.
func TestAFieldThatAnOlderVersionDidNotKnowIsLeftUntilGitNamesIt(t *testing.T) {
	t.Parallel()
	l := newLoop(t, mem.Options{Kinds: []resource.KindInfo{{Kind: "queue", Can: resource.Capabilities{Create: true, Update: true, Delete: true, Rename: true}}}})
	l.env.Mode = reconciler.Enforce
	l.ofVersion(older{l.platform.Driver()})
	l.hand("Q", "a=1 c=1")
	l.hand("R", "a=1 c=1")
	l.commit(map[string]string{"Q": "a=1", "R": "a=1"})
	l.pass()
	l.quiet()

	l.ofVersion(l.platform.Driver())
	l.pass()
	l.live("Q", "a=1 c=1")
	require.Equal(t, reconciler.Record, l.verdict("Q"))
	l.quiet()

	l.hand("Q", "a=2 c=1") // what is known is enforced as ever
	l.pass()
	l.live("Q", "a=1 c=1")

	l.commit(map[string]string{"Q": "a=1 c=2", "R": "a=2"})
	l.pass()
	l.live("Q", "a=1 c=2")
	l.live("R", "a=2 c=1")

	l.commit(map[string]string{"Q": "a=1"}) // named once, it is Git's to take away
	l.pass()
	l.live("Q", "a=1")

	l.hand("R", "a=2 b=1 c=1") // and what was always known is no news
	l.pass()
	l.live("R", "a=2 c=1")
}
