package main

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/driftback/driftback/gitstore"
	"github.com/driftback/driftback/reconciler/files"
	"github.com/driftback/driftback/vendors"
	"github.com/driftback/driftback/vendors/resource"
)

// A stateName is a state as written on a command line: live:prod is what the platform
// has now, live:prod@TIME what it had then, git:prod what Git wants, git:prod@REV what
// it wanted at a commit or branch.
type stateName struct {
	side string // live or git
	env  string
	at   string // empty for now
}

func parseState(s string) (stateName, error) {
	side, rest, ok := strings.Cut(s, ":")
	if !ok || side != "live" && side != "git" || rest == "" {
		return stateName{}, fmt.Errorf("state %q: want live:ENVIRONMENT, live:ENVIRONMENT@TIME, git:ENVIRONMENT or git:ENVIRONMENT@REVISION", s)
	}
	env, at, dated := strings.Cut(rest, "@")
	if env == "" || dated && at == "" {
		return stateName{}, fmt.Errorf("state %q: an environment or what follows @ is missing", s)
	}
	return stateName{side, env, at}, nil
}

// parseTime reads a day, which is meant up to its end, or a moment, in the time zone of the command.
func parseTime(s string) (time.Time, error) {
	if d, err := time.ParseInLocation(time.DateOnly, s, time.Local); err == nil {
		return d.AddDate(0, 0, 1).Add(-time.Nanosecond), nil
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02T15:04", time.DateTime, "2006-01-02 15:04"} {
		if t, err := time.ParseInLocation(layout, s, time.Local); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("time %q: want 2026-03-01, 2026-03-01T12:00 or 2026-03-01T12:00:00Z", s)
}

// state reads a state. The repository must have been synchronised.
func (w *workspace) state(ctx context.Context, n stateName, t *platform) (*resource.Snapshot, error) {
	e, err := w.config.environment(n.env)
	if err != nil {
		return nil, err
	}
	switch {
	case n.side == "live" && n.at == "":
		s, err := t.Observe(ctx, vendors.Request{})
		if err != nil {
			return nil, fmt.Errorf("live:%s: %w", n.env, err)
		}
		return s, nil
	case n.side == "live":
		commit, err := w.liveAt(n)
		if err != nil {
			return nil, err
		}
		return w.tree(commit, files.Layout{Kinds: t.Kinds()})
	}
	commit, err := w.revision(e, n)
	if err != nil {
		return nil, err
	}
	return w.tree(commit, e.layout(n.env, t.Kinds()))
}

// layout is where the environment's files stand in the repository.
func (e environment) layout(name string, kinds []resource.KindInfo) files.Layout {
	return files.Layout{Root: path.Join(e.Path, "environments", name), Shared: path.Join(e.Path, "shared"), Kinds: kinds}
}

// tree reads an environment as a commit has it. What cannot be read is an error that names it.
func (w *workspace) tree(commit gitstore.ID, l files.Layout) (*resource.Snapshot, error) {
	var fs []files.File
	for _, p := range l.Prefixes() {
		if err := w.store.Files(commit, p, func(f gitstore.File) error {
			fs = append(fs, files.File{Path: f.Path, ID: f.ID, Mode: uint32(f.Mode)})
			return nil
		}); err != nil {
			return nil, err
		}
	}
	t, err := l.Load(fs, w.readBlob, files.NewCache())
	if err != nil {
		return nil, err
	}
	var errs []error
	for _, p := range t.Problems() {
		errs = append(errs, p)
	}
	return t.Snapshot(), errors.Join(errs...)
}

func (w *workspace) readBlob(id [20]byte, limit int64) ([]byte, error) {
	b, err := w.store.Blob(id, limit)
	if errors.Is(err, gitstore.ErrTooLarge) {
		return nil, fmt.Errorf("%w: %w", files.ErrTooLarge, err)
	}
	return b, err
}

// revision finds the commit of git:ENV or git:ENV@REV: HEAD, a branch, or a commit by 4 or more
// digits of its id; each may be followed by ~N for the N-th commit before it.
func (w *workspace) revision(e environment, n stateName) (gitstore.ID, error) {
	rev, back, err := ancestor(n.at)
	if err != nil {
		return gitstore.ID{}, fmt.Errorf("git:%s@%s: %w", n.env, n.at, err)
	}
	head := w.store.Refs()["refs/heads/"+e.Branch]
	found := w.store.Refs()["refs/heads/"+rev]
	switch {
	case rev == "" || rev == "HEAD":
		found = head
	case found.IsZero() && len(rev) >= 4 && strings.Trim(rev, "0123456789abcdef") == "":
		err = w.store.Log(head, nil, func(c gitstore.Commit) error {
			if strings.HasPrefix(c.ID.String(), rev) {
				found = c.ID
				return gitstore.ErrStop
			}
			return nil
		})
	}
	for ; err == nil && !found.IsZero() && back > 0; back-- {
		var c gitstore.Commit
		if c, err = w.store.CommitAt(found); err != nil {
			break
		}
		found = gitstore.ID{}
		if len(c.Parents) > 0 {
			found = c.Parents[0]
		}
	}
	if err == nil && found.IsZero() {
		err = fmt.Errorf("no such branch, and no such commit in %s", e.Branch)
	}
	if err != nil {
		return gitstore.ID{}, fmt.Errorf("git:%s@%s: %w", n.env, n.at, err)
	}
	return found, nil
}

// ancestor takes ~N off a revision.
func ancestor(rev string) (string, int, error) {
	rev, back, ok := strings.Cut(rev, "~")
	if !ok {
		return rev, 0, nil
	}
	n, err := strconv.Atoi(back)
	if err != nil || n < 0 {
		return "", 0, fmt.Errorf("~%s: want a number", back)
	}
	return rev, n, nil
}

// liveAt finds the last commit of live/ENV up to a time.
func (w *workspace) liveAt(n stateName) (gitstore.ID, error) {
	when, err := parseTime(n.at)
	if err != nil {
		return gitstore.ID{}, err
	}
	tip := w.store.Refs()["refs/heads/live/"+n.env]
	var found gitstore.ID
	if !tip.IsZero() {
		if err := w.store.Log(tip, nil, func(c gitstore.Commit) error {
			if c.Committer.When.After(when) {
				return nil
			}
			found = c.ID
			return gitstore.ErrStop
		}); err != nil {
			return found, err
		}
	}
	if found.IsZero() {
		return found, fmt.Errorf("live:%s@%s: nothing was recorded before that", n.env, n.at)
	}
	return found, nil
}
