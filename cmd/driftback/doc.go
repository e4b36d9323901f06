// Driftback keeps a Git repository and the live configuration of platforms in
// agreement, in both directions. What people change by hand comes back to Git as a pull
// request; what is merged is deployed; git revert is the way back.
//
// # Usage
//
//	driftback [--config FILE] [-o text|json|yaml|markdown] COMMAND
//
// The loop:
//
//	demo                   try it: three simulated organisations, a repository and the daemon
//	     --story           play through what it is for, and prove each step
//	init ENV               propose what a live system has as the first pull request
//	     --rebuild         make the environment's lost state anew from both histories
//	     --trust-git       say that Git is right where both sides differ
//	run                    the daemon: keep all environments in agreement
//	    --once [ENV…]      make one pass over each environment and exit
//
// Look, and change nothing:
//
//	doctor                 is everything reachable, and permitted?
//	plan ENV               what would be deployed now, in order, and what is held and why
//	diff A B               how two states differ, field by field
//	validate [DIR]         check the files of a clone, with file, line and column
//	fmt [DIR]              write a clone's files the way driftback does (--check: only tell)
//
// Act:
//
//	drift list ENV         what was changed by hand, by whom and when
//	drift show ENV [KEY…]  the same, field by field
//	drift accept ENV [KEY…]  merge it into Git
//	drift revert ENV [KEY…]  put back what Git says
//	drift ignore ENV [KEY…] [until DATE]  leave it alone
//	pulls list|show|open|merge|close|reopen|comment   pull requests of the built-in forge
//	history ENV [KEY]      deployments, undos, holds and edits by hand, from Git alone
//	rollback ENV --reason TEXT  go back to what Git said before, by a pull request
//	suspend ENV --reason TEXT   deploy nothing until it is resumed
//	resume ENV             go on after suspend, a halt or a deployment that did not work
//	       --plan ID       let exactly this plan pass the guards
//	       --secrets KEY   write an object's secrets again
//
// Other: schema, completion, version.
//
// # States
//
// A state is written live:ENV (what the platform has now), live:ENV@TIME (what it had then, as
// recorded), git:ENV (what Git wants) or git:ENV@REV (what it wanted at a branch, a commit or HEAD~1).
//
// # Keys
//
// An object is named by its kind and its name, as in queue/Support or file/rules/alerts.yml.
//
// # Exit codes
//
//	0    done, or no difference
//	1    error
//	2    there are differences: diff, plan --exit-code, fmt --check
//	3    something waits for people: run --once, init, plan --exit-code
//	130  interrupted
//
// # Streams
//
// The result goes to standard output; logs, progress and errors go to standard error, for people on a
// terminal and as JSON elsewhere (--log-format, --log-level). Structured results carry schemaVersion. Colour is
// used on a terminal only, and NO_COLOR is honoured. No secret that the configuration names is ever printed.
//
// # Environment variables
//
//	DRIFTBACK_CONFIG  the configuration file, where --config does not name one
//	DRIFTBACK_USER    who acts: "Ann Lee <ann@example.org>"; default the login
//	NO_COLOR          no colour, whatever it is set to
//
// # Files
//
// ./driftback.yaml and /etc/driftback/driftback.yaml hold the configuration; docs/configuration.md describes
// it. The disposable copy of a remote repository is kept below the user's cache directory.
package main
