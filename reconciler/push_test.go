package reconciler

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A claim's age is measured by the clock that shows more of it: promise 5 must hold on a machine that slept, and
// on one whose clock was set.
func TestClaimAgesByTheSlowestClock(t *testing.T) {
	t.Parallel()
	const claimFor, request = time.Minute, 15 * time.Second
	now := time.Now()
	for name, c := range map[string]struct {
		later time.Time
		holds bool
	}{
		"both clocks, within":                     {now.Add(44 * time.Second), true},
		"both clocks, beyond":                     {now.Add(45 * time.Second), false},
		"the machine slept for an hour":           {now.Round(0).Add(time.Hour), false},
		"the wall clock was set back by an hour":  {now.Round(0).Add(-time.Hour), true},
		"the wall clock was set forth by an hour": {now.Round(0).Add(time.Hour), false},
	} {
		r := &Reconciler{c: Config{ClaimFor: claimFor, RequestTimeout: request, Owner: "me"}}
		p := &pass{environment: &environment{r: r, claimed: now}, st: newState()}
		p.st.journal.Owner = "me"
		require.Equal(t, c.holds, p.holds(c.later), name)
	}
}

// fixed is a clock that stands still.
type fixed time.Time

func (f fixed) Now() time.Time                           { return time.Time(f) }
func (fixed) Sleep(context.Context, time.Duration) error { return nil }

func TestAClaimEndsAfterAMargin(t *testing.T) {
	t.Parallel()
	deadline := time.Date(2026, 5, 4, 9, 0, 0, 0, time.UTC)
	for after, mine := range map[time.Duration]bool{0: false, claimMargin - 1: false, claimMargin: true} {
		r := &Reconciler{c: Config{ClaimFor: time.Minute, RequestTimeout: time.Second, Owner: "me", Clock: fixed(deadline.Add(after))}}
		p := &pass{environment: &environment{r: r}, st: newState()}
		p.st.journal.Owner, p.st.journal.Deadline = "somebody", deadline
		if err := p.claim(); mine {
			require.NoError(t, err, "%s after the deadline", after)
			require.Equal(t, "me", p.st.journal.Owner)
		} else {
			require.ErrorIs(t, err, ErrStandBack, "%s after the deadline", after)
		}
	}
}
