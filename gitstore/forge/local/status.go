package local

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/driftback/driftback/gitstore"
	"github.com/driftback/driftback/gitstore/forge"
)

// statusFile holds the statuses of a commit, by context.
type statusFile struct {
	Commit   gitstore.ID             `json:"commit"`
	Statuses map[string]forge.Status `json:"statuses"`
}

// SetStatus implements forge.Forge. ErrNotFound for a commit that the repository has not.
func (f *Forge) SetStatus(ctx context.Context, commit string, s forge.Status) error {
	s, err := s.Clean()
	if err == nil {
		err = f.update(ctx, recent, func(c *change) error { return c.setStatus(commit, s) })
	}
	if err != nil {
		return fmt.Errorf("status of %.60q: %w", commit, err)
	}
	return nil
}

func (c *change) setStatus(commit string, s forge.Status) error {
	id, err := c.f.commitID(commit)
	if err != nil {
		return err
	}
	file, err := c.statuses(id)
	if has, ok := file.Statuses[s.Context]; err != nil || ok && has.Equal(s) {
		return err
	}
	if file.Statuses == nil {
		file.Statuses = map[string]forge.Status{}
	}
	file.Commit, file.Statuses[s.Context] = id, s
	c.what = fmt.Sprintf("%.10s %s: %s", id, forge.CleanTitle(s.Context), s.State)
	return c.put(statusPath(id), file)
}

func (v *view) statuses(commit gitstore.ID) (file statusFile, err error) {
	_, err = v.f.readJSON(v.idx.commit, statusPath(commit), &file)
	return file, err
}

// Statuses returns the statuses of a commit, ordered by context.
func (f *Forge) Statuses(ctx context.Context, commit string) ([]forge.Status, error) {
	v, err := f.synced(ctx)
	if err != nil {
		return nil, fmt.Errorf("statuses of %.60q: %w", commit, err)
	}
	id, err := f.commitID(commit)
	if err != nil {
		return nil, fmt.Errorf("statuses: %w", err)
	}
	return v.statusList(id)
}

func (v *view) statusList(id gitstore.ID) ([]forge.Status, error) {
	file, err := v.statuses(id)
	if err != nil {
		return nil, fmt.Errorf("statuses of %s: %w", id, err)
	}
	var list []forge.Status
	for _, s := range file.Statuses {
		list = append(list, s)
	}
	slices.SortFunc(list, func(a, b forge.Status) int { return strings.Compare(a.Context, b.Context) })
	return list, nil
}

// EnsureDeployment implements forge.Forge. ErrNotFound for a commit that the repository has not.
func (f *Forge) EnsureDeployment(ctx context.Context, d forge.Deployment) error {
	d, err := d.Clean()
	if err == nil {
		err = f.update(ctx, recent, func(c *change) error { return c.setDeployment(d) })
	}
	if err != nil {
		return fmt.Errorf("deployment %.60q: %w", d.ID, err)
	}
	return nil
}

func (c *change) setDeployment(d forge.Deployment) error {
	if _, err := c.f.commitID(d.Commit); err != nil {
		return err
	}
	var has forge.Deployment
	path := deploymentPath(d.Environment, d.ID)
	found, err := c.f.readJSON(c.idx.commit, path, &has)
	if err != nil || found && has == d {
		return err
	}
	c.what = fmt.Sprintf("deployment %s to %s: %s", forge.CleanTitle(d.ID), forge.CleanTitle(d.Environment), d.State)
	return c.put(path, d)
}

// Deployments returns the deployments to an environment, ordered by ID.
func (f *Forge) Deployments(ctx context.Context, environment string) ([]forge.Deployment, error) {
	v, err := f.synced(ctx)
	if err != nil {
		return nil, fmt.Errorf("deployments to %.60q: %w", environment, err)
	}
	var list []forge.Deployment
	err = f.store.Files(v.idx.commit, deploymentFolder(environment), func(file gitstore.File) error {
		var d forge.Deployment
		if err := f.readBlob(file, &d); err != nil {
			return err
		}
		list = append(list, d)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("deployments to %.60q: %w", environment, err)
	}
	slices.SortFunc(list, func(a, b forge.Deployment) int { return strings.Compare(a.ID, b.ID) })
	return list, nil
}
