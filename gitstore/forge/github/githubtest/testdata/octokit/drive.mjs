// Works on the stand-in as people and Apps do, with GitHub's own client:
//
//	node drive.mjs '{"api": URL, "token": …, "appId": …, "key": PEM, "installation": …, "head": SHA}'
//
// It ends with an error where an answer is not what octokit or this script expects.
import assert from "node:assert/strict";
import { App, Octokit } from "octokit";

const { api, token, appId, key, installation, head } = JSON.parse(process.argv[2]);
const quiet = { log: { debug() {}, info() {}, warn: console.error, error: console.error }, throttle: { enabled: false }, retry: { enabled: false } };
const Enterprise = Octokit.defaults({ baseUrl: api, ...quiet });
const repo = { owner: "acme", repo: "config" };

const ann = new Enterprise({ auth: token });
const app = new App({ appId, privateKey: key, Octokit: Enterprise });
const bot = await app.getInstallationOctokit(installation);

assert.equal((await ann.rest.users.getAuthenticated()).data.login, "ann");
assert.equal((await app.octokit.rest.apps.getAuthenticated()).data.slug, "driftback");
assert.equal((await bot.rest.repos.get(repo)).data.default_branch, "main");

const pull = (await bot.rest.pulls.create({ ...repo, title: "Drift in prod", head: "topic", base: "main", body: "who: dora", draft: true })).data;
const at = { ...repo, pull_number: pull.number };
const issue = { ...repo, issue_number: pull.number };
assert.equal(pull.draft, true);
await bot.graphql("mutation($id: ID!) { markPullRequestReadyForReview(input: {pullRequestId: $id}) { pullRequest { isDraft } } }", { id: pull.node_id });
assert.equal((await ann.rest.pulls.get(at)).data.draft, false);
await bot.rest.issues.addLabels({ ...issue, labels: ["drift", "env/prod"] });
assert.deepEqual((await ann.rest.issues.listLabelsOnIssue(issue)).data.map((l) => l.name), ["drift", "env/prod"]);
await bot.rest.pulls.requestReviewers({ ...at, reviewers: ["ann"] });

// Pagination, by octokit's own reading of the Link header.
for (let i = 0; i < 7; i++) await ann.rest.issues.createComment({ ...issue, body: `word ${i}` });
const all = await bot.paginate(bot.rest.issues.listComments, { ...issue, per_page: 3 });
assert.deepEqual(all.map((c) => c.body), [0, 1, 2, 3, 4, 5, 6].map((i) => `word ${i}`));
await bot.rest.reactions.createForIssueComment({ ...repo, comment_id: all[0].id, content: "eyes" });
await bot.rest.issues.updateComment({ ...repo, comment_id: (await bot.rest.issues.createComment({ ...issue, body: "plan" })).data.id, body: "plan 2" });

const run = (await bot.rest.checks.create({ ...repo, name: "driftback/prod", head_sha: head, status: "in_progress" })).data;
await bot.rest.checks.update({
  ...repo, check_run_id: run.id, conclusion: "success",
  output: { title: "1 change", summary: "fine", annotations: [{ path: "topic.txt", start_line: 1, end_line: 1, annotation_level: "notice", message: "here" }] },
});
const runs = await bot.paginate(bot.rest.checks.listForRef, { ...repo, ref: head });
assert.deepEqual(runs.map((r) => [r.name, r.conclusion, r.output.annotations_count]), [["driftback/prod", "success", 1]]);
await ann.rest.repos.createCommitStatus({ ...repo, sha: head, state: "success", context: "driftback/test", description: "done" });
assert.equal((await ann.rest.repos.getCombinedStatusForRef({ ...repo, ref: "topic" })).data.state, "success");

const { data: contents } = await ann.rest.repos.getContent({ ...repo, path: "README" });
assert.equal(Buffer.from(contents.content, "base64").toString(), "read me\n");
assert.equal((await ann.rest.repos.compareCommitsWithBasehead({ ...repo, basehead: "main...topic" })).data.ahead_by, 1);
assert.equal((await ann.rest.repos.getCollaboratorPermissionLevel({ ...repo, username: "ann" })).data.permission, "write");

const merged = (await ann.rest.pulls.merge({ ...at, sha: head, merge_method: "squash" })).data;
assert.equal(merged.merged, true);
assert.equal((await ann.rest.repos.getCommit({ ...repo, ref: merged.sha })).data.parents.length, 1);
await assert.rejects(ann.rest.pulls.merge(at), { status: 405 });

const deployment = (await bot.rest.repos.createDeployment({ ...repo, ref: merged.sha, environment: "prod", auto_merge: false, required_contexts: [] })).data;
await bot.rest.repos.createDeploymentStatus({ ...repo, deployment_id: deployment.id, state: "success", log_url: "https://example.org/log" });
assert.equal((await ann.rest.repos.listDeployments({ ...repo, environment: "prod" })).data.length, 1);
await assert.rejects(ann.rest.checks.create({ ...repo, name: "x", head_sha: head }), { status: 403 });

// The entity tag is octokit's to send; 304 is an error to it.
const first = await ann.request("GET /repos/{owner}/{repo}/pulls", { ...repo, state: "all" });
await assert.rejects(ann.request("GET /repos/{owner}/{repo}/pulls", { ...repo, state: "all", headers: { "if-none-match": first.headers.etag } }), { status: 304 });
console.log("done");
