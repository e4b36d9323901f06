package reconciler

import (
	"context"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/driftback/driftback/gitstore"
	"github.com/driftback/driftback/vendors"
	"github.com/driftback/driftback/vendors/resource"
)

// push moves refs, those that are pending before, and writes the working state along with
// them if it differs: in one push where the remote offers atomic ones, else the claim first, then
// the live branch, the state, and the other refs. Every effect outside the state ref needs the claim.
func (p *pass) push(ctx context.Context, why string, extra gitstore.Edit, ups ...gitstore.Update) error {
	ups = joined(append(slices.Clone(p.pending), ups...))
	p.pending = nil
	var later []gitstore.Update
	if len(ups) > 0 {
		if err := p.claim(); err != nil {
			return err
		}
		if !p.store.Atomic() {
			if err := p.pushClaim(ctx); err != nil {
				return err
			}
			// What was remembered goes before the state, and branches that the state knows by their commits
			// after it: a branch that no state knows would look like somebody else's.
			later = slices.DeleteFunc(slices.Clone(ups), func(u gitstore.Update) bool { return u.Ref == p.refs.live })
			ups = slices.DeleteFunc(ups, func(u gitstore.Update) bool { return u.Ref != p.refs.live })
			if err := p.moveClaimed(ctx, ups...); err != nil {
				return err
			}
			ups = nil
		}
	}
	commit, edit, err := p.stateCommit(why, extra)
	if err != nil {
		return err
	}
	all := slices.Clone(ups)
	if len(edit) > 0 {
		all = append(all, gitstore.Update{Ref: p.refs.state, Old: p.st.tip, New: commit.ID})
	}
	if err := p.move(ctx, all...); err != nil {
		return err
	}
	if len(edit) > 0 {
		if err := p.advance(commit, edit); err != nil {
			return err
		}
	}
	for _, u := range later {
		if err := p.moveClaimed(ctx, u); err != nil {
			return err
		}
	}
	return nil
}

// moveClaimed pushes updates that do not travel with the state, whose tip would tell that somebody else holds the environment by
// now: the claim must leave time for them.
func (p *pass) moveClaimed(ctx context.Context, ups ...gitstore.Update) error {
	if len(ups) > 0 && !p.holds(p.r.c.Clock.Now()) {
		return fmt.Errorf("push %s: %w", ups[0].Ref, vendors.ErrLease)
	}
	return p.move(ctx, ups...)
}

// pushClaim pushes the claim, if it does not stand in Git yet, and nothing else of the working state.
func (p *pass) pushClaim(ctx context.Context) error {
	if p.claiming.IsZero() {
		return nil
	}
	was := newState()
	if p.environment.state != nil {
		was = p.environment.state.clone()
	}
	was.journal.Owner, was.journal.Deadline = p.st.journal.Owner, p.st.journal.Deadline
	e := gitstore.Edit{deploymentFile: marshal(was.journal)}
	c, err := p.writeCommit(p.st.tip, e, gitstore.Signature{}, p.r.unbuilt(stateSubject+"claim\n"))
	if err != nil {
		return err
	}
	if err := p.move(ctx, gitstore.Update{Ref: p.refs.state, Old: p.st.tip, New: c.ID}); err != nil {
		return err
	}
	raw := maps.Clone(p.st.raw)
	raw[deploymentFile] = e[deploymentFile]
	was.tip, was.raw = c.ID, raw
	p.st.tip, p.st.raw, p.environment.state = c.ID, raw, was
	p.claimed, p.claiming = p.claiming, time.Time{}
	if err := p.base.move(p.store, c.ID); err != nil {
		return fmt.Errorf("read back the state: %w", err)
	}
	return nil
}

// joined makes one update of several of the same ref, in the order of the first of each.
func joined(ups []gitstore.Update) []gitstore.Update {
	var out []gitstore.Update
	for _, u := range ups {
		i := slices.IndexFunc(out, func(o gitstore.Update) bool { return o.Ref == u.Ref })
		if i < 0 {
			out = append(out, u)
			continue
		}
		out[i].New = u.New
	}
	return slices.DeleteFunc(out, func(u gitstore.Update) bool { return u.Old == u.New })
}

// move pushes the updates.
func (p *pass) move(ctx context.Context, ups ...gitstore.Update) error {
	if len(ups) == 0 {
		return nil
	}
	if err := p.store.Push(ctx, ups...); err != nil {
		p.claimed = time.Time{} // whoever holds the environment now, the next pass will read
		return fmt.Errorf("push %s: %w", ups[0].Ref, err)
	}
	for _, u := range ups {
		if u.Ref == p.refs.live && p.remembered > 0 {
			p.log.Info("remembered changes made on the platform", "objects", p.remembered, "commit", u.New.String())
			p.remembered = 0
		}
		if p.git[u.Ref] = u.New; u.New.IsZero() {
			delete(p.git, u.Ref)
		}
	}
	return nil
}

// stateCommit writes the commit that the working state asks for; an empty edit asks for none.
func (p *pass) stateCommit(why string, extra gitstore.Edit) (gitstore.Commit, gitstore.Edit, error) {
	for i := range p.st.seen.Proposals {
		if pr := &p.st.seen.Proposals[i]; pr.Number == 0 {
			pr.Number = p.numbers[pr.Head]
		}
	}
	e := p.st.edit()
	maps.Copy(e, extra)
	if len(p.baseUp) > 0 {
		b, err := p.base.tree.Write(p.baseUp)
		if err != nil {
			return gitstore.Commit{}, nil, fmt.Errorf("base: %w", err)
		}
		maps.Copy(e, b)
	}
	if len(e) == 0 {
		return gitstore.Commit{}, nil, nil
	}
	c, err := p.writeCommit(p.st.tip, e, gitstore.Signature{}, p.r.unbuilt(stateSubject+why+"\n"))
	return c, e, err
}

// advance makes memory follow a state commit that has become the ref's tip.
func (p *pass) advance(c gitstore.Commit, e gitstore.Edit) error {
	raw := maps.Clone(p.st.raw)
	for name, b := range e {
		switch {
		case path.Ext(name) != ".json" || path.Dir(name) != "." && path.Dir(name) != requestsDir:
		case name == idsFile: // too large to be kept twice
		case b == nil:
			delete(raw, name)
		default:
			raw[name] = b
		}
	}
	p.st.tip, p.st.raw, p.st.idsMoved = c.ID, raw, false
	p.environment.state = p.st.clone()
	p.baseUp = resource.Overlay{}
	if !p.claiming.IsZero() {
		p.claimed, p.claiming = p.claiming, time.Time{}
	}
	if err := p.base.move(p.store, c.ID); err != nil {
		return fmt.Errorf("read back the state: %w", err)
	}
	return nil
}

// writeCommit writes a commit on top of another; a zero author is driftback itself.
func (p *pass) writeCommit(base gitstore.ID, e gitstore.Edit, author gitstore.Signature, msg string) (gitstore.Commit, error) {
	var parents []gitstore.ID
	if !base.IsZero() {
		parents = []gitstore.ID{base}
	}
	if author.When.IsZero() {
		author.When = p.r.c.Clock.Now()
	}
	return p.store.Write(base, parents, e, author, msg)
}

// unbuilt is the message of a commit of a live branch or a state: where asked for, with a paragraph after the subject
// that GitHub and others take for a request to run nothing. Trailers stay last.
func (r *Reconciler) unbuilt(msg string) string {
	if !r.c.SkipCI {
		return msg
	}
	subject, rest, _ := strings.Cut(msg, "\n")
	return subject + "\n\n[skip ci]\n" + rest
}

// flush writes what is left of the working state at the end of a pass. Ids alone
// are not worth a commit: they travel with the next change.
func (p *pass) flush(ctx context.Context) error {
	p.base.share(p.want)
	p.live.share(p.want)
	p.forgetIDs()
	e := p.st.edit()
	delete(e, idsFile)
	if p.dry || len(e) == 0 && len(p.baseUp) == 0 && len(p.pending) == 0 {
		return nil
	}
	return p.push(ctx, "pass", nil)
}

// forgetIDs drops the ids that nothing bears any more.
func (p *pass) forgetIDs() {
	base := p.baseNow()
	if !p.idsNew && p.tidied.still(p.seen, base) {
		return
	}
	ids, moved := p.st.ids.forget(p.seen, base)
	p.st.ids, p.st.idsMoved = ids, p.st.idsMoved || moved
	p.tidied = tidied{p.seen.Plain(p.want.snapshot()), base.Plain(p.want.snapshot())}
}

// claim puts this process's claim into the working state, if it holds none that
// leaves time for one more request. It counts once it was pushed.
func (p *pass) claim() error {
	now := p.r.c.Clock.Now()
	if p.holds(now) || !p.claiming.IsZero() {
		return nil
	}
	j := &p.st.journal
	if j.Owner != "" && j.Owner != p.r.c.Owner && now.Before(j.Deadline.Add(claimMargin)) {
		return fmt.Errorf("%w until %s", ErrStandBack, j.Deadline.UTC().Format(time.RFC3339))
	}
	j.Owner, j.Deadline = p.r.c.Owner, now.Add(p.r.c.ClaimFor).UTC()
	p.claiming = now
	return nil
}

// effect must be called before every effect outside Git's state ref: it makes sure
// that the claim stands in Git and leaves time for one request, and that what was
// remembered is there too.
func (p *pass) effect(ctx context.Context) error {
	if err := p.claim(); err != nil {
		return err
	}
	if p.claiming.IsZero() && len(p.pending) == 0 {
		return nil
	}
	if err := p.push(ctx, "claim", nil); err != nil {
		return err
	}
	if !p.holds(p.r.c.Clock.Now()) {
		return fmt.Errorf("claim: taking it took longer than %s", p.r.c.ClaimFor-p.r.c.RequestTimeout)
	}
	return nil
}

// holds reports whether the claim that stands in Git is ours and leaves time for one
// request.
func (p *pass) holds(now time.Time) bool {
	return !p.claimed.IsZero() && p.st.journal.Owner == p.r.c.Owner &&
		elapsed(p.claimed, now) < p.r.c.ClaimFor-p.r.c.RequestTimeout
}

// elapsed is the time from a to b by the clock that shows more of it: the monotonic one stands still while
// the machine sleeps, and the wall clock may be set back.
func elapsed(a, b time.Time) time.Duration {
	return max(b.Sub(a), b.Round(0).Sub(a.Round(0)))
}

// leased is the context of a write to the platform. Nothing is begun under it once the claim leaves no time for
// one request, and what is under way then ends with the claim at the latest.
func (p *pass) leased(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx = vendors.WithLease(ctx, func() bool { return p.holds(p.r.c.Clock.Now()) })
	return context.WithTimeout(ctx, p.r.c.ClaimFor-elapsed(p.claimed, p.r.c.Clock.Now()))
}

// release gives the claim up, so that the next process need not wait for its deadline; a deployment
// that was cut off is then finished by whoever comes first.
func (p *pass) release(ctx context.Context) error {
	if p.st.journal.Owner != p.r.c.Owner {
		return nil
	}
	p.st.journal.Owner, p.st.journal.Deadline = "", time.Time{}
	p.claimed = time.Time{}
	return p.push(ctx, "release", nil)
}
