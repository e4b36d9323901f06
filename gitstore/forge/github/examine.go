package github

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// Account returns our own login, asking GitHub where it is not known.
func (f *Forge) Account(ctx context.Context) (string, error) { return f.me(ctx) }

// Missing returns the permissions that our app has not. With a token it is not known, and nothing is returned.
func (f *Forge) Missing(ctx context.Context) ([]Need, error) {
	s, ok := f.sign.(*appSignIn)
	if !ok {
		return nil, nil
	}
	if _, err := s.token(ctx); err != nil {
		return nil, f.fail(ctx, "sign in", err)
	}
	s.mu.Lock()
	has, err := s.current.Permissions()
	s.mu.Unlock()
	if err != nil {
		return nil, fmt.Errorf("github: permissions: %w", err)
	}
	levels := map[string]string{
		contents: has.GetContents(), pulls: has.GetPullRequests(), issues: has.GetIssues(), checks: has.GetChecks(),
		deployments: has.GetDeployments(), metadata: has.GetMetadata(), members: has.GetMembers(),
	}
	return slices.DeleteFunc(Needs(true, len(f.teams) > 0), func(n Need) bool {
		level := levels[n.Name]
		return level == "write" || level == "admin" || level == "read" && !n.Write
	}), nil
}

// Join lists needs for people.
func Join(needs []Need) string {
	var out []string
	for _, n := range needs {
		out = append(out, n.String())
	}
	return strings.Join(out, ", ")
}
