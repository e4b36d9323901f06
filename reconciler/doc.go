// Package reconciler keeps environments and Git in agreement, both ways. This page
// is the architecture; each paragraph says what was chosen and why.
//
// One pass. All that driftback does is Once: sync, observe, remember, decide, gate,
// deploy, propose, announce (pass.go shows the order, one file a step). Timers, webhooks,
// fsnotify and commands only ask for a pass. So a lost event costs time and
// never correctness, and there is one path to production to be made safe.
//
// Git is the only database. Base, decisions, journal and claim stand in one ref
// (state.go), moved by compare-and-swap. A pass keeps nothing in memory that it could not
// read again: the environment struct is a cache, and a process that dies loses nothing.
//
// Decide is pure. Who is right is a table over three hashes per object (decide.go), and bodies
// are looked at only where both sides moved. It can be fuzzed and read in one sitting.
//
// Base moves by five rules and nothing else (base.go). They are written against history, not
// against events, because merges, squashes, reverts and edits by reviewers may all have happened
// since the last look.
//
// Remember before overwriting. What the platform says is committed to the live branch and pushed
// before anything is written to the platform (remember.go), so nobody's work can be lost by ours.
//
// Unknown is not absent. A reading speaks only inside its scope, and absence counts only
// between comparable readings, confirmed by asking for the object (observe.go).
//
// Intent, effect, outcome. A deployment is journalled with the bodies of both sides before the first
// write; Apply and its reverse do nothing where they are already done (deploy.go). Recovery is
// therefore running the same function again.
//
// One function decides and shows. What a pull request is told is made by running decide, order and gate on
// what its merge would come to (preview.go), so that a plan cannot say anything else than what is done
// afterwards. What was said is known by hash in the state (announce.go): a pass that has nothing new to say costs two reads, however
// many pull requests are open. A command in a comment becomes the request that the command line would file (commands.go), and answers wait in
// the state until they are given, so that none is lost or given twice.
//
// One writer. Effects outside the state ref need a claim there, taken by compare-and-swap and
// good until its deadline by the holder's monotonic clock (push.go). It travels with the first
// effect where the remote offers atomic pushes, so a drift costs one push, and a pass that finds
// agreement writes nothing at all.
//
// This package knows no HTTP, no go-git and no Prometheus. Time comes through a clock, and
// platform, forge and Git transport through interfaces, so that package simulation can run it, whole,
// through crashes and faults.
package reconciler
