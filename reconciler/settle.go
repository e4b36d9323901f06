package reconciler

import (
	"slices"
	"time"

	"github.com/driftback/driftback/vendors/resource"
)

// A recentWrite is what one write of ours did to one object, of a kind whose readings may be behind. Hashes
// are zero where the object was not there.
type recentWrite struct {
	Key      resource.Key  `json:"key"`
	Replaced resource.Hash `json:"replaced,omitzero"`
	Wrote    resource.Hash `json:"wrote,omitzero"`
	At       time.Time     `json:"at"`
}

// noteWrites remembers what was written just now, where a reading may not show it yet, and forgets
// what is long settled. Undone changes were written the other way round.
func (p *pass) noteWrites(changes []resource.Change, foreign map[int]bool, undone bool) {
	now := p.r.c.Clock.Now().UTC()
	recent := slices.DeleteFunc(p.st.seen.Recent, func(w recentWrite) bool { return !p.unsettled(w, now) })
	for i, c := range changes {
		if foreign[i] {
			continue
		}
		if undone {
			c.Before, c.After = c.After, c.Before
		}
		for _, k := range touched([]resource.Change{c}) {
			if w := (recentWrite{k, hashAt(c.Before, k), hashAt(c.After, k), now}); p.unsettled(w, now) {
				recent = append(recent, w)
			}
		}
	}
	p.st.seen.Recent = recent
}

// unsettled reports whether a reading at that time may still show what the write replaced.
func (p *pass) unsettled(w recentWrite, at time.Time) bool {
	return at.Sub(w.At) < p.kindOf(w.Key.Kind).Settle
}

// withoutStale takes out of a reading what shows a value that we replaced within the kind's settle time:
// it is neither drift nor failure, and nothing is known about the object until then.
func (p *pass) withoutStale(snap *resource.Snapshot, scope resource.Scope) *resource.Snapshot {
	stale := resource.Overlay{}
	newest := map[resource.Key]resource.Hash{}
	for _, w := range p.recent() {
		newest[w.Key] = w.Wrote
	}
	for _, w := range p.recent() {
		if h := snap.Hash(w.Key); h == w.Replaced && h != newest[w.Key] && (!h.IsZero() || snap.Covers(w.Key)) {
			stale[w.Key] = nil
			scope.Unknown[w.Key] = "as it was before driftback wrote it: the platform takes a while to show what was written"
		}
	}
	if len(stale) == 0 {
		return snap
	}
	return snap.With(stale).WithOptions(resource.Options{Scope: scope})
}

// recent are the writes that may not be settled, oldest first.
func (p *pass) recent() []recentWrite {
	var out []recentWrite
	for _, w := range p.st.seen.Recent {
		if p.unsettled(w, p.start) {
			out = append(out, w)
		}
	}
	if p.st.journal.Phase == phaseIdle {
		return out
	}
	// A deployment is open: what a reading has shown already of its steps was written just now, for all that is known.
	recorded := p.live.snapshot()
	for _, s := range p.st.journal.Steps {
		for _, k := range []resource.Key{s.Before, s.After} {
			w := recentWrite{Key: k, At: p.start}
			if k == s.Before {
				w.Replaced = s.From
			}
			if k == s.After {
				w.Wrote = s.To
			}
			if p.st.journal.Phase == phaseUndo {
				w.Replaced, w.Wrote = w.Wrote, w.Replaced
			}
			if !k.IsZero() && p.unsettled(w, p.start) && recorded.Hash(k) == w.Wrote {
				out = append(out, w)
			}
		}
	}
	return out
}

// settled is what was read right after a deployment, with what was written in place of what a platform that takes
// a while still shows.
func (p *pass) settled(read *resource.Snapshot, changes []resource.Change, foreign map[int]bool, undone bool) *resource.Snapshot {
	over := resource.Overlay{}
	for i, c := range changes {
		if foreign[i] {
			continue
		}
		if undone {
			c.Before, c.After = c.After, c.Before
		}
		for _, k := range touched([]resource.Change{c}) {
			wrote := hashAt(c.After, k)
			if got := read.Hash(k); p.kindOf(k.Kind).Settle == 0 || got != hashAt(c.Before, k) || got == wrote {
				continue
			}
			over[k] = nil
			if !wrote.IsZero() {
				over[k] = c.After
			}
		}
	}
	return read.With(over)
}
