package reconciler

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/driftback/driftback/gitstore"
	"github.com/driftback/driftback/reconciler/files"
	"github.com/driftback/driftback/reconciler/rules"
	"github.com/driftback/driftback/vendors/resource"
)

// ErrStandBack says that another daemon holds the environment.
var ErrStandBack = errors.New("another driftback holds this environment")

// ErrHalted says that the environment waits for somebody to resume it.
var ErrHalted = errors.New("halted")

// pass is one run of Once over one environment. Its state is a copy of the
// environment's, so that a pass that fails half-way leaves the environment as it
// was in memory; what reached Git and the platform is found again by reading.
type pass struct {
	*environment
	store *gitstore.Store
	start time.Time
	dry   bool // look, and change nothing anywhere

	git      gitstore.Refs
	head     gitstore.ID // of the tracked branch
	decided  gitstore.ID // the head that passes before this one decided on; zero where there was none, or it is the same
	st       *state      // working copy; written by push
	rules    rules.Rules
	badRules error                        // why the rules cannot be read
	baseUp   resource.Overlay             // what base is to become, beyond what the state ref says
	cameIn   map[resource.Key]gitstore.ID // where pull requests came in that moved base of objects

	refusedTo map[string]bool // who was told in this pass that a command is not permitted

	seen       *resource.Snapshot // what was observed, without what is withheld or unsettled
	withheld   map[resource.Key]string
	unkept     resource.Overlay                    // what was observed and Git does not get: it is not in seen
	letPass    []string                            // what somebody's override lets pass of this plan
	running    resource.Overlay                    // what runs otherwise than it is stored, as of before this pass's deployment; nil is what does not run
	unready    error                               // why nothing may be activated yet in this pass
	activated  bool                                // what is stored was made to run in this pass
	asWas      map[resource.Key]*resource.Resource // what is proposed of objects of which only ignored fields changed since
	trouble    []Trouble                           // what could not be read
	remembered int                                 // changes in the live branch's pending commits
	pending    []gitstore.Update                   // moves of refs that travel with the next push, which is before the next effect
	idsNew     bool                                // the map of ids learnt something in this pass
	claiming   time.Time                           // when the claim in the working state was made, until it is pushed

	// wereOpen are the branches of our pull requests that the forge listed as open when this pass began.
	wereOpen map[string]bool
	// mergedNow are the branches of our pull requests that were merged in this pass because people accepted what they propose; false
	// where that is to be asked for again, as the forge does not know their head yet.
	mergedNow map[string]bool

	// othersNew says that a pull request of ours is to name others of people than it does.
	othersNew bool

	report Report
}

// Once makes one pass over an environment: the eight steps of the design. It may be
// repeated, and cut off at any instruction. Errors are those of the surroundings; what
// the configuration makes impossible is in the report.
func (r *Reconciler) Once(ctx context.Context, env string) (Report, error) {
	e, ok := r.envs[env]
	if !ok {
		return Report{}, fmt.Errorf("environment %s: not configured", env)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	p := &pass{environment: e, store: r.c.Store, start: r.c.Clock.Now()}
	err := p.run(ctx)
	if err == nil && !e.cached {
		e.saveCaches()
	}
	p.report.finish(p, err)
	if r.c.OnReport != nil {
		r.c.OnReport(p.report)
	}
	return p.report, err
}

// Look is a pass that changes nothing: it reads both sides and tells what Once would do.
func (r *Reconciler) Look(ctx context.Context, env string) (Report, error) {
	e, ok := r.envs[env]
	if !ok {
		return Report{}, fmt.Errorf("environment %s: not configured", env)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	p := &pass{environment: e, store: r.c.Store, start: r.c.Clock.Now(), dry: true}
	err := p.run(ctx)
	p.report.finish(p, err)
	return p.report, err
}

func (p *pass) run(ctx context.Context) error {
	if err := p.sync(ctx); err != nil {
		return err
	}
	if p.halted("state") {
		return p.haltError() // without a state there is nothing to stand on
	}
	if err := p.observe(ctx); err != nil {
		return err
	}
	if p.halted("tenant") {
		return p.stop(ctx) // what was seen belongs to somebody else
	}
	if err := p.noteDescriptors(); err != nil {
		return err
	}
	if err := p.remember(ctx); err != nil {
		return err
	}
	if p.st.decisions.Halt != nil {
		return p.stop(ctx)
	}
	if p.badRules != nil {
		// What is to be ignored and protected is not known: what was seen is kept, and nothing else happens.
		return errors.Join(p.badRules, p.flush(ctx))
	}
	if p.st.journal.Phase != phaseIdle && !p.dry {
		finish := p.resume
		if p.Mode == Observe {
			finish = p.abandon
		}
		if err := finish(ctx); err != nil {
			return err
		}
	}
	return p.settle(ctx)
}

// settle is the second half of a pass: with both sides known, decide, deploy, propose and announce. What people asked for in
// comments, and what announcing found out, is done at once, by doing all of it once more.
func (p *pass) settle(ctx context.Context) error {
	if p.Announce.Off {
		p.st.seen.Looked = p.head // should it be on one day, what was merged before is no news
	}
	trouble := slices.Clone(p.trouble)
	for round := 1; ; round++ {
		asked, err := p.decideAndDo(ctx)
		if err != nil {
			return err
		}
		if !asked {
			return p.flush(ctx)
		}
		if round > 1 {
			p.report.Again = 1
			return p.flush(ctx)
		}
		p.trouble, p.report.Pulls = trouble, nil
	}
}

// decideAndDo is one round of settle. It reports whether people asked for something meanwhile.
func (p *pass) decideAndDo(ctx context.Context) (asked bool, err error) {
	if err := p.moveBase(ctx); err != nil {
		return false, err
	}
	d, err := p.decide()
	if err != nil {
		return false, err
	}
	g, err := p.gate(d)
	if err != nil {
		return false, err
	}
	if g, err = p.gateRunning(ctx, g); err != nil {
		return false, err
	}
	if len(g.plan.Steps) > 0 && !p.dry {
		if err := p.deploy(ctx, g, d); err != nil {
			return false, err
		}
		if d, err = p.decide(); err != nil {
			return false, err
		}
	}
	p.report.Items = d.Items
	p.noteRest(d)
	if err := p.noteOperational(); err != nil {
		return false, err
	}
	if err := p.propose(ctx, d); err != nil {
		return false, err
	}
	if err := p.proposeReverts(ctx); err != nil {
		return false, err
	}
	return p.announce(ctx, d)
}

// stop ends the pass of a halted environment: the halt is written down, nothing else happens.
func (p *pass) stop(ctx context.Context) error {
	if err := p.flush(ctx); err != nil {
		return err
	}
	return p.haltError()
}

func (p *pass) haltError() error {
	return fmt.Errorf("%w: %s", ErrHalted, p.st.decisions.Halt.Reason)
}

func (p *pass) halted(cause string) bool {
	return p.st.decisions.Halt != nil && p.st.decisions.Halt.Cause == cause
}

// sync fetches, and loads what Git says: want, base, decisions and journal.
func (p *pass) sync(ctx context.Context) error {
	var err error
	if p.git, err = p.store.Sync(ctx); err != nil {
		return fmt.Errorf("sync: %w", err)
	}
	if p.head = p.git[p.refs.tracked]; p.head.IsZero() {
		return fmt.Errorf("sync: the repository has no branch %s: push a first commit to it (an empty one will do: git commit --allow-empty)", p.Branch)
	}
	if err := p.loadState(); err != nil {
		return fmt.Errorf("sync: %w", err)
	}
	for _, t := range []struct {
		tree *treeAt
		to   gitstore.ID
	}{{&p.want, p.head}, {&p.base, p.st.tip}, {&p.live, p.git[p.refs.live]}} {
		if err := t.tree.move(p.store, t.to); err != nil {
			return fmt.Errorf("sync: read %s: %w", t.to, err)
		}
	}
	p.badRules = p.loadRules()
	p.baseUp = resource.Overlay{}
	return p.checkGit()
}

// loadState reads the state ref, or begins a new state where there never was one.
func (p *pass) loadState() error {
	tip := p.git[p.refs.state]
	if tip.IsZero() {
		p.st = newState()
		p.environment.state = nil
		if !p.git[p.refs.live].IsZero() {
			p.halt(Halt{Cause: "state", Reason: fmt.Sprintf("%s is gone while %s exists: this is damage, not a first start; `driftback init %s --rebuild` takes base from both histories", p.refs.state, p.refs.live, p.Name)})
		}
		return nil
	}
	if p.environment.state == nil || p.environment.state.tip != tip {
		s, err := p.readState(tip)
		if err != nil {
			return err
		}
		p.environment.state = s
	}
	p.st = p.environment.state.clone()
	p.st.decisions.Halt = nil // found again below if its cause is still there
	if p.st.journal.Owner != p.r.c.Owner {
		p.claimed = time.Time{}
	}
	return nil
}

func (p *pass) readState(tip gitstore.ID) (*state, error) {
	c, err := p.store.CommitAt(tip)
	if err != nil {
		return nil, err
	}
	if !isStateCommit(c) {
		return nil, fmt.Errorf("%w: %s: its tip %.10s was not written by driftback (%q): put the ref back to the state commit before it (git log %[2]s), or delete the ref and run `driftback init %[5]s --rebuild`", ErrHalted, p.refs.state, tip, firstLine(c.Message), p.Name)
	}
	jsons := map[string][]byte{}
	for _, prefix := range []string{seenFile, idsFile, decisionsFile, deploymentFile, requestsDir} {
		if err := p.store.Files(tip, prefix, func(f gitstore.File) error {
			if path.Ext(f.Path) != ".json" {
				return nil
			}
			b, err := p.store.Blob(f.ID, maxStateFile)
			jsons[f.Path] = b
			return err
		}); err != nil {
			return nil, err
		}
	}
	return parseState(tip, jsons)
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}

// rulesFile holds the content rules that reviewers own. It is read from the tracked branch only.
const rulesFile = "driftback.rules.yaml"

// loadRules reads it. Operational fields are left alone with and without one.
func (p *pass) loadRules() error {
	var err error
	if p.rules, err = (rules.Rules{}).WithSchemas(p.schemas).WithOperational(p.kinds); err != nil {
		return err
	}
	f, ok, err := p.store.File(p.head, path.Join(p.Path, rulesFile))
	if err != nil || !ok {
		return err
	}
	b, err := p.store.Blob(f.ID, 1<<20)
	var found rules.Rules
	if err == nil {
		found, err = rules.Parse(b)
	}
	if err == nil {
		p.rules, err = found.WithSchemas(p.schemas).WithOperational(p.kinds)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", rulesFile, err)
	}
	return nil
}

// checkGit notices what must not go on without somebody's word: rewritten history, another branch or folder.
func (p *pass) checkGit() error {
	s := &p.st.seen
	if s.Branch != "" && (s.Branch != p.Branch || s.Path != p.Path) {
		at := p.Branch + ":" + p.Path
		p.halt(Halt{Cause: "branch", Detail: at, Reason: fmt.Sprintf("this environment followed branch %s, folder %q until now and is configured for branch %s, folder %q: `driftback resume %s` accepts that", s.Branch, s.Path, p.Branch, p.Path, p.Name)})
		return nil
	}
	if !s.Head.IsZero() && s.Head != p.head {
		ok, err := p.store.IsAncestor(s.Head, p.head)
		if err != nil && !errors.Is(err, gitstore.ErrMissing) {
			return fmt.Errorf("sync: %w", err)
		}
		if !ok {
			p.halt(Halt{Cause: "rewritten", Detail: p.head.String(), Reason: fmt.Sprintf("%s was rewritten: %.10s does not descend from %.10s, the last commit decided on; `driftback resume %s` accepts it", p.Branch, p.head, s.Head, p.Name)})
		}
	}
	return nil
}

// halt stops the environment for the rest of this pass and the next ones, unless a
// resume has named exactly this.
func (p *pass) halt(h Halt) {
	for _, name := range sortedKeys(p.st.requests) {
		if req := p.st.requests[name]; req.Do == DoResume && req.Detail == h.Detail && h.Detail != "" {
			return
		}
	}
	p.st.decisions.Halt = &h
}

// snapshotOf returns the resources of a tree; a tree of no commit is empty and covers nothing.
func (t *treeAt) snapshot() *resource.Snapshot {
	if t.tree == nil {
		return nil
	}
	return t.tree.Snapshot()
}

// problems of the tracked branch's files, as troubles.
func troublesOf(ps []files.Problem) []Trouble {
	var out []Trouble
	for _, p := range ps {
		out = append(out, Trouble{Key: p.Key, Kind: p.Kind, Path: p.Path, Line: p.Line, Column: p.Column, Reason: p.Err.Error()})
	}
	return out
}
