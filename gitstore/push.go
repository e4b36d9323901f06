package gitstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// Commit adds to ref, whose tip must be base, a commit with the edit, and pushes it: ErrStale if the tip moved. A zero
// base creates the ref. An edit that changes nothing makes no commit, pushes nothing and returns base's.
func (s *Store) Commit(ctx context.Context, ref string, base ID, e Edit, author Signature, msg string) (Commit, error) {
	tree, d, err := s.draft(base, e)
	if err != nil {
		return Commit{}, err
	}
	var parents []ID
	if !base.IsZero() {
		parents = []ID{base}
		if c, err := s.CommitAt(base); err != nil || c.Tree == tree {
			return c, err
		}
	}
	c, err := s.write(base, parents, tree, d, author, msg)
	if err != nil {
		return Commit{}, err
	}
	return c, s.Push(ctx, Update{Ref: ref, Old: base, New: c.ID})
}

// Push moves refs at the remote, each by compare-and-swap, after sending what they need. Where Atomic, it is all or
// nothing; else they are pushed in the order given and the first refusal ends it. ErrStale: a ref was not at Old and
// did not move. When the connection breaks so that the outcome is in doubt, the remote is asked: Push then succeeds if
// all refs are at New, returns the transport's error if all are at Old, and else ErrUnknownOutcome.
func (s *Store) Push(ctx context.Context, ups ...Update) error {
	if len(ups) == 0 {
		return nil
	}
	if err := checkUpdates(ups); err != nil {
		return fmt.Errorf("push: %w", err)
	}
	release, err := s.acquire(ctx)
	if err != nil {
		return err
	}
	defer release()
	if s.Atomic() {
		return s.pushOnce(ctx, ups)
	}
	for i := range ups {
		if err := s.pushOnce(ctx, ups[i:i+1]); err != nil {
			return err
		}
	}
	return nil
}

// pushOnce is one push that happens whole or not at all. The caller holds the wire.
func (s *Store) pushOnce(ctx context.Context, ups []Update) error {
	out, err := s.outgoing(ups)
	if err != nil {
		return fmt.Errorf("push to %s: %w", s.remote, err)
	}
	if s.inPlace { // what was too much for memory is there already
		out.IDs = slices.DeleteFunc(out.IDs, func(id ID) bool { _, ok := s.fresh.get(id); return !ok })
	}
	timed, busy := begin(ctx, s.opt.Timeout)
	defer busy.close()
	if err := s.remote.Push(timed, ups, out); err != nil {
		if err := s.settle(ctx, ups, busy.explain(timed, err)); err != nil {
			return fmt.Errorf("push to %s: %w", s.remote, err)
		}
	}
	s.pushed(ups, out)
	return nil
}

// settle returns what a failed push comes to, asking the remote where it is in doubt.
func (s *Store) settle(ctx context.Context, ups []Update, err error) error {
	if unsent := (notSent{}); errors.As(err, &unsent) || errors.Is(err, ErrStale) || errors.Is(err, ErrRefused) || errors.Is(err, ErrAuth) {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.opt.Timeout)
	defer cancel()
	refs, _, askErr := s.remote.Refs(ctx)
	if askErr != nil {
		return fmt.Errorf("%w: %w; asking the remote: %w", ErrUnknownOutcome, err, askErr)
	}
	isNew, isOld := true, true
	for _, u := range ups {
		isNew = isNew && refs[u.Ref] == u.New
		isOld = isOld && refs[u.Ref] == u.Old
	}
	switch {
	case isNew:
		s.log.Info("push took effect although its answer was lost", "remote", s.remote.String(), "error", err)
		return nil
	case isOld:
		return err
	}
	return fmt.Errorf("%w: %w", ErrUnknownOutcome, err)
}

// pushed notes that the refs are at New.
func (s *Store) pushed(ups []Update, out *Outgoing) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, u := range ups {
		switch {
		case !s.follows(u.Ref):
		case u.New.IsZero():
			delete(s.refs, u.Ref)
		default:
			s.refs[u.Ref] = u.New
		}
	}
	for _, id := range out.IDs {
		delete(s.written, id)
	}
	if s.inPlace { // they are in the repository now
		s.fresh.remove(out.IDs)
		for _, id := range out.IDs {
			delete(s.older, id)
		}
	}
}

// outgoing finds what the remote may lack of the updates' new values: what is reachable from none of its refs.
func (s *Store) outgoing(ups []Update) (*Outgoing, error) {
	s.mu.Lock()
	known := make([]ID, 0, len(s.refs)+len(ups))
	for _, id := range s.refs {
		known = append(known, id)
	}
	s.mu.Unlock()
	var tips []ID
	for _, u := range ups {
		if !u.New.IsZero() {
			tips = append(tips, u.New)
		}
	}
	commits, ok, err := s.upTo(tips, known) // sending a little too much does no harm
	if err == nil && !ok {
		commits, err = s.newCommits(tips, known)
	}
	if err != nil {
		return nil, err
	}
	c := collector{s: s, seen: map[ID]bool{}, out: &Outgoing{Base: map[ID]ID{}, get: s.object}}
	for i := len(commits) - 1; i >= 0; i-- { // parents first, so that bases come before what is made of them
		if err := c.commit(commits[i]); err != nil {
			return nil, err
		}
	}
	return c.out, nil
}

// A collector gathers the objects of new commits.
type collector struct {
	s    *Store
	seen map[ID]bool
	out  *Outgoing
}

func (c *collector) add(id ID) bool {
	if c.seen[id] {
		return false
	}
	c.seen[id] = true
	c.out.IDs = append(c.out.IDs, id)
	return true
}

// commit adds a commit and what it has that its parents have not.
func (c *collector) commit(id ID) error {
	commit, err := c.s.CommitAt(id)
	if err != nil {
		return err
	}
	c.s.mu.Lock()
	w, ok := c.s.written[id]
	c.s.mu.Unlock()
	if ok && w.follows(commit.Parents) {
		for _, id := range w.ids {
			if c.add(id) && !w.older[id].IsZero() {
				c.out.Base[id] = w.older[id]
			}
		}
		return nil
	}
	var old ID
	if len(commit.Parents) > 0 {
		if old, err = c.s.treeOf(commit.Parents[0]); err != nil {
			return err
		}
	}
	if err := c.tree(old, commit.Tree); err != nil {
		return err
	}
	c.add(id)
	return nil
}

// follows reports whether what was written is all that the parents have not.
func (w written) follows(parents []ID) bool {
	if w.base.IsZero() {
		return true
	}
	for _, p := range parents {
		if p == w.base {
			return true
		}
	}
	return false
}

// tree adds a tree and what it has that an older one has not.
func (c *collector) tree(old, id ID) error {
	if old == id || !c.add(id) {
		return nil
	}
	if !old.IsZero() {
		c.out.Base[id] = old
	}
	a, err := c.s.tree(old)
	if err != nil {
		return err
	}
	b, err := c.s.tree(id)
	if err != nil {
		return err
	}
	return walkTrees(a, b, func(ea, eb entry) error {
		switch {
		case eb.id.IsZero() || eb.mode == ModeSubmodule || ea.id == eb.id:
			return nil
		case eb.isDir():
			if !ea.isDir() {
				ea.id = ID{}
			}
			return c.tree(ea.id, eb.id)
		}
		c.add(eb.id)
		return nil
	})
}
