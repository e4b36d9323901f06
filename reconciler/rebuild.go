package reconciler

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/driftback/driftback/gitstore"
	"github.com/driftback/driftback/vendors/resource"
)

// Rebuild makes a new state for an environment whose state ref is lost while its live
// branch exists. Base becomes, object by object, the newest value of the tracked branch that
// live has had too; what never was on both sides has no base. Nothing is written to the platform.
func (r *Reconciler) Rebuild(ctx context.Context, env string) (Report, error) {
	e, ok := r.envs[env]
	if !ok {
		return Report{}, fmt.Errorf("environment %s: not configured", env)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	p := &pass{environment: e, store: r.c.Store, start: r.c.Clock.Now()}
	err := p.restore(ctx)
	p.report.finish(p, err)
	return p.report, err
}

func (p *pass) restore(ctx context.Context) error {
	if err := p.sync(ctx); err != nil {
		return err
	}
	if !p.halted("state") {
		return fmt.Errorf("rebuild %s: its state is there, at %s: nothing to rebuild", p.Name, p.refs.state)
	}
	p.st.decisions.Halt = nil
	if err := p.observe(ctx); err != nil {
		return err
	}
	if err := p.commonValues(); err != nil {
		return fmt.Errorf("rebuild %s: %w", p.Name, err)
	}
	p.log.Info("state rebuilt from both histories", "objects", len(p.baseUp))
	p.st.seen.Head, p.st.seen.Branch, p.st.seen.Path, p.st.seen.Adopted = p.head, p.Branch, p.Path, true
	if err := p.remember(ctx); err != nil {
		return err
	}
	return p.flush(ctx)
}

// commonValues finds base for every object that the live branch or the tracked branch names.
func (p *pass) commonValues() error {
	live := liveHistory{p: p}
	had := map[resource.Key]map[resource.Hash]bool{} // all values that live ever had, of what is asked for
	at := p.head
	open := map[resource.Key]bool{}
	for n := 0; n < maxHistory && !at.IsZero(); n++ {
		tree, err := p.want.at(p.store, at)
		if err != nil {
			return err
		}
		want := tree.snapshot()
		if n == 0 {
			p.agreedNow(want, open)
		}
		for _, k := range slices.SortedFunc(maps.Keys(open), resource.Key.Compare) {
			h := want.Hash(k)
			if h.IsZero() {
				continue
			}
			if had[k] == nil {
				if had[k], err = live.all(k); err != nil {
					return err
				}
			}
			if had[k][h] {
				r, err := want.Resource(k)
				if err != nil {
					return err
				}
				p.setBase(k, r)
				delete(open, k)
			}
		}
		c, err := p.store.CommitAt(at)
		if err != nil {
			return err
		}
		at = gitstore.ID{}
		if len(c.Parents) > 0 && len(open) > 0 {
			at = c.Parents[0]
		}
	}
	return nil
}

// agreedNow takes what both sides say at this moment, and leaves the rest open.
func (p *pass) agreedNow(want *resource.Snapshot, open map[resource.Key]bool) {
	for e := range want.Entries() {
		if p.seen.Hash(e.Key) != e.Hash {
			open[e.Key] = true
			continue
		}
		if r, err := want.Resource(e.Key); err == nil {
			p.setBase(e.Key, r)
		}
	}
	for e := range p.live.snapshot().Entries() {
		if _, inGit := want.Entry(e.Key); !inGit {
			open[e.Key] = true
		}
	}
}
