package main

import (
	"github.com/spf13/cobra"

	"github.com/driftback/driftback/reconciler"
)

func (c *cli) initCommand() *cobra.Command {
	var trustGit bool
	cmd := &cobra.Command{
		Use:   "init ENVIRONMENT",
		Short: "Begin with an environment: propose what it has as the first pull request",
		Long: `Begin with an environment: observe it and propose what it has as the first pull request. Until that is
merged, nothing is ever written to the platform.

--trust-git says instead that Git is right already: where both sides differ, Git is deployed, by the ordinary
way with all its gates.`,
		Example: `  driftback init prod
  driftback init prod --trust-git`,
		GroupID:           "loop",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: c.completeEnvironments,
		RunE: func(cmd *cobra.Command, args []string) error {
			if trustGit {
				return c.file(cmd.Context(), args[0], reconciler.Request{Do: reconciler.DoTrustGit})
			}
			return c.runOnce(cmd.Context(), args)
		},
	}
	cmd.Flags().BoolVar(&trustGit, "trust-git", false, "Git is right where both sides differ")
	return cmd
}
