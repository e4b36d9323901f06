package gitstore

import "errors"

// A MergeResult is what merging comes to: the edit that makes ours the merged tree, and what could not be merged.
// Where there are conflicts the edit leaves their paths as they are in ours.
type MergeResult struct {
	Edit      Edit
	Conflicts []MergeConflict
}

// A MergeConflict is a path that people must decide on.
type MergeConflict struct {
	Path   string
	Reason string // both changed it, changed and deleted, binary, …
}

// Merge merges theirs into ours, three-way from their merge base, texts line by line.
func (s *Store) Merge(ours, theirs ID) (MergeResult, error) {
	return MergeResult{}, errors.ErrUnsupported
}

// Revert undoes a commit on top of onto. A merge is undone against its parent number mainline, counted from 1; an
// ordinary commit has mainline 0.
func (s *Store) Revert(onto, commit ID, mainline int) (MergeResult, error) {
	return MergeResult{}, errors.ErrUnsupported
}
