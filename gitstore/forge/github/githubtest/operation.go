package githubtest

import "strings"

// operations are the answers to the operations of the description, with the permission that each needs. Source: GitHub Docs,
// Permissions required for GitHub Apps, in its data: github.com/github/docs, src/github-apps/data/fpt-2022-11-28/server-to-server-permissions.json.
var operations = map[string]handler{
	"meta/root":      {"", getRoot},
	"meta/get":       {"", getMeta},
	"rate-limit/get": {"", rateLimit},

	"apps/get-authenticated":                     {"jwt", getApp},
	"apps/get-installation":                      {"jwt", getInstallation},
	"apps/get-repo-installation":                 {"jwt", getRepoInstallation},
	"apps/list-installations":                    {"jwt", listInstallations},
	"apps/create-installation-access-token":      {"jwt", createInstallationToken},
	"apps/list-webhook-deliveries":               {"jwt", listDeliveries},
	"apps/get-webhook-delivery":                  {"jwt", getDelivery},
	"apps/redeliver-webhook-delivery":            {"jwt", redeliver},
	"apps/list-repos-accessible-to-installation": {"", listInstallationRepos},

	"users/get-authenticated": {"", getMe},
	"users/get-by-username":   {"", getUser},
	"search/users":            {"", searchUsers},

	"teams/get-by-name":                       {"members=read", getTeam},
	"teams/list-members-in-org":               {"members=read", listMembers},
	"teams/get-membership-for-user-in-org":    {"members=read", getMembership},
	"teams/check-permissions-for-repo-in-org": {"members=read,read", checkTeamRepo},

	"repos/get":        {"", getRepo},
	"repos/list-teams": {"administration=read", listRepoTeams},
	"repos/get-collaborator-permission-level":         {"metadata=read", getPermission},
	"repos/list-branches":                             {"contents=read", listBranches},
	"repos/get-branch":                                {"contents=read", getBranch},
	"repos/get-branch-protection":                     {"administration=read", getProtection},
	"repos/get-branch-rules":                          {"metadata=read", getRules},
	"repos/get-content":                               {"contents=read", getContent},
	"repos/list-commits":                              {"contents=read", listCommits},
	"repos/get-commit":                                {"contents=read", getCommit},
	"repos/compare-commits":                           {"contents=read", compareCommits},
	"repos/list-pull-requests-associated-with-commit": {"pull_requests=read", listPullsOfCommit},

	"repos/list-webhooks":              {"repository_hooks=read", listHooks},
	"repos/create-webhook":             {"repository_hooks=write", createHook},
	"repos/get-webhook":                {"repository_hooks=read", getHook},
	"repos/delete-webhook":             {"repository_hooks=write", deleteHook},
	"repos/ping-webhook":               {"repository_hooks=read", pingHook},
	"repos/list-webhook-deliveries":    {"repository_hooks=read", listDeliveries},
	"repos/get-webhook-delivery":       {"repository_hooks=read", getDelivery},
	"repos/redeliver-webhook-delivery": {"repository_hooks=write", redeliver},

	"git/get-ref":            {"contents=read", getRef},
	"git/list-matching-refs": {"contents=read", listRefs},
	"git/create-ref":         {"contents=write", createRef},
	"git/update-ref":         {"contents=write", updateRef},
	"git/delete-ref":         {"contents=write", deleteRef},
	"git/get-commit":         {"contents=read", getGitCommit},
	"git/get-tree":           {"contents=read", getTree},

	"pulls/list":                       {"pull_requests=read", listPulls},
	"pulls/get":                        {"pull_requests=read", getPull},
	"pulls/create":                     {"pull_requests=write,read", createPull},
	"pulls/update":                     {"pull_requests=write", updatePull},
	"pulls/update-branch":              {"pull_requests=write", updateBranch},
	"pulls/merge":                      {"contents=write", mergePull},
	"pulls/check-if-merged":            {"pull_requests=read", checkIfMerged},
	"pulls/list-files":                 {"pull_requests=read", listPullFiles},
	"pulls/list-commits":               {"pull_requests=read", listPullCommits},
	"pulls/list-reviews":               {"pull_requests=read", listReviews},
	"pulls/create-review":              {"pull_requests=write,read", createReview},
	"pulls/list-requested-reviewers":   {"pull_requests=read", listRequestedReviewers},
	"pulls/request-reviewers":          {"pull_requests=write,triage", requestReviewers},
	"pulls/remove-requested-reviewers": {"pull_requests=write,triage", removeReviewers},

	"issues/get":                    {"issues=read", getIssue},
	"issues/list-for-repo":          {"issues=read", listIssues},
	"issues/list-comments":          {"issues=read; pull_requests=read", listComments},
	"issues/list-comments-for-repo": {"issues=read; pull_requests=read", listRepoComments},
	"issues/create-comment":         {"issues=write; pull_requests=write,read", createComment},
	"issues/get-comment":            {"issues=read; pull_requests=read", getComment},
	"issues/update-comment":         {"issues=write; pull_requests=write,read", updateComment},
	"issues/delete-comment":         {"issues=write; pull_requests=write,read", deleteComment},
	"issues/list-labels-for-repo":   {"issues=read; pull_requests=read", listRepoLabels},
	"issues/create-label":           {"issues=write; pull_requests=write", createLabel},
	"issues/get-label":              {"issues=read; pull_requests=read", getLabel},
	"issues/update-label":           {"issues=write; pull_requests=write", updateLabel},
	"issues/list-labels-on-issue":   {"issues=read; pull_requests=read", listLabels},
	"issues/add-labels":             {"issues=write; pull_requests=write,triage", changeLabels(false)},
	"issues/set-labels":             {"issues=write; pull_requests=write,triage", changeLabels(true)},
	"issues/remove-label":           {"issues=write; pull_requests=write,triage", removeLabel},
	"issues/remove-all-labels":      {"issues=write; pull_requests=write,triage", removeLabels},

	"reactions/list-for-issue-comment":   {"issues=read", listReactions},
	"reactions/create-for-issue-comment": {"issues=write,read", createReaction},
	"reactions/delete-for-issue-comment": {"issues=write,read", deleteReaction},

	"repos/create-commit-status":         {"statuses=write", createStatus},
	"repos/list-commit-statuses-for-ref": {"statuses=read", listStatuses},
	"repos/get-combined-status-for-ref":  {"statuses=read", combinedStatus},

	"checks/create":           {"checks=write", createCheckRun},
	"checks/update":           {"checks=write", updateCheckRun},
	"checks/get":              {"checks=read", getCheckRun},
	"checks/list-for-ref":     {"checks=read", listRuns},
	"checks/list-annotations": {"checks=read", listAnnotations},
	"checks/rerequest-run":    {"checks=write", rerequestRun},

	"repos/list-deployments":         {"deployments=read", listDeployments},
	"repos/create-deployment":        {"deployments=write", createDeployment},
	"repos/get-deployment":           {"deployments=read", getDeployment},
	"repos/create-deployment-status": {"deployments=write", createDeploymentStatus},
	"repos/list-deployment-statuses": {"deployments=read", listDeploymentStatuses},
}

// Permission is what an operation needs, as X-Accepted-GitHub-Permissions says it, such as "issues=write; pull_requests=write"; empty
// where it needs none.
func Permission(op string) string {
	if op == "graphql" { // the mutations of pull requests
		return "pull_requests=write"
	}
	need, _, _ := strings.Cut(operations[op].need, ",")
	return need
}
