package plan

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/driftback/driftback/reconciler/diff"
	"github.com/driftback/driftback/vendors/resource"
)

// Options say what Order cannot see from the changes.
type Options struct {
	// Kinds are the descriptors of the platform, referenced kinds first. A change of another kind is a Problem.
	Kinds []resource.KindInfo
	// Exists reports whether the object is there before the plan, managed or only referred to.
	// Without it, everything outside the plan that is referred to counts as there.
	Exists func(resource.Key) bool
	// Referrers returns the live objects that refer to the object. Without it, only the changes are looked at.
	Referrers func(resource.Key) []resource.Key
	// Recreate reports whether the object may be deleted and created anew, where an immutable field of
	// it changes. It gets a new id then. Without it, no object may.
	Recreate func(resource.Key) bool
}

// Order returns a plan that makes the changes: what is referred to is created and
// updated first, what refers is deleted first, and a name is given up before it is
// taken. Otherwise kinds follow their descriptors and objects their names, deletions at
// the end and backwards, so that equal input in any order gives equal plans.
//
// One change can become several steps: where objects refer to each other, one is created
// without these references and completed later; names that are swapped go through a
// temporary one; where the platform cannot rename, an object is created anew and
// the old one deleted. Each such step has a Note. Only what is renamed may refer to itself by its new name.
//
// What cannot be planned is left out with everything that depends on it, and returned as
// one Problem a change, in key order. The plan of the others is good.
func Order(changes []resource.Change, o Options) (Plan, []Problem) {
	p := newPlanner(changes, o)
	p.checkNames()
	for i := range p.tasks {
		p.checkTask(&p.tasks[i])
	}
	p.checkReferrers()
	nodes := p.arrange()
	return Plan{Steps: p.emit(nodes)}, p.problems()
}

// A task is one change on its way into the plan.
type task struct {
	resource.Change
	kind kind
	// recreate says why the object is deleted and created anew; empty where it is not.
	recreate string
	err      error // why it cannot be planned
}

type kind struct {
	resource.KindInfo
	schema *resource.Schema
	rank   int
}

type planner struct {
	o     Options
	kinds map[resource.Kind]kind
	tasks []task // by rank of the kind, then by key
	lost  int    // changes without an object
	// gives are the keys that are there because of the task; takes those that are there no more.
	gives, takes map[resource.Key]*task
	writes       map[resource.Key]*task // by key before
	// follows says how references to renamed objects read at the end, where they follow by themselves.
	follows map[resource.Key]resource.Key
}

func newPlanner(changes []resource.Change, o Options) *planner {
	p := &planner{
		o: o, kinds: map[resource.Kind]kind{},
		gives: map[resource.Key]*task{}, takes: map[resource.Key]*task{}, writes: map[resource.Key]*task{},
		follows: map[resource.Key]resource.Key{},
	}
	for i, k := range o.Kinds {
		p.kinds[k.Kind] = kind{KindInfo: k, schema: k.Schema(), rank: i}
	}
	for _, c := range changes {
		if c.Before == nil && c.After == nil {
			p.lost++
			continue
		}
		k, ok := p.kinds[c.Key().Kind]
		t := task{Change: c, kind: k}
		if !ok || k.ReferenceOnly {
			t.err = ErrKind
		}
		p.tasks = append(p.tasks, t)
	}
	slices.SortStableFunc(p.tasks, func(a, b task) int {
		if c := cmp.Or(cmp.Compare(a.kind.rank, b.kind.rank), a.Key().Compare(b.Key())); c != 0 || a.Action() == b.Action() {
			return c
		}
		return -strings.Compare(string(a.Action()), string(b.Action())) // who gives the name up, then who takes it
	})
	return p
}

func (p *planner) exists(k resource.Key) bool { return p.o.Exists == nil || p.o.Exists(k) }

// checkNames fills gives, takes, writes and follows, and finds keys that two changes claim.
func (p *planner) checkNames() {
	claim := func(m map[resource.Key]*task, k resource.Key, t *task) {
		if first := m[k]; first != nil && first != t {
			first.fail(fmt.Errorf("%w: %s is changed twice", ErrChange, k))
			t.fail(fmt.Errorf("%w: %s is changed twice", ErrChange, k))
			return
		}
		m[k] = t
	}
	after := map[resource.Key]*task{}
	for i := range p.tasks {
		t := &p.tasks[i]
		if t.Before != nil {
			claim(p.writes, t.Before.Key, t)
		}
		if t.After != nil {
			claim(after, t.After.Key, t)
		}
		switch t.Action() {
		case resource.Create:
			p.gives[t.After.Key] = t
		case resource.Delete:
			p.takes[t.Before.Key] = t
		case resource.Rename:
			p.gives[t.After.Key], p.takes[t.Before.Key] = t, t
			if t.Before.Key.Kind != t.After.Key.Kind {
				t.fail(fmt.Errorf("%w: a %s cannot become %s", ErrChange, t.Before.Key.Kind, t.After.Key))
			}
			if t.followed() {
				p.follows[t.Before.Key] = t.After.Key
			}
		}
	}
}

// fail records the first cause.
func (t *task) fail(err error) {
	if t.err == nil {
		t.err = err
	}
}

// followed reports whether references to the renamed object follow by themselves.
func (t *task) followed() bool { return t.kind.Can.Rename && t.kind.Can.StableID }

// checkTask finds what is wrong with a change by itself, and decides whether it needs a new object.
func (p *planner) checkTask(t *task) {
	if t.err != nil {
		return
	}
	if err := p.checkAbility(t); err != nil {
		t.fail(err)
		return
	}
	if t.After == nil {
		return
	}
	for _, r := range refs(t.After.Spec) {
		if err := p.checkRef(r); err != nil {
			t.fail(err)
			return
		}
	}
	if p.gives[t.After.Key] == t && p.takes[t.After.Key] == nil && p.o.Exists != nil && p.o.Exists(t.After.Key) {
		t.fail(fmt.Errorf("%w: %s exists already", ErrTaken, t.After.Key))
	}
}

func (p *planner) checkAbility(t *task) error {
	can, key := t.kind.Can, t.Key()
	able := map[resource.Action]bool{
		resource.Create: can.Create, resource.Update: can.Update, resource.Delete: can.Delete,
		resource.Rename: can.Rename || can.Create && can.Delete,
	}
	if t.Before == nil || t.After == nil {
		if !able[t.Action()] {
			return fmt.Errorf("%s: %w", t.Action(), ErrUnsupported)
		}
		return nil
	}
	// A reference that merely follows a rename is nothing that must be written.
	before := renamed(t.kind, t.Before.Spec, p.follows)
	same := resource.Equal(before, t.After.Spec)
	if t.Action() == resource.Rename {
		switch {
		case !able[resource.Rename]:
			return fmt.Errorf("%s: %w", t.Action(), ErrUnsupported)
		case !can.Rename:
			t.recreate = fmt.Sprintf("renamed from %s by creating it anew", key)
			return nil
		}
	}
	if same {
		return nil
	}
	if path, ok := frozen(t.kind.schema, before, t.After.Spec); ok {
		if p.o.Recreate == nil || !p.o.Recreate(key) {
			return fmt.Errorf("%s: %w", path, ErrImmutable)
		}
		if !can.Create || !can.Delete {
			return fmt.Errorf("recreate: %w", ErrUnsupported)
		}
		t.recreate = fmt.Sprintf("recreated, as %s can be set on creation only", path)
		return nil
	}
	if !can.Update {
		return fmt.Errorf("%s: %w", resource.Update, ErrUnsupported)
	}
	return nil
}

// checkRef finds whether the reference will lead somewhere.
func (p *planner) checkRef(r resource.Key) error {
	switch {
	case r.Name == resource.Unresolved:
		return fmt.Errorf("%w: %s stands for an id that leads nowhere", ErrDangling, r)
	case p.gives[r] != nil:
		return nil
	case p.takes[r] != nil:
		if to := p.takes[r].After; to != nil {
			return fmt.Errorf("%w: %s is renamed to %s", ErrDangling, r, to.Key)
		}
		return fmt.Errorf("%w: %s is deleted", ErrDangling, r)
	case p.writes[r] == nil && !p.exists(r):
		return fmt.Errorf("%w: %s neither exists nor is created", ErrDangling, r)
	}
	return nil
}

// frozen returns the path of the first immutable field that differs.
func frozen(s *resource.Schema, before, after resource.Spec) (diff.Path, bool) {
	for _, f := range diff.Fields(s, before, after) {
		for i := range f.Path {
			if f.Path[:i+1].At(s).Field().Immutable {
				return f.Path[:i+1], true
			}
		}
		if _, isField := f.Path[len(f.Path)-1].Field(); !isField {
			continue // a whole element that comes or goes is not a change inside it
		}
		if sub, ok := frozenBelow(f.Path.At(s), f.Before, f.After); ok {
			return append(slices.Clone(f.Path), sub...), true
		}
	}
	return nil, false
}

// frozenBelow looks for immutable fields in a map that comes or goes as a whole.
func frozenBelow(at resource.At, before, after any) (diff.Path, bool) {
	m, ok := before.(map[string]any)
	if !ok {
		m, _ = after.(map[string]any)
	}
	for _, k := range sortedKeys(m) {
		sub := at.Key(k)
		if sub.Field().Immutable {
			return diff.Path{diff.Name(k)}, true
		}
		if path, ok := frozenBelow(sub, m[k], nil); ok {
			return append(diff.Path{diff.Name(k)}, path...), true
		}
	}
	return nil, false
}

// checkReferrers finds objects that are to go while something else holds on to them.
func (p *planner) checkReferrers() {
	for i := range p.tasks {
		t := &p.tasks[i]
		if t.After == nil {
			continue
		}
		for _, r := range refs(t.After.Spec) {
			if gone := p.takes[r]; gone != nil && gone != t && p.gives[r] == nil && !p.survives(gone) {
				gone.fail(fmt.Errorf("%w by %s", ErrReferred, t.After.Key))
			}
		}
	}
	if p.o.Referrers == nil {
		return
	}
	for i := range p.tasks {
		t := &p.tasks[i]
		if t.err == nil && t.Before != nil && p.loses(t) {
			p.checkOutside(t)
		}
	}
}

// survives reports whether references to the object that the task renames stay good.
func (p *planner) survives(t *task) bool { return t.After != nil && t.recreate == "" && t.followed() }

// loses reports whether references to the key before the task no longer lead to what they led to, unless they are changed.
func (p *planner) loses(t *task) bool {
	switch t.Action() {
	case resource.Delete:
		return true
	case resource.Rename:
		return !p.survives(t) || p.gives[t.Before.Key] != nil
	}
	return t.recreate != ""
}

// checkOutside looks for referrers that are not part of the plan.
func (p *planner) checkOutside(t *task) {
	key := t.Before.Key
	outside := slices.SortedFunc(slices.Values(p.o.Referrers(key)), resource.Key.Compare)
	for _, r := range outside {
		if p.writes[r] != nil || r == key {
			continue
		}
		stripped := func(c resource.Cascade) bool { return c.Kind == r.Kind }
		if t.Action() == resource.Delete && slices.ContainsFunc(t.kind.Cascades, stripped) {
			continue
		}
		t.fail(fmt.Errorf("%w by %s, which the plan does not change", ErrReferred, r))
		return
	}
}

func (p *planner) problems() []Problem {
	var out []Problem
	for range p.lost {
		out = append(out, Problem{Err: fmt.Errorf("%w: neither before nor after", ErrChange)})
	}
	for _, t := range p.tasks {
		if t.err != nil {
			out = append(out, Problem{Key: t.Key(), Err: t.err})
		}
	}
	slices.SortStableFunc(out, func(a, b Problem) int { return a.Key.Compare(b.Key) })
	return out
}
