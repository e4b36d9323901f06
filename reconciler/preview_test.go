package reconciler_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/driftback/driftback/gitstore"
	"github.com/driftback/driftback/gitstore/forge"
	"github.com/driftback/driftback/gitstore/forge/local"
	"github.com/driftback/driftback/reconciler"
	"github.com/driftback/driftback/vendors"
	"github.com/driftback/driftback/vendors/mem"
	"github.com/driftback/driftback/vendors/resource"
)

// referring kinds: users refer to queues.
var referring = []resource.KindInfo{
	{Kind: "queue", Can: resource.Capabilities{Create: true, Update: true, Delete: true, Rename: true, Guard: true, StableID: true}},
	{
		Kind: "user", Fields: []resource.Field{{Path: "queue", Ref: "queue"}},
		Can: resource.Capabilities{Create: true, Update: true, Delete: true, Rename: true, Guard: true, StableID: true},
	},
}

func user(queue string) resource.Spec {
	return resource.Spec{"queue": resource.Ref{Key: resource.Key{Kind: "queue", Name: queue}}}
}

func TestBlastRadiusAndNeighbours(t *testing.T) {
	t.Parallel()
	l := newLoop(t, mem.Options{Kinds: referring})
	require.NoError(t, l.platform.Put(key("queue/Q"), spec("a=1"), "bob"))
	require.NoError(t, l.platform.Put(key("queue/R"), spec("a=1"), "bob"))
	for i := range 5 {
		require.NoError(t, l.platform.Put(key(fmt.Sprint("user/u", i)), user("Q"), "bob"))
	}
	l.pass()
	l.mergePull(l.drift().Number)
	l.pass()
	l.quiet()

	pull := l.develop("topic", map[string]string{"Q": "a=2"})
	far := l.develop("far", map[string]string{"R": "a=2"})
	l.pass()
	plan := l.said(pull.Number)["plan/prod"]
	require.Contains(t, plan, "| `queue/Q` | changed | `user/u0`, `user/u1`, `user/u2` and 2 more |")
	require.Contains(t, plan, "[[\"queue/Q\"]]\n")
	require.Equal(t, 5, strings.Count(plan, " --> "))

	// A user of the queue is changed by hand: the queue's developer hears of it, the other one does not.
	require.NoError(t, l.platform.Put(key("user/u3"), user("R"), "carol"))
	l.pass()
	radar := l.said(pull.Number)["radar/prod"]
	require.Contains(t, radar, "| `user/u3` | changed | `carol` |")
	require.Contains(t, radar, "hangs together with `queue/Q`")
	require.Equal(t, "success", l.checks(pull.HeadID)[radarCheck])
	require.Contains(t, l.said(far.Number)["radar/prod"], "hangs together with `queue/R`", "it refers to this one by now")
	l.quiet()

	// Deleting what is still referred to cannot be planned, and the plan says so.
	gone := l.develop("gone", map[string]string{"Q": ""})
	l.pass()
	require.Contains(t, l.said(gone.Number)["plan/prod"], "Would not be deployed yet")
	require.Contains(t, l.said(gone.Number)["plan/prod"], "still referred to")
}

// two is a loop with a second environment, test, on the same repository.
func two(t *testing.T, queues ...string) (*loop, *mem.Platform) {
	l := newLoop(t, mem.Options{}, queues...)
	second := mem.New(mem.Options{Now: l.Now, IDs: true, Kinds: kinds})
	l.restartWith(local.Options{}, func(c *reconciler.Config) {
		e := l.env
		e.Name, e.Platform = "test", vendors.NewTarget(second.Driver(), vendors.TargetOptions{Clock: l})
		c.Environments = append(c.Environments, e)
	})
	return l, second
}

func (l *loop) passOf(env string) {
	l.Helper()
	l.now = l.now.Add(30 * time.Second)
	_, err := l.r.Once(ctx, env)
	require.NoError(l, err)
}

func TestSharedFilesArePlannedForEveryEnvironment(t *testing.T) {
	t.Parallel()
	l, second := two(t, "Own: a=1")
	require.NoError(t, second.Put(key("S"), spec("a=1"), "bob"))
	require.NoError(t, l.platform.Put(key("S"), spec("a=1"), "bob"))
	l.edit(mainRef, gitstore.Edit{"shared/queue/S.yaml": []byte("a: v1\n"), "environments/test/queue/M.yaml": []byte("a: v1\n"), "shared/queue/M.yaml": []byte("a: v1\n")})
	l.pass()
	l.passOf("test")
	l.passOf("test")
	pull := l.developFiles("topic", gitstore.Edit{"shared/queue/S.yaml": []byte("a: v2\n"), "shared/queue/M.yaml": []byte("a: v2\n")})
	l.pass()
	l.passOf("test")
	said := l.said(pull.Number)
	require.Contains(t, said["plan/prod"], "| `queue/S` | changed |")
	require.Contains(t, said["plan/prod"], "| `queue/M` | changed |")
	require.Contains(t, said["plan/test"], "| `queue/S` | changed |")
	require.NotContains(t, said["plan/test"], "| `queue/M` |")
	require.Contains(t, said["plan/test"], "`shared/queue/M.yaml is covered by this environment's own file of queue/M, in whole or in part.`")
	require.Equal(t, map[string]string{planCheck: "success", "driftback/plan (test)": "success"}, l.checks(pull.HeadID))

	// A command for both is answered by both, each in a comment of its own; one for one by that one.
	l.comment(pull.Number, "/why queue/S\n/plan test")
	l.pass()
	l.passOf("test")
	said = l.said(pull.Number)
	id := commandID(t, l, pull.Number)
	require.Contains(t, said["answer/"+id+"/prod"], "`queue/S` in `prod`")
	require.Contains(t, said["answer/"+id+"/test"], "`queue/S` in `test`")
	require.Contains(t, said["answer/"+strings.TrimSuffix(id, "1")+"2"], "Planned anew for `test`")
	require.Equal(t, []string{forge.Eyes, forge.Rocket}, l.reactions(pull.Number))
	l.quiet()
	refs := l.refs()
	for range 5 {
		l.passOf("test")
		l.pass()
	}
	require.Equal(t, refs, l.refs())
}

// asking counts the calls to a forge.
type asking struct {
	forge.Forge
	reads, writes int
}

func (a *asking) Pulls(ctx context.Context, f forge.Filter) ([]forge.Pull, error) {
	a.reads++
	return a.Forge.Pulls(ctx, f)
}

func (a *asking) Comments(ctx context.Context, n int) ([]forge.Comment, error) {
	a.reads++
	return a.Forge.Comments(ctx, n)
}

func (a *asking) Commands(ctx context.Context, c string) ([]forge.Command, string, error) {
	a.reads++
	return a.Forge.Commands(ctx, c)
}

func (a *asking) EnsureComment(ctx context.Context, n int, key, body string) error {
	a.writes++
	return a.Forge.EnsureComment(ctx, n, key, body)
}

func (a *asking) SetStatus(ctx context.Context, commit string, s forge.Status) error {
	a.writes++
	return a.Forge.SetStatus(ctx, commit, s)
}

// Promise 9, towards the forge: what does not concern a pull request costs it nothing, however many are open.
func TestCallsAreConstantInOpenPulls(t *testing.T) {
	t.Parallel()
	l := newLoop(t, mem.Options{}, "Q: a=1 b=1", "R: a=1")
	var a *asking
	l.restartWith(local.Options{}, func(c *reconciler.Config) { a = &asking{Forge: c.Forge}; c.Forge = a })
	calls := func(what func()) (int, int) {
		a.reads, a.writes = 0, 0
		what()
		l.pass()
		return a.reads, a.writes
	}
	reads, writes := calls(func() {})
	require.Equal(t, []int{2, 0}, []int{reads, writes}, "at rest: pull requests and commands")
	for i := range 20 {
		l.develop(fmt.Sprint("topic", i), map[string]string{fmt.Sprint("New", i): "a=1"})
	}
	_, writes = calls(func() {})
	require.Equal(t, 40, writes, "a comment and a status each")
	reads, writes = calls(func() {})
	require.Equal(t, []int{2, 0}, []int{reads, writes}, "at rest, with 20 open")
	reads, writes = calls(func() { l.commit(map[string]string{"R": "a=2"}) })
	require.Equal(t, []int{3, 1}, []int{reads, writes}, "a commit that concerns none of them: its status, and what was merged since")
	one := l.develop("near", map[string]string{"Q": "a=2 b=1"})
	l.pass()
	_, writes = calls(func() { l.hand("Q", "a=1 b=2") })
	require.Equal(t, 4, writes, "radar and plan of the one that is concerned, each with its status")
	require.Contains(t, l.said(one.Number), "radar/prod")

	// A new process finds what was said in the state.
	l.restartWith(local.Options{}, func(c *reconciler.Config) { a = &asking{Forge: c.Forge}; c.Forge = a })
	_, writes = calls(func() {})
	require.Zero(t, writes)
}

func TestHostileNamesInPulls(t *testing.T) {
	t.Parallel()
	l := newLoop(t, mem.Options{}, "Q: a=1")
	evil := "a`b``` @ann #1 <img src=x> ](http:--e.example) |x| \u202e"
	r := resource.Key{Kind: "queue", Name: evil}
	require.NoError(t, l.platform.Put(r, resource.Spec{"a": "```\n@everyone\n"}, "eve <b>@x"))
	l.pass()
	l.mergePull(l.drift().Number)
	l.pass()
	var file string
	require.NoError(t, l.git.Files(l.refs()[mainRef], "environments/prod/queue", func(f gitstore.File) error {
		if f.Path != path("Q") {
			file = f.Path
		}
		return nil
	}))
	pull := l.developFiles("topic", gitstore.Edit{file: []byte("a: \"````\\n@ann\"\n")})
	l.pass()
	require.NoError(t, l.platform.Put(r, resource.Spec{"a": "`````\n<!-- -->\n"}, "eve <b>@x"))
	l.pass()
	said := l.said(pull.Number)
	for _, text := range []string{said["plan/prod"], said["radar/prod"]} {
		require.NotEmpty(t, text)
		outside := outsideCode(text)
		for _, bad := range []string{"@", "<img", "](", "e.example", "\u202e"} {
			require.NotContains(t, outside, bad)
		}
	}
	l.comment(pull.Number, "/why ```` queue/"+evil+" ````")
	l.pass()
	l.quiet()
}

// outsideCode is a text without its code, line by line; the renderer's word on it is had in package report.
func outsideCode(text string) string {
	var b strings.Builder
	fence := ""
	for line := range strings.Lines(text) {
		trimmed := strings.TrimRight(line, "\n")
		switch {
		case fence != "":
			if trimmed == fence {
				fence = ""
			}
		case strings.HasPrefix(trimmed, "```"):
			fence = strings.TrimRight(trimmed, "abcdefghijklmnopqrstuvwxyz")
		default:
			for {
				open := strings.IndexByte(line, '`')
				if open < 0 {
					break
				}
				mark := line[open : len(line)-len(strings.TrimLeft(line[open:], "`"))]
				end := strings.Index(line[open+len(mark):], mark)
				if end < 0 {
					break
				}
				line = line[:open] + line[open+len(mark)+end+len(mark):]
			}
			b.WriteString(line)
		}
	}
	return b.String()
}

// forks is a forge of which one pull request comes from another repository.
type forks struct {
	forge.Forge
	number int
}

func (f forks) Pulls(ctx context.Context, q forge.Filter) ([]forge.Pull, error) {
	all, err := f.Forge.Pulls(ctx, q)
	for i := range all {
		if all[i].Number == f.number {
			all[i].Fork, all[i].HeadRef = true, "refs/pull/1/head"
		}
	}
	if q.Head != "" { // it is a branch of the repository itself
		all = slices.DeleteFunc(all, func(p forge.Pull) bool { return p.Fork })
	}
	return all, err
}

func TestForksAreLeftAloneUnlessTheOperatorSaysSo(t *testing.T) {
	t.Parallel()
	l := newLoop(t, mem.Options{}, "Q: a=1")
	pull := l.develop("theirs", map[string]string{"Q": "a=2"})
	other := l.develop("ours", map[string]string{"Q": "a=3"})
	as := func(plan bool) {
		l.env.Announce.Forks = plan
		l.restartWith(local.Options{}, func(c *reconciler.Config) { c.Forge = forks{c.Forge, pull.Number} })
	}
	as(false)
	l.pass()
	l.comment(pull.Number, "/plan prod\n/plan\n/help")
	l.pass()
	require.Empty(t, l.said(pull.Number))
	require.Empty(t, l.reactions(pull.Number))
	require.NotEmpty(t, l.said(other.Number))
	l.quiet()
	as(true)
	l.pass()
	require.Contains(t, l.said(pull.Number)["plan/prod"], "1 changed")
	l.comment(pull.Number, "/hold prod\n/help")
	l.pass()
	require.Equal(t, []string{"plan/prod"}, slices.Sorted(maps.Keys(l.said(pull.Number))), "planned, and nobody is heard there")
	require.Empty(t, l.reactions(pull.Number))
	l.quiet()
	l.mergePull(pull.Number)
	l.pass()
	require.Contains(t, l.said(pull.Number)["result/prod"], "### Deployed to `prod`", "and told what became of it")
	l.comment(pull.Number, "/rollback 0123456789")
	l.pass()
	require.Empty(t, l.reactions(pull.Number))
	l.quiet()
}

// A head that no branch here has is fetched by its own ref, in the same request as the rest.
func TestForksHeadsAreFetched(t *testing.T) {
	t.Parallel()
	l := newLoop(t, mem.Options{}, "Q: a=1")
	l.env.Announce.Forks = true
	pull := l.develop("theirs", map[string]string{"Q": "a=2"})
	head := l.refs()["refs/heads/theirs"]
	elsewhere, err := gitstore.Open(ctx, gitstore.Options{Remote: l.remote, Prefixes: []string{"refs/"}})
	require.NoError(t, err)
	_, err = elsewhere.Sync(ctx)
	require.NoError(t, err)
	require.NoError(t, elsewhere.Push(ctx, gitstore.Update{Ref: "refs/pull/1/head", New: head}, gitstore.Update{Ref: "refs/heads/theirs", Old: head}))
	l.restartWith(local.Options{}, func(c *reconciler.Config) { c.Forge = forks{c.Forge, pull.Number} })
	l.pass()
	require.Contains(t, l.said(pull.Number)["plan/prod"], "1 changed")
	l.quiet()
}

// What could not be read is no reason for a green check.
func TestPlanOfWhatCannotBeReadIsPending(t *testing.T) {
	t.Parallel()
	l := newLoop(t, mem.Options{}, "Q: a=1", "R: a=1")
	l.platform.Hide(key("Q"), "permission denied")
	pull := l.develop("topic", map[string]string{"Q": "a=2"})
	l.pass()
	require.Equal(t, "pending", l.checks(pull.HeadID)[planCheck])
	require.Contains(t, l.said(pull.Number)["plan/prod"], "**Not complete yet**")
	l.quiet()
	l.platform.Hide(key("Q"), "")
	l.pass()
	require.Equal(t, "success", l.checks(pull.HeadID)[planCheck])
	l.quiet()
}

func TestMergedBySquashAndByRebase(t *testing.T) {
	t.Parallel()
	for _, how := range []local.Method{local.BySquash, local.ByRebase} {
		l := newLoop(t, mem.Options{}, "Q: a=1", "R: a=1", "S: a=1")
		pull := l.develop("topic", map[string]string{"Q": "a=2"})
		refs := l.refs()
		c, err := l.git.Write(refs["refs/heads/topic"], []gitstore.ID{refs["refs/heads/topic"]}, gitstore.Edit{path("R"): []byte("a: v2\n")}, gitstore.Signature{Name: "dev"}, "more")
		require.NoError(t, err)
		require.NoError(t, l.git.Push(ctx, gitstore.Update{Ref: "refs/heads/topic", Old: refs["refs/heads/topic"], New: c.ID}))
		l.pass()
		l.commit(map[string]string{"S": "a=2"}) // meanwhile, on main
		_, err = l.forge.MergeWith(ctx, pull.Number, local.MergeOptions{Method: how})
		require.NoError(t, err)
		l.pass()
		require.Contains(t, l.said(pull.Number)["result/prod"], "2 objects deployed and verified", string(how))
		l.quiet()
	}
}

func TestClosedPullIsForgotten(t *testing.T) {
	t.Parallel()
	l := newLoop(t, mem.Options{}, "Q: a=1")
	pull := l.develop("topic", map[string]string{"Q": "a=2"})
	l.pass()
	l.comment(pull.Number, "/hold")
	l.pass()
	_, err := l.forge.Close(ctx, pull.Number)
	require.NoError(t, err)
	l.pass()
	l.comment(pull.Number, "/cancel")
	l.pass()
	require.Equal(t, []string(nil), l.reactions(pull.Number), "not on what is closed")
	l.quiet()
	_, err = l.forge.Reopen(ctx, pull.Number)
	require.NoError(t, err)
	l.pass()
	require.Equal(t, "success", l.checks(pull.HeadID)[planCheck], "a hold ends with its pull request")
	l.quiet()
}

func TestRulesOfThePullDoNotCount(t *testing.T) {
	t.Parallel()
	l := newLoop(t, mem.Options{}, "Q: a=1")
	pull := l.developFiles("topic", gitstore.Edit{"driftback.rules.yaml": []byte("ignore:\n  - queue/Q\n"), path("Q"): []byte("a: v2\n")})
	l.pass()
	plan := l.said(pull.Number)["plan/prod"]
	require.Contains(t, plan, "| `queue/Q` | changed |")
	require.Contains(t, plan, "the plan goes by the rules as they are now")
	require.True(t, slices.Contains([]string{"success"}, l.checks(pull.HeadID)[planCheck]))
}

// What was accepted by hand in a commit of the branch, and then changed again, is a change and no conflict: as after the merge.
func TestPlanKnowsWhatTheBranchAccepts(t *testing.T) {
	t.Parallel()
	l := newLoop(t, mem.Options{}, "Q: a=1")
	l.hand("Q", "a=7")
	l.pass()
	pull := l.develop("topic", map[string]string{"Q": "a=7"})
	l.pass()
	require.Contains(t, l.said(pull.Number)["plan/prod"], "| `queue/Q` | is so already |")
	require.NotContains(t, l.said(pull.Number), "radar/prod", "merging it accepts what was done by hand")
	tip := l.refs()["refs/heads/topic"]
	c, err := l.git.Write(tip, []gitstore.ID{tip}, gitstore.Edit{path("Q"): []byte("a: v8\n")}, gitstore.Signature{Name: "dev"}, "and on")
	require.NoError(t, err)
	require.NoError(t, l.git.Push(ctx, gitstore.Update{Ref: "refs/heads/topic", Old: tip, New: c.ID}))
	l.pass()
	require.Contains(t, l.said(pull.Number)["plan/prod"], "- a: v7\n+ a: v8\n")
	require.Equal(t, "success", l.checks(c.ID.String())[planCheck])
	l.quiet()
	l.mergePull(pull.Number)
	l.pass()
	l.live("Q", "a=8")
	require.Contains(t, l.said(pull.Number)["result/prod"], "### Deployed to `prod`")
	l.quiet()
}

// Every commit of a range is told of the deployment, but for those that changed what failed.
func TestStatusesOfARange(t *testing.T) {
	t.Parallel()
	l := newLoop(t, mem.Options{}, "Q: a=1", "R: a=1", "S: a=1")
	l.refuse(false)
	first := l.commit(map[string]string{"R": "a=2"})
	l.pass()
	bad := l.commit(map[string]string{"Q": "a=bad"})
	l.pass()
	two, three := l.commit(map[string]string{"R": "a=3"}), l.commit(map[string]string{"S": "a=3"})
	l.pass()
	for id, want := range map[gitstore.ID]string{first: "success", bad: "failure", two: "success", three: "success"} {
		require.Equal(t, want, l.checks(id.String())["driftback/prod"])
	}
	require.Equal(t, []string{"failure", "inactive", "success"}, l.deployments())
	l.quiet()
}
