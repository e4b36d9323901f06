package reconciler

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/driftback/driftback/gitstore"
	"github.com/driftback/driftback/gitstore/forge"
	"github.com/driftback/driftback/vendors/resource"
)

// Announce says what pull requests are told of an environment. The zero value plans those of the repository itself.
type Announce struct {
	// Off tells them nothing, and hears no commands.
	Off bool
	// Forks plans pull requests from other repositories too. Commands on them are not heard.
	Forks bool
	// Untouched gives the status of the plan also to pull requests that change nothing of the environment, and to those of
	// driftback, for branch protection that requires it.
	Untouched bool
	// Teams may ask for a command, by its name (drift accept, drift, apply, …) or * for those not named. Without any,
	// everybody who may write to the repository.
	Teams map[string][]string
}

// told is what a pull request was told of this environment. What is said again only when it is something else is kept
// as a hash.
type told struct {
	Branch string      `json:"branch"`
	Fork   bool        `json:"fork,omitempty"` // the branch is another repository's
	Head   gitstore.ID `json:"head"`           // that the statuses stand on
	// Plan, Check, Radar and RadarCheck are hashes of comments and statuses; empty where nothing was said.
	Plan       string `json:"plan,omitempty"`
	Check      string `json:"check,omitempty"`
	Radar      string `json:"radar,omitempty"`
	RadarCheck string `json:"radarCheck,omitempty"`
	// Touches are objects that it changes and that drifted, sorted: the pull request of the drift tells of it.
	Touches []resource.Key `json:"touches,omitempty"`
	// PlanID is the plan that was shown last.
	PlanID string `json:"planId,omitempty"`

	// Merged is the commit by which it came in, Keys what Git wanted then of the objects that it changed.
	Merged gitstore.ID                    `json:"merged,omitzero"`
	Keys   map[resource.Key]resource.Hash `json:"keys,omitempty"`
	Result string                         `json:"result,omitempty"` // hash of the last comment on the outcome
	Failed bool                           `json:"failed,omitempty"` // that comment says that it failed
}

// maxPreviews bounds how many pull requests one pass plans anew; the others follow in the next.
const maxPreviews = 100

// announce tells pull requests, commits and the forge's deployments what they have not been told yet. It is a courtesy: what
// the forge refuses is tried again with the next pass and delays nothing. It reports whether there is something to be done at
// once: people asked for it, or a pull request of ours is to name others.
func (p *pass) announce(ctx context.Context, d Decision) (asked bool, err error) {
	if p.dry {
		return false, nil
	}
	if p.Announce.Off {
		return false, nil
	}
	open, err := p.r.c.Forge.Pulls(forge.Recent(ctx), forge.Filter{State: forge.Open, Base: p.Branch})
	if err != nil {
		return false, p.later(ctx, "list pull requests", 0, err)
	}
	slices.Reverse(open) // oldest first
	theirs := slices.DeleteFunc(slices.Clone(open), p.ours)
	if err := p.fetchHeads(ctx, theirs); err != nil {
		return false, err
	}
	p.wakeForOverride()
	p.forgetChecks()
	p.othersNew = false
	for _, step := range []func() error{
		func() error { return p.announceDeployments(ctx) },
		func() error { return p.findMerges(ctx) },
		func() error { return p.announceMerges(ctx, open, d) },
		func() error { return p.announceTheirs(ctx, open) },
		func() error { return p.announcePlans(ctx, theirs, d) },
		func() error { return p.checkOurs(ctx, open) },
		func() error { asked, err = p.takeCommands(ctx, open); return err },
		func() error { return p.giveAnswers(ctx) },
	} {
		if err := step(); err != nil {
			return false, err
		}
	}
	return asked || p.othersNew, nil
}

// later notes that something could not be said; it is said with a later pass. The error is one that ends the pass: ctx is
// done, or somebody else holds the environment.
func (p *pass) later(ctx context.Context, what string, pull int, err error) error {
	if ctx.Err() != nil {
		return err
	}
	p.log.Warn("announce: it is tried again with the next pass", "what", what, "pull", pull, "error", err)
	return nil
}

// say does one thing on the forge, with the claim that every effect needs. What the forge refuses is no error; done says whether it was done.
func (p *pass) say(ctx context.Context, what string, pull int, do func() error) (done bool, err error) {
	if err := p.effect(ctx); err != nil {
		return false, err
	}
	err = do()
	if errors.Is(err, forge.ErrNotFound) {
		p.log.Debug("announce: it is gone", "what", what, "pull", pull)
		return true, nil // there is nobody left to be told
	}
	if err != nil {
		return false, p.later(ctx, what, pull, err)
	}
	return true, nil
}

// ours reports whether a pull request was made by us.
func (p *pass) ours(pull forge.Pull) bool {
	return !pull.Fork && strings.HasPrefix(pull.Head, p.r.c.Prefix+"/")
}

// fetchHeads brings the heads of pull requests that no branch here has: those of forks. It is one fetch.
func (p *pass) fetchHeads(ctx context.Context, pulls []forge.Pull) error {
	var refs []string
	missing := false
	for _, pull := range pulls {
		if !pull.Fork || !p.Announce.Forks || pull.HeadRef == "" {
			continue
		}
		refs = append(refs, pull.HeadRef)
		if id, err := gitstore.ParseID(pull.HeadID); err == nil {
			_, err = p.store.CommitAt(id)
			missing = missing || errors.Is(err, gitstore.ErrMissing)
		}
	}
	p.store.Follow(p.Name, refs)
	if !missing {
		return nil
	}
	if _, err := p.store.Sync(ctx); err != nil {
		return fmt.Errorf("fetch the heads of pull requests: %w", err)
	}
	return nil
}

// announcePlans plans the pull requests for which something moved, and says what came out differently.
func (p *pass) announcePlans(ctx context.Context, pulls []forge.Pull, d Decision) error {
	if p.previewed == nil {
		p.previewed = map[int]previewed{}
	}
	drift := slices.DeleteFunc(slices.Clone(d.Items), func(it Item) bool { return it.Verdict != Record && it.Verdict != Conflict && it.Verdict != Merge })
	seen, planned := map[int]bool{}, 0
	for _, pull := range pulls {
		if pull.Fork && !p.Announce.Forks {
			continue
		}
		seen[pull.Number] = true
		inputs := p.inputs(pull)
		if p.previewed[pull.Number].inputs == inputs {
			continue
		}
		if planned++; planned > maxPreviews {
			p.report.Again = time.Second
			break
		}
		v, err := p.preview(pull)
		if err != nil {
			if err := p.later(ctx, "plan", pull.Number, err); err != nil {
				return err
			}
			v = &preview{pull: pull, touches: true, paths: map[string]bool{}}
			v.text.Environment, v.text.Incomplete = p.Name, "it could not be made, and is tried again"
			inputs = ""
		}
		said, err := p.tellPlan(ctx, v, drift)
		if err != nil {
			return err
		}
		if said {
			p.previewed[pull.Number] = previewed{inputs: inputs, keys: v.keys, touches: v.touches}
		}
	}
	if planned <= maxPreviews {
		maps.DeleteFunc(p.previewed, func(n int, _ previewed) bool { return !seen[n] })
	}
	return nil
}

// previewed is what is remembered, in this process, of the last preview of a pull request.
type previewed struct {
	inputs  string
	touches bool
	keys    map[resource.Key]resource.Hash
}

// inputs names all that a preview rests on.
func (p *pass) inputs(pull forge.Pull) string {
	h := sha256.New()
	fmt.Fprintf(h, "%s %s %s %s %s %s\n", pull.HeadID, p.head, p.live.commit, p.base.commit, p.Mode, marshal(p.st.decisions))
	unknown := p.seen.Scope().Unknown
	for _, k := range sortedResourceKeys(unknown) {
		fmt.Fprintf(h, "%q\n", k.String())
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// digest names a text that was said.
func digest(parts ...string) string {
	h := sha256.New()
	for _, s := range parts {
		fmt.Fprintf(h, "%d %s\n", len(s), s)
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}

// setTold notes what a pull request was told; the zero told forgets it.
func (p *pass) setTold(n int, t told) {
	if p.st.seen.Told == nil {
		p.st.seen.Told = map[int]told{}
	}
	p.st.seen.Told[n] = t
}

// tellPlan says what a preview came to, where it is news. It reports whether all of it was said.
func (p *pass) tellPlan(ctx context.Context, v *preview, drift []Item) (bool, error) {
	n := v.pull.Number
	t, known := p.st.seen.Told[n]
	if !v.touches && !known && !p.Announce.Untouched {
		return true, nil
	}
	head, err := gitstore.ParseID(v.pull.HeadID)
	if err != nil {
		return true, nil
	}
	if t.Branch, t.Fork = v.pull.Head, v.pull.Fork; t.Head != head {
		t.Head, t.Check, t.RadarCheck = head, "", ""
	}
	t.PlanID = v.planID
	if touches := v.touching(drift); v.merged != nil && !slices.Equal(t.Touches, touches) {
		p.othersNew = p.othersNew || p.proposes(t.Touches) || p.proposes(touches)
		t.Touches = touches
	}
	radar, err := p.radar(v, drift)
	if err != nil {
		return false, p.later(ctx, "radar", n, err)
	}
	all := true
	for _, part := range []announcement{p.planAnnouncement(v, &t), p.radarAnnouncement(v, radar, &t)} {
		done, err := p.tell(ctx, n, head, part)
		if err != nil {
			return false, err
		}
		all = all && done
	}
	p.setTold(n, t)
	return all, nil
}

// An announcement is a sticky comment with a status beside it.
type announcement struct {
	key         string
	body        string
	status      forge.Status
	said, check *string // the hashes of what was said before
	silent      bool    // there is nothing to say, and nothing was said that would have to be taken back
}

func (p *pass) planAnnouncement(v *preview, t *told) announcement {
	a := announcement{key: "plan/" + p.Name, said: &t.Plan, check: &t.Check}
	a.status = forge.Status{Context: p.planContext(), State: v.text.State(), Description: v.text.Title(), Title: v.text.Title(), Annotations: v.remarks}
	if !v.touches {
		a.status = forge.Status{Context: p.planContext(), State: "success", Description: "changes nothing here"}
		return a
	}
	if w, ok := p.st.decisions.Waits[v.pull.Number]; ok {
		a.status.State, a.status.Description = "failure", "held by "+orUnknown(w.By)
		a.status.Title = a.status.Description
		v.text.Notes = append(v.text.Notes, w.because())
	}
	a.body = p.conceal(v.text.Body(maxBody))
	a.status.Summary = a.body
	return a
}

func (p *pass) planContext() string { return "driftback/plan (" + p.Name + ")" }

// tell says an announcement, as far as it is news.
func (p *pass) tell(ctx context.Context, n int, head gitstore.ID, a announcement) (bool, error) {
	if a.silent {
		return true, nil
	}
	all := true
	body := digest(a.body)
	if *a.said != body && (a.body != "" || *a.said != "") {
		done, err := p.say(ctx, a.key, n, func() error { return p.r.c.Forge.EnsureComment(ctx, n, a.key, a.body) })
		if err != nil {
			return false, err
		}
		if all = done; done {
			if *a.said = body; a.body == "" {
				*a.said = ""
			}
		}
	}
	status := digest(string(marshal(a.status)))
	if *a.check == status {
		return all, nil
	}
	done, err := p.say(ctx, a.status.Context, n, func() error { return p.r.c.Forge.SetStatus(ctx, head.String(), a.status) })
	if err != nil {
		return false, err
	}
	if done {
		*a.check = status
	}
	return all && done, nil
}
