package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// takes says that a command takes least to most arguments; a negative most is no bound. Where the environment
// is missing, the error names those that there are.
func (c *cli) takes(least, most int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		verb := strings.TrimPrefix(cmd.CommandPath(), cmd.Root().Name()+" ")
		usage, _, _ := strings.Cut(cmd.UseLine(), " [flags]")
		switch {
		case len(args) == 0 && strings.HasPrefix(cmd.Use, cmd.Name()+" ENVIRONMENT"):
			if w, err := c.load(useCommand); err == nil {
				return fmt.Errorf("%s: name the environment (one of: %s)", verb, strings.Join(sortedKeys(w.config.Environments), ", "))
			}
			return fmt.Errorf("%s: name the environment: %s", verb, usage)
		case len(args) < least:
			return fmt.Errorf("%s: something is missing: %s", verb, usage)
		case most >= 0 && len(args) > most:
			return fmt.Errorf("%s: %q is too much: %s", verb, args[most], usage)
		}
		return nil
	}
}
