package github

import (
	"context"
	"fmt"
	"net/http"
	"time"

	gh "github.com/google/go-github/v60/github"

	"github.com/driftback/driftback/gitstore/forge"
)

// mergeTries bounds how often a merge is tried while the base moves or GitHub computes whether it is possible.
const mergeTries = 8

// Merge implements forge.Forge. GitHub compares the head itself.
func (f *Forge) Merge(ctx context.Context, n int, headID, message string) (forge.Pull, error) {
	op := fmt.Sprintf("merge pull request #%d", n)
	var last error
	for try := 1; try <= mergeTries; try++ {
		p, pr, err := f.pull(ctx, n)
		if err != nil {
			return forge.Pull{}, err
		}
		switch {
		case p.State == forge.Merged:
			return p, nil
		case p.HeadID != headID:
			return forge.Pull{}, fmt.Errorf("github: %s: head is %.10s, not %.10s: %w", op, p.HeadID, headID, forge.ErrMoved)
		case p.State == forge.Closed:
			return forge.Pull{}, fmt.Errorf("github: %s: closed: %w", op, forge.ErrNotAllowed)
		case p.Draft:
			return forge.Pull{}, fmt.Errorf("github: %s: a draft: %w", op, forge.ErrNotAllowed)
		case last != nil: // refused: why?
			if err := why(op, pr, last); err != nil {
				return forge.Pull{}, err
			}
		}
		_, _, err = f.client.PullRequests.Merge(ctx, f.owner, f.repo, n, message,
			&gh.PullRequestOptions{SHA: headID, MergeMethod: f.opt.MergeMethod})
		if err == nil || isCode(err, http.StatusMethodNotAllowed) || isCode(err, http.StatusConflict) || isServers(err) {
			last = err // look at what came of it
		} else {
			return forge.Pull{}, f.fail(ctx, op, err)
		}
		if err != nil {
			if err := f.opt.Wait(ctx, time.Duration(try*try)*100*time.Millisecond); err != nil {
				return forge.Pull{}, fmt.Errorf("github: %s: %w", op, err)
			}
		}
	}
	if last == nil {
		return forge.Pull{}, fmt.Errorf("github: %s: it says merged and shows it open", op)
	}
	return forge.Pull{}, f.fail(ctx, op, last)
}

// isServers reports whether the answer says nothing of whether the request was carried out.
func isServers(err error) bool {
	for _, code := range []int{http.StatusInternalServerError, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout} {
		if isCode(err, code) {
			return true
		}
	}
	return false
}

// why says what a refused merge comes to, by what the pull request is now; nil if it is worth another try.
func why(op string, pr *gh.PullRequest, refused error) error {
	switch {
	case pr.Mergeable == nil || isServers(refused):
		return nil // GitHub is still computing
	case !pr.GetMergeable() || pr.GetMergeableState() == "dirty":
		return fmt.Errorf("github: %s: %w", op, forge.ErrConflict)
	case isCode(refused, http.StatusConflict), says(refused, http.StatusMethodNotAllowed, "base branch was modified", "head branch was modified", "in progress"):
		return nil
	}
	said := "refused"
	if res, ok := asResponse(refused); ok {
		said = saying(res)
	}
	return fmt.Errorf("github: %s: %s: %w", op, said, forge.ErrNotAllowed)
}
