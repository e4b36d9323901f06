package gitstore

import (
	"context"
	"fmt"
	"maps"
	"sync"
)

// A MemoryRemote is a remote for tests and simulations: many Stores share it, pushes are exact and atomic.
// Wrap it to inject faults.
type MemoryRemote struct {
	objects *objectMap
	mu      sync.Mutex
	refs    Refs
	single  bool
}

// NewMemoryRemote returns an empty one.
func NewMemoryRemote() *MemoryRemote {
	return &MemoryRemote{objects: newObjectMap(), refs: Refs{}}
}

// SetAtomic says whether pushes of several refs are offered. They are unless this says otherwise.
func (r *MemoryRemote) SetAtomic(atomic bool) {
	r.mu.Lock()
	r.single = !atomic
	r.mu.Unlock()
}

// String returns "memory".
func (r *MemoryRemote) String() string { return "memory" }

// Refs implements Remote.
func (r *MemoryRemote) Refs(ctx context.Context) (Refs, bool, error) {
	if err := ctx.Err(); err != nil {
		return nil, false, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.refs), !r.single, nil
}

// Fetch implements Remote.
func (r *MemoryRemote) Fetch(ctx context.Context, into Sink, want, _ []ID) error {
	for _, id := range want {
		if err := r.copy(ctx, into, id); err != nil {
			return err
		}
	}
	return nil
}

// copy gives into the object and what it refers to, references first. Histories are deep: it keeps its own stack.
func (r *MemoryRemote) copy(ctx context.Context, into Sink, id ID) error {
	type step struct {
		id     ID
		opened bool
	}
	for stack := []step{{id: id}}; len(stack) > 0; {
		top := &stack[len(stack)-1]
		if into.Has(top.id) {
			stack = stack[:len(stack)-1]
			continue
		}
		o, ok := r.objects.get(top.id)
		if !ok {
			return errMissing(top.id)
		}
		if top.opened {
			into.Put(o)
			stack = stack[:len(stack)-1]
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		top.opened = true
		err := references(o, func(id ID) error {
			stack = append(stack, step{id: id})
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// Push implements Remote. Unlike a server, it also refuses objects whose references are missing at any depth of the push.
func (r *MemoryRemote) Push(ctx context.Context, ups []Update, out *Outgoing) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	sent := make([]Object, 0, len(out.IDs))
	for _, id := range out.IDs {
		o, err := out.Object(id)
		if err != nil {
			return err
		}
		sent = append(sent, o)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(ups) > 1 && r.single {
		return fmt.Errorf("push of %d refs: not atomic here: %w", len(ups), ErrRefused)
	}
	for _, u := range ups {
		if r.refs[u.Ref] != u.Old {
			return fmt.Errorf("ref %s: is at %.10s, not %.10s: %w", u.Ref, r.refs[u.Ref], u.Old, ErrStale)
		}
	}
	for _, o := range sent {
		r.objects.put(o)
	}
	need := func(id ID) error {
		if _, ok := r.objects.get(id); !ok {
			return fmt.Errorf("%w: %w", errMissing(id), ErrRefused)
		}
		return nil
	}
	for _, o := range sent {
		if err := references(o, need); err != nil {
			return err
		}
	}
	for _, u := range ups {
		if u.New.IsZero() {
			continue
		}
		if err := need(u.New); err != nil {
			return err
		}
	}
	for _, u := range ups {
		if u.New.IsZero() {
			delete(r.refs, u.Ref)
		} else {
			r.refs[u.Ref] = u.New
		}
	}
	return nil
}

// references yields what an object refers to: parents and tree of a commit, entries of a tree but for submodules.
func references(o Object, yield func(ID) error) error {
	switch o.Kind {
	case KindCommit:
		c, err := parseCommit(o)
		if err != nil {
			return err
		}
		if err := yield(c.Tree); err != nil {
			return err
		}
		for _, p := range c.Parents {
			if err := yield(p); err != nil {
				return err
			}
		}
	case KindTree:
		for raw := o.Data; len(raw) > 0; {
			e, rest, err := nextEntry(raw)
			if err != nil {
				return wrap(err, "tree", o.ID)
			}
			if e.mode != ModeSubmodule {
				if err := yield(e.id); err != nil {
					return err
				}
			}
			raw = rest
		}
	case KindTag:
		id, err := tagTarget(o)
		if err != nil {
			return err
		}
		return yield(id)
	}
	return nil
}
