package reconciler

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/driftback/driftback/reconciler/credential"
	"github.com/driftback/driftback/vendors"
	"github.com/driftback/driftback/vendors/resource"
)

// observe lists the platform. What was not read in full stays unknown; what is
// missing is asked for by id before it counts as gone; what looks like a
// credential is withheld.
func (p *pass) observe(ctx context.Context) error {
	known := p.live.snapshot()
	snap, err := p.list(ctx, known)
	if err != nil {
		return err
	}
	if p.differentTenant(snap) {
		return nil
	}
	scope := resource.Scope{Kinds: snap.Scope().Kinds, Unknown: maps.Clone(snap.Scope().Unknown)}
	if scope.Unknown == nil {
		scope.Unknown = map[resource.Key]string{}
	}
	snap = p.withoutStale(snap, scope)
	if err := p.confirm(ctx, snap, known, scope); err != nil {
		return err
	}
	secrets, err := p.maskSeen(snap)
	if err != nil {
		return err
	}
	if len(secrets) > 0 {
		snap = snap.With(secrets)
	}
	hidden, err := p.withhold(snap)
	if err != nil {
		return err
	}
	for k := range hidden {
		scope.Unknown[k] = p.withheld[k]
	}
	p.seen = snap.With(hidden).WithOptions(resource.Options{Scope: scope, Load: p.bodyOf(snap)})
	p.report.Observed = p.seen.Len()
	return nil
}

// list observes, waiting for what is still being written where the operator wants that.
func (p *pass) list(ctx context.Context, known *resource.Snapshot) (*resource.Snapshot, error) {
	settler, waits := p.Platform.Settler()
	waits = waits && p.AwaitSettled && !p.dry
	for tries := 0; ; tries++ {
		snap, err := p.Platform.Observe(ctx, vendors.Request{Known: known})
		if snap == nil {
			return nil, fmt.Errorf("observe: %w", err)
		}
		if err != nil {
			p.trouble = append(p.trouble, Trouble{Reason: err.Error()})
			p.log.Warn("observed in part", "error", err)
		}
		if waits && tries < 20 {
			if d := settler.Settling(); d > 0 {
				if err := p.r.c.Clock.Sleep(ctx, d); err != nil {
					return nil, err
				}
				p.trouble = nil
				continue
			}
		}
		if settler != nil {
			p.report.Again = settler.Settling()
		}
		return snap, nil
	}
}

// bodyOf loads what the listing did not bring along, because it equals what was recorded.
func (p *pass) bodyOf(snap *resource.Snapshot) func(resource.Entry) (resource.Spec, error) {
	return func(e resource.Entry) (resource.Spec, error) {
		if live := p.live.snapshot(); live.Hash(e.Key) == e.Hash {
			return live.Spec(e.Key)
		}
		return snap.Spec(e.Key)
	}
}

func (p *pass) differentTenant(snap *resource.Snapshot) bool {
	s := &p.st.seen
	t := snap.Tenant()
	if s.Tenant != "" && t != "" && s.Tenant != t {
		p.halt(Halt{Cause: "tenant", Detail: t, Reason: fmt.Sprintf("this is another tenant: %s answered where %s was seen until now; if that is meant, `driftback resume %s` accepts it", t, s.Tenant, p.Name)})
		if p.st.decisions.Halt != nil {
			return true
		}
	}
	if t != "" {
		s.Tenant = t
	}
	return false
}

// confirm asks by id for everything that was recorded once and is not listed now. What
// is there after all, or cannot be asked for, becomes unknown in scope. Where much is
// missing, a second complete listing must miss it too.
func (p *pass) confirm(ctx context.Context, snap, known *resource.Snapshot, scope resource.Scope) error {
	missing := missingKeys(known, snap)
	if len(missing) == 0 {
		return nil
	}
	if snap.Len() == 0 || p.Guard.Deletes > 0 && len(missing) > p.Guard.Deletes {
		again, err := p.Platform.Observe(ctx, vendors.Request{Known: known})
		if again == nil {
			return fmt.Errorf("observe again, %d objects being missing: %w", len(missing), err)
		}
		still := map[resource.Key]bool{}
		for _, k := range missingKeys(known, again) {
			still[k] = true
		}
		missing = slices.DeleteFunc(missing, func(k resource.Key) bool {
			if !still[k] {
				scope.Unknown[k] = "listed by one of two readings only"
			}
			return !still[k]
		})
	}
	found, err := p.Platform.Read(ctx, missing)
	if found == nil {
		return fmt.Errorf("read %d missing objects: %w", len(missing), err)
	}
	for _, k := range missing {
		_, there := found.Entry(k)
		switch {
		case there:
			scope.Unknown[k] = "not listed, but there when asked for"
		case !found.Covers(k):
			scope.Unknown[k] = "not listed, and could not be asked for"
		}
	}
	return nil
}

// missingKeys are those that known lists and snap, which would have seen them, does not.
func missingKeys(known, snap *resource.Snapshot) []resource.Key {
	var out []resource.Key
	for k, h := range differing(known, known, snap) {
		if h.live.IsZero() && snap.Covers(k) {
			out = append(out, k)
		}
	}
	return out
}

// withhold picks the objects whose new value looks like a credential. A value that Git
// has already is not new.
func (p *pass) withhold(snap *resource.Snapshot) (resource.Overlay, error) {
	recorded, base, want := p.live.snapshot(), p.base.snapshot(), p.want.snapshot()
	out := resource.Overlay{}
	p.withheld, p.unkept = map[resource.Key]string{}, resource.Overlay{}
	for k, h := range differing(recorded, recorded, snap) {
		if h.live.IsZero() || h.live == base.Hash(k) || h.live == want.Hash(k) {
			continue
		}
		r, err := snap.Resource(k)
		if err != nil {
			return nil, fmt.Errorf("observe %s: %w", k, err)
		}
		found := p.credentials(k, r.Spec)
		if len(found) == 0 {
			continue
		}
		out[k], p.unkept[k] = nil, r
		p.withheld[k] = fmt.Sprintf("looks like a credential (%s at %s): it is kept out of Git until the operator lists it under secrets: or allow:", found[0].Rule, found[0].Path)
	}
	return out, nil
}

// credentials are what looks like one in an object, but for what the operator allows.
func (p *pass) credentials(k resource.Key, spec resource.Spec) []credential.Finding {
	found := credential.Find(k, spec, p.isRaw(k.Kind))
	if p.r.c.Holds != nil && (p.r.c.Holds(k.Name) || shows(map[string]any(spec), p.r.c.Holds)) {
		found = append(found, credential.Finding{Path: "(somewhere)", Rule: knownSecret})
	}
	return p.Allow.Filter(k, found)
}

// knownSecret is the rule of values that the operator's configuration has as secrets.
const knownSecret = "known-secret"

// shows reports whether any text of a value holds something.
func shows(v any, holds func(string) bool) bool {
	switch v := v.(type) {
	case string:
		return holds(v)
	case map[string]any:
		for k, x := range v {
			if holds(k) || shows(x, holds) {
				return true
			}
		}
	case []any:
		for _, x := range v {
			if shows(x, holds) {
				return true
			}
		}
	}
	return false
}

// takeScope notes what this reading could have seen, for the next one to compare
// with. Objects of base that a changed cover no longer shows stay unknown until they
// are seen again: their absence was never observed.
func (p *pass) takeScope() {
	old, now := p.st.seen.Scope, p.seen.Scope()
	unknown, unseen := map[resource.Key]string{}, map[resource.Key]string{}
	for k, why := range old.Unknown {
		if _, listed := p.seen.Entry(k); listed {
			continue
		}
		part, hidden := p.st.seen.Unseen[k]
		if hidden && now.Covers(k) && now.Kinds[k.Kind].Partition == part {
			continue // it was seen in this partition, is looked for there again, and is gone
		}
		if want := p.want.snapshot(); now.Covers(k) && want.Covers(k) && want.Hash(k).IsZero() {
			continue // neither side has it: nothing hangs on where it went
		}
		if now.Covers(k) {
			p.trouble = append(p.trouble, Trouble{Key: k, Kind: k.Kind, Reason: why + ": nobody saw whether it was deleted; remove its file to let it go (and put it back to have it made again), or make it on the platform"})
		}
		unknown[k] = why
		if hidden {
			unseen[k] = part
		}
	}
	moved := map[resource.Kind]bool{} // kinds whose cover is another now
	for kind, was := range old.Kinds {
		if is, has := now.Kinds[kind]; has && !sameCover(was, is) {
			moved[kind] = true
		}
	}
	if len(moved) > 0 {
		for e := range p.base.snapshot().Entries() {
			if !moved[e.Key.Kind] {
				continue
			}
			samePart := old.Kinds[e.Key.Kind].Partition == now.Kinds[e.Key.Kind].Partition
			if _, listed := p.seen.Entry(e.Key); !listed && (!now.Covers(e.Key) || !samePart) {
				unknown[e.Key] = "not seen since what is observed was changed"
				if _, already := unseen[e.Key]; !already && old.Covers(e.Key) {
					unseen[e.Key] = old.Kinds[e.Key.Kind].Partition
				}
			}
		}
	}
	// A kind that could not be read this time keeps the cover of the last time.
	kinds := maps.Clone(old.Kinds)
	if kinds == nil {
		kinds = map[resource.Kind]resource.Cover{}
	}
	maps.Copy(kinds, now.Kinds)
	p.st.seen.Scope = resource.Scope{Kinds: kinds, Unknown: unknown}
	if p.st.seen.Unseen = unseen; len(unseen) == 0 {
		p.st.seen.Unseen = nil
	}
	if len(unknown) == 0 {
		p.st.seen.Scope.Unknown = nil
	}
}

func sameCover(a, b resource.Cover) bool {
	return slices.Equal(a.Include, b.Include) && slices.Equal(a.Exclude, b.Exclude) && a.Partition == b.Partition
}
