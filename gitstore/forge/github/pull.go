package github

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	gh "github.com/google/go-github/v60/github"

	"github.com/driftback/driftback/gitstore/forge"
)

// Pulls returns the matching pull requests, newest first. Who closed one is asked for once, and in one
// call for the newest of them only.
func (f *Forge) Pulls(ctx context.Context, filter forge.Filter) ([]forge.Pull, error) {
	o := gh.PullRequestListOptions{State: "all", Base: filter.Base, Sort: "created", Direction: "desc"}
	switch filter.State {
	case forge.Open:
		o.State = "open"
	case forge.Closed, forge.Merged:
		o.State = "closed"
	}
	if filter.Head != "" {
		o.Head = f.owner + ":" + filter.Head
	}
	var pulls []forge.Pull
	err := pages(func(page gh.ListOptions) (*gh.Response, error) {
		o.ListOptions = page
		list, res, err := f.client.PullRequests.List(ctx, f.owner, f.repo, &o)
		for _, pr := range list {
			p := toPull(pr)
			if filter.State != "" && p.State != filter.State || filter.Head != "" && (p.Head != filter.Head || p.Fork) {
				continue
			}
			pulls = append(pulls, p)
		}
		if err == nil && filter.Newest > 0 {
			res.NextPage = 0
		}
		return res, err
	})
	if err != nil {
		return nil, f.fail(ctx, "list pull requests", err)
	}
	slices.SortStableFunc(pulls, func(a, b forge.Pull) int { return b.Number - a.Number })
	pulls = slices.CompactFunc(pulls, func(a, b forge.Pull) bool { return a.Number == b.Number }) // one came while pages were read
	if filter.Newest > 0 {
		return pulls[:min(len(pulls), filter.Newest)], nil
	}
	asked := 0
	for i := range pulls {
		if asked < maxClosers {
			err = f.closer(ctx, &pulls[i], &asked)
		}
		if err != nil {
			return nil, err
		}
	}
	return pulls, nil
}

// maxClosers is how many pull requests one listing asks who closed them.
const maxClosers = 20

// closer fills in who closed or merged a pull request: listings do not say.
func (f *Forge) closer(ctx context.Context, p *forge.Pull, asked *int) error {
	if p.State == forge.Open || p.ClosedBy != "" {
		return nil
	}
	c := closing{p.Number, p.Updated}
	f.mu.Lock()
	who, denied := f.closers[c], f.opt.Now().Before(f.noClosers)
	f.mu.Unlock()
	if who == "" && denied {
		return nil
	}
	if who == "" {
		*asked++
		issue, _, err := f.client.Issues.Get(ctx, f.owner, f.repo, p.Number)
		if isCode(err, http.StatusForbidden) {
			f.mu.Lock()
			f.noClosers = f.opt.Now().Add(knownFor)
			f.mu.Unlock()
			return f.without(ctx, "ask who closed a pull request", err)
		}
		if err != nil {
			return f.fail(ctx, fmt.Sprintf("ask who closed pull request #%d", p.Number), err)
		}
		if who = issue.GetClosedBy().GetLogin(); who == "" {
			who = "ghost" // as GitHub shows an account that is gone
		}
		f.mu.Lock()
		if len(f.closers) > 10_000 {
			clear(f.closers)
		}
		f.closers[c] = who
		f.mu.Unlock()
	}
	p.ClosedBy = who
	return nil
}

// pull returns one pull request.
func (f *Forge) pull(ctx context.Context, n int) (forge.Pull, *gh.PullRequest, error) {
	pr, _, err := f.client.PullRequests.Get(ctx, f.owner, f.repo, n)
	if err != nil {
		return forge.Pull{}, nil, f.fail(ctx, fmt.Sprintf("read pull request #%d", n), err)
	}
	p := toPull(pr)
	asked := 0
	return p, pr, f.closer(ctx, &p, &asked)
}

// toPull reads GitHub's form.
func toPull(pr *gh.PullRequest) forge.Pull {
	p := forge.Pull{
		Number: pr.GetNumber(), Head: pr.GetHead().GetRef(), Base: pr.GetBase().GetRef(),
		HeadID: pr.GetHead().GetSHA(), BaseID: pr.GetBase().GetSHA(),
		Title: pr.GetTitle(), State: forge.Open, Draft: pr.GetDraft(),
		Author: pr.GetUser().GetLogin(), URL: pr.GetHTMLURL(),
		HeadRef: fmt.Sprintf("refs/pull/%d/head", pr.GetNumber()),
		Created: pr.GetCreatedAt().UTC(), Updated: pr.GetUpdatedAt().UTC(),
		Fork: pr.GetHead().GetRepo().GetID() == 0 || pr.GetHead().GetRepo().GetID() != pr.GetBase().GetRepo().GetID(),
	}
	p.Body, _ = without(pr.GetBody())
	switch {
	case !pr.GetMergedAt().IsZero() || pr.GetMerged():
		p.State, p.MergeCommit = forge.Merged, pr.GetMergeCommitSHA()
	case pr.GetState() == "closed":
		p.State = forge.Closed
	}
	for _, l := range pr.Labels {
		p.Labels = append(p.Labels, l.GetName())
	}
	slices.Sort(p.Labels)
	for _, u := range pr.RequestedReviewers {
		p.Reviewers = append(p.Reviewers, u.GetLogin())
	}
	for _, t := range pr.RequestedTeams {
		p.Reviewers = append(p.Reviewers, pr.GetBase().GetRepo().GetOwner().GetLogin()+"/"+t.GetSlug())
	}
	slices.Sort(p.Reviewers)
	return p
}

// EnsurePull implements forge.Forge.
func (f *Forge) EnsurePull(ctx context.Context, p forge.Pull) (forge.Pull, error) {
	p, err := p.Clean()
	if err != nil {
		return forge.Pull{}, fmt.Errorf("github: pull request of %.300q: %w", p.Head, err)
	}
	has, err := f.openPull(ctx, p.Head)
	switch {
	case err != nil:
		return forge.Pull{}, err
	case p.State == forge.Closed && has == nil:
		return forge.Pull{}, nil
	case p.State == forge.Closed:
		n := has.GetNumber()
		if _, _, err := f.client.PullRequests.Edit(ctx, f.owner, f.repo, n, &gh.PullRequest{State: gh.String("closed")}); err != nil {
			return forge.Pull{}, f.fail(ctx, fmt.Sprintf("close pull request #%d", n), err)
		}
		closed, _, err := f.pull(ctx, n)
		return closed, err
	case has == nil:
		if has, err = f.create(ctx, p); err != nil {
			return forge.Pull{}, err
		}
	}
	changed, err := f.change(ctx, has, p)
	if err != nil {
		return forge.Pull{}, err
	}
	if !changed {
		return toPull(has), nil
	}
	now, _, err := f.pull(ctx, has.GetNumber())
	return now, err
}

// openPull returns the open pull request of a branch of this repository; nil if there is none.
func (f *Forge) openPull(ctx context.Context, head string) (found *gh.PullRequest, err error) {
	o := gh.PullRequestListOptions{State: "open", Head: f.owner + ":" + head}
	err = pages(func(page gh.ListOptions) (*gh.Response, error) {
		o.ListOptions = page
		list, res, err := f.client.PullRequests.List(ctx, f.owner, f.repo, &o)
		for _, pr := range list { // another repository of the same owner may be a fork
			if p := toPull(pr); p.Head == head && !p.Fork && (found == nil || p.Number < found.GetNumber()) {
				found = pr
			}
		}
		return res, err
	})
	return found, f.fail(ctx, "look for a pull request of "+head, err)
}

// create opens a pull request. Where somebody else just did, or the answer was lost, that one is returned.
func (f *Forge) create(ctx context.Context, p forge.Pull) (*gh.PullRequest, error) {
	op := "open a pull request of " + p.Head
	if p.Base == "" {
		return nil, fmt.Errorf("github: %s: no base: %w", op, forge.ErrInvalid)
	}
	body := ours{labels: digests(p.Labels)}.with(p.Body)
	f.mu.Lock()
	draft := p.Draft && !f.noDrafts
	f.mu.Unlock()
	request := &gh.NewPullRequest{Title: &p.Title, Head: &p.Head, Base: &p.Base, Body: &body, Draft: &draft}
	pr, _, err := f.client.PullRequests.Create(ctx, f.owner, f.repo, request)
	if draft && says(err, http.StatusUnprocessableEntity, "draft") {
		f.withoutDrafts()
		request.Draft = gh.Bool(false)
		pr, _, err = f.client.PullRequests.Create(ctx, f.owner, f.repo, request)
	}
	switch {
	case err == nil:
		return pr, nil
	case ctx.Err() != nil:
	case says(err, http.StatusUnprocessableEntity, "no commits between"):
		return nil, fmt.Errorf("github: %s: onto %s: %w", op, p.Base, forge.ErrEmpty)
	case blames(err, "head"):
		return nil, fmt.Errorf("github: %s: no such branch: %w", op, forge.ErrNotFound)
	case blames(err, "base"):
		return nil, fmt.Errorf("github: %s: onto %s: no such branch: %w", op, p.Base, forge.ErrNotFound)
	case !isCode(err, http.StatusForbidden) && !isCode(err, http.StatusUnauthorized) && !errors.Is(err, ErrLimited):
		if has, lookErr := f.openPull(ctx, p.Head); lookErr == nil && has != nil {
			return has, nil
		}
	}
	return nil, f.fail(ctx, op, err)
}

func (f *Forge) withoutDrafts() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.noDrafts {
		f.log.Warn("the repository has no draft pull requests: they are opened as ready", "repository", f.owner+"/"+f.repo)
	}
	f.noDrafts = true
}

// change makes an open pull request be as p says, and reports whether anything was written. The mark is
// written last, so that what is cut off before is done again.
func (f *Forge) change(ctx context.Context, has *gh.PullRequest, p forge.Pull) (bool, error) {
	n := has.GetNumber()
	op := fmt.Sprintf("change pull request #%d", n)
	text, mine := without(has.GetBody())
	labels, err := f.label(ctx, has, p.Labels, mine)
	if err != nil {
		return false, f.fail(ctx, op, err)
	}
	asked, err := f.ask(ctx, has, p.Reviewers, mine)
	if err != nil {
		return false, err
	}
	draft, err := f.draft(ctx, has, p.Draft)
	if err != nil {
		return false, f.fail(ctx, op, err)
	}
	edit, edits := &gh.PullRequest{}, false
	if p.Title != has.GetTitle() {
		edit.Title, edits = &p.Title, true
	}
	next := ours{labels: digests(p.Labels), asked: union(mine.asked, asked)}
	if !forge.SameText(text, p.Body) || !slices.Equal(next.labels, mine.labels) || !slices.Equal(next.asked, mine.asked) {
		edit.Body, edits = gh.String(next.with(p.Body)), true
	}
	if p.Base != "" && p.Base != has.GetBase().GetRef() {
		edit.Base, edits = &gh.PullRequestBranch{Ref: &p.Base}, true
	}
	if !edits {
		return labels || draft || len(asked) > 0, nil
	}
	_, _, err = f.client.PullRequests.Edit(ctx, f.owner, f.repo, n, edit)
	if edit.Base != nil && (blames(err, "base") || says(err, http.StatusUnprocessableEntity, "proposed base branch")) {
		return false, fmt.Errorf("github: %s: onto %s: no such branch: %w", op, p.Base, forge.ErrNotFound)
	}
	return true, f.fail(ctx, op, err)
}

// label adds the labels that are wanted and takes away those that we put and are not. Others' labels stay.
func (f *Forge) label(ctx context.Context, has *gh.PullRequest, want []string, mine ours) (bool, error) {
	there := func(name string) bool {
		return slices.ContainsFunc(has.Labels, func(l *gh.Label) bool { return strings.EqualFold(l.GetName(), name) })
	}
	wanted := func(name string) bool {
		return slices.ContainsFunc(want, func(w string) bool { return strings.EqualFold(w, name) })
	}
	n, changed := has.GetNumber(), false
	for _, l := range has.Labels {
		if wanted(l.GetName()) || !mine.has(mine.labels, l.GetName()) {
			continue
		}
		changed = true
		_, err := f.client.Issues.RemoveLabelForIssue(ctx, f.owner, f.repo, n, l.GetName())
		if err != nil && !isCode(err, http.StatusNotFound) {
			return changed, err
		}
	}
	missing := slices.DeleteFunc(slices.Clone(want), there)
	if len(missing) == 0 {
		return changed, nil
	}
	// The library sends a bare array, which GitHub's description does not know.
	req, err := f.client.NewRequest(http.MethodPost, fmt.Sprintf("repos/%s/%s/issues/%d/labels", f.owner, f.repo, n),
		map[string][]string{"labels": missing})
	if err == nil {
		_, err = f.client.Do(ctx, req, nil)
	}
	return true, err
}

// draft turns a draft into what is ready for review, or back. The REST API cannot.
func (f *Forge) draft(ctx context.Context, has *gh.PullRequest, want bool) (bool, error) {
	f.mu.Lock()
	cannot := f.noDrafts
	f.mu.Unlock()
	if has.GetDraft() == want || want && cannot {
		return false, nil
	}
	mutation := "markPullRequestReadyForReview"
	if want {
		mutation = "convertPullRequestToDraft"
	}
	err := f.graphql(ctx, fmt.Sprintf("mutation($id: ID!) { %s(input: {pullRequestId: $id}) { clientMutationId } }", mutation),
		map[string]any{"id": has.GetNodeID()})
	if want && err != nil && strings.Contains(strings.ToLower(err.Error()), "draft") {
		f.withoutDrafts()
		return false, nil
	}
	return true, err
}

// graphql makes a request of GraphQL whose data is of no interest.
func (f *Forge) graphql(ctx context.Context, query string, variables map[string]any) error {
	path := "graphql"
	if strings.HasSuffix(f.client.BaseURL.Path, "/api/v3/") {
		path = "../graphql"
	}
	req, err := f.client.NewRequest(http.MethodPost, path, map[string]any{"query": query, "variables": variables})
	if err != nil {
		return err
	}
	var answer struct {
		Errors []struct{ Type, Message string }
	}
	if _, err := f.client.Do(ctx, req, &answer); err != nil {
		return err
	}
	if len(answer.Errors) == 0 {
		return nil
	}
	e := answer.Errors[0]
	said := saying(&gh.ErrorResponse{Message: e.Message, Response: &http.Response{StatusCode: http.StatusOK}})
	switch e.Type {
	case "FORBIDDEN", "INSUFFICIENT_SCOPES":
		return fmt.Errorf("%w: needs %s: %s", ErrPermission, Need{Name: pulls, Write: true}, said)
	case "NOT_FOUND":
		return fmt.Errorf("%s: %w", said, forge.ErrNotFound)
	}
	return errors.New(said)
}

func union(a, b []uint32) []uint32 {
	out := slices.Concat(a, b)
	slices.Sort(out)
	return slices.Compact(out)
}

// dated is t in UTC, as pull requests have it.
func dated(t gh.Timestamp) time.Time { return t.UTC() }
