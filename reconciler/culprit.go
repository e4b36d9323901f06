package reconciler

import (
	"errors"
	"fmt"
	"slices"

	"github.com/driftback/driftback/gitstore"
	"github.com/driftback/driftback/reconciler/report"
	"github.com/driftback/driftback/vendors/resource"
)

// A fault is what in Git made objects be what could not be deployed.
type fault struct {
	commits []gitstore.Commit // newest first; never one that accepted drift
	keys    map[resource.Key]bool
}

// atFault finds the commits of the tracked branch that gave the keys what Git wants of them at head, since it last wanted
// what base is: what was last deployed well. With mainline, a merge counts as one with all that it brought; without, the
// commits that were merged count one by one, and merges themselves do not.
func (p *pass) atFault(head gitstore.ID, keys []resource.Key, mainline bool) (fault, error) {
	good, oldest, err := p.lastGood(head, keys)
	if err != nil || oldest.IsZero() {
		return fault{}, err
	}
	f := fault{keys: map[resource.Key]bool{}}
	consider := func(c gitstore.Commit) error {
		if len(c.Parents) == 0 || p.isAccept(c) {
			return nil
		}
		changed, err := p.wantChanged(c.Parents[0], c.ID)
		if err != nil {
			return err
		}
		guilty := false
		for _, k := range keys {
			if _, moved := changed[k]; !moved || guilty || good[k].IsZero() {
				continue
			}
			before, err := p.store.IsAncestor(c.ID, good[k])
			if err != nil {
				return err
			}
			guilty = !before
		}
		if guilty {
			f.commits = append(f.commits, c)
			for k := range changed {
				f.keys[k] = true
			}
		}
		return nil
	}
	if mainline {
		return f, p.line(head, oldest, consider)
	}
	n := 0
	err = p.store.Log(head, []gitstore.ID{oldest}, func(c gitstore.Commit) error {
		if n++; n > maxHistory {
			return gitstore.ErrStop
		}
		if len(c.Parents) > 1 {
			return nil
		}
		return consider(c)
	})
	return f, err
}

// lastGood walks the tracked branch's own line back from head, and finds for each key the newest commit at which Git
// wanted what base is, and the oldest of these commits. Before the last commit at which all was deployed it does not look:
// base may have become what Git never said as a whole. A key for which there is none is left out.
func (p *pass) lastGood(head gitstore.ID, keys []resource.Key) (good map[resource.Key]gitstore.ID, oldest gitstore.ID, err error) {
	good, base := map[resource.Key]gitstore.ID{}, p.baseNow()
	err = p.line(head, gitstore.ID{}, func(c gitstore.Commit) error {
		at, err := p.want.at(p.store, c.ID)
		if err != nil {
			return err
		}
		for _, k := range keys {
			if _, found := good[k]; !found && (at.snapshot().Hash(k) == base.Hash(k) || c.ID == p.st.seen.Good) {
				good[k], oldest = c.ID, c.ID
			}
		}
		if len(good) == len(keys) {
			return gitstore.ErrStop
		}
		return nil
	})
	return good, oldest, err
}

// line yields the commits of a branch's own line, newest first, from one down to another, which is left out.
func (p *pass) line(from, to gitstore.ID, yield func(gitstore.Commit) error) error {
	for n := 0; n < maxHistory && !from.IsZero() && from != to; n++ {
		c, err := p.store.CommitAt(from)
		if err != nil {
			return err
		}
		if err := yield(c); err != nil {
			if errors.Is(err, gitstore.ErrStop) {
				return nil
			}
			return err
		}
		from = gitstore.ID{}
		if len(c.Parents) > 0 {
			from = c.Parents[0]
		}
	}
	return nil
}

// wantChanged are the objects of which Git wants something else at one commit than at another, with what it wants there.
func (p *pass) wantChanged(from, to gitstore.ID) (map[resource.Key]resource.Hash, error) {
	before, err := p.want.at(p.store, from)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", from, err)
	}
	after, err := p.want.at(p.store, to)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", to, err)
	}
	out := map[resource.Key]resource.Hash{}
	for k, h := range differing(before.snapshot(), before.snapshot(), after.snapshot()) {
		out[k] = h.live
	}
	return out, nil
}

// isAccept reports whether a commit brought what was changed by hand on some platform into Git.
func (p *pass) isAccept(c gitstore.Commit) bool {
	return report.ParseTrailers(c.Message).Environment != "" || slices.Contains(p.st.seen.Accepts, c.ID)
}

// maxAccepts bounds how many merges of drift are remembered whose commits do not say themselves what they are.
const maxAccepts = 50

// noteAccept remembers a commit by which drift came into Git.
func (s *seen) noteAccept(id gitstore.ID) {
	if slices.Contains(s.Accepts, id) {
		return
	}
	s.Accepts = append(slices.Clone(s.Accepts), id)
	s.Accepts = s.Accepts[max(0, len(s.Accepts)-maxAccepts):]
}

// noteRest takes down whether anything is left to be deployed at this commit.
func (p *pass) noteRest(d Decision) {
	p.atRest = p.head
	if slices.ContainsFunc(d.Items, func(it Item) bool { return it.Verdict == Deploy || it.Verdict == Merge }) || p.dry {
		p.atRest = gitstore.ID{}
	}
}
