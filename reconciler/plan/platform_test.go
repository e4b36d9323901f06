package plan

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/driftback/driftback/vendors/resource"
)

// A platform is what plans are carried out on: it refers by id where a kind has one, refuses what does
// not fit, and tells upper from lower case in no name.
type platform struct {
	kinds   map[resource.Kind]kind
	objects map[resource.Key]thing
	next    int
	// back says that changes are undone. What is referred to by name may be missing for a moment then, as it
	// was when the changes were made.
	back bool
}

type thing struct {
	id   int
	spec resource.Spec // with references to #id
}

func newPlatform() *platform {
	p := &platform{kinds: map[resource.Kind]kind{}, objects: map[resource.Key]thing{}}
	for _, k := range kinds {
		p.kinds[k.Kind] = kind{KindInfo: k, schema: k.Schema()}
	}
	return p
}

// read returns the object as it is observed: references by name.
func (p *platform) read(k resource.Key) resource.Spec {
	names := map[resource.Key]resource.Key{}
	for other, o := range p.objects {
		names[p.ident(other, o.id)] = other
	}
	spec, _ := renameIn(map[string]any(p.objects[k].spec), names).(map[string]any)
	if r, named := spec["text"].(resource.Ref); named {
		spec["text"] = string(r.Kind) + "|" + r.Name
	}
	return p.kinds[k.Kind].schema.Normalize(spec)
}

// ident is how the platform refers to the object.
func (p *platform) ident(k resource.Key, id int) resource.Key {
	if p.kinds[k.Kind].Can.StableID {
		return resource.Key{Kind: k.Kind, Name: fmt.Sprint("#", id)}
	}
	return k
}

func (p *platform) stored(s resource.Spec) resource.Spec {
	ids := map[resource.Key]resource.Key{}
	for k, o := range p.objects {
		ids[k] = p.ident(k, o.id)
	}
	s = s.Clone()
	if kind, name, named := strings.Cut(fmt.Sprint(s["text"]), "|"); named { // the platform keeps ids, also of what a text names
		s["text"] = resource.Ref{Key: resource.Key{Kind: resource.Kind(kind), Name: name}}
	}
	return renameIn(map[string]any(s), ids).(map[string]any)
}

func (p *platform) keys() []resource.Key {
	return slices.SortedFunc(maps.Keys(p.objects), resource.Key.Compare)
}

func (p *platform) referrers(k resource.Key) (out []resource.Key) {
	for _, other := range p.keys() {
		if slices.Contains(refs(p.read(other)), k) {
			out = append(out, other)
		}
	}
	return out
}

// apply makes one change, or says what is wrong with it.
func (p *platform) apply(c resource.Change) error {
	k := p.kinds[c.Key().Kind]
	if c.Before != nil {
		if _, there := p.objects[c.Before.Key]; !there {
			return fmt.Errorf("is not there")
		}
		if live := p.read(c.Before.Key); !resource.Equal(live, c.Before.Spec) {
			return fmt.Errorf("conflict: live is %v", live)
		}
	}
	if c.After != nil {
		for _, r := range refs(c.After.Spec) {
			if _, there := p.objects[r]; !there && (c.Before == nil || r != c.After.Key) && !(p.back && !p.kinds[r.Kind].Can.StableID) {
				return fmt.Errorf("refers to %s, which is not there", r)
			}
		}
		if c.Before == nil || fold(c.Before.Key) != fold(c.After.Key) {
			for other := range p.objects {
				if fold(other) == fold(c.After.Key) {
					return fmt.Errorf("%s is there already", other)
				}
			}
		}
	}
	switch c.Action() {
	case resource.Create:
		p.next++
		p.objects[c.After.Key] = thing{id: p.next, spec: p.stored(c.After.Spec)}
	case resource.Delete:
		if by := p.referrers(c.Before.Key); len(by) > 0 && !slices.Equal(by, []resource.Key{c.Before.Key}) {
			return fmt.Errorf("%v refer to it", by)
		}
		delete(p.objects, c.Before.Key)
	default:
		if _, bad := frozen(k.schema, p.read(c.Before.Key), c.After.Spec); bad && c.Before.Key == c.After.Key && !resource.Equal(c.Before.Spec, c.After.Spec) {
			return fmt.Errorf("immutable")
		}
		if c.Action() == resource.Rename && !k.Can.Rename {
			return fmt.Errorf("cannot be renamed")
		}
		id := p.objects[c.Before.Key].id
		delete(p.objects, c.Before.Key)
		p.objects[c.After.Key] = thing{id: id}
		p.objects[c.After.Key] = thing{id: id, spec: p.stored(c.After.Spec)}
	}
	return nil
}

// A tape draws a system and what shall become of it from a fuzzer's bytes.
type tape struct{ bytes []byte }

func (t *tape) n(below int) int {
	if len(t.bytes) == 0 || below == 0 {
		return 0
	}
	b := t.bytes[0]
	t.bytes = t.bytes[1:]
	return int(b) % below
}

var drawn = []resource.Kind{"user", "queue", "flow", "label", "wire"}

func (t *tape) key(rich bool) resource.Key {
	n := 3
	if rich {
		n = len(drawn)
	}
	return resource.Key{Kind: drawn[t.n(n)], Name: []string{"A", "B", "C", "a"}[t.n(4)]}
}

// spec refers to some of the keys.
func (t *tape) spec(own resource.Key, keys []resource.Key, rich bool) resource.Spec {
	s := resource.Spec{"n": fmt.Sprint(t.n(3))}
	ref := func() any { return resource.Ref{Key: keys[t.n(len(keys))]} }
	if len(keys) > 0 {
		if t.n(2) == 1 {
			s["main"] = ref()
		}
		if t.n(3) == 1 {
			s["refs"] = []any{ref(), ref()}
		}
		if t.n(4) == 1 {
			s["rules"] = []any{map[string]any{"to": ref()}, map[string]any{"x": "y"}}
		}
		if rich && t.n(6) == 1 {
			if s["fixed"] = ref(); s["fixed"] == (resource.Ref{Key: own}) {
				delete(s, "fixed") // nothing could ever create that
			}
		}
	}
	return resource.KindInfo{Fields: fields}.Schema().Normalize(s)
}

// world draws what is there and what is wanted: before and after of each object.
func (t *tape) world(rich bool) (p *platform, changes []resource.Change) {
	p = newPlatform()
	was := map[resource.Key]bool{}
	for range t.n(6) {
		was[t.key(rich)] = true
	}
	is := map[resource.Key]resource.Key{} // after → before; the zero Key is new
	taken := map[resource.Key]bool{}      // names of after, folded
	add := func(after, before resource.Key) {
		if !taken[fold(after)] {
			taken[fold(after)], is[after] = true, before
		}
	}
	folded := map[resource.Key]bool{}
	before := slices.DeleteFunc(slices.SortedFunc(maps.Keys(was), resource.Key.Compare), func(k resource.Key) bool {
		double := folded[fold(k)]
		folded[fold(k)] = true
		return double
	})
	for _, k := range before {
		switch t.n(4) {
		case 0:
			add(k, k)
		case 1:
			add(resource.Key{Kind: k.Kind, Name: t.key(false).Name}, k)
		}
	}
	for range t.n(4) {
		add(t.key(rich), resource.Key{})
	}
	after := slices.SortedFunc(maps.Keys(is), resource.Key.Compare)

	for _, k := range before {
		p.next++
		p.objects[k] = thing{id: p.next}
	}
	for _, k := range before {
		p.objects[k] = thing{id: p.objects[k].id, spec: p.stored(t.spec(k, before, rich))}
	}
	now := map[resource.Key]resource.Key{}
	for a, b := range is {
		now[b] = a
	}
	for _, a := range after {
		b := is[a]
		c := resource.Change{After: &resource.Resource{Key: a, Spec: t.spec(a, after, rich)}}
		if !b.IsZero() {
			c.Before = &resource.Resource{Key: b, Spec: p.read(b)}
			if keep := renameIn(map[string]any(c.Before.Spec), now).(map[string]any); t.n(2) == 1 && t.all(keep, is) {
				c.After.Spec = p.kinds[a.Kind].schema.Normalize(keep)
			}
			if a == b && resource.Equal(c.Before.Spec, c.After.Spec) && t.n(2) == 1 {
				continue // nobody touched it
			}
		}
		changes = append(changes, c)
	}
	for _, b := range before {
		if _, stays := now[b]; !stays {
			changes = append(changes, resource.Change{Before: &resource.Resource{Key: b, Spec: p.read(b)}})
		}
	}
	return p, changes
}

func (t *tape) all(s resource.Spec, is map[resource.Key]resource.Key) bool {
	return !slices.ContainsFunc(refs(s), func(k resource.Key) bool { _, ok := is[k]; return !ok })
}

// FuzzOrder carries plans out on a platform that refuses whatever does not fit.
func FuzzOrder(f *testing.F) {
	for _, seed := range []string{"", "\x01\x03\x01\x00\x01\x01\x01\x02\x02\x02", "\x05\x01\x00\x01\x01\x02\x02\x00\x03\x01\x01\x00\x00\x01\x01\x02", strings.Repeat("\x01\x02\x03", 40), strings.Repeat("\x01\x01\x02\x00\x05", 40)} {
		f.Add(true, []byte(seed))
		f.Add(false, []byte(seed))
	}
	f.Fuzz(func(t *testing.T, rich bool, in []byte) {
		p, changes := (&tape{in}).world(rich)
		o := Options{
			Kinds: kinds, Referrers: p.referrers, Recreate: func(k resource.Key) bool { return k.Name == "A" },
			Exists: func(k resource.Key) bool { _, ok := p.objects[k]; return ok },
		}
		plan, problems := Order(changes, o)
		backwards := slices.Clone(changes)
		slices.Reverse(backwards)
		again, _ := Order(backwards, o)
		require.Equal(t, plan, again)

		before := map[resource.Key]resource.Spec{}
		for _, k := range p.keys() {
			before[k] = p.read(k)
		}
		for i, s := range plan.Steps {
			require.NoError(t, p.apply(s.Change), "step %d of\n%s", i+1, printed(changes, plan, problems))
		}
		if !rich && untouched(before, changes) {
			require.Empty(t, problems, "%s", printed(changes, plan, problems))
		}
		checkOutcome(t, p, changes, plan, problems)
		p.back = true
		for _, s := range Undo(plan.Steps) {
			require.NoError(t, p.apply(s.Change), "undo of\n%s", printed(changes, plan, problems))
		}
		for _, k := range p.keys() {
			require.Equal(t, before[k], p.read(k), "%s after undo of\n%s", k, printed(changes, plan, problems))
		}
		require.Len(t, p.objects, len(before))
	})
}

// untouched reports whether the plan has every object that there is.
func untouched(before map[resource.Key]resource.Spec, changes []resource.Change) bool {
	n := 0
	for _, c := range changes {
		if c.Before != nil {
			n++
		}
	}
	return n == len(before)
}

// checkOutcome checks that every change without a problem is made, and no other.
func checkOutcome(t *testing.T, p *platform, changes []resource.Change, plan Plan, problems []Problem) {
	t.Helper()
	bad := map[resource.Key]bool{}
	for _, pr := range problems {
		bad[pr.Key] = true
	}
	touched := map[resource.Key]bool{}
	for i, s := range plan.Steps {
		touched[s.Change.Key()] = true
		if i > 0 {
			require.GreaterOrEqual(t, s.Stage, plan.Steps[i-1].Stage)
		}
	}
	for _, c := range changes {
		if bad[c.Key()] {
			continue
		}
		require.True(t, touched[c.Key()])
		if c.After != nil {
			require.Contains(t, p.objects, c.After.Key)
			require.Equal(t, c.After.Spec, p.read(c.After.Key), "%s of\n%s", c.After.Key, printed(changes, plan, problems))
		}
	}
}

func printed(changes []resource.Change, plan Plan, problems []Problem) string {
	var b strings.Builder
	for _, c := range changes {
		fmt.Fprintf(&b, "%s %s:", c.Action(), c.Key())
		for _, r := range []*resource.Resource{c.Before, c.After} {
			if r != nil {
				fmt.Fprintf(&b, " %s %v", r.Key, r.Spec)
			} else {
				b.WriteString(" -")
			}
		}
		b.WriteString("\n")
	}
	for i, s := range plan.Steps {
		fmt.Fprintf(&b, "%d. stage %d %s\n   %v → %v\n", i+1, s.Stage, s, spec(s.Change.Before), spec(s.Change.After))
	}
	for _, p := range problems {
		fmt.Fprintln(&b, p)
	}
	return b.String()
}
