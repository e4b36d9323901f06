package reconciler

import (
	"github.com/driftback/driftback/gitstore"
	"github.com/driftback/driftback/vendors/resource"
)

// liveHistory walks the live branch backwards, newest first, reading as far as it is asked for.
type liveHistory struct {
	p       *pass
	born    map[resource.Key]gitstore.ID // see seen.Born
	steps   []liveStep
	next    gitstore.ID
	started bool
}

type liveStep struct {
	commit gitstore.Commit
	seen   *resource.Snapshot
}

// at returns the i-th step back; false where history ends, or is longer than one pass looks.
func (l *liveHistory) at(i int) (liveStep, bool, error) {
	for i >= len(l.steps) {
		if !l.started {
			l.next, l.started = l.p.live.commit, true
		}
		if l.next.IsZero() || i >= maxHistory {
			return liveStep{}, false, nil
		}
		t, err := l.p.live.at(l.p.store, l.next)
		if err != nil {
			return liveStep{}, false, err
		}
		c, err := l.p.store.CommitAt(l.next)
		if err != nil {
			return liveStep{}, false, err
		}
		l.steps = append(l.steps, liveStep{commit: c, seen: t.snapshot()})
		l.next = gitstore.ID{}
		if len(c.Parents) > 0 {
			l.next = c.Parents[0]
		}
	}
	return l.steps[i], true, nil
}

// had reports whether live has had a value of k since it was as base says, or since base was born, but for operational fields:
// what runs otherwise all the time is no part of what was decided. What rules ignore is: they may change.
func (l *liveHistory) had(k resource.Key, value, base *resource.Snapshot) (bool, error) {
	for i := 0; ; i++ {
		s, ok, err := l.at(i)
		if err != nil || !ok || s.commit.ID == l.born[k] {
			return false, err
		}
		if i > 0 && s.seen.Hash(k) == l.steps[i-1].seen.Hash(k) {
			continue
		}
		if l.p.equal(k, s.seen, base) {
			return false, nil
		}
		if l.p.equal(k, s.seen, value) {
			return true, nil
		}
	}
}

// all returns the values that live ever had of k.
func (l *liveHistory) all(k resource.Key) (map[resource.Hash]bool, error) {
	out := map[resource.Hash]bool{}
	for i := 0; ; i++ {
		s, ok, err := l.at(i)
		if err != nil || !ok {
			return out, err
		}
		out[s.seen.Hash(k)] = true
	}
}

// value finds the body that live once had of k: what was proposed was remembered before.
func (l *liveHistory) value(k resource.Key, h resource.Hash) (*resource.Resource, bool, error) {
	if h.IsZero() {
		return nil, true, nil
	}
	for i := 0; ; i++ {
		s, ok, err := l.at(i)
		if err != nil || !ok {
			return nil, false, err
		}
		if s.seen.Hash(k) == h {
			r, err := s.seen.Resource(k)
			return r, err == nil, err
		}
	}
}

// change returns the commit that gave k the value that live has now; false where history does not tell.
func (l *liveHistory) change(k resource.Key) (gitstore.Commit, bool, error) {
	s, ok, err := l.at(0)
	if err != nil || !ok {
		return gitstore.Commit{}, false, err
	}
	return l.changeTo(k, s.seen.Hash(k))
}

// changeTo returns the newest commit that gave k the value h; false where history does not tell.
func (l *liveHistory) changeTo(k resource.Key, h resource.Hash) (gitstore.Commit, bool, error) {
	for i := 0; ; i++ {
		s, ok, err := l.at(i)
		if err != nil || !ok {
			return gitstore.Commit{}, false, err
		}
		if s.seen.Hash(k) != h {
			continue
		}
		before, ok, err := l.at(i + 1)
		if err != nil {
			return gitstore.Commit{}, false, err
		}
		if !ok && !h.IsZero() || ok && before.seen.Hash(k) != h {
			return s.commit, true, nil
		}
		if !ok {
			return gitstore.Commit{}, false, nil
		}
	}
}
