// Package plan puts the changes that a deployment is to make into an order in
// which each can be made, and says which cannot be made at all.
//
// A plan is data: it can be printed, stored and read back. The package knows changes,
// references and what platforms can do with a kind; it must not know why an object shall
// change, nor carry anything out.
package plan

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/driftback/driftback/reconciler/diff"
	"github.com/driftback/driftback/vendors/resource"
)

// A Plan is what a deployment does, in this order.
type Plan struct {
	Steps []Step `json:"steps"`
}

// A Step is one write.
type Step struct {
	// Change is what to apply. Before is what live is by then: references in it carry the names
	// that earlier steps have given.
	Change resource.Change
	// Object is the key of the change that the step belongs to: Change may have a temporary name, or be a part.
	Object resource.Key
	// Fields says what the change does, for people.
	Fields []diff.Field
	// Stage counts up from 0 along the plan. The steps of one stage do not depend on each other.
	Stage int
	// Note says what is not plain from the change: that it is half of something, or why it stands here.
	Note string
}

// String prints the step on one line: update queue/Support (timeout, tags[=vip]).
func (s Step) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s", s.Change.Action(), s.Change.Key())
	switch s.Change.Action() {
	case resource.Rename:
		fmt.Fprintf(&b, " to %s", s.Change.After.Key)
		fallthrough
	case resource.Update:
		sep := " ("
		for _, f := range s.Fields {
			b.WriteString(sep + f.Path.String())
			sep = ", "
		}
		if len(s.Fields) > 0 {
			b.WriteString(")")
		}
	}
	if s.Note != "" {
		b.WriteString(": " + s.Note)
	}
	return b.String()
}

// Undo returns the steps that take back what was done, the last first. Each
// expects to find what its step has written. What a platform did by itself when an object
// was deleted, such as stripping references to it, is not taken back.
func Undo(done []Step) []Step {
	last := 0
	for _, s := range done {
		last = max(last, s.Stage)
	}
	out := make([]Step, 0, len(done))
	for _, s := range slices.Backward(done) {
		u := Step{
			Change: resource.Change{Before: s.Change.After, After: s.Change.Before},
			Object: s.Object,
			Stage:  last - s.Stage,
			Note:   "undo",
		}
		for _, f := range s.Fields {
			u.Fields = append(u.Fields, f.Invert())
		}
		out = append(out, u)
	}
	return out
}

// The classes of Problem, for errors.Is.
var (
	// ErrChange says that the change itself makes no sense: no object, or two changes of one object.
	ErrChange = errors.New("not a change that can be planned")
	// ErrKind says that the kind is not described or only referred to.
	ErrKind = errors.New("kind is not managed")
	// ErrUnsupported says that the platform cannot do this with the kind.
	ErrUnsupported = errors.New("not supported by the platform")
	// ErrImmutable says that a field can be set on creation only, and that nobody allowed to recreate the object.
	ErrImmutable = errors.New("can be set on creation only")
	// ErrDangling says that the object would refer to one that is not there by then.
	ErrDangling = errors.New("refers to what is not there")
	// ErrReferred says that something that is not part of the plan still refers to the object.
	ErrReferred = errors.New("is still referred to")
	// ErrTaken says that the name belongs to another object.
	ErrTaken = errors.New("name is taken")
	// ErrCycle says that objects need each other in a circle that cannot be opened.
	ErrCycle = errors.New("objects need each other")
	// ErrBlocked says that another change must come first, which has a Problem itself.
	ErrBlocked = errors.New("waits for a change that cannot be made")
)

// A Problem says why the change of an object is not in the plan.
type Problem struct {
	Key resource.Key
	Err error
}

// Error names the object and the cause.
func (p Problem) Error() string { return fmt.Sprintf("plan %s: %v", p.Key, p.Err) }

// Unwrap returns the cause.
func (p Problem) Unwrap() error { return p.Err }
