package githubtest

import (
	"maps"
	"net/http"
	"slices"
	"strings"
)

func getMe(c *call) (any, error) {
	switch {
	case c.who == nil:
		return nil, refuse(http.StatusUnauthorized, "Requires authentication")
	case c.who.app != nil:
		return nil, refuse(http.StatusForbidden, "Resource not accessible by integration")
	}
	return c.publicUserJSON(c.who.account), nil
}

func getUser(c *call) (any, error) {
	a := c.users[strings.ToLower(c.params["username"])]
	if a == nil {
		return nil, notFound()
	}
	return c.publicUserJSON(a), nil
}

// searchUsers finds by login, by name, or by public address ("x@example.org in:email").
func searchUsers(c *call) (any, error) {
	var words []string
	in := "login name email"
	for w := range strings.FieldsSeq(c.query.Get("q")) {
		switch k, v, ok := strings.Cut(w, ":"); {
		case ok && k == "in":
			in = v
		case ok && k == "type":
		default:
			words = append(words, strings.ToLower(strings.Trim(w, `"`)))
		}
	}
	if len(words) == 0 {
		return nil, invalid("Search", "q", "missing", "")
	}
	var found []*Account
	for _, login := range slices.Sorted(maps.Keys(c.users)) {
		a := c.users[login]
		fields := map[string]string{"login": a.Login, "name": a.Name, "email": a.Email}
		hit := a.Type == "User" && !slices.ContainsFunc(words, func(w string) bool {
			for name, value := range fields {
				if strings.Contains(in, name) && value != "" && strings.Contains(strings.ToLower(value), w) {
					return false
				}
			}
			return true
		})
		if hit {
			found = append(found, a)
		}
	}
	items := list(c, found, func(a *Account) obj {
		o := c.userJSON(a)
		o["score"] = 1.0
		return o
	})
	return obj{"total_count": len(found), "incomplete_results": false, "items": items}, nil
}

func getPermission(c *call) (any, error) {
	a := c.users[strings.ToLower(c.params["username"])]
	if a == nil {
		return nil, refuse(http.StatusNotFound, "%s is not a user", c.params["username"])
	}
	role := c.repo.role(a.Login)
	// The older field knows four words only (GitHub Docs, Get repository permissions for a user).
	permission := map[string]string{"triage": "read", "maintain": "write"}[role]
	user := c.userJSON(a)
	user["permissions"] = obj{
		"pull": atLeast(role, "read"), "triage": atLeast(role, "triage"), "push": atLeast(role, "write"), "maintain": atLeast(role, "maintain"), "admin": role == "admin",
	}
	user["role_name"] = role
	return obj{"permission": orElse(permission, role), "role_name": role, "user": user}, nil
}

func (s *Server) team(login, slug string) *team {
	for name, o := range s.orgs {
		if strings.EqualFold(name, login) {
			return o.teams[slug]
		}
	}
	return nil
}

// findTeam returns the team of a request. Others than members of the organisation learn nothing.
func (c *call) findTeam() (*team, error) {
	t := c.team(c.params["org"], c.params["team_slug"])
	if t == nil {
		return nil, notFound()
	}
	o := c.orgs[c.params["org"]]
	if c.who.app == nil && !o.members[c.who.login()] {
		return nil, notFound()
	}
	return t, nil
}

func getTeam(c *call) (any, error) {
	t, err := c.findTeam()
	if err != nil {
		return nil, err
	}
	return c.fullTeamJSON(c.orgs[c.params["org"]], t), nil
}

func listMembers(c *call) (any, error) {
	t, err := c.findTeam()
	if err != nil {
		return nil, err
	}
	return list(c, slices.Sorted(maps.Keys(t.members)), func(login string) obj { return c.userJSON(c.users[strings.ToLower(login)]) }), nil
}

func getMembership(c *call) (any, error) {
	t, err := c.findTeam()
	if err != nil {
		return nil, err
	}
	for login := range t.members {
		if strings.EqualFold(login, c.params["username"]) {
			return obj{
				"url":  c.api("organizations/%d/team/%d/memberships/%s", c.orgs[c.params["org"]].account.ID, t.id, login),
				"role": "member", "state": "active",
			}, nil
		}
	}
	return nil, notFound()
}

func checkTeamRepo(c *call) (any, error) {
	t, err := c.findTeam()
	if err != nil {
		return nil, err
	}
	if t.repos[c.repo.Full()] == "" {
		return nil, notFound()
	}
	return &reply{status: http.StatusNoContent}, nil
}

func listRepoTeams(c *call) (any, error) {
	var found []*team
	if o := c.orgs[c.repo.Owner]; o != nil {
		for _, slug := range slices.Sorted(maps.Keys(o.teams)) {
			if o.teams[slug].repos[c.repo.Full()] != "" {
				found = append(found, o.teams[slug])
			}
		}
	}
	return list(c, found, func(t *team) obj { return c.teamJSON(c.orgs[c.repo.Owner], t, t.repos[c.repo.Full()]) }), nil
}

func getRepo(c *call) (any, error) { return c.fullRepoJSON(c.repo), nil }

func getRoot(c *call) (any, error) {
	urls := obj{}
	for _, name := range rootURLs {
		urls[name] = c.api("%s", strings.TrimSuffix(name, "_url"))
	}
	return urls, nil
}

var rootURLs = strings.Fields(`current_user_url current_user_authorizations_html_url authorizations_url code_search_url commit_search_url
	emails_url emojis_url events_url feeds_url followers_url following_url gists_url hub_url issue_search_url issues_url keys_url label_search_url
	notifications_url organization_url organization_repositories_url organization_teams_url public_gists_url rate_limit_url repository_url
	repository_search_url current_user_repositories_url starred_url starred_gists_url topic_search_url user_url user_organizations_url
	user_repositories_url user_search_url`)

func getMeta(*call) (any, error) {
	return obj{"verifiable_password_authentication": false, "installed_version": "3.19.0"}, nil
}
