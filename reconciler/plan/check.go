package plan

import (
	"fmt"
	"slices"

	"github.com/driftback/driftback/reconciler/diff"
	"github.com/driftback/driftback/vendors/resource"
)

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
