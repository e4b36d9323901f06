package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/driftback/driftback/reconciler"
	"github.com/driftback/driftback/vendors/all"
	"github.com/driftback/driftback/vendors/resource"
)

func (c *cli) historyCommand() *cobra.Command {
	limit := 500
	cmd := &cobra.Command{
		Use:   "history ENVIRONMENT [KEY]",
		Short: "Tell deployments, undos, holds and edits by hand",
		Long: `Tell what happened to an environment, or to one object of it, newest first: deployments, those that were
undone, what is held since, and what was edited by hand on the platform. All of it is read from Git: the platform
is not asked. The numbers before deployments are those that driftback rollback --deployment takes.`,
		Example: `  driftback history prod
  driftback history prod queue/Support -o json`,
		GroupID:           "look",
		Args:              c.takes(1, 2),
		ValidArgsFunction: c.completeEnvironments,
		RunE: func(cmd *cobra.Command, args []string) error {
			var k resource.Key
			if len(args) > 1 {
				var err error
				if k, err = resource.ParseKey(args[1]); err != nil {
					return err
				}
			}
			return c.history(cmd.Context(), args[0], k, limit)
		},
	}
	cmd.Flags().IntVar(&limit, "limit", limit, "most commits to look back over, on each of the two branches")
	return cmd
}

func (c *cli) history(ctx context.Context, env string, k resource.Key, limit int) (err error) {
	w, err := c.open(ctx, useCommand)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	if _, err := w.store.Sync(ctx); err != nil {
		return err
	}
	events, err := w.events(env, k, limit)
	if err != nil {
		return err
	}
	return c.print(historyResult(env, events))
}

// events reads the history of an environment, whose kinds the configuration alone tells. The repository must have been
// synchronised.
func (w *workspace) events(env string, k resource.Key, limit int) ([]reconciler.Event, error) {
	e, err := w.config.environment(env)
	if err != nil {
		return nil, err
	}
	kinds, err := all.Kinds()[e.Vendor](func(v any) error {
		return e.decodeVendor(v, func(secretSource) (string, error) { return "", nil })
	})
	if err != nil {
		return nil, fmt.Errorf("environment %s: %w", env, err)
	}
	kinds, _ = e.Kinds.narrow(kinds)
	return reconciler.History(w.store, reconciler.HistoryOptions{Environment: env, Kinds: kinds, Key: k, Limit: limit, StateBranch: w.config.Repository.State == "branch"})
}

func historyResult(env string, events []reconciler.Event) result {
	if events == nil {
		events = []reconciler.Event{}
	}
	return result{
		value: map[string]any{"environment": env, "events": events},
		text: func(w io.Writer) {
			if len(events) == 0 {
				fmt.Fprintf(w, "%s: nothing has happened yet\n", env)
				return
			}
			t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
			fmt.Fprintln(t, "WHEN\tNO\tWHAT\tBY\tOBJECTS\tWHY")
			for _, e := range events {
				fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\n", day(e.When.In(time.Local)), number(e.Number), e.What, printable(eventBy(e)), printable(eventObjects(e)), clip(printable(e.Reason), 100))
			}
			_ = t.Flush() // what is written to w is checked by who prints it
		},
		markdown: func(w io.Writer) {
			fmt.Fprintln(w, "| When | No | What | By | Objects | Why |\n|---|---|---|---|---|---|")
			for _, e := range events {
				fmt.Fprintf(w, "| %s | %s | %s | %s | %s | %s |\n", day(e.When.In(time.Local)), number(e.Number), e.What, cell(eventBy(e)), cell(eventObjects(e)), cell(clip(printable(e.Reason), 200)))
			}
		},
	}
}

// eventBy is who edited, or which commit was deployed.
func eventBy(e reconciler.Event) string {
	if e.What == reconciler.EventEdited {
		return orUnknown(e.Who)
	}
	return e.Commit[:min(len(e.Commit), 10)]
}

func eventObjects(e reconciler.Event) string {
	const shown = 3
	var names []string
	for _, k := range e.Objects[:min(len(e.Objects), shown)] {
		names = append(names, k.String())
	}
	if more := len(e.Objects) - len(names); more > 0 {
		names = append(names, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(names, ", ")
}

// number is n, or nothing for none.
func number(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprint(n)
}

// clip cuts a text of one line after n characters and says so.
func clip(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return string(r[:n-1]) + "…"
	}
	return s
}
