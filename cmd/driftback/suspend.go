package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/driftback/driftback/reconciler"
	"github.com/driftback/driftback/vendors/resource"
)

func (c *cli) suspendCommand() *cobra.Command {
	var reason string
	cmd := &cobra.Command{
		Use:               "suspend ENVIRONMENT --reason TEXT",
		Short:             "Deploy nothing to an environment until it is resumed",
		Long:              "Deploy nothing to an environment until it is resumed. It is observed as before, and drift is proposed.",
		Example:           `  driftback suspend prod --reason "migration tonight"`,
		GroupID:           "act",
		Args:              c.takes(1, 1),
		ValidArgsFunction: c.completeEnvironments,
		RunE: func(cmd *cobra.Command, args []string) error {
			if strings.TrimSpace(reason) == "" {
				return errors.New("suspend: say why, with --reason")
			}
			return c.file(cmd.Context(), args[0], reconciler.Request{Do: reconciler.DoSuspend, Reason: reason})
		},
	}
	cmd.Flags().StringVar(&reason, "reason", "", "why; everybody who asks is told")
	return cmd
}

func (c *cli) resumeCommand() *cobra.Command {
	var plan string
	var secrets []string
	cmd := &cobra.Command{
		Use:   "resume ENVIRONMENT [--plan ID | --secrets KEY]",
		Short: "Go on after suspend, a halt or a deployment that did not work",
		Long: `Go on: ends a suspension, tries again what is held because it did not work, and accepts what an environment
was halted for (history was rewritten, another tenant answers). What is accepted is what this command
shows: if it has changed again, the environment stays halted.

With --plan, nothing of that happens: exactly the plan with this id may pass the guards, within an hour. With
--secrets, the secrets of an object are written to the platform, whatever they are there by now.`,
		Example:           "  driftback resume prod\n  driftback resume prod --plan d992fe8a331e",
		GroupID:           "act",
		Args:              c.takes(1, 1),
		ValidArgsFunction: c.completeEnvironments,
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.look(cmd.Context(), args[0], func(r *reconciler.Reconciler, report reconciler.Report) error {
				q := reconciler.Request{Do: reconciler.DoResume, By: actingUser()}
				switch {
				case len(secrets) > 0:
					var err error
					if q, err = secretsRequest(report, secrets); err != nil {
						return fmt.Errorf("resume %s: %w", args[0], err)
					}
				case plan != "" && plan != report.PlanID && !slices.Contains(report.Overrides, plan):
					return fmt.Errorf("resume %s --plan %s: the plan is another one by now; driftback plan %[1]s shows it", args[0], plan)
				case plan != "":
					q.Do, q.Detail = reconciler.DoOverride, plan
				case report.Halt != nil && report.Halt.Cause == "state":
					return fmt.Errorf("resume %s: that does not help here: %s", args[0], report.Halt.Reason)
				case report.Halt != nil:
					q.Detail = report.Halt.Detail
					fmt.Fprintf(c.stderr, "%s was halted: %s\n", args[0], c.redact.text(printable(report.Halt.Reason)))
				}
				if err := r.File(cmd.Context(), args[0], q); err != nil {
					return err
				}
				return c.print(requested(args[0], q))
			})
		},
	}
	cmd.Flags().StringVar(&plan, "plan", "", "let the plan with this id pass the guards")
	cmd.Flags().StringArrayVar(&secrets, "secrets", nil, "write the secrets of the object with this key; may be repeated")
	cmd.MarkFlagsMutuallyExclusive("plan", "secrets")
	return cmd
}

// secretsRequest asks to write the secrets of objects that Git has.
func secretsRequest(r reconciler.Report, keys []string) (reconciler.Request, error) {
	q := reconciler.Request{Do: reconciler.DoSecrets, By: actingUser(), Keys: map[resource.Key]resource.Hash{}}
	for _, s := range keys {
		k, err := resource.ParseKey(s)
		if err != nil {
			return q, err
		}
		want, err := r.Want(k)
		if err != nil {
			return q, err
		}
		if want == nil {
			return q, fmt.Errorf("%s is not in Git", k)
		}
		q.Keys[k] = want.Spec.Hash()
	}
	return q, nil
}

// file files a request that concerns no particular object.
func (c *cli) file(ctx context.Context, env string, q reconciler.Request) (err error) {
	w, err := c.open(ctx, useCommand)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	r, err := w.one(ctx, env)
	if err != nil {
		return err
	}
	q.By = actingUser()
	if err := r.File(ctx, env, q); err != nil {
		return err
	}
	return c.print(requested(env, q))
}
