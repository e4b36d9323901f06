package local

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/aymanbagabas/go-udiff"

	"github.com/driftback/driftback/gitstore"
	"github.com/driftback/driftback/gitstore/forge"
)

const (
	diffFileLimit = 256 << 10 // bytes of a file whose lines are compared
	diffTextLimit = 1 << 20   // bytes of a whole diff
	diffFiles     = 3000      // files of a diff
)

// A Details is all there is to see of a pull request.
type Details struct {
	forge.Pull
	Comments []forge.Comment
	Statuses []forge.Status // of the head
	// Files differ between the head and where it left the base; at most 3,000.
	Files []gitstore.Delta
	// Diff is their unified text, as git diff has it. Files that are large or no text are named only.
	Diff string
	// Truncated says that Files or Diff were cut, at the end of a file.
	Truncated bool
}

// Show returns pull request n with what it changes; ErrNotFound. For a merged
// one this is what it changed then.
func (f *Forge) Show(ctx context.Context, n int) (Details, error) {
	v, err := f.synced(ctx)
	if err != nil {
		return Details{}, fmt.Errorf("show pull request #%d: %w", n, err)
	}
	d, err := v.show(n)
	if err != nil {
		return Details{}, fmt.Errorf("show pull request #%d: %w", n, err)
	}
	return d, nil
}

func (v *view) show(n int) (d Details, err error) {
	if d.Pull, err = v.pull(n); err != nil {
		return d, err
	}
	d.Pull = v.shown(d.Pull)
	if d.Comments, err = v.comments(n); err != nil {
		return d, err
	}
	head, err := gitstore.ParseID(d.HeadID)
	if err != nil {
		return d, err
	}
	if d.Statuses, err = v.statusList(head); err != nil {
		return d, err
	}
	from, to, err := v.span(d.Pull, head)
	if err != nil {
		return d, err
	}
	var text strings.Builder
	err = v.f.store.Diff(from, to, "", func(delta gitstore.Delta) error {
		if len(d.Files) == diffFiles {
			d.Truncated = true
			return gitstore.ErrStop
		}
		d.Files = append(d.Files, delta)
		if d.Truncated {
			return nil
		}
		part, err := v.f.diffFile(delta)
		if err == nil && text.Len()+len(part) > diffTextLimit {
			d.Truncated = true
			return nil
		}
		text.WriteString(part)
		return err
	})
	d.Diff = text.String()
	return d, err
}

// span returns the two commits that a pull request's diff is between. When the
// head is gone, as that of a squashed branch may be, the merge tells; when there
// is none, nothing does, and they are equal.
func (v *view) span(p forge.Pull, head gitstore.ID) (from, to gitstore.ID, err error) {
	base := v.refs[branchRef(p.Base)]
	if p.State != forge.Open || base.IsZero() {
		e, err := v.idx.entry(p.Number)
		if err != nil {
			return from, to, err
		}
		base = e.BaseID
	}
	if _, err := v.f.store.CommitAt(head); err == nil {
		from, err = v.f.store.MergeBase(base, head)
		if err == nil || !errors.Is(err, gitstore.ErrMissing) {
			return from, head, err
		}
	} else if !errors.Is(err, gitstore.ErrMissing) {
		return from, to, err
	}
	merge, err := gitstore.ParseID(p.MergeCommit)
	if err != nil {
		return from, to, nil
	}
	c, err := v.f.store.CommitAt(merge)
	if err != nil || len(c.Parents) == 0 {
		return gitstore.ID{}, merge, err
	}
	return c.Parents[0], merge, nil
}

// diffFile returns a file's part of a diff.
func (f *Forge) diffFile(d gitstore.Delta) (string, error) {
	var b strings.Builder
	old, now := "a/"+d.Path, "b/"+d.Path
	fmt.Fprintf(&b, "diff --git %s %s\n", showPath(old), showPath(now))
	switch {
	case d.Old.ID.IsZero():
		fmt.Fprintf(&b, "new file mode %06o\n", d.New.Mode)
		old = "/dev/null"
	case d.New.ID.IsZero():
		fmt.Fprintf(&b, "deleted file mode %06o\n", d.Old.Mode)
		now = "/dev/null"
	case d.Old.Mode != d.New.Mode:
		fmt.Fprintf(&b, "old mode %06o\nnew mode %06o\n", d.Old.Mode, d.New.Mode)
	}
	if d.Old.ID == d.New.ID {
		return b.String(), nil
	}
	was, whyOld, err := f.text(d.Old)
	if err != nil {
		return "", err
	}
	is, whyNew, err := f.text(d.New)
	if err != nil {
		return "", err
	}
	if why := cmp.Or(whyOld, whyNew); why != "" {
		fmt.Fprintf(&b, "%s and %s differ (%s)\n", showPath(old), showPath(now), why)
		return b.String(), nil
	}
	b.WriteString(udiff.Unified(showPath(old), showPath(now), was, is))
	return b.String(), nil
}

// text returns a file's content, or why its lines are not compared.
func (f *Forge) text(file gitstore.File) (content, why string, err error) {
	if file.ID.IsZero() {
		return "", "", nil
	}
	if file.Mode == gitstore.ModeSubmodule {
		return "Subproject commit " + file.ID.String() + "\n", "", nil
	}
	b, err := f.store.Blob(file.ID, diffFileLimit)
	switch {
	case errors.Is(err, gitstore.ErrTooLarge):
		return "", "large", nil
	case err != nil:
		return "", "", fmt.Errorf("%s: %w", file.Path, err)
	case bytes.IndexByte(b, 0) >= 0 || !utf8.Valid(b):
		return "", "not text", nil
	}
	return string(b), "", nil
}
