package reconciler

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/driftback/driftback/gitstore"
	"github.com/driftback/driftback/reconciler/files"
	"github.com/driftback/driftback/reconciler/report"
	"github.com/driftback/driftback/vendors"
	"github.com/driftback/driftback/vendors/resource"
)

// remember commits to the live branch what changed on the platform since the last
// time, a commit per person and cluster of changes. It is pushed with the next push, which
// precedes every effect: from then on driftback may overwrite it.
func (p *pass) remember(ctx context.Context) error {
	p.noteIDs(p.seen)
	changed := p.unrecorded()
	if len(changed) == 0 || p.dry {
		p.takeScope()
		return nil
	}
	who, err := p.attribute(ctx, changed)
	if err != nil {
		return err
	}
	tip := p.git[p.refs.live]
	at := p.live
	for _, g := range clusters(changed, who) {
		objects, err := p.changesOf(&at, g)
		if err != nil {
			return err
		}
		e, err := at.tree.Write(g.overlay)
		for _, bad := range keyErrors(err) {
			p.unrecordable(bad.Key, g.overlay[bad.Key], bad.Err)
			err = nil
		}
		if err != nil {
			return fmt.Errorf("remember: %w", err)
		}
		if len(e) == 0 {
			continue
		}
		author := p.author(g.by)
		author.When = g.by.When
		c, err := p.writeCommit(at.commit, e, author, p.r.unbuilt(report.CommitMessage(p.Name, objects)))
		if err != nil {
			return fmt.Errorf("remember: %w", err)
		}
		if at, err = at.at(p.store, c.ID); err != nil {
			return fmt.Errorf("remember: %w", err)
		}
	}
	p.takeScope()
	if at.commit == tip {
		return nil
	}
	p.remembered = len(changed)
	p.pending = append(p.pending, gitstore.Update{Ref: p.refs.live, Old: tip, New: at.commit})
	p.live = at
	p.report.Remembered = len(changed)
	return nil
}

// noteIDs keeps the map of ids up to date, in the working state. What the last observation
// said already is passed over.
func (p *pass) noteIDs(seen *resource.Snapshot) {
	now, fresh := seen.Identities(p.st.noted)
	p.takeIDs(fresh)
	if p.st.noted = now; !p.st.idsMoved && p.environment.state != nil {
		p.environment.state.noted = now // also where nothing is written in this pass
	}
}

// takeIDs puts ids into the map. After news that no observation gave, the next one is looked
// through from end to end.
func (p *pass) takeIDs(es []resource.Entry) {
	ids, moved := p.st.ids.observe(es)
	if moved {
		p.st.ids, p.st.idsMoved, p.idsNew, p.st.noted = ids, true, true, nil
	}
}

// unrecorded is the difference between what was observed and what the live branch says. Objects
// whose name or size Git cannot hold become unknown.
func (p *pass) unrecorded() resource.Overlay {
	out := resource.Overlay{}
	recorded := p.live.snapshot()
	for k, h := range differing(recorded, recorded, p.seen) {
		switch {
		case !h.live.IsZero():
			r, err := p.seen.Resource(k)
			if err == nil {
				_, _, err = files.Encode(p.kindOf(k.Kind), *r)
			}
			if err != nil {
				p.unrecordable(k, r, err)
				continue
			}
			out[k] = r
		case p.seen.Covers(k):
			out[k] = nil
		}
	}
	return out
}

func (e *environment) kindOf(k resource.Kind) resource.KindInfo {
	for _, info := range e.kinds {
		if info.Kind == k {
			return info
		}
	}
	return resource.KindInfo{Kind: k}
}

// unrecordable takes an object out of what was observed that Git cannot hold.
func (p *pass) unrecordable(k resource.Key, r *resource.Resource, err error) {
	if r != nil {
		p.unkept[k] = r
	}
	p.unknown(k, err.Error())
}

// unknown takes an object out of what was observed.
func (p *pass) unknown(k resource.Key, why string) {
	scope := p.seen.Scope()
	scope.Unknown = maps.Clone(scope.Unknown)
	scope.Unknown[k] = why
	p.seen = p.seen.With(resource.Overlay{k: nil}).WithOptions(resource.Options{Scope: scope})
	p.trouble = append(p.trouble, Trouble{Key: k, Kind: k.Kind, Reason: why})
}

// attribution says who changed an object, as far as that is known.
type attribution struct {
	Who, Email string
	When       time.Time
	AuditID    string
	With       string // the application, in the platform's own words
	Ours       bool
}

// attribute joins the platform's audit to the differences. What the daemon wrote itself is its own.
func (p *pass) attribute(ctx context.Context, changed resource.Overlay) (map[resource.Key]attribution, error) {
	out := make(map[resource.Key]attribution, len(changed))
	audit := p.audit(ctx)
	base := p.base.snapshot()
	for k, r := range changed {
		var h resource.Hash
		a := attribution{}
		if r != nil {
			h = r.Spec.Hash()
			if r.Origin != nil {
				a = attribution{Who: r.Origin.Who, Email: r.Origin.Email, When: r.Origin.When, AuditID: r.Origin.AuditID}
			}
		}
		if e, ok := audit[k]; ok && (e.Hash.IsZero() || e.Hash == h) {
			a = attribution{Who: e.Who, Email: e.Email, When: e.When, AuditID: e.ID, With: e.Application}
		}
		if p.wrote(k, h) || h == base.Hash(k) && !h.IsZero() && h == p.want.snapshot().Hash(k) {
			a = attribution{When: p.start, Ours: true}
		}
		switch p.Attribution {
		case "none":
			a.Who, a.Email, a.AuditID, a.With = "", "", "", ""
		case "login":
			a.Email = ""
		}
		if a.When.After(p.start) {
			a.When = p.start
		}
		out[k] = a
	}
	return out, nil
}

// wrote reports whether the deployment in the journal gives k this value.
func (p *pass) wrote(k resource.Key, h resource.Hash) bool {
	if p.st.journal.Phase == phaseIdle {
		return false
	}
	for _, s := range p.st.journal.Steps {
		if s.After == k && s.To == h || s.Before == k && s.After != k && h.IsZero() {
			return true
		}
	}
	return false
}

// audit returns the newest record of each key since the last observation. A platform without an
// audit, or one that does not answer, attributes nothing; that is said, not guessed.
func (p *pass) audit(ctx context.Context) map[resource.Key]vendors.AuditEntry {
	a, ok := p.Platform.Auditor()
	if !ok {
		return nil
	}
	since := p.start.Add(-24 * time.Hour)
	if tip := p.git[p.refs.live]; !tip.IsZero() {
		if c, err := p.store.CommitAt(tip); err == nil {
			since = c.Committer.When.Add(-time.Minute)
		}
	}
	out := map[resource.Key]vendors.AuditEntry{}
	for e, err := range a.Audit(ctx, since) {
		if err != nil {
			p.log.Warn("audit", "error", err)
			break
		}
		out[e.Key] = e
	}
	return out
}

// cluster is what one person changed in one go.
type cluster struct {
	by      attribution
	overlay resource.Overlay
}

// clusterGap separates two clusters of one person's changes.
const clusterGap = 10 * time.Minute

// clusters groups changes by person and time, oldest first.
func clusters(changed resource.Overlay, who map[resource.Key]attribution) []cluster {
	keys := slices.SortedFunc(maps.Keys(changed), func(a, b resource.Key) int {
		x, y := who[a], who[b]
		return cmp.Or(cmp.Compare(x.Who, y.Who), cmp.Compare(x.Email, y.Email), cmp.Compare(x.With, y.With), boolCompare(x.Ours, y.Ours), x.When.Compare(y.When), a.Compare(b))
	})
	var out []cluster
	for _, k := range keys {
		a := who[k]
		if n := len(out); n > 0 {
			last := &out[n-1]
			if last.by.Who == a.Who && last.by.Email == a.Email && last.by.With == a.With && last.by.Ours == a.Ours && a.When.Sub(last.by.When) <= clusterGap {
				last.overlay[k] = changed[k]
				last.by.When = a.When
				continue
			}
		}
		out = append(out, cluster{by: a, overlay: resource.Overlay{k: changed[k]}})
	}
	slices.SortStableFunc(out, func(a, b cluster) int { return a.by.When.Compare(b.by.When) })
	return out
}

func boolCompare(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}

// author is always driftback: trailers name the person, unless an address is known to belong to them.
func (p *pass) author(attribution) gitstore.Signature { return gitstore.Signature{} }

// changesOf describes a cluster for its commit message.
func (p *pass) changesOf(at *treeAt, g cluster) ([]report.Object, error) {
	var out []report.Object
	for _, k := range slices.SortedFunc(maps.Keys(g.overlay), resource.Key.Compare) {
		before, err := at.snapshot().Resource(k)
		if err != nil {
			return nil, fmt.Errorf("remember %s: %w", k, err)
		}
		out = append(out, report.Object{
			Change: resource.Change{Before: before, After: g.overlay[k]}, Schema: p.schemas[k.Kind],
			Who: g.by.Who, Email: g.by.Email, When: g.by.When, AuditID: g.by.AuditID, Application: g.by.With, Note: ourNote(g.by),
		})
	}
	return out, nil
}

func ourNote(a attribution) string {
	if a.Ours {
		return "deployed by driftback"
	}
	return ""
}
