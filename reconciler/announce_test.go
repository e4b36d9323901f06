package reconciler_test

import (
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
	"github.com/driftback/driftback/vendors/mem"
)

// develop makes a branch off main with these queues changed, and a pull request of it.
func (l *loop) develop(branch string, changes map[string]string) forge.Pull {
	l.Helper()
	e := gitstore.Edit{}
	for name, fields := range changes {
		e[path(name)] = nil
		if fields != "" {
			e[path(name)] = []byte(yaml(spec(fields)))
		}
	}
	return l.developFiles(branch, e)
}

func (l *loop) developFiles(branch string, e gitstore.Edit) forge.Pull {
	l.Helper()
	l.now = l.now.Add(time.Second)
	refs := l.refs()
	c, err := l.git.Write(refs[mainRef], []gitstore.ID{refs[mainRef]}, e, gitstore.Signature{Name: "dev"}, "work on "+branch)
	require.NoError(l, err)
	require.NoError(l, l.git.Push(ctx, gitstore.Update{Ref: "refs/heads/" + branch, Old: refs["refs/heads/"+branch], New: c.ID}))
	pull, err := l.forge.EnsurePull(ctx, forge.Pull{Head: branch, Base: "main", Title: "Work on " + branch})
	require.NoError(l, err)
	return pull
}

// said are the comments of ours on a pull request, by key.
func (l *loop) said(n int) map[string]string {
	l.Helper()
	all, err := l.forge.Comments(ctx, n)
	require.NoError(l, err)
	out := map[string]string{}
	for _, c := range all {
		if c.Key != "" {
			require.NotContains(l, out, c.Key, "one comment of a key")
			out[c.Key] = c.Body
		}
	}
	return out
}

// checks are the states of a commit's statuses, by context.
func (l *loop) checks(commit string) map[string]string {
	l.Helper()
	all, err := l.forge.Statuses(ctx, commit)
	require.NoError(l, err)
	out := map[string]string{}
	for _, s := range all {
		out[s.Context] = s.State
	}
	return out
}

// deployments are the states of what the forge was told to be deployed, in order of their ids.
func (l *loop) deployments() []string {
	l.Helper()
	all, err := l.forge.Deployments(ctx, "prod")
	require.NoError(l, err)
	var out []string
	for _, d := range all {
		out = append(out, d.State)
	}
	slices.Sort(out)
	return out
}

func (l *loop) mergePull(n int) {
	l.Helper()
	_, err := l.forge.MergeWith(ctx, n, local.MergeOptions{})
	require.NoError(l, err)
}

func (l *loop) comment(n int, text string) {
	l.Helper()
	l.now = l.now.Add(time.Second)
	_, err := l.forge.Comment(ctx, n, text)
	require.NoError(l, err)
}

const (
	planCheck  = "driftback/plan (prod)"
	radarCheck = "driftback/radar (prod)"
)

func TestStoryOfADeveloper(t *testing.T) {
	t.Parallel()
	l := newLoop(t, mem.Options{}, "Q: a=1 b=1", "R: a=1")
	pull := l.develop("topic", map[string]string{"Q": "a=2 b=1", "New": "a=1"})
	l.pass()
	said := l.said(pull.Number)
	require.Equal(t, []string{"plan/prod"}, slices.Sorted(maps.Keys(said)))
	require.Contains(t, said["plan/prod"], "Merging this would deploy 2 objects: 1 added, 1 changed.")
	require.Contains(t, said["plan/prod"], "- a: v1\n+ a: v2")
	require.Equal(t, map[string]string{planCheck: "success"}, l.checks(pull.HeadID))
	l.quiet()

	// An administrator changes another field: nothing conflicts, and the developer hears of it at once.
	l.hand("Q", "a=1 b=5")
	l.pass()
	said = l.said(pull.Number)
	require.Contains(t, said["radar/prod"], "| `queue/Q` | changed | `bob` |")
	require.Contains(t, said["radar/prod"], "changed here too, can be merged")
	require.Contains(t, said["radar/prod"], "What merging this would make of it\n\n##### `queue/Q`\n\n```diff\n- a: v1\n+ a: v2\n")
	require.Contains(t, said["radar/prod"], fmt.Sprintf("proposed to Git in #%d", l.drift().Number))
	require.Contains(t, l.drift().Body, fmt.Sprintf("- #%d: `queue/Q`\n", pull.Number), "and the reviewer of it of the developer")
	require.Equal(t, map[string]string{planCheck: "success", radarCheck: "success"}, l.checks(pull.HeadID))
	l.quiet()

	// Then the same field: that conflicts.
	l.hand("Q", "a=7 b=5")
	l.pass()
	said = l.said(pull.Number)
	require.Contains(t, said["radar/prod"], "| `a` | `v1` | `v2` | `v7` |")
	require.Contains(t, said["radar/prod"], "**It conflicts**")
	require.Equal(t, map[string]string{planCheck: "failure", radarCheck: "failure"}, l.checks(pull.HeadID))
	l.quiet()

	// The drift is merged, and the branch brought up to date: it clears itself.
	l.mergePull(l.drift().Number)
	l.pass()
	l.quiet()
	rebased := l.develop("topic", map[string]string{"Q": "a=2 b=5", "New": "a=1"})
	require.Equal(t, pull.Number, rebased.Number)
	l.pass()
	require.Contains(t, l.said(pull.Number)["radar/prod"], "agree again")
	require.Equal(t, map[string]string{planCheck: "success", radarCheck: "success"}, l.checks(rebased.HeadID))
	l.quiet()

	l.mergePull(pull.Number)
	l.pass()
	l.live("Q", "a=2 b=5")
	l.live("New", "a=1")
	require.Contains(t, l.said(pull.Number)["result/prod"], "### Deployed to `prod`\n\n2 objects deployed and verified in deployment")
	require.Equal(t, []string{"success"}, l.deployments())
	require.Equal(t, "success", l.checks(l.refs()[mainRef].String())["driftback/prod"])
	l.quiet()

	l.commit(map[string]string{"R": "a=3"})
	l.pass()
	require.Equal(t, []string{"inactive", "success"}, l.deployments(), "the one before is over")
	l.quiet()
}

// drift is the open pull request of ours.
func (l *loop) drift() forge.Pull {
	l.Helper()
	for _, p := range l.pulls() {
		if strings.HasPrefix(p.Head, "driftback/") {
			return p
		}
	}
	require.Fail(l, "no pull request of ours")
	return forge.Pull{}
}

func TestPullsThatDoNotConcernUs(t *testing.T) {
	t.Parallel()
	l := newLoop(t, mem.Options{}, "Q: a=1")
	pull := l.developFiles("docs", gitstore.Edit{"docs/x.md": []byte("x\n")})
	l.pass()
	require.Empty(t, l.said(pull.Number))
	require.Empty(t, l.checks(pull.HeadID))
	l.quiet()
	l.env.Announce.Untouched = true
	l.restart()
	l.pass()
	require.Empty(t, l.said(pull.Number))
	require.Equal(t, map[string]string{planCheck: "success"}, l.checks(pull.HeadID), "branch protection may require it")
	l.quiet()
	moved := l.developFiles("docs", gitstore.Edit{"docs/y.md": []byte("y\n")})
	l.pass()
	require.Equal(t, map[string]string{planCheck: "success"}, l.checks(moved.HeadID), "so may that of the next head")
	l.quiet()
	l.env.Announce.Off = true
	l.restart()
	other := l.develop("topic", map[string]string{"Q": "a=2"})
	l.pass()
	require.Empty(t, l.said(other.Number))
}

func TestPlanShowsWhatStandsInTheWay(t *testing.T) {
	t.Parallel()
	var queues []string
	gone := map[string]string{}
	for i := range 12 {
		name := "Q" + string(rune('a'+i))
		queues, gone[name] = append(queues, name+": a=1"), ""
	}
	l := newLoop(t, mem.Options{}, append(queues, "R: a=1")...)

	broken := l.developFiles("broken", gitstore.Edit{path("R"): []byte("a: v1\nb: [\n")})
	guard := l.develop("guard", gone)
	conflict := l.develop("conflict", map[string]string{"R": "a=2"})
	l.commit(map[string]string{"R": "a=3"})
	l.pass()

	require.Equal(t, "failure", l.checks(broken.HeadID)[planCheck])
	statuses, err := l.forge.Statuses(ctx, broken.HeadID)
	require.NoError(t, err)
	require.Equal(t, "failure", l.checks(conflict.HeadID)[planCheck])
	require.Contains(t, l.said(conflict.Number)["plan/prod"], "There is no plan: `it does not merge cleanly: "+path("R")+"`")
	require.Contains(t, l.said(guard.Number)["plan/prod"], "12 objects would be deleted; the guard allows 10.")
	require.Equal(t, "success", l.checks(guard.HeadID)[planCheck])
	require.NotEmpty(t, statuses)
	l.quiet()

	// On top of what is on main now, the broken file is told with its place.
	broken = l.developFiles("broken", gitstore.Edit{path("R"): []byte("a: v1\nb: [\n")})
	l.pass()
	statuses, err = l.forge.Statuses(ctx, broken.HeadID)
	require.NoError(t, err)
	require.Equal(t, path("R"), statuses[0].Annotations[0].Path)
	require.Equal(t, "failure", statuses[0].State)
	require.Contains(t, l.said(broken.Number)["plan/prod"], "#### Errors\n\n- `"+path("R")+":")
	l.quiet()

	// What is merged and waits is told so, and /apply lets exactly that pass.
	l.mergePull(guard.Number)
	l.pass()
	l.live("Qa", "a=1")
	require.Contains(t, l.said(guard.Number)["result/prod"], "### Waiting to be deployed to `prod`")
	require.Contains(t, l.deployments(), "queued")
	l.quiet()
	l.comment(guard.Number, "/apply prod")
	l.pass()
	l.live("Qa", "")
	require.Contains(t, l.said(guard.Number)["result/prod"], "### Deployed to `prod`")
	require.NotContains(t, l.deployments(), "queued")
	require.Contains(t, l.answer(guard.Number), "may pass in `prod`, once.")
	l.quiet()
}

// answer is the newest answer to a command on a pull request.
func (l *loop) answer(n int) string {
	l.Helper()
	all, err := l.forge.Comments(ctx, n)
	require.NoError(l, err)
	for _, c := range slices.Backward(all) {
		if strings.HasPrefix(c.Key, "answer/") {
			return c.Body
		}
	}
	return ""
}

// reactions are those to the newest comment of a person.
func (l *loop) reactions(n int) []string {
	l.Helper()
	all, err := l.forge.Comments(ctx, n)
	require.NoError(l, err)
	for _, c := range slices.Backward(all) {
		if c.Key == "" {
			return c.Reactions
		}
	}
	return nil
}

func TestFailureIsToldToItsPull(t *testing.T) {
	t.Parallel()
	l := newLoop(t, mem.Options{}, "Q: a=1", "R: a=1")
	l.refuse(false)
	pull := l.develop("topic", map[string]string{"Q": "a=bad", "R": "a=2"})
	l.pass()
	l.mergePull(pull.Number)
	l.pass()
	said := l.said(pull.Number)["result/prod"]
	require.Contains(t, said, "### Not deployed to `prod`")
	require.Contains(t, said, "- `queue/Q`\n")
	require.Contains(t, said, fmt.Sprintf("#%d takes it back in Git.", l.drift().Number))
	require.Equal(t, []string{"failure"}, l.deployments())
	require.Equal(t, "failure", l.checks(l.refs()[mainRef].String())["driftback/prod"])
	l.quiet()
	l.mergePull(l.drift().Number)
	l.pass()
	require.Equal(t, said, l.said(pull.Number)["result/prod"], "what was said stays")
	l.quiet()
}

// A pull request that was opened and merged between two passes hears what became of it, once; one that changes nothing here, and
// those of before, hear nothing.
func TestCameAndWentBetweenTwoPasses(t *testing.T) {
	t.Parallel()
	l := newLoop(t, mem.Options{}, "Q: a=1", "R: a=1")
	l.refuse(false)
	l.pass()
	l.quiet()
	good := l.develop("good", map[string]string{"Q": "a=2"})
	l.mergePull(good.Number)
	docs := l.developFiles("docs", gitstore.Edit{"docs/x.md": []byte("x\n")})
	l.mergePull(docs.Number)
	l.pass()
	l.live("Q", "a=2")
	require.Contains(t, l.said(good.Number)["result/prod"], "### Deployed to `prod`")
	require.Empty(t, l.said(docs.Number))
	l.quiet()

	bad := l.develop("bad", map[string]string{"R": "a=bad"})
	l.mergePull(bad.Number)
	l.pass()
	require.Contains(t, l.said(bad.Number)["result/prod"], fmt.Sprintf("#%d takes it back in Git.", l.drift().Number))
	require.Equal(t, 1, len(l.said(good.Number)))
	l.quiet()
}

// What was merged before anything was announced is no news.
func TestMergedBeforeAnnouncementsIsNoNews(t *testing.T) {
	t.Parallel()
	l := newLoop(t, mem.Options{}, "Q: a=1")
	l.env.Announce.Off = true
	l.restart()
	old := l.develop("old", map[string]string{"Q": "a=2"})
	l.mergePull(old.Number)
	l.pass()
	l.live("Q", "a=2")
	l.env.Announce.Off = false
	l.restart()
	next := l.develop("next", map[string]string{"Q": "a=3"})
	l.mergePull(next.Number)
	l.pass()
	require.Empty(t, l.said(old.Number))
	require.Contains(t, l.said(next.Number)["result/prod"], "### Deployed to `prod`")
}
