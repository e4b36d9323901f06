package github

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// Account returns our own login, asking GitHub where it is not known.
func (f *Forge) Account(ctx context.Context) (string, error) { return f.me(ctx) }

// A Need is a permission of an app, with what for.
type Need struct {
	Name  string // as the app's settings call it
	Write bool
	For   string
}

// String is the permission as GitHub's settings show it.
func (n Need) String() string {
	if n.Write {
		return n.Name + ": write"
	}
	return n.Name + ": read"
}

// Needs are the permissions that driftback has a use for; teams says whether members of teams are looked up.
func Needs(teams bool) []Need {
	needs := []Need{
		{"contents", true, "live branches, drift branches and the state; merging"},
		{"pull requests", true, "the drift pull request, comments, labels, reviewers, reactions"},
		{"checks", true, "plans and conflicts on pull requests"},
		{"deployments", true, "the history of deployments"},
		{"metadata", false, "who may write; rules of branches"},
	}
	if teams {
		needs = append(needs, Need{"organization members", false, "who is in the teams that commands are permitted to"})
	}
	return needs
}

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
		"contents": has.GetContents(), "pull requests": has.GetPullRequests(), "checks": has.GetChecks(),
		"deployments": has.GetDeployments(), "metadata": has.GetMetadata(), "organization members": has.GetMembers(),
	}
	return slices.DeleteFunc(Needs(len(f.teams) > 0), func(n Need) bool {
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
