package github

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
)

// A Rule is one rule of the repository, its organisation or enterprise for a branch.
type Rule struct {
	Type    string `json:"type"` // creation, update, deletion, required_signatures, pull_request, …
	Source  string `json:"ruleset_source"`
	Ruleset int64  `json:"ruleset_id"`
}

// String names the rule and where it stands.
func (r Rule) String() string {
	if r.Source == "" {
		return r.Type
	}
	return fmt.Sprintf("%s (ruleset %d of %s)", r.Type, r.Ruleset, r.Source)
}

// Rules returns the rules that hold for a branch: what may refuse driftback's own pushes. Classic branch
// protection is not among them, and whether our account is exempt is not known.
func (f *Forge) Rules(ctx context.Context, branch string) ([]Rule, error) {
	op := "read the rules of branch " + branch
	// The library refuses kinds of rules that are newer than it is.
	req, err := f.client.NewRequest(http.MethodGet, fmt.Sprintf("repos/%s/%s/rules/branches/%s?per_page=100", f.owner, f.repo, url.PathEscape(branch)), nil)
	if err != nil {
		return nil, f.fail(ctx, op, err)
	}
	var rules []Rule
	if _, err := f.client.Do(ctx, req, &rules); err != nil {
		return nil, f.fail(ctx, op, err)
	}
	return rules, nil
}

// stopping are the kinds of rules by which a push of driftback to its own branches can be refused.
var stopping = []string{
	"creation", "update", "deletion", "non_fast_forward", "pull_request", "required_signatures", "required_status_checks",
	"required_linear_history", "commit_message_pattern", "commit_author_email_pattern", "committer_email_pattern",
	"file_path_restriction", "max_file_size", "workflows", "code_scanning", "merge_queue",
}

// Stops reports whether a rule can refuse a push to a branch of driftback's own.
func (r Rule) Stops() bool { return slices.Contains(stopping, r.Type) }

// Protected reports whether the branch is protected in the classic way or any rule stands for it.
func (f *Forge) Protected(ctx context.Context, branch string) (bool, error) {
	op := "read branch " + branch
	// The library keeps no more of a refusal than its status.
	req, err := f.client.NewRequest(http.MethodGet, fmt.Sprintf("repos/%s/%s/branches/%s", f.owner, f.repo, url.PathEscape(branch)), nil)
	if err != nil {
		return false, f.fail(ctx, op, err)
	}
	var b struct{ Protected bool }
	if _, err := f.client.Do(ctx, req, &b); err != nil {
		return false, f.fail(ctx, op, err)
	}
	if b.Protected {
		return true, nil
	}
	rules, err := f.Rules(ctx, branch)
	return len(rules) > 0, err
}
