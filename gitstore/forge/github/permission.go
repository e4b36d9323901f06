package github

import (
	"net/http"
	"slices"
	"strings"
)

// A Need is a permission of an app or of a fine-grained token, with what for.
type Need struct {
	Name  string // as GitHub's settings show it, in small letters: pull requests
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

// Manifest is the permission's name and level in the manifest of an app.
func (n Need) Manifest() (name, level string) {
	name, level = strings.ReplaceAll(n.Name, " ", "_"), "read"
	switch n.Name {
	case statuses:
		name = "statuses"
	case members:
		name = "members"
	}
	if n.Write {
		level = "write"
	}
	return name, level
}

// The permissions that there is a use for, by their names.
const (
	contents    = "contents"
	pulls       = "pull requests"
	issues      = "issues"
	checks      = "checks"
	statuses    = "commit statuses"
	deployments = "deployments"
	metadata    = "metadata"
	members     = "organization members"
)

// uses say what each permission is for, in the order in which people are told of them.
var uses = []Need{
	{contents, true, "branches `live/ENV` and `driftback/…`, the state, and merging where people ask for it"},
	{pulls, true, "the drift pull request; comments, labels and reviewers of pull requests"},
	{issues, true, "the reaction by which a command in a comment is acknowledged; who closed a pull request"},
	{checks, true, "plans and conflicts as checks, with remarks on lines of files"},
	{statuses, true, "plans and conflicts as commit statuses, where a token stands in for the App"},
	{deployments, true, "the history of deployments by environment"},
	{metadata, false, "who may write to the repository; which rules hold for a branch"},
	{members, false, "only with `teams`: who is in the teams that commands are permitted to"},
}

// An endpoint is a request that is made of GitHub, with the permission that it needs. {} stands for one part of the path.
type endpoint struct {
	method, path string
	need         string // a permission's name; to write where method is no GET
}

// endpoints are all requests that are made with the credentials of an installation, or a token. Those that need no permission have
// none. Source: docs.github.com, "Permissions required for GitHub Apps" (version 2022-11-28); what several permissions open is
// listed with the one that is asked for anyway.
var endpoints = []endpoint{
	{"GET", "/user", ""},
	{"GET", "/search/users", ""},
	{"GET", "/orgs/{}/teams/{}/memberships/{}", members},

	{"GET", "/repos/{}/{}/collaborators/{}/permission", metadata},
	{"GET", "/repos/{}/{}/rules/branches/{}", metadata},
	{"GET", "/repos/{}/{}/branches/{}", contents},
	{"GET", "/repos/{}/{}/commits", contents},
	{"PUT", "/repos/{}/{}/pulls/{}/merge", contents},

	{"GET", "/repos/{}/{}/pulls", pulls},
	{"GET", "/repos/{}/{}/pulls/{}", pulls},
	{"POST", "/repos/{}/{}/pulls", pulls},
	{"PATCH", "/repos/{}/{}/pulls/{}", pulls},
	{"POST", "/repos/{}/{}/pulls/{}/requested_reviewers", pulls},
	{"GET", "/repos/{}/{}/issues/comments", pulls},
	{"PATCH", "/repos/{}/{}/issues/comments/{}", pulls},
	{"DELETE", "/repos/{}/{}/issues/comments/{}", pulls},
	{"GET", "/repos/{}/{}/issues/{}/comments", pulls},
	{"POST", "/repos/{}/{}/issues/{}/comments", pulls},
	{"POST", "/repos/{}/{}/issues/{}/labels", pulls},
	{"DELETE", "/repos/{}/{}/issues/{}/labels/{}", pulls},
	{"POST", "/graphql", pulls}, // a draft made ready, or back

	{"GET", "/repos/{}/{}/issues/{}", issues},
	{"GET", "/repos/{}/{}/issues/comments/{}/reactions", issues},
	{"POST", "/repos/{}/{}/issues/comments/{}/reactions", issues},

	{"GET", "/repos/{}/{}/commits/{}/check-runs", checks},
	{"POST", "/repos/{}/{}/check-runs", checks},
	{"PATCH", "/repos/{}/{}/check-runs/{}", checks},

	{"GET", "/repos/{}/{}/commits/{}/status", statuses},
	{"POST", "/repos/{}/{}/statuses/{}", statuses},

	{"GET", "/repos/{}/{}/deployments", deployments},
	{"POST", "/repos/{}/{}/deployments", deployments},
	{"GET", "/repos/{}/{}/deployments/{}/statuses", deployments},
	{"POST", "/repos/{}/{}/deployments/{}/statuses", deployments},
}

// NeedOf returns the permission that a request of ours needs, by the path below the address of the API, as it is sent. known is
// false for a request that is none of ours; no name is that of one that needs no permission.
func NeedOf(method, path string) (n Need, known bool) {
	for _, e := range endpoints {
		if e.method == method && matches(e.path, path) {
			return Need{Name: e.need, Write: e.need != "" && method != http.MethodGet}, true
		}
	}
	return Need{}, false
}

// matches reports whether a path is one of a pattern.
func matches(pattern, path string) bool {
	want, have := strings.Split(pattern, "/"), strings.Split(path, "/")
	return len(want) == len(have) && !slices.ContainsFunc(want, func(part string) bool {
		is := have[0]
		have = have[1:]
		return part != is && (part != "{}" || is == "")
	})
}

// Needs are the permissions that driftback has a use for: of an app, or of a token. teams says whether members of teams are looked up.
func Needs(app, teams bool) []Need {
	return slices.DeleteFunc(slices.Clone(uses), func(n Need) bool {
		return n.Name == statuses && app || n.Name == checks && !app || n.Name == members && !teams
	})
}
