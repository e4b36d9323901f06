package gitstore

import (
	"errors"
	"fmt"
)

// Revert undoes on top of onto what commit did to its parent. A merge is undone against its parent number mainline,
// counted from 1; for other commits mainline is 0 or 1. Nothing is committed.
func (s *Store) Revert(onto, commit ID, mainline int) (MergeResult, error) {
	tree, err := s.treeOf(onto)
	if err == nil {
		var res MergeResult
		if res, err = s.revert(tree, commit, mainline, false); err == nil {
			return res, nil
		}
	}
	return MergeResult{}, fmt.Errorf("revert %s: %w", commit, err)
}

// A RevertResult is what reverting several commits comes to.
type RevertResult struct {
	// Steps are what each commit's revert makes of the one before, in the order of reverting. One that changes
	// nothing any more has an empty Edit.
	Steps []RevertStep
	// Commit is the one whose revert is in conflict, zero if none is; its Conflicts say where. No step is made
	// of it or of what would come after it.
	Commit    ID
	Conflicts []MergeConflict
}

// A RevertStep is the revert of one commit.
type RevertStep struct {
	Commit ID   // that is undone
	Tree   ID   // after it; CommitTree makes a commit of it
	Edit   Edit // from the tree before, as in MergeResult
}

// RevertAll undoes several commits on top of onto, one after the other in the order given, which for a range is from the
// newest to the oldest, as git revert does. Merges among them are undone against their parent number mainline. It
// stops at the first conflict. Nothing is committed.
func (s *Store) RevertAll(onto ID, commits []ID, mainline int) (RevertResult, error) {
	var out RevertResult
	tree, err := s.treeOf(onto)
	if err != nil {
		return RevertResult{}, fmt.Errorf("revert onto %s: %w", onto, err)
	}
	for _, id := range commits {
		res, err := s.revert(tree, id, mainline, true)
		if err != nil {
			return RevertResult{}, fmt.Errorf("revert %s: %w", id, err)
		}
		if len(res.Conflicts) > 0 {
			out.Commit, out.Conflicts = id, res.Conflicts
			return out, nil
		}
		out.Steps = append(out.Steps, RevertStep{Commit: id, Tree: res.Tree, Edit: res.Edit})
		tree = res.Tree
	}
	return out, nil
}

// revert is the three-way merge whose base is the commit and whose other side is its parent. Where several commits are
// reverted, mainline concerns merges only.
func (s *Store) revert(ours ID, commit ID, mainline int, several bool) (MergeResult, error) {
	c, err := s.CommitAt(commit)
	if err != nil {
		return MergeResult{}, err
	}
	n := len(c.Parents)
	if several && n < 2 {
		mainline = 0
	}
	var parent ID
	switch {
	case mainline < 0 || mainline > max(n, 1):
		return MergeResult{}, fmt.Errorf("has no parent number %d", mainline)
	case n > 1 && mainline == 0:
		return MergeResult{}, errors.New("is a merge: say which parent is the mainline")
	case n > 0:
		parent = c.Parents[max(mainline, 1)-1]
	}
	theirs, err := s.treeOf(parent)
	if err != nil {
		return MergeResult{}, err
	}
	return s.mergeTrees(c.Tree, ours, theirs)
}
