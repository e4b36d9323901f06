package githubtest

import (
	"maps"
	"net/url"
	"strconv"
	"strings"
	"time"
)

func itoa(n int64) string { return strconv.FormatInt(n, 10) }

func node(kind string, id int64) string { return kind + "_" + itoa(id) }

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

func stampOrNull(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return stamp(t)
}

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

func orNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func zeroNull(n int64) any {
	if n == 0 {
		return nil
	}
	return n
}

func escapePath(p string) string { return (&url.URL{Path: p}).EscapedPath() }

func (s *Server) repoURL(r *Repo, rest string) string { return s.api("repos/%s", r.Full()) + rest }

// addURLs adds the addresses of what belongs to a thing: name_url is its own with /name at the end.
func addURLs(o obj, self, names string) obj {
	o["url"] = self
	for name := range strings.FieldsSeq(names) {
		key, path, ok := strings.Cut(name, "=")
		if !ok {
			path = key
		}
		o[key+"_url"] = self + "/" + path
	}
	return o
}

func (s *Server) userJSON(a *Account) obj {
	if a == nil {
		return nil
	}
	o := obj{
		"login": a.Login, "id": a.ID, "node_id": node("U", a.ID), "avatar_url": s.html("avatars/u/%d", a.ID), "gravatar_id": "",
		"html_url": s.html("%s", url.PathEscape(a.Login)), "type": a.Type, "site_admin": false,
	}
	return addURLs(o, s.api("users/%s", url.PathEscape(a.Login)), `followers following=following{/other_user} gists=gists{/gist_id}
		starred=starred{/owner}{/repo} subscriptions organizations=orgs repos events=events{/privacy} received_events`)
}

// orNobody is an account, or JSON's null.
func (s *Server) orNobody(a *Account) any {
	if a == nil {
		return nil
	}
	return s.userJSON(a)
}

func (s *Server) publicUserJSON(a *Account) obj {
	o := s.userJSON(a)
	maps.Copy(o, obj{
		"name": orNull(a.Name), "company": nil, "blog": "", "location": nil, "email": orNull(a.Email), "hireable": nil, "bio": nil, "twitter_username": nil,
		"public_repos": 0, "public_gists": 0, "followers": 0, "following": 0, "created_at": stamp(s.now()), "updated_at": stamp(s.now()),
		"user_view_type": "public",
	})
	return o
}

func (s *Server) orgJSON(o *org) obj {
	out := obj{
		"login": o.account.Login, "id": o.account.ID, "node_id": node("O", o.account.ID), "avatar_url": s.html("avatars/u/%d", o.account.ID), "description": "",
	}
	return addURLs(out, s.api("orgs/%s", o.account.Login), "repos events hooks issues members=members{/member} public_members=public_members{/member}")
}

func (s *Server) teamJSON(o *org, t *team, permission string) obj {
	self := s.api("organizations/%d/team/%d", o.account.ID, t.id)
	return obj{
		"id": t.id, "node_id": node("T", t.id), "name": t.slug, "slug": t.slug, "description": "", "privacy": "closed", "notification_setting": "notifications_enabled",
		"permission": orElse(permission, "pull"), "url": self, "html_url": s.html("orgs/%s/teams/%s", o.account.Login, t.slug),
		"members_url": self + "/members{/member}", "repositories_url": self + "/repos", "parent": nil, "type": "organization", "organization_id": o.account.ID,
	}
}

func (s *Server) fullTeamJSON(o *org, t *team) obj {
	out := s.teamJSON(o, t, "")
	org := s.orgJSON(o)
	maps.Copy(org, obj{
		"name": o.account.Login, "is_verified": false, "has_organization_projects": false, "has_repository_projects": false, "public_repos": 0, "public_gists": 0,
		"followers": 0, "following": 0, "html_url": s.html("%s", o.account.Login), "type": "Organization", "created_at": stamp(s.now()), "updated_at": stamp(s.now()),
		"archived_at": nil,
	})
	out["members_count"], out["repos_count"], out["created_at"], out["updated_at"], out["organization"] = len(t.members), len(t.repos), stamp(s.now()), stamp(s.now()), org
	return out
}

const repoURLs = `archive={archive_format}{/ref} assignees=assignees{/user} blobs=git/blobs{/sha} branches=branches{/branch}
	collaborators=collaborators{/collaborator} comments=comments{/number} commits=commits{/sha} compare=compare/{base}...{head}
	contents=contents/{+path} contributors deployments downloads events forks git_commits=git/commits{/sha} git_refs=git/refs{/sha}
	git_tags=git/tags{/sha} hooks issue_comment=issues/comments{/number} issue_events=issues/events{/number} issues=issues{/number}
	keys=keys{/key_id} labels=labels{/name} languages merges milestones=milestones{/number} notifications=notifications{?since,all,participating}
	pulls=pulls{/number} releases=releases{/id} stargazers statuses=statuses/{sha} subscribers subscription tags teams trees=git/trees{/sha}`

// repoJSON is GitHub's minimal repository.
func (s *Server) repoJSON(r *Repo) obj {
	return addURLs(obj{
		"id": r.id, "node_id": node("R", r.id), "name": r.Name, "full_name": r.Full(), "private": r.Private, "owner": s.userJSON(s.users[strings.ToLower(r.Owner)]),
		"html_url": s.html("%s", r.Full()), "description": nil, "fork": r.fork != nil,
	}, s.repoURL(r, ""), repoURLs)
}

func (s *Server) fullRepoJSON(r *Repo) obj {
	o := s.repoJSON(r)
	open := 0
	for _, p := range r.pulls {
		if p.open {
			open++
		}
	}
	maps.Copy(o, obj{
		"clone_url": r.GitURL(), "git_url": "git://" + strings.TrimPrefix(r.GitURL(), "http://"), "ssh_url": "git@" + strings.TrimPrefix(s.URL, "http://") + ":" + r.Full() + ".git",
		"svn_url": s.html("%s", r.Full()), "mirror_url": nil, "homepage": nil, "language": nil, "default_branch": r.def, "visibility": map[bool]string{true: "private", false: "public"}[r.Private],
		"forks": 0, "forks_count": 0, "stargazers_count": 0, "watchers": 0, "watchers_count": 0, "network_count": 0, "subscribers_count": 0, "size": 1,
		"open_issues": open, "open_issues_count": open, "has_issues": true, "has_projects": false, "has_wiki": false, "has_pages": false, "has_downloads": false,
		"has_discussions": false, "archived": false, "disabled": false, "license": nil, "topics": []string{}, "is_template": false,
		"created_at": stamp(r.created), "updated_at": stamp(r.created), "pushed_at": stamp(s.now()), "delete_branch_on_merge": r.deleteHeads,
		"allow_merge_commit": !r.noMethod["merge"], "allow_squash_merge": !r.noMethod["squash"], "allow_rebase_merge": !r.noMethod["rebase"], "allow_auto_merge": false,
		"allow_forking": true, "web_commit_signoff_required": false, "custom_properties": obj{},
	})
	return o
}

func (c *call) pullURL(p *pull) string { return c.repoURL(p.repo, "/pulls/"+itoa(p.number)) }

func (c *call) pullPage(p *pull) string { return c.html("%s/pull/%d", p.repo.Full(), p.number) }

// association is what GitHub says of somebody beside their words.
func (c *call) association(r *Repo, a *Account) string {
	o := c.orgs[r.Owner]
	switch {
	case strings.EqualFold(a.Login, r.Owner):
		return "OWNER"
	case o != nil && o.members[a.Login]:
		return "MEMBER"
	case atLeast(r.people[a.Login], "read") && r.people[a.Login] != "":
		return "COLLABORATOR"
	}
	return "NONE"
}

func (c *call) sideJSON(r *Repo, ref, sha string) obj {
	return obj{"label": r.Owner + ":" + ref, "ref": ref, "sha": sha, "user": c.userJSON(c.users[strings.ToLower(r.Owner)]), "repo": c.fullRepoJSON(r)}
}

// pullJSON is a pull request as it is listed, or in full.
func (c *call) pullJSON(p *pull, full bool) obj {
	self, issue, page := c.pullURL(p), c.repoURL(p.repo, "/issues/"+itoa(p.number)), c.pullPage(p)
	statuses := c.repoURL(p.repo, "/statuses/"+p.headSHA)
	link := func(s string) obj { return obj{"href": s} }
	o := obj{
		"url": self, "id": p.id, "node_id": node("PR", p.id), "html_url": page, "diff_url": page + ".diff", "patch_url": page + ".patch", "issue_url": issue,
		"number": p.number, "state": openState(p.open), "locked": false, "title": p.title, "user": c.userJSON(p.author), "body": orNull(p.body),
		"created_at": stamp(p.created), "updated_at": stamp(p.updated), "closed_at": stampOrNull(p.closed), "merged_at": nil, "merge_commit_sha": nil,
		"assignee": nil, "assignees": []obj{}, "requested_reviewers": c.people(p.reviewers), "requested_teams": c.teamsOf(p), "labels": c.labelsJSON(p), "milestone": nil,
		"draft": p.draft, "commits_url": self + "/commits", "review_comments_url": self + "/comments",
		"review_comment_url": c.repoURL(p.repo, "/pulls/comments{/number}"), "comments_url": issue + "/comments", "statuses_url": statuses,
		"head": c.sideJSON(p.head, p.headRef, p.headSHA), "base": c.sideJSON(p.repo, p.baseRef, p.baseSHA),
		"_links": obj{
			"self": link(self), "html": link(page), "issue": link(issue), "comments": link(issue + "/comments"), "review_comments": link(self + "/comments"),
			"review_comment": link(c.repoURL(p.repo, "/pulls/comments{/number}")), "commits": link(self + "/commits"), "statuses": link(statuses),
		},
		"author_association": c.association(p.repo, p.author), "auto_merge": nil, "active_lock_reason": nil,
	}
	if p.merged {
		o["merged_at"], o["merge_commit_sha"] = stamp(p.closed), p.mergeCommit
	} else if p.testCommit != "" {
		o["merge_commit_sha"] = p.testCommit // of the test merge: the trap that an open pull request has one
	}
	if full {
		c.addFull(o, p)
	}
	return o
}

func openState(open bool) string {
	if open {
		return "open"
	}
	return "closed"
}

// addFull adds what only a single pull request tells.
func (c *call) addFull(o obj, p *pull) {
	merge := p.mergeBase()
	ids := p.repo.commits(merge, p.headSHA)
	files, _ := p.repo.diff(merge, p.headSHA)
	added, deleted, comments := 0, 0, 0
	for _, f := range files {
		added, deleted = added+f.added, deleted+f.deleted
	}
	for _, m := range p.repo.comments {
		if m.pull == p {
			comments++
		}
	}
	maps.Copy(o, obj{
		"merged": p.merged, "mergeable": nil, "rebaseable": nil, "mergeable_state": "unknown", "merged_by": c.orNobody(p.mergedBy), "comments": comments,
		"review_comments": 0, "maintainer_can_modify": p.canModify, "commits": len(ids), "additions": added, "deletions": deleted, "changed_files": len(files),
	})
	switch {
	case !p.open:
	case p.unknown > 0 && c.r != nil:
		p.unknown--
	case p.unknown == 0:
		p.test()
		o["mergeable"], o["mergeable_state"], o["merge_commit_sha"] = p.mergeable, p.mergeState(), orNull(p.testCommit)
	}
}

func (c *call) people(all []*Account) []obj {
	out := []obj{}
	for _, a := range all {
		out = append(out, c.userJSON(a))
	}
	return out
}

func (c *call) teamsOf(p *pull) []obj {
	out := []obj{}
	for _, slug := range p.teams {
		out = append(out, c.teamJSON(c.orgs[p.repo.Owner], c.orgs[p.repo.Owner].teams[slug], ""))
	}
	return out
}

func (c *call) reviewersJSON(p *pull) obj {
	return obj{"users": c.people(p.reviewers), "teams": c.teamsOf(p)}
}

func (c *call) reviewJSON(p *pull, r *review) obj {
	page := c.pullPage(p) + "#pullrequestreview-" + itoa(r.id)
	return obj{
		"id": r.id, "node_id": node("PRR", r.id), "user": c.userJSON(r.author), "body": r.body, "state": r.state, "html_url": page, "pull_request_url": c.pullURL(p),
		"_links": obj{"html": obj{"href": page}, "pull_request": obj{"href": c.pullURL(p)}}, "submitted_at": stamp(r.at), "commit_id": r.commit,
		"author_association": c.association(p.repo, r.author),
	}
}

func (c *call) labelsJSON(p *pull) []obj {
	out := []obj{}
	for _, l := range p.labels {
		out = append(out, c.labelJSON(l))
	}
	return out
}

func (c *call) labelJSON(l *label) obj {
	return obj{
		"id": l.id, "node_id": node("L", l.id), "url": c.repoURL(c.repo, "/labels/"+url.PathEscape(l.name)), "name": l.name, "color": l.color,
		"default": false, "description": orNull(l.description),
	}
}

func (c *call) issueJSON(p *pull) obj {
	page := c.pullPage(p)
	comments := 0
	for _, m := range p.repo.comments {
		if m.pull == p {
			comments++
		}
	}
	o := obj{
		"id": p.id, "node_id": node("PR", p.id), "number": p.number, "title": p.title, "user": c.userJSON(p.author), "labels": c.labelsJSON(p), "html_url": page,
		"state": openState(p.open), "locked": false, "assignee": nil, "assignees": []obj{}, "milestone": nil, "comments": comments, "created_at": stamp(p.created),
		"updated_at": stamp(p.updated), "closed_at": stampOrNull(p.closed), "closed_by": c.orNobody(p.closedBy), "author_association": c.association(p.repo, p.author),
		"active_lock_reason": nil, "draft": p.draft, "body": orNull(p.body), "repository_url": c.repoURL(p.repo, ""), "state_reason": nil,
		"performed_via_github_app": nil, "timeline_url": c.repoURL(p.repo, "/issues/"+itoa(p.number)+"/timeline"),
		"pull_request": obj{"url": c.pullURL(p), "html_url": page, "diff_url": page + ".diff", "patch_url": page + ".patch", "merged_at": nil},
	}
	if p.merged {
		o["pull_request"].(obj)["merged_at"] = stamp(p.closed)
	}
	o["reactions"] = reactionsJSON(c.repoURL(p.repo, "/issues/"+itoa(p.number)), nil)
	return addURLs(o, c.repoURL(p.repo, "/issues/"+itoa(p.number)), "labels=labels{/name} comments events")
}

func (c *call) commentURL(m *comment) string {
	return c.repoURL(m.pull.repo, "/issues/comments/"+itoa(m.id))
}

func (c *call) commentJSON(m *comment) obj {
	return obj{
		"id": m.id, "node_id": node("IC", m.id), "url": c.commentURL(m), "html_url": c.pullPage(m.pull) + "#issuecomment-" + itoa(m.id), "body": m.body,
		"user": c.userJSON(m.author), "created_at": stamp(m.created), "updated_at": stamp(m.updated),
		"issue_url": c.repoURL(m.pull.repo, "/issues/"+itoa(m.pull.number)), "author_association": c.association(m.pull.repo, m.author),
		"performed_via_github_app": c.appOrNull(m.app), "reactions": reactionsJSON(c.commentURL(m), m.reactions),
	}
}

func (c *call) appOrNull(a *App) any {
	if a == nil {
		return nil
	}
	return c.appJSON(a)
}

var reactionNames = []string{"+1", "-1", "laugh", "confused", "heart", "hooray", "rocket", "eyes"}

func reactionsJSON(of string, all []*reaction) obj {
	o := obj{"url": of + "/reactions", "total_count": len(all)}
	for _, name := range reactionNames {
		n := 0
		for _, r := range all {
			if r.content == name {
				n++
			}
		}
		o[name] = n
	}
	return o
}

func (c *call) reactionJSON(r *reaction) obj {
	return obj{"id": r.id, "node_id": node("REA", r.id), "user": c.userJSON(r.author), "content": r.content, "created_at": stamp(r.at)}
}

func (c *call) statusJSON(s *status) obj {
	o := c.simpleStatusJSON(s)
	o["creator"] = c.userJSON(s.author)
	return o
}

func (c *call) simpleStatusJSON(s *status) obj {
	return obj{
		"url": c.repoURL(c.repo, "/statuses/"+s.sha), "avatar_url": c.html("avatars/u/%d", s.author.ID), "id": s.id, "node_id": node("SC", s.id), "state": s.state,
		"description": orNull(s.text), "target_url": orNull(s.url), "context": s.context, "created_at": stamp(s.at), "updated_at": stamp(s.at),
	}
}

func (c *call) runJSON(r *checkRun) obj {
	self := c.repoURL(c.repo, "/check-runs/"+itoa(r.id))
	pulls := []obj{}
	for _, p := range c.repo.pulls {
		if p.open && p.headSHA == r.sha {
			side := func(ref, sha string) obj {
				return obj{"ref": ref, "sha": sha, "repo": obj{"id": c.repo.id, "url": c.repoURL(c.repo, ""), "name": c.repo.Name}}
			}
			pulls = append(pulls, obj{"id": p.id, "number": p.number, "url": c.pullURL(p), "head": side(p.headRef, p.headSHA), "base": side(p.baseRef, p.baseSHA)})
		}
	}
	return obj{
		"id": r.id, "head_sha": r.sha, "node_id": node("CR", r.id), "external_id": r.externalID, "url": self,
		"html_url": c.html("%s/runs/%d", c.repo.Full(), r.id), "details_url": orElse(r.detailsURL, c.html("%s/runs/%d", c.repo.Full(), r.id)),
		"status": r.status, "conclusion": orNull(r.conclusion), "started_at": stampOrNull(r.started), "completed_at": stampOrNull(r.completed), "name": r.name,
		"check_suite": obj{"id": r.app.ID}, "app": c.appJSON(r.app), "pull_requests": pulls,
		"output": obj{
			"title": orNull(r.title), "summary": orNull(r.summary), "text": orNull(r.text), "annotations_count": len(r.annotations), "annotations_url": self + "/annotations",
		},
	}
}

// eventRunJSON is a check run as events show it: with its suite.
func (c *call) eventRunJSON(r *checkRun) obj {
	o := c.runJSON(r)
	branch := any(nil)
	for ref, id := range c.repo.refs {
		if name, ok := strings.CutPrefix(ref, "refs/heads/"); ok && id == r.sha {
			branch = name
		}
	}
	o["check_suite"] = obj{
		"id": r.app.ID, "node_id": node("CS", r.app.ID), "head_branch": branch, "head_sha": r.sha, "status": r.status, "conclusion": orNull(r.conclusion),
		"url": c.repoURL(c.repo, "/check-suites/"+itoa(r.app.ID)), "before": nil, "after": r.sha, "pull_requests": o["pull_requests"], "app": o["app"],
		"created_at": stamp(r.started), "updated_at": stamp(r.started),
	}
	return o
}

func (c *call) deploymentJSON(d *deployment) obj {
	var payload any = d.payload
	if len(d.payload) == 0 {
		payload = ""
	}
	self := c.repoURL(c.repo, "/deployments/"+itoa(d.id))
	return obj{
		"url": self, "id": d.id, "node_id": node("DE", d.id), "sha": d.sha, "ref": d.ref, "task": d.task, "payload": payload, "original_environment": d.environment,
		"environment": d.environment, "description": orNull(d.description), "creator": c.userJSON(d.author), "created_at": stamp(d.created), "updated_at": stamp(d.updated),
		"statuses_url": self + "/statuses", "repository_url": c.repoURL(c.repo, ""), "transient_environment": d.transient, "production_environment": d.production,
		"performed_via_github_app": c.appOrNull(d.app),
	}
}

func (c *call) deploymentStatusJSON(d *deployment, s *deploymentStatus) obj {
	self := c.repoURL(c.repo, "/deployments/"+itoa(d.id))
	o := obj{
		"url": self + "/statuses/" + itoa(s.id), "id": s.id, "node_id": node("DES", s.id), "state": s.state, "creator": c.userJSON(s.author), "description": s.description,
		"environment": s.environment, "target_url": s.logURL, "created_at": stamp(s.at), "updated_at": stamp(s.at), "deployment_url": self,
		"repository_url": c.repoURL(c.repo, ""), "environment_url": s.envURL, "performed_via_github_app": c.appOrNull(s.app),
	}
	if s.logURL != "" {
		o["log_url"] = s.logURL
	}
	return o
}
