package reconciler

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/driftback/driftback/gitstore"
	"github.com/driftback/driftback/reconciler/files"
	"github.com/driftback/driftback/reconciler/report"
	"github.com/driftback/driftback/vendors/resource"
)

// An Event is something that happened to an environment, as Git tells it.
type Event struct {
	When time.Time `json:"when"`
	What string    `json:"what"` // one of those below
	Who  string    `json:"who,omitempty"`
	// Deployment is its id, Commit what of the tracked branch it deployed, Number its place among those that succeeded, the
	// newest being 1.
	Deployment string         `json:"deployment,omitempty"`
	Number     int            `json:"number,omitempty"`
	Commit     string         `json:"commit,omitempty"`
	Objects    []resource.Key `json:"objects"`
	Reason     string         `json:"reason,omitempty"`
}

// What an Event tells.
const (
	EventDeployed  = "deployed"
	EventUndone    = "undone"    // a deployment that failed
	EventHeld      = "held"      // objects that are not tried again
	EventAbandoned = "abandoned" // a deployment that was cut off and left as it stood
	EventEdited    = "edited"    // by hand, on the platform
)

// HistoryOptions say what of an environment's history is told. Environment and Kinds are required.
type HistoryOptions struct {
	Environment string
	Kinds       []resource.KindInfo
	Key         resource.Key // zero tells of all objects
	Limit       int          // most commits that are looked back over on each of the two branches; default 500
	Prefix      string       // of refs of ours; default driftback
	StateBranch bool         // as Config.StateBranch
}

// History tells deployments, undos, holds and edits by hand, newest first, from Git alone: from the history of the state ref and
// of the live branch. The store must have been synchronised.
func History(s *gitstore.Store, o HistoryOptions) ([]Event, error) {
	if o.Limit <= 0 {
		o.Limit = maxHistory
	}
	if o.Prefix == "" {
		o.Prefix = "driftback"
	}
	c := chronicle{s: s, o: o}
	r := newRefs(o.Prefix, o.StateBranch, o.Environment, "")
	if err := c.deployments(s.Refs()[r.state]); err != nil {
		return nil, fmt.Errorf("history of %s: %w", r.state, err)
	}
	if err := c.edits(s.Refs()[r.live]); err != nil {
		return nil, fmt.Errorf("history of %s: %w", r.live, err)
	}
	slices.SortStableFunc(c.events, func(a, b Event) int { return b.When.Compare(a.When) })
	return c.events, nil
}

type chronicle struct {
	s      *gitstore.Store
	o      HistoryOptions
	events []Event
	ours   []written
}

// written is what a deployment wrote, and when.
type written struct {
	begun, ended time.Time
	values       map[resource.Key][]resource.Hash
}

// walk yields the commits of a branch's own line, newest first, with their parents.
func (c *chronicle) walk(at gitstore.ID, yield func(c, parent gitstore.Commit) error) error {
	for n := 0; n < c.o.Limit && !at.IsZero(); n++ {
		commit, err := c.s.CommitAt(at)
		if err != nil {
			return err
		}
		at = gitstore.ID{}
		var parent gitstore.Commit
		if len(commit.Parents) > 0 {
			at = commit.Parents[0]
			if parent, err = c.s.CommitAt(at); err != nil {
				return err
			}
		}
		if err := yield(commit, parent); err != nil {
			return err
		}
	}
	return nil
}

// deployments reads the state ref: each outcome, with the journal as it stood before it.
func (c *chronicle) deployments(tip gitstore.ID) error {
	good := 0
	return c.walk(tip, func(commit, parent gitstore.Commit) error {
		subject, ours := strings.CutPrefix(firstLine(commit.Message), stateSubject)
		what := outcomeOf(subject)
		if !ours || what == "" {
			return nil
		}
		var j journal
		if err := c.read(parent.ID, deploymentFile, &j); err != nil {
			return err
		}
		w := written{begun: j.Started, ended: commit.Committer.When, values: map[resource.Key][]resource.Hash{}}
		e := Event{When: commit.Committer.When.UTC(), What: what, Deployment: j.ID, Commit: j.Commit.String(), Reason: j.Cause}
		for _, s := range j.Steps {
			for k, h := range map[resource.Key]resource.Hash{s.Before: s.From, s.After: s.To} {
				if !k.IsZero() {
					e.Objects = append(e.Objects, k)
					w.values[k] = append(w.values[k], h)
				}
			}
			if s.Before != s.After {
				w.values[s.Before] = append(w.values[s.Before], resource.Hash{})
			}
		}
		c.ours = append(c.ours, w)
		if what == EventDeployed {
			good++
			e.Number = good
		}
		c.add(e)
		if what != EventUndone {
			return nil
		}
		var d decisions
		if err := c.read(commit.ID, decisionsFile, &d); err != nil {
			return err
		}
		if h, ok := d.hold(j.ID); ok {
			c.add(Event{When: e.When, What: EventHeld, Deployment: j.ID, Commit: e.Commit, Objects: sortedResourceKeys(h.all()), Reason: h.Reason})
		}
		return nil
	})
}

// outcomeOf tells from the subject of a state commit how a deployment ended in it; empty where none did.
func outcomeOf(subject string) string {
	switch {
	case strings.HasSuffix(subject, " ends: success"):
		return EventDeployed
	case strings.HasSuffix(subject, " ends: failure"):
		return EventUndone
	case strings.HasSuffix(subject, " is left as it stands"):
		return EventAbandoned
	}
	return ""
}

// read decodes a JSON file of a state commit; one that is not there leaves v alone.
func (c *chronicle) read(commit gitstore.ID, name string, v any) error {
	if commit.IsZero() {
		return nil
	}
	f, ok, err := c.s.File(commit, name)
	if err != nil || !ok {
		return err
	}
	b, err := c.s.Blob(f.ID, maxStateFile)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(b, v); err != nil {
		return fmt.Errorf("%s at %.10s: %w", name, commit, err)
	}
	return nil
}

// edits reads the live branch. What a deployment wrote at that time is no edit by hand.
func (c *chronicle) edits(tip gitstore.ID) error {
	at := treeAt{layout: files.Layout{Kinds: c.o.Kinds}}
	if tip.IsZero() {
		return nil
	}
	if err := at.move(c.s, tip); err != nil {
		return err
	}
	return c.walk(tip, func(commit, parent gitstore.Commit) error {
		before := treeAt{layout: at.layout}
		if !parent.ID.IsZero() {
			var err error
			if before, err = at.at(c.s, parent.ID); err != nil {
				return err
			}
		}
		t := report.ParseTrailers(commit.Message)
		e := Event{When: commit.Committer.When.UTC(), What: EventEdited, Who: t.Who, Reason: t.AuditID}
		if e.Reason != "" {
			e.Reason = "audit " + e.Reason
		}
		if !t.When.IsZero() {
			e.When = t.When.UTC()
		}
		for k, h := range differing(before.snapshot(), before.snapshot(), at.snapshot()) {
			if !c.wrote(k, h.live, commit.Committer.When) {
				e.Objects = append(e.Objects, k)
			}
		}
		at = before
		if len(e.Objects) > 0 {
			c.add(e)
		}
		return nil
	})
}

// wrote reports whether a deployment that was under way then gave the object this value.
func (c *chronicle) wrote(k resource.Key, h resource.Hash, when time.Time) bool {
	return slices.ContainsFunc(c.ours, func(w written) bool {
		// Git keeps whole seconds.
		return !when.Before(w.begun.Truncate(time.Second)) && !when.After(w.ended.Add(time.Second)) && slices.Contains(w.values[k], h)
	})
}

// add keeps an event that concerns the object asked for.
func (c *chronicle) add(e Event) {
	slices.SortFunc(e.Objects, resource.Key.Compare)
	e.Objects = slices.Compact(e.Objects)
	if c.o.Key.IsZero() || slices.Contains(e.Objects, c.o.Key) {
		c.events = append(c.events, e)
	}
}

// Standing is what keeps an environment from being deployed to, as its state says.
type Standing struct {
	Halt      string // the reason; empty where it is not halted
	Suspended string // who suspended it, and why
	Holds     []Hold
}

// StandingOf reads the state of an environment from Git alone; of o, Kinds and Key do not matter. Lost says that the state is gone
// while the live branch exists. The store must have been synchronised.
func StandingOf(s *gitstore.Store, o HistoryOptions) (standing Standing, lost bool, err error) {
	if o.Prefix == "" {
		o.Prefix = "driftback"
	}
	r := newRefs(o.Prefix, o.StateBranch, o.Environment, "")
	tip := s.Refs()[r.state]
	if tip.IsZero() {
		return Standing{}, !s.Refs()[r.live].IsZero(), nil
	}
	var d decisions
	c := chronicle{s: s}
	if err := c.read(tip, decisionsFile, &d); err != nil {
		return Standing{}, false, fmt.Errorf("state of %s: %w", o.Environment, err)
	}
	out := Standing{Holds: d.Holds}
	if d.Halt != nil {
		out.Halt = d.Halt.Reason
	}
	if d.Suspended != nil {
		out.Suspended = orUnknown(d.Suspended.By) + ": " + d.Suspended.Reason
	}
	return out, false, nil
}
