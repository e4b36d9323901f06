package plan

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

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
