package main

import (
	"cmp"

	"github.com/spf13/cobra"

	"github.com/driftback/driftback/gitstore/forge"
	"github.com/driftback/driftback/gitstore/forge/local"
)

// pullsOpen opens a pull request of a branch, as a person does.
func (c *cli) pullsOpen() *cobra.Command {
	var want forge.Pull
	cmd := &cobra.Command{
		Use:   "open BRANCH",
		Short: "Open a pull request of a branch, or change the open one",
		Long: `Open a pull request of a branch that was pushed, or change the one that is open.
The next pass says there what merging it would do to each environment.`,
		Example: `  driftback pulls open timeout-30 --title "Wait 30 seconds"`,
		Args:    c.takes(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.withForge(cmd.Context(), func(f *local.Forge) error {
				p := want
				p.Head, p.Title = args[0], cmp.Or(p.Title, args[0])
				got, err := f.EnsurePull(cmd.Context(), p)
				if err != nil {
					return err
				}
				return c.print(pullDone(got))
			})
		},
	}
	cmd.Flags().StringVar(&want.Title, "title", "", "title (default the name of the branch)")
	cmd.Flags().StringVar(&want.Body, "body", "", "text, in Markdown")
	cmd.Flags().StringVar(&want.Base, "base", "main", "branch to merge into")
	cmd.Flags().BoolVar(&want.Draft, "draft", false, "not ready to be merged")
	return cmd
}
