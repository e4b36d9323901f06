package reconciler_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/driftback/driftback/gitstore"
	"github.com/driftback/driftback/gitstore/forge"
	"github.com/driftback/driftback/gitstore/forge/local"
	"github.com/driftback/driftback/reconciler"
	"github.com/driftback/driftback/vendors/mem"
	"github.com/driftback/driftback/vendors/resource"
)

// What several layers hold, so that the simulation does not notice one that is missing: here is what each alone is for.

// A deployment that was being undone is undone to its end before anything is decided: else what stands of it
// would be taken for agreement, and half a commit would stay.
func TestAnUndoThatWasCutOffIsFinishedFirst(t *testing.T) {
	t.Parallel()
	l := newLoop(t, mem.Options{}, "Q: a=1", "R: a=1")
	dies := true
	whole := l.env.Platform
	l.env.Platform = &refusing{whole, func(c resource.Change) bool {
		if c.After.Key == key("Q") && c.After.Spec["a"] == "v1" && dies {
			panic("killed")
		}
		return c.After.Spec["a"] == "vbad"
	}}
	l.restart()
	l.commit(map[string]string{"Q": "a=2", "R": "a=bad"})
	require.Panics(t, func() { l.pass() })
	l.live("Q", "a=2")
	dies = false
	l.restart()
	l.pass()
	l.live("Q", "a=1")
	l.live("R", "a=1")
	require.Len(t, l.last.Deployments, 1)
	require.True(t, l.last.Deployments[0].Undone)
	l.quiet()
}

// hasty is a forge on which a person merges right after it was asked about pull requests of a branch.
type hasty struct {
	forge.Forge
	merge func()
}

func (h *hasty) Pulls(ctx context.Context, f forge.Filter) ([]forge.Pull, error) {
	ps, err := h.Forge.Pulls(ctx, f)
	if merge := h.merge; merge != nil && f.Head != "" {
		h.merge = nil
		merge()
	}
	return ps, err
}

// A person squashes what was proposed onto somebody's newer commit while the proposal is being rebuilt: what they merged is
// what they decided about. Rule 4 does not see it, as live never had what came out.
func TestAMergedFormerVersionIsWhatWasDecided(t *testing.T) {
	t.Parallel()
	const far = " k=1 l=1 m=1 p=1 "
	l := newLoop(t, mem.Options{}, "Q: a=1"+far+"z=1")
	h := &hasty{}
	l.restartWith(local.Options{}, func(c *reconciler.Config) { h.Forge, c.Forge = c.Forge, h })
	l.hand("Q", "a=1"+far+"z=2")
	l.pass()
	l.hand("Q", "a=1"+far+"z=3")
	h.merge = func() {
		l.commit(map[string]string{"Q": "a=9" + far + "z=1"})
		l.merge(local.BySquash)
	}
	l.pass()
	require.Nil(t, h.merge)
	l.inGit("Q", "a=9"+far+"z=2")
	l.pass()
	l.live("Q", "a=9"+far+"z=3")
	require.Equal(t, reconciler.Record, l.verdict("Q"))
	l.pass()
	l.pull()
	l.quiet()
}

// A revert that comes out clean and does not bring back what was there is not proposed: here the change came in with the
// merge itself, and reverting what was merged leaves it.
func TestARevertIsWeighedAgainstWhatItRestores(t *testing.T) {
	t.Parallel()
	const far = " k=1 l=1 m=1 p=1 "
	l := newLoop(t, mem.Options{}, "Q: a=1"+far+"z=1")
	l.refuse(false)
	begin := l.refs()[mainRef]
	const side = "refs/heads/side"
	require.NoError(t, l.git.Push(ctx, gitstore.Update{Ref: side, New: begin}))
	merged := l.edit(side, gitstore.Edit{path("Q"): []byte(yaml(spec("a=1" + far + "z=2")))})
	c, err := l.git.Write(begin, []gitstore.ID{begin, merged}, gitstore.Edit{path("Q"): []byte(yaml(spec("a=bad" + far + "z=2")))}, gitstore.Signature{Name: "ann"}, "merge side")
	require.NoError(t, err)
	require.NoError(t, l.git.Push(ctx, gitstore.Update{Ref: mainRef, Old: begin, New: c.ID}))
	l.pass()
	require.True(t, l.last.Deployments[0].Undone)
	l.merge(local.ByMerge)
	l.inGit("Q", "a=1"+far+"z=1")
	l.pass()
	l.live("Q", "a=1"+far+"z=1")
	l.quiet()
}
