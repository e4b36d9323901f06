package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/driftback/driftback/gitstore"
	"github.com/driftback/driftback/gitstore/forge"
	"github.com/driftback/driftback/gitstore/forge/github"
)

// pullsOfNobody asks for pull requests of a branch that is not there: whether they can be listed.
var pullsOfNobody = forge.Filter{Head: "driftback/" + probeName, State: forge.Open}

// probeName is the name below each prefix that a push is tried with. Nothing is ever made there.
const probeName = "driftback-doctor"

// examinePushes tries a push to each prefix of refs that driftback writes, and leaves no trace.
func (w *workspace) examinePushes(ctx context.Context, refs gitstore.Refs, x *examination) {
	var base gitstore.ID
	for _, name := range sortedKeys(w.config.Environments) {
		if id := refs["refs/heads/"+w.config.Environments[name].Branch]; !id.IsZero() {
			base = id
		}
	}
	if base.IsZero() {
		return // which was told already
	}
	prefixes := []string{"refs/heads/live/", "refs/heads/driftback/drift/", "refs/heads/driftback/revert/", w.config.statesPrefix(), "refs/notes/"}
	taken := []string{}
	for _, prefix := range prefixes {
		err := w.store.Probe(ctx, prefix+probeName, base)
		switch {
		case err == nil:
			taken = append(taken, prefix)
		case errors.Is(err, gitstore.ErrUntried):
			if w.config.Forge.GitHub != nil || isHTTP(w.config.Repository.URL) {
				x.note("pushes", "%v", err)
			}
			return
		case errors.Is(err, gitstore.ErrAuth):
			x.fail("pushes", fmt.Errorf("%w (does the token or key have write access? On GitHub: contents: write)", err))
			return
		case errors.Is(err, gitstore.ErrRefused):
			x.fail("pushes to "+prefix, fmt.Errorf("%w%s", err, w.advice(ctx, prefix)))
		default:
			x.fail("pushes to "+prefix, err)
		}
	}
	if len(taken) > 0 {
		x.ok("pushes", "would be taken below %s", strings.Join(taken, ", "))
	}
}

// advice says what helps against a rule.
func (w *workspace) advice(ctx context.Context, prefix string) string {
	var names []string
	if branch, ok := strings.CutPrefix(prefix, "refs/heads/"); ok && w.github != nil {
		rules, err := w.github.Rules(ctx, branch+probeName)
		for _, r := range rules {
			if err == nil && r.Stops() {
				names = append(names, r.String())
			}
		}
	}
	out := ". Let driftback's account bypass the rule, or take " + strings.TrimPrefix(prefix, "refs/heads/") + "** out of it"
	if len(names) > 0 {
		out = ". Rules: " + strings.Join(names, ", ") + out
	}
	return out
}

// examineGitHub looks at the account and its permissions.
func (w *workspace) examineGitHub(ctx context.Context, x *examination) {
	g := w.config.Forge.GitHub
	at, _ := w.config.slug()
	subject := "github " + at.owner + "/" + at.name
	account, err := w.github.Account(ctx)
	if err != nil {
		x.fail(subject, err)
		return
	}
	missing, err := w.github.Missing(ctx)
	switch {
	case err != nil:
		x.fail(subject, err)
		return
	case len(missing) > 0:
		for _, n := range missing {
			x.fail(subject, fmt.Errorf("the app lacks the permission %s, for %s", n, n.For))
		}
	case g.App == nil:
		x.note(subject, "signed in with the token of %s: commit statuses are set instead of check runs, and missed webhooks are not asked for again", account)
	default:
		x.ok(subject, "signed in as %s with every permission that there is a use for", account)
	}
	if _, err := w.github.Pulls(ctx, pullsOfNobody); err != nil {
		x.fail(subject, err)
	}
	if len(g.WebhookSecret) == 0 {
		x.note(subject, "no webhookSecret: deliveries to %s are refused, and pull requests are looked at by the clock alone", webhookPath)
	}
	for _, name := range sortedKeys(w.config.Environments) {
		w.examineRules(ctx, "live/"+name, x)
		w.examineRules(ctx, "driftback/drift/"+name, x)
	}
}

// examineRules tells what rules hold for a branch of driftback's own. Whether its account is exempt is not known.
func (w *workspace) examineRules(ctx context.Context, branch string, x *examination) {
	rules, err := w.github.Rules(ctx, branch)
	if err != nil {
		if !errors.Is(err, github.ErrPermission) {
			x.note("branch "+branch, "%v", err)
		}
		return
	}
	for _, r := range rules {
		if r.Stops() {
			x.note("branch "+branch, "a rule that can refuse pushes holds for it: %s; driftback's account must be exempt", r)
		}
	}
}
