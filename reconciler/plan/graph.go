package plan

import (
	"cmp"
	"container/heap"
	"slices"
	"strings"

	"github.com/driftback/driftback/vendors/resource"
)

// A node is a step before it has a place.
type node struct {
	task          *task
	part          int // counts the nodes of a task, in the order in which they must be done
	before, after *resource.Resource
	// oldBefore and oldAfter say that references read as they were observed, not as they are wanted: they
	// follow the renames of the plan.
	oldBefore, oldAfter bool
	note                string
	aside               bool  // after has a temporary name
	completes           *node // nil where the node stands for itself
	needs, holds        []resource.Key
	mentions            []resource.Key // what a text names that is written
}

// make fills what a node needs to be there when it is done, and what it holds on to until then.
func (n *node) make() *node {
	n.needs, n.holds, n.mentions = nil, nil, nil
	if n.after != nil && !n.oldAfter {
		n.needs = refs(n.after.Spec)
		if m := n.task.kind.Mentions; m != nil {
			n.mentions = m.In(n.after.Spec)
		}
	}
	if n.before != nil && n.oldBefore {
		n.holds = refs(n.before.Spec)
	}
	return n
}

// writes reports whether n brings something that is wanted, unlike a deletion and the letting go before it.
func (n *node) writes() bool {
	_, given := n.given()
	return given || n.after != nil && !n.oldAfter
}

func (n *node) given() (resource.Key, bool) {
	if n.after != nil && (n.before == nil || n.before.Key != n.after.Key) {
		return n.after.Key, true
	}
	return resource.Key{}, false
}

func (n *node) taken() (resource.Key, bool) {
	if n.before != nil && (n.after == nil || n.before.Key != n.after.Key) {
		return n.before.Key, true
	}
	return resource.Key{}, false
}

// nodes turns a task into the steps that it takes if nothing stands in the way.
func (t *task) nodes() []*node {
	whole := &node{task: t, before: t.Before, after: t.After, oldBefore: true}
	if t.recreate == "" {
		return []*node{whole.make()}
	}
	born := (&node{task: t, after: t.After, note: t.recreate}).make()
	gone := (&node{task: t, before: t.Before, oldBefore: true, note: t.recreate}).make()
	if t.After.Key != t.Before.Key {
		gone.note = "renamed to " + t.After.Key.String() + ", which is created anew"
	}
	if fold(t.After.Key) == fold(t.Before.Key) {
		born.part = 1
		return []*node{gone, born}
	}
	// Neither waits for the other: other objects decide.
	return []*node{born, gone}
}

// fold is the key as a platform sees it that does not tell upper from lower case in names.
func fold(k resource.Key) resource.Key {
	return resource.Key{Kind: k.Kind, Name: strings.ToLower(k.Name)}
}

// A graph says which node must be done before which.
type graph struct {
	nodes []*node
	// hard edges are kept at any price; soft ones only give way to them.
	hard, soft [][]int
	gives      map[resource.Key]int // by key
	takes      map[resource.Key]int
}

func newGraph(nodes []*node) *graph {
	g := &graph{
		nodes: nodes, hard: make([][]int, len(nodes)), soft: make([][]int, len(nodes)),
		gives: map[resource.Key]int{}, takes: map[resource.Key]int{},
	}
	updates := map[resource.Key]int{}
	vacated := map[resource.Key][]int{}
	for i, n := range nodes {
		if k, ok := n.given(); ok {
			g.gives[k] = i
		} else if n.after != nil && n.part == 0 {
			updates[n.after.Key] = i
		}
		if k, ok := n.taken(); ok {
			g.takes[k] = i
			vacated[fold(k)] = append(vacated[fold(k)], i)
		}
	}
	for i, n := range nodes {
		if i > 0 && nodes[i-1].task == n.task && nodes[i-1].part < n.part {
			g.hard[i-1] = append(g.hard[i-1], i)
		}
		for _, k := range n.needs {
			if j, ok := g.gives[k]; ok && j == i && n.before != nil {
				continue // an object that is renamed is there to be referred to
			} else if ok {
				g.hard[j] = append(g.hard[j], i)
			} else if j, ok := updates[k]; ok && j != i {
				g.soft[j] = append(g.soft[j], i)
			}
		}
		for _, k := range n.mentions { // a text cannot go without them: in a circle it does not wait
			if j, ok := g.gives[k]; ok && j != i {
				g.soft[j] = append(g.soft[j], i)
			}
		}
		for _, k := range n.holds {
			if j, ok := g.awaits(n, k); ok {
				g.hard[i] = append(g.hard[i], j)
			}
		}
		if k, ok := n.given(); ok {
			for _, j := range vacated[fold(k)] {
				if nodes[j].task != n.task {
					g.hard[j] = append(g.hard[j], i)
				}
			}
		}
	}
	return g
}

// awaits returns the node that takes k away and must not be done before n, which holds k, is done.
func (g *graph) awaits(n *node, k resource.Key) (int, bool) {
	j, ok := g.takes[k]
	if !ok {
		return 0, false
	}
	taker := g.nodes[j]
	switch {
	case taker == n:
		return j, n.clings()
	case taker.task == n.task:
		return 0, false
	case taker.after == nil:
		return j, true
	}
	// A rename takes references along, or else they are put right afterwards if they are to lead to the new name.
	return j, !taker.task.followed() && !slices.Contains(n.needs, taker.task.After.Key)
}

// circles returns the groups of nodes that wait for each other, by Tarjan's algorithm over
// the edges; a node that waits for itself is one. Each group is in ascending order.
func circles(edges ...[][]int) [][]int {
	n := len(edges[0])
	t := tarjan{edges: edges, index: make([]int, n), low: make([]int, n), on: make([]bool, n)}
	for v := range n {
		if t.index[v] == 0 {
			t.visit(v)
		}
	}
	return t.found
}

type tarjan struct {
	edges      [][][]int
	index, low []int // from 1
	on         []bool
	stack      []int
	next       int
	found      [][]int
}

func (t *tarjan) visit(v int) {
	t.next++
	t.index[v], t.low[v] = t.next, t.next
	t.stack, t.on[v] = append(t.stack, v), true
	self := false
	for _, edges := range t.edges {
		for _, w := range edges[v] {
			switch {
			case w == v:
				self = true
			case t.index[w] == 0:
				t.visit(w)
				t.low[v] = min(t.low[v], t.low[w])
			case t.on[w]:
				t.low[v] = min(t.low[v], t.index[w])
			}
		}
	}
	if t.low[v] != t.index[v] {
		return
	}
	at := len(t.stack)
	for t.on[v] {
		at--
		t.on[t.stack[at]] = false
	}
	group := slices.Sorted(slices.Values(t.stack[at:]))
	t.stack = t.stack[:at]
	if len(group) > 1 || self {
		t.found = append(t.found, group)
	}
}

// relax drops the soft edges that would close a circle. The hard ones must not close any.
func (g *graph) relax() {
	group := make([]int, len(g.nodes))
	for i, c := range circles(g.hard, g.soft) {
		for _, v := range c {
			group[v] = i + 1
		}
	}
	for v := range g.soft {
		g.soft[v] = slices.DeleteFunc(g.soft[v], func(w int) bool { return group[v] != 0 && group[v] == group[w] })
	}
}

// The classes of nodes, in the order in which they are done where nothing else decides.
const (
	classNeeded = iota // a deletion for which something else waits
	classWrite
	classDelete
)

// classes finds for each node its class. The graph must have no circle.
func (g *graph) classes() []int {
	class := make([]int, len(g.nodes))
	for i := range class {
		class[i] = -1
	}
	var visit func(v int) int
	visit = func(v int) int {
		if class[v] >= 0 {
			return class[v]
		}
		if g.nodes[v].writes() {
			class[v] = classWrite
			return classWrite
		}
		class[v] = classDelete
		for _, w := range g.hard[v] {
			if visit(w) != classDelete {
				class[v] = classNeeded
			}
		}
		return class[v]
	}
	for v := range g.nodes {
		visit(v)
	}
	return class
}

// sorted returns the nodes in the order of the plan, each with its stage.
func (g *graph) sorted() (order []int, stages []int) {
	class := g.classes()
	byRank := make([]int, len(g.nodes))
	for i := range byRank {
		byRank[i] = i
	}
	slices.SortStableFunc(byRank, func(a, b int) int {
		ranks := cmp.Compare(g.nodes[a].task.kind.rank, g.nodes[b].task.kind.rank)
		if class[a] != classWrite {
			ranks = -ranks
		}
		return cmp.Or(cmp.Compare(class[a], class[b]), ranks)
	})
	place := make([]int, len(byRank))
	for i, v := range byRank {
		place[v] = i
	}

	waits := make([]int, len(g.nodes))
	after := make([]int, len(g.nodes)) // the first stage that is late enough
	for v := range g.nodes {
		for _, w := range slices.Concat(g.hard[v], g.soft[v]) {
			waits[w]++
		}
	}
	var ready places
	for v, n := range waits {
		if n == 0 {
			heap.Push(&ready, place[v])
		}
	}
	stage, deleting := 0, false
	for len(ready) > 0 {
		v := byRank[heap.Pop(&ready).(int)]
		if class[v] == classDelete && !deleting && len(order) > 0 {
			stage++ // nothing is deleted before the rest is done
		}
		stage, deleting = max(stage, after[v]), class[v] == classDelete
		order, stages = append(order, v), append(stages, stage)
		for _, w := range slices.Concat(g.hard[v], g.soft[v]) {
			after[w] = max(after[w], stage+1)
			if waits[w]--; waits[w] == 0 {
				heap.Push(&ready, place[w])
			}
		}
	}
	return order, stages
}

// places is a heap of positions.
type places []int

func (p places) Len() int           { return len(p) }
func (p places) Less(i, j int) bool { return p[i] < p[j] }
func (p places) Swap(i, j int)      { p[i], p[j] = p[j], p[i] }
func (p *places) Push(x any)        { *p = append(*p, x.(int)) }
func (p *places) Pop() any {
	old := *p
	x := old[len(old)-1]
	*p = old[:len(old)-1]
	return x
}
