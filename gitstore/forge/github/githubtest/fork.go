package githubtest

import "strings"

// Fork makes a person's fork of the repository, with the same branches. Push to it, and ask for a pull request from
// "OWNER:BRANCH" with that person's token.
func (r *Repo) Fork(owner string) *Repo {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	f := r.s.addRepo(owner + "/" + r.Name)
	f.fork, f.Private = r, r.Private
	if _, err := f.git("", "fetch", "-q", r.Dir, "+refs/heads/*:refs/heads/*"); err != nil {
		r.s.t.Errorf("fork %s: %v", f.Full(), err)
	}
	f.sync(r.s.users[strings.ToLower(owner)])
	return f
}

// forkOf returns the repository of somebody whose branches pull requests may come from.
func (c *call) forkOf(owner string) *Repo {
	if strings.EqualFold(owner, c.repo.Owner) {
		return c.repo
	}
	for _, r := range c.repos {
		if r.fork == c.repo && strings.EqualFold(r.Owner, owner) {
			return r
		}
	}
	return nil
}

// take brings a fork's commit into the repository.
func (r *Repo) take(head *Repo, commit string) error {
	if head == r || r.has(commit) {
		return nil
	}
	_, err := r.git("", "fetch", "-q", "--no-tags", head.Dir, commit)
	return err
}
