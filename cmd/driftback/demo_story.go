package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/driftback/driftback/gitstore"
	"github.com/driftback/driftback/gitstore/forge"
	"github.com/driftback/driftback/reconciler"
)

// A story is the demo played through: what people do, what comes of it, and what proves it. Everything goes by the
// ways that people have: the administrator's pages, pull requests, commits.
type story struct {
	*demo
	out   io.Writer
	steps int

	queue, schedule string // ids in prod
	developer       forge.Pull
	before          picture // of prod, before the developer's change
}

const (
	administrator = "Nora Keller"
	developer     = "Luca Bernasconi"
	reviewer      = "Amelie Rochat"

	storyQueue    = "Claims Motor"
	storySchedule = "Sales weekdays"
)

// tell plays the story and returns the first step's error that did not hold.
func tell(ctx context.Context, d *demo, out io.Writer) error {
	s := &story{demo: d, out: out}
	began := time.Now()
	fmt.Fprintf(out, "%s, an insurer that does not exist, has three organisations on a simulated platform at %s.\nIts repository is %s; driftback keeps both in agreement.\n",
		d.company, d.base, d.url)
	for _, step := range []struct {
		title string
		play  func(context.Context) error
	}{
		{"What runs comes to Git", s.imports},
		{"A change by hand in production comes back as a pull request", s.byHand},
		{"A merged change is deployed, and verified", s.deploys},
		{"A change that the platform refuses is undone", s.refused},
		{"git revert is the way back", s.reverts},
	} {
		s.steps++
		fmt.Fprintf(out, "\n%d. %s\n", s.steps, step.title)
		if err := step.play(ctx); err != nil {
			fmt.Fprintf(out, "   NOT SO: %v\n", err)
			return fmt.Errorf("demo --story: step %d did not hold: %w", s.steps, err)
		}
	}
	fmt.Fprintf(out, "\nEvery step held, in %s.\n", time.Since(began).Round(time.Second))
	for _, env := range d.environments {
		fmt.Fprintf(out, "   %s was asked at most %d times in a minute; 300 are permitted\n", env, d.platform.Peak(d.orgs[env].ClientID()))
	}
	return nil
}

func (s *story) say(format string, args ...any)   { fmt.Fprintf(s.out, "   "+format+"\n", args...) }
func (s *story) prove(format string, args ...any) { fmt.Fprintf(s.out, "   ok: "+format+"\n", args...) }

// imports: each organisation's configuration is proposed and merged, and then nothing differs.
func (s *story) imports(ctx context.Context) error {
	for _, env := range s.environments {
		r, err := s.await(ctx, env, "the first import", func(r reconciler.Report) bool { return len(r.Pulls) > 0 || r.Observed > 0 && r.Drifted == 0 })
		if err != nil {
			return err
		}
		if len(r.Pulls) == 0 {
			s.say("%s: %d objects are in Git already", env, r.Observed)
			continue
		}
		pull, err := s.hosting.merge(ctx, reviewer, r.Pulls[0].Number)
		if err != nil {
			return err
		}
		s.say("%s: pull request #%d, %q, is merged by %s", env, pull.Number, pull.Title, reviewer)
	}
	return s.quiet(ctx)
}

// agreed waits for a pass, begun from now on, that finds no difference and leaves no pull request open.
func (s *story) agreed(ctx context.Context, env string) (reconciler.Report, error) {
	now := time.Now()
	return s.await(ctx, env, "agreement", func(r reconciler.Report) bool {
		return r.Started.After(now) && agrees(r)
	})
}

func agrees(r reconciler.Report) bool {
	return r.Err == nil && r.Observed > 0 && r.Drifted == 0 && r.Conflicts == 0 && len(r.Pulls) == 0 && len(r.Held) == 0
}

// quietPasses are how many passes must change nothing.
const quietPasses = 2

// quiet proves that passes that find agreement change nothing, neither in Git nor on the platform.
func (s *story) quiet(ctx context.Context) error {
	for _, env := range s.environments { // who has not looked at Git's newest commit yet notes that first
		if _, err := s.agreed(ctx, env); err != nil {
			return err
		}
	}
	refs, err := s.store.Sync(ctx)
	if err != nil {
		return err
	}
	writes, began := s.writes(), time.Now()
	for _, env := range s.environments {
		passed := 0
		if _, err := s.await(ctx, env, "passes without a difference", func(r reconciler.Report) bool {
			if !r.Started.Before(began) && agrees(r) {
				passed++
			}
			return passed >= quietPasses
		}); err != nil {
			return err
		}
	}
	after, err := s.store.Sync(ctx)
	if err != nil {
		return err
	}
	for name, id := range refs {
		if after[name] != id {
			return fmt.Errorf("a pass that found agreement moved %s", name)
		}
	}
	if n := s.writes() - writes; n != 0 || len(after) != len(refs) {
		return fmt.Errorf("passes that found agreement wrote to the platform %d times, and there are %d refs instead of %d", n, len(after), len(refs))
	}
	s.prove("%d passes over each organisation found no difference and wrote nothing, neither to Git nor to the platform", quietPasses)
	return nil
}

// byHand: a person changes a queue in the platform's own pages.
func (s *story) byHand(ctx context.Context) error {
	s.queue = s.orgs["prod"].Find("queue", storyQueue)
	const field, value = "acwSettings-timeoutMs", "90000"
	s.passes.forget()
	if err := s.edit(ctx, administrator, "prod", "queue", s.queue, field, value); err != nil {
		return err
	}
	s.say("%s signs in at %s, sets after-call work of queue %q to %s ms and saves", administrator, s.page("prod", "queue", s.queue), storyQueue, value)
	r, err := s.await(ctx, "prod", "a pull request", func(r reconciler.Report) bool { return len(r.Pulls) > 0 })
	if err != nil {
		return err
	}
	shown, err := s.hosting.show(ctx, r.Pulls[0].Number)
	if err != nil {
		return err
	}
	if !strings.Contains(shown.Body, administrator) {
		return fmt.Errorf("pull request #%d does not name %s: %s", shown.Number, administrator, shown.Body)
	}
	lines := changedLines(shown.Diff)
	if len(shown.Files) != 1 || len(lines) != 2 || !strings.Contains(lines[1], value) {
		return fmt.Errorf("pull request #%d proposes something else than the change: %s", shown.Number, shown.Diff)
	}
	s.prove("pull request #%d, %q, names %s and has the difference:", shown.Number, shown.Title, administrator)
	for _, l := range lines {
		s.say("    %s", l)
	}
	if _, err := s.hosting.merge(ctx, reviewer, shown.Number); err != nil {
		return err
	}
	s.say("%s merges it: the change is accepted", reviewer)
	if _, err := s.agreed(ctx, "prod"); err != nil {
		return err
	}
	if got, err := s.reads(ctx, "prod", "/api/v2/routing/queues/"+s.queue, "acwSettings", "timeoutMs"); err != nil || got != value {
		return errors.Join(err, fmt.Errorf("the platform says %s", got))
	}
	s.prove("the platform still has what %s wanted, and now Git has it too", administrator)
	return s.quiet(ctx)
}

// deploys: a developer's pull request is merged.
func (s *story) deploys(ctx context.Context) (err error) {
	s.schedule = s.orgs["prod"].Find("schedule", storySchedule)
	if s.before, err = s.picture(ctx); err != nil {
		return err
	}
	const value = "2026-01-05T20:00:00.000000"
	was, err := s.reads(ctx, "prod", "/api/v2/architect/schedules/"+s.schedule, "end")
	if err != nil {
		return err
	}
	s.passes.forget()
	s.developer, err = s.change(ctx, "longer-evenings", "Sales answers until eight", map[string][2]string{
		"schedule/" + storySchedule: {was, value},
		"queue/Sales New business":  {"Calls about new business", "Calls about new business, until eight"},
	})
	if err != nil {
		return err
	}
	if s.developer, err = s.hosting.merge(ctx, reviewer, s.developer.Number); err != nil {
		return err
	}
	s.say("%s merges it", reviewer)
	r, err := s.await(ctx, "prod", "a deployment", func(r reconciler.Report) bool { return len(r.Deployments) > 0 })
	if err != nil {
		return err
	}
	if d := r.Deployments[0]; d.Undone || d.Changes != 2 {
		return fmt.Errorf("deployment %s: %d changes, undone %v: %s", d.ID, d.Changes, d.Undone, d.Cause)
	}
	got, err := s.reads(ctx, "prod", "/api/v2/architect/schedules/"+s.schedule, "end")
	if err != nil || got != value {
		return errors.Join(err, fmt.Errorf("the platform says that %q ends at %s", storySchedule, got))
	}
	s.prove("read from the platform itself: schedule %q ends at %s, not at %s any more", storySchedule, got, was)
	if _, err := s.agreed(ctx, "prod"); err != nil {
		return err
	}
	return s.quiet(ctx)
}

// refused: a commit changes two objects, and the platform takes only one of the changes.
func (s *story) refused(ctx context.Context) error {
	before, err := s.picture(ctx)
	if err != nil {
		return err
	}
	writes := s.orgs["prod"].Writes()
	s.passes.forget()
	pull, err := s.change(ctx, "faster", "Less after-call work", map[string][2]string{
		"queue/Claims Household": {"Calls about household", "Calls about household and garden"},
		"queue/" + storyQueue:    {"timeoutMs: 90000", "timeoutMs: 9"},
	})
	if err != nil {
		return err
	}
	if _, err := s.hosting.merge(ctx, reviewer, pull.Number); err != nil {
		return err
	}
	s.say("%s merges it, and nobody knows yet that the platform wants at least 1000 ms", reviewer)
	r, err := s.await(ctx, "prod", "the refusal", func(r reconciler.Report) bool { return len(r.Deployments) > 0 })
	if err != nil {
		return err
	}
	d := r.Deployments[0]
	if !d.Undone || !strings.Contains(d.Cause, "1000") {
		return fmt.Errorf("deployment %s was not undone for what the platform said: %s", d.ID, d.Cause)
	}
	s.prove("the platform refused it: %s", printable(d.Cause))
	after, err := s.picture(ctx)
	if err != nil {
		return err
	}
	if after.platform != before.platform {
		return errors.New("the platform is not as it was before")
	}
	s.prove("what was written until then is undone (%d writes in all), and the platform is byte for byte as before", s.orgs["prod"].Writes()-writes)
	if r, err = s.await(ctx, "prod", "the refused change to be held", func(r reconciler.Report) bool { return len(r.Held) > 0 && len(r.Deployments) == 0 }); err != nil {
		return err
	}
	s.prove("it is not tried again: %s", troubleText(r.Held[0]))
	r, err = s.await(ctx, "prod", "the proposed revert", func(r reconciler.Report) bool { return revertOf(r) != nil })
	if err != nil {
		return err
	}
	revert := revertOf(r)
	s.prove("pull request #%d proposes the way back: %q", revert.Number, revert.Title)
	if _, err := s.hosting.merge(ctx, reviewer, revert.Number); err != nil {
		return err
	}
	s.say("%s merges it", reviewer)
	if _, err := s.agreed(ctx, "prod"); err != nil {
		return err
	}
	return s.quiet(ctx)
}

// revertOf is the open pull request that proposes a revert.
func revertOf(r reconciler.Report) *forge.Pull {
	for _, p := range r.Pulls {
		if strings.Contains(strings.ToLower(p.Title), "revert") {
			return &p
		}
	}
	return nil
}

// reverts: the developer's change is reverted in Git.
func (s *story) reverts(ctx context.Context) error {
	refs, err := s.store.Sync(ctx)
	if err != nil {
		return err
	}
	main := refs["refs/heads/main"]
	commit, err := gitstore.ParseID(s.developer.MergeCommit)
	if err != nil {
		return err
	}
	res, err := s.store.Revert(main, commit, 1)
	if err != nil || len(res.Conflicts) > 0 {
		return errors.Join(err, fmt.Errorf("%d conflicts", len(res.Conflicts)))
	}
	s.passes.forget()
	c, err := s.store.CommitTree(res.Tree, []gitstore.ID{main}, s.signature(developer), fmt.Sprintf("Revert %q\n\nThis reverts commit %s.\n", s.developer.Title, s.developer.MergeCommit))
	if err != nil {
		return err
	}
	if err := s.store.Push(ctx, gitstore.Update{Ref: "refs/heads/main", Old: main, New: c.ID}); err != nil {
		return err
	}
	s.say("%s reverts pull request #%d and pushes it (git revert -m 1 %.10s)", developer, s.developer.Number, s.developer.MergeCommit)
	r, err := s.await(ctx, "prod", "the deployment of the revert", func(r reconciler.Report) bool { return len(r.Deployments) > 0 })
	if err != nil {
		return err
	}
	if d := r.Deployments[0]; d.Undone {
		return fmt.Errorf("deployment %s was undone: %s", d.ID, d.Cause)
	}
	if _, err := s.agreed(ctx, "prod"); err != nil {
		return err
	}
	after, err := s.picture(ctx)
	if err != nil {
		return err
	}
	switch {
	case after.git != s.before.git:
		return fmt.Errorf("prod in Git is the tree %s, and was %s", after.git, s.before.git)
	case after.live != s.before.live:
		return fmt.Errorf("prod as observed is the tree %s, and was %s", after.live, s.before.live)
	case after.platform != s.before.platform:
		return errors.New("the platform's answers are not as they were")
	}
	s.prove("prod in Git is byte for byte as before the change (tree %.10s), and so is what is observed (tree %.10s)", after.git, after.live)
	s.prove("what the platform answers of %d objects is byte for byte as before, but for versions and dates", after.objects)
	return s.quiet(ctx)
}
