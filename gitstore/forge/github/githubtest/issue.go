package githubtest

import (
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

type comment struct {
	id               int64
	pull             *pull
	author           *Account
	body             string
	created, updated time.Time
	reactions        []*reaction
	app              *App
}

type reaction struct {
	id      int64
	author  *Account
	content string
	at      time.Time
}

type label struct {
	id                       int64
	name, color, description string
}

const maxComments = 2500 // of one issue

// Comments and labels belong to issues; each pull request is one. Others there are none here.

func (c *call) comment() (*comment, error) {
	id := c.number("comment_id")
	for _, m := range c.repo.comments {
		if m.id == id {
			return m, nil
		}
	}
	return nil, notFound()
}

func listComments(c *call) (any, error) {
	p, err := c.pull("issue_number")
	if err != nil {
		return nil, err
	}
	since, err := c.since()
	if err != nil {
		return nil, err
	}
	var found []*comment
	for _, m := range c.repo.comments {
		if m.pull == p && !m.updated.Before(since) {
			found = append(found, m)
		}
	}
	return list(c, found, c.commentJSON), nil
}

func (c *call) since() (time.Time, error) {
	s := c.query.Get("since")
	if s == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return t, refuse(http.StatusUnprocessableEntity, "since is not a time in ISO 8601")
	}
	return t, nil
}

func listRepoComments(c *call) (any, error) {
	since, err := c.since()
	if err != nil {
		return nil, err
	}
	key := func(m *comment) time.Time { return time.Time{} } // by id
	switch c.query.Get("sort") {
	case "created":
		key = func(m *comment) time.Time { return m.created }
	case "updated":
		key = func(m *comment) time.Time { return m.updated }
	}
	var found []*comment
	for _, m := range c.repo.comments {
		if !m.updated.Before(since) {
			found = append(found, m)
		}
	}
	slices.SortStableFunc(found, func(a, b *comment) int { return key(a).Compare(key(b)) })
	// GitHub ignores the direction where no sort is asked for.
	if c.query.Get("sort") != "" && c.query.Get("direction") != "asc" {
		slices.Reverse(found)
	}
	return list(c, found, c.commentJSON), nil
}

func createComment(c *call) (any, error) {
	p, err := c.pull("issue_number")
	if err != nil {
		return nil, err
	}
	body, err := c.commentBody()
	if err != nil {
		return nil, err
	}
	n := 0
	for _, m := range c.repo.comments {
		if m.pull == p {
			n++
		}
	}
	if n >= maxComments {
		return nil, refuse(http.StatusForbidden, "Commenting is disabled on issues with more than 2500 comments")
	}
	m := &comment{id: c.id(), pull: p, author: c.who.account, body: body, created: c.now(), updated: c.now(), app: c.who.app}
	c.repo.comments = append(c.repo.comments, m)
	p.updated = c.now()
	c.repo.emitComment("created", m, c.who.account, nil)
	return &reply{status: http.StatusCreated, body: c.commentJSON(m), header: http.Header{"Location": {c.commentURL(m)}}}, nil
}

func (c *call) commentBody() (string, error) {
	var ask struct{ Body string }
	if err := c.decode(&ask); err != nil {
		return "", err
	}
	switch {
	case strings.TrimSpace(ask.Body) == "":
		return "", invalid("IssueComment", "data", "unprocessable", "Body can't be blank")
	case utf8.RuneCountInString(ask.Body) > maxBody:
		return "", invalid("IssueComment", "data", "unprocessable", "Body is too long (maximum is 65536 characters)")
	}
	return ask.Body, nil
}

func getComment(c *call) (any, error) {
	m, err := c.comment()
	if err != nil {
		return nil, err
	}
	return c.commentJSON(m), nil
}

// mayChange is whether somebody may change or delete a comment: their own, or with the role write.
func (c *call) mayChange(m *comment) error {
	if m.author == c.who.account || c.who.app != nil || atLeast(c.repo.role(c.who.login()), "write") {
		return nil
	}
	return refuse(http.StatusForbidden, "Must have admin rights to Repository.")
}

func updateComment(c *call) (any, error) {
	m, err := c.comment()
	if err != nil {
		return nil, err
	}
	if err := c.mayChange(m); err != nil {
		return nil, err
	}
	body, err := c.commentBody()
	if err != nil {
		return nil, err
	}
	if from := m.body; body != from {
		m.body, m.updated = body, c.now()
		c.repo.emitComment("edited", m, c.who.account, obj{"changes": obj{"body": obj{"from": from}}})
	}
	return c.commentJSON(m), nil
}

func deleteComment(c *call) (any, error) {
	m, err := c.comment()
	if err != nil {
		return nil, err
	}
	if err := c.mayChange(m); err != nil {
		return nil, err
	}
	c.repo.comments = slices.DeleteFunc(c.repo.comments, func(x *comment) bool { return x == m })
	c.repo.emitComment("deleted", m, c.who.account, nil)
	return nil, nil
}

func listReactions(c *call) (any, error) {
	m, err := c.comment()
	if err != nil {
		return nil, err
	}
	var found []*reaction
	for _, r := range m.reactions {
		if want := c.query.Get("content"); want == "" || want == r.content {
			found = append(found, r)
		}
	}
	return list(c, found, c.reactionJSON), nil
}

func createReaction(c *call) (any, error) {
	m, err := c.comment()
	if err != nil {
		return nil, err
	}
	var ask struct{ Content string }
	if err := c.decode(&ask); err != nil {
		return nil, err
	}
	if !slices.Contains(reactionNames, ask.Content) {
		return nil, invalid("Reaction", "content", "invalid", "")
	}
	for _, r := range m.reactions {
		if r.author == c.who.account && r.content == ask.Content {
			return &reply{status: http.StatusOK, body: c.reactionJSON(r)}, nil
		}
	}
	r := &reaction{c.id(), c.who.account, ask.Content, c.now()}
	m.reactions = append(m.reactions, r)
	return &reply{status: http.StatusCreated, body: c.reactionJSON(r)}, nil
}

func deleteReaction(c *call) (any, error) {
	m, err := c.comment()
	if err != nil {
		return nil, err
	}
	id, n := c.number("reaction_id"), len(m.reactions)
	m.reactions = slices.DeleteFunc(m.reactions, func(r *reaction) bool { return r.id == id })
	if len(m.reactions) == n {
		return nil, notFound()
	}
	return nil, nil
}

func getIssue(c *call) (any, error) {
	p, err := c.pull("issue_number")
	if err != nil {
		return nil, err
	}
	return c.issueJSON(p), nil
}

func listIssues(c *call) (any, error) {
	since, err := c.since()
	if err != nil {
		return nil, err
	}
	state := orElse(c.query.Get("state"), "open")
	var found []*pull
	for _, p := range c.repo.pulls {
		if (state == "all" || p.open == (state == "open")) && !p.updated.Before(since) && p.hasLabels(c.query.Get("labels")) {
			found = append(found, p)
		}
	}
	if c.query.Get("sort") == "updated" {
		slices.SortStableFunc(found, func(a, b *pull) int { return a.updated.Compare(b.updated) })
	}
	if c.query.Get("direction") != "asc" {
		slices.Reverse(found)
	}
	return list(c, found, c.issueJSON), nil
}

func (p *pull) hasLabels(names string) bool {
	for name := range strings.SplitSeq(names, ",") {
		if name != "" && !slices.ContainsFunc(p.labels, func(l *label) bool { return strings.EqualFold(l.name, name) }) {
			return false
		}
	}
	return true
}

func (r *Repo) label(name string) *label {
	for _, l := range r.labels {
		if strings.EqualFold(l.name, name) {
			return l
		}
	}
	return nil
}

// addLabel makes a label, as giving one to an issue does.
func (c *call) addLabel(name, color, description string) (*label, error) {
	if name == "" || utf8.RuneCountInString(name) > 50 {
		return nil, invalid("Label", "name", "invalid", "")
	}
	if l := c.repo.label(name); l != nil {
		return l, nil
	}
	l := &label{c.id(), name, orElse(color, "ededed"), description}
	c.repo.labels = append(c.repo.labels, l)
	return l, nil
}

func listRepoLabels(c *call) (any, error) { return list(c, c.repo.labels, c.labelJSON), nil }

func createLabel(c *call) (any, error) {
	var ask struct{ Name, Color, Description string }
	if err := c.decode(&ask); err != nil {
		return nil, err
	}
	if c.repo.label(ask.Name) != nil {
		return nil, invalid("Label", "name", "already_exists", "")
	}
	if utf8.RuneCountInString(ask.Description) > 100 {
		return nil, invalid("Label", "description", "custom", "description is too long (maximum is 100 characters)")
	}
	if ask.Color != "" && (len(ask.Color) != 6 || strings.Trim(strings.ToLower(ask.Color), "0123456789abcdef") != "") {
		return nil, invalid("Label", "color", "invalid", "")
	}
	l, err := c.addLabel(ask.Name, ask.Color, ask.Description)
	if err != nil {
		return nil, err
	}
	return c.labelJSON(l), nil
}

func getLabel(c *call) (any, error) {
	l := c.repo.label(c.params["name"])
	if l == nil {
		return nil, notFound()
	}
	return c.labelJSON(l), nil
}

func updateLabel(c *call) (any, error) {
	l := c.repo.label(c.params["name"])
	if l == nil {
		return nil, notFound()
	}
	var ask struct {
		NewName            *string `json:"new_name"`
		Color, Description *string
	}
	if err := c.decode(&ask); err != nil {
		return nil, err
	}
	set(&l.name, ask.NewName)
	set(&l.color, ask.Color)
	set(&l.description, ask.Description)
	return c.labelJSON(l), nil
}

func listLabels(c *call) (any, error) {
	p, err := c.pull("issue_number")
	if err != nil {
		return nil, err
	}
	return list(c, p.labels, c.labelJSON), nil
}

// labelNames reads names, in one of the forms in which they are sent.
func (c *call) labelNames() ([]string, error) {
	var names []string
	var plain struct{ Labels []any }
	body := strings.TrimSpace(string(c.body))
	if strings.HasPrefix(body, "[") {
		return names, c.decode(&names)
	}
	if err := c.decode(&plain); err != nil {
		return nil, err
	}
	for _, l := range plain.Labels {
		switch l := l.(type) {
		case string:
			names = append(names, l)
		case map[string]any:
			name, _ := l["name"].(string)
			names = append(names, name)
		}
	}
	return names, nil
}

// changeLabels makes an issue have labels.
func changeLabels(replace bool) func(*call) (any, error) {
	return func(c *call) (any, error) {
		p, err := c.pull("issue_number")
		if err != nil {
			return nil, err
		}
		names, err := c.labelNames()
		if err != nil {
			return nil, err
		}
		before, next := p.labels, slices.Clone(p.labels)
		if replace {
			next = nil
		}
		for _, name := range names {
			l, err := c.addLabel(name, "", "")
			if err != nil {
				return nil, err
			}
			if !slices.Contains(next, l) {
				next = append(next, l)
			}
		}
		if len(next) > 100 {
			return nil, invalid("Issue", "labels", "custom", "labels is too long (maximum is 100)")
		}
		p.labels = next
		c.labelled(p, before)
		return list(c, p.labels, c.labelJSON), nil
	}
}

func (c *call) labelled(p *pull, before []*label) {
	for _, l := range p.labels {
		if !slices.Contains(before, l) {
			p.updated = c.now()
			c.repo.emitPull("labeled", p, c.who.account, obj{"label": c.labelJSON(l)})
		}
	}
	for _, l := range before {
		if !slices.Contains(p.labels, l) {
			p.updated = c.now()
			c.repo.emitPull("unlabeled", p, c.who.account, obj{"label": c.labelJSON(l)})
		}
	}
}

func removeLabel(c *call) (any, error) {
	p, err := c.pull("issue_number")
	if err != nil {
		return nil, err
	}
	l := c.repo.label(c.params["name"])
	if l == nil || !slices.Contains(p.labels, l) {
		return nil, refuse(http.StatusNotFound, "Label does not exist")
	}
	before := p.labels
	p.labels = slices.DeleteFunc(slices.Clone(before), func(x *label) bool { return x == l })
	c.labelled(p, before)
	return list(c, p.labels, c.labelJSON), nil
}

func removeLabels(c *call) (any, error) {
	p, err := c.pull("issue_number")
	if err != nil {
		return nil, err
	}
	before := p.labels
	p.labels = nil
	c.labelled(p, before)
	return nil, nil
}
