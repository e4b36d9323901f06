// Package vendors says what driftback asks of a platform: the Driver that each
// adapter implements, and the Target that wraps an opened Driver with what all
// of them need alike.
//
// It knows keys, specs and changes; it must not know Git, forges or who is right.
package vendors

import (
	"context"
	"errors"
	"iter"
	"time"

	"github.com/driftback/driftback/vendors/resource"
)

// The classes of failure that callers act on with errors.Is. Every other error
// is taken as passing and is tried again later.
var (
	// ErrConflict says that live is not what the change was decided on. Nothing was done.
	ErrConflict = errors.New("changed meanwhile on the platform")
	// ErrBusy says that somebody is in the middle of changing the object: a draft, a lock. Nothing is done; it may be possible later.
	ErrBusy = errors.New("in somebody's hands on the platform")
	// ErrDenied says that the credentials do not permit the operation.
	ErrDenied = errors.New("permission denied")
	// ErrReadOnly says that the target was opened for observing only.
	ErrReadOnly = errors.New("target is read-only")
	// ErrInvalid says that the platform will not take this value however often it is tried.
	ErrInvalid = errors.New("refused by the platform")
	// ErrRefused says that an activation was refused: what is stored does not run.
	ErrRefused = errors.New("activation refused")
	// ErrUnsupported says that the platform cannot do this to the kind.
	ErrUnsupported = errors.New("not supported by the platform")
)

// A Request says what to observe.
type Request struct {
	// Kinds to read; nil means all that are managed.
	Kinds []resource.Kind
	// Known is what the caller has bodies of. Observe returns a body only where the hash differs from it.
	Known *resource.Snapshot
	// OnProgress hears of a reading as it goes on, as often as the driver has something to tell and never twice at once; nil where
	// nobody listens.
	OnProgress func(Progress)
}

// Progress is how far a reading has come.
type Progress struct {
	Kind resource.Kind // that is being listed
	// Done and Total count requests. Total is an estimate from the reading before and from what listings tell of their length.
	Done, Total int
	Objects     int           // listed so far
	Taken       time.Duration // since the reading began
	// Left is the time that the requests still to be made take on the driver's budget.
	Left time.Duration
}

// A Driver talks to one tenant of one platform. Methods may be called concurrently.
type Driver interface {
	// Kinds describes what can be managed, referenced kinds first. It is constant and does no I/O.
	Kinds() []resource.KindInfo
	// Observe lists. It returns bodies at least where the hash differs from what r.Known says, the
	// scope that was really covered, and the tenant's identity. A kind not read in full is left out of the
	// scope and named in the error; a single unreadable object is Unknown in the scope and named there.
	// Snapshot and error may come together.
	Observe(ctx context.Context, r Request) (*resource.Snapshot, error)
	// Read returns the named objects exactly and currently, with bodies, by id where known: for
	// plans, verification, hints and absences. The scope covers those of the keys that could be read;
	// a key that is covered and not listed is not there.
	Read(ctx context.Context, keys []resource.Key) (*resource.Snapshot, error)
	// Apply makes one change and returns the object as it is stored now (the zero Resource after a
	// deletion). Live already c.After: success, nothing done. Else live not c.Before: ErrConflict, nothing done.
	Apply(ctx context.Context, c resource.Change) (resource.Resource, error)
	Close() error
}

// An Auditor tells who changed what. Optional.
type Auditor interface {
	// Audit yields the platform's records since t, oldest first. Records may come late.
	Audit(ctx context.Context, t time.Time) iter.Seq2[AuditEntry, error]
}

// An AuditEntry is one change as the platform recorded it.
type AuditEntry struct {
	Key   resource.Key
	ID    string // of the record
	Who   string
	Email string
	When  time.Time
	Hash  resource.Hash // of the object after the change, where the platform tells; else zero
	// Application is what the person worked with, Changed the properties that the platform says have changed, in its
	// own words; both empty where it does not tell.
	Application string
	Changed     []string
}

// A Watcher gives hints that something changed. They may be lost, late or spurious. Optional.
type Watcher interface {
	// Watch calls changed until ctx ends. The keys are those believed changed; none means anything.
	Watch(ctx context.Context, changed func(keys ...resource.Key)) error
}

// An Activator has a platform where what is stored must be reloaded to run. Optional.
type Activator interface {
	// Activate makes what is stored run, and checks it. ErrRefused: what ran before goes on running.
	// Activating twice is activating once.
	Activate(ctx context.Context) error
	// Checks reports whether Activate would notice a broken configuration.
	Checks() bool
}

// A Runner tells what runs, on a platform where that can differ from what is stored: a reload is pending, or memory was
// changed. Optional; such a driver is an Activator, too.
type Runner interface {
	// Running returns what runs by now, with bodies at least where the hash differs from what r.Known says. The scope covers
	// what could be read of it: an object that is covered and not listed does not run.
	Running(ctx context.Context, r Request) (*resource.Snapshot, error)
}

// A Settler has a platform where an object may be seen half-written. Optional.
type Settler interface {
	// Settling returns how long from now until everything that the last Observe left out as unsettled
	// can be read; zero when nothing was left out.
	Settling() time.Duration
}

// A Doubter remembers creations of which nobody heard the answer, and looks for what they made before it makes it again. Optional.
type Doubter interface {
	// Doubt says that another process may have sent creations of the keys until a moment, and that nobody knows whether they arrived.
	Doubt(keys []resource.Key, until time.Time)
}

// A Narrower can leave kinds alone: they are looked up by name where something refers to them, and no more of them is read. A driver
// that cannot is asked for the others by Request.Kinds. Optional.
type Narrower interface {
	// Narrow leaves all kinds alone but those named. It is called at most once, and before anything but Kinds.
	Narrow(kinds []resource.Kind) error
}

// A Metered driver keeps to a number of requests that its platform permits. Optional.
type Metered interface {
	// Remaining returns how many requests may be sent at this moment without waiting; false where nothing bounds them.
	Remaining() (requests int, bounded bool)
}

// A Doctor knows what an operator has to know who sets the platform up: which permissions are missing, what the credentials
// show. It only reads. Optional.
type Doctor interface {
	// Examine returns what it found, in the order in which it is to be read.
	Examine(ctx context.Context) []Finding
}

// A Finding is one thing that a Doctor looked at.
type Finding struct {
	Subject string // what it is about: queue
	Detail  string // a sentence, without secrets
	// Err says that it does not work; Note that it works, and something should be known. Neither: it is well.
	Err  error
	Note bool
}

// An OpenFunc opens a driver. decode fills in the vendor's own part of the
// configuration file, strictly.
type OpenFunc func(ctx context.Context, decode func(any) error) (Driver, error)

// A Clock is the time as a program sees it, so that tests and simulations have their own.
type Clock interface {
	Now() time.Time
	// Sleep waits for d or until ctx ends, and returns ctx's error then.
	Sleep(ctx context.Context, d time.Duration) error
}
