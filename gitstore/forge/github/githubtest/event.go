package githubtest

import (
	"slices"
	"strings"
)

// What the events say. Fields that nobody here looks at are left out: package documentation, Deviations.

const zeroID = "0000000000000000000000000000000000000000"

func (r *Repo) emitPush(ref, before, after string, by *Account) {
	if !r.heard() {
		return
	}
	s := r.s
	payload := obj{
		"ref": ref, "before": orElse(before, zeroID), "after": orElse(after, zeroID), "created": before == "", "deleted": after == "",
		"forced": before != "" && after != "" && !r.contains(after, before), "base_ref": nil,
		"compare": s.html("%s/compare/%.12s...%.12s", r.Full(), before, after),
		"pusher":  obj{"name": by.Login, "email": orNull(by.Email)}, "commits": []obj{}, "head_commit": nil,
	}
	if after != "" {
		ids := []string{after}
		if before != "" {
			ids = strings.Fields(r.line("rev-list", "--reverse", "--max-count=20", after, "^"+before))
		}
		commits := []obj{}
		for _, id := range ids {
			commits = append(commits, r.pushedCommit(id))
		}
		payload["commits"], payload["head_commit"] = commits, r.pushedCommit(after)
	}
	r.emit("push", by, payload)
}

func (r *Repo) pushedCommit(id string) obj {
	c := r.readCommit(id)
	out := obj{
		"id": id, "tree_id": c.tree, "distinct": true, "message": c.message, "timestamp": stamp(c.author.at), "url": r.s.html("%s/commit/%s", r.Full(), id),
		"author": r.s.signerJSON(c.author), "committer": r.s.signerJSON(c.committer),
		"added": []string{}, "removed": []string{}, "modified": []string{},
	}
	for line := range strings.Lines(r.line("diff-tree", "-r", "--root", "--no-commit-id", "--name-status", id)) {
		kind, name, _ := strings.Cut(strings.TrimSpace(line), "\t")
		key := map[string]string{"A": "added", "D": "removed"}[kind]
		key = orElse(key, "modified")
		out[key] = append(out[key].([]string), name)
	}
	return out
}

func (s *Server) signerJSON(p signature) obj {
	o := obj{"name": p.name, "email": p.email}
	if a := s.byMail(p.email); a != nil {
		o["username"] = a.Login
	}
	return o
}

func (r *Repo) emitPull(action string, p *pull, by *Account, more obj) {
	if !r.heard() {
		return
	}
	payload := obj{"action": action, "number": p.number, "pull_request": r.s.call(r).pullJSON(p, true)}
	for k, v := range more {
		payload[k] = v
	}
	r.emit("pull_request", by, payload)
}

func (r *Repo) emitReview(p *pull, v *review) {
	if !r.heard() {
		return
	}
	c := r.s.call(r)
	review := c.reviewJSON(p, v)
	review["state"] = strings.ToLower(v.state)
	r.emit("pull_request_review", v.author, obj{"action": "submitted", "review": review, "pull_request": c.pullJSON(p, false)})
}

func (r *Repo) emitComment(action string, m *comment, by *Account, more obj) {
	if !r.heard() {
		return
	}
	c := r.s.call(r)
	payload := obj{"action": action, "issue": c.issueJSON(m.pull), "comment": c.commentJSON(m)}
	for k, v := range more {
		payload[k] = v
	}
	r.emit("issue_comment", by, payload)
}

// call is a call by nobody, to render what events hold.
func (s *Server) call(r *Repo) *call { return &call{Server: s, repo: r} }

// Rerequest asks for a check run again, as a person does by its button.
func (r *Repo) Rerequest(login, name, commit string) {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	for _, run := range slices.Backward(r.runs) {
		if run.name == name && run.sha == commit {
			r.rerequest(run, r.s.addUser(login, login, "", "User"))
			return
		}
	}
	r.s.t.Errorf("no check run %s on %s", name, commit)
}
