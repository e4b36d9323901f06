package reconciler

import (
	"context"

	"github.com/driftback/driftback/gitstore/forge"
)

// guarded is a forge to which no text goes with a secret in it: whoever writes one need not think of it.
type guarded struct {
	forge.Forge
	conceal func(string) string
}

func (g guarded) EnsurePull(ctx context.Context, p forge.Pull) (forge.Pull, error) {
	p.Title, p.Body = g.conceal(p.Title), g.conceal(p.Body)
	return g.Forge.EnsurePull(ctx, p)
}

func (g guarded) EnsureComment(ctx context.Context, n int, key, body string) error {
	return g.Forge.EnsureComment(ctx, n, key, g.conceal(body))
}

func (g guarded) SetStatus(ctx context.Context, commit string, s forge.Status) error {
	s.Description = g.conceal(s.Description)
	return g.Forge.SetStatus(ctx, commit, s)
}

func (g guarded) EnsureDeployment(ctx context.Context, d forge.Deployment) error {
	d.Description = g.conceal(d.Description)
	return g.Forge.EnsureDeployment(ctx, d)
}

func (g guarded) Merge(ctx context.Context, n int, headID, message string) (forge.Pull, error) {
	return g.Forge.Merge(ctx, n, headID, g.conceal(message))
}

func (g guarded) Answer(ctx context.Context, c forge.Command, reaction, body string) error {
	return g.Forge.Answer(ctx, c, reaction, g.conceal(body))
}

// Protected passes the question on: see forge.Protector.
func (g guarded) Protected(ctx context.Context, branch string) (bool, error) {
	return protected(ctx, g.Forge, branch)
}

// protected reports whether a branch may be changed by pull requests only, for all that the forge tells.
func protected(ctx context.Context, f forge.Forge, branch string) (bool, error) {
	p, ok := f.(forge.Protector)
	if !ok {
		return true, nil
	}
	return p.Protected(ctx, branch)
}

// BranchURL passes the question on: see forge.Linker.
func (g guarded) BranchURL(branch string) string { return branchURL(g.Forge, branch) }

// branchURL is the address of a branch's page; empty where the forge has none.
func branchURL(f forge.Forge, branch string) string {
	if l, ok := f.(forge.Linker); ok {
		return l.BranchURL(branch)
	}
	return ""
}
