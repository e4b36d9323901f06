package simulation

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/driftback/driftback/gitstore/forge"
	"github.com/driftback/driftback/gitstore/forge/local"
)

// faultyForge is the forge with the weather of a network.
type faultyForge struct {
	e *effects
	*local.Forge
}

// A listing is an answer of the forge. For maxLag another of its machines may still give it.
type listing struct {
	pulls []forge.Pull
	at    time.Time
}

const maxLag = time.Minute

func (f *faultyForge) do(what string, env string, g func() error) error {
	return f.e.do(what, writes, func() error {
		f.e.w.forgeWrite(f.e.task.owner, env, what)
		if err := f.limited(); err != nil {
			return err
		}
		return g()
	})
}

var errLimited = errors.New("403: secondary rate limit")

func (f *faultyForge) limited() error {
	if w := f.e.w; !w.quiet && w.now.Before(w.limited) {
		w.note("forge refusals")
		return errLimited
	}
	return nil
}

// Commands passes the question on; see forge.Forge.
func (f *faultyForge) Commands(ctx context.Context, cursor string) ([]forge.Command, string, error) {
	if err := f.limited(); err != nil {
		return nil, cursor, err
	}
	return f.Forge.Commands(ctx, cursor)
}

// Protected is what the forge says of its rules.
func (f *faultyForge) Protected(context.Context, string) (bool, error) {
	return f.e.w.guarded, f.limited()
}

func (f *faultyForge) EnsurePull(ctx context.Context, p forge.Pull) (got forge.Pull, err error) {
	if !strings.HasPrefix(p.Head, "driftback/") {
		f.e.w.fail("never touches a person's pull request", "%s says how %s shall be", f.e.task.owner, p.Head)
	}
	f.e.w.shown("pull request "+p.Head, p.Title, p.Body)
	err = f.do("ensure pull "+p.Head+" "+string(p.State)+": "+p.Title, envOfBranch(p.Head), func() (err error) {
		got, err = f.Forge.EnsurePull(ctx, p)
		return err
	})
	return got, err
}

func (f *faultyForge) Pulls(ctx context.Context, q forge.Filter) (got []forge.Pull, err error) {
	err = f.e.do("pulls", reads, func() (err error) {
		if err = f.limited(); err == nil {
			got, err = f.pulls(ctx, q)
		}
		return err
	})
	return got, err
}

func (f *faultyForge) pulls(ctx context.Context, q forge.Filter) ([]forge.Pull, error) {
	w := f.e.w
	if w.t.generation < 4 {
		return f.Forge.Pulls(ctx, q)
	}
	if old, known := w.lists[q]; known && !w.quiet && w.now.Sub(old.at) < maxLag && w.t.flip(3*w.p.Fault) {
		w.note("stale lists")
		w.lagged = w.now
		w.logf("the forge lists what was a while ago")
		return slices.Clone(old.pulls), nil
	}
	got, err := f.Forge.Pulls(ctx, q)
	if err == nil {
		w.lists[q] = listing{slices.Clone(got), w.now}
	}
	return got, err
}

func (f *faultyForge) EnsureComment(ctx context.Context, n int, key, body string) error {
	f.e.w.shown("comment "+key, body)
	return f.do("comment", "", func() error { return f.Forge.EnsureComment(ctx, n, key, body) })
}

func (f *faultyForge) SetStatus(ctx context.Context, commit string, s forge.Status) error {
	f.e.w.shown("status "+s.Context, s.Description, s.Title, s.Summary)
	return f.do("status "+s.State, "", func() error { return f.Forge.SetStatus(ctx, commit, s) })
}

func (f *faultyForge) EnsureDeployment(ctx context.Context, d forge.Deployment) error {
	return f.do("deployment "+d.State, d.Environment, func() error { return f.Forge.EnsureDeployment(ctx, d) })
}

func (f *faultyForge) Merge(ctx context.Context, n int, head, message string) (got forge.Pull, err error) {
	err = f.do(fmt.Sprintf("merge %d", n), "", func() (err error) {
		if f.e.w.guarded {
			f.e.w.note("merges left for a reviewer")
			return fmt.Errorf("merge #%d: a review is required: %w", n, forge.ErrNotAllowed)
		}
		got, err = f.Forge.Merge(ctx, n, head, message)
		if err == nil {
			f.e.w.noteMerge(got)
		}
		return err
	})
	return got, err
}

func (f *faultyForge) Answer(ctx context.Context, c forge.Command, reaction, body string) error {
	f.e.w.shown("answer", body)
	return f.do("answer", "", func() error { return f.Forge.Answer(ctx, c, reaction, body) })
}
