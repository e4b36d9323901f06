package githubtest

import (
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// pull is a pull request.
type pull struct {
	repo, head         *Repo // head is a fork, or the repository itself
	id                 int64
	number             int64
	title, body        string
	open, draft        bool
	headRef, headSHA   string
	baseRef, baseSHA   string
	merged             bool
	mergeCommit        string
	mergedBy, closedBy *Account
	author             *Account
	created, updated   time.Time
	closed             time.Time // zero while open
	labels             []*label
	reviewers          []*Account
	teams              []string
	reviews            []*review
	canModify          bool
	unknown            int // so many times its mergeability is not known yet
	testedHead         string
	testedBase         string
	mergeable, tested  bool
	testCommit         string
}

type review struct {
	id     int64
	author *Account
	body   string
	state  string // APPROVED, CHANGES_REQUESTED, COMMENTED
	commit string
	at     time.Time
}

const (
	maxTitle = 256   // characters
	maxBody  = 65536 // characters, also of comments and summaries
)

func (c *call) pull(param string) (*pull, error) {
	n := c.number(param)
	for _, p := range c.repo.pulls {
		if p.number == n {
			return p, nil
		}
	}
	return nil, notFound()
}

func listPulls(c *call) (any, error) {
	state := orElse(c.query.Get("state"), "open")
	var found []*pull
	for _, p := range c.repo.pulls {
		if state != "all" && p.open != (state == "open") ||
			c.query.Get("base") != "" && c.query.Get("base") != p.baseRef ||
			c.query.Get("head") != "" && strings.Contains(c.query.Get("head"), ":") && !strings.EqualFold(c.query.Get("head"), p.label()) {
			continue
		}
		found = append(found, p)
	}
	key := func(p *pull) time.Time { return p.created }
	if c.query.Get("sort") == "updated" {
		key = func(p *pull) time.Time { return p.updated }
	}
	slices.SortStableFunc(found, func(a, b *pull) int {
		if d := key(a).Compare(key(b)); d != 0 {
			return d
		}
		return int(a.number - b.number)
	})
	desc := c.query.Get("direction") == "desc" || c.query.Get("direction") == "" && orElse(c.query.Get("sort"), "created") == "created"
	if desc {
		slices.Reverse(found)
	}
	return list(c, found, func(p *pull) obj { return c.pullJSON(p, false) }), nil
}

func getPull(c *call) (any, error) {
	p, err := c.pull("pull_number")
	if err != nil {
		return nil, err
	}
	return c.pullJSON(p, true), nil
}

// label is how GitHub writes a head: OWNER:BRANCH.
func (p *pull) label() string { return p.head.Owner + ":" + p.headRef }

func createPull(c *call) (any, error) {
	var ask struct {
		Title, Head, Base, Body, HeadRepo string
		Draft                             bool
		CanModify                         *bool `json:"maintainer_can_modify"`
	}
	if err := c.decode(&ask); err != nil {
		return nil, err
	}
	head, branch := c.repo, ask.Head
	if owner, rest, ok := strings.Cut(ask.Head, ":"); ok {
		branch = rest
		if head = c.forkOf(owner); head == nil {
			return nil, invalid("PullRequest", "head", "invalid", "")
		}
	}
	if err := checkText(ask.Title, ask.Body); err != nil {
		return nil, err
	}
	headSHA, baseSHA := head.branch(branch), c.repo.branch(ask.Base)
	switch {
	case headSHA == "":
		return nil, invalid("PullRequest", "head", "invalid", "")
	case baseSHA == "":
		return nil, invalid("PullRequest", "base", "invalid", "")
	case c.repo.openPull(head, branch, ask.Base) != nil:
		return nil, invalid("PullRequest", "", "custom", "A pull request already exists for "+head.Owner+":"+branch+".")
	}
	if err := c.repo.take(head, headSHA); err != nil {
		return nil, err
	}
	if c.repo.contains(baseSHA, headSHA) {
		return nil, invalid("PullRequest", "", "custom", "No commits between "+ask.Base+" and "+branch)
	}
	c.repo.lastNumber++
	p := &pull{
		repo: c.repo, head: head, id: c.id(), number: c.repo.lastNumber, title: strings.TrimSpace(ask.Title), body: ask.Body, open: true,
		draft: ask.Draft, headRef: branch, headSHA: headSHA, baseRef: ask.Base, baseSHA: baseSHA, author: c.who.account,
		created: c.now(), updated: c.now(), unknown: c.o.Unknown, canModify: ask.CanModify == nil || *ask.CanModify,
	}
	c.repo.pulls = append(c.repo.pulls, p)
	p.writeRef()
	c.repo.emitPull("opened", p, c.who.account, nil)
	return &reply{status: http.StatusCreated, body: c.pullJSON(p, true), header: http.Header{"Location": {c.pullURL(p)}}}, nil
}

func checkText(title, body string) error {
	switch {
	case strings.TrimSpace(title) == "":
		return invalid("PullRequest", "title", "missing_field", "")
	case utf8.RuneCountInString(title) > maxTitle:
		return invalid("PullRequest", "title", "custom", "title is too long (maximum is 256 characters)")
	case utf8.RuneCountInString(body) > maxBody:
		return invalid("PullRequest", "body", "custom", "body is too long (maximum is 65536 characters)")
	}
	return nil
}

func (r *Repo) openPull(head *Repo, branch, base string) *pull {
	for _, p := range r.pulls {
		if p.open && p.head == head && p.headRef == branch && p.baseRef == base {
			return p
		}
	}
	return nil
}

func (p *pull) writeRef() {
	ref := "refs/pull/" + itoa(p.number) + "/head"
	if _, err := p.repo.git("", "update-ref", ref, p.headSHA); err != nil {
		p.repo.s.t.Errorf("%s: %v", ref, err)
	}
}

func updatePull(c *call) (any, error) {
	p, err := c.pull("pull_number")
	if err != nil {
		return nil, err
	}
	var ask struct {
		Title, Body, State, Base *string
		CanModify                *bool `json:"maintainer_can_modify"`
	}
	if err := c.decode(&ask); err != nil {
		return nil, err
	}
	title, body := p.title, p.body
	set(&title, ask.Title)
	set(&body, ask.Body)
	if err := checkText(title, body); err != nil {
		return nil, err
	}
	if err := c.checkState(p, ask.State); err != nil {
		return nil, err
	}
	if err := c.rebase(p, ask.Base); err != nil {
		return nil, err
	}
	changes := obj{}
	if title = strings.TrimSpace(title); title != p.title {
		changes["title"] = obj{"from": p.title}
	}
	if body != p.body {
		changes["body"] = obj{"from": p.body}
	}
	if len(changes) > 0 {
		p.title, p.body, p.updated = title, body, c.now()
		c.repo.emitPull("edited", p, c.who.account, obj{"changes": changes})
	}
	set(&p.canModify, ask.CanModify)
	c.setState(p, ask.State)
	return c.pullJSON(p, true), nil
}

func set[T any](to *T, from *T) {
	if from != nil {
		*to = *from
	}
}

// checkState refuses to open again what cannot be.
func (c *call) checkState(p *pull, state *string) error {
	if state == nil || *state == "closed" || p.open {
		return nil
	}
	switch {
	case p.merged:
		return invalid("PullRequest", "state", "invalid", "state cannot be changed. The pull request was merged.")
	case p.head.branch(p.headRef) == "":
		return invalid("PullRequest", "state", "invalid", "state cannot be changed. The "+p.headRef+" branch has been deleted.")
	case c.repo.openPull(p.head, p.headRef, p.baseRef) != nil:
		return invalid("PullRequest", "state", "invalid", "state cannot be changed. There is already an open pull request from "+p.headRef+" to "+p.baseRef+".")
	case !c.repo.contains(p.head.branch(p.headRef), p.headSHA):
		return invalid("PullRequest", "state", "invalid", "state cannot be changed. The "+p.headRef+" branch was force-pushed or recreated.")
	}
	return nil
}

func (c *call) setState(p *pull, state *string) {
	switch {
	case state == nil || (*state == "open") == p.open:
	case *state == "closed":
		c.repo.closePull(p, c.who.account)
	default:
		p.open, p.closed, p.closedBy, p.updated = true, time.Time{}, nil, c.now()
		p.headSHA, p.unknown = p.head.branch(p.headRef), c.o.Unknown
		p.writeRef()
		c.repo.emitPull("reopened", p, c.who.account, nil)
	}
}

func (c *call) rebase(p *pull, base *string) error {
	if base == nil || *base == p.baseRef {
		return nil
	}
	switch {
	case !p.open:
		return invalid("PullRequest", "base", "custom", "Cannot change the base branch of a closed pull request.")
	case c.repo.branch(*base) == "":
		return invalid("PullRequest", "base", "invalid", "")
	case c.repo.openPull(p.head, p.headRef, *base) != nil:
		return invalid("PullRequest", "base", "custom", "A pull request already exists for base branch '"+*base+"' and head branch '"+p.headRef+"'")
	case c.repo.contains(c.repo.branch(*base), p.headSHA):
		return invalid("PullRequest", "base", "custom", "There are no new commits between base branch '"+*base+"' and head branch '"+p.headRef+"'")
	}
	from := p.baseRef
	p.baseRef, p.baseSHA, p.updated, p.unknown = *base, c.repo.branch(*base), c.now(), c.o.Unknown
	c.repo.emitPull("edited", p, c.who.account, obj{"changes": obj{"base": obj{"ref": obj{"from": from}}}})
	return nil
}

func (r *Repo) closePull(p *pull, by *Account) {
	p.open, p.closed, p.closedBy, p.updated = false, r.s.now(), by, r.s.now()
	r.emitPull("closed", p, by, nil)
}

// headMoved makes the pull requests of a branch follow it: a deleted one closes them.
func (r *Repo) headMoved(branch, id string, by *Account) {
	for _, base := range r.s.repos {
		for _, p := range base.pulls {
			if p.head != r || p.headRef != branch || !p.open {
				continue
			}
			if id == "" {
				base.closePull(p, by)
				continue
			}
			if err := base.take(r, id); err != nil {
				r.s.t.Errorf("head of #%d: %v", p.number, err)
			}
			before := p.headSHA
			p.headSHA, p.baseSHA, p.updated, p.unknown = id, base.branch(p.baseRef), r.s.now(), r.s.o.Unknown
			p.writeRef()
			base.emitPull("synchronize", p, by, obj{"before": before, "after": id})
		}
	}
}

// baseMoved finds pull requests that came in by a push: their heads are part of the base now.
func (r *Repo) baseMoved(branch, id string, by *Account) {
	for _, p := range r.pulls {
		switch {
		case p.baseRef != branch || !p.open:
		case id == "":
			r.closePull(p, by)
		case r.contains(id, p.headSHA):
			p.markMerged(r.mergedAt(id, p.headSHA), by)
			r.closePull(p, by)
		default:
			p.unknown = r.s.o.Unknown
		}
	}
}

func (p *pull) markMerged(commit string, by *Account) {
	p.merged, p.mergedBy, p.mergeCommit = true, by, commit
}

// mergedAt returns the first commit on the first-parent way to tip that holds head.
func (r *Repo) mergedAt(tip, head string) string {
	at := tip
	for {
		parent := r.line("rev-parse", "--verify", "--quiet", at+"^1")
		if parent == "" || !r.contains(parent, head) {
			return at
		}
		at = parent
	}
}

func checkIfMerged(c *call) (any, error) {
	p, err := c.pull("pull_number")
	if err == nil && !p.merged {
		err = notFound()
	}
	return nil, err
}

func listPullCommits(c *call) (any, error) {
	p, err := c.pull("pull_number")
	if err != nil {
		return nil, err
	}
	ids := c.repo.commits(p.mergeBase(), p.headSHA)
	slices.Reverse(ids)
	return list(c, ids[:min(len(ids), 250)], func(id string) obj { return c.commitJSON(c.repo, id, false) }), nil
}

// mergeBase is where the head left its base. Of what is merged it is where it did then.
func (p *pull) mergeBase() string {
	base := p.baseSHA
	if !p.merged && p.open {
		base = p.repo.branch(p.baseRef)
	}
	if id, err := p.repo.fixed("merge-base", base, p.headSHA); err == nil {
		return strings.TrimSpace(id)
	}
	return base
}

func listPullFiles(c *call) (any, error) {
	p, err := c.pull("pull_number")
	if err != nil {
		return nil, err
	}
	files, err := c.repo.diff(p.mergeBase(), p.headSHA)
	if err != nil {
		return nil, err
	}
	return list(c, files[:min(len(files), 3000)], func(f fileDiff) obj { return c.fileJSON(c.repo, f, p.headSHA) }), nil
}
