// Package files turns resources into files and files into resources: the layout
// of the repository, the canonical YAML, overlays on shared objects, file names
// that hold any name, and raw kinds whose file is the content itself.
//
// It knows paths, blob ids and bytes. It must not know Git, the network or the
// clock: what it reads comes through a Reader, what it writes is returned as
// path → content.
package files

import (
	"cmp"
	"errors"
	"fmt"

	"github.com/driftback/driftback/vendors/resource"
)

// A File is a leaf of a Git tree.
type File struct {
	Path string // slash-separated, relative to the repository's root
	ID   [20]byte
	Mode uint32 // as Git has it: 0100644, 0100755, 0120000, 0160000
}

// A Delta is a leaf that differs between two trees. A zero ID stands for no file.
type Delta struct {
	Path     string
	Old, New File
}

// A Reader reads a blob. A blob over limit bytes is an error that wraps
// ErrTooLarge; every other error says that nothing is known. It is called from
// several goroutines at once.
type Reader func(id [20]byte, limit int64) ([]byte, error)

// ErrTooLarge says that a blob is over the limit it was asked for with.
var ErrTooLarge = errors.New("too large")

// A Problem is a file, or a place in one, that cannot be used. The other objects
// of the environment are not touched by it.
type Problem struct {
	Path         string
	Line, Column int           // from 1; zero where the file as a whole is meant
	Key          resource.Key  // the object that is unknown because of it; zero where that cannot be told
	Kind         resource.Kind // whose reading is incomplete because of it; empty where nothing is missing
	Err          error
}

// Error prints path:line:column: message, as far as these are known.
func (p Problem) Error() string {
	switch {
	case p.Line == 0:
		return fmt.Sprintf("%s: %v", p.Path, p.Err)
	case p.Path == "":
		return fmt.Sprintf("%d:%d: %v", p.Line, p.Column, p.Err)
	}
	return fmt.Sprintf("%s:%d:%d: %v", p.Path, p.Line, p.Column, p.Err)
}

// String is Error.
func (p Problem) String() string { return p.Error() }

// Unwrap returns the cause.
func (p Problem) Unwrap() error { return p.Err }

func (p Problem) compare(o Problem) int {
	return cmp.Or(cmp.Compare(p.Path, o.Path), cmp.Compare(p.Line, o.Line), cmp.Compare(p.Column, o.Column),
		p.Key.Compare(o.Key), cmp.Compare(p.Err.Error(), o.Err.Error()))
}

// A fault is a Problem before its file is known.
type fault struct {
	line, column int
	err          error
}

func (f *fault) Error() string { return fmt.Sprintf("%d:%d: %v", f.line, f.column, f.err) }

func faultAt(line, column int, format string, args ...any) *fault {
	return &fault{line: line, column: column, err: fmt.Errorf(format, args...)}
}
