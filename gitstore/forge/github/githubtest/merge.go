package githubtest

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// test merges the pull request without effect, as GitHub does in the background, and keeps what came out.
func (p *pull) test() {
	base := p.repo.branch(p.baseRef)
	if p.tested && p.testedHead == p.headSHA && p.testedBase == base {
		return
	}
	p.tested, p.testedHead, p.testedBase, p.mergeable, p.testCommit = true, p.headSHA, base, false, ""
	tree, err := p.repo.mergeTree(base, p.headSHA)
	if err != nil {
		return
	}
	at := signature{"GitHub", "noreply@github.com", p.created}
	p.testCommit, err = p.repo.commit(tree, fmt.Sprintf("Merge %s into %s", p.headSHA, base), at, at, base, p.headSHA)
	p.mergeable = err == nil
}

// blocked says why the rules do not permit merging, "" if they do.
func (p *pull) blocked() string {
	rule := p.repo.protectionOf(p.baseRef)
	if n := p.approvals(); n < rule.Approvals {
		return fmt.Sprintf("At least %d approving review is required by reviewers with write access.", rule.Approvals)
	}
	for _, context := range rule.Checks {
		if !p.repo.succeeded(p.headSHA, context) {
			return fmt.Sprintf("Required status check %q is expected.", context)
		}
	}
	if rule.Strict && !p.repo.contains(p.headSHA, p.repo.branch(p.baseRef)) {
		return "Required status checks must be run against the latest base branch. The head branch is not up to date with the base branch."
	}
	return ""
}

// approvals counts the people whose last word on the head is that it is fine.
func (p *pull) approvals() int {
	last := map[string]string{}
	for _, r := range p.reviews {
		if r.state != "COMMENTED" && atLeast(p.repo.role(r.author.Login), "write") {
			last[r.author.Login] = r.state
		}
	}
	n := 0
	for _, state := range last {
		if state == "APPROVED" {
			n++
		}
	}
	return n
}

// mergeState is GitHub's summary of whether a pull request can be merged.
func (p *pull) mergeState() string {
	switch {
	case !p.mergeable:
		return "dirty"
	case p.draft:
		return "draft"
	case p.blocked() != "":
		return "blocked"
	case slices.Contains([]string{"pending", "failure", "error"}, p.repo.combined(p.headSHA)) && len(p.repo.latest(p.headSHA)) > 0:
		return "unstable"
	}
	return "clean"
}

func mergePull(c *call) (any, error) {
	p, err := c.pull("pull_number")
	if err != nil {
		return nil, err
	}
	var ask struct {
		Title   *string `json:"commit_title"`
		Message *string `json:"commit_message"`
		SHA     string
		Method  string `json:"merge_method"`
	}
	if err := c.decode(&ask); err != nil {
		return nil, err
	}
	ask.Method = orElse(ask.Method, "merge")
	if err := c.mergeable(p, ask.SHA, ask.Method); err != nil {
		return nil, err
	}
	id, err := c.repo.merge(p, ask.Method, message(p, ask.Method, ask.Title, ask.Message), c.who.account)
	switch {
	case errors.Is(err, errConflict):
		return nil, refuse(http.StatusMethodNotAllowed, "Pull Request is not mergeable")
	case err != nil:
		return nil, refuse(http.StatusMethodNotAllowed, "Base branch was modified. Review and try the merge again.")
	}
	return obj{"sha": id, "merged": true, "message": "Pull Request successfully merged"}, nil
}

// mergeable refuses what cannot or may not be merged.
func (c *call) mergeable(p *pull, head, method string) error {
	no := func(format string, args ...any) error { return refuse(http.StatusMethodNotAllowed, format, args...) }
	switch {
	case !p.open:
		return no("Pull Request is not mergeable")
	case p.draft:
		return no("Pull Request is still a draft")
	case head != "" && head != p.headSHA:
		return refuse(http.StatusConflict, "Head branch was modified. Review and try the merge again.")
	case c.repo.noMethod[method]:
		return no("%s commits are not allowed on this repository.", map[string]string{"merge": "Merge", "squash": "Squash", "rebase": "Rebase"}[method])
	}
	if why := p.blocked(); why != "" {
		return no("%s", why)
	}
	if p.test(); !p.mergeable {
		return no("Pull Request is not mergeable")
	}
	return nil
}

// message is what GitHub writes where the caller says nothing.
func message(p *pull, method string, title, text *string) string {
	head, body := "Merge pull request #"+itoa(p.number)+" from "+strings.Replace(p.label(), ":", "/", 1), p.title
	if method == "squash" {
		head, body = p.title+" (#"+itoa(p.number)+")", p.repo.line("log", "--reverse", "--format=* %B", p.mergeBase()+".."+p.headSHA)
	}
	if title != nil && *title != "" {
		head = *title
	}
	set(&body, text)
	if body == "" {
		return head + "\n"
	}
	return head + "\n\n" + body + "\n"
}

// merge does it, by one of GitHub's three methods, and returns the last commit that it put on the base.
func (r *Repo) merge(p *pull, method, message string, by *Account) (string, error) {
	base := r.branch(p.baseRef)
	hub := signature{"GitHub", "noreply@github.com", r.s.now()}
	author := signature{orElse(by.Name, by.Login), by.mail(), r.s.now()}
	var id string
	var err error
	if method == "rebase" {
		id, err = r.replay(base, p.headSHA, author)
	} else {
		var tree string
		if tree, err = r.mergeTree(base, p.headSHA); err != nil {
			return "", err
		}
		parents := []string{base, p.headSHA}
		if method == "squash" {
			parents = parents[:1]
			author = signature{orElse(p.author.Name, p.author.Login), p.author.mail(), r.s.now()}
		}
		id, err = r.commit(tree, message, author, hub, parents...)
	}
	if err != nil {
		return "", err
	}
	if err := r.setRef("refs/heads/"+p.baseRef, base, id); err != nil {
		return "", err
	}
	p.baseSHA = base
	p.markMerged(id, by)
	r.closePull(p, by)
	if r.deleteHeads && p.head == r {
		_ = r.setRef("refs/heads/"+p.headRef, p.headSHA, "")
	}
	r.sync(by)
	return id, nil
}

// mail is the address that GitHub gives commits of who keeps theirs private.
func (a *Account) mail() string {
	if a.Email != "" {
		return a.Email
	}
	return fmt.Sprintf("%d+%s@users.noreply.github.com", a.ID, a.Login)
}

func updateBranch(c *call) (any, error) {
	p, err := c.pull("pull_number")
	if err != nil {
		return nil, err
	}
	var ask struct {
		Expected string `json:"expected_head_sha"`
	}
	if err := c.decode(&ask); err != nil {
		return nil, err
	}
	if ask.Expected != "" && ask.Expected != p.headSHA {
		return nil, refuse(http.StatusUnprocessableEntity, "expected head sha didn’t match current head ref.")
	}
	base := c.repo.branch(p.baseRef)
	tree, err := c.repo.mergeTree(p.headSHA, base)
	if err != nil || !p.open || p.head != c.repo {
		return nil, refuse(http.StatusUnprocessableEntity, "merge conflict between base and head")
	}
	by := signature{orElse(c.who.account.Name, c.who.login()), c.who.account.mail(), c.now()}
	id, err := c.repo.commit(tree, fmt.Sprintf("Merge branch '%s' into %s\n", p.baseRef, p.headRef), by, by, p.headSHA, base)
	if err == nil {
		err = c.repo.setRef("refs/heads/"+p.headRef, p.headSHA, id)
	}
	if err != nil {
		return nil, err
	}
	c.repo.sync(c.who.account)
	return obj{"message": "Updating pull request branch.", "url": c.pullURL(p)}, nil
}

func listReviews(c *call) (any, error) {
	p, err := c.pull("pull_number")
	if err != nil {
		return nil, err
	}
	return list(c, p.reviews, func(r *review) obj { return c.reviewJSON(p, r) }), nil
}

func createReview(c *call) (any, error) {
	p, err := c.pull("pull_number")
	if err != nil {
		return nil, err
	}
	var ask struct {
		Body, Event string
	}
	if err := c.decode(&ask); err != nil {
		return nil, err
	}
	state := map[string]string{"APPROVE": "APPROVED", "REQUEST_CHANGES": "CHANGES_REQUESTED", "COMMENT": "COMMENTED"}[ask.Event]
	if state == "" {
		return nil, refuse(http.StatusUnprocessableEntity, "pending reviews are not kept here")
	}
	if state != "COMMENTED" && p.author == c.who.account {
		return nil, refuse(http.StatusUnprocessableEntity, "Can not approve your own pull request")
	}
	r := &review{c.id(), c.who.account, ask.Body, state, p.headSHA, c.now()}
	p.reviews = append(p.reviews, r)
	p.reviewers = slices.DeleteFunc(p.reviewers, func(a *Account) bool { return a == c.who.account })
	p.updated = c.now()
	c.repo.emitReview(p, r)
	return c.reviewJSON(p, r), nil
}

func listRequestedReviewers(c *call) (any, error) {
	p, err := c.pull("pull_number")
	if err != nil {
		return nil, err
	}
	return c.reviewersJSON(p), nil
}

func requestReviewers(c *call) (any, error) {
	p, err := c.pull("pull_number")
	if err != nil {
		return nil, err
	}
	var ask struct {
		Reviewers []string
		Teams     []string `json:"team_reviewers"`
	}
	if err := c.decode(&ask); err != nil {
		return nil, err
	}
	var people []*Account
	for _, login := range ask.Reviewers {
		a := c.users[strings.ToLower(login)]
		switch {
		case a == p.author:
			return nil, refuse(http.StatusUnprocessableEntity, "Review cannot be requested from pull request author.")
		case a == nil, !atLeast(c.repo.role(a.Login), "read"), c.repo.people[a.Login] == "" && c.repo.role(a.Login) == "read":
			return nil, refuse(http.StatusUnprocessableEntity, "Reviews may only be requested from collaborators. One or more of the users or teams you specified is not a collaborator of the %s repository.", c.repo.Full())
		}
		people = append(people, a)
	}
	for _, slug := range ask.Teams {
		if t := c.team(c.repo.Owner, slug); t == nil || t.repos[c.repo.Full()] == "" {
			return nil, refuse(http.StatusUnprocessableEntity, "Reviews may only be requested from collaborators. One or more of the teams you specified is not a collaborator of the %s repository.", c.repo.Full())
		}
	}
	for _, a := range people {
		if !slices.Contains(p.reviewers, a) {
			p.reviewers = append(p.reviewers, a)
			c.repo.emitPull("review_requested", p, c.who.account, obj{"requested_reviewer": c.userJSON(a)})
		}
	}
	for _, slug := range ask.Teams {
		if !slices.Contains(p.teams, slug) {
			p.teams = append(p.teams, slug)
		}
	}
	p.updated = c.now()
	return c.pullJSON(p, false), nil
}

func removeReviewers(c *call) (any, error) {
	p, err := c.pull("pull_number")
	if err != nil {
		return nil, err
	}
	var ask struct {
		Reviewers []string
		Teams     []string `json:"team_reviewers"`
	}
	if err := c.decode(&ask); err != nil {
		return nil, err
	}
	p.reviewers = slices.DeleteFunc(p.reviewers, func(a *Account) bool {
		return slices.ContainsFunc(ask.Reviewers, func(l string) bool { return strings.EqualFold(l, a.Login) })
	})
	p.teams = slices.DeleteFunc(p.teams, func(s string) bool { return slices.Contains(ask.Teams, s) })
	p.updated = c.now()
	return c.pullJSON(p, false), nil
}
