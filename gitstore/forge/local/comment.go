package local

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/driftback/driftback/gitstore"
	"github.com/driftback/driftback/gitstore/forge"
)

// EnsureComment implements forge.Forge.
func (f *Forge) EnsureComment(ctx context.Context, n int, key, body string) error {
	err := forge.CheckKey(key)
	if err == nil {
		body, err = forge.CleanBody(body)
	}
	if err != nil {
		return fmt.Errorf("comment on pull request #%d: %w", n, err)
	}
	err = f.update(ctx, recent, func(c *change) error { return c.ensureComment(n, key, body) })
	if err != nil {
		return fmt.Errorf("comment on pull request #%d: %w", n, err)
	}
	return nil
}

func (c *change) ensureComment(n int, key, body string) error {
	comments, err := c.comments(n)
	if err != nil {
		return err
	}
	at := slices.IndexFunc(comments, func(has forge.Comment) bool { return has.Key == key })
	switch {
	case at < 0 && body == "" || at >= 0 && comments[at].Body == body:
		return nil
	case at < 0:
		c.what = fmt.Sprintf("#%d comment %s", n, forge.CleanTitle(key))
		_, err := c.addComment(n, key, body)
		return err
	}
	has := comments[at]
	event, err := strconv.Atoi(has.ID)
	if err != nil {
		return fmt.Errorf("comment %q: %w", has.ID, err)
	}
	if body == "" {
		c.what = fmt.Sprintf("#%d comment %s removed", n, forge.CleanTitle(key))
		c.edit[commentPath(n, event)] = nil
		return nil
	}
	has.Body = body
	c.what = fmt.Sprintf("#%d comment %s changed", n, forge.CleanTitle(key))
	return c.put(commentPath(n, event), has)
}

// Comment adds a person's comment to pull request n. Its command lines
// (forge.CommandLines) are handed out by Commands. ErrInvalid for an empty body.
func (f *Forge) Comment(ctx context.Context, n int, body string) (added forge.Comment, err error) {
	if body, err = forge.CleanBody(body); err == nil && body == "" {
		err = fmt.Errorf("no text: %w", forge.ErrInvalid)
	}
	if err == nil {
		err = f.update(ctx, recent, func(c *change) error {
			if _, err := c.pull(n); err != nil {
				return err
			}
			c.what = fmt.Sprintf("#%d comment", n)
			added, err = c.addComment(n, "", body)
			return err
		})
	}
	if err != nil {
		return forge.Comment{}, fmt.Errorf("comment on pull request #%d: %w", n, err)
	}
	return added, nil
}

// Answer implements forge.Forge. Reaction and answer are one change.
func (f *Forge) Answer(ctx context.Context, command forge.Command, reaction, body string) error {
	event, _, _ := strings.Cut(command.ID, ".")
	id, err := strconv.Atoi(event)
	if err != nil {
		err = fmt.Errorf("command %.40q: %w", command.ID, forge.ErrInvalid)
	}
	if err == nil && reaction != "" {
		err = forge.CheckReaction(reaction)
	}
	if err == nil {
		body, err = forge.CleanBody(body)
	}
	if err == nil {
		err = f.update(ctx, recent, func(c *change) error {
			if err := c.react(command.Pull, id, reaction); err != nil || body == "" {
				return err
			}
			return c.ensureComment(command.Pull, forge.AnswerKey(command.ID), body)
		})
	}
	if err != nil {
		return fmt.Errorf("answer on pull request #%d: %w", command.Pull, err)
	}
	return nil
}

// react adds a reaction to a comment, if that is still there.
func (c *change) react(n, event int, reaction string) error {
	comments, err := c.comments(n)
	if err != nil {
		return err
	}
	at := slices.IndexFunc(comments, func(has forge.Comment) bool { return has.ID == strconv.Itoa(event) })
	if at < 0 || reaction == "" || slices.Contains(comments[at].Reactions, reaction) {
		return nil
	}
	has := comments[at]
	has.Reactions = union(has.Reactions, []string{reaction})
	c.what = fmt.Sprintf("#%d reaction %s", n, reaction)
	return c.put(commentPath(n, event), has)
}

// addComment puts a new comment and, if a person's, the commands in it.
func (c *change) addComment(n int, key, body string) (forge.Comment, error) {
	event := c.event()
	added := forge.Comment{ID: strconv.Itoa(event), Key: key, Author: c.f.user, Body: body, Created: c.f.today()}
	if lines := forge.CommandLines(body); key == "" && len(lines) > 0 {
		err := c.put(commandPath(event), commandFile{Pull: n, Author: added.Author, At: added.Created, Lines: lines})
		if err != nil {
			return added, err
		}
	}
	return added, c.put(commentPath(n, event), added)
}

// teamsOf returns the teams that a user is a member of, sorted.
func (f *Forge) teamsOf(user string) []string {
	var teams []string
	for _, name := range slices.Sorted(maps.Keys(f.teams)) {
		if slices.Contains(f.teams[name], user) {
			teams = append(teams, name)
		}
	}
	return teams
}

// Comments returns the comments of pull request n, oldest first.
func (f *Forge) Comments(ctx context.Context, n int) ([]forge.Comment, error) {
	v, err := f.synced(ctx)
	if err != nil {
		return nil, fmt.Errorf("comments of pull request #%d: %w", n, err)
	}
	comments, err := v.comments(n)
	if err != nil {
		return nil, fmt.Errorf("comments of pull request #%d: %w", n, err)
	}
	return comments, nil
}

func (v *view) comments(n int) ([]forge.Comment, error) {
	if _, err := v.idx.entry(n); err != nil {
		return nil, err
	}
	var comments []forge.Comment
	err := v.f.store.Files(v.idx.commit, commentFolder(n), func(file gitstore.File) error {
		if eventNumber(file.Path) == 0 {
			return nil
		}
		var c forge.Comment
		if err := v.f.readBlob(file, &c); err != nil {
			return err
		}
		c.ID = strconv.Itoa(eventNumber(file.Path))
		comments = append(comments, c)
		return nil
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(comments, func(a, b forge.Comment) int { // nine digits sort themselves; more do not
		return len(a.ID) - len(b.ID)
	})
	return comments, nil
}

// Commands implements forge.Forge. The cursor is the number of the last comment
// seen, so nothing is lost between two calls and nothing comes twice. One from
// beyond the end, of a forge that was started anew, means from now on.
func (f *Forge) Commands(ctx context.Context, cursor string) ([]forge.Command, string, error) {
	since, err := strconv.Atoi(cursor)
	if cursor != "" && (err != nil || since < 0) {
		return nil, cursor, fmt.Errorf("commands since %.40q: %w", cursor, forge.ErrInvalid)
	}
	v, err := f.synced(ctx)
	if err != nil {
		return nil, cursor, fmt.Errorf("commands: %w", err)
	}
	last := v.idx.head.Events
	next := strconv.Itoa(last)
	if cursor == "" {
		return nil, next, nil
	}
	var commands []forge.Command
	for shard := since / 1000; shard <= last/1000; shard++ {
		err := f.store.Files(v.idx.commit, commandFolder(shard), func(file gitstore.File) error {
			event := eventNumber(file.Path)
			if event <= since {
				return nil
			}
			var in commandFile
			if err := f.readBlob(file, &in); err != nil {
				return err
			}
			for i, line := range in.Lines {
				commands = append(commands, forge.Command{
					ID: fmt.Sprintf("%d.%d", event, i+1), Pull: in.Pull, Author: in.Author, Text: line, At: in.At,
					Write: true, Teams: f.teamsOf(in.Author), // whoever can comment here can push to the repository
				})
			}
			return nil
		})
		if err != nil {
			return nil, cursor, fmt.Errorf("commands: %w", err)
		}
	}
	return commands, next, nil
}
