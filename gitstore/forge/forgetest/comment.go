package forgetest

import (
	"fmt"
	"strings"
	"sync"

	"github.com/stretchr/testify/require"

	"github.com/driftback/driftback/gitstore/forge"
)

// hostile is Markdown that tries to be mistaken for something else.
const hostile = "# 世界 🎧\r\n```diff\n-a\n+b\n````\n<!-- driftback:key=plan --> <script>alert(1)</script>\n" +
	"@everyone #1 \\ \" ' & < > \u2028 \u202e | a | b |\n/drift accept everything\n--\n\n\n.\ttrailing \n"

func (s *suite) comment(n int, key, body string) {
	s.t.Helper()
	require.NoError(s.t, s.Forge.EnsureComment(s.ctx(), n, key, body))
}

func (s *suite) commentLife() {
	p, other := s.opened("topic"), s.opened("other")
	s.comment(p.Number, "plan", "first plan")
	s.comment(p.Number, "conflict", "a conflict")
	s.comment(other.Number, "plan", "of another")
	got := s.comments(p.Number)
	require.Len(s.t, got, 2)
	require.Equal(s.t, []string{"plan", "conflict"}, []string{got[0].Key, got[1].Key}, "oldest first")
	require.Equal(s.t, "first plan", got[0].Body)
	require.NotEmpty(s.t, got[0].Author)
	require.NotEmpty(s.t, got[0].ID)
	require.NotEqual(s.t, got[0].ID, got[1].ID)
	require.False(s.t, got[0].Created.IsZero())

	s.quiet(func() { s.comment(p.Number, "plan", "first plan") })
	s.comment(p.Number, "plan", "second plan")
	now := s.comments(p.Number)
	require.Len(s.t, now, 2)
	require.Equal(s.t, "second plan", now[0].Body)
	require.Equal(s.t, got[0].ID, now[0].ID, "changed where it stands")
	require.Equal(s.t, got[1], now[1])

	s.comment(p.Number, "plan", "")
	require.Equal(s.t, []forge.Comment{got[1]}, s.comments(p.Number), "an empty body removes it")
	s.quiet(func() { s.comment(p.Number, "plan", "") })
	s.comment(p.Number, "plan", "third plan")
	require.Equal(s.t, "third plan", s.comments(p.Number)[1].Body, "and it comes again as the newest")
	require.Equal(s.t, "of another", s.comments(other.Number)[0].Body)

	s.ensure(forge.Pull{Head: "topic", State: forge.Closed})
	s.comment(p.Number, "plan", "after closing")
	require.Equal(s.t, "after closing", s.comments(p.Number)[1].Body)
}

func (s *suite) commentTexts() {
	p := s.opened("topic")
	for i, body := range []string{
		hostile, "x", "<!-- -->", "-->", "```\nnever closed", strings.Repeat("長", forge.MaxBody/3), "a\n\n<!-- driftback:",
	} {
		key := fmt.Sprintf("key/%d ü --> \"", i)
		s.comment(p.Number, key, body)
		got := s.comments(p.Number)
		require.Len(s.t, got, 1)
		require.Equal(s.t, key, got[0].Key)
		require.Equal(s.t, body, got[0].Body)
		s.quiet(func() { s.comment(p.Number, key, body) })
		s.comment(p.Number, key, "")
	}
	for name, err := range map[string]error{
		"over the limit": s.Forge.EnsureComment(s.ctx(), p.Number, "k", strings.Repeat("x", forge.MaxBody+1)),
		"no key":         s.Forge.EnsureComment(s.ctx(), p.Number, "", "text"),
	} {
		require.ErrorIs(s.t, err, forge.ErrInvalid, name)
	}
	require.Empty(s.t, s.comments(p.Number))
}

func (s *suite) commentOfPerson() {
	s.needs("Comment", s.Comment != nil)
	p := s.opened("topic")
	s.comment(p.Number, "plan", "a plan")
	s.Comment(s.t, p.Number, "a plan")
	s.Comment(s.t, p.Number, hostile)
	s.comment(p.Number, "plan", "another plan")
	got := s.comments(p.Number)
	require.Len(s.t, got, 3)
	require.Equal(s.t, []string{"plan", "", ""}, []string{got[0].Key, got[1].Key, got[2].Key})
	require.Equal(s.t, []string{"another plan", "a plan", hostile}, []string{got[0].Body, got[1].Body, got[2].Body})
	s.comment(p.Number, "plan", "")
	require.Equal(s.t, got[1:], s.comments(p.Number))
}

func (s *suite) commentMissing() {
	_, err := s.Forge.Comments(s.ctx(), 4711)
	require.ErrorIs(s.t, err, forge.ErrNotFound)
	require.ErrorIs(s.t, s.Forge.EnsureComment(s.ctx(), 4711, "plan", "text"), forge.ErrNotFound)
}

func (s *suite) commentRace() {
	p := s.opened("topic")
	clients := []forge.Forge{s.Forge, s.Other(s.t), s.Other(s.t)}
	errs := make([]error, len(clients))
	var all sync.WaitGroup
	for i, client := range clients {
		all.Go(func() { errs[i] = client.EnsureComment(s.ctx(), p.Number, "plan", "a plan") })
	}
	all.Wait()
	for _, err := range errs {
		require.NoError(s.t, err)
	}
	require.Len(s.t, s.comments(p.Number), 1)
}

func (s *suite) commands() {
	s.needs("Comment", s.Comment != nil)
	p, other := s.opened("topic"), s.opened("other")
	s.Comment(s.t, p.Number, "/drift accept before")
	none, cursor, err := s.Forge.Commands(s.ctx(), "")
	require.NoError(s.t, err)
	require.Empty(s.t, none, "from now on")
	none, same, err := s.Forge.Commands(s.ctx(), cursor)
	require.NoError(s.t, err)
	require.Empty(s.t, none)
	cursor = same

	s.Comment(s.t, p.Number, "Fine.\r\n/drift accept queue/Süd\r\n/drift ignore until 2030-01-01  \n```\n/drift accept code\n```\n> /drift accept quoted")
	s.Comment(s.t, other.Number, "no command")
	s.Comment(s.t, other.Number, "/drift revert")
	s.comment(p.Number, "help", "Say\n/drift accept all\n")
	got, next, err := s.Forge.Commands(s.ctx(), cursor)
	require.NoError(s.t, err)
	require.Len(s.t, got, 3)
	require.Equal(s.t, []string{"/drift accept queue/Süd", "/drift ignore until 2030-01-01", "/drift revert"},
		[]string{got[0].Text, got[1].Text, got[2].Text}, "of people only, oldest first")
	require.Equal(s.t, []int{p.Number, p.Number, other.Number}, []int{got[0].Pull, got[1].Pull, got[2].Pull})
	ids := map[string]bool{}
	for _, c := range got {
		require.Equal(s.t, s.Write, c.Write)
		require.Equal(s.t, s.Teams, c.Teams)
		require.NotEmpty(s.t, c.Author)
		require.False(s.t, c.At.IsZero())
		ids[c.ID] = true
	}
	require.Len(s.t, ids, 3, "each has an id of its own")

	again, _, err := s.Other(s.t).Commands(s.ctx(), cursor)
	require.NoError(s.t, err)
	require.Equal(s.t, got, again, "an old cursor gives the same, with the same ids")
	s.quiet(func() {
		none, last, err := s.Forge.Commands(s.ctx(), next)
		require.NoError(s.t, err)
		require.Empty(s.t, none, "nothing comes twice")
		next = last
	})
	s.Comment(s.t, p.Number, "/drift revert")
	got, _, err = s.Forge.Commands(s.ctx(), next)
	require.NoError(s.t, err)
	require.Len(s.t, got, 1)
	require.False(s.t, ids[got[0].ID], "the same words said again are another command")

	_, _, err = s.Forge.Commands(s.ctx(), "no cursor of ours")
	require.ErrorIs(s.t, err, forge.ErrInvalid)
}

func (s *suite) answer(c forge.Command, reaction, body string) {
	s.t.Helper()
	require.NoError(s.t, s.Forge.Answer(s.ctx(), c, reaction, body))
}

// reactions requires that the client's reactions to a person's comment are these, where that can be seen.
func (s *suite) reactions(n int, want ...string) {
	s.t.Helper()
	if s.Reactions == nil {
		return
	}
	for _, c := range s.comments(n) {
		if c.Key == "" {
			require.Equal(s.t, want, s.Reactions(s.t, n, c.ID))
			return
		}
	}
	require.Fail(s.t, "no comment of a person")
}

func (s *suite) answers() {
	s.needs("Comment", s.Comment != nil)
	p := s.opened("topic")
	_, cursor, err := s.Forge.Commands(s.ctx(), "")
	require.NoError(s.t, err)
	s.Comment(s.t, p.Number, "/drift accept\n/plan")
	got, _, err := s.Forge.Commands(s.ctx(), cursor)
	require.NoError(s.t, err)
	require.Len(s.t, got, 2)

	s.answer(got[0], forge.Eyes, "")
	require.Len(s.t, s.comments(p.Number), 1, "a reaction alone is no comment")
	s.reactions(p.Number, forge.Eyes)
	s.quiet(func() { s.answer(got[0], forge.Eyes, "") })
	s.answer(got[0], "", hostile)
	s.answer(got[1], forge.Confused, "what?")
	s.answer(got[0], forge.Rocket, hostile)
	s.quiet(func() {
		s.answer(got[0], forge.Rocket, hostile)
		s.answer(got[1], forge.Confused, "what?")
		s.answer(got[1], "", "")
		require.NoError(s.t, s.Other(s.t).Answer(s.ctx(), got[1], forge.Confused, "what?"))
	})
	s.reactions(p.Number, forge.Confused, forge.Eyes, forge.Rocket)
	s.answer(got[1], "", "now I see")
	now := s.comments(p.Number)
	require.Len(s.t, now, 3)
	require.Equal(s.t, []string{"", forge.AnswerKey(got[0].ID), forge.AnswerKey(got[1].ID)}, []string{now[0].Key, now[1].Key, now[2].Key})
	require.Equal(s.t, []string{hostile, "now I see"}, []string{now[1].Body, now[2].Body}, "answered in place")

	none, _, err := s.Forge.Commands(s.ctx(), cursor)
	require.NoError(s.t, err)
	require.Equal(s.t, got, none, "what we answer is no command")
	require.ErrorIs(s.t, s.Forge.Answer(s.ctx(), got[0], "thumbs", ""), forge.ErrInvalid)
	require.ErrorIs(s.t, s.Forge.Answer(s.ctx(), got[0], forge.Eyes, strings.Repeat("x", forge.MaxBody+1)), forge.ErrInvalid)
}

// answerGone answers commands of which the comment, or the pull request, is not there.
func (s *suite) answerGone() {
	s.needs("Comment", s.Comment != nil)
	p := s.opened("topic")
	_, cursor, err := s.Forge.Commands(s.ctx(), "")
	require.NoError(s.t, err)
	s.Comment(s.t, p.Number, "/plan")
	got, _, err := s.Forge.Commands(s.ctx(), cursor)
	require.NoError(s.t, err)
	require.Len(s.t, got, 1)
	other := got[0]
	other.Pull = 4711
	require.ErrorIs(s.t, s.Forge.Answer(s.ctx(), other, forge.Eyes, "text"), forge.ErrNotFound)
	s.ensure(forge.Pull{Head: "topic", State: forge.Closed})
	s.answer(got[0], forge.Confused, "it is closed")
	require.Equal(s.t, "it is closed", s.comments(p.Number)[1].Body)
}

func (s *suite) commandsRace() {
	s.needs("Comment", s.Comment != nil)
	p := s.opened("topic")
	_, cursor, err := s.Forge.Commands(s.ctx(), "")
	require.NoError(s.t, err)
	const people, words = 3, 4
	said := make(chan struct{})
	var all sync.WaitGroup
	for i := range people {
		all.Go(func() {
			for j := range words {
				s.Comment(s.t, p.Number, fmt.Sprintf("/say %d-%d", i, j))
			}
		})
	}
	go func() { all.Wait(); close(said) }()
	seen := map[string]int{}
	for done := false; !done; {
		select {
		case <-said:
			done = true // one last time
		default:
		}
		got, next, err := s.Forge.Commands(s.ctx(), cursor)
		require.NoError(s.t, err)
		for _, c := range got {
			seen[c.Text]++
		}
		cursor = next
	}
	require.Len(s.t, seen, people*words, "nothing is lost")
	for text, times := range seen {
		require.Equal(s.t, 1, times, text)
	}
}
