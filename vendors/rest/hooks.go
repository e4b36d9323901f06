package rest

import (
	"context"
	"iter"
	"time"

	"github.com/driftback/driftback/vendors"
	"github.com/driftback/driftback/vendors/resource"
)

// Duration is how the table writes times.
type Duration = time.Duration

// An Object is an object as the platform has it: JSON values, numbers as json.Number, ids where
// references will be.
type Object = map[string]any

// Hooks are what a table cannot say of a kind. Each is optional. They speak to the platform through
// the client only, which keeps the budget; errors carry the classes of vendors.
type Hooks struct {
	// Read completes an object that was read or listed, and may change it in place. Of what is listed it is
	// called only for what moved since the listing before, as the listing shows it (see Kind.Moved). ErrMissing says that
	// the object is not there.
	Read func(ctx context.Context, c *Client, id string, o Object) error
	// Body may change in place what a creation or an update is about to send. live is nil for a creation.
	Body func(a resource.Action, live, body Object) error
	// Create stands in for the operation and returns the new object's id; it is called after a look-up has shown that
	// no object has the name.
	Create func(ctx context.Context, c *Client, body Object) (id string, err error)
	// Update stands in for the operation. live is the object as it was read, body what would be sent. It may return what the object is
	// afterwards, if it has asked for that, without what Read adds.
	Update func(ctx context.Context, c *Client, id string, live, body Object) (now Object, err error)
	// Delete stands in for the operation.
	Delete func(ctx context.Context, c *Client, id string, live Object) error
	// Restore is asked before a creation whether a deleted object has the name and can be had back. It returns
	// the id of what it has brought back, or "". The object is then updated.
	Restore func(ctx context.Context, c *Client, name string, body Object) (id string, err error)
	// Written is called after an object and its parts were written: to publish it. Calling it twice is calling it once. It may return what
	// the platform says the object is by then.
	Written func(ctx context.Context, c *Client, id string, a resource.Action) (now Object, err error)
}

// PlatformHooks are what a table cannot say of a platform. Each is optional.
type PlatformHooks struct {
	// Audit makes the driver a vendors.Auditor.
	Audit func(ctx context.Context, c *Client, ids IDs, since time.Time) iter.Seq2[vendors.AuditEntry, error]
	// Changes tells what changed since a moment, so that a reading need not list everything: ids of objects, and kinds
	// that it knows nothing of, which are listed as a whole. Everything up to until is told. With an error
	// everything is listed.
	Changes func(ctx context.Context, c *Client, ids IDs, since time.Time) (Changes, error)
	// Watch makes the driver a vendors.Watcher. changed may be called from anywhere.
	Watch func(ctx context.Context, c *Client, ids IDs, changed func(...resource.Key)) error
}

// Changes are what a platform's own record says.
type Changes struct {
	IDs map[resource.Kind][]string
	// Parts are ids of objects of which the parts alone are to be looked at: the object was read and shows the change, and what
	// stands apart from it may have been shown as it was before.
	Parts map[resource.Kind][]string
	Whole []resource.Kind
	Until time.Time
}

// IDs tells keys from ids, as the last readings had them.
type IDs interface {
	// Key returns the key of the object of the kind that has the id.
	Key(k resource.Kind, id string) (resource.Key, bool)
	// ID returns the id of the object with the key.
	ID(k resource.Key) (string, bool)
	// When returns the time of the last change of the object of the kind that has the id, as the platform tells it with the
	// object; zero where it does not.
	When(k resource.Kind, id string) time.Time
}
