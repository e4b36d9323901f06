package vendors

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"math/rand/v2"
	"time"

	"golang.org/x/time/rate"

	"github.com/driftback/driftback/vendors/resource"
)

// TargetOptions tune a Target. The zero value writes, retries and keeps no budget.
type TargetOptions struct {
	// ReadOnly refuses Apply and Activate with ErrReadOnly before the driver hears of them.
	ReadOnly bool
	// Rate bounds the calls of the driver per second, of which Burst (at least 1) may come at once; 0 is no bound.
	Rate  rate.Limit
	Burst int
	// MaxTries bounds how often a call is made that fails in passing; 0 means 5.
	MaxTries int
	// MaxTime is how long after its first begin a call is begun again; 0 means 2 minutes.
	MaxTime time.Duration
	// Secrets returns the value of a secret. It is asked immediately before each write that needs it.
	Secrets func(name string) (string, error)
	// OnRequest hears of every call of the driver that came back: observe, read, apply, running, activate, audit.
	OnRequest func(operation string, err error, took time.Duration)
	Clock     Clock          // nil means the system's
	Jitter    func() float64 // uniform in [0, 1); nil means math/rand
	Logger    *slog.Logger   // nil means silence
}

// The waits between tries: the first is a half to one and a half times minWait, each one twice the one before.
const (
	minWait = 500 * time.Millisecond
	maxWait = 30 * time.Second
)

// A Target is an opened Driver plus what all vendors need alike: read-only mode,
// a rate budget, retries, timings, and secrets resolved just before writing. It
// may be used concurrently, as its driver may.
type Target struct {
	d       Driver
	o       TargetOptions
	budget  *rate.Limiter
	kinds   map[resource.Kind]resource.KindInfo
	schemas map[resource.Kind]*resource.Schema
}

// NewTarget wraps an opened driver, which it then owns.
func NewTarget(d Driver, o TargetOptions) *Target {
	o.MaxTries = cmp.Or(o.MaxTries, 5)
	o.MaxTime = cmp.Or(o.MaxTime, 2*time.Minute)
	if o.Clock == nil {
		o.Clock = SystemClock{}
	}
	if o.Jitter == nil {
		o.Jitter = rand.Float64
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	t := &Target{
		d: d, o: o,
		kinds:   map[resource.Kind]resource.KindInfo{},
		schemas: map[resource.Kind]*resource.Schema{},
	}
	if o.Rate > 0 {
		t.budget = rate.NewLimiter(o.Rate, max(1, o.Burst))
	}
	for _, k := range d.Kinds() {
		t.kinds[k.Kind], t.schemas[k.Kind] = k, k.Schema()
	}
	return t
}

// Kinds describes what can be managed, as the driver does.
func (t *Target) Kinds() []resource.KindInfo { return t.d.Kinds() }

// Close closes the driver.
func (t *Target) Close() error { return t.d.Close() }

// Observe lists, as Driver.Observe does. A reading in part is a result and is not
// tried again; a reading of nothing is.
func (t *Target) Observe(ctx context.Context, r Request) (s *resource.Snapshot, err error) {
	if r.OnProgress == nil {
		r.OnProgress = t.tell()
	}
	err = t.retry(ctx, "observe", func(int) (again bool, err error) {
		err = t.call(ctx, "observe", func() (err error) { s, err = t.d.Observe(ctx, r); return err })
		return s == nil, err
	})
	return s, err
}

// A reading that takes longer than longReading is told of then, and every tellEvery.
const (
	longReading = 10 * time.Second
	tellEvery   = 30 * time.Second
)

// tell returns what tells the log how far a long reading has come and how long it is going to take.
func (t *Target) tell() func(Progress) {
	next := longReading
	return func(p Progress) {
		if p.Taken < next {
			return
		}
		next = p.Taken + tellEvery
		t.o.Logger.Info("still reading", "kind", string(p.Kind), "objects", p.Objects, "requests", fmt.Sprintf("%d of about %d", p.Done, p.Total),
			"taken", p.Taken.Round(time.Second), "left", p.Left.Round(time.Second))
	}
}

// Read returns the named objects, as Driver.Read does, with the retries of Observe.
func (t *Target) Read(ctx context.Context, keys []resource.Key) (s *resource.Snapshot, err error) {
	err = t.retry(ctx, "read", func(int) (again bool, err error) {
		s, err = t.read(ctx, keys)
		return s == nil, err
	})
	return s, err
}

func (t *Target) read(ctx context.Context, keys []resource.Key) (s *resource.Snapshot, err error) {
	err = t.call(ctx, "read", func() (err error) { s, err = t.d.Read(ctx, keys); return err })
	return s, err
}

// Activator returns the driver's Activator under the target's rules, if it is one.
func (t *Target) Activator() (Activator, bool) {
	a, ok := t.d.(Activator)
	return activation{t, a}, ok
}

// Runner returns the driver's Runner under the target's rules, if it is one.
func (t *Target) Runner() (Runner, bool) {
	r, ok := t.d.(Runner)
	return running{t, r}, ok
}

// Auditor returns the driver's Auditor under the target's budget, if it is one.
func (t *Target) Auditor() (Auditor, bool) {
	a, ok := t.d.(Auditor)
	return audit{t, a}, ok
}

// Watcher returns the driver's Watcher, if it is one.
func (t *Target) Watcher() (Watcher, bool) { w, ok := t.d.(Watcher); return w, ok }

// Settler returns the driver's Settler, if it is one.
func (t *Target) Settler() (Settler, bool) { s, ok := t.d.(Settler); return s, ok }

// Doubt tells the driver of creations that may have been sent, if it wants to know.
func (t *Target) Doubt(keys []resource.Key, until time.Time) {
	if d, ok := t.d.(Doubter); ok {
		d.Doubt(keys, until)
	}
}

// Narrower returns the driver's Narrower, if it is one.
func (t *Target) Narrower() (Narrower, bool) { n, ok := t.d.(Narrower); return n, ok }

// Metered returns the driver's Metered, if it is one.
func (t *Target) Metered() (Metered, bool) { m, ok := t.d.(Metered); return m, ok }

// Doctor returns the driver's Doctor, if it is one.
func (t *Target) Doctor() (Doctor, bool) { d, ok := t.d.(Doctor); return d, ok }

type activation struct {
	t *Target
	a Activator
}

func (a activation) Activate(ctx context.Context) error {
	if a.t.o.ReadOnly {
		return fmt.Errorf("activate: %w", ErrReadOnly)
	}
	return a.t.retry(ctx, "activate", func(int) (bool, error) {
		return true, a.t.call(ctx, "activate", func() error {
			if err := Leased(ctx); err != nil {
				return err
			}
			return a.a.Activate(ctx)
		})
	})
}

func (a activation) Checks() bool { return a.a.Checks() }

type running struct {
	t *Target
	r Runner
}

// Running is tried again as Target.Observe is.
func (r running) Running(ctx context.Context, q Request) (s *resource.Snapshot, err error) {
	err = r.t.retry(ctx, "running", func(int) (again bool, err error) {
		err = r.t.call(ctx, "running", func() (err error) { s, err = r.r.Running(ctx, q); return err })
		return s == nil, err
	})
	return s, err
}

type audit struct {
	t *Target
	a Auditor
}

// Audit passes records on as they come. It is not tried again: whoever reads has seen some already.
func (a audit) Audit(ctx context.Context, since time.Time) iter.Seq2[AuditEntry, error] {
	return func(yield func(AuditEntry, error) bool) {
		stopped := false
		err := a.t.call(ctx, "audit", func() error {
			for e, err := range a.a.Audit(ctx, since) {
				if err != nil {
					return err
				}
				if stopped = !yield(e, nil); stopped {
					return nil
				}
			}
			return nil
		})
		if err != nil && !stopped {
			yield(AuditEntry{}, err)
		}
	}
}

// call makes one call of the driver within the budget, and times it.
func (t *Target) call(ctx context.Context, operation string, f func() error) error {
	if err := t.spend(ctx); err != nil {
		return fmt.Errorf("%s: %w", operation, err)
	}
	begun := t.o.Clock.Now()
	err := f()
	if t.o.OnRequest != nil {
		t.o.OnRequest(operation, err, t.o.Clock.Now().Sub(begun))
	}
	return err
}

// spend waits until the budget has a call left, or returns ctx's error.
func (t *Target) spend(ctx context.Context) error {
	if err := ctx.Err(); err != nil || t.budget == nil {
		return err
	}
	now := t.o.Clock.Now()
	r := t.budget.ReserveN(now, 1)
	wait := r.DelayFrom(now)
	if wait == 0 {
		return nil
	}
	err := t.o.Clock.Sleep(ctx, wait)
	if err != nil {
		r.CancelAt(t.o.Clock.Now())
	}
	return err
}

// retry calls f until it succeeds, its failure is not one that passes, f says that it
// is not to be called again, or tries or time are used up. f is told how often it has been called.
func (t *Target) retry(ctx context.Context, operation string, f func(try int) (again bool, err error)) error {
	begun := t.o.Clock.Now()
	for try := 0; ; try++ {
		again, err := f(try)
		if err == nil || !again || !passing(ctx, err) {
			return err
		}
		wait := t.wait(try)
		if try+1 >= t.o.MaxTries || t.o.Clock.Now().Add(wait).Sub(begun) > t.o.MaxTime {
			return fmt.Errorf("%w (tried %d times)", err, try+1)
		}
		t.o.Logger.Debug("trying again", "operation", operation, "error", err, "wait", wait)
		if ended := t.o.Clock.Sleep(ctx, wait); ended != nil {
			return errors.Join(err, ended)
		}
	}
}

// wait is how long to wait after a try, counted from 0.
func (t *Target) wait(try int) time.Duration {
	d := min(maxWait, minWait<<min(try, 16))
	return time.Duration(float64(d) * (0.5 + t.o.Jitter()))
}

// passing reports whether trying again may help: the failure is of no class that callers act on, and nobody ended the call.
func passing(ctx context.Context, err error) bool {
	if ctx.Err() != nil {
		return false
	}
	for _, class := range []error{ErrConflict, ErrBusy, ErrDenied, ErrReadOnly, ErrInvalid, ErrRefused, ErrUnsupported, ErrLease} {
		if errors.Is(err, class) {
			return false
		}
	}
	return true
}

// SystemClock is the time of the machine.
type SystemClock struct{}

// Now returns the time, with its monotonic reading.
func (SystemClock) Now() time.Time { return time.Now() }

// Sleep waits for d or until ctx ends, and returns ctx's error then.
func (SystemClock) Sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
