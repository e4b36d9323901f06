package forgetest

import (
	"sync"

	"github.com/stretchr/testify/require"

	"github.com/driftback/driftback/gitstore/forge"
)

func (s *suite) merge() {
	p := s.opened("topic")
	base := s.Git.Push(s.t, Main, map[string]string{"meanwhile": "m\n"}, s.Git.Tip(s.t, Main))
	got, err := s.Forge.Merge(s.ctx(), p.Number, p.HeadID, "Accepted-by: ann")
	require.NoError(s.t, err)
	require.Equal(s.t, forge.Merged, got.State)
	require.Equal(s.t, p.HeadID, got.HeadID)
	require.NotEmpty(s.t, got.ClosedBy)
	require.Equal(s.t, got, s.pull(p.Number))

	tip := s.Git.Tip(s.t, Main)
	require.Equal(s.t, tip, got.MergeCommit)
	require.Equal(s.t, []string{base, p.HeadID}, s.Git.Parents(s.t, tip))
	require.Contains(s.t, s.Git.Message(s.t, tip), "Accepted-by: ann")
	require.Equal(s.t, "from topic\n", s.Git.File(s.t, tip, "topic.txt"))
	require.Equal(s.t, "m\n", s.Git.File(s.t, tip, "meanwhile"))

	second := s.Git.Push(s.t, "topic", map[string]string{"again": "a\n"}, p.HeadID)
	next := s.ensure(forge.Pull{Head: "topic", Base: Main, Title: "Again"})
	require.Greater(s.t, next.Number, p.Number, "the branch's next commits are another pull request")
	require.Equal(s.t, second, next.HeadID)
	require.Equal(s.t, got, s.pull(p.Number), "and what is merged stays as it is")
}

func (s *suite) mergeTwice() {
	p := s.opened("topic")
	first, err := s.Forge.Merge(s.ctx(), p.Number, p.HeadID, "")
	require.NoError(s.t, err)
	tip := s.Git.Tip(s.t, Main)
	s.quiet(func() {
		again, err := s.Other(s.t).Merge(s.ctx(), p.Number, p.HeadID, "")
		require.NoError(s.t, err)
		require.Equal(s.t, first, again)
	})
	require.Equal(s.t, tip, s.Git.Tip(s.t, Main))
}

func (s *suite) mergeConflict() {
	s.branch("topic", "README", "theirs\n")
	p := s.ensure(forge.Pull{Head: "topic", Base: Main, Title: "T"})
	tip := s.Git.Push(s.t, Main, map[string]string{"README": "ours\n"}, s.Git.Tip(s.t, Main))
	_, err := s.Forge.Merge(s.ctx(), p.Number, p.HeadID, "")
	require.ErrorIs(s.t, err, forge.ErrConflict)
	require.Equal(s.t, forge.Open, s.pull(p.Number).State)
	require.Equal(s.t, tip, s.Git.Tip(s.t, Main), "nothing was merged")
}

func (s *suite) mergeMoved() {
	p := s.opened("topic")
	tip := s.Git.Tip(s.t, Main)
	moved := s.Git.Push(s.t, "topic", map[string]string{"unseen": "u\n"}, p.HeadID)
	_, err := s.Forge.Merge(s.ctx(), p.Number, p.HeadID, "")
	require.ErrorIs(s.t, err, forge.ErrMoved, "what nobody looked at is not merged")
	require.Equal(s.t, tip, s.Git.Tip(s.t, Main))
	got, err := s.Forge.Merge(s.ctx(), p.Number, moved, "")
	require.NoError(s.t, err)
	require.Equal(s.t, moved, got.HeadID)
}

func (s *suite) mergeNotAllowed() {
	p := s.opened("topic")
	tip := s.Git.Tip(s.t, Main)
	s.ensure(forge.Pull{Head: "topic", Base: Main, Title: p.Title, Draft: true})
	_, err := s.Forge.Merge(s.ctx(), p.Number, p.HeadID, "")
	require.ErrorIs(s.t, err, forge.ErrNotAllowed, "a draft")
	s.ensure(forge.Pull{Head: "topic", Base: Main, Title: p.Title})
	s.ensure(forge.Pull{Head: "topic", State: forge.Closed})
	_, err = s.Forge.Merge(s.ctx(), p.Number, p.HeadID, "")
	require.ErrorIs(s.t, err, forge.ErrNotAllowed, "what is closed")
	require.Equal(s.t, tip, s.Git.Tip(s.t, Main))
}

func (s *suite) mergeProtected() {
	s.needs("Protected branch", s.Protected != "")
	s.branch("topic", "a", "one\n")
	p := s.ensure(forge.Pull{Head: "topic", Base: s.Protected, Title: "T"})
	tip := s.Git.Tip(s.t, s.Protected)
	if f, ok := s.Forge.(forge.Protector); ok {
		for branch, want := range map[string]bool{s.Protected: true, Main: false} {
			got, err := f.Protected(s.ctx(), branch)
			require.NoError(s.t, err)
			require.Equal(s.t, want, got, branch)
		}
	}
	_, err := s.Forge.Merge(s.ctx(), p.Number, p.HeadID, "")
	require.ErrorIs(s.t, err, forge.ErrNotAllowed)
	require.Equal(s.t, forge.Open, s.pull(p.Number).State, "it is left for a reviewer")
	require.Equal(s.t, tip, s.Git.Tip(s.t, s.Protected))
}

func (s *suite) mergeRace() {
	pulls := []forge.Pull{s.opened("one"), s.opened("two"), s.opened("one-more")}
	pulls = append(pulls, pulls[0]) // one of them by two clients at once
	errs := make([]error, len(pulls))
	var all sync.WaitGroup
	for i, p := range pulls {
		client := s.Other(s.t)
		all.Go(func() { _, errs[i] = client.Merge(s.ctx(), p.Number, p.HeadID, "") })
	}
	all.Wait()
	for _, err := range errs {
		require.NoError(s.t, err)
	}
	require.Len(s.t, s.pulls(forge.Filter{State: forge.Merged}), 3)
	tip := s.Git.Tip(s.t, Main)
	for _, name := range []string{"one", "two", "one-more"} {
		require.NotEmpty(s.t, s.Git.File(s.t, tip, name+".txt"), "nothing merged is lost")
	}
	merges := 0
	for commit := tip; len(s.Git.Parents(s.t, commit)) > 0; commit = s.Git.Parents(s.t, commit)[0] {
		merges++
	}
	require.Equal(s.t, 3, merges, "nothing is merged twice")
}

func (s *suite) mergedBy(method string) {
	s.needs("MergeBy", s.MergeBy != nil)
	p := s.opened("topic")
	head := s.Git.Push(s.t, "topic", map[string]string{"second": "2\n"}, p.HeadID)
	base := s.Git.Push(s.t, Main, map[string]string{"meanwhile": "m\n"}, s.Git.Tip(s.t, Main))
	s.MergeBy(s.t, p.Number, method)

	got := s.pull(p.Number)
	tip := s.Git.Tip(s.t, Main)
	require.Equal(s.t, forge.Merged, got.State)
	require.Equal(s.t, head, got.HeadID)
	require.Equal(s.t, tip, got.MergeCommit)
	require.NotEmpty(s.t, got.ClosedBy)
	for file, content := range map[string]string{"topic.txt": "from topic\n", "second": "2\n", "meanwhile": "m\n"} {
		require.Equal(s.t, content, s.Git.File(s.t, tip, file), file)
	}
	parents := s.Git.Parents(s.t, tip)
	switch method {
	case "merge":
		require.Equal(s.t, []string{base, head}, parents)
	case "squash":
		require.Equal(s.t, []string{base}, parents)
	case "rebase":
		require.Len(s.t, parents, 1)
		require.Equal(s.t, []string{base}, s.Git.Parents(s.t, parents[0]), "each commit once more")
		require.NotEqual(s.t, head, tip)
		require.Equal(s.t, s.Git.Message(s.t, head), s.Git.Message(s.t, tip))
	}
	s.Git.Set(s.t, "topic", "")
	require.Equal(s.t, got, s.pull(p.Number), "also when the branch was tidied away")
}

func (s *suite) mergedByPush() {
	p := s.opened("topic")
	head := s.Git.Push(s.t, "topic", map[string]string{"unrecorded": "u\n"}, p.HeadID)
	base := s.Git.Push(s.t, Main, map[string]string{"meanwhile": "m\n"}, s.Git.Tip(s.t, Main))
	merge := s.Git.Push(s.t, Main, map[string]string{"topic.txt": "edited\n", "unrecorded": "u\n"}, base, head)
	s.Git.Push(s.t, Main, map[string]string{"later": "l\n"}, merge)

	got := s.pull(p.Number)
	require.Equal(s.t, forge.Merged, got.State)
	require.Equal(s.t, head, got.HeadID)
	require.Equal(s.t, merge, got.MergeCommit, "the merge, not what came later")
	require.Empty(s.t, s.pulls(forge.Filter{State: forge.Open}))

	rebuilt := s.branch("topic", "next", "n\n")
	next := s.ensure(forge.Pull{Head: "topic", Base: Main, Title: "Next"})
	require.Greater(s.t, next.Number, p.Number, "the branch used again is another pull request")
	require.Equal(s.t, rebuilt, next.HeadID)
	require.Equal(s.t, forge.Merged, s.pull(p.Number).State)
}

func (s *suite) mergedByForward() {
	p := s.opened("topic")
	s.Git.Set(s.t, Main, p.HeadID)
	s.Git.Set(s.t, "topic", "")
	got := s.pull(p.Number)
	require.Equal(s.t, forge.Merged, got.State)
	require.Equal(s.t, p.HeadID, got.HeadID)
	require.Equal(s.t, p.HeadID, got.MergeCommit)
}
