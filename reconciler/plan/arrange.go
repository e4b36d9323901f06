package plan

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/driftback/driftback/reconciler/diff"
	"github.com/driftback/driftback/vendors/resource"
)

// arrange returns the graph of all that can be done, free of circles. Tasks that have to be left out get their error.
func (p *planner) arrange() *graph {
	g := p.graph(func(*task) bool { return true })
	p.block(g)
	g = p.graph(func(t *task) bool { return t.err == nil })
	for {
		found := circles(g.hard)
		if len(found) == 0 {
			g.relax()
			return g
		}
		split := map[int][2]*node{}
		stuck := false
		for _, circle := range found {
			if i, parts, ok := p.open(g, circle); ok {
				split[i] = parts
			} else {
				stuck = true
				g.reportCircle(circle)
			}
		}
		if stuck {
			p.block(g)
			g = p.graph(func(t *task) bool { return t.err == nil })
			continue
		}
		g = g.replace(split)
	}
}

// graph is that of the tasks as they are, none of them split yet.
func (p *planner) graph(use func(*task) bool) *graph {
	var nodes []*node
	for i := range p.tasks {
		if t := &p.tasks[i]; use(t) {
			nodes = append(nodes, t.nodes()...)
		}
	}
	return newGraph(nodes)
}

// block gives an error to all that waits for a task with one.
func (p *planner) block(g *graph) {
	var failed []int
	parts := map[*task][]int{}
	for v, n := range g.nodes {
		parts[n.task] = append(parts[n.task], v)
		if n.task.err != nil {
			failed = append(failed, v)
		}
	}
	for len(failed) > 0 {
		v := failed[0]
		failed = failed[1:]
		for _, w := range slices.Concat(g.hard[v], g.soft[v]) {
			if t := g.nodes[w].task; t.err == nil {
				t.err = fmt.Errorf("%w: %s", ErrBlocked, g.nodes[v].task.Key())
				failed = append(failed, parts[t]...)
			}
		}
	}
}

// replace returns the graph with nodes split in two.
func (g *graph) replace(split map[int][2]*node) *graph {
	var nodes []*node
	var last *node
	for v, n := range g.nodes {
		pair := []*node{n}
		if parts, ok := split[v]; ok {
			pair = parts[:]
		}
		for i, m := range pair {
			if i > 0 || m.part > 0 {
				m.part = last.part + 1
			}
			nodes = append(nodes, m)
			last = m
		}
	}
	return newGraph(nodes)
}

func (g *graph) reportCircle(circle []int) {
	var names []string
	for _, v := range circle {
		names = append(names, g.nodes[v].task.Key().String())
	}
	err := fmt.Errorf("%w: %s", ErrCycle, strings.Join(slices.Compact(names), ", "))
	for _, v := range circle {
		g.nodes[v].task.fail(err)
	}
}

// open finds a node of the circle that can be done in two steps, so that the circle opens there.
func (p *planner) open(g *graph, circle []int) (int, [2]*node, bool) {
	inside := func(v int, ok bool) bool {
		_, found := slices.BinarySearch(circle, v)
		return ok && found
	}
	gently := slices.Clone(circle)
	slices.SortStableFunc(gently, func(a, b int) int { return cmp.Compare(g.disturbs(g.nodes[a]), g.disturbs(g.nodes[b])) })
	for _, v := range gently {
		n := g.nodes[v]
		if !n.task.kind.Can.Update {
			continue
		}
		if _, ok := n.taken(); ok {
			held := slices.DeleteFunc(slices.Clone(n.holds), func(k resource.Key) bool {
				j, ok := g.awaits(n, k)
				return !inside(j, ok)
			})
			if parts, ok := n.letGo(held); ok {
				return v, parts, true
			}
		}
		missing := slices.DeleteFunc(slices.Clone(n.needs), func(k resource.Key) bool {
			j, ok := g.gives[k]
			return !inside(j, ok) || j == v && n.before != nil
		})
		if len(missing) > 0 {
			if parts, ok := n.completeLater(missing); ok {
				return v, parts, true
			}
		}
	}
	for _, v := range circle {
		if n := g.nodes[v]; n.after != nil && !n.aside && g.wanted(n, circle) {
			return v, n.stepAside(p.temporary(n.before.Key)), true
		}
	}
	return 0, [2]*node{}, false
}

// disturbs says how much it matters that the node is done in two steps: least for a
// rename that loses nothing in between, then where the object is not in use yet or soon no
// more, most where it stays in use.
func (g *graph) disturbs(n *node) int {
	awaited := func(k resource.Key) bool { _, ok := g.awaits(n, k); return ok }
	switch {
	case n.before == nil:
		return 1
	case n.after == nil:
		return 2
	case n.before.Key != n.after.Key && !slices.ContainsFunc(n.holds, awaited):
		return 0
	}
	return 3
}

// wanted reports whether something in the circle waits for the name that n gives up.
func (g *graph) wanted(n *node, circle []int) bool {
	name, ok := n.taken()
	return ok && slices.ContainsFunc(circle, func(v int) bool {
		given, ok := g.nodes[v].given()
		return ok && g.nodes[v].task != n.task && fold(given) == fold(name)
	})
}

// completeLater splits a write whose references lead to what is not there yet.
// It reports false where what is left out could not be added later.
func (n *node) completeLater(missing []resource.Key) ([2]*node, bool) {
	if n.before != nil && n.before.Key != n.after.Key {
		return n.split(n.moved(n.after.Key), true, "breaks a circle of references by renaming alone"), true
	}
	spec, ok := strip(n.task.kind, n.after.Spec, missing)
	if !ok {
		return [2]*node{}, false
	}
	middle := &resource.Resource{Key: n.after.Key, Spec: spec, Origin: n.after.Origin}
	return n.split(middle, false, "breaks a circle of references by leaving out "+list(missing)), true
}

// letGo splits a deletion or rename: first the object stops referring to what
// is deleted too. It reports false where that cannot be.
func (n *node) letGo(held []resource.Key) ([2]*node, bool) {
	spec, ok := strip(n.task.kind, n.before.Spec, held)
	if !ok || len(held) == 0 {
		return [2]*node{}, false
	}
	middle := &resource.Resource{Key: n.before.Key, Spec: spec, Origin: n.before.Origin}
	return n.split(middle, true, "breaks a circle of references by letting go of "+list(held)), true
}

// clings reports whether n deletes an object that refers to itself and could let go of that first. It has to:
// else the deletion could not be undone.
func (n *node) clings() bool {
	if n.after != nil || !n.task.kind.Can.Update || !slices.Contains(n.holds, n.before.Key) {
		return false
	}
	_, ok := strip(n.task.kind, n.before.Spec, []resource.Key{n.before.Key})
	return ok
}

// stepAside splits a rename whose new name is not free before the old one is given up.
func (n *node) stepAside(temporary resource.Key) [2]*node {
	parts := n.split(n.moved(temporary), true, "makes way for a swap of names")
	parts[0].aside = true
	return parts
}

// moved is the object of before under another name, with nothing else changed.
func (n *node) moved(to resource.Key) *resource.Resource {
	r := &resource.Resource{Key: to, Spec: n.before.Spec, Origin: n.before.Origin}
	if !n.task.followed() {
		r.Spec = renamed(n.task.kind, r.Spec, map[resource.Key]resource.Key{n.before.Key: to})
	}
	return r
}

// split puts a new node before n, so that middle stands between them; its references read as observed or as wanted.
func (n *node) split(middle *resource.Resource, old bool, note string) [2]*node {
	first := &node{
		task: n.task, part: n.part, before: n.before, after: middle, oldBefore: n.oldBefore, oldAfter: old,
		completes: n.completes, note: note,
	}
	n.before, n.oldBefore, n.completes = middle, old, first
	return [2]*node{first.make(), n.make()}
}

func list(keys []resource.Key) string {
	names := make([]string, len(keys))
	for i, k := range keys {
		names[i] = k.String()
	}
	return strings.Join(names, ", ")
}

// temporary returns a name that nothing has and that tells where it comes from.
func (p *planner) temporary(k resource.Key) resource.Key {
	k.Name += "~driftback"
	for p.gives[k] != nil || p.writes[k] != nil || p.o.Exists != nil && p.o.Exists(k) {
		k.Name += "~"
	}
	return k
}

// emit turns the graph into steps, in order.
func (p *planner) emit(g *graph) []Step {
	order, stages := g.sorted()
	var steps []Step
	now := map[resource.Key]resource.Key{} // names observed → names by then
	at := map[*node]int{}                  // its step
	for i, v := range order {
		n := g.nodes[v]
		c := p.change(n, now)
		s := Step{Change: c, Object: n.task.Key(), Stage: stages[i], Note: n.note}
		s.Fields = diff.Fields(n.task.kind.schema, spec(c.Before), spec(c.After))
		if from, ok := at[n.completes]; ok {
			if c.Action() == resource.Update && len(s.Fields) == 0 {
				// References came along by themselves: there is nothing to complete.
				steps[from].Note = strings.TrimSuffix(strings.TrimSuffix(steps[from].Note, n.completes.note), "; ")
				continue
			}
			steps[from].Note += fmt.Sprintf("; completed in step %d", len(steps)+1)
			s.Note = strings.TrimSuffix(fmt.Sprintf("completes step %d; %s", from+1, s.Note), "; ")
		}
		at[n] = len(steps)
		steps = append(steps, s)
	}
	return steps
}

func spec(r *resource.Resource) resource.Spec {
	if r == nil {
		return nil
	}
	return r.Spec
}

// change is the node's change with the names of its time; now learns what it renames.
func (p *planner) change(n *node, now map[resource.Key]resource.Key) resource.Change {
	c := resource.Change{Before: p.named(n.task.kind, n.before, n.oldBefore, now)}
	if _, given := n.given(); given && n.before != nil && n.task.followed() {
		now[n.task.Before.Key] = n.after.Key
	}
	c.After = p.named(n.task.kind, n.after, n.oldAfter, now)
	return c
}

func (p *planner) named(k kind, r *resource.Resource, old bool, now map[resource.Key]resource.Key) *resource.Resource {
	if r == nil || !old {
		return r
	}
	out := *r
	out.Spec = renamed(k, r.Spec, now)
	return &out
}
