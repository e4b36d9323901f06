package githubtest

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const repoPath = "repos/acme/config"

func TestPullLife(t *testing.T) {
	t.Parallel()
	x := newSite(t, Options{})
	n := x.opened(t, "topic")
	pull := repoPath + "/pulls/" + n
	got := x.ann.get(pull).is(200)
	require.Equal(t, []any{"open", "driftback[bot]", true, "clean", x.repo.Tip(t, "topic")},
		[]any{got.at("state"), got.at("user.login"), got.at("mergeable"), got.at("mergeable_state"), got.at("head.sha")})
	require.NotNil(t, got.at("merge_commit_sha"), "the commit of the test merge, though it is open")
	require.Len(t, x.ann.get(repoPath+"/pulls").is(200).list(), 1)
	require.Len(t, x.ann.get(repoPath+"/pulls?head=acme:topic&base=main").is(200).list(), 1)
	require.Empty(t, x.ann.get(repoPath+"/pulls?head=acme:other").is(200).list())
	require.Equal(t, "topic.txt", x.ann.get(pull + "/files").is(200).list()[0]["filename"])
	require.Len(t, x.ann.get(pull+"/commits").is(200).list(), 1)

	x.bot.patch(pull, obj{"title": "Another", "body": "because"}).is(200)
	x.bot.patch(pull, obj{"state": "closed"}).is(200)
	require.Equal(t, "driftback[bot]", x.ann.get(repoPath+"/issues/"+n).is(200).at("closed_by.login"))
	require.Empty(t, x.ann.get(repoPath+"/pulls").list())
	require.Equal(t, "open", x.ann.patch(pull, obj{"state": "open"}).is(200).at("state"))
	moved := x.repo.Push(t, "topic", map[string]string{"topic.txt": "again\n"}, x.repo.Tip(t, "topic"))
	require.Equal(t, moved, x.ann.get(pull).at("head.sha"))
	x.repo.Set(t, "topic", "")
	require.Equal(t, "closed", x.ann.get(pull).at("state"))
	x.ann.get(pull + "/merge").is(404)
}

func TestPullRefused(t *testing.T) {
	t.Parallel()
	x := newSite(t, Options{})
	x.opened(t, "topic")
	x.repo.Set(t, "same", x.root)
	post := func(head, base string) answer {
		return x.ann.post(repoPath+"/pulls", obj{"title": "t", "head": head, "base": base}).is(422)
	}
	require.Contains(t, string(post("topic", "main").body), "A pull request already exists for acme:topic.")
	require.Contains(t, string(post("same", "main").body), "No commits between main and same")
	require.Contains(t, string(post("none", "main").body), `"field":"head"`)
	require.Contains(t, string(post("topic", "none").body), `"field":"base"`)
	x.ann.post(repoPath+"/pulls", obj{"title": strings.Repeat("x", 257), "head": "topic", "base": "main"}).is(422)
	user{t, x.Server, x.Token("eve")}.get(repoPath + "/pulls").is(404)
	user{t, x.Server, "ghp_wrong"}.get(repoPath + "/pulls").is(401)
	user{t, x.Server, ""}.get(repoPath + "/pulls").is(404)
}

func TestMergeMethods(t *testing.T) {
	t.Parallel()
	for method, parents := range map[string]int{"merge": 2, "squash": 1, "rebase": 1} {
		t.Run(method, func(t *testing.T) {
			t.Parallel()
			x := newSite(t, Options{})
			n := x.opened(t, "topic")
			x.repo.Push(t, "topic", map[string]string{"second": "2\n"}, x.repo.Tip(t, "topic"))
			main := x.repo.Push(t, "main", map[string]string{"other": "o\n"}, x.root)
			x.ann.put(repoPath+"/pulls/"+n+"/merge", obj{"sha": x.root}).is(409)
			got := x.ann.put(repoPath+"/pulls/"+n+"/merge", obj{"merge_method": method, "sha": x.repo.Tip(t, "topic")}).is(200)
			tip := x.repo.Tip(t, "main")
			require.Equal(t, tip, got.at("sha"))
			require.Len(t, x.repo.Parents(t, tip), parents)
			require.Equal(t, "from topic\n", x.repo.File(t, tip, "topic.txt"))
			require.Equal(t, "2\n", x.repo.File(t, tip, "second"))
			require.True(t, x.repo.contains(tip, main))
			p := x.ann.get(repoPath + "/pulls/" + n).is(200)
			require.Equal(t, []any{"closed", true, "ann", tip}, []any{p.at("state"), p.at("merged"), p.at("merged_by.login"), p.at("merge_commit_sha")})
			x.ann.get(repoPath + "/pulls/" + n + "/merge").is(204)
			x.ann.put(repoPath+"/pulls/"+n+"/merge", nil).is(405)
			x.ann.patch(repoPath+"/pulls/"+n, obj{"state": "open"}).is(422)
		})
	}
}

func TestMergeRefused(t *testing.T) {
	t.Parallel()
	x := newSite(t, Options{})
	n := x.opened(t, "topic")
	merge := func(status int) answer { return x.ann.put(repoPath+"/pulls/"+n+"/merge", obj{}).is(status) }
	x.repo.Protect("main", Protection{Approvals: 1, Checks: []string{"driftback/prod"}})
	require.Contains(t, string(merge(405).body), "approving review")
	require.Equal(t, "blocked", x.ann.get(repoPath+"/pulls/"+n).at("mergeable_state"))
	x.ann.post(repoPath+"/pulls/"+n+"/reviews", obj{"event": "APPROVE"}).is(200)
	require.Contains(t, string(merge(405).body), "Required status check")
	x.ann.post(repoPath+"/statuses/"+x.repo.Tip(t, "topic"), obj{"state": "success", "context": "driftback/prod"}).is(201)
	x.repo.Forbid("merge")
	require.Contains(t, string(merge(405).body), "Merge commits are not allowed")
	x.repo.Push(t, "main", map[string]string{"topic.txt": "of main\n"}, x.root)
	require.Equal(t, "dirty", x.ann.get(repoPath+"/pulls/"+n).at("mergeable_state"))
	require.Contains(t, string(x.ann.put(repoPath+"/pulls/"+n+"/merge", obj{"merge_method": "squash"}).is(405).body), "not mergeable")
}

func TestMergedByPush(t *testing.T) {
	t.Parallel()
	x := newSite(t, Options{})
	n := x.opened(t, "topic")
	merged := x.repo.Push(t, "main", map[string]string{"m": "m"}, x.root, x.repo.Tip(t, "topic"))
	x.repo.Push(t, "main", map[string]string{"later": "l"}, merged)
	p := x.ann.get(repoPath + "/pulls/" + n).is(200)
	require.Equal(t, []any{true, merged}, []any{p.at("merged"), p.at("merge_commit_sha")})
}

func TestFork(t *testing.T) {
	t.Parallel()
	x := newSite(t, Options{})
	x.repo.Grant("eve", "read")
	fork := x.repo.Fork("eve")
	eve := user{t, x.Server, x.Token("eve")}
	head := fork.Push(t, "topic", map[string]string{"e": "e\n"}, x.root)
	p := eve.post(repoPath+"/pulls", obj{"title": "t", "head": "eve:topic", "base": "main"}).is(201)
	require.Equal(t, []any{"eve:topic", "eve/config", true, head},
		[]any{p.at("head.label"), p.at("head.repo.full_name"), p.at("head.repo.fork"), p.at("head.sha")})
	require.Equal(t, head, x.repo.line("rev-parse", "refs/pull/1/head"))
	require.Empty(t, x.repo.Tip(t, "topic"), "its branch is not here")
	moved := fork.Push(t, "topic", map[string]string{"f": "f\n"}, head)
	require.Equal(t, moved, x.ann.get(repoPath+"/pulls/1").is(200).at("head.sha"))
	require.Len(t, x.ann.get(repoPath+"/pulls?head=eve:topic").is(200).list(), 1)
	x.ann.put(repoPath+"/pulls/1/merge", nil).is(200)
	require.Equal(t, "f\n", x.repo.File(t, x.repo.Tip(t, "main"), "f"))
}

func TestDrafts(t *testing.T) {
	t.Parallel()
	x := newSite(t, Options{Unknown: 1})
	x.repo.Push(t, "topic", map[string]string{"t": "t\n"}, x.root)
	p := x.bot.post(repoPath+"/pulls", obj{"title": "t", "head": "topic", "base": "main", "draft": true}).is(201)
	require.Nil(t, p.at("mergeable"), "not known yet")
	require.Equal(t, "draft", x.ann.get(repoPath+"/pulls/1").is(200).at("mergeable_state"))
	x.ann.put(repoPath+"/pulls/1/merge", nil).is(405)
	mutate := func(name string, who user) answer {
		return who.post(x.URL+"/api/graphql", obj{
			"query": "mutation($id: ID!) { " + name + "(input: {pullRequestId: $id}) { pullRequest { isDraft } } }", "variables": obj{"id": p.at("node_id")},
		}).is(200)
	}
	require.Equal(t, false, mutate("markPullRequestReadyForReview", x.bot).at("data.markPullRequestReadyForReview.pullRequest.isDraft"))
	require.Equal(t, false, x.ann.get(repoPath+"/pulls/1").is(200).at("draft"))
	require.Equal(t, true, mutate("convertPullRequestToDraft", x.ann).at("data.convertPullRequestToDraft.pullRequest.isDraft"))
	require.NotNil(t, mutate("convertPullRequestToDraft", user{t, x.Server, x.Token("eve")}).at("errors"))
	CheckGraphQL(t, x.Documents())
}
