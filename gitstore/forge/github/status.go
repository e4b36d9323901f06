package github

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"

	gh "github.com/google/go-github/v60/github"

	"github.com/driftback/driftback/gitstore/forge"
)

// commitID is a full id; the API would take names as well.
var commitID = regexp.MustCompile(`^[0-9a-f]{40}([0-9a-f]{24})?$`)

// noCommit reports whether an error says that there is no such commit.
func noCommit(err error) bool {
	return isCode(err, http.StatusNotFound) || says(err, http.StatusUnprocessableEntity, "no commit found", "sha", "no ref found") ||
		says(err, http.StatusConflict, "no ref found")
}

// SetStatus implements forge.Forge: by a check run, which apps alone can make, else by a commit status.
func (f *Forge) SetStatus(ctx context.Context, commit string, s forge.Status) error {
	op := fmt.Sprintf("status of commit %.10s", commit)
	s, err := s.Clean()
	if err == nil && !commitID.MatchString(commit) {
		err = fmt.Errorf("commit %.60q: no full id: %w", commit, forge.ErrNotFound)
	}
	if err != nil {
		return fmt.Errorf("github: %s: %w", op, err)
	}
	if f.app != nil {
		err = f.setCheck(ctx, commit, s)
	} else {
		err = f.setStatus(ctx, commit, s)
	}
	if noCommit(err) {
		return fmt.Errorf("github: %s: %w", op, forge.ErrNotFound)
	}
	return f.fail(ctx, op, err)
}

// setStatus adds a commit status unless the newest of its context says the same: GitHub keeps at most 1000 of each.
func (f *Forge) setStatus(ctx context.Context, commit string, s forge.Status) error {
	same := false
	err := pages(func(page gh.ListOptions) (*gh.Response, error) {
		combined, res, err := f.client.Repositories.GetCombinedStatus(ctx, f.owner, f.repo, commit, &page)
		if err != nil {
			return res, err
		}
		for _, has := range combined.Statuses {
			same = same || has.GetContext() == s.Context && has.GetState() == s.State &&
				has.GetDescription() == s.Description && has.GetTargetURL() == s.URL
		}
		return res, nil
	})
	if err != nil || same {
		return err
	}
	status := &gh.RepoStatus{State: &s.State, Context: &s.Context, Description: &s.Description}
	if s.URL != "" {
		status.TargetURL = &s.URL
	}
	_, _, err = f.client.Repositories.CreateStatus(ctx, f.owner, f.repo, commit, status)
	return err
}

// maxBatch is how many annotations one request may add. Source: docs.github.com, "Update a check run".
const maxBatch = 50

// A check is a status in the form of a check run.
type check struct {
	name, id, status string
	conclusion, url  *string
	title, summary   string
	annotations      []*gh.CheckRunAnnotation
}

// toCheck gives a status the form of a check run. What GitHub requires and the status lacks is filled in from the rest.
func toCheck(s forge.Status) (check, error) {
	b, err := json.Marshal(s)
	if err != nil {
		return check{}, err
	}
	sum := sha256.Sum256(b)
	c := check{name: s.Context, id: "driftback:" + hex.EncodeToString(sum[:16]), status: "completed", title: s.Title, summary: s.Summary}
	switch s.State {
	case "pending":
		c.status = "in_progress"
	case "error":
		c.conclusion = gh.String("failure")
	default:
		c.conclusion = gh.String(s.State)
	}
	if s.URL != "" {
		c.url = gh.String(s.URL)
	}
	for _, fill := range []string{s.Description, s.Context} {
		if c.title == "" {
			c.title = fill
		}
		if c.summary == "" {
			c.summary = fill
		}
	}
	for _, a := range s.Annotations {
		c.annotations = append(c.annotations, &gh.CheckRunAnnotation{
			Path: gh.String(a.Path), StartLine: gh.Int(a.Line), EndLine: gh.Int(a.EndLine), AnnotationLevel: gh.String(a.Level), Message: gh.String(a.Message),
		})
	}
	return c, nil
}

// output is what a request says, with at most maxBatch of the annotations, and the rest of them.
func (c check) output(rest []*gh.CheckRunAnnotation) (*gh.CheckRunOutput, []*gh.CheckRunAnnotation) {
	n := min(len(rest), maxBatch)
	return &gh.CheckRunOutput{Title: gh.String(c.title), Summary: gh.String(c.summary), Annotations: rest[:n]}, rest[n:]
}

// setCheck makes the newest check run of ours with this name say what s says. A run that has annotations, or that
// ended and is to begin again, is followed by another one: GitHub adds annotations and takes none away.
func (f *Forge) setCheck(ctx context.Context, commit string, s forge.Status) error {
	c, err := toCheck(s)
	if err != nil {
		return err
	}
	has, err := f.newestRun(ctx, commit, c.name)
	if err != nil {
		return err
	}
	again := f.isAskedAgain(commit, c.name)
	switch {
	case again:
		has = nil
	case has != nil && has.GetExternalID() == c.id:
		return nil
	}
	output, rest := c.output(c.annotations)
	id := c.id
	if len(rest) > 0 {
		id = "" // it says so with the last of the annotations, so that what is cut off is done again
	}
	if has == nil || has.GetOutput().GetAnnotationsCount() > 0 || has.GetStatus() == "completed" && c.status != "completed" {
		has, _, err = f.client.Checks.CreateCheckRun(ctx, f.owner, f.repo, gh.CreateCheckRunOptions{
			Name: c.name, HeadSHA: commit, DetailsURL: c.url, ExternalID: &id, Status: &c.status, Conclusion: c.conclusion, Output: output,
		})
	} else {
		_, _, err = f.client.Checks.UpdateCheckRun(ctx, f.owner, f.repo, has.GetID(), gh.UpdateCheckRunOptions{
			Name: c.name, DetailsURL: c.url, ExternalID: &id, Status: &c.status, Conclusion: c.conclusion, Output: output,
		})
	}
	for err == nil && len(rest) > 0 {
		output, rest = c.output(rest)
		update := gh.UpdateCheckRunOptions{Name: c.name, Output: output}
		if len(rest) == 0 {
			update.ExternalID = &c.id
		}
		_, _, err = f.client.Checks.UpdateCheckRun(ctx, f.owner, f.repo, has.GetID(), update)
	}
	if err == nil && again {
		f.madeAgain(commit, c.name)
	}
	return err
}

// maxAgain bounds how many commits are remembered of which checks are asked for again.
const maxAgain = 1000

// Again notes that somebody pressed "re-run" on a commit's checks. GitHub shows them as queued from then on, so the next SetStatus of
// each of them makes another check run, also where it says the same.
// Source: docs.github.com, "REST API endpoints for check runs", rerequest a check run.
func (f *Forge) Again(commit string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.again) >= maxAgain {
		clear(f.again)
	}
	f.again[commit] = map[string]bool{}
}

func (f *Forge) isAskedAgain(commit, name string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	made, asked := f.again[commit]
	return asked && !made[name]
}

func (f *Forge) madeAgain(commit, name string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if made := f.again[commit]; made != nil {
		made[name] = true
	}
}

// newestRun returns the newest check run of this name that our app made; nil if there is none.
func (f *Forge) newestRun(ctx context.Context, commit, name string) (newest *gh.CheckRun, err error) {
	o := gh.ListCheckRunsOptions{CheckName: &name, Filter: gh.String("all"), AppID: &f.opt.App.ID}
	err = pages(func(page gh.ListOptions) (*gh.Response, error) {
		o.ListOptions = page
		list, res, err := f.client.Checks.ListCheckRunsForRef(ctx, f.owner, f.repo, commit, &o)
		if err != nil {
			return res, err
		}
		for _, r := range list.CheckRuns {
			if r.GetName() == name && (newest == nil || r.GetID() > newest.GetID()) {
				newest = r
			}
		}
		return res, nil
	})
	return newest, err
}
