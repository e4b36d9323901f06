// Package githubtest is a stand-in for GitHub Enterprise Server, for tests: its
// REST API, a little of GraphQL, Git over HTTP and webhooks, with real bare
// repositories below.
//
// # What it is held against
//
// So that it is not only our reading of GitHub, every request that it gets and
// every answer that it gives is checked against GitHub's own OpenAPI description
// (openapi.json, made by testdata/openapi/subset.mjs from the npm package
// @octokit/openapi). A violation by either side fails the test that opened the
// server. What is tolerated stands in one table, with reasons (contract.go).
// Events are held against octokit's schemas of them (CheckEvents), requests of
// GraphQL against GitHub's schema (CheckGraphQL). And a second client that is not
// ours, octokit for JavaScript, works on the server in this package's tests.
//
// # Using it
//
//	s := githubtest.New(t, githubtest.Options{Now: clock})
//	r := s.Repo("acme/config")                       // a bare repository; r is also a forgetest.Git
//	r.Push(t, "main", map[string]string{"README": "read me\n"})
//	r.Grant("ann", "write")
//	app := s.App("driftback", "acme", nil)           // app.ID, app.Key()
//	i := app.Install("acme", nil)                    // i.ID; i.Token() is a token at once
//	token := s.Token("ann")                          // a person's
//	s.API(), r.GitURL()                              // where clients go
//	app.SetHook(githubtest.Hook{URL: u, Secret: "s", Events: []string{"*"}})
//	s.Fail(githubtest.Fault{Op: "pulls/create", Late: true})  // the answer is lost
//	s.Count()["pulls/list"], s.Count()["pulls/list 304"], s.Writes()
//
// People act through their own tokens over the API, or by the methods of Repo. A
// person's merge, review or comment is a request like any other: see the
// fixtures of this package's tests.
//
// Operations are named as the description names them: pulls/create. Faults hit
// operations by that name, "graphql" and "git" too. Examples are the payloads of
// @octokit/webhooks-examples, signed.
//
// # Deviations
//
//   - Issues that are no pull requests, projects, milestones, assignees, review
//     comments on lines, branches' restrictions to people, and auto-merge are not there.
//   - An installation is on all repositories of its account. Renamed and moved
//     repositories, and so redirects, are not there.
//   - A JWT's times may be right by the server's clock or by the machine's, as
//     some clients know only the machine's. All Apps of a process share one key.
//   - What somebody may not write to is refused by 403 with a sentence of ours
//     where GitHub says 404 for some operations.
//   - GitHub computes mergeability in the background; here it is known at once
//     unless Options.Unknown says otherwise. So is the head of a pull request
//     whose branch was pushed to, which GitHub knows a moment later.
//   - Secondary limits are not counted; they come by Fail. The primary ones are
//     counted, also for GraphQL (one point a request).
//   - Entity tags depend, as GitHub's do, on who asks and on what is accepted;
//     there is no Last-Modified.
//   - Events hold the repository, the sender and what they are about; what is
//     derived (avatars, counts of stars) is empty.
//   - A rebase by merging keeps empty commits out, as git does; GitHub refuses some
//     rebases that git can do.
//   - Media types other than JSON (raw, diff, patch) are not offered.
//   - GraphQL knows four mutations (graphql.go) and does not parse the query.
//   - Signatures of commits are believed.
package githubtest
