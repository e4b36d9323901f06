package reconciler_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/driftback/driftback/reconciler"
	"github.com/driftback/driftback/vendors/mem"
	"github.com/driftback/driftback/vendors/resource"
)

// A doubting platform notes which creations it is told to doubt. While deaf, no answer to a write comes.
type doubting struct {
	reconciler.Platform
	deaf  bool
	keys  []resource.Key
	until time.Time
}

func (d *doubting) Doubt(keys []resource.Key, until time.Time) { d.keys, d.until = keys, until }

func (d *doubting) Apply(ctx context.Context, c resource.Change) (resource.Resource, error) {
	if d.deaf {
		return resource.Resource{}, errors.New("no answer")
	}
	return d.Platform.Apply(ctx, c)
}

// A process that finishes another one's deployment tells the platform which creations may be on their way, and up to when; one
// that finishes its own knows that.
func TestCreationsOfAnEndedProcessAreDoubted(t *testing.T) {
	t.Parallel()
	for _, gaveUp := range []bool{false, true} {
		l := newLoop(t, mem.Options{}, "Q: a=1", "S: a=1")
		d := &doubting{Platform: l.env.Platform}
		l.env.Platform = d
		l.restart()
		l.pass()
		l.commit(map[string]string{"R": "a=1", "Q": "a=2", "S": ""})
		d.deaf = true
		_, err := l.r.Once(ctx, "prod")
		require.ErrorContains(t, err, "no answer")
		begun := l.now
		_, err = l.r.Once(ctx, "prod")
		require.ErrorContains(t, err, "no answer")
		require.Empty(t, d.keys, "its own")
		want := begun.Add(time.Minute - 15*time.Second)
		if gaveUp {
			require.NoError(t, l.r.Close(ctx))
		}
		d.deaf = false
		l.restart()
		l.pass()
		if gaveUp {
			want = l.now
		}
		require.Equal(t, []resource.Key{key("R")}, d.keys)
		require.Equal(t, want, d.until)
		l.live("R", "a=1")
		l.quiet()
	}
}
