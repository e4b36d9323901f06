package reconciler

import (
	"fmt"
	"time"

	"github.com/driftback/driftback/reconciler/plan"
)

// A WindowState is whether an environment with windows may be deployed to.
type WindowState struct {
	Open bool `json:"open"`
	// Change is when that changes; zero where that is not known.
	Change time.Time `json:"change,omitzero"`
}

func (w *WindowState) closed() bool { return w != nil && !w.Open }

// window is the state of the environment's windows; nil where it has none.
func (p *pass) window() *WindowState {
	if len(p.Windows) == 0 {
		return nil
	}
	open, change := p.Windows.At(p.start)
	return &WindowState{Open: open, Change: change.UTC()}
}

// outsideWindows holds a plan until the next window opens, and asks for a pass then. What began in a window is carried out, and what
// failed is undone, whatever the clock says meanwhile.
func (p *pass) outsideWindows(pl plan.Plan) {
	why := "outside the deployment windows"
	if at := p.report.Window.Change; !at.IsZero() {
		why += "; the next one opens on " + at.Format("2006-01-02 15:04 UTC")
		p.wakeAt(at)
	}
	p.report.Overrides = append(p.report.Overrides, p.report.PlanID)
	for _, s := range pl.Steps {
		p.waits(s.Object, GateWindow, fmt.Sprintf("%s. `driftback resume %s --plan %s` lets exactly this plan pass", why, p.Name, p.report.PlanID), p.report.PlanID)
	}
}

// wakeAt asks for a pass at a time, unless one is asked for before.
func (p *pass) wakeAt(at time.Time) {
	if d := max(at.Sub(p.r.c.Clock.Now()), time.Millisecond); p.report.Again == 0 || d < p.report.Again {
		p.report.Again = d
	}
}
