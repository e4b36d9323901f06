package reconciler

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/driftback/driftback/gitstore"
	"github.com/driftback/driftback/gitstore/forge"
	"github.com/driftback/driftback/reconciler/command"
	"github.com/driftback/driftback/reconciler/report"
	"github.com/driftback/driftback/vendors/resource"
)

// origin is the comment in which somebody asked for something. It is answered in place.
type origin struct {
	ID   string `json:"id"`
	Pull int    `json:"pull"`
	// Shared is set where other environments answer the same command: each of them in a comment of its own.
	Shared bool `json:"shared,omitempty"`
}

// A reply is an answer that is still to be given.
type reply struct {
	To       origin `json:"to"`
	Reaction string `json:"reaction,omitempty"`
	Body     string `json:"body,omitempty"`
	// Accepted are the objects that were asked to be accepted: the answer says how far that came.
	Accepted map[resource.Key]resource.Hash `json:"accepted,omitempty"`
}

// maxReplies bounds how many answers wait; those after them are not given.
const maxReplies = 500

// A wait keeps what a pull request changes from being deployed.
type wait struct {
	By     string    `json:"by,omitempty"`
	Reason string    `json:"reason,omitempty"`
	At     time.Time `json:"at,omitzero"`
	// Keys are the objects, with what Git wants of them; empty until it is merged.
	Keys map[resource.Key]resource.Hash `json:"keys,omitempty"`
}

func (w wait) because() string {
	out := "held by " + orUnknown(w.By)
	if w.Reason != "" {
		out += ": " + w.Reason
	}
	return out
}

// A cursor is a place in the commands that was reached from another one without finding any.
type cursor struct{ from, to string }

// takeCommands makes requests of what people asked for in comments, in the working state: they are carried out by the same
// functions as those of the command line, at once or by whoever makes the next pass. It reports whether there are any.
func (p *pass) takeCommands(ctx context.Context, open []forge.Pull) (asked bool, err error) {
	since := p.st.seen.Cursor
	if p.cursor.from == since && p.cursor.to != "" {
		since = p.cursor.to
	}
	ctx = forge.Recent(ctx)
	commands, next, err := p.r.c.Forge.Commands(ctx, since)
	if errors.Is(err, forge.ErrInvalid) && since != "" { // of another forge, or of one begun anew
		commands, next, err = p.r.c.Forge.Commands(ctx, "")
	}
	if err != nil {
		return false, p.later(ctx, "commands", 0, err)
	}
	if len(commands) == 0 {
		if p.st.seen.Cursor == "" {
			p.st.seen.Cursor = next // from now on, also for whoever comes next
		}
		p.cursor = cursor{p.st.seen.Cursor, next}
		return false, nil
	}
	before := len(p.st.requests)
	for _, c := range commands {
		p.take(c, open)
	}
	p.st.seen.Cursor = next // in the same commit as what was taken
	return len(p.st.requests) > before, nil
}

// take reads one command. What is not for this environment, or for no one, is left to others.
func (p *pass) take(c forge.Command, open []forge.Pull) {
	said, err := command.Parse(c.Text, c.At)
	if errors.Is(err, command.ErrForeign) {
		return
	}
	to, pull, ok := p.addressed(c, said, open)
	if !ok || pull != nil && pull.Fork || p.st.seen.Told[c.Pull].Fork {
		return // on a fork's nobody is heard
	}
	if bad := (*command.Error)(nil); errors.As(err, &bad) {
		if c.Write {
			p.reply(to, forge.Confused, report.NotUnderstood(bad.Reason, bad.Suggestion))
		}
		return
	}
	if !c.Write && !p.firstOf(c) {
		return // strangers could have us write a comment for each line of theirs
	}
	if said.Env != "" && said.Env != p.Name {
		env := said.Env
		said.Env = p.Name
		p.reply(to, forge.Confused, report.NotUnderstood(fmt.Sprintf("there is no environment %.40s here", env), said.String()))
		return
	}
	if !p.permits(c, said.Verb) {
		p.reply(to, forge.Confused, answer("This needs the permission to write to the repository, and membership of one of the teams that the operator named for %s, if any.", report.Value("/"+string(said.Verb))))
		return
	}
	p.log.Info("asked for in a comment", "command", c.Text, "pull", c.Pull, "by", c.Author)
	q, text, done := p.requestOf(said, c, pull)
	switch {
	case !done:
		p.reply(to, forge.Confused, text)
	case q.Do == "":
		p.reply(to, forge.Rocket, text)
	default:
		p.reply(to, forge.Eyes, "")
		q.By, q.At, q.From = c.Author, c.At.UTC(), &to
		p.st.requests["comment-"+digest(p.Name, c.ID)+".json"] = q
	}
}

// misspelt reports whether somebody meant this environment by a name that is none: neither of this configuration nor in Git, where those
// of others are.
func (p *pass) misspelt(env string) bool {
	if _, known := p.r.envs[env]; known || !command.Near(env, p.Name) {
		return false
	}
	other := path.Join(path.Dir(p.want.layout.Root), env)
	found := false
	err := p.store.Files(p.head, other+"/", func(gitstore.File) error { found = true; return gitstore.ErrStop })
	return err == nil && !found
}

// firstOf reports whether a command is the first of its author at that time, and so of a comment, in this pass.
func (p *pass) firstOf(c forge.Command) bool {
	if p.refusedTo == nil {
		p.refusedTo = map[string]bool{}
	}
	who := fmt.Sprintf("%d %s %d", c.Pull, c.Author, c.At.Unix())
	defer func() { p.refusedTo[who] = true }()
	return !p.refusedTo[who]
}

// addressed reports whether this environment answers a command, and the pull request that it stands on if that is open. On
// a pull request of ours only the environment answers that it is about; on others every one of which it changes files, or
// that is named.
func (p *pass) addressed(c forge.Command, said command.Command, open []forge.Pull) (origin, *forge.Pull, bool) {
	to := origin{ID: c.ID, Pull: c.Pull}
	i := slices.IndexFunc(open, func(pull forge.Pull) bool { return pull.Number == c.Pull })
	t, known := p.st.seen.Told[c.Pull]
	if i < 0 && p.closedProposal(c.Pull) {
		return to, nil, said.Env == "" || said.Env == p.Name
	}
	if i < 0 && (!known || t.Merged.IsZero()) {
		return to, nil, false // closed, or of another branch
	}
	if said.Env != "" && said.Env != p.Name {
		if !p.misspelt(said.Env) {
			return to, nil, false
		}
		said.Env = ""
	}
	if i < 0 {
		to.Shared = said.Env == ""
		return to, nil, true
	}
	pull := &open[i]
	if p.ours(*pull) {
		return to, pull, p.aboutUs(*pull)
	}
	to.Shared = said.Env == ""
	return to, pull, said.Env == p.Name || known || p.previewed[pull.Number].touches
}

// closedProposal reports whether a pull request is one of ours that a person closed, and of which the values are silenced.
func (p *pass) closedProposal(n int) bool {
	return slices.ContainsFunc(p.st.seen.Proposals, func(pr proposal) bool { return pr.Closed && pr.Number == n })
}

// aboutUs reports whether a pull request of ours is about this environment.
func (p *pass) aboutUs(pull forge.Pull) bool {
	return slices.ContainsFunc(p.st.seen.Proposals, func(pr proposal) bool { return pr.Branch == pull.Head }) ||
		slices.ContainsFunc(p.st.seen.Reverts, func(r revertion) bool { return r.Branch == pull.Head })
}

// permits reports whether the author of a command may ask for it.
func (p *pass) permits(c forge.Command, v command.Verb) bool {
	if !c.Write {
		return false
	}
	first, _, _ := strings.Cut(string(v), " ")
	for _, name := range []string{string(v), first, "*"} {
		if teams, ok := p.Announce.Teams[name]; ok {
			return slices.ContainsFunc(teams, func(t string) bool { return slices.Contains(c.Teams, t) })
		}
	}
	return true
}

// reply notes an answer that is to be given. It is part of the state, so that it is given also by whoever comes next.
func (p *pass) reply(to origin, reaction, body string) {
	p.noteReply(reply{To: to, Reaction: reaction, Body: body})
}

func (p *pass) noteReply(a reply) {
	if len(p.st.seen.Replies) >= maxReplies {
		p.log.Warn("an answer is not given: too many wait", "pull", a.To.Pull)
		return
	}
	a.Body = p.conceal(a.Body)
	p.st.seen.Replies = append(slices.Clone(p.st.seen.Replies), a)
}

// giveAnswers gives the answers that wait.
func (p *pass) giveAnswers(ctx context.Context) error {
	var left []reply
	for i, a := range p.st.seen.Replies {
		if p.merging(a.Accepted) {
			left = append(left, a)
			continue
		}
		done, err := p.say(ctx, "answer", a.To.Pull, func() error { return p.giveAnswer(ctx, a) })
		if err != nil {
			p.st.seen.Replies = append(left, p.st.seen.Replies[i:]...)
			return err
		}
		if !done {
			left = append(left, a)
		}
	}
	p.st.seen.Replies = left
	return nil
}

func (p *pass) giveAnswer(ctx context.Context, a reply) error {
	c := forge.Command{ID: a.To.ID, Pull: a.To.Pull}
	if len(a.Accepted) > 0 {
		a.Body = p.howAccepted(a.Accepted) + a.Body
	}
	if !a.To.Shared {
		return p.r.c.Forge.Answer(ctx, c, a.Reaction, a.Body)
	}
	if err := p.r.c.Forge.Answer(ctx, c, a.Reaction, ""); err != nil || a.Body == "" {
		return err
	}
	if err := p.effect(ctx); err != nil {
		return err // the first of the two may have taken long
	}
	return p.r.c.Forge.EnsureComment(ctx, c.Pull, forge.AnswerKey(c.ID)+"/"+p.Name, a.Body)
}

// requestOf turns a command into a request; one that asks for nothing is answered by the text alone. done is false where it
// cannot be done, and the text says why.
func (p *pass) requestOf(said command.Command, c forge.Command, pull *forge.Pull) (q Request, text string, done bool) {
	if pull == nil && p.closedProposal(c.Pull) && !slices.Contains([]command.Verb{command.Help, command.Why, command.Cancel}, said.Verb) {
		return q, answer("This is closed: open it again and say it then, or use `driftback drift` on the command line."), false
	}
	switch said.Verb {
	case command.Help:
		return q, report.HelpText(), true
	case command.Why:
		return Request{Do: doWhy, Keys: map[resource.Key]resource.Hash{said.Keys[0]: {}}}, "", true
	case command.Plan:
		return p.askPlan(c.Pull, pull)
	case command.Accept, command.Revert, command.Ignore:
		return p.askDrift(said, c, pull)
	case command.Apply:
		return p.askApply(said, c)
	case command.Hold:
		return Request{Do: doHold, Detail: fmt.Sprint(c.Pull), Reason: said.Reason}, "", true
	case command.Cancel:
		return Request{Do: doCancel, Detail: fmt.Sprint(c.Pull)}, "", true
	case command.Rollback:
		return p.askRollback(said, c)
	}
	return q, answer("This cannot be asked for in a comment."), false
}

// answer is a text of ours as an answer.
func answer(format string, args ...any) string {
	return report.Answer{Text: fmt.Sprintf(format, args...)}.Body()
}

// askPlan forgets what the pull request was told, so that it is planned and told anew.
func (p *pass) askPlan(n int, pull *forge.Pull) (Request, string, bool) {
	if pull == nil || p.ours(*pull) {
		return Request{}, answer("Only an open pull request of people is planned."), false
	}
	return Request{Do: doPlan, Detail: fmt.Sprint(n)}, "", true
}

// askDrift names the values that the person saw: those that the pull request proposed when the comment was written.
func (p *pass) askDrift(said command.Command, c forge.Command, pull *forge.Pull) (q Request, text string, done bool) {
	i := -1
	if pull != nil {
		i = slices.IndexFunc(p.st.seen.Proposals, func(pr proposal) bool { return pr.Branch == pull.Head && !pr.Closed })
	}
	if i < 0 {
		return q, answer("Say this on the pull request of the drift of %s, which proposes what was changed by hand.", report.Value(p.Name)), false
	}
	if p.st.seen.Proposals[i].Foreign && said.Verb == command.Accept {
		return q, answer("Somebody else pushed to this branch, so it is theirs: merging it accepts what it then says."), false
	}
	proposed := p.proposedAt(p.st.seen.Proposals[i], c.At)
	if proposed == nil {
		return q, answer("What this pull request proposes by now came after the comment: please look at it, and say it again."), false
	}
	keys, not := map[resource.Key]resource.Hash{}, map[resource.Key]string{}
	if len(said.Keys) == 0 {
		keys = maps.Clone(proposed)
	}
	for _, k := range said.Keys {
		if h, ok := proposed[k]; ok {
			keys[k] = h
		} else {
			not[k] = "not in this pull request"
		}
	}
	for k, h := range keys {
		if p.sees(k) && !p.stillAs(k, h) {
			not[k] = "changed again since: please look at it once more"
			delete(keys, k)
		}
	}
	if len(keys) == 0 {
		return q, report.Answer{Text: "Nothing was done.", Not: not}.Body(), false
	}
	do := map[command.Verb]string{command.Accept: DoAccept, command.Revert: DoRevert, command.Ignore: DoIgnore}[said.Verb]
	return Request{Do: do, Keys: keys, Until: said.Until, Not: not}, "", true
}

// proposedAt are the objects of a proposal, with their values, as its branch had them at a time. Where it had been rebuilt too
// often since for that to be known, they are those that all versions have in common; nil where the proposal was made later, and the pull
// request was of another one then.
func (p *pass) proposedAt(pr proposal, at time.Time) map[resource.Key]resource.Hash {
	forgotten := len(pr.Former) == maxVersions
	for _, v := range slices.Backward(pr.versions()) {
		made := v.At
		if made.IsZero() { // written by an older version of the program
			if c, err := p.store.CommitAt(v.Head); err == nil {
				made = c.Committer.When
			}
		}
		forgotten = forgotten || made.IsZero()
		if !made.IsZero() && !made.Truncate(time.Second).After(at) { // comments are dated to the second
			return v.Keys
		}
	}
	if !forgotten {
		return nil
	}
	return pr.common()
}

// askApply lets exactly the plan pass that the pull request was told of.
func (p *pass) askApply(said command.Command, c forge.Command) (q Request, text string, done bool) {
	if w, ok := p.st.decisions.Waits[c.Pull]; ok {
		return q, answer("It is %s; `/cancel` ends that.", report.Value(w.because())), false
	}
	t, ok := p.st.seen.Told[c.Pull]
	if !ok || t.PlanID == "" {
		return q, answer("Nothing of this waits for somebody in %s: there is nothing to let pass.", report.Value(p.Name)), false
	}
	if !slices.Contains(p.report.Overrides, t.PlanID) && !t.Merged.IsZero() {
		return q, answer("The plan %s does not wait any more in %s.", report.Value(t.PlanID), report.Value(p.Name)), false
	}
	q = Request{Do: DoOverride, Detail: t.PlanID, After: said.At}
	if !said.At.IsZero() {
		q.Until = said.At.Add(overrideFor)
	}
	return q, "", true
}

// askRollback finds the commit by the digits that a person gave.
func (p *pass) askRollback(said command.Command, c forge.Command) (q Request, text string, done bool) {
	var found gitstore.ID
	n := 0
	err := p.line(p.head, gitstore.ID{}, func(c gitstore.Commit) error {
		if strings.HasPrefix(c.ID.String(), said.Commit) {
			found = c.ID
			n++
		}
		return nil
	})
	switch {
	case err != nil || n == 0:
		return q, answer("%s is none of the last %d commits of %s.", report.Value(said.Commit), maxHistory, report.Value(p.Branch)), false
	case n > 1:
		return q, answer("%s could be several commits: give more digits.", report.Value(said.Commit)), false
	case found == p.head:
		return q, answer("%s is where %s is now: there is nothing to take back.", report.Value(said.Commit), report.Value(p.Branch)), false
	}
	q = Request{Do: DoRollback, Detail: found.String(), Reason: "asked for in a comment"}
	t, err := p.takeBack(revertion{To: found, By: c.Author, Reason: q.Reason}, p.head)
	switch {
	case err != nil:
		p.log.Warn("what a rollback takes back is not known yet", "commit", found.String(), "error", err)
	case t == nil:
		return Request{}, answer("Since %s nothing was committed that changes %s and can be taken back; what was changed by hand and accepted stays.",
			report.Value(said.Commit), report.Value(p.Name)), false
	}
	return q, "", true
}
