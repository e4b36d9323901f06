package github

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	gh "github.com/google/go-github/v60/github"

	"github.com/driftback/driftback/gitstore/forge"
)

// EnsureComment implements forge.Forge.
func (f *Forge) EnsureComment(ctx context.Context, n int, key, body string) error {
	op := fmt.Sprintf("comment on pull request #%d", n)
	err := forge.CheckKey(key)
	if err == nil {
		body, err = forge.CleanBody(body)
	}
	if err != nil {
		return fmt.Errorf("github: %s: %w", op, err)
	}
	mine, err := f.keyed(ctx, n, key)
	if err != nil {
		return err
	}
	text := marked(key, body)
	switch {
	case body == "":
		return f.remove(ctx, op, mine)
	case len(mine) == 0:
		_, _, err := f.client.Issues.CreateComment(ctx, f.owner, f.repo, n, &gh.IssueComment{Body: &text})
		if err != nil && (isCode(err, http.StatusForbidden) || isCode(err, http.StatusUnprocessableEntity) || isCode(err, http.StatusNotFound)) {
			return f.fail(ctx, op, err)
		}
		// Another client may have done the same at the same time, or the answer was lost: look again.
		var lookErr error
		if mine, lookErr = f.keyed(ctx, n, key); lookErr != nil || len(mine) == 0 {
			return errors.Join(f.fail(ctx, op, err), lookErr)
		}
	}
	if !forge.SameText(mine[0].GetBody(), text) {
		if _, _, err := f.client.Issues.EditComment(ctx, f.owner, f.repo, mine[0].GetID(), &gh.IssueComment{Body: &text}); err != nil {
			return f.fail(ctx, op, err)
		}
	}
	return f.remove(ctx, op, mine[1:])
}

// remove deletes comments. One that is gone needs no deleting.
func (f *Forge) remove(ctx context.Context, op string, comments []*gh.IssueComment) error {
	for _, c := range comments {
		_, err := f.client.Issues.DeleteComment(ctx, f.owner, f.repo, c.GetID())
		if err != nil && !isCode(err, http.StatusNotFound) {
			return f.fail(ctx, op, err)
		}
	}
	return nil
}

// keyed returns our comments with this key, oldest first: one, unless two clients wrote it at the same time.
func (f *Forge) keyed(ctx context.Context, n int, key string) ([]*gh.IssueComment, error) {
	me, err := f.me(ctx)
	if err != nil {
		return nil, err
	}
	all, err := f.allComments(ctx, n)
	return slices.DeleteFunc(all, func(c *gh.IssueComment) bool {
		has, _, ok := unmarked(c.GetBody())
		return !ok || has != key || !strings.EqualFold(c.GetUser().GetLogin(), me)
	}), err
}

func (f *Forge) allComments(ctx context.Context, n int) ([]*gh.IssueComment, error) {
	var all []*gh.IssueComment
	err := pages(func(page gh.ListOptions) (*gh.Response, error) {
		list, res, err := f.client.Issues.ListComments(ctx, f.owner, f.repo, n, &gh.IssueListCommentsOptions{ListOptions: page})
		all = append(all, list...)
		return res, err
	})
	if err != nil {
		return nil, f.fail(ctx, fmt.Sprintf("list comments of pull request #%d", n), err)
	}
	slices.SortFunc(all, func(a, b *gh.IssueComment) int { return compare(a.GetID(), b.GetID()) })
	return slices.CompactFunc(all, func(a, b *gh.IssueComment) bool { return a.GetID() == b.GetID() }), nil
}

func compare(a, b int64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// Comments implements forge.Forge.
func (f *Forge) Comments(ctx context.Context, n int) ([]forge.Comment, error) {
	me, err := f.me(ctx)
	if err != nil {
		return nil, err
	}
	all, err := f.allComments(ctx, n)
	if err != nil {
		return nil, err
	}
	var out []forge.Comment
	for _, c := range all {
		to := forge.Comment{ID: strconv.FormatInt(c.GetID(), 10), Author: c.GetUser().GetLogin(), Body: c.GetBody(), Created: dated(c.GetCreatedAt())}
		if key, body, ok := unmarked(c.GetBody()); ok && strings.EqualFold(to.Author, me) {
			to.Key, to.Body = key, body
		}
		out = append(out, to)
	}
	return out, nil
}

// Answer implements forge.Forge.
func (f *Forge) Answer(ctx context.Context, c forge.Command, reaction, body string) error {
	id, err := commentOf(c.ID)
	if err == nil && reaction != "" {
		err = forge.CheckReaction(reaction)
	}
	if err == nil {
		_, err = forge.CleanBody(body)
	}
	if err != nil {
		return fmt.Errorf("github: answer command %.40q: %w", c.ID, err)
	}
	var reacted error
	if reaction != "" { // without which the answer is given all the same
		reacted = f.react(ctx, id, reaction)
	}
	if body != "" {
		err = f.EnsureComment(ctx, c.Pull, forge.AnswerKey(c.ID), body)
	}
	return errors.Join(reacted, err)
}

// react adds a reaction of ours to a comment. A comment that is gone needs none.
func (f *Forge) react(ctx context.Context, id int64, reaction string) error {
	me, err := f.me(ctx)
	if err != nil {
		return err
	}
	there := false
	err = pages(func(page gh.ListOptions) (*gh.Response, error) {
		list, res, err := f.client.Reactions.ListIssueCommentReactions(ctx, f.owner, f.repo, id, &page)
		for _, r := range list {
			there = there || r.GetContent() == reaction && strings.EqualFold(r.GetUser().GetLogin(), me)
		}
		return res, err
	})
	if err == nil && !there {
		_, _, err = f.client.Reactions.CreateIssueCommentReaction(ctx, f.owner, f.repo, id, reaction)
	}
	if isCode(err, http.StatusNotFound) {
		return nil
	}
	return f.without(ctx, "acknowledge a command", err)
}
