// Package forgetest is the conformance suite for forges: what passes it can be
// put behind forge.Forge.
//
// # Writing a forge adapter
//
// An adapter is a package beside this one's siblings, gitstore/forge/<name>. It
// implements the methods of forge.Forge and knows nothing of what the pull
// requests are about. In the order in which they are easiest to write:
//
//  1. Pulls. Page through to the end; a part of the list is not an answer.
//     Merged is not closed: most forges say closed for both and tell by the
//     time of merging.
//  2. EnsurePull. Clean what is asked for (Pull.Clean; below also Status.Clean,
//     Deployment.Clean, CleanBody, CheckKey), look for the open pull request of
//     the head branch, then create, change what differs, or do nothing. Two
//     clients do this at once: when the forge says that there is one already,
//     look again.
//  3. EnsureComment. A comment is found again by its key, so the key must be in
//     it where people do not see it, such as in an HTML comment at its end, in
//     a form that no body can imitate. Comments returns bodies without it. A
//     person who copies the text has not written a comment of ours: look at the
//     author as well.
//  4. SetStatus and EnsureDeployment. Read before writing where the forge adds
//     rather than replaces. A status with a summary is a check run where the forge
//     has them; the case that sets one asks only that saying it twice is once.
//  5. Merge. The expected head goes with the request, so that the forge itself
//     compares. Forges that compute mergeability in the background answer "don't
//     know yet" at first: ask again, within ctx.
//  6. Commands. The cursor is opaque to callers and made of what the forge
//     orders by. Where that is time in seconds, several comments share one: ask
//     from the cursor's second on, and leave out what it names as seen.
//     forge.CommandLines finds the commands in a comment. Ask for the author's
//     permission and teams when a command is found, not before.
//  7. Answer. A reaction to the comment, and EnsureComment under
//     forge.AnswerKey. A comment that is gone needs no reaction.
//
// Errors are wrapped so that errors.Is finds the class of package forge; text is
// for people. Where the forge has narrower limits of its own, cut or refuse with
// forge.ErrInvalid, and in the same way each time: what comes out differently is
// changed again with every pass.
//
// # Running the suite
//
// The adapter's test opens a Fixture: the forge and, around it, the means of a
// person, which are Git and the forge's own pages.
//
//	func TestForge(t *testing.T) {
//		forgetest.Run(t, func(t *testing.T) forgetest.Fixture {
//			server := newServer(t)
//			return forgetest.Fixture{
//				Forge: server.client(t),
//				Other: func(t *testing.T) forge.Forge { return server.client(t) },
//				Git:   server.git(t),
//				[...]
//			}
//		})
//	}
//
// Each case opens a fixture of its own, in parallel with others; it finds no
// pull request there and a branch main with the file README. Means that a forge does
// not have are left nil: the cases that need them are skipped, and say so.
//
// A forge that learns of pushes late must be waited for in the fixture (Git.Push
// returns when the forge knows of it), not in the cases: the reconciler looks
// again with its next pass, a test does not.
//
// # Adding a case
//
// A case is a method on suite, listed in the table in Run. Write what a caller may rely
// on and nothing that one forge merely happens to do. See it fail once: break
// the line of the built-in forge that it is about.
package forgetest
