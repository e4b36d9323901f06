package gitstore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
)

// ErrRefused says that the remote understood a push and did not do it: a hook or a rule of the
// server forbids it. Nothing was written.
var ErrRefused = errors.New("refused by the remote")

// A Remote is the repository that others share. Implementations are safe for concurrent use, and print as where they are.
type Remote interface {
	// Refs lists all refs, or fails: a part of them is never the answer. atomic says whether Push takes several updates.
	Refs(ctx context.Context) (refs Refs, atomic bool, err error)
	// Fetch brings everything reachable from want that is not reachable from have.
	Fetch(ctx context.Context, into Sink, want, have []ID) error
	// Push stores the objects and then moves the refs by compare-and-swap, all or none. It is given several updates
	// only if Refs said atomic. ErrStale, ErrRefused and ErrAuth say that nothing moved; after any other
	// error the outcome is unknown.
	Push(ctx context.Context, ups []Update, out *Outgoing) error
	String() string
}

// A Sink takes what Fetch brings.
type Sink interface {
	// Has reports whether the object is there with everything that it refers to.
	Has(id ID) bool
	// Put adds an object whose references are there already.
	Put(o Object)
	// Pack adds the objects of a pack file. Its deltas have their bases in it.
	Pack(r io.Reader) error
}

// Outgoing is what a push has to send.
type Outgoing struct {
	IDs []ID // no object twice
	// Base names for some trees an earlier version that the remote has, or that is in IDs before it.
	Base map[ID]ID
	get  func(ID) (Object, error)
}

// Object reads an object of IDs or a base.
func (o *Outgoing) Object(id ID) (Object, error) { return o.get(id) }

func sortIDs(ids []ID) {
	slices.SortFunc(ids, func(a, b ID) int { return bytes.Compare(a[:], b[:]) })
}

// checkUpdates reports what makes a push senseless.
func checkUpdates(ups []Update) error {
	seen := make(map[string]bool, len(ups))
	for _, u := range ups {
		if err := checkRef(u.Ref); err != nil {
			return err
		}
		if seen[u.Ref] {
			return fmt.Errorf("ref %q: is updated twice", u.Ref)
		}
		if u.Old.IsZero() && u.New.IsZero() {
			return fmt.Errorf("ref %q: neither old nor new value", u.Ref)
		}
		seen[u.Ref] = true
	}
	return nil
}
