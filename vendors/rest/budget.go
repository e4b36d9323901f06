package rest

import (
	"context"
	"sync"
	"time"

	"github.com/driftback/driftback/vendors"
)

// window is the time in which requests are counted. margin is for clocks that do not run alike.
const (
	window = 60 * time.Second
	margin = 100 * time.Millisecond
)

// A budget lets through at most max requests in any window, counted where the
// platform counts: a request takes its place before it is sent, and gives it back one
// window after its answer came, so that neither delay on the way can put one more into a window.
//
// The limit is learnt: a refusal for too many requests halves it and stops everything until the
// platform's Retry-After has passed; every window without one adds a tenth of max. It never exceeds max.
type budget struct {
	clock vendors.Clock

	mu       sync.Mutex
	max      int // 0 is no bound
	limit    int
	sent     []time.Time   // when places become free, oldest first
	flying   int           // requests under way
	landed   chan struct{} // closed and replaced whenever one lands
	paused   time.Time     // nothing is sent before
	adjusted time.Time     // when limit was changed last
}

func newBudget(perMinute int, clock vendors.Clock) *budget {
	return &budget{clock: clock, max: perMinute, limit: perMinute, landed: make(chan struct{})}
}

// take waits for a place. Whoever got one gives it back with land.
func (b *budget) take(ctx context.Context) error {
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		wait, landed := b.try()
		switch {
		case wait == 0 && landed == nil:
			return nil
		case landed != nil:
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-landed:
			}
		default:
			if err := b.clock.Sleep(ctx, wait); err != nil {
				return err
			}
		}
	}
}

// try takes a place, or tells for how long or until which event there is none.
func (b *budget) try() (wait time.Duration, landed chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.clock.Now()
	if d := b.paused.Sub(now); d > 0 {
		return d, nil
	}
	if b.max == 0 {
		b.flying++
		return 0, nil
	}
	b.expire(now)
	if len(b.sent)+b.flying < b.limit {
		b.flying++
		return 0, nil
	}
	// Of the places that are taken, so many must become free.
	over := len(b.sent) + b.flying - b.limit
	if over < len(b.sent) {
		return b.sent[over].Sub(now), nil
	}
	return 0, b.landed
}

// expire takes back the places that became free, after raising the limit where it is time for that. The caller holds mu.
func (b *budget) expire(now time.Time) {
	b.recover(now)
	for len(b.sent) > 0 && !b.sent[0].After(now) {
		b.sent = b.sent[1:]
	}
}

// recover raises the limit for every window that has passed without a refusal.
func (b *budget) recover(now time.Time) {
	for b.limit < b.max && now.Sub(b.adjusted) >= window {
		b.limit = min(b.max, b.limit+max(1, b.max/10))
		b.adjusted = b.adjusted.Add(window)
	}
}

// land says that an answer came, or that none will.
func (b *budget) land() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.flying--
	if b.max > 0 {
		b.sent = append(b.sent, b.clock.Now().Add(window+margin))
	}
	close(b.landed)
	b.landed = make(chan struct{})
}

// cancel gives back a place that was not used.
func (b *budget) cancel() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.flying--
	close(b.landed)
	b.landed = make(chan struct{})
}

// refused says that the platform found the requests too many, and for how long it wants none.
func (b *budget) refused(wait time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.clock.Now()
	if until := now.Add(wait); until.After(b.paused) {
		b.paused = until
	}
	// Several refusals of requests that were under way together are one.
	if b.max > 0 && now.Sub(b.adjusted) >= time.Second {
		b.limit = max(1, b.limit/2)
		b.adjusted = now
	}
}

// remaining is how many requests may be sent now; false where nothing bounds them.
func (b *budget) remaining() (int, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.clock.Now()
	if b.paused.After(now) {
		return 0, true
	}
	if b.max == 0 {
		return 0, false
	}
	b.expire(now)
	return max(0, b.limit-len(b.sent)-b.flying), true
}

// need is how long so many requests more will take, about.
func (b *budget) need(requests int) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.max == 0 || requests <= 0 {
		return 0
	}
	now, taken := b.clock.Now(), make([]time.Duration, 0, b.limit) // when places become free
	for _, t := range b.sent {
		taken = append(taken, max(0, t.Sub(now)))
	}
	for range b.flying {
		taken = append(taken, window+margin)
	}
	over := requests - max(0, b.limit-len(taken)) // that have to wait for one
	if over <= 0 {
		return max(0, b.paused.Sub(now))
	}
	// Whoever waits takes the place that becomes free next, and gives it back a window later.
	turns, last := (over-1)/b.limit, (over-1)%b.limit
	wait := time.Duration(turns) * (window + margin)
	if free := b.limit - len(taken); last < len(taken) {
		wait += taken[last]
	} else if free > 0 {
		wait += window + margin // a place that is free now, and was taken once already
	}
	return max(wait, b.paused.Sub(now))
}
