package reconciler

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/driftback/driftback/gitstore"
	"github.com/driftback/driftback/vendors/resource"
)

// The backoff of an environment whose passes fail.
const (
	firstRetry = time.Second
	lastRetry  = 60 * time.Second
)

type wallClock struct{}

func (wallClock) Now() time.Time { return time.Now() }

func (wallClock) Sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func randomJitter() float64 { return rand.Float64() } // #nosec G404 -- spreads timers, keeps no secret

// Run makes passes until ctx ends: at start, every Environment.Every with jitter, soon
// after a hint or a Poke, and with growing pauses where passes fail. Each environment
// has one worker, so one's trouble does not delay another. It returns nil after ctx ended
// and the claims were released.
func (r *Reconciler) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	for _, e := range r.envs {
		w := &worker{e: e, dirty: make(chan struct{}, 1)}
		e.wake.Store(w)
		wg.Go(func() { w.run(ctx) })
		if watcher, ok := e.Platform.Watcher(); ok {
			wg.Go(func() { w.watch(ctx, watcher.Watch) })
		}
	}
	wg.Wait()
	// What was begun is recorded even though ctx is done.
	return r.Close(context.WithoutCancel(ctx))
}

// Poke asks for a pass soon: a webhook, a command. It never blocks, and a poke that
// is lost costs time only.
func (r *Reconciler) Poke(env string) {
	if e := r.envs[env]; e != nil {
		if w := e.wake.Load(); w != nil {
			w.mark()
		}
	}
}

// Again asks for a pass in which the pull requests with this head are planned and given their statuses anew, also where nothing
// moved: somebody asked for that. It never blocks, and one that is lost leaves them as they are.
func (r *Reconciler) Again(env, head string) {
	if e := r.envs[env]; e != nil {
		e.againMu.Lock()
		e.again = append(e.again[:min(len(e.again), maxAgain)], head)
		e.againMu.Unlock()
	}
	r.Poke(env)
}

// maxAgain bounds how many heads wait.
const maxAgain = 1000

// Close gives up the claims of this process, and saves what was parsed for the next.
func (r *Reconciler) Close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, r.c.RequestTimeout)
	defer cancel()
	var errs []error
	for _, name := range r.Environments() {
		errs = append(errs, r.envs[name].close(ctx))
	}
	return errors.Join(errs...)
}

// close saves the caches and releases the environment's claim, if this process holds it.
func (e *environment) close(ctx context.Context) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.cached {
		e.saveCaches()
	}
	if e.state == nil || e.state.journal.Owner != e.r.c.Owner {
		return nil
	}
	p := &pass{environment: e, store: e.r.c.Store, start: e.r.c.Clock.Now(), st: e.state.clone(), git: gitstore.Refs{}, baseUp: resource.Overlay{}}
	err := p.release(ctx)
	if errors.Is(err, gitstore.ErrStale) {
		return nil // somebody else moved on already
	}
	return err
}

// worker makes the passes of one environment, one at a time. dirty holds at most one mark,
// so hints that come while a pass is under way cause one more pass.
type worker struct {
	e     *environment
	dirty chan struct{}
}

func (w *worker) mark() {
	select {
	case w.dirty <- struct{}{}:
	default:
	}
}

func (w *worker) run(ctx context.Context) {
	retry := firstRetry
	for ctx.Err() == nil {
		report, err := w.e.r.Once(ctx, w.e.Name)
		pause := spread(w.e.Every, w.e.r.c.Jitter())
		switch {
		case ctx.Err() != nil:
			return
		case errors.Is(err, ErrHalted):
			w.e.log.Error("halted", "error", err)
			retry = firstRetry
		case errors.Is(err, ErrStandBack):
			w.e.log.Warn("standing back", "error", err)
		case errors.Is(err, gitstore.ErrStale):
			pause = min(pause, spread(firstRetry, w.e.r.c.Jitter())) // somebody was faster: look again
		case err != nil:
			w.e.log.Error("pass", "error", err)
			pause = min(pause, spread(retry, w.e.r.c.Jitter()))
			retry = min(2*retry, lastRetry)
		default:
			retry = firstRetry
			if report.Again > 0 {
				pause = min(pause, report.Again)
			}
		}
		if w.wait(ctx, pause) != nil {
			return
		}
	}
}

// spread takes up to a tenth off, so that many daemons do not move in step.
func spread(d time.Duration, jitter float64) time.Duration {
	return d - time.Duration(float64(d)*jitter/10)
}

// hintDelay lets a burst of hints become one pass.
const hintDelay = 200 * time.Millisecond

func (w *worker) wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	case <-w.dirty:
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(min(d, hintDelay)):
			return nil
		}
	}
}

// watch turns the platform's hints into marks, and starts again when watching breaks.
func (w *worker) watch(ctx context.Context, watch func(context.Context, func(...resource.Key)) error) {
	for ctx.Err() == nil {
		err := watch(ctx, func(...resource.Key) { w.mark() })
		if ctx.Err() != nil {
			return
		}
		w.e.log.Warn("watching for hints ended; passes go on by the clock", "error", err)
		if w.e.r.c.Clock.Sleep(ctx, lastRetry) != nil {
			return
		}
	}
}
