// Package gitstore is a Git repository as driftback needs it: trees of files read
// and written without a worktree, refs moved by compare-and-swap, history, and
// three-way merges of trees. It uses go-git by its object store.
//
// It knows paths, bytes and commits; it must not know resources, environments or forges.
//
// The remote is the truth. What a Store keeps on disk is a disposable copy of it: on
// any doubt the copy is deleted and fetched again, and a ref is never moved anywhere
// but at the remote. The objects that a Store writes stay in memory until they are
// pushed or grow large; a crash before then loses nothing that anybody was promised.
//
// Three rules shape the code. A missing object is an error and never a missing file
// (ErrMissing). Every push says which value each ref must have had, and the remote
// itself refuses it otherwise (ErrStale). And what a push sends is found by walking
// the new commits only, never the repository.
package gitstore
