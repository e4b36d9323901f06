package githubtest

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

func getContent(c *call) (any, error) {
	ref := orElse(c.query.Get("ref"), c.repo.def)
	commit := c.repo.resolve(ref)
	if commit == "" {
		return nil, refuse(http.StatusNotFound, "No commit found for the ref %s", ref)
	}
	path := strings.Trim(c.params["path"], "/")
	kind := c.repo.line("cat-file", "-t", commit+":"+path)
	switch kind {
	case "tree":
		out, err := c.repo.git("", "ls-tree", "-z", "-l", commit+":"+path)
		if err != nil {
			return nil, err
		}
		entries := []obj{}
		for line := range strings.SplitSeq(strings.TrimSuffix(out, "\x00"), "\x00") {
			if head, name, ok := strings.Cut(line, "\t"); ok {
				f := strings.Fields(head)
				size, _ := strconv.Atoi(f[3])
				entries = append(entries, c.entryJSON(strings.TrimPrefix(path+"/"+name, "/"), ref, f[2], map[string]string{"blob": "file", "tree": "dir", "commit": "submodule"}[f[1]], size))
			}
		}
		return entries, nil
	case "blob":
		blob, err := c.repo.git("", "cat-file", "blob", commit+":"+path)
		if err != nil {
			return nil, err
		}
		e := c.entryJSON(path, ref, c.repo.line("rev-parse", commit+":"+path), "file", len(blob))
		e["encoding"], e["content"] = "base64", wrap(base64.StdEncoding.EncodeToString([]byte(blob)))
		if len(blob) > 1<<20 {
			e["encoding"], e["content"] = "none", ""
		}
		return e, nil
	}
	return nil, notFound()
}

// wrap breaks lines after 60 characters, as GitHub does with base64.
func wrap(s string) string {
	var b strings.Builder
	for len(s) > 60 {
		b.WriteString(s[:60] + "\n")
		s = s[60:]
	}
	return b.String() + s + "\n"
}

func (c *call) entryJSON(path, ref, sha, kind string, size int) obj {
	self := c.repoURL(c.repo, "/contents/"+escapePath(path)+"?ref="+ref)
	git, page := c.repoURL(c.repo, "/git/blobs/"+sha), c.html("%s/blob/%s/%s", c.repo.Full(), ref, escapePath(path))
	o := obj{
		"name": path[strings.LastIndex(path, "/")+1:], "path": path, "sha": sha, "size": size, "type": kind, "url": self, "html_url": page, "git_url": git,
		"download_url": nil, "_links": obj{"self": self, "git": git, "html": page},
	}
	if kind == "file" {
		o["download_url"] = c.html("raw/%s/%s/%s", c.repo.Full(), ref, escapePath(path))
	}
	return o
}

func (c *call) refJSON(ref, id string) obj {
	return obj{
		"ref": ref, "node_id": node("REF", c.repo.id), "url": c.repoURL(c.repo, "/git/"+ref),
		"object": obj{"type": "commit", "sha": id, "url": c.repoURL(c.repo, "/git/commits/"+id)},
	}
}

func getRef(c *call) (any, error) {
	ref := "refs/" + c.params["ref"]
	if id := c.repo.refs[ref]; id != "" {
		return c.refJSON(ref, id), nil
	}
	return nil, notFound()
}

func listRefs(c *call) (any, error) {
	var found []string
	for ref := range c.repo.refs {
		if strings.HasPrefix(ref, "refs/"+c.params["ref"]) {
			found = append(found, ref)
		}
	}
	slices.Sort(found)
	return list(c, found, func(ref string) obj { return c.refJSON(ref, c.repo.refs[ref]) }), nil
}

func createRef(c *call) (any, error) {
	var ask struct{ Ref, SHA string }
	if err := c.decode(&ask); err != nil {
		return nil, err
	}
	switch {
	case !strings.HasPrefix(ask.Ref, "refs/") || strings.Count(ask.Ref, "/") < 2:
		return nil, refuse(http.StatusUnprocessableEntity, "Reference name must start with 'refs/' and contain at least two slashes.")
	case !c.repo.has(ask.SHA):
		return nil, refuse(http.StatusUnprocessableEntity, "Object does not exist")
	case c.repo.line("rev-parse", "--verify", "--quiet", ask.Ref) != "":
		return nil, refuse(http.StatusUnprocessableEntity, "Reference already exists")
	}
	if err := c.moveRef(ask.Ref, "", ask.SHA); err != nil {
		return nil, err
	}
	return c.refJSON(ask.Ref, ask.SHA), nil
}

// moveRef is a push over the API: protected branches refuse it.
func (c *call) moveRef(ref, old, id string) error {
	if p := c.repo.protectionOf(strings.TrimPrefix(ref, "refs/heads/")); p.NoPush || p.Approvals > 0 || len(p.Checks) > 0 {
		return refuse(http.StatusUnprocessableEntity, "Changes must be made through a pull request.")
	}
	if err := c.repo.setRef(ref, old, id); err != nil {
		return refuse(http.StatusUnprocessableEntity, "Reference update failed")
	}
	c.repo.sync(c.who.account)
	return nil
}

func updateRef(c *call) (any, error) {
	var ask struct {
		SHA   string
		Force bool
	}
	if err := c.decode(&ask); err != nil {
		return nil, err
	}
	ref := "refs/" + c.params["ref"]
	old := c.repo.refs[ref]
	switch {
	case old == "":
		return nil, refuse(http.StatusUnprocessableEntity, "Reference does not exist")
	case !c.repo.has(ask.SHA):
		return nil, refuse(http.StatusUnprocessableEntity, "Object does not exist")
	case !ask.Force && !c.repo.contains(ask.SHA, old):
		return nil, refuse(http.StatusUnprocessableEntity, "Update is not a fast forward")
	}
	if err := c.moveRef(ref, old, ask.SHA); err != nil {
		return nil, err
	}
	return c.refJSON(ref, ask.SHA), nil
}

func deleteRef(c *call) (any, error) {
	ref := "refs/" + c.params["ref"]
	old := c.repo.refs[ref]
	if old == "" {
		return nil, refuse(http.StatusUnprocessableEntity, "Reference does not exist")
	}
	return nil, c.moveRef(ref, old, "")
}

func getCommit(c *call) (any, error) {
	sha, err := c.commit("ref")
	if err != nil {
		return nil, err
	}
	return c.commitJSON(c.repo, sha, true), nil
}

func getGitCommit(c *call) (any, error) {
	sha := c.params["commit_sha"]
	if !c.repo.has(sha) {
		return nil, notFound()
	}
	return c.gitCommitJSON(c.repo, sha), nil
}

func getTree(c *call) (any, error) {
	sha := c.repo.line("rev-parse", "--verify", "--quiet", "--end-of-options", c.params["tree_sha"]+"^{tree}")
	if sha == "" {
		return nil, notFound()
	}
	args := []string{"ls-tree", "-z", "-l", sha}
	if c.query.Has("recursive") {
		args = []string{"ls-tree", "-z", "-l", "-r", "-t", sha}
	}
	out, err := c.repo.git("", args...)
	if err != nil {
		return nil, err
	}
	entries := []obj{}
	for line := range strings.SplitSeq(strings.TrimSuffix(out, "\x00"), "\x00") {
		head, name, ok := strings.Cut(line, "\t")
		if !ok {
			continue
		}
		f := strings.Fields(head)
		e := obj{"path": name, "mode": f[0], "type": f[1], "sha": f[2], "url": c.repoURL(c.repo, "/git/"+f[1]+"s/"+f[2])}
		if size, err := strconv.Atoi(f[3]); err == nil {
			e["size"] = size
		}
		entries = append(entries, e)
	}
	return obj{"sha": sha, "url": c.repoURL(c.repo, "/git/trees/"+sha), "tree": entries, "truncated": false}, nil
}

func listCommits(c *call) (any, error) {
	start := c.repo.resolve(orElse(c.query.Get("sha"), c.repo.def))
	if start == "" {
		return nil, notFound()
	}
	args := []string{"rev-list", start}
	for _, name := range []string{"since", "until", "author"} {
		if v := c.query.Get(name); v != "" {
			args = append(args, "--"+name+"="+v)
		}
	}
	args = append(args, "--")
	if path := c.query.Get("path"); path != "" {
		args = append(args, path)
	}
	return list(c, strings.Fields(c.repo.line(args...)), func(id string) obj { return c.commitJSON(c.repo, id, false) }), nil
}

func listPullsOfCommit(c *call) (any, error) {
	sha := c.params["commit_sha"]
	if !c.repo.has(sha) {
		return nil, refuse(http.StatusUnprocessableEntity, "No commit found for SHA: %s", sha)
	}
	var found []*pull
	for _, p := range c.repo.pulls {
		ids := c.repo.commits(p.mergeBase(), p.headSHA)
		if slices.Contains(ids, sha) || p.merged && p.mergeCommit == sha {
			found = append(found, p)
		}
	}
	return list(c, found, func(p *pull) obj { return c.pullJSON(p, false) }), nil
}

func compareCommits(c *call) (any, error) {
	from, to := c.params["base"], c.params["head"]
	base, head := c.repo.resolve(from), c.repo.resolve(to)
	if base == "" || head == "" {
		return nil, notFound()
	}
	merge := c.repo.line("merge-base", base, head)
	if merge == "" {
		return nil, refuse(http.StatusNotFound, "No common ancestor between %s and %s.", from, to)
	}
	ahead := c.repo.commits(base, head)
	slices.Reverse(ahead)
	behind := len(c.repo.commits(head, base))
	state := "diverged"
	switch {
	case len(ahead) == 0 && behind == 0:
		state = "identical"
	case behind == 0:
		state = "ahead"
	case len(ahead) == 0:
		state = "behind"
	}
	files, err := c.repo.diff(merge, head)
	if err != nil {
		return nil, err
	}
	shown := []obj{}
	for _, f := range files[:min(len(files), 300)] {
		shown = append(shown, c.fileJSON(c.repo, f, head))
	}
	page := c.html("%s/compare/%s...%s", c.repo.Full(), from, to)
	return obj{
		"url": c.repoURL(c.repo, "/compare/"+from+"..."+to), "html_url": page, "permalink_url": page, "diff_url": page + ".diff", "patch_url": page + ".patch",
		"base_commit": c.commitJSON(c.repo, base, false), "merge_base_commit": c.commitJSON(c.repo, merge, false),
		"status": state, "ahead_by": len(ahead), "behind_by": behind, "total_commits": len(ahead),
		"commits": list(c, ahead, func(id string) obj { return c.commitJSON(c.repo, id, false) }), "files": shown,
	}, nil
}

// A fileDiff is one file of a difference.
type fileDiff struct {
	name, from, status, sha, patch string
	added, deleted                 int
}

// diff returns what changed between two commits, with renames, in order of path.
func (r *Repo) diff(from, to string) ([]fileDiff, error) {
	raw, err := r.fixed("diff-tree", "-r", "-M", "-z", "--raw", from, to)
	if err != nil {
		return nil, err
	}
	var files []fileDiff
	fields := strings.Split(strings.TrimSuffix(raw, "\x00"), "\x00")
	for i := 0; i+1 < len(fields); i += 2 {
		f := strings.Fields(fields[i])
		d := fileDiff{name: fields[i+1], sha: f[3], status: map[byte]string{'A': "added", 'D': "removed", 'R': "renamed"}[f[4][0]]}
		if d.status == "" {
			d.status = "modified"
		}
		if d.status == "removed" {
			d.sha = f[2]
		}
		if f[4][0] == 'R' {
			d.from, d.name = fields[i+1], fields[i+2]
			i++
		}
		files = append(files, d)
	}
	text, err := r.fixed("diff", "-M", "--no-color", "--no-ext-diff", "--src-prefix=a/", "--dst-prefix=b/", from, to)
	if err != nil {
		return nil, err
	}
	parts := strings.Split("\n"+text, "\ndiff --git ")[1:]
	if len(parts) != len(files) {
		return nil, fmt.Errorf("diff %s..%s: %d files, %d patches", from, to, len(files), len(parts))
	}
	for i, part := range parts {
		if _, patch, ok := strings.Cut(part, "\n@@ "); ok {
			files[i].patch = "@@ " + strings.TrimSuffix(patch, "\n")
		}
		for line := range strings.Lines(files[i].patch) {
			switch line[0] {
			case '+':
				files[i].added++
			case '-':
				files[i].deleted++
			}
		}
	}
	return files, nil
}

func listBranches(c *call) (any, error) {
	var names []string
	for ref := range c.repo.refs {
		name, ok := strings.CutPrefix(ref, "refs/heads/")
		if want := c.query.Get("protected"); ok && (want == "" || (want == "true") == c.repo.protectionOf(name).any()) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return list(c, names, func(name string) obj {
		id := c.repo.branch(name)
		return obj{"name": name, "commit": obj{"sha": id, "url": c.repoURL(c.repo, "/commits/"+id)}, "protected": c.repo.protectionOf(name).any()}
	}), nil
}

func getBranch(c *call) (any, error) {
	name := c.params["branch"]
	id := c.repo.branch(name)
	if id == "" {
		return nil, refuse(http.StatusNotFound, "Branch not found")
	}
	p := c.repo.protectionOf(name)
	url := c.repoURL(c.repo, "/branches/"+name)
	return obj{
		"name": name, "commit": c.commitJSON(c.repo, id, true), "_links": obj{"self": url, "html": c.html("%s/tree/%s", c.repo.Full(), name)},
		"protected": p.any(), "protection_url": url + "/protection",
		"protection": obj{"enabled": p.any() && !p.Ruleset, "required_status_checks": obj{"enforcement_level": "off", "contexts": p.checks(), "checks": []obj{}}},
	}, nil
}

func (p Protection) any() bool        { return p.Approvals > 0 || p.NoPush || p.Signed || len(p.Checks) > 0 }
func (p Protection) checks() []string { return append([]string{}, p.Checks...) }

func getProtection(c *call) (any, error) {
	name := c.params["branch"]
	p := c.repo.protectionOf(name)
	switch {
	case c.repo.branch(name) == "":
		return nil, refuse(http.StatusNotFound, "Branch not found")
	case !p.any() || p.Ruleset:
		return nil, refuse(http.StatusNotFound, "Branch not protected")
	}
	url := c.repoURL(c.repo, "/branches/"+name+"/protection")
	off := obj{"enabled": false}
	o := obj{
		"url": url, "enforce_admins": obj{"url": url + "/enforce_admins", "enabled": true}, "required_linear_history": off, "allow_force_pushes": off,
		"allow_deletions": off, "block_creations": off, "required_conversation_resolution": off, "lock_branch": off, "allow_fork_syncing": off,
		"required_signatures": obj{"url": url + "/required_signatures", "enabled": p.Signed},
	}
	if p.Approvals > 0 || p.NoPush {
		o["required_pull_request_reviews"] = obj{
			"url": url + "/required_pull_request_reviews", "dismiss_stale_reviews": false, "require_code_owner_reviews": false,
			"required_approving_review_count": p.Approvals, "require_last_push_approval": false,
		}
	}
	if len(p.Checks) > 0 {
		checks := []obj{}
		for _, name := range p.Checks {
			checks = append(checks, obj{"context": name, "app_id": nil})
		}
		o["required_status_checks"] = obj{
			"url": url + "/required_status_checks", "strict": p.Strict, "contexts": p.Checks, "contexts_url": url + "/required_status_checks/contexts", "checks": checks,
		}
	}
	return o, nil
}

func getRules(c *call) (any, error) {
	p := c.repo.protectionOf(c.params["branch"])
	rules := []obj{}
	add := func(kind string, parameters obj) {
		r := obj{"type": kind, "ruleset_source_type": "Repository", "ruleset_source": c.repo.Full(), "ruleset_id": c.repo.id}
		if parameters != nil {
			r["parameters"] = parameters
		}
		rules = append(rules, r)
	}
	if !p.Ruleset {
		return rules, nil
	}
	if p.Approvals > 0 || p.NoPush {
		add("pull_request", obj{
			"required_approving_review_count": p.Approvals, "dismiss_stale_reviews_on_push": false, "require_code_owner_review": false,
			"require_last_push_approval": false, "required_review_thread_resolution": false,
		})
	}
	if p.Signed {
		add("required_signatures", nil)
	}
	if len(p.Checks) > 0 {
		checks := []obj{}
		for _, name := range p.Checks {
			checks = append(checks, obj{"context": name})
		}
		add("required_status_checks", obj{"strict_required_status_checks_policy": p.Strict, "required_status_checks": checks})
	}
	return page(c, rules), nil
}
