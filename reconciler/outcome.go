package reconciler

import (
	"cmp"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/driftback/driftback/gitstore/forge"
	"github.com/driftback/driftback/reconciler/plan"
	"github.com/driftback/driftback/vendors/resource"
)

// A Report says what a pass found and did, for people and for metrics.
type Report struct {
	Environment string        `json:"environment"`
	Started     time.Time     `json:"started"`
	Took        time.Duration `json:"took"`
	Err         error         `json:"-"`
	Commit      string        `json:"commit,omitempty"` // head of the tracked branch that was decided on

	Observed   int `json:"observed"`             // objects on the platform
	Remembered int `json:"remembered,omitempty"` // changes committed to the live branch
	Drifted    int `json:"drifted"`              // objects that live and Git do not agree on because live moved, silenced ones included
	Conflicts  int `json:"conflicts"`
	Fights     int `json:"fights,omitempty"` // objects that are left alone because somebody else keeps changing them back

	// Operational are the fields that run otherwise than Git says, and are not deployed.
	Operational []Operational `json:"operational,omitempty"`

	Items       []Item       `json:"items,omitempty"`     // what the sides do not agree on after the pass
	Plan        plan.Plan    `json:"plan,omitzero"`       // what was, or would be, deployed
	PlanID      string       `json:"planId,omitempty"`    // names the plan, for an override of the guards
	Overrides   []string     `json:"overrides,omitempty"` // plans that wait for somebody to let them pass
	Held        []Trouble    `json:"held,omitempty"`      // what is not deployed, and why
	Unknown     []Trouble    `json:"unknown,omitempty"`
	Deployments []Deployment `json:"deployments,omitempty"`
	Pulls       []forge.Pull `json:"pulls,omitempty"` // open ones of ours
	Halt        *Halt        `json:"halt,omitempty"`
	Suspended   bool         `json:"suspended,omitempty"`
	// Window is the state of the environment's windows; nil where it has none.
	Window *WindowState `json:"window,omitempty"`
	// OldestDrift is when the oldest of the drifted values appeared; zero when nothing drifted.
	OldestDrift time.Time `json:"oldestDrift,omitzero"`
	// Again asks for another pass so much later than now; zero asks for none before the next regular one.
	Again time.Duration `json:"-"`
	// StandBack is set when another daemon holds the environment.
	StandBack bool `json:"standBack,omitempty"`

	want, live *resource.Snapshot
	schemas    map[resource.Kind]*resource.Schema
}

// A Trouble is an object, a file or a kind about which nothing is done, with the reason.
type Trouble struct {
	Key    resource.Key  `json:"key,omitzero"`
	Kind   resource.Kind `json:"kind,omitempty"`
	Path   string        `json:"path,omitempty"`
	Line   int           `json:"line,omitempty"`
	Column int           `json:"column,omitempty"`
	Gate   Gate          `json:"gate,omitempty"` // of what is held
	Plan   string        `json:"plan,omitempty"` // the name by which somebody may let it pass: one of the report's overrides
	Reason string        `json:"reason"`
}

// A Deployment is one that this pass carried out or finished.
type Deployment struct {
	ID      string  `json:"id"`
	Commit  string  `json:"commit"`
	Trigger Trigger `json:"trigger"`
	Changes int     `json:"changes"`
	Undone  bool    `json:"undone,omitempty"`
	Cause   string  `json:"cause,omitempty"`
	// NewIDs are the platform's ids of objects that undoing had to create anew, Left what it could not put back.
	NewIDs map[resource.Key]string `json:"newIds,omitempty"`
	Left   []resource.Key          `json:"left,omitempty"`
}

// finish fills in what is known at the end of a pass, however it ended.
func (r *Report) finish(p *pass, err error) {
	r.Environment, r.Started, r.Err = p.Name, p.start, err
	r.Took = p.r.c.Clock.Now().Sub(p.start)
	r.StandBack = errors.Is(err, ErrStandBack)
	r.Commit = p.head.String()
	r.schemas = p.schemas
	r.want, r.live = p.want.snapshot(), p.seen
	if p.st != nil {
		r.Halt = p.st.decisions.Halt
		r.Suspended = p.st.decisions.Suspended != nil
	}
	r.Unknown = append(r.Unknown, p.trouble...)
	if p.want.tree != nil {
		r.Unknown = append(r.Unknown, troublesOf(p.want.tree.Problems())...)
	}
	if p.seen != nil {
		unknown := p.seen.Scope().Unknown
		for _, k := range slices.SortedFunc(maps.Keys(unknown), resource.Key.Compare) {
			r.Unknown = append(r.Unknown, Trouble{Key: k, Kind: k.Kind, Reason: unknown[k]})
		}
		r.oldest(p.seen)
	}
}

func (r *Report) oldest(seen *resource.Snapshot) {
	for _, it := range r.Items {
		if it.Verdict != Record && it.Verdict != Conflict {
			continue
		}
		when := r.Started
		if e, ok := seen.Entry(it.Key); ok && e.Origin != nil && !e.Origin.When.IsZero() {
			when = e.Origin.When
		}
		if r.OldestDrift.IsZero() || when.Before(r.OldestDrift) {
			r.OldestDrift = when
		}
	}
}

// Want returns what Git says of an object, Live what the platform says; nil where it is not there.
func (r Report) Want(k resource.Key) (*resource.Resource, error) { return r.want.Resource(k) }

// Live is the counterpart of Want.
func (r Report) Live(k resource.Key) (*resource.Resource, error) { return r.live.Resource(k) }

// Schema returns the descriptor's fields of a kind.
func (r Report) Schema(k resource.Kind) *resource.Schema { return r.schemas[k] }

func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }

func isRefusal(err error) bool {
	return errors.Is(err, forge.ErrNotAllowed) || errors.Is(err, forge.ErrConflict) || errors.Is(err, forge.ErrMoved)
}
