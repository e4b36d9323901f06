package local_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/driftback/driftback/gitstore"
	"github.com/driftback/driftback/gitstore/forge"
	"github.com/driftback/driftback/gitstore/forge/forgetest"
	"github.com/driftback/driftback/gitstore/forge/local"
)

var errCut = errors.New("connection cut")

// A faulty remote does to each call what its functions say. It counts the calls.
type faulty struct {
	gitstore.Remote
	mu     sync.Mutex
	asked  int
	pushed int
	// refs and push are given the call to make, and may make it or not; nil makes it.
	refs func(call func() error) error
	push func(ups []gitstore.Update, call func() error) error
}

func (r *faulty) Refs(ctx context.Context) (refs gitstore.Refs, atomic bool, err error) {
	r.mu.Lock()
	r.asked++
	f := r.refs
	r.mu.Unlock()
	call := func() (err error) { refs, atomic, err = r.Remote.Refs(ctx); return err }
	if f == nil {
		return refs, atomic, call()
	}
	err = f(call)
	return refs, atomic, err
}

func (r *faulty) Push(ctx context.Context, ups []gitstore.Update, out *gitstore.Outgoing) error {
	r.mu.Lock()
	r.pushed++
	f := r.push
	r.mu.Unlock()
	call := func() error { return r.Remote.Push(context.WithoutCancel(ctx), ups, out) } // it may be called late
	if f == nil {
		return call()
	}
	return f(ups, call)
}

// set replaces what happens to pushes and lists of refs.
func (r *faulty) set(refs func(func() error) error, push func([]gitstore.Update, func() error) error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.refs, r.push = refs, push
}

// counted returns the calls since the last time.
func (r *faulty) counted() (asked, pushed int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	asked, pushed = r.asked, r.pushed
	r.asked, r.pushed = 0, 0
	return asked, pushed
}

// faultySite returns a site with a branch topic, and its remote. Only clients of on go through the faults.
func faultySite(t *testing.T, atomic bool) (plain, on site, remote *faulty) {
	t.Helper()
	memory := gitstore.NewMemoryRemote()
	memory.SetAtomic(atomic)
	remote = &faulty{Remote: memory}
	plain, on = onRemote(t, memory), onRemote(t, remote)
	root := plain.git.Push(t, forgetest.Main, map[string]string{"README": "read me\n"})
	plain.git.Push(t, "topic", map[string]string{"topic.txt": "t\n"}, root)
	return plain, on, remote
}

var topic = forge.Pull{Head: "topic", Base: forgetest.Main, Title: "Topic"}

func TestRequests(t *testing.T) {
	t.Parallel()
	_, on, remote := faultySite(t, true)
	f := on.client(t, local.Options{})
	p, err := f.EnsurePull(t.Context(), topic)
	require.NoError(t, err)
	remote.counted()

	for name, c := range map[string]struct {
		call          func() error
		asked, pushed int
	}{
		"a write when nobody else wrote": {func() error { return f.EnsureComment(t.Context(), p.Number, "k", "text") }, 0, 1},
		"nothing to write":               {func() error { _, err := f.EnsurePull(t.Context(), topic); return err }, 1, 0},
		"a list":                         {func() error { _, err := f.Pulls(t.Context(), forge.Filter{}); return err }, 1, 0},
		"what is not there":              {func() error { _, _ = f.Comments(t.Context(), 99); return nil }, 1, 0},
	} {
		require.NoError(t, c.call(), name)
		asked, pushed := remote.counted()
		require.Equal(t, [2]int{c.asked, c.pushed}, [2]int{asked, pushed}, "requests of: %s", name)
	}
}

// A client that has not looked for a while sees what people did with git meanwhile.
func TestLooksAgain(t *testing.T) {
	t.Parallel()
	plain, on, _ := faultySite(t, true)
	f := on.client(t, local.Options{})
	p, err := f.EnsurePull(t.Context(), topic)
	require.NoError(t, err)
	root := plain.git.Tip(t, "main")
	plain.git.Push(t, "other", map[string]string{"o": "o\n"}, root)
	_, err = f.EnsurePull(t.Context(), forge.Pull{Head: "other", Base: "main", Title: "Other"})
	require.NoError(t, err, "a branch that is new")
	_, err = f.EnsurePull(t.Context(), forge.Pull{Head: "other", State: forge.Closed})
	require.NoError(t, err)

	plain.git.Set(t, "other", "")
	_, err = f.EnsurePull(t.Context(), forge.Pull{Head: "other", Base: "main", Title: "Other"})
	require.ErrorIs(t, err, forge.ErrNotFound, "a branch that is gone")
	plain.git.Push(t, "main", map[string]string{"topic.txt": "t\n"}, root, p.HeadID)
	closed, err := f.EnsurePull(t.Context(), forge.Pull{Head: "topic", State: forge.Closed})
	require.NoError(t, err)
	require.Zero(t, closed, "what is merged is not closed")
	got, err := f.Pull(t.Context(), p.Number)
	require.NoError(t, err)
	require.Equal(t, forge.Merged, got.State)
}

// The answer to a push is lost, and so is the first question after it: done or not, a comment is there once.
func TestCommentUnknownOutcome(t *testing.T) {
	t.Parallel()
	for name, arrives := range map[string]bool{"arrived": true, "did not arrive": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			plain, on, remote := faultySite(t, true)
			f := on.client(t, local.Options{User: "ann"})
			p, err := f.EnsurePull(t.Context(), topic)
			require.NoError(t, err)
			remote.set(func(func() error) error { remote.set(nil, nil); return errCut },
				func(_ []gitstore.Update, call func() error) error {
					if arrives {
						require.NoError(t, call())
						// Somebody else goes on from there, so that the tip is not ours any more.
						_, err := plain.client(t, local.Options{User: "ben"}).Comment(t.Context(), p.Number, "later")
						require.NoError(t, err)
					}
					return errCut
				})
			c, err := f.Comment(t.Context(), p.Number, "/once")
			require.NoError(t, err)
			require.Equal(t, "ann", c.Author)
			comments, err := f.Comments(t.Context(), p.Number)
			require.NoError(t, err)
			once := 0
			for _, has := range comments {
				if has.Body == "/once" {
					require.Equal(t, c, has)
					once++
				}
			}
			require.Equal(t, 1, once)
		})
	}
}

// A push that seemed lost arrives while it is being done again.
func TestCommentArrivesLate(t *testing.T) {
	t.Parallel()
	_, on, remote := faultySite(t, true)
	var at int64
	f := on.client(t, local.Options{Now: func() time.Time { at += 10; return time.Unix(at, 0) }})
	_, err := f.EnsurePull(t.Context(), topic)
	require.NoError(t, err)
	var late func() error
	remote.set(func(func() error) error { remote.set(nil, remote.push); return errCut },
		func(_ []gitstore.Update, call func() error) error {
			if late == nil {
				late = call
				return errCut
			}
			require.NoError(t, late())
			remote.set(nil, nil)
			return call()
		})
	c, err := f.Comment(t.Context(), 1, "once")
	require.NoError(t, err)
	comments, err := f.Comments(t.Context(), 1)
	require.NoError(t, err)
	require.Len(t, comments, 1)
	require.Equal(t, c.ID, comments[0].ID)
}

// As long as nobody knows whether a comment arrived, it is not written again.
func TestCommentOutcomeStaysUnknown(t *testing.T) {
	t.Parallel()
	_, on, remote := faultySite(t, true)
	f := on.client(t, local.Options{})
	_, err := f.EnsurePull(t.Context(), topic)
	require.NoError(t, err)
	deaf := 2 // the push's own question, and the forge's
	remote.set(func(call func() error) error {
		if deaf--; deaf >= 0 {
			return errCut
		}
		return call()
	}, func(_ []gitstore.Update, call func() error) error {
		require.NoError(t, call())
		return errCut
	})
	_, err = f.Comment(t.Context(), 1, "once")
	require.ErrorIs(t, err, gitstore.ErrUnknownOutcome)
	comments, err := f.Comments(t.Context(), 1)
	require.NoError(t, err)
	require.Len(t, comments, 1)
}

// Each write loses its race a few times.
func TestLostRaces(t *testing.T) {
	t.Parallel()
	plain, on, remote := faultySite(t, true)
	other := plain.client(t, local.Options{User: "ben"})
	var waits []int
	patience := 10
	f := on.client(t, local.Options{Wait: func(_ context.Context, lost int) error {
		waits = append(waits, lost)
		if lost > patience {
			return errCut
		}
		return nil
	}})
	_, err := f.EnsurePull(t.Context(), topic)
	require.NoError(t, err)
	races := 3
	lose := func(_ []gitstore.Update, call func() error) error {
		if races > 0 {
			races--
			_, err := other.Comment(t.Context(), 1, "faster")
			require.NoError(t, err)
		}
		return call()
	}
	remote.set(nil, lose)
	_, err = f.Comment(t.Context(), 1, "at last")
	require.NoError(t, err)
	require.Equal(t, []int{1, 2, 3}, waits)
	comments, err := f.Comments(t.Context(), 1)
	require.NoError(t, err)
	require.Len(t, comments, 4)
	require.Equal(t, "at last", comments[3].Body)

	races, waits, patience = 1000, nil, 1000
	_, err = f.Comment(t.Context(), 1, "never")
	require.ErrorIs(t, err, gitstore.ErrStale, "the attempts are bounded")
	require.Less(t, len(waits), 100)
	patience = 0
	_, err = f.Comment(t.Context(), 1, "never")
	require.ErrorIs(t, err, errCut, "who waits may end it")
}

// The remote moves one ref at a time, and the base branch's push is cut off, before or after it happened.
func TestMergeCutOff(t *testing.T) {
	t.Parallel()
	for _, method := range []local.Method{local.ByMerge, local.BySquash, local.ByRebase} {
		for name, arrives := range map[string]bool{"arrived": true, "did not arrive": false} {
			t.Run(string(method)+" "+name, func(t *testing.T) {
				t.Parallel()
				plain, on, remote := faultySite(t, false)
				f, other := on.client(t, local.Options{User: "ann"}), plain.client(t, local.Options{User: "ben"})
				_, err := f.EnsurePull(t.Context(), topic)
				require.NoError(t, err)
				cut := func(func() error) error { return errCut }
				remote.set(nil, func(ups []gitstore.Update, call func() error) error {
					if ups[0].Ref != "refs/heads/main" {
						return call()
					}
					if arrives {
						require.NoError(t, call())
					}
					remote.set(cut, func([]gitstore.Update, func() error) error { return errCut }) // gone for good
					return errCut
				})
				_, err = f.MergeWith(t.Context(), 1, local.MergeOptions{Method: method})
				require.ErrorIs(t, err, errCut)

				got, err := other.Pull(t.Context(), 1)
				require.NoError(t, err)
				tip := plain.git.Tip(t, forgetest.Main)
				if !arrives {
					require.Equal(t, forge.Open, got.State)
					// Others work on it meanwhile, and it is merged again.
					changed := topic
					changed.Body = "changed"
					_, err = other.EnsurePull(t.Context(), changed)
					require.NoError(t, err)
					remote.set(nil, nil)
					got, err = f.MergeWith(t.Context(), 1, local.MergeOptions{Method: method})
					require.NoError(t, err)
					tip = plain.git.Tip(t, forgetest.Main)
				}
				require.Equal(t, forge.Merged, got.State)
				require.Equal(t, tip, got.MergeCommit)
				require.Equal(t, "ann", got.ClosedBy)
				require.Equal(t, "t\n", plain.git.File(t, tip, "topic.txt"))
				again, err := other.MergeWith(t.Context(), 1, local.MergeOptions{Method: method})
				require.NoError(t, err)
				require.Equal(t, got, again, "nothing is merged twice")
				require.Equal(t, tip, plain.git.Tip(t, forgetest.Main))
			})
		}
	}
}

// Others write to the forge between what was noted of a merge and its landing.
func TestMergeOvertaken(t *testing.T) {
	t.Parallel()
	plain, on, remote := faultySite(t, false)
	f, other := on.client(t, local.Options{User: "ann"}), plain.client(t, local.Options{User: "ben"})
	_, err := f.EnsurePull(t.Context(), topic)
	require.NoError(t, err)
	remote.set(nil, func(ups []gitstore.Update, call func() error) error {
		if ups[0].Ref != "refs/heads/main" {
			return call()
		}
		changed := topic
		changed.Body = "changed"
		_, err := other.EnsurePull(t.Context(), changed)
		require.NoError(t, err)
		require.NoError(t, call())
		remote.set(func(func() error) error { return errCut }, nil)
		return errCut
	})
	_, err = f.MergeWith(t.Context(), 1, local.MergeOptions{Method: local.BySquash})
	require.ErrorIs(t, err, errCut)
	got, err := other.Pull(t.Context(), 1)
	require.NoError(t, err)
	require.Equal(t, forge.Merged, got.State)
	require.Equal(t, "changed", got.Body)
	require.Equal(t, "ann", got.ClosedBy)
}

// Who waits for another change of the same client may give up.
func TestWaitingIsCancelled(t *testing.T) {
	t.Parallel()
	_, on, remote := faultySite(t, true)
	f := on.client(t, local.Options{})
	_, err := f.EnsurePull(t.Context(), topic)
	require.NoError(t, err)
	pushing, goOn, done := make(chan struct{}), make(chan struct{}), make(chan error)
	remote.set(nil, func(_ []gitstore.Update, call func() error) error {
		close(pushing)
		<-goOn
		return call()
	})
	go func() { _, err := f.Comment(t.Context(), 1, "slow"); done <- err }()
	<-pushing
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = f.Comment(ctx, 1, "impatient")
	require.ErrorIs(t, err, context.Canceled)
	close(goOn)
	require.NoError(t, <-done)
	comments, err := f.Comments(t.Context(), 1)
	require.NoError(t, err)
	require.Len(t, comments, 1)
}

// The base moves under every attempt of a merge, for a while.
func TestMergeLosesRaces(t *testing.T) {
	t.Parallel()
	for name, atomic := range map[string]bool{"atomic": true, "one ref at a time": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			plain, on, remote := faultySite(t, atomic)
			f := on.client(t, local.Options{})
			_, err := f.EnsurePull(t.Context(), topic)
			require.NoError(t, err)
			races := 3
			remote.set(nil, func(ups []gitstore.Update, call func() error) error {
				if ups[0].Ref == "refs/heads/main" && races > 0 {
					races--
					plain.git.Push(t, forgetest.Main, map[string]string{"faster": string(rune('a' + races))}, plain.git.Tip(t, forgetest.Main))
				}
				return call()
			})
			got, err := f.MergeWith(t.Context(), 1, local.MergeOptions{Method: local.BySquash})
			require.NoError(t, err)
			require.Equal(t, forge.Merged, got.State)
			tip := plain.git.Tip(t, forgetest.Main)
			require.Equal(t, got.MergeCommit, tip)
			require.Equal(t, "a", plain.git.File(t, tip, "faster"))
			require.Equal(t, "t\n", plain.git.File(t, tip, "topic.txt"))
			require.Zero(t, races)
		})
	}
}

// A rule of the server, such as a hook, is a rule of the forge.
func TestMergeRefused(t *testing.T) {
	t.Parallel()
	_, on, remote := faultySite(t, true)
	f := on.client(t, local.Options{})
	p, err := f.EnsurePull(t.Context(), topic)
	require.NoError(t, err)
	remote.set(nil, func([]gitstore.Update, func() error) error { return gitstore.ErrRefused })
	_, err = f.Merge(t.Context(), 1, p.HeadID, "")
	require.ErrorIs(t, err, forge.ErrNotAllowed)
	got, err := f.Pull(t.Context(), 1)
	require.NoError(t, err)
	require.Equal(t, forge.Open, got.State)
}

func TestRemoteGone(t *testing.T) {
	t.Parallel()
	_, on, remote := faultySite(t, true)
	f := on.client(t, local.Options{})
	_, err := f.EnsurePull(t.Context(), topic)
	require.NoError(t, err)
	remote.set(func(func() error) error { return errCut }, func([]gitstore.Update, func() error) error { return errCut })
	_, err = f.Pulls(t.Context(), forge.Filter{})
	require.ErrorIs(t, err, errCut)
	_, err = f.Comment(t.Context(), 1, "text")
	require.ErrorIs(t, err, errCut)
	_, err = f.EnsurePull(t.Context(), topic)
	require.ErrorIs(t, err, errCut, "nothing is said to be so that could not be looked at")
}
