package forgetest

import "testing"

// Run tests the forge that open opens. open is called once for each case.
func Run(t *testing.T, open func(t *testing.T) Fixture) {
	for _, c := range []struct {
		name string
		run  func(*suite)
	}{
		{"an empty forge", (*suite).emptyForge},
		{"a pull request is opened, changed and closed", (*suite).pullLife},
		{"ensuring a pull request twice is once", (*suite).pullTwice},
		{"ensuring leaves a state that the branch had before", (*suite).pullAgain},
		{"what cannot be a pull request", (*suite).pullInvalid},
		{"branches that are missing", (*suite).pullMissingBranch},
		{"nothing to merge", (*suite).pullEmpty},
		{"filters and order", (*suite).pullFilters},
		{"hostile titles and bodies", (*suite).pullTexts},
		{"the head moves", (*suite).headMoves},
		{"the head vanishes", (*suite).headVanishes},
		{"reviewers are added and kept", (*suite).reviewers},
		{"a person closes and reopens", (*suite).personCloses},
		{"two clients ensure one pull request", (*suite).pullRace},
		{"many clients, many pull requests", (*suite).pullCrowd},

		{"a merge makes a merge commit", (*suite).merge},
		{"merging twice is once", (*suite).mergeTwice},
		{"a merge that conflicts", (*suite).mergeConflict},
		{"a merge of another head", (*suite).mergeMoved},
		{"merges that the rules forbid", (*suite).mergeNotAllowed},
		{"merging onto a protected branch", (*suite).mergeProtected},
		{"two clients merge", (*suite).mergeRace},
		{"merged by a person, by merge", func(s *suite) { s.mergedBy("merge") }},
		{"merged by a person, by squash", func(s *suite) { s.mergedBy("squash") }},
		{"merged by a person, by rebase", func(s *suite) { s.mergedBy("rebase") }},
		{"merged with git alone", (*suite).mergedByPush},
		{"merged with git alone by fast-forward", (*suite).mergedByForward},

		{"comments are kept by key", (*suite).commentLife},
		{"comments hold any text", (*suite).commentTexts},
		{"a person's comments are left alone", (*suite).commentOfPerson},
		{"comments on what is not there", (*suite).commentMissing},
		{"two clients ensure one comment", (*suite).commentRace},
		{"commands come once, in order", (*suite).commands},
		{"commands are answered in place", (*suite).answers},
		{"answers to commands that are gone", (*suite).answerGone},
		{"commands are not lost in a crowd", (*suite).commandsRace},

		{"statuses", (*suite).statuses},
		{"statuses with a page of their own", (*suite).statusPage},
		{"deployments", (*suite).deployments},
		{"statuses and deployments of what is not there", (*suite).statusMissing},
		{"a context that is done", (*suite).cancelled},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.run(&suite{Fixture: open(t), t: t})
		})
	}
}
