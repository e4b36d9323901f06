package reconciler_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/driftback/driftback/gitstore"
	"github.com/driftback/driftback/reconciler"
	"github.com/driftback/driftback/reconciler/plan"
	"github.com/driftback/driftback/vendors"
	"github.com/driftback/driftback/vendors/mem"
	"github.com/driftback/driftback/vendors/resource"
)

// runningLoop is a platform where what is stored must be activated to run, all of which runs.
func runningLoop(t *testing.T, o mem.Options) *loop {
	o.Activation = true
	l := newLoop(t, o, "Q: a=1", "R: a=1", "S: a=1")
	require.NoError(t, l.platform.Activate())
	return l
}

// ran are the values of an object that the live branch kept as what ran, newest first, and what it keeps by now.
func (l *loop) ran(name string) (kept []string, now string) {
	l.Helper()
	const at = "running/"
	for id := l.refs()["refs/heads/live/prod"]; !id.IsZero(); {
		f, ok, err := l.git.File(id, at+strings.TrimPrefix(path(name), "environments/prod/"))
		require.NoError(l, err)
		if ok {
			b, err := l.git.Blob(f.ID, 0)
			require.NoError(l, err)
			kept = append(kept, string(b))
			if id == l.refs()["refs/heads/live/prod"] {
				now = string(b)
			}
		}
		c, err := l.git.CommitAt(id)
		require.NoError(l, err)
		id = gitstore.ID{}
		if len(c.Parents) > 0 {
			id = c.Parents[0]
		}
	}
	return kept, now
}

// What a person stored and did not activate would begin to run with the next deployment. The plan is held, says whose change that
// is, and goes on when there is nothing of the kind any more, or somebody says so.
func TestActivationWaitsForWhatOthersStored(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		do    func(l *loop)
		alive string
	}{
		"activated":  {func(l *loop) { require.NoError(l, l.platform.Activate()) }, "a=7"},
		"taken back": {func(l *loop) { l.hand("R", "a=1") }, "a=1"},
		"merged":     {func(l *loop) { l.mergePull(l.drift().Number) }, "a=7"},
		"overridden": {func(l *loop) {
			require.NoError(l, l.r.File(ctx, "prod", reconciler.Request{Do: reconciler.DoOverride, Detail: l.last.Overrides[0], By: "ann"}))
		}, "a=7"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := runningLoop(t, mem.Options{})
			l.hand("R", "a=7")
			l.commit(map[string]string{"Q": "a=2"})
			l.pass()
			l.live("Q", "a=1")
			require.Equal(t, map[reconciler.Gate]int{reconciler.GateRunning: 1}, l.last.HeldBy())
			require.Contains(t, l.last.Held[0].Reason, "its activation would also make run what bob stored of queue/R and did not activate: activate it, take it back, or merge it. `driftback resume prod --plan ")
			require.Equal(t, spec("a=1"), l.platform.Running()[key("R")])
			l.pass()
			l.quiet()
			c.do(l)
			l.pass()
			l.live("Q", "a=2")
			require.Equal(t, spec("a=2"), l.platform.Running()[key("Q")])
			require.Equal(t, spec(c.alive), l.platform.Running()[key("R")])
			require.Empty(t, l.last.Held)
			l.pass()
			l.quiet()
		})
	}
}

// A dry pass tells the same.
func TestLookTellsWhatAnActivationWouldMakeRun(t *testing.T) {
	t.Parallel()
	l := runningLoop(t, mem.Options{})
	l.hand("R", "a=7")
	l.commit(map[string]string{"Q": "a=2"})
	got, err := l.r.Look(ctx, "prod")
	require.NoError(t, err)
	require.Equal(t, map[reconciler.Gate]int{reconciler.GateRunning: 1}, got.HeldBy())
}

// What somebody put into memory alone is gone with the next activation: Git has it before, and lets go of it once what is stored runs.
func TestWhatRanIsKeptBeforeItIsReplaced(t *testing.T) {
	t.Parallel()
	refuse := false
	l := runningLoop(t, mem.Options{Check: func(stored map[resource.Key]resource.Spec) error {
		if refuse && resource.Equal(stored[key("Q")], spec("a=2")) {
			return errors.New("refused")
		}
		return nil
	}})
	l.platform.Poke(key("R"), spec("a=9"))
	l.platform.Poke(key("S"), nil)
	l.pass()
	l.quiet()
	refuse = true
	l.commit(map[string]string{"Q": "a=2"})
	l.pass()
	l.live("Q", "a=1")
	kept, now := l.ran("R")
	require.Equal(t, []string{yaml(spec("a=9"))}, kept[:1], "kept before the activation, which was refused and then repeated for what was before")
	require.Empty(t, now, "all that is stored runs after an undo, too")
	require.Equal(t, spec("a=1"), l.platform.Running()[key("R")])
	none, _ := l.ran("S")
	require.Empty(t, none, "what does not run is nothing that could be lost")

	refuse = false
	l.platform.Poke(key("R"), spec("a=8"))
	l.commit(map[string]string{"Q": "a=3"})
	l.pass()
	l.live("Q", "a=3")
	kept, now = l.ran("R")
	require.Equal(t, yaml(spec("a=8")), kept[0])
	require.Empty(t, now)
	require.Equal(t, l.platform.State(), l.platform.Running())
	l.pass()
	l.quiet()
}

// What runs and cannot stand in Git is not lost either: the plan waits for a person.
func TestWhatRunsAndLooksLikeACredentialHoldsTheActivation(t *testing.T) {
	t.Parallel()
	const secret = "Xq7v9Kp2mN4wR8tY6uZ1"
	l := runningLoop(t, mem.Options{})
	l.platform.Poke(key("R"), resource.Spec{"a": "1", "password": secret})
	l.commit(map[string]string{"Q": "a=2"})
	l.pass()
	l.live("Q", "a=1")
	require.Equal(t, map[reconciler.Gate]int{reconciler.GateRunning: 1}, l.last.HeldBy())
	require.Contains(t, l.last.Held[0].Reason, "queue/R runs otherwise than it is stored, and what runs looks like a credential")
	require.NotContains(t, l.last.Held[0].Reason, secret)
	require.Empty(t, l.last.Overrides, "no override takes what nobody could bring back")
	require.NoError(t, l.platform.Activate())
	l.pass()
	l.live("Q", "a=2")
}

// looksSecret is a value that is kept out of Git.
var looksSecret = resource.Spec{"a": "v1", "password": "Xq7v9Kp2mN4wR8tY6uZ1"}

// What Git does not get is compared with what runs all the same: it does not hold what others deploy while it runs as it is stored, and
// does when it would only now begin to run.
func TestWhatIsWithheldRunsAsItIsStored(t *testing.T) {
	t.Parallel()
	huge := resource.Spec{"a": strings.Repeat("x", 2<<20)} // more than a file may have
	for name, stored := range map[string]resource.Spec{"looks like a credential": looksSecret, "too large": huge} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := runningLoop(t, mem.Options{})
			require.NoError(t, l.platform.Put(key("R"), stored, "bob"))
			l.commit(map[string]string{"Q": "a=2"})
			l.pass()
			l.live("Q", "a=1")
			require.Contains(t, l.last.Held[0].Reason, "its activation would also make run what bob stored of queue/R and did not activate")
			require.NoError(t, l.platform.Activate())
			l.pass()
			require.Empty(t, l.last.Held)
			l.live("Q", "a=2")
		})
	}
}

// What runs and looks like a credential is not lost where Git has had it for long.
func TestWhatRunsAndGitHasAlreadyHoldsNothing(t *testing.T) {
	t.Parallel()
	l := runningLoop(t, mem.Options{})
	require.NoError(t, l.platform.Put(key("R"), looksSecret, "bob"))
	require.NoError(t, l.platform.Activate())
	l.edit(mainRef, gitstore.Edit{path("R"): []byte(yaml(looksSecret))})
	l.pass()
	l.hand("R", "a=1")
	l.commit(map[string]string{"Q": "a=2"})
	l.pass()
	require.Contains(t, l.last.Held[0].Reason, "bob stored of queue/R", "not that it would be lost")
	l.mergePull(l.drift().Number)
	l.pass()
	l.live("Q", "a=2")
	require.Equal(t, spec("a=1"), l.platform.Running()[key("R")])
}

// What lets a plan pass says nothing of what others store later, or of what it did not speak of.
func TestOverrideOfAPlanDoesNotActivateWhatOthersStored(t *testing.T) {
	t.Parallel()
	l := runningLoop(t, mem.Options{})
	l.env.Guard = plan.Limits{Deletes: 1}
	l.restart()
	override := func() {
		require.Len(t, l.last.Overrides, 1)
		require.NoError(t, l.r.File(ctx, "prod", reconciler.Request{Do: reconciler.DoOverride, Detail: l.last.Overrides[0], By: "ann", At: l.now}))
	}
	held := func(gate reconciler.Gate) {
		require.Equal(t, map[reconciler.Gate]int{gate: 2}, l.last.HeldBy())
		l.live("Q", "a=1")
	}
	l.commit(map[string]string{"Q": "", "S": ""})
	l.pass()
	held(reconciler.GateGuard)
	override()
	l.hand("R", "a=7")
	l.pass()
	held(reconciler.GateRunning)
	override()
	l.hand("R", "a=8")
	l.pass()
	held(reconciler.GateRunning)
	l.quiet()
	override()
	l.pass()
	l.live("Q", "")
	l.live("S", "")
	require.Equal(t, spec("a=8"), l.platform.Running()[key("R")])
}

// What is protected and what others stored are let pass one after the other.
func TestOverrideOfWhatIsProtectedAndOfWhatOthersStored(t *testing.T) {
	t.Parallel()
	l := runningLoop(t, mem.Options{})
	l.edit(mainRef, gitstore.Edit{"driftback.rules.yaml": []byte("protect: [queue/S]\n")})
	l.hand("R", "a=7")
	l.commit(map[string]string{"Q": "a=2", "S": "a=2"})
	for range 2 {
		l.pass()
		l.live("S", "a=1")
		require.NoError(t, l.r.File(ctx, "prod", reconciler.Request{Do: reconciler.DoOverride, Detail: l.last.Overrides[0], By: "ann", At: l.now}))
	}
	l.pass()
	l.live("Q", "a=2")
	l.live("S", "a=2")
}

// What somebody puts into memory while a deployment is cut off is kept before the next process activates, or waits for a person.
func TestWhatRanIsKeptByWhoFinishesADeployment(t *testing.T) {
	t.Parallel()
	l := runningLoop(t, mem.Options{})
	l.env.Platform = &deadly{Platform: l.env.Platform}
	l.restart()
	l.commit(map[string]string{"Q": "a=2"})
	require.Panics(t, func() { l.pass() })
	l.platform.Poke(key("R"), looksSecret)
	l.hand("S", "a=4")
	l.restart()
	_, err := l.r.Once(ctx, "prod")
	require.ErrorContains(t, err, "waits: queue/R runs otherwise than it is stored, and what runs looks like a credential")
	refs := l.refs()
	f, _, err := l.git.File(refs[liveRef], "queue/S.yaml")
	require.NoError(t, err)
	seen, err := l.git.Blob(f.ID, 0)
	require.NoError(t, err)
	require.Equal(t, yaml(spec("a=4")), string(seen))
	l.live("Q", "a=1")
	_, err = l.r.Once(ctx, "prod") // remembers that this was taken back, so that a person can activate what is stored
	require.Error(t, err)
	refs = l.refs()
	_, err = l.r.Once(ctx, "prod")
	require.Error(t, err)
	require.Equal(t, refs, l.refs(), "while it waits, what was seen is in Git, and nothing more is written")
	require.Equal(t, looksSecret, l.platform.Running()[key("R")])
	l.platform.Poke(key("R"), spec("a=9"))
	l.pass()
	kept, now := l.ran("R")
	require.Equal(t, []string{yaml(spec("a=9"))}, kept[:1])
	require.Empty(t, now)
	none, _ := l.ran("Q")
	require.Empty(t, none, "what ran before the deployment began is in Git already")
	require.Equal(t, l.platform.State(), l.platform.Running())
	l.live("Q", "a=2")
	l.quiet()
}

// Before anything was ever recorded, there is nothing in the way of keeping what runs.
func TestWhatRanIsKeptWithoutALiveBranch(t *testing.T) {
	t.Parallel()
	l := newLoop(t, mem.Options{Activation: true})
	l.pass()
	require.True(t, l.refs()[liveRef].IsZero())
	l.commit(map[string]string{"Q": "a=2"})
	l.platform.Poke(key("Z"), spec("a=5"))
	refs := l.refs()
	_, err := l.r.Look(ctx, "prod")
	require.NoError(t, err)
	require.Equal(t, refs, l.refs())
	l.pass()
	l.live("Q", "a=2")
	kept, now := l.ran("Z")
	require.Equal(t, []string{yaml(spec("a=5"))}, kept[:1])
	require.Empty(t, now)
	l.quiet()
}

// What was let pass and waits for something else by now can be taken back.
func TestCancelOfWhatWaitsForMore(t *testing.T) {
	t.Parallel()
	l := runningLoop(t, mem.Options{})
	l.env.Guard = plan.Limits{Deletes: 1}
	l.restart()
	pull := l.develop("many", map[string]string{"Q": "", "S": ""})
	l.pass()
	l.mergePull(pull.Number)
	l.pass()
	l.comment(pull.Number, "/apply")
	l.hand("R", "a=7")
	l.pass()
	require.Equal(t, map[reconciler.Gate]int{reconciler.GateRunning: 2}, l.last.HeldBy())
	l.comment(pull.Number, "/cancel")
	l.pass()
	require.Contains(t, l.answer(pull.Number), "may not pass any more")
	require.Equal(t, map[reconciler.Gate]int{reconciler.GateGuard: 2}, l.last.HeldBy())
	l.live("Q", "a=1")
}

// secretive is a platform that does not tell what runs, in other words each time.
type secretive struct {
	reconciler.Platform
	n int
}

func (m *secretive) Runner() (vendors.Runner, bool) { return m, true }

func (m *secretive) Running(context.Context, vendors.Request) (*resource.Snapshot, error) {
	m.n++
	return nil, fmt.Errorf("request %d: timeout", m.n)
}

// Nothing is activated over what could not be read, and nobody is told of each try.
func TestWhatRunsCannotBeRead(t *testing.T) {
	t.Parallel()
	l := runningLoop(t, mem.Options{})
	readable := l.env.Platform
	l.env.Platform = &secretive{Platform: readable}
	l.restart()
	pull := l.develop("topic", map[string]string{"Q": "a=2"})
	l.pass()
	l.mergePull(pull.Number)
	l.pass()
	require.Contains(t, l.said(pull.Number)["result/prod"], "what runs could not be read")
	require.NotContains(t, l.said(pull.Number)["result/prod"], "/apply")
	require.Contains(t, l.last.Unknown[0].Reason, "timeout")
	l.quiet()
	l.live("Q", "a=1")
	l.env.Platform = readable
	l.restart()
	l.pass()
	l.live("Q", "a=2")
}
