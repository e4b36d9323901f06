package mem

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/driftback/driftback/vendors"
	"github.com/driftback/driftback/vendors/resource"
)

// Weather is what may go wrong between a driver and the platform. The rates are per thousand requests
// of the kind that they are about; the zero value is fair weather.
//
// A driver stays truthful in it, as a driver must: what it could not read it leaves out of the scope. Only
// Stale, Empty and Dark make it say what is not so, because no driver could tell: within the kind's settle time, for one
// answer, and as long as it lasts.
type Weather struct {
	// Chance returns a number in [0, n), and is the only source of chance. 0 stands for fair weather. Nil: nothing goes wrong.
	Chance func(n int) int
	// Busy (409), Throttled (429) and Broken (5xx) answer a request with an error, and nothing is done.
	Busy, Throttled, Broken int
	// Lost does what was asked for, and the answer gets lost.
	Lost int
	// Late answers a write with a time-out; it is done up to Lateness later, by what is there then.
	Late     int
	Lateness time.Duration
	// Stale shows, in one answer, all of a kind as it was up to the kind's settle time ago.
	Stale int
	// Partial breaks the listing of a kind off; Empty answers it with nothing at all, as if that were all.
	Partial, Empty int
	// Dark is an outage in which listings are empty, nothing is there when it is asked for, and writes fail.
	Dark bool
}

// What a request meets in bad weather. Each is passing.
var (
	errBusy      = errors.New("409: the object is being changed")
	errThrottled = errors.New("429: too many requests")
	errBroken    = errors.New("503: try again later")
	errLost      = errors.New("read: connection reset by peer")
	errTimeout   = errors.New("time-out awaiting the answer")
	errPartial   = errors.New("page 2: 502")
	errShifted   = errors.New("its pages moved while they were read")
)

// strikes is true in so many of a thousand cases.
func (w Weather) strikes(permille int) bool {
	return w.Chance != nil && permille > 0 && w.Chance(1000) >= 1000-permille
}

// fault returns what a request meets before anything happens. p.mu is held, as in all that follows.
func (p *Platform) fault(write bool) error {
	w := p.o.Weather
	switch {
	case write && w.Dark:
		return errBroken
	case write && w.strikes(w.Busy):
		return errBusy
	case w.strikes(w.Throttled):
		return errThrottled
	case w.strikes(w.Broken):
		return errBroken
	}
	return nil
}

// age returns how old an answer about a kind is: new, or in bad weather up to its settle time.
func (p *Platform) age(k resource.Kind) time.Duration {
	w, settle := p.o.Weather, p.info[k].Settle
	if settle <= 0 || !w.strikes(w.Stale) {
		return 0
	}
	return time.Duration(1+w.Chance(max(1, int(settle/time.Millisecond)-1))) * time.Millisecond
}

// was returns the object as it was that long ago; nil if it was not there.
func (p *Platform) was(k resource.Key, age time.Duration) *object {
	if age == 0 {
		return p.objects[k]
	}
	t := p.o.Now().Add(-age)
	for _, v := range slices.Backward(p.history[k]) {
		if !v.When.After(t) {
			return v.object
		}
	}
	return nil
}

// keysOf returns the keys of a kind that were there that long ago, in order.
func (p *Platform) keysOf(k resource.Kind, age time.Duration) []resource.Key {
	var out []resource.Key
	if age == 0 {
		for key := range p.objects {
			if key.Kind == k {
				out = append(out, key)
			}
		}
	} else {
		for key := range p.history {
			if key.Kind == k && p.was(key, age) != nil {
				out = append(out, key)
			}
		}
	}
	slices.SortFunc(out, resource.Key.Compare)
	return out
}

// unlocked calls f without p.mu, also where f ends the goroutine.
func (p *Platform) unlocked(f func()) {
	p.mu.Unlock()
	defer p.mu.Lock()
	f()
}

// A lateWrite is one that was answered by a time-out and will still be done.
type lateWrite struct {
	change resource.Change
	seen   *object // what the change was compared with
	due    time.Time
}

// A Landing is a write that was done after its time-out.
type Landing struct {
	Change resource.Change
	// Err says why it came to nothing.
	Err error
}

// Land does the late writes that are due, in the order in which they are, and returns them. Every
// request does so first; this is for those who want to know.
func (p *Platform) Land() []Landing {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.land()
}

func (p *Platform) land() []Landing {
	if len(p.late) == 0 {
		return nil
	}
	now := p.o.Now()
	var due []lateWrite
	p.late = slices.DeleteFunc(p.late, func(l lateWrite) bool {
		if l.due.After(now) {
			return false
		}
		due = append(due, l)
		return true
	})
	slices.SortStableFunc(due, func(a, b lateWrite) int { return a.due.Compare(b.due) })
	var out []Landing
	for _, l := range due {
		err := p.finish(l.change, l.seen, author{who: p.o.Account, when: now})
		out = append(out, Landing{Change: l.change, Err: err})
	}
	return out
}

// finish is the second half of a change: what is there now is compared with what was seen, where there
// are versions, and the change is written.
func (p *Platform) finish(c resource.Change, seen *object, by author) error {
	now := p.objects[c.Key()]
	if p.o.Versions && seen != nil && (now == nil || now.origin.Version != seen.origin.Version) {
		return vendors.ErrConflict
	}
	if err := p.write(c, by); err != nil {
		return err
	}
	p.counts.Writes++
	return nil
}

// sent is what becomes of a write on its way: done, done without an answer, or done later.
func (p *Platform) sent(c resource.Change, seen *object, by author) error {
	w := p.o.Weather
	if w.Lateness > 0 && w.strikes(w.Late) {
		in := time.Duration(1+w.Chance(int(w.Lateness/time.Second))) * time.Second
		p.late = append(p.late, lateWrite{c, seen, p.o.Now().Add(in)})
		return errTimeout
	}
	if err := p.finish(c, seen, by); err != nil {
		return err
	}
	if w.strikes(w.Lost) {
		return errLost
	}
	return nil
}

// Twin makes a second object of the same name, as platforms permit whose names are not unique. Until
// Untwin, drivers say nothing about the key and refuse to change it.
func (p *Platform) Twin(k resource.Key) {
	p.mu.Lock()
	p.twins[k]++
	p.mu.Unlock()
}

// Untwin removes the second object, and all others but one.
func (p *Platform) Untwin(k resource.Key) {
	p.mu.Lock()
	delete(p.twins, k)
	p.mu.Unlock()
}

// Twins returns the keys that several objects share, in order.
func (p *Platform) Twins() []resource.Key {
	p.mu.Lock()
	defer p.mu.Unlock()
	var out []resource.Key
	for k := range p.twins {
		out = append(out, k)
	}
	slices.SortFunc(out, resource.Key.Compare)
	return out
}

// hidden says why a key cannot be told about; empty if it can.
func (p *Platform) hidden(k resource.Key) string {
	if n := p.twins[k]; n > 0 {
		return fmt.Sprintf("%d objects have this name", n+1)
	}
	return p.unreadable[k]
}
