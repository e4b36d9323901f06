package reconciler

import (
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
