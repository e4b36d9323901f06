package githubtest

import (
	"strconv"
	"strings"
	"time"
)

// A commitData is what a commit object holds.
type commitData struct {
	tree, message     string
	parents           []string
	author, committer signature
	signed            bool
}

func (r *Repo) readCommit(id string) commitData {
	raw, err := r.fixed("cat-file", "commit", id)
	if err != nil {
		r.s.t.Errorf("commit %s: %v", id, err)
	}
	head, message, _ := strings.Cut(raw, "\n\n")
	c := commitData{message: strings.TrimSuffix(message, "\n")}
	for line := range strings.Lines(head) {
		key, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		switch key {
		case "tree":
			c.tree = value
		case "parent":
			c.parents = append(c.parents, value)
		case "author":
			c.author = parseSignature(value)
		case "committer":
			c.committer = parseSignature(value)
		case "gpgsig":
			c.signed = true
		}
	}
	return c
}

// parseSignature reads "Name <mail> seconds zone".
func parseSignature(s string) signature {
	name, rest, _ := strings.Cut(s, " <")
	mail, at, _ := strings.Cut(rest, "> ")
	seconds, _, _ := strings.Cut(at, " ")
	n, _ := strconv.ParseInt(seconds, 10, 64)
	return signature{name, mail, time.Unix(n, 0).UTC()}
}

// byMail returns whose address a commit names: public, or the one that GitHub gives.
func (s *Server) byMail(mail string) *Account {
	for _, a := range s.users {
		if strings.EqualFold(a.mail(), mail) || strings.EqualFold(mail, a.Login+"@users.noreply.github.com") {
			return a
		}
	}
	return nil
}

func personJSON(p signature) obj { return obj{"name": p.name, "email": p.email, "date": stamp(p.at)} }

func verification(d commitData) obj {
	if d.signed {
		return obj{"verified": true, "reason": "valid", "signature": "-", "payload": "-", "verified_at": stamp(d.committer.at)}
	}
	return obj{"verified": false, "reason": "unsigned", "signature": nil, "payload": nil, "verified_at": nil}
}

func (c *call) parentsJSON(r *Repo, ids []string, git string) []obj {
	out := []obj{}
	for _, id := range ids {
		out = append(out, obj{"sha": id, "url": c.repoURL(r, git+"/commits/"+id), "html_url": c.html("%s/commit/%s", r.Full(), id)})
	}
	return out
}

// commitJSON is a commit as listed, or with its files.
func (c *call) commitJSON(r *Repo, id string, files bool) obj {
	d := r.readCommit(id)
	self := c.repoURL(r, "/commits/"+id)
	o := obj{
		"sha": id, "node_id": "C_" + id, "url": self, "html_url": c.html("%s/commit/%s", r.Full(), id), "comments_url": self + "/comments",
		"author": c.orNobody(c.byMail(d.author.email)), "committer": c.orNobody(c.byMail(d.committer.email)), "parents": c.parentsJSON(r, d.parents, ""),
		"commit": obj{
			"url": c.repoURL(r, "/git/commits/"+id), "author": personJSON(d.author), "committer": personJSON(d.committer), "message": d.message,
			"tree": obj{"sha": d.tree, "url": c.repoURL(r, "/git/trees/"+d.tree)}, "comment_count": 0, "verification": verification(d),
		},
	}
	if !files {
		return o
	}
	from := "4b825dc642cb6eb9a060e54bf8d69288fbee4904" // the empty tree
	if len(d.parents) > 0 {
		from = d.parents[0]
	}
	diffs, _ := r.diff(from, id)
	added, deleted, shown := 0, 0, []obj{}
	for _, f := range diffs {
		added, deleted = added+f.added, deleted+f.deleted
		shown = append(shown, c.fileJSON(r, f, id))
	}
	o["stats"], o["files"] = obj{"additions": added, "deletions": deleted, "total": added + deleted}, page(c, shown)
	return o
}

func (c *call) gitCommitJSON(r *Repo, id string) obj {
	d := r.readCommit(id)
	return obj{
		"sha": id, "node_id": "C_" + id, "url": c.repoURL(r, "/git/commits/"+id), "html_url": c.html("%s/commit/%s", r.Full(), id),
		"author": personJSON(d.author), "committer": personJSON(d.committer), "message": d.message,
		"tree": obj{"sha": d.tree, "url": c.repoURL(r, "/git/trees/"+d.tree)}, "parents": c.parentsJSON(r, d.parents, "/git"), "verification": verification(d),
	}
}

func (c *call) fileJSON(r *Repo, f fileDiff, at string) obj {
	o := obj{
		"sha": f.sha, "filename": f.name, "status": f.status, "additions": f.added, "deletions": f.deleted, "changes": f.added + f.deleted,
		"blob_url": c.html("%s/blob/%s/%s", r.Full(), at, escapePath(f.name)), "raw_url": c.html("%s/raw/%s/%s", r.Full(), at, escapePath(f.name)),
		"contents_url": c.repoURL(r, "/contents/"+escapePath(f.name)+"?ref="+at),
	}
	if f.patch != "" {
		o["patch"] = f.patch
	}
	if f.from != "" {
		o["previous_filename"] = f.from
	}
	return o
}
