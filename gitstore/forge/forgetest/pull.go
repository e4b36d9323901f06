package forgetest

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/stretchr/testify/require"

	"github.com/driftback/driftback/gitstore/forge"
)

func (s *suite) emptyForge() {
	s.quiet(func() {
		require.Empty(s.t, s.pulls(forge.Filter{}))
		commands, cursor, err := s.Forge.Commands(s.ctx(), "")
		require.NoError(s.t, err)
		require.Empty(s.t, commands)
		require.NotEmpty(s.t, cursor, "a cursor to go on from")
		p, err := s.Forge.EnsurePull(s.ctx(), forge.Pull{Head: "nothing", State: forge.Closed})
		require.NoError(s.t, err, "what is not open needs no closing")
		require.Zero(s.t, p)
	})
}

func (s *suite) pullLife() {
	head := s.branch("topic", "a", "one\n")
	p := s.ensure(forge.Pull{Head: "topic", Base: Main, Title: "Drift of prod", Body: "A **body**", Labels: []string{"drift", "a"}})
	require.Positive(s.t, p.Number)
	require.Equal(s.t, forge.Open, p.State)
	require.Equal(s.t, "topic", p.Head)
	require.Equal(s.t, Main, p.Base)
	require.Equal(s.t, head, p.HeadID)
	require.Equal(s.t, "Drift of prod", p.Title)
	require.Equal(s.t, "A **body**", p.Body)
	require.ElementsMatch(s.t, []string{"drift", "a"}, p.Labels)
	require.NotEmpty(s.t, p.Author)
	require.False(s.t, p.Created.IsZero())
	require.False(s.t, p.Draft)
	require.Empty(s.t, p.MergeCommit)
	require.Equal(s.t, p, s.pull(p.Number), "what is returned is what is listed")

	changed := s.ensure(forge.Pull{Head: "topic", Base: Main, Title: "Drift of test", Draft: true, Labels: []string{"guard"}})
	require.Equal(s.t, p.Number, changed.Number)
	require.Equal(s.t, "Drift of test", changed.Title)
	require.Empty(s.t, changed.Body)
	require.True(s.t, changed.Draft)
	require.Equal(s.t, []string{"guard"}, changed.Labels)
	require.Equal(s.t, changed, s.pull(p.Number))

	for _, only := range []forge.Pull{
		{Title: "Drift of test", Draft: true, Labels: []string{"other"}},
		{Title: "Drift of test", Draft: true, Labels: []string{"other"}, Body: "b"},
		{Title: "Drift of test", Labels: []string{"other"}, Body: "b"},
		{Title: "Drift", Labels: []string{"other"}, Body: "b"},
	} {
		only.Head, only.Base = "topic", Main
		got := s.ensure(only)
		require.Equal(s.t, []any{only.Title, only.Draft, only.Labels, only.Body}, []any{got.Title, got.Draft, got.Labels, got.Body})
		require.Equal(s.t, got, s.pull(p.Number), "one thing changed")
	}

	ready := s.ensure(forge.Pull{Head: "topic", Title: "Drift of test"})
	require.False(s.t, ready.Draft, "a draft becomes ready")
	require.Empty(s.t, ready.Labels)
	require.Equal(s.t, Main, ready.Base, "an empty base leaves it as it is")

	s.Git.Set(s.t, "other", s.Git.Tip(s.t, Main))
	require.Equal(s.t, "other", s.ensure(forge.Pull{Head: "topic", Base: "other", Title: "Drift of test"}).Base)

	closed := s.ensure(forge.Pull{Head: "topic", State: forge.Closed})
	require.Equal(s.t, p.Number, closed.Number)
	require.Equal(s.t, forge.Closed, closed.State)
	require.NotEmpty(s.t, closed.ClosedBy)
	require.Equal(s.t, "Drift of test", closed.Title, "closing changes nothing else")
	require.Equal(s.t, closed, s.pull(p.Number))
	require.Equal(s.t, head, s.Git.Tip(s.t, "topic"), "its branch is left")
}

func (s *suite) pullTwice() {
	s.branch("topic", "a", "one\n")
	want := forge.Pull{Head: "topic", Base: Main, Title: "Title", Body: "Body\r\nof lines\n", Labels: []string{"b", "a", "b"}}
	first := s.ensure(want)
	s.quiet(func() { require.Equal(s.t, first, s.ensure(want)) })
	s.quiet(func() {
		again, err := s.Other(s.t).EnsurePull(s.ctx(), want)
		require.NoError(s.t, err)
		require.Equal(s.t, first, again, "nor by another client")
	})
	require.Len(s.t, s.pulls(forge.Filter{}), 1)

	s.ensure(forge.Pull{Head: "topic", State: forge.Closed})
	s.quiet(func() {
		require.Zero(s.t, s.ensure(forge.Pull{Head: "topic", State: forge.Closed}))
	})
}

func (s *suite) reviewers() {
	s.branch("topic", "a", "one\n")
	want := forge.Pull{Head: "topic", Base: Main, Title: "T", Reviewers: []string{s.Reviewer, s.Reviewer}}
	p := s.ensure(want)
	require.Equal(s.t, []string{s.Reviewer}, p.Reviewers)
	require.Equal(s.t, p, s.pull(p.Number))
	s.quiet(func() { require.Equal(s.t, p, s.ensure(want)) })
	want.Reviewers = nil
	s.quiet(func() { require.Equal(s.t, []string{s.Reviewer}, s.ensure(want).Reviewers, "nobody is removed") })
	want.Reviewers = []string{"two words"}
	_, err := s.Forge.EnsurePull(s.ctx(), want)
	require.ErrorIs(s.t, err, forge.ErrInvalid)

	require.False(s.t, p.Fork)
	require.NotEmpty(s.t, p.HeadRef, "where the head can be fetched")
}

func (s *suite) pullAgain() {
	first := s.opened("topic")
	s.ensure(forge.Pull{Head: "topic", State: forge.Closed})
	second := s.ensure(forge.Pull{Head: "topic", Base: Main, Title: "Again"})
	require.Greater(s.t, second.Number, first.Number, "what is closed stays so; a new one is opened")
	require.Equal(s.t, forge.Closed, s.pull(first.Number).State)
	require.Equal(s.t, forge.Open, s.pull(second.Number).State)
}

func (s *suite) pullInvalid() {
	s.branch("topic", "a", "one\n")
	for name, p := range map[string]forge.Pull{
		"no head":                {Base: Main, Title: "T"},
		"no base":                {Head: "topic", Title: "T"},
		"no title":               {Head: "topic", Base: Main},
		"a title of blanks":      {Head: "topic", Base: Main, Title: " \n\t"},
		"head is base":           {Head: Main, Base: Main, Title: "T"},
		"opened as merged":       {Head: "topic", Base: Main, Title: "T", State: forge.Merged},
		"a state not known":      {Head: "topic", Base: Main, Title: "T", State: "half"},
		"a body over the limit":  {Head: "topic", Base: Main, Title: "T", Body: strings.Repeat("x", forge.MaxBody+1)},
		"a head of two lines":    {Head: "topic\nmain", Base: Main, Title: "T"},
		"a head that leaves":     {Head: "../topic", Base: Main, Title: "T"},
		"a head with a colon":    {Head: "topic:refs/heads/main", Base: Main, Title: "T"},
		"a head like an option":  {Head: "--mirror", Base: Main, Title: "T"},
		"a base that is no name": {Head: "topic", Base: "a..b", Title: "T"},
	} {
		_, err := s.Forge.EnsurePull(s.ctx(), p)
		require.ErrorIs(s.t, err, forge.ErrInvalid, name)
	}
	require.Empty(s.t, s.pulls(forge.Filter{}))
}

func (s *suite) pullMissingBranch() {
	_, err := s.Forge.EnsurePull(s.ctx(), forge.Pull{Head: "nowhere", Base: Main, Title: "T"})
	require.ErrorIs(s.t, err, forge.ErrNotFound)
	s.branch("topic", "a", "one\n")
	_, err = s.Forge.EnsurePull(s.ctx(), forge.Pull{Head: "topic", Base: "nowhere", Title: "T"})
	require.ErrorIs(s.t, err, forge.ErrNotFound)
	require.Empty(s.t, s.pulls(forge.Filter{}))
	p := s.ensure(forge.Pull{Head: "topic", Base: Main, Title: "T"})
	_, err = s.Forge.EnsurePull(s.ctx(), forge.Pull{Head: "topic", Base: "nowhere", Title: "T"})
	require.ErrorIs(s.t, err, forge.ErrNotFound, "nor can it be moved there")
	require.Equal(s.t, p, s.pull(p.Number))
	_, err = s.Forge.Merge(s.ctx(), 4711, s.Git.Tip(s.t, "topic"), "")
	require.ErrorIs(s.t, err, forge.ErrNotFound)
}

func (s *suite) pullEmpty() {
	s.Git.Set(s.t, "topic", s.Git.Tip(s.t, Main))
	_, err := s.Forge.EnsurePull(s.ctx(), forge.Pull{Head: "topic", Base: Main, Title: "T"})
	require.ErrorIs(s.t, err, forge.ErrEmpty)
	require.Empty(s.t, s.pulls(forge.Filter{}))
}

func (s *suite) pullFilters() {
	s.Git.Set(s.t, "release", s.Git.Tip(s.t, Main))
	one, two, three := s.opened("one"), s.opened("two"), s.opened("three")
	s.branch("four", "four", "4\n")
	four := s.ensure(forge.Pull{Head: "four", Base: "release", Title: "Four"})
	require.IsIncreasing(s.t, []int{one.Number, two.Number, three.Number, four.Number})
	s.ensure(forge.Pull{Head: "two", State: forge.Closed})
	_, err := s.Forge.Merge(s.ctx(), one.Number, one.HeadID, "")
	require.NoError(s.t, err)
	five := s.ensure(forge.Pull{Head: "two", Base: Main, Title: "Two again"})

	for _, c := range []struct {
		filter forge.Filter
		want   []int
	}{
		{forge.Filter{}, []int{five.Number, four.Number, three.Number, two.Number, one.Number}},
		{forge.Filter{State: forge.Open}, []int{five.Number, four.Number, three.Number}},
		{forge.Filter{State: forge.Closed}, []int{two.Number}},
		{forge.Filter{State: forge.Merged}, []int{one.Number}},
		{forge.Filter{Head: "two"}, []int{five.Number, two.Number}},
		{forge.Filter{Head: "two", State: forge.Open}, []int{five.Number}},
		{forge.Filter{Base: "release"}, []int{four.Number}},
		{forge.Filter{Base: Main, State: forge.Merged}, []int{one.Number}},
		{forge.Filter{Newest: 2}, []int{five.Number, four.Number}},
		{forge.Filter{Base: Main, Newest: 1, State: forge.Merged}, []int{one.Number}},
		{forge.Filter{Head: "two", Newest: 9}, []int{five.Number, two.Number}},
		{forge.Filter{Head: "tw"}, nil},
		{forge.Filter{Head: "four", Base: Main}, nil},
	} {
		require.Equal(s.t, c.want, numbers(s.pulls(c.filter)), "%+v", c.filter)
	}
}

func (s *suite) pullTexts() {
	s.branch("grüße/世界-🎧", "a", "one\n")
	want := forge.Pull{
		Head: "grüße/世界-🎧", Base: Main,
		Title: "Wrap-up „ä“\n🎧\x1b[2J\u202e" + strings.Repeat("世", 400),
		Body:  hostile,
	}
	p := s.ensure(want)
	require.Equal(s.t, forge.CleanTitle(want.Title), p.Title)
	require.Equal(s.t, want.Head, p.Head)
	require.Equal(s.t, want.Body, p.Body)
	require.Equal(s.t, p, s.pull(p.Number))
	s.quiet(func() { require.Equal(s.t, p, s.ensure(want), "what was cleaned is not changed again") })

	want.Body = strings.Repeat("x", forge.MaxBody)
	require.Equal(s.t, want.Body, s.ensure(want).Body, "a body as long as may be")
}

func (s *suite) headMoves() {
	p := s.opened("topic")
	second := s.Git.Push(s.t, "topic", map[string]string{"more": "m\n"}, p.HeadID)
	require.Equal(s.t, second, s.pull(p.Number).HeadID, "a push moves the head")
	same := forge.Pull{Head: "topic", Base: Main, Title: p.Title}
	got := s.ensure(same)
	require.Equal(s.t, second, got.HeadID)
	require.Equal(s.t, p.Number, got.Number)
	s.quiet(func() { require.Equal(s.t, got, s.ensure(same)) })

	forced := s.branch("topic", "other", "o\n")
	require.Equal(s.t, forced, s.pull(p.Number).HeadID, "so does one by force")
	closed := s.ensure(forge.Pull{Head: "topic", State: forge.Closed})
	require.Equal(s.t, forced, closed.HeadID)
	s.Git.Push(s.t, "topic", map[string]string{"after": "a\n"}, forced)
	require.Equal(s.t, forced, s.pull(p.Number).HeadID, "closed, it keeps the head that it had")
}

func (s *suite) headVanishes() {
	p := s.opened("topic")
	s.Git.Set(s.t, "topic", "")
	got := s.pull(p.Number)
	require.NotEqual(s.t, forge.Merged, got.State, "no branch is not merged")
	require.Equal(s.t, p.HeadID, got.HeadID)
	_, err := s.Forge.Merge(s.ctx(), p.Number, p.HeadID, "")
	require.Error(s.t, err, "a branch that is gone does not merge")
}

func (s *suite) personCloses() {
	s.needs("Close and Reopen", s.Close != nil && s.Reopen != nil)
	p := s.opened("topic")
	s.Close(s.t, p.Number)
	require.Equal(s.t, forge.Closed, s.pull(p.Number).State)
	require.NotEmpty(s.t, s.pull(p.Number).ClosedBy)
	s.Reopen(s.t, p.Number)
	require.Equal(s.t, forge.Open, s.pull(p.Number).State)
	require.Empty(s.t, s.pull(p.Number).ClosedBy)
	s.quiet(func() {
		got := s.ensure(forge.Pull{Head: "topic", Base: Main, Title: p.Title})
		require.Equal(s.t, p.Number, got.Number)
	})
}

func (s *suite) pullRace() {
	s.branch("topic", "a", "one\n")
	clients := []forge.Forge{s.Forge, s.Other(s.t), s.Forge, s.Other(s.t)}
	got := make([]forge.Pull, len(clients))
	errs := make([]error, len(clients))
	var all sync.WaitGroup
	for i, client := range clients {
		all.Go(func() {
			got[i], errs[i] = client.EnsurePull(s.ctx(), forge.Pull{Head: "topic", Base: Main, Title: "T"})
		})
	}
	all.Wait()
	for i := range clients {
		require.NoError(s.t, errs[i])
		require.Equal(s.t, got[0].Number, got[i].Number)
	}
	require.Len(s.t, s.pulls(forge.Filter{}), 1, "one pull request, whoever was first")
}

func (s *suite) pullCrowd() {
	const crowd = 6
	for i := range crowd {
		s.branch(fmt.Sprintf("topic-%d", i), fmt.Sprintf("file-%d", i), "x\n")
	}
	errs := make([]error, crowd)
	var all sync.WaitGroup
	for i := range crowd {
		client := s.Forge
		if i%2 == 1 {
			client = s.Other(s.t)
		}
		all.Go(func() {
			head := fmt.Sprintf("topic-%d", i)
			_, errs[i] = client.EnsurePull(s.ctx(), forge.Pull{Head: head, Base: Main, Title: head})
		})
	}
	all.Wait()
	for _, err := range errs {
		require.NoError(s.t, err)
	}
	pulls := s.pulls(forge.Filter{State: forge.Open})
	require.Len(s.t, pulls, crowd)
	n := numbers(pulls)
	require.IsDecreasing(s.t, n, "no number twice")
	heads := map[string]bool{}
	for _, p := range pulls {
		require.Equal(s.t, p.Head, p.Title)
		heads[p.Head] = true
	}
	require.Len(s.t, heads, crowd)
	require.False(s.t, slices.Contains(n, 0))
}
