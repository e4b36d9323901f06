package reconciler

import (
	"fmt"
	"slices"

	"github.com/driftback/driftback/reconciler/merge"
	"github.com/driftback/driftback/reconciler/rules"
	"github.com/driftback/driftback/vendors/resource"
)

// A Verdict says what is to happen to one object.
type Verdict string

// The verdicts. An object on which base, want and live agree has none.
const (
	// Deploy: make live equal After.
	Deploy Verdict = "deploy"
	// Record: propose live to Git.
	Record Verdict = "record"
	// Merge: both sides changed different fields. Make live equal After; what live had of its own is still drift.
	Merge Verdict = "merge"
	// Agree: both sides say the same, and base does not know it yet. Nothing is written.
	Agree Verdict = "agree"
	// Conflict: frozen until people decide.
	Conflict Verdict = "conflict"
)

// An Item is the decision on one object.
type Item struct {
	Key     resource.Key  `json:"key"`
	Verdict Verdict       `json:"verdict"`
	Base    resource.Hash `json:"base,omitzero"` // zero where absent, as the next two
	Want    resource.Hash `json:"want,omitzero"`
	Live    resource.Hash `json:"live,omitzero"`
	// After is what Deploy and Merge make of live; nil deletes.
	After resource.Spec `json:"-"`
	// Conflicts are the fields that both sides changed differently.
	Conflicts []merge.Conflict `json:"-"`
	// Partner is the other key where this object was renamed: one of the two vanishes, the other appears.
	Partner resource.Key `json:"partner,omitzero"`
	// Enforced is set where Deploy takes back what was changed on the platform alone, because the mode is enforce.
	Enforced bool `json:"-"`
	// Reviewed is false where After holds text that was merged line by line and that nobody has seen.
	Reviewed bool `json:"reviewed"`
}

// A Decision lists the objects on which the three sides do not agree, in key order.
type Decision struct {
	Items []Item
}

// Options are what Decide needs to know beside the three sides. The zero value
// compares whole specs and merges nothing into text.
type Options struct {
	Schemas map[resource.Kind]*resource.Schema
	Rules   rules.Rules
	// Enforce deploys base again where live alone changed, and want where both did.
	Enforce bool
	// Fresh are fields at the top of objects, by kind, that an older version of the program did not know. Where Git never named
	// one, Enforce leaves it as it is and records it.
	Fresh map[resource.Kind][]string
	// MergeText lets a text that diff3 merged without a conflict be deployed unreviewed, because the
	// activation checks it.
	MergeText bool
	// LiveRenames and WantRenames map a key that appeared on that side to the one that vanished there.
	LiveRenames, WantRenames map[resource.Key]resource.Key
}

// Decide says who is right, object by object, by the table of the design. It is
// pure, and the only place that decides.
//
// An object is passed over where one side does not know it: where want's or live's
// scope does not cover it, and where it is missing from live but the reading that
// gave base (base's scope) did not cover it either. Keys are picked by hash; bodies
// are looked at only where both sides moved or where rules ignore fields. The
// error is that of a body that could not be loaded.
func Decide(base, want, live *resource.Snapshot, o Options) (Decision, error) {
	d := decider{base: base, want: want, live: live, o: o}
	var out Decision
	for k, h := range differing(base, want, live) {
		it, err := d.object(k, h)
		if err != nil {
			return Decision{}, fmt.Errorf("decide %s: %w", k, err)
		}
		if it.Verdict != "" {
			out.Items = append(out.Items, it)
		}
	}
	pairRenames(out.Items, o)
	return out, nil
}

type decider struct {
	base, want, live *resource.Snapshot
	o                Options
}

// known reports whether all three sides say something about k.
func (d *decider) known(k resource.Key, h sides) bool {
	if h.want.IsZero() && !d.want.Covers(k) {
		return false
	}
	if !h.live.IsZero() {
		return true
	}
	if !d.live.Covers(k) {
		return false
	}
	if h.base.IsZero() {
		return true
	}
	// It was there once: its absence counts only between readings that are comparable.
	return d.base.Covers(k) && d.base.Scope().SamePartition(d.live.Scope(), k.Kind)
}

func (d *decider) object(k resource.Key, h sides) (Item, error) {
	it := Item{Key: k, Base: h.base, Want: h.want, Live: h.live, Reviewed: true}
	if !d.known(k, h) || d.o.Rules.Ignored(k) {
		return Item{}, nil
	}
	same := h
	if d.o.Rules.Touches(k) {
		var err error
		if same, err = d.stripped(k); err != nil {
			return Item{}, err
		}
	}
	b, w, l := same.base, same.want, same.live
	switch {
	case w == l:
		if b != w {
			it.Verdict = Agree
		}
		return it, nil
	case b.IsZero() && l.IsZero(), !b.IsZero() && l == b:
		return d.deploy(it)
	case b.IsZero():
		it.Verdict = Record // adoption: live is proposed, never deployed over
		return it, nil
	case w == b:
		it.Verdict = Record
		if d.o.Enforce {
			return d.enforce(it, true)
		}
		return it, nil
	case d.o.Enforce:
		it.Verdict = Record
		return d.enforce(it, false)
	}
	return d.merge(it)
}

// enforce has live become want, but for fields that nobody knew of when Git was written: where these are all that differ, the item
// stays what it is. byHand says that only live changed.
func (d *decider) enforce(it Item, byHand bool) (Item, error) {
	live, err := d.live.Spec(it.Key)
	if err != nil {
		return Item{}, err
	}
	unnamed, err := d.unnamed(it.Key, live)
	if err != nil {
		return Item{}, err
	}
	record := it
	it.Enforced = byHand
	if it, err = d.deploy(it); err != nil || it.After == nil || len(unnamed) == 0 {
		return it, err
	}
	it.After = it.After.Clone()
	for _, name := range unnamed {
		it.After[name] = live[name]
	}
	if resource.Equal(it.After, live) {
		return record, nil
	}
	return it, nil
}

// unnamed are the fields of live that an older version of the program did not know, and that neither Git nor base names.
func (d *decider) unnamed(k resource.Key, live resource.Spec) ([]string, error) {
	fresh := d.o.Fresh[k.Kind]
	if len(fresh) == 0 || live == nil {
		return nil, nil
	}
	want, err := d.want.Spec(k)
	if err != nil {
		return nil, err
	}
	base, err := d.base.Spec(k)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(slices.Clone(fresh), func(name string) bool {
		return live[name] == nil || want[name] != nil || base[name] != nil
	}), nil
}

// deploy completes an item whose live is to become want.
func (d *decider) deploy(it Item) (Item, error) {
	want, err := d.want.Spec(it.Key)
	if err != nil {
		return Item{}, err
	}
	live, err := d.liveIfNeeded(it.Key)
	if err != nil {
		return Item{}, err
	}
	it.Verdict, it.After = Deploy, d.o.Rules.Restore(it.Key, want, live)
	return it, nil
}

// liveIfNeeded avoids loading a body that no rule asks for.
func (d *decider) liveIfNeeded(k resource.Key) (resource.Spec, error) {
	if !d.o.Rules.Touches(k) {
		return nil, nil
	}
	return d.live.Spec(k)
}

func (d *decider) merge(it Item) (Item, error) {
	var specs [3]resource.Spec
	for i, s := range []*resource.Snapshot{d.base, d.want, d.live} {
		spec, err := s.Spec(it.Key)
		if err != nil {
			return Item{}, err
		}
		specs[i] = d.o.Rules.Strip(it.Key, spec)
	}
	r := merge.Specs(d.o.Schemas[it.Key.Kind], specs[0], specs[1], specs[2])
	switch {
	case len(r.Conflicts) > 0:
		it.Verdict, it.Conflicts = Conflict, r.Conflicts
	case r.Text && !d.o.MergeText:
		it.Verdict = Conflict
		it.Conflicts = []merge.Conflict{{Base: specs[0], Ours: specs[1], Theirs: specs[2],
			Reason: "both sides changed lines of this text; it merges cleanly, but nothing checks the outcome"}}
	default:
		live, err := d.live.Spec(it.Key)
		if err != nil {
			return Item{}, err
		}
		it.Verdict, it.After, it.Reviewed = Merge, d.o.Rules.Restore(it.Key, r.Spec, live), !r.Text
	}
	return it, nil
}

// stripped returns the hashes without the ignored fields.
func (d *decider) stripped(k resource.Key) (sides, error) {
	var h [3]resource.Hash
	for i, s := range []*resource.Snapshot{d.base, d.want, d.live} {
		spec, err := s.Spec(k)
		if err != nil {
			return sides{}, err
		}
		h[i] = d.o.Rules.Strip(k, spec).Hash()
	}
	return sides{h[0], h[1], h[2]}, nil
}

// pairRenames ties the two keys of a rename together, so that they share one
// fate: where they cannot, both are frozen.
func pairRenames(items []Item, o Options) {
	tie := func(renames map[resource.Key]resource.Key, verdict Verdict) {
		for i := range items {
			old, ok := renames[items[i].Key]
			if !ok {
				continue
			}
			j, ok := slices.BinarySearchFunc(items, old, func(it Item, k resource.Key) int { return it.Key.Compare(k) })
			if !ok {
				continue
			}
			appeared, vanished := &items[i], &items[j]
			if o.Enforce && verdict == Record && appeared.Verdict == Record && appeared.Want.IsZero() && vanished.Verdict == Deploy {
				// The rename is undone: the new name goes as the old one comes back.
				appeared.Verdict, appeared.After = Deploy, nil
			}
			if appeared.Verdict == Agree || vanished.Verdict == Agree {
				continue
			}
			if appeared.Verdict != vanished.Verdict {
				for _, it := range []*Item{appeared, vanished} {
					if it.Verdict != Conflict {
						it.Verdict, it.After = Conflict, nil
						it.Conflicts = []merge.Conflict{{Reason: fmt.Sprintf("renamed from %s to %s on one side and changed on the other", old.Name, appeared.Key.Name)}}
					}
				}
			}
			appeared.Partner, vanished.Partner = vanished.Key, appeared.Key
		}
	}
	tie(o.LiveRenames, Record)
	tie(o.WantRenames, Deploy)
}
