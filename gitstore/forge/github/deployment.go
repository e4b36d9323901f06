package github

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	gh "github.com/google/go-github/v60/github"

	"github.com/driftback/driftback/gitstore/forge"
)

// A payload is what a deployment of ours carries, by which it is found again.
type payload struct {
	ID string `json:"driftback"`
}

// EnsureDeployment implements forge.Forge.
func (f *Forge) EnsureDeployment(ctx context.Context, d forge.Deployment) error {
	op := fmt.Sprintf("deployment of commit %.10s to %s", d.Commit, d.Environment)
	d, err := d.Clean()
	if err == nil && !commitID.MatchString(d.Commit) {
		err = fmt.Errorf("commit %.60q: no full id: %w", d.Commit, forge.ErrNotFound)
	}
	if err != nil {
		return fmt.Errorf("github: %s: %w", op, err)
	}
	id, err := f.deployment(ctx, d)
	if err == nil && id == 0 {
		id, err = f.createDeployment(ctx, d)
	}
	if noCommit(err) {
		return fmt.Errorf("github: %s: no such commit: %w", op, forge.ErrNotFound)
	}
	if err == nil {
		err = f.deploymentState(ctx, id, d)
	}
	return f.fail(ctx, op, err)
}

// deployment returns the id of the deployment, 0 if there is none yet.
func (f *Forge) deployment(ctx context.Context, d forge.Deployment) (found int64, err error) {
	me, err := f.me(ctx)
	if err != nil {
		return 0, err
	}
	o := gh.DeploymentsListOptions{SHA: d.Commit, Environment: d.Environment}
	err = pages(func(page gh.ListOptions) (*gh.Response, error) {
		o.ListOptions = page
		list, res, err := f.client.Repositories.ListDeployments(ctx, f.owner, f.repo, &o)
		for _, has := range list {
			ours := payloadOf(has.Payload).ID == d.ID && has.GetEnvironment() == d.Environment && strings.EqualFold(has.GetCreator().GetLogin(), me)
			if ours && (found == 0 || has.GetID() < found) {
				found = has.GetID()
			}
		}
		return res, err
	})
	return found, err
}

// payloadOf reads a payload, which GitHub returns as an object, or as a text that holds one.
func payloadOf(raw json.RawMessage) (p payload) {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		raw = json.RawMessage(text)
	}
	if json.Unmarshal(raw, &p) != nil {
		return payload{}
	}
	return p
}

// createDeployment begins a deployment: of exactly this commit, whatever other checks say, for the decision to
// deploy was made and is not GitHub's.
func (f *Forge) createDeployment(ctx context.Context, d forge.Deployment) (int64, error) {
	made, _, err := f.client.Repositories.CreateDeployment(ctx, f.owner, f.repo, &gh.DeploymentRequest{
		Ref: &d.Commit, Environment: &d.Environment, Description: &d.Description, Payload: payload{d.ID},
		AutoMerge: gh.Bool(false), RequiredContexts: &[]string{},
	})
	return made.GetID(), err
}

// deploymentState adds a status unless the newest one says the same.
func (f *Forge) deploymentState(ctx context.Context, id int64, d forge.Deployment) error {
	var newest *gh.DeploymentStatus
	err := pages(func(page gh.ListOptions) (*gh.Response, error) {
		list, res, err := f.client.Repositories.ListDeploymentStatuses(ctx, f.owner, f.repo, id, &page)
		for _, s := range list {
			if newest == nil || s.GetID() > newest.GetID() {
				newest = s
			}
		}
		return res, err
	})
	if err != nil {
		return err
	}
	if newest.GetState() == d.State && newest.GetDescription() == d.Description && newest.GetLogURL() == d.URL {
		return nil
	}
	status := &gh.DeploymentStatusRequest{State: &d.State, Description: &d.Description, AutoInactive: gh.Bool(false)}
	if d.URL != "" {
		status.LogURL = &d.URL
	}
	_, _, err = f.client.Repositories.CreateDeploymentStatus(ctx, f.owner, f.repo, id, status)
	return err
}
