package github_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/driftback/driftback/gitstore/forge"
	"github.com/driftback/driftback/gitstore/forge/forgetest"
	"github.com/driftback/driftback/gitstore/forge/github/githubtest"
)

// as makes a request with another person's token.
func (s *site) as(t *testing.T, token string, f func()) {
	t.Helper()
	before := s.ann
	s.ann = token
	defer func() { s.ann = before }()
	f()
}

// Commands are those of people who wrote them once, on pull requests of the repository itself; what they may do is told.
func TestWhoseCommands(t *testing.T) {
	t.Parallel()
	var later atomic.Int64 // seconds
	s := newSite(t, githubtest.Options{Now: func() time.Time { return time.Now().Add(time.Duration(later.Load()) * time.Second) }})
	f := s.client(t, s.options(true))
	s.repo.Push(t, "topic", map[string]string{"a": "1\n"}, s.repo.Tip(t, forgetest.Main))
	p, err := f.EnsurePull(t.Context(), forge.Pull{Head: "topic", Base: forgetest.Main, Title: "T"})
	require.NoError(t, err)
	fork := s.repo.Fork("eve")
	s.repo.Grant("eve", "read")
	fork.PushAs(t, githubtest.Person{Login: "eve", Name: "Eve", Email: "eve@example.org"}, "theirs", map[string]string{"b": "1\n"}, fork.Tip(t, forgetest.Main))
	var forked struct{ Number int }
	s.as(t, s.Token("eve"), func() {
		s.person(t, "POST", "/pulls", map[string]any{"title": "From a fork", "head": "eve:theirs", "base": forgetest.Main}, &forked)
	})
	_, cursor, err := f.Commands(t.Context(), "")
	require.NoError(t, err)

	s.comment(t, p.Number, "/by ann")
	s.as(t, s.Token("bob"), func() { s.comment(t, p.Number, "/by bob") })
	s.as(t, s.inst.Token(), func() { s.comment(t, p.Number, "/by a bot") })
	s.comment(t, forked.Number, "/on a fork")
	var edited struct{ ID int64 }
	s.person(t, "POST", fmt.Sprintf("/issues/%d/comments", p.Number), map[string]string{"body": "fine"}, &edited)
	later.Add(2)
	s.edit(t, edited.ID, "/smuggled in")

	got, next, err := f.Commands(t.Context(), cursor)
	require.NoError(t, err)
	require.Len(t, got, 2)
	require.Equal(t, []string{"/by ann", "/by bob"}, []string{got[0].Text, got[1].Text})
	require.True(t, got[0].Write)
	require.Equal(t, []string{owner + "/operators"}, got[0].Teams)
	require.False(t, got[1].Write)
	require.Equal(t, []string{owner + "/others"}, got[1].Teams)
	none, same, err := f.Commands(t.Context(), next)
	require.NoError(t, err)
	require.Empty(t, none)
	require.Equal(t, next, same, "a cursor does not move for nothing")

	pulls, err := f.Pulls(t.Context(), forge.Filter{State: forge.Open})
	require.NoError(t, err)
	require.Len(t, pulls, 2)
	require.True(t, pulls[0].Fork)
	require.False(t, pulls[1].Fork)
	require.Equal(t, fmt.Sprintf("refs/pull/%d/head", forked.Number), pulls[0].HeadRef)
	require.Contains(t, s.git(t, "for-each-ref"), pulls[0].HeadRef)
	_, err = f.EnsurePull(t.Context(), forge.Pull{Head: "theirs", State: forge.Closed})
	require.NoError(t, err)
	pulls, err = f.Pulls(t.Context(), forge.Filter{State: forge.Open, Head: "theirs"})
	require.NoError(t, err)
	require.Empty(t, pulls, "a fork's branch is not ours")
}

// Somebody else's labels stay, and so does whoever asked not to be asked again.
func TestLabelsAndReviewersOfOthers(t *testing.T) {
	t.Parallel()
	s := newSite(t, githubtest.Options{})
	f := s.client(t, s.options(true))
	s.repo.Push(t, "topic", map[string]string{"a": "1\n"}, s.repo.Tip(t, forgetest.Main))
	want := forge.Pull{Head: "topic", Base: forgetest.Main, Title: "T", Body: "b", Labels: []string{"drift", "guard"}, Reviewers: []string{"bob"}}
	p, err := f.EnsurePull(t.Context(), want)
	require.NoError(t, err)
	s.person(t, "POST", fmt.Sprintf("/issues/%d/labels", p.Number), map[string][]string{"labels": {"reviewed"}}, nil)
	s.person(t, "DELETE", fmt.Sprintf("/pulls/%d/requested_reviewers", p.Number), map[string][]string{"reviewers": {"bob"}}, nil)
	writes := s.Writes()
	p, err = f.EnsurePull(t.Context(), want)
	require.NoError(t, err)
	require.Equal(t, writes, s.Writes())
	require.Equal(t, []string{"drift", "guard", "reviewed"}, p.Labels)
	require.Empty(t, p.Reviewers)
	want.Labels = []string{"Drift"}
	p, err = f.EnsurePull(t.Context(), want)
	require.NoError(t, err)
	require.Equal(t, []string{"drift", "reviewed"}, p.Labels)
	writes = s.Writes()
	_, err = f.EnsurePull(t.Context(), want)
	require.NoError(t, err)
	require.Equal(t, writes, s.Writes())
}

// Reviewers are found by address where GitHub knows them; who cannot be asked is left out, and told.
func TestReviewersByAddress(t *testing.T) {
	t.Parallel()
	s := newSite(t, githubtest.Options{})
	var log bytes.Buffer
	o := s.options(true)
	o.Logger = slog.New(slog.NewTextHandler(&log, nil))
	o.Logins = map[string]string{"b.roe@corp.example": "bob"}
	f := s.client(t, o)
	for email, want := range map[string]string{
		"B.Roe@corp.example":                     "bob",     // configured
		"eve@example.org":                        "eve",     // a public profile
		"nobody@example.org":                     "",        // nobody
		"12345+octocat@users.noreply.github.com": "octocat", // GitHub's own
		"not an address":                         "",
	} {
		login, err := f.Login(t.Context(), email)
		require.NoError(t, err)
		require.Equal(t, want, login, email)
	}
	before := len(s.Requests())
	_, err := f.Login(t.Context(), "nobody@example.org")
	require.NoError(t, err)
	require.Len(t, s.Requests(), before, "what is not known is not asked for again at once")

	s.repo.Push(t, "topic", map[string]string{"a": "1\n"}, s.repo.Tip(t, forgetest.Main))
	p, err := f.EnsurePull(t.Context(), forge.Pull{Head: "topic", Base: forgetest.Main, Title: "T",
		Reviewers: []string{"b.roe@corp.example", "nobody@example.org", "stranger", owner + "/operators", "driftback[bot]"}})
	require.NoError(t, err)
	require.Contains(t, p.Reviewers, "bob")
	require.NotContains(t, strings.Join(p.Reviewers, " "), "stranger")
	require.Contains(t, log.String(), "a reviewer cannot be asked")
}

// Two comments with one key, as a crash between writing and looking leaves them, become one.
func TestCommentTwins(t *testing.T) {
	t.Parallel()
	s := newSite(t, githubtest.Options{})
	f := s.client(t, s.options(true))
	s.repo.Push(t, "topic", map[string]string{"a": "1\n"}, s.repo.Tip(t, forgetest.Main))
	p, err := f.EnsurePull(t.Context(), forge.Pull{Head: "topic", Base: forgetest.Main, Title: "T"})
	require.NoError(t, err)
	for i := range 120 { // our own is not on the first page
		s.comment(t, p.Number, fmt.Sprintf("chatter %d", i))
	}
	require.NoError(t, f.EnsureComment(t.Context(), p.Number, "plan", "a plan"))
	comments, err := f.Comments(t.Context(), p.Number)
	require.NoError(t, err)
	require.Len(t, comments, 121)
	var raw []struct{ Body string }
	s.person(t, "GET", fmt.Sprintf("/issues/%d/comments?per_page=100&page=2", p.Number), nil, &raw)
	copied := raw[len(raw)-1].Body
	s.comment(t, p.Number, copied) // a person's copy is not ours
	s.as(t, s.inst.Token(), func() { s.comment(t, p.Number, copied) })
	require.NoError(t, f.EnsureComment(t.Context(), p.Number, "plan", "another plan"))
	comments, err = f.Comments(t.Context(), p.Number)
	require.NoError(t, err)
	require.Len(t, comments, 122)
	require.Equal(t, "another plan", comments[120].Body)
	require.Equal(t, copied, comments[121].Body)
}
