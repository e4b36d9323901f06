package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/driftback/driftback/reconciler"
)

func (c *cli) initCommand() *cobra.Command {
	var trustGit, rebuild bool
	cmd := &cobra.Command{
		Use:   "init ENVIRONMENT",
		Short: "Begin with an environment: propose what it has as the first pull request",
		Long: `Begin with an environment: observe it and propose what it has as the first pull request. Until that is
merged, nothing is ever written to the platform.

--rebuild makes a state anew for an environment whose state in Git was lost or damaged: what both sides last
agreed on is found again in both histories.

--trust-git says instead that Git is right already: where both sides differ, Git is deployed, by the ordinary
way with all its gates.`,
		Example: `  driftback init prod
  driftback init prod --trust-git`,
		GroupID:           "loop",
		Args:              c.takes(1, 1),
		ValidArgsFunction: c.completeEnvironments,
		RunE: func(cmd *cobra.Command, args []string) error {
			if rebuild {
				return c.pass(cmd.Context(), args, (*reconciler.Reconciler).Rebuild)
			}
			if trustGit {
				return c.pass(cmd.Context(), args, trustsGit)
			}
			return c.pass(cmd.Context(), args, (*reconciler.Reconciler).Once)
		},
	}
	cmd.Flags().BoolVar(&rebuild, "rebuild", false, "make the environment's state anew from both histories")
	cmd.Flags().BoolVar(&trustGit, "trust-git", false, "Git is right where both sides differ")
	cmd.MarkFlagsMutuallyExclusive("rebuild", "trust-git")
	return cmd
}

// trustsGit observes, says that Git is right, and makes the pass that carries it out: before an environment
// was observed there is nothing to file a request with.
func trustsGit(r *reconciler.Reconciler, ctx context.Context, env string) (reconciler.Report, error) {
	report, err := r.Once(ctx, env)
	if err == nil {
		err = r.File(ctx, env, reconciler.Request{Do: reconciler.DoTrustGit, By: actingUser()})
	}
	if err != nil {
		return report, err
	}
	return r.Once(ctx, env)
}
