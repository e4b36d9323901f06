package reconciler

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/driftback/driftback/gitstore"
	"github.com/driftback/driftback/vendors/resource"
)

// File puts a request into the environment's state ref, where the next pass of any
// daemon finds it. Filing the same request twice files one.
func (r *Reconciler) File(ctx context.Context, env string, q Request) error {
	e, ok := r.envs[env]
	if !ok {
		return fmt.Errorf("environment %s: not configured", env)
	}
	q.At = r.c.Clock.Now().UTC()
	return e.amend(ctx, "request to "+q.Do, func(*state) (gitstore.Edit, error) {
		body := marshal(q)
		id := sha256.Sum256(body)
		return gitstore.Edit{requestsDir + "/" + q.Do + "-" + hex.EncodeToString(id[:6]) + ".json": body}, nil
	})
}

// amend adds a commit to the state ref, trying again when somebody else was faster.
func (e *environment) amend(ctx context.Context, why string, edit func(*state) (gitstore.Edit, error)) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	for tries := 0; ; tries++ {
		p := &pass{environment: e, store: e.r.c.Store, start: e.r.c.Clock.Now()}
		var err error
		if p.git, err = p.store.Sync(ctx); err != nil {
			return fmt.Errorf("sync: %w", err)
		}
		tip := p.git[e.refs.state]
		if tip.IsZero() {
			return fmt.Errorf("environment %s: it was never observed yet; `driftback run --once %s` makes the first pass", e.Name, e.Name)
		}
		s, err := p.readState(tip)
		if err != nil {
			return err
		}
		ed, err := edit(s)
		if err != nil || len(ed) == 0 {
			return err
		}
		c, err := p.writeCommit(tip, ed, gitstore.Signature{}, p.r.unbuilt(stateSubject+why+"\n"))
		if err != nil {
			return err
		}
		err = p.store.Push(ctx, gitstore.Update{Ref: e.refs.state, Old: tip, New: c.ID})
		if err == nil || !errors.Is(err, gitstore.ErrStale) || tries == 10 {
			return err
		}
	}
}

// answerRequests carries out what people asked for, the last word last; it is part of the pass's state change.
func (p *pass) answerRequests() error {
	names := sortedKeys(p.st.requests)
	slices.SortStableFunc(names, func(a, b string) int { return p.st.requests[a].At.Compare(p.st.requests[b].At) })
	for _, name := range names {
		asked := p.st.requests[name]
		q := asked
		switch q.Do {
		case DoAccept, DoRevert, DoIgnore: // objects of others need not have drifted
			q.Keys = p.withPartners(q.Keys)
		}
		if err := p.answer(q); err != nil {
			return fmt.Errorf("request %s: %w", name, err)
		}
		if q.Do == DoRevert && p.unseen(asked.Keys) && p.start.Sub(q.At) < requestFor {
			continue // what this reading says nothing about is asked for again at the next
		}
		if err := p.replyTo(asked.without(q.Keys)); err != nil {
			return fmt.Errorf("request %s: %w", name, err)
		}
		p.log.Info("request carried out", "request", q.Do, "by", q.By, "objects", len(q.Keys))
		delete(p.st.requests, name)
	}
	return nil
}

// requestFor is how long a request waits for its objects to be seen.
const requestFor = time.Hour

// unseen reports whether this reading says nothing about one of the objects.
func (p *pass) unseen(keys map[resource.Key]resource.Hash) bool {
	for k := range keys {
		if !p.sees(k) {
			return true
		}
	}
	return false
}

func (p *pass) answer(q Request) error {
	d := &p.st.decisions
	switch q.Do {
	case DoAccept:
		if d.Accepted == nil {
			d.Accepted = map[resource.Key]resource.Hash{}
		}
		maps.Copy(d.Accepted, q.Keys)
		p.unsilence(q.Keys)
		for k := range q.Keys {
			delete(d.Ignored, k)
		}
	case DoRevert:
		return p.revert(q.Keys)
	case DoIgnore:
		if d.Ignored == nil {
			d.Ignored = map[resource.Key]ignored{}
		}
		for k, h := range q.Keys {
			d.Ignored[k] = ignored{Hash: h, Until: q.Until}
			delete(d.Accepted, k)
		}
	case DoSuspend:
		d.Suspended = &suspension{By: q.By, Reason: q.Reason, At: q.At}
	case DoResume:
		d.Suspended = nil
		d.Holds = nil
		p.st.seen.Fights = nil
	case DoOverride:
		until := q.Until
		if until.IsZero() {
			until = q.At.Add(overrideFor)
		}
		d.Override = &override{Plan: q.Detail, By: q.By, Until: until, After: q.After}
	case DoSecrets:
		next := map[resource.Key]resource.Hash{}
		maps.Copy(next, d.Secrets)
		for k := range q.Keys {
			next[k] = p.want.snapshot().Hash(k)
		}
		d.Secrets = next
	case DoRollback:
		return p.requestRollback(q)
	case DoTrustGit:
		return p.trustGit()
	case doHold:
		p.wait(q)
	case doPlan, doWhy, doCancel: // see replyTo
	default:
		p.log.Warn("a request of a kind that this version does not know is dropped", "request", q.Do)
	}
	return nil
}

// withPartners adds to keys the other halves of objects that were renamed on the platform: a rename has
// one fate, and reverting its new name alone would delete the object.
func (p *pass) withPartners(keys map[resource.Key]resource.Hash) map[resource.Key]resource.Hash {
	if len(keys) == 0 {
		return keys
	}
	keys = maps.Clone(keys)
	base := p.baseNow()
	for appeared, vanished := range liveRenames(base, p.seen, p.st.ids, p.isRaw) {
		_, one := keys[appeared]
		_, other := keys[vanished]
		switch {
		case one && !other && keys[appeared] == p.seen.Hash(appeared):
			keys[vanished] = resource.Hash{}
		case other && !one && keys[vanished].IsZero() && len(keys) == 1 && p.seen.Hash(appeared) == base.Hash(vanished):
			keys[appeared] = p.seen.Hash(appeared)
		case other && !one && keys[vanished].IsZero():
			delete(keys, vanished) // it is not only called otherwise, or was renamed again: the person did not see what it is now
		}
	}
	return keys
}

// without is the request as it is answered where only these objects of it were meant: see withPartners.
func (q Request) without(meant map[resource.Key]resource.Hash) Request {
	keys, not := maps.Clone(q.Keys), maps.Clone(q.Not)
	for k := range q.Keys {
		if _, ok := meant[k]; ok {
			continue
		}
		if delete(keys, k); not == nil {
			not = map[resource.Key]string{}
		}
		not[k] = "it has another name by now: say this of that one"
	}
	q.Keys, q.Not = keys, not
	return q
}

// overrideFor is how long an override holds where nobody says otherwise.
const overrideFor = time.Hour

// trustGit ends the first import by an operator's word: where both sides differ, Git is right.
func (p *pass) trustGit() error {
	p.st.seen.Adopted = true
	base, want := p.baseNow(), p.want.snapshot()
	for k, h := range differing(base, want, p.seen) {
		if !h.base.IsZero() || h.want.IsZero() || h.live.IsZero() {
			continue
		}
		r, err := p.seen.Resource(k)
		if err != nil {
			return err
		}
		p.setBase(k, r)
	}
	return nil
}

// expire forgets decisions about values that live no longer has.
func (p *pass) expire() {
	d := &p.st.decisions
	gone := func(k resource.Key, h resource.Hash) bool {
		return !p.stillAs(k, h) && (!p.seen.Hash(k).IsZero() || p.seen.Covers(k))
	}
	maps.DeleteFunc(d.Silenced, gone)
	maps.DeleteFunc(d.Accepted, gone)
	maps.DeleteFunc(d.Ignored, func(k resource.Key, i ignored) bool {
		return gone(k, i.Hash) || !i.Until.IsZero() && p.start.After(i.Until)
	})
	p.followSilent()
	maps.DeleteFunc(d.Secrets, func(k resource.Key, h resource.Hash) bool { return p.want.snapshot().Hash(k) != h })
	maps.DeleteFunc(d.Reverted, func(k resource.Key, h resource.Hash) bool { return p.want.snapshot().Hash(k) != h })
	if d.Override != nil && p.start.After(d.Override.Until) {
		d.Override = nil
	}
	want := p.want.snapshot()
	d.Holds = slices.DeleteFunc(d.Holds, func(h Hold) bool {
		for k, was := range h.all() {
			if want.Hash(k) != was {
				p.log.Info("hold ended: Git wants something else now", "key", k.String(), "deployment", h.Deployment)
				return true
			}
		}
		return false
	})
}

// silent reports whether people said that this live value is not to be proposed.
func (p *pass) silent(k resource.Key, live resource.Hash) bool {
	d := p.st.decisions
	if h, ok := d.Silenced[k]; ok && h == live {
		return true
	}
	i, ok := d.Ignored[k]
	return ok && i.Hash == live
}
