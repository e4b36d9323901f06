package local

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/driftback/driftback/gitstore"
	"github.com/driftback/driftback/gitstore/forge"
)

// EnsurePull implements forge.Forge. A head that moved is written down too.
func (f *Forge) EnsurePull(ctx context.Context, want forge.Pull) (got forge.Pull, err error) {
	if want, err = want.Clean(); err != nil {
		return forge.Pull{}, fmt.Errorf("ensure pull request: %w", err)
	}
	err = f.update(ctx, recent, func(c *change) (err error) {
		defer func() { got = c.shown(got) }()
		is, found, err := c.ofHead(want.Head)
		switch {
		case err != nil:
			return err
		case want.State == forge.Closed && !found:
			got = forge.Pull{}
			return nil
		case found && want.State != forge.Closed:
			got, err = c.revise(is, want)
			return err
		}
		if err := c.needsFresh(); err != nil {
			return err
		}
		if found {
			got, err = c.close(is)
		} else {
			got, err = c.create(want)
		}
		return err
	})
	if err != nil {
		return forge.Pull{}, fmt.Errorf("ensure pull request of %s: %w", want.Head, err)
	}
	return got, nil
}

// create opens a new pull request.
func (c *change) create(want forge.Pull) (forge.Pull, error) {
	if want.Base == "" {
		return forge.Pull{}, fmt.Errorf("no base branch: %w", forge.ErrInvalid)
	}
	head, err := c.tips(want)
	if err != nil {
		return forge.Pull{}, err
	}
	c.header.Pulls++
	now := c.f.today()
	p := forge.Pull{
		Number: c.header.Pulls,
		Head:   want.Head, HeadID: head.String(), Base: want.Base,
		Title: want.Title, Body: want.Body, Draft: want.Draft, Labels: want.Labels, Reviewers: want.Reviewers,
		State: forge.Open, Author: c.f.user, Created: now, Updated: now,
	}
	c.what = fmt.Sprintf("#%d opened: %s", p.Number, p.Title)
	return p, c.setPull(p)
}

// revise makes an open pull request be as wanted, and writes nothing if it is.
func (c *change) revise(is, want forge.Pull) (forge.Pull, error) {
	p := is
	p.Title, p.Body, p.Draft, p.Labels = want.Title, want.Body, want.Draft, want.Labels
	p.Base, p.Reviewers = cmp.Or(want.Base, is.Base), union(is.Reviewers, want.Reviewers)
	if p.Base != is.Base && c.refs[branchRef(p.Base)].IsZero() {
		return forge.Pull{}, fmt.Errorf("base branch %s: %w", p.Base, forge.ErrNotFound)
	}
	rec, err := c.idx.entry(is.Number)
	if err != nil {
		return is, err
	}
	if p.Title == is.Title && p.Body == is.Body && p.Draft == is.Draft && slices.Equal(p.Labels, is.Labels) &&
		slices.Equal(p.Reviewers, is.Reviewers) &&
		p.Base == is.Base && p.HeadID == rec.HeadID {
		return is, nil
	}
	p.Updated = c.f.today()
	c.what = fmt.Sprintf("#%d updated: %s", p.Number, p.Title)
	return p, c.setPull(p)
}

// union returns what is in either list, sorted; nil for nothing.
func union(a, b []string) []string {
	all := slices.Concat(a, b)
	slices.Sort(all)
	return slices.Compact(all)
}

// close closes an open pull request.
func (c *change) close(p forge.Pull) (forge.Pull, error) {
	p.State, p.ClosedBy, p.Updated = forge.Closed, c.f.user, c.f.today()
	c.what = fmt.Sprintf("#%d closed: %s", p.Number, p.Title)
	return p, c.setPull(p)
}

// tips returns where the head branch is, having looked at both: ErrNotFound if one
// is not there, ErrEmpty if the base has all of the head.
func (c *change) tips(p forge.Pull) (head gitstore.ID, err error) {
	head, base := c.refs[branchRef(p.Head)], c.refs[branchRef(p.Base)]
	if head.IsZero() {
		return head, fmt.Errorf("head branch %s: %w", p.Head, forge.ErrNotFound)
	}
	if base.IsZero() {
		return head, fmt.Errorf("base branch %s: %w", p.Base, forge.ErrNotFound)
	}
	empty, err := c.f.empty(base, head)
	if err == nil && empty {
		err = fmt.Errorf("%s has all of %s: %w", p.Base, p.Head, forge.ErrEmpty)
	}
	return head, err
}

// Close closes pull request n, leaving its branch; ErrNotAllowed if it is
// merged. Closing what is closed returns it.
func (f *Forge) Close(ctx context.Context, n int) (forge.Pull, error) {
	return f.turn(ctx, "close", n, func(c *change, p forge.Pull) (forge.Pull, error) {
		switch p.State {
		case forge.Closed:
			return p, nil
		case forge.Merged:
			return p, fmt.Errorf("is merged: %w", forge.ErrNotAllowed)
		}
		return c.close(p)
	})
}

// Reopen opens pull request n again at where its branch is now: ErrNotFound if
// a branch is gone, ErrNotAllowed if it is merged or another one with the same
// head is open, ErrEmpty if its base has everything by now. Reopening what is
// open returns it.
func (f *Forge) Reopen(ctx context.Context, n int) (forge.Pull, error) {
	return f.turn(ctx, "reopen", n, func(c *change, p forge.Pull) (forge.Pull, error) {
		switch p.State {
		case forge.Open:
			return p, nil
		case forge.Merged:
			return p, fmt.Errorf("is merged: %w", forge.ErrNotAllowed)
		}
		if other, found, err := c.ofHead(p.Head); err != nil {
			return p, err
		} else if found {
			return p, fmt.Errorf("#%d is open for %s: %w", other.Number, p.Head, forge.ErrNotAllowed)
		}
		head, err := c.tips(p)
		if err != nil {
			return p, err
		}
		p.State, p.ClosedBy, p.HeadID, p.Updated = forge.Open, "", head.String(), c.f.today()
		c.what = fmt.Sprintf("#%d reopened: %s", p.Number, p.Title)
		return p, c.setPull(p)
	})
}

// turn changes the state of pull request n.
func (f *Forge) turn(ctx context.Context, verb string, n int, to func(*change, forge.Pull) (forge.Pull, error)) (got forge.Pull, err error) {
	err = f.update(ctx, fresh, func(c *change) error {
		p, err := c.pull(n)
		if err != nil {
			return err
		}
		got, err = to(c, p)
		got = c.shown(got)
		return err
	})
	if err != nil {
		return forge.Pull{}, fmt.Errorf("%s pull request #%d: %w", verb, n, err)
	}
	return got, nil
}
