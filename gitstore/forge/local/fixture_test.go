package local_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/driftback/driftback/gitstore"
	"github.com/driftback/driftback/gitstore/forge"
	"github.com/driftback/driftback/gitstore/forge/forgetest"
	"github.com/driftback/driftback/gitstore/forge/local"
)

const protected = "release"

// A site is a repository with the forge in it, as a test sees it.
type site struct {
	store func(t *testing.T) *gitstore.Store // another clone
	git   forgetest.Git
}

func (s site) client(t *testing.T, o local.Options) *local.Forge {
	t.Helper()
	o.Protect = append(o.Protect, protected)
	f, err := local.Open(s.store(t), o)
	require.NoError(t, err)
	return f
}

// fixture starts a forge with main and the protected branch.
func (s site) fixture(t *testing.T) forgetest.Fixture {
	t.Helper()
	root := s.git.Push(t, forgetest.Main, map[string]string{"README": "read me\n"})
	s.git.Set(t, protected, root)
	o := local.Options{Teams: map[string][]string{"ops": {"Ann Lee"}, "admins": {"Ben"}}}
	bot, ann := s.client(t, o), s.client(t, local.Options{User: "Ann Lee <ann@example.org>"})
	must := func(t *testing.T, err error) {
		t.Helper()
		require.NoError(t, err)
	}
	return forgetest.Fixture{
		Forge:     bot,
		Other:     func(t *testing.T) forge.Forge { return s.client(t, o) },
		Git:       s.git,
		Protected: protected,
		Comment:   func(t *testing.T, n int, body string) { _, err := ann.Comment(t.Context(), n, body); must(t, err) },
		Write:     true,
		Teams:     []string{"ops"},
		Reviewer:  "ann",
		Reactions: func(t *testing.T, n int, comment string) []string {
			list, err := ann.Comments(t.Context(), n)
			must(t, err)
			for _, c := range list {
				if c.ID == comment {
					return c.Reactions
				}
			}
			return nil
		},
		Close:  func(t *testing.T, n int) { _, err := ann.Close(t.Context(), n); must(t, err) },
		Reopen: func(t *testing.T, n int) { _, err := ann.Reopen(t.Context(), n); must(t, err) },
		MergeBy: func(t *testing.T, n int, method string) {
			_, err := ann.MergeWith(t.Context(), n, local.MergeOptions{Method: local.Method(method)})
			must(t, err)
		},
		Writes: func(t *testing.T) int { return writes(t, s.store(t)) },
		Statuses: func(t *testing.T, commit string) []forge.Status {
			list, err := ann.Statuses(t.Context(), commit)
			must(t, err)
			return list
		},
		Deployments: func(t *testing.T, environment string) []forge.Deployment {
			list, err := ann.Deployments(t.Context(), environment)
			must(t, err)
			return list
		},
	}
}

// writes counts the commits on the forge's ref.
func writes(t *testing.T, s *gitstore.Store) int {
	t.Helper()
	refs, err := s.Sync(t.Context())
	require.NoError(t, err)
	n := 0
	require.NoError(t, s.Log(refs[local.DefaultRef], nil, func(gitstore.Commit) error { n++; return nil }))
	return n
}

// memory is a site on a remote in memory.
func memory(t *testing.T, atomic bool) site {
	t.Helper()
	remote := gitstore.NewMemoryRemote()
	remote.SetAtomic(atomic)
	return onRemote(t, remote)
}

func onRemote(t *testing.T, remote gitstore.Remote) site {
	t.Helper()
	open := func(t *testing.T) *gitstore.Store {
		t.Helper()
		s, err := gitstore.Open(context.Background(), gitstore.Options{
			Remote: remote, Committer: gitstore.Signature{Name: "driftback", Email: "driftback@example.org"},
		})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, s.Close()) })
		return s
	}
	return site{store: open, git: storeGit{open(t)}}
}

// storeGit is forgetest.Git by means of a store.
type storeGit struct{ s *gitstore.Store }

func (g storeGit) Push(t *testing.T, branch string, files map[string]string, on ...string) string {
	t.Helper()
	edit := gitstore.Edit{}
	for path, content := range files {
		edit[path] = nil
		if content != "" {
			edit[path] = []byte(content)
		}
	}
	var parents []gitstore.ID
	for _, p := range on {
		parents = append(parents, parse(t, p))
	}
	g.sync(t)
	var base gitstore.ID
	if len(parents) > 0 {
		base = parents[0]
	}
	author := gitstore.Signature{Name: "Ben", Email: "ben@example.org"}
	c, err := g.s.Write(base, parents, edit, author, fmt.Sprintf("Change %s\n\nof %d files\n", branch, len(files)))
	require.NoError(t, err)
	g.Set(t, branch, c.ID.String())
	return c.ID.String()
}

func (g storeGit) Set(t *testing.T, branch, commit string) {
	t.Helper()
	ref := "refs/heads/" + branch
	up := gitstore.Update{Ref: ref, Old: g.sync(t)[ref]}
	if commit != "" {
		up.New = parse(t, commit)
	}
	require.NoError(t, g.s.Push(t.Context(), up))
}

func (g storeGit) Tip(t *testing.T, branch string) string {
	t.Helper()
	return g.sync(t)["refs/heads/"+branch].String()
}

func (g storeGit) Parents(t *testing.T, commit string) []string {
	t.Helper()
	var ids []string
	for _, p := range g.commit(t, commit).Parents {
		ids = append(ids, p.String())
	}
	return ids
}

func (g storeGit) Message(t *testing.T, commit string) string {
	t.Helper()
	return g.commit(t, commit).Message
}

func (g storeGit) File(t *testing.T, commit, path string) string {
	t.Helper()
	g.sync(t)
	f, ok, err := g.s.File(parse(t, commit), path)
	require.NoError(t, err)
	if !ok {
		return ""
	}
	b, err := g.s.Blob(f.ID, 0)
	require.NoError(t, err)
	return string(b)
}

func (g storeGit) commit(t *testing.T, id string) gitstore.Commit {
	t.Helper()
	g.sync(t)
	c, err := g.s.CommitAt(parse(t, id))
	require.NoError(t, err)
	return c
}

func (g storeGit) sync(t *testing.T) gitstore.Refs {
	t.Helper()
	refs, err := g.s.Sync(t.Context())
	require.NoError(t, err)
	return refs
}

func parse(t *testing.T, s string) gitstore.ID {
	t.Helper()
	id, err := gitstore.ParseID(s)
	require.NoError(t, err)
	return id
}
