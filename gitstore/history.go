package gitstore

import (
	"bytes"
	"container/heap"
	"errors"
	"math"
	"slices"
	"time"
)

// skew is by how much a commit may be dated before its parent without a walk of history going wrong.
const skew = 48 * time.Hour

// A node is a commit as walks of history need it.
type node struct {
	parents []ID
	when    int64 // committer's, Unix seconds
}

// node returns the place of a commit in history.
func (s *Store) node(id ID) (node, error) {
	s.mu.Lock()
	n, ok := s.graph[id]
	s.mu.Unlock()
	if ok {
		return n, nil
	}
	c, err := s.CommitAt(id)
	if err != nil {
		return node{}, err
	}
	n = node{parents: c.Parents, when: c.Committer.When.Unix()}
	s.mu.Lock()
	if len(s.graph) > 200_000 {
		clear(s.graph)
	}
	s.graph[id] = n
	s.mu.Unlock()
	return n, nil
}

// IsAncestor reports whether anc is desc or can be reached from it. The zero ID is an ancestor of all.
func (s *Store) IsAncestor(anc, desc ID) (bool, error) {
	if anc.IsZero() || anc == desc {
		return true, nil
	}
	if desc.IsZero() {
		return false, nil
	}
	seen := map[ID]bool{desc: true}
	q := &queue{}
	if err := s.enqueue(q, desc); err != nil {
		return false, err
	}
	for q.Len() > 0 {
		v := heap.Pop(q).(visit)
		for _, p := range v.parents {
			if p == anc {
				return true, nil
			}
			if seen[p] {
				continue
			}
			seen[p] = true
			if err := s.enqueue(q, p); err != nil {
				return false, err
			}
		}
	}
	return false, nil
}

// MergeBase returns the newest common ancestor of two commits, zero if they have none. Where criss-cross merges leave
// several, it is the one dated last.
func (s *Store) MergeBase(a, b ID) (ID, error) {
	if a == b || a.IsZero() || b.IsZero() {
		if a == b {
			return a, nil
		}
		return ID{}, nil
	}
	colours, order, err := s.paint([]ID{a}, []ID{b}, left|right)
	if err != nil {
		return ID{}, err
	}
	var bases []ID
	for _, id := range order {
		if colours[id]&(left|right|below) == left|right {
			bases = append(bases, id)
		}
	}
	for _, x := range bases { // newest first
		redundant := false
		for _, y := range bases {
			if x != y && !redundant {
				if redundant, err = s.IsAncestor(x, y); err != nil {
					return ID{}, err
				}
			}
		}
		if !redundant {
			return x, nil
		}
	}
	return ID{}, nil
}

// Log yields every commit reachable from from and from none of exclude, children before parents and else the newest
// first. It relies on no commit being dated over two days before its parent. A zero ID reaches nothing.
func (s *Store) Log(from ID, exclude []ID, yield func(Commit) error) error {
	ids, err := s.newCommits([]ID{from}, exclude)
	if err != nil {
		return err
	}
	for _, id := range ids {
		c, err := s.CommitAt(id)
		if err != nil {
			return err
		}
		if err := yield(c); err != nil {
			return ended(err)
		}
	}
	return nil
}

// newCommits returns what is reachable from tips and from none of known, children before parents. Of known, what is not
// here is passed over: it cannot be reached from tips.
func (s *Store) newCommits(tips, known []ID) ([]ID, error) {
	var here []ID
	for _, id := range known {
		switch _, err := s.node(id); {
		case err == nil:
			here = append(here, id)
		case !errors.Is(err, ErrMissing):
			return nil, err
		}
	}
	if len(here) == 1 {
		if ids, ok, err := s.upTo(tips, here); ok || err != nil {
			return ids, err
		}
	}
	colours, order, err := s.paint(tips, here, right)
	if err != nil {
		return nil, err
	}
	fresh := order[:0]
	for _, id := range order {
		if colours[id]&right == 0 {
			fresh = append(fresh, id)
		}
	}
	return s.childrenFirst(fresh)
}

// upTo is the quick way to newCommits: it walks from tips only, and is not ok unless every way ends at one of known after
// a few commits. The answer is exact if known is one; with several, it may hold what only another of them reaches.
func (s *Store) upTo(tips, known []ID) (ids []ID, ok bool, err error) {
	const few = 64
	stop := make(map[ID]bool, len(known)+few)
	for _, id := range known {
		stop[id] = true
	}
	for todo := slices.Clone(tips); len(todo) > 0; todo = todo[1:] {
		id := todo[0]
		if id.IsZero() || stop[id] {
			continue
		}
		n, err := s.node(id)
		if err != nil {
			return nil, false, err
		}
		if len(n.parents) == 0 || len(ids) == few {
			return nil, false, nil
		}
		stop[id] = true
		ids = append(ids, id)
		todo = append(todo, n.parents...)
	}
	ids, err = s.childrenFirst(ids)
	return ids, err == nil, err
}

// The colours of a walk.
const (
	left  = 1 << iota // reachable from the left side
	right             // from the right side
	below             // from a commit that both sides reach
)

// paint walks history from both sides, newest first, and returns which side reaches what, in the order met. It stops
// when all that is left to walk has every colour of done and is older than anything that has not.
func (s *Store) paint(a, b []ID, done int) (map[ID]int, []ID, error) {
	w := walk{s: s, done: done, colours: map[ID]int{}, queued: map[ID]bool{}}
	for _, id := range a {
		if err := w.reach(id, left); err != nil {
			return nil, nil, err
		}
	}
	for _, id := range b {
		if err := w.reach(id, right); err != nil {
			return nil, nil, err
		}
	}
	oldest := int64(math.MaxInt64)
	for w.q.Len() > 0 {
		if w.open == 0 && w.q[0].when < oldest-int64(skew/time.Second) {
			break
		}
		v := heap.Pop(&w.q).(visit)
		w.queued[v.id] = false
		colour := w.colours[v.id]
		if colour&done != done {
			w.open--
			oldest = min(oldest, v.when)
		}
		if colour&(left|right) == left|right {
			colour |= below
		}
		for _, p := range v.parents {
			if err := w.reach(p, colour); err != nil {
				return nil, nil, err
			}
		}
	}
	return w.colours, w.order, nil
}

// A walk is the state of paint.
type walk struct {
	s       *Store
	done    int
	colours map[ID]int
	order   []ID // as met
	q       queue
	queued  map[ID]bool
	open    int // commits in q that lack a colour of done
}

// reach notes that a commit is reached by a colour, and queues it if that is news.
func (w *walk) reach(id ID, colour int) error {
	had := w.colours[id]
	has := had | colour
	if id.IsZero() || has == had {
		return nil
	}
	w.colours[id] = has
	if had == 0 {
		w.order = append(w.order, id)
	}
	lacked, lacks := had&w.done != w.done, has&w.done != w.done
	switch {
	case w.queued[id]:
		if lacked && !lacks {
			w.open--
		}
		return nil
	case lacks:
		w.open++
	}
	w.queued[id] = true
	return w.s.enqueue(&w.q, id)
}

// childrenFirst sorts commits so that none comes before a child of it, and else the newest first.
func (s *Store) childrenFirst(ids []ID) ([]ID, error) {
	if len(ids) < 2 {
		return ids, nil
	}
	children := make(map[ID]int, len(ids))
	for _, id := range ids {
		children[id] = 0
	}
	for _, id := range ids {
		n, err := s.node(id)
		if err != nil {
			return nil, err
		}
		for _, p := range n.parents {
			if _, ok := children[p]; ok {
				children[p]++
			}
		}
	}
	q := &queue{}
	for _, id := range ids {
		if children[id] == 0 {
			if err := s.enqueue(q, id); err != nil {
				return nil, err
			}
		}
	}
	out := make([]ID, 0, len(ids))
	for q.Len() > 0 {
		v := heap.Pop(q).(visit)
		out = append(out, v.id)
		for _, p := range v.parents {
			n, ok := children[p]
			if !ok {
				continue
			}
			if children[p] = n - 1; n == 1 {
				if err := s.enqueue(q, p); err != nil {
					return nil, err
				}
			}
		}
	}
	return out, nil
}

// A visit is a commit to be walked.
type visit struct {
	node
	id ID
}

// enqueue adds a commit to the queue.
func (s *Store) enqueue(q *queue, id ID) error {
	n, err := s.node(id)
	if err != nil {
		return err
	}
	heap.Push(q, visit{n, id})
	return nil
}

// A queue is a heap of visits, the newest first; equals by id, so that walks are deterministic.
type queue []visit

func (q queue) Len() int { return len(q) }
func (q queue) Less(i, j int) bool {
	if q[i].when != q[j].when {
		return q[i].when > q[j].when
	}
	return bytes.Compare(q[i].id[:], q[j].id[:]) < 0
}
func (q queue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *queue) Push(x any)   { *q = append(*q, x.(visit)) }
func (q *queue) Pop() any {
	old := *q
	v := old[len(old)-1]
	*q = old[:len(old)-1]
	return v
}
