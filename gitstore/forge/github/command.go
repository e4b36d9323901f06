package github

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	gh "github.com/google/go-github/v60/github"

	"github.com/driftback/driftback/gitstore/forge"
)

// A cursor is how far comments were read: up to a time, in seconds, and which
// comments of the overlap before it were handed out. GitHub orders by seconds and may
// show a comment a little late, so each call looks back over the overlap.
type cursor struct {
	at   time.Time
	seen []int64
}

const (
	overlap = time.Minute
	// advance is how far behind the newest comment a cursor may stay while nothing comes: so that it, and what
	// it is kept in, does not change with every comment that is no command.
	advance = time.Hour
	maxSeen = 1000
)

func (c cursor) String() string {
	s := "1:" + strconv.FormatInt(c.at.Unix(), 10)
	for _, id := range c.seen {
		s += ":" + strconv.FormatInt(id, 36)
	}
	return s
}

func parseCursor(s string) (c cursor, err error) {
	bad := fmt.Errorf("github: cursor %.40q: %w", s, forge.ErrInvalid)
	parts := strings.Split(s, ":")
	if len(parts) < 2 || parts[0] != "1" || len(parts) > maxSeen+2 {
		return c, bad
	}
	sec, err := strconv.ParseInt(parts[1], 10, 64)
	if err != nil || sec < 0 || sec > 1<<40 {
		return c, bad
	}
	c.at = time.Unix(sec, 0).UTC()
	for _, p := range parts[2:] {
		id, err := strconv.ParseInt(p, 36, 64)
		if err != nil {
			return c, bad
		}
		c.seen = append(c.seen, id)
	}
	return c, nil
}

// commandID and commentOf: the id of a command is its comment's, and the line's place in it.
func commandID(comment int64, line int) string { return fmt.Sprintf("%d.%d", comment, line+1) }

func commentOf(id string) (int64, error) {
	comment, line, ok := strings.Cut(id, ".")
	n, err := strconv.ParseInt(comment, 10, 64)
	if _, lineErr := strconv.Atoi(line); !ok || err != nil || lineErr != nil || n <= 0 {
		return 0, fmt.Errorf("no id of a command: %w", forge.ErrInvalid)
	}
	return n, nil
}

// Commands implements forge.Forge. Comments of bots, on pull requests from forks, and edited ones are none.
func (f *Forge) Commands(ctx context.Context, since string) ([]forge.Command, string, error) {
	me, err := f.me(ctx)
	if err != nil {
		return nil, since, err
	}
	from := cursor{at: f.opt.Now().Add(-5 * time.Minute)}
	if since != "" {
		if from, err = parseCursor(since); err != nil {
			return nil, since, err
		}
	}
	comments, now, err := f.commentsSince(ctx, from.at.Add(-overlap))
	if err != nil {
		return nil, since, err
	}
	next := cursor{at: from.at}
	for _, c := range comments {
		if at := dated(c.GetUpdatedAt()); at.After(next.at) {
			next.at = at
		}
	}
	if since == "" {
		next.at = now.Truncate(time.Second)
	}
	words := slices.DeleteFunc(comments, func(c *gh.IssueComment) bool { return !isCommand(c, me) })
	var commands []forge.Command
	found := false
	for _, c := range words {
		created, id := dated(c.GetCreatedAt()), c.GetID()
		if !created.Before(next.at.Add(-overlap)) {
			next.seen = append(next.seen, id)
		}
		if since == "" || created.Before(from.at.Add(-overlap)) || slices.Contains(from.seen, id) {
			continue
		}
		found = true
		more, err := f.said(ctx, c)
		if err != nil {
			return nil, since, err
		}
		commands = append(commands, more...)
	}
	if since != "" && !found && next.at.Sub(from.at) < advance {
		next = from
	}
	next.seen = next.seen[max(0, len(next.seen)-maxSeen):]
	return commands, next.String(), nil
}

// commentsSince returns the comments of all pull requests and issues that were made or changed since, oldest
// first, and the server's time.
func (f *Forge) commentsSince(ctx context.Context, since time.Time) ([]*gh.IssueComment, time.Time, error) {
	var all []*gh.IssueComment
	now := f.opt.Now()
	since = since.UTC().Truncate(time.Second)
	o := gh.IssueListCommentsOptions{Sort: gh.String("created"), Direction: gh.String("asc"), Since: &since}
	err := pages(func(page gh.ListOptions) (*gh.Response, error) {
		o.ListOptions = page
		list, res, err := f.client.Issues.ListComments(ctx, f.owner, f.repo, 0, &o)
		all = append(all, list...)
		if err == nil {
			if date, dateErr := http.ParseTime(res.Header.Get("Date")); dateErr == nil {
				now = date
			}
		}
		return res, err
	})
	if err != nil {
		return nil, now, f.fail(ctx, "list comments", err)
	}
	slices.SortStableFunc(all, func(a, b *gh.IssueComment) int {
		return cmp.Or(a.GetCreatedAt().Compare(b.GetCreatedAt().Time), compare(a.GetID(), b.GetID()))
	})
	return slices.CompactFunc(all, func(a, b *gh.IssueComment) bool { return a.GetID() == b.GetID() }), now, nil
}

// isCommand reports whether a comment may hold commands: a person's, on a pull request, never edited.
func isCommand(c *gh.IssueComment, me string) bool {
	login := c.GetUser().GetLogin()
	_, _, keyed := unmarked(c.GetBody())
	return login != "" && c.GetUser().GetType() != "Bot" && !strings.HasSuffix(login, "[bot]") && !(strings.EqualFold(login, me) && keyed) &&
		c.GetCreatedAt().Equal(c.GetUpdatedAt()) && strings.Contains(c.GetHTMLURL(), "/pull/") &&
		len(forge.CommandLines(c.GetBody())) > 0
}

// said returns the commands of a comment, with what its author may do; none on a pull request from a fork.
func (f *Forge) said(ctx context.Context, c *gh.IssueComment) ([]forge.Command, error) {
	n, err := strconv.Atoi(path.Base(c.GetIssueURL()))
	if err != nil {
		return nil, nil //nolint:nilerr // no pull request's
	}
	pull, _, err := f.client.PullRequests.Get(ctx, f.owner, f.repo, n)
	if isCode(err, http.StatusNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, f.fail(ctx, fmt.Sprintf("read pull request #%d", n), err)
	}
	login := c.GetUser().GetLogin()
	if toPull(pull).Fork {
		f.log.Info("a command on a pull request from a fork is left alone", "pull", n, "author", login)
		return nil, nil
	}
	write, err := f.mayWrite(ctx, login)
	if err != nil {
		return nil, err
	}
	teams, err := f.teamsOf(ctx, login)
	if err != nil {
		return nil, err
	}
	var out []forge.Command
	for i, line := range forge.CommandLines(c.GetBody()) {
		out = append(out, forge.Command{
			ID: commandID(c.GetID(), i), Pull: n, Author: login, Text: line, At: dated(c.GetCreatedAt()), Write: write, Teams: teams,
		})
	}
	return out, nil
}

// mayWrite reports whether a person may write to the repository.
func (f *Forge) mayWrite(ctx context.Context, login string) (bool, error) {
	level, _, err := f.client.Repositories.GetPermissionLevel(ctx, f.owner, f.repo, login)
	if isCode(err, http.StatusNotFound) {
		return false, nil
	}
	if err != nil {
		return false, f.fail(ctx, "ask what "+login+" may do", err)
	}
	return slices.Contains([]string{"admin", "maintain", "write"}, level.GetPermission()), nil
}

// teamsOf returns those of the configured teams whose active member a person is. Where the app may not ask, it is
// told once and nobody is a member.
func (f *Forge) teamsOf(ctx context.Context, login string) ([]string, error) {
	var in []string
	for _, team := range f.teams {
		org, slug, _ := strings.Cut(team, "/")
		m, _, err := f.client.Teams.GetTeamMembershipBySlug(ctx, org, slug, login)
		switch {
		case err == nil && m.GetState() == "active":
			in = append(in, team)
		case err == nil || isCode(err, http.StatusNotFound):
		case isCode(err, http.StatusForbidden):
			if f.once("team " + team) {
				f.log.Error("nobody counts as a member of a team", "team", team, "err", f.fail(ctx, "ask who is in team "+team, err))
			}
		default:
			return nil, f.fail(ctx, "ask who is in team "+team, err)
		}
	}
	return in, nil
}
