package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/driftback/driftback/gitstore"
	"github.com/driftback/driftback/reconciler"
	"github.com/driftback/driftback/reconciler/report"
	"github.com/driftback/driftback/vendors/resource"
)

// A rollbackTo says what an environment is to go back to.
type rollbackTo struct {
	revision, deployment string
	reason               string
	dry                  bool
}

func (c *cli) rollbackCommand() *cobra.Command {
	var to rollbackTo
	cmd := &cobra.Command{
		Use:   "rollback ENVIRONMENT [--to REVISION | --deployment N] --reason TEXT",
		Short: "Go back to what Git said of an environment before",
		Long: `Go back to what Git said of an environment at a commit, or at a deployment: by its number or id as driftback
history shows it; without either, at the last but one that succeeded. The difference is shown first, and the next pass
then makes a pull request that reverts what was committed since and changed this environment. Where that would change
other environments too, or does not come out clean, it changes this environment's own files instead. What people had
changed by hand and Git accepted stays.

There is one path to production: the rollback is deployed once it is merged, through the ordinary plan and its gates.
With rollback: {push: true} in the configuration it is pushed at once, where nothing protects the branch and no other
environment is concerned.`,
		Example: `  driftback rollback prod --reason "callers hear silence"
  driftback rollback prod --deployment 3 --reason "as before the migration"
  driftback rollback prod --to HEAD~2 --dry-run --reason look`,
		GroupID:           "act",
		Args:              c.takes(1, 1),
		ValidArgsFunction: c.completeEnvironments,
		RunE: func(cmd *cobra.Command, args []string) error {
			if strings.TrimSpace(to.reason) == "" {
				return errors.New("rollback: say why, with --reason")
			}
			return c.rollback(cmd.Context(), args[0], to)
		},
	}
	f := cmd.Flags()
	f.StringVar(&to.revision, "to", "", "a branch, a commit or HEAD~N of the tracked branch")
	f.StringVar(&to.deployment, "deployment", "", "number or id of a deployment that succeeded")
	f.StringVar(&to.reason, "reason", "", "why; everybody who looks at the pull request is told")
	f.BoolVar(&to.dry, "dry-run", false, "show the difference and ask for nothing")
	cmd.MarkFlagsMutuallyExclusive("to", "deployment")
	return cmd
}

func (c *cli) rollback(ctx context.Context, env string, to rollbackTo) (err error) {
	w, err := c.open(ctx, useCommand)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	r, err := w.one(ctx, env)
	if err != nil {
		return err
	}
	if _, err := w.store.Sync(ctx); err != nil {
		return err
	}
	commit, err := w.rollbackCommit(env, to)
	if err != nil {
		return err
	}
	back, err := r.PreviewRollback(ctx, env, commit)
	if err != nil {
		return err
	}
	asked := len(back.Objects) > 0 && !to.dry
	if asked {
		q := reconciler.Request{Do: reconciler.DoRollback, Detail: commit.String(), Reason: to.reason, By: actingUser()}
		if err := r.File(ctx, env, q); err != nil {
			return err
		}
	}
	return c.printRollback(env, commit.String(), back, asked)
}

func (c *cli) printRollback(env, commit string, back report.Revert, asked bool) error {
	more := map[string]any{"environment": env, "to": commit, "reverts": back.Commits, "spares": back.Spared, "requested": asked, "ownFiles": len(back.Commits) == 0}
	return c.differences(back.Objects, more, func(w io.Writer) {
		if len(back.Objects) == 0 {
			fmt.Fprintf(w, "%s: Git says already what it said at %.10s\n", env, commit)
			return
		}
		for _, r := range back.Commits {
			fmt.Fprintf(w, "  reverts %.10s %s\n", r.ID, printable(r.Subject))
		}
		if len(back.Commits) == 0 {
			fmt.Fprintf(w, "  changes %s's own files only: reverting would concern other environments, or is in conflict\n", env)
		}
		for _, r := range back.Spared {
			fmt.Fprintf(w, "  leaves %.10s %s: it accepted what was changed by hand\n", r.ID, printable(r.Subject))
		}
		if asked {
			fmt.Fprintf(w, "%s: rollback to %.10s requested; the next pass makes the pull request\n", env, commit)
		}
	})
}

// rollbackCommit finds the commit of the tracked branch that is meant.
func (w *workspace) rollbackCommit(env string, to rollbackTo) (gitstore.ID, error) {
	e, err := w.config.environment(env)
	if err != nil {
		return gitstore.ID{}, err
	}
	if to.revision != "" {
		return w.revision(e, stateName{side: "git", env: env, at: to.revision})
	}
	events, err := w.events(env, resource.Key{}, 0)
	if err != nil {
		return gitstore.ID{}, err
	}
	want := to.deployment
	if want == "" {
		want = "2"
	}
	n, _ := strconv.Atoi(want)
	for _, d := range events {
		if d.Number > 0 && (d.Number == n || len(want) >= 8 && strings.HasPrefix(d.Deployment, want)) {
			return gitstore.ParseID(d.Commit)
		}
	}
	if to.deployment == "" {
		return gitstore.ID{}, fmt.Errorf("rollback %s: there is no deployment before the last one; say what to go back to, with --to", env)
	}
	return gitstore.ID{}, fmt.Errorf("rollback %s: no deployment %q that succeeded; driftback history %[1]s lists them", env, to.deployment)
}
