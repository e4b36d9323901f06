package local

import (
	"context"
	"errors"
	"fmt"

	"github.com/driftback/driftback/gitstore"
	"github.com/driftback/driftback/gitstore/forge"
)

// attempts bounds how often a change is computed anew because others were
// faster. Each loss is somebody's progress, so only a crowd comes near it.
const attempts = 40

// change is one commit on the forge's ref in the making.
type change struct {
	*view
	edit   gitstore.Edit
	header header
	also   []gitstore.Update // pushed with it, or not at all
	what   string            // subject of the commit
	when   freshness
}

// freshness says whether update may start from the refs as last seen.
type freshness bool

const (
	fresh  freshness = true  // the remote is asked first
	recent freshness = false // a push proves that nothing moved; what is no push is looked at again
)

// errRecent says that a change must be made in view of fresh refs, as it rests on where branches are.
var errRecent = errors.New("refs may have moved")

// needsFresh returns an error, which ends this attempt alone, unless the refs are fresh.
func (c *change) needsFresh() error {
	if c.when == fresh {
		return nil
	}
	return errRecent
}

// doubt is a push whose outcome is unknown: of commit on top of tip.
type doubt struct{ tip, commit gitstore.ID }

// update makes one change: build says what changes, and may be called several
// times, each time with a later view. Nothing is pushed if it changes nothing.
// An error of build ends the attempts, once it was made in view of fresh refs.
func (f *Forge) update(ctx context.Context, when freshness, build func(*change) error) error {
	select {
	case f.writing <- struct{}{}:
		defer func() { <-f.writing }()
	case <-ctx.Done():
		return ctx.Err()
	}
	var doubts []doubt
	var unknown error
	for lost := 0; ; {
		refs := f.store.Refs()
		if when == fresh {
			var err error
			if refs, err = f.store.Sync(ctx); err != nil {
				return errors.Join(unknown, err)
			}
		}
		if arrived, err := f.arrived(refs, doubts); err != nil || arrived {
			return err
		}
		pushed, err := f.attempt(ctx, refs, when, build)
		switch {
		case errors.Is(err, gitstore.ErrUnknownOutcome):
			// Should it arrive late, compare-and-swap refuses either it or what is tried next.
			doubts, unknown = append(doubts, pushed), err
			fallthrough
		case errors.Is(err, gitstore.ErrStale):
			if lost++; lost == attempts {
				return fmt.Errorf("%s: lost %d races: %w", f.ref, lost, err)
			}
			f.log.DebugContext(ctx, "forge moved meanwhile", "ref", f.ref, "lost", lost, "error", err)
			if err := f.wait(ctx, lost); err != nil {
				return errors.Join(unknown, err)
			}
		case when == fresh || err == nil && !pushed.commit.IsZero():
			return err
		}
		when = fresh
	}
}

// arrived reports whether a push that was in doubt did happen.
func (f *Forge) arrived(refs gitstore.Refs, doubts []doubt) (bool, error) {
	for _, d := range doubts {
		if _, arrived, err := f.arrival(refs[f.ref], d.tip, d.commit); err != nil || arrived {
			return arrived, err
		}
	}
	return false, nil
}

// attempt computes the change in view of refs and pushes it. It returns what it tried to push: the zero
// doubt if there was nothing to do.
func (f *Forge) attempt(ctx context.Context, refs gitstore.Refs, when freshness, build func(*change) error) (doubt, error) {
	v, err := f.view(refs)
	if err != nil {
		return doubt{}, err
	}
	c := &change{view: v, edit: gitstore.Edit{}, header: v.idx.head, when: when}
	if err := build(c); err != nil || len(c.edit) == 0 {
		return doubt{}, err
	}
	if err := c.settle(); err != nil {
		return doubt{}, err
	}
	if c.header.Version = layoutVersion; c.header != v.idx.head {
		if err := c.put(headerPath, c.header); err != nil {
			return doubt{}, err
		}
	}
	tip := v.idx.commit
	var parents []gitstore.ID
	if !tip.IsZero() {
		parents = []gitstore.ID{tip}
	}
	commit, err := f.store.Write(tip, parents, c.edit, f.signature(), c.what+"\n")
	if err != nil {
		return doubt{}, err
	}
	err = f.store.Push(ctx, append(c.also, gitstore.Update{Ref: f.ref, Old: tip, New: commit.ID})...)
	return doubt{tip: tip, commit: commit.ID}, err
}

// settle writes down which pull requests Git says are merged, so that it stays so.
func (c *change) settle() error {
	for _, e := range c.idx.open {
		if c.edit[pullPath(e.Number)] != nil {
			continue
		}
		p, err := c.now(e)
		if err != nil {
			return err
		}
		if p.State == forge.Merged {
			if err := c.setPull(p); err != nil {
				return err
			}
		}
	}
	return nil
}

// setPull writes a pull request's record: an open one with where its base is now.
func (c *change) setPull(p forge.Pull) error {
	rec := record{Pull: p}
	if old, err := c.idx.entry(p.Number); err == nil { // else it is new
		rec.BaseID, rec.Landing = old.BaseID, old.Landing
	}
	if p.State == forge.Open {
		rec.BaseID = c.refs[branchRef(p.Base)]
	}
	return c.put(pullPath(p.Number), rec)
}

func (c *change) put(path string, v any) error {
	b, err := encode(v)
	if err != nil {
		return fmt.Errorf("%s in %s: %w", path, c.f.ref, err)
	}
	c.edit[path] = b
	return nil
}

// event hands out the next number of a comment.
func (c *change) event() int {
	c.header.Events++
	return c.header.Events
}

func (f *Forge) signature() gitstore.Signature {
	return gitstore.Signature{Name: f.user, Email: f.email, When: f.now()}
}
