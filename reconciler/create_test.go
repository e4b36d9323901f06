package reconciler_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/driftback/driftback/gitstore"
	"github.com/driftback/driftback/reconciler"
	"github.com/driftback/driftback/vendors"
	"github.com/driftback/driftback/vendors/mem"
	"github.com/driftback/driftback/vendors/resource"
)

// mute is a driver whose answers to creations get lost, and that then calls after.
type mute struct {
	vendors.Driver
	lost  int // so many more
	after func()
	fills *mem.Platform // where "open" of what is created gets a value of the platform's own; nil for nowhere
}

func (m *mute) Apply(ctx context.Context, c resource.Change) (resource.Resource, error) {
	got, err := m.Driver.Apply(ctx, c)
	if c.Before == nil && m.fills != nil && err == nil {
		got.Spec = got.Spec.Clone()
		got.Spec["open"] = "v7"
		return got, m.fills.Put(c.After.Key, got.Spec, "")
	}
	if c.Before != nil || m.lost == 0 || err != nil {
		return got, err
	}
	m.lost--
	if m.after != nil {
		m.after()
	}
	return resource.Resource{}, errors.New("read: connection reset by peer")
}

// muted puts the driver under the loop's target.
func (l *loop) muted(lost int, after func()) *mute {
	m := &mute{Driver: l.platform.Driver(), lost: lost, after: after}
	l.env.Platform = vendors.NewTarget(m, vendors.TargetOptions{Clock: l, Jitter: func() float64 { return 0 }})
	l.restart()
	return m
}

// A creation whose answer was lost is found again by its name: it is not made twice, and the journal's outcome is a success.
func TestCreateWhoseAnswerWasLostIsAdopted(t *testing.T) {
	t.Parallel()
	l := newLoop(t, mem.Options{}, "Q: a=1")
	l.muted(1, nil)
	writes := l.platform.Counts().Writes
	l.commit(map[string]string{"N": "a=1"})
	l.pass()
	l.live("N", "a=1")
	require.Equal(t, writes+1, l.platform.Counts().Writes)
	require.False(t, l.last.Deployments[0].Undone)
	l.quiet()
}

func TestCreateWhoseAnswerWasLostAndWhoDiedIsAdopted(t *testing.T) {
	t.Parallel()
	l := newLoop(t, mem.Options{}, "Q: a=1")
	l.muted(1, func() { panic("killed") })
	writes := l.platform.Counts().Writes
	l.commit(map[string]string{"N": "a=1"})
	require.Panics(t, func() { l.pass() })
	id := l.platform.ID(key("N"))
	l.restart()
	l.pass()
	require.Equal(t, writes+1, l.platform.Counts().Writes)
	require.Equal(t, id, l.platform.ID(key("N")))
	require.Zero(t, l.last.Drifted, "what we made ourselves is nobody's edit")
	l.quiet()
}

// Where two objects bear the name by then, nobody knows which is ours: nothing more is done to either, and that is told until
// somebody has cleared it up.
func TestCreateThatIsThereTwiceStopsAndReports(t *testing.T) {
	t.Parallel()
	for _, dies := range []bool{false, true} {
		l := newLoop(t, mem.Options{}, "Q: a=1")
		twin := func() {
			l.platform.Twin(key("N"))
			if dies {
				panic("killed")
			}
		}
		l.muted(1, twin)
		writes := l.platform.Counts().Writes
		l.commit(map[string]string{"N": "a=1"})
		once := func() (reconciler.Report, error) { l.now = l.now.Add(30e9); return l.r.Once(ctx, "prod") }
		if dies {
			require.Panics(t, func() { _, _ = once() })
		} else {
			_, err := once()
			require.Error(t, err)
		}
		l.restart()
		for range 3 {
			_, _ = once()
		}
		r, _ := once()
		require.Equal(t, writes+1, l.platform.Counts().Writes, "not a third one")
		told := ""
		for _, u := range r.Unknown {
			told += u.Key.String() + ": " + u.Reason + "\n"
		}
		require.Contains(t, told, "queue/N: ")
		require.Empty(t, l.pulls())
		l.platform.Untwin(key("N"))
		l.pass()
		l.pass()
		require.Equal(t, writes+1, l.platform.Counts().Writes)
		require.Zero(t, l.last.Drifted)
		l.quiet()
	}
}

// A file that Git adds where the platform has a folder of that name holds itself up, and nothing else.
func TestFileInTheWayOfAFolder(t *testing.T) {
	t.Parallel()
	l := newLoop(t, mem.Options{}, "Q: a=1")
	inside := resource.Key{Kind: "file", Name: "a/b"}
	require.NoError(t, l.platform.Put(inside, resource.RawSpec([]byte("x")), "bob"))
	l.edit(mainRef, gitstore.Edit{"environments/prod/file/a": []byte("y"), path("Q"): []byte("a: v2\n")})
	l.pass()
	l.live("Q", "a=2")
	require.Equal(t, map[reconciler.Gate]int{reconciler.GateOrder: 1}, l.last.HeldBy())
	require.Contains(t, l.last.Held[0].Reason, "in the way")
	l.quiet()
	require.NoError(t, l.platform.Delete(inside, "bob"))
	l.pass()
	got, there := l.platform.Get(resource.Key{Kind: "file", Name: "a"})
	require.True(t, there)
	require.Equal(t, resource.RawSpec([]byte("y")), got)
	l.quiet()
}
