package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/driftback/driftback/reconciler"
	"github.com/driftback/driftback/vendors/resource"
)

func (c *cli) driftCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "drift",
		Short: "What was changed by hand, and what to do with it",
		Long: `What was changed by hand on a platform, and what to do with it. accept, revert and ignore leave a request
in the repository; the next pass of whoever runs the daemon carries it out. A request holds for the
values that you saw: what has changed again since is left alone.`,
		Example: `  driftback drift list prod
  driftback drift accept prod file/alerts.yml
  driftback drift ignore prod file/alerts.yml until 2026-12-31`,
		GroupID: "act",
		Args:    cobra.ArbitraryArgs,
		RunE:    groupHelp,
	}
	cmd.AddCommand(c.driftList(), c.driftShow(),
		c.driftRequest(reconciler.DoAccept, "Merge what was changed by hand into Git",
			"Merge what was changed by hand into Git, through the pull request that proposes it, if the forge's rules permit it;\nelse it is left for a reviewer. With objects, the pull request is narrowed to these before, and the rest moves to another one."),
		c.driftRequest(reconciler.DoRevert, "Put back what Git says",
			"Put back what Git says: what was changed by hand is deployed over, by the ordinary way with all its gates."),
		c.driftIgnore())
	return cmd
}

// look reads both sides of one environment without changing anything, and hands the report to f.
func (c *cli) look(ctx context.Context, env string, f func(*reconciler.Reconciler, reconciler.Report) error) (err error) {
	w, err := c.open(ctx, useCommand)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	r, err := w.one(ctx, env)
	if err != nil {
		return err
	}
	report, err := r.Look(ctx, env)
	if err != nil && !errors.Is(err, reconciler.ErrHalted) {
		return err
	}
	return f(r, report)
}

func (c *cli) driftList() *cobra.Command {
	return &cobra.Command{
		Use:               "list ENVIRONMENT",
		Short:             "List what was changed by hand",
		Example:           "  driftback drift list prod -o markdown",
		Args:              c.takes(1, 1),
		ValidArgsFunction: c.completeEnvironments,
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.look(cmd.Context(), args[0], func(_ *reconciler.Reconciler, r reconciler.Report) error {
				return c.print(driftResult(r))
			})
		},
	}
}

func (c *cli) driftShow() *cobra.Command {
	return &cobra.Command{
		Use:   "show ENVIRONMENT [KEY…]",
		Short: "Show how live differs from Git, field by field",
		Example: `  driftback drift show prod
  driftback drift show prod file/alerts.yml -o markdown`,
		Args: c.takes(1, -1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.look(cmd.Context(), args[0], func(_ *reconciler.Reconciler, r reconciler.Report) error {
				items := drifted(r)
				keys, err := chosen(items, args[1:])
				if err != nil {
					return fmt.Errorf("%s: %w", args[0], err)
				}
				items = slices.DeleteFunc(items, func(it reconciler.Item) bool { _, ok := keys[it.Key]; return !ok })
				objects, err := driftObjects(r, items)
				if err != nil {
					return err
				}
				return c.differences(objects, map[string]any{"environment": r.Environment}, nil)
			})
		},
	}
}

// A driftRow is one drifted object as programs see it.
type driftRow struct {
	Key      resource.Key  `json:"key"`
	Change   string        `json:"change"` // create, update, delete or rename
	Partner  *resource.Key `json:"partner,omitempty"`
	Conflict bool          `json:"conflict,omitempty"`
	Who      string        `json:"who,omitempty"`
	When     time.Time     `json:"when,omitzero"`
}

// drifted returns the objects that live moved away from.
func drifted(r reconciler.Report) []reconciler.Item {
	var out []reconciler.Item
	for _, it := range r.Items {
		if it.Verdict == reconciler.Record || it.Verdict == reconciler.Merge || it.Verdict == reconciler.Conflict {
			out = append(out, it)
		}
	}
	return out
}

func driftRows(r reconciler.Report) ([]driftRow, error) {
	rows := []driftRow{}
	for _, it := range drifted(r) {
		row := driftRow{Key: it.Key, Change: driftChange(it), Conflict: it.Verdict == reconciler.Conflict}
		if it.Partner.Name != "" {
			row.Partner = &it.Partner
		}
		live, err := r.Live(it.Key)
		if err != nil {
			return nil, err
		}
		if live != nil && live.Origin != nil {
			row.Who, row.When = live.Origin.Who, live.Origin.When
		}
		rows = append(rows, row)
	}
	return rows, nil
}

func driftResult(r reconciler.Report) result {
	rows, err := driftRows(r)
	if err != nil {
		rows = nil
	}
	return result{
		value: map[string]any{"environment": r.Environment, "drift": rows, "held": heldRows(r)},
		text: func(w io.Writer) {
			defer writeTroubles(w, "held", r.Held)
			if len(rows) == 0 {
				fmt.Fprintf(w, "%s: no drift\n", r.Environment)
				return
			}
			t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
			fmt.Fprintln(t, "OBJECT\tCHANGE\tWHO\tWHEN")
			for _, row := range rows {
				fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", printable(row.Key.String()), printable(row.change()), printable(orUnknown(row.Who)), day(row.When))
			}
			_ = t.Flush() // what is written to w is checked by who prints it
		},
		markdown: func(w io.Writer) {
			fmt.Fprintln(w, "| Object | Change | Who | When |\n|---|---|---|---|")
			for _, row := range rows {
				fmt.Fprintf(w, "| %s | %s | %s | %s |\n", cell(row.Key.String()), cell(row.change()), cell(orUnknown(row.Who)), day(row.When))
			}
		},
	}
}

// heldRows is what is not deployed, never null.
func heldRows(r reconciler.Report) []reconciler.Trouble {
	if r.Held == nil {
		return []reconciler.Trouble{}
	}
	return r.Held
}

func (r driftRow) change() string {
	s := r.Change
	if r.Partner != nil {
		s += " with " + r.Partner.String()
	}
	if r.Conflict {
		s += ", conflict"
	}
	return s
}

func orUnknown(s string) string {
	if s == "" {
		return "unknown"
	}
	return s
}

func day(t time.Time) string {
	if t.IsZero() {
		return "unknown"
	}
	return t.Format(time.DateTime)
}

func (c *cli) driftRequest(do, short, long string) *cobra.Command {
	return &cobra.Command{
		Use:     do + " ENVIRONMENT [KEY…]",
		Short:   short,
		Long:    long + " Without a key, all drift of the environment is meant.",
		Example: "  driftback drift " + do + " prod file/alerts.yml",
		Args:    c.takes(1, -1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.request(cmd.Context(), args[0], args[1:], reconciler.Request{Do: do})
		},
	}
}

func (c *cli) driftIgnore() *cobra.Command {
	return &cobra.Command{
		Use:   "ignore ENVIRONMENT [KEY…] [until DATE]",
		Short: "Leave drift alone, for a time or for good",
		Long: `Leave drift alone: it is not proposed any more, and goes on being counted. With until, it is proposed
again from that day on; a new live value ends the ignoring at once.`,
		Example: `  driftback drift ignore prod file/alerts.yml
  driftback drift ignore prod file/alerts.yml until 2026-12-31`,
		Args: c.takes(1, -1),
		RunE: func(cmd *cobra.Command, args []string) error {
			keys, until, err := untilDate(args[1:])
			if err != nil {
				return err
			}
			return c.request(cmd.Context(), args[0], keys, reconciler.Request{Do: reconciler.DoIgnore, Until: until})
		},
	}
}

// untilDate takes a final "until DATE" off; the date is the day's beginning where the command runs.
func untilDate(args []string) (keys []string, until time.Time, err error) {
	n := len(args)
	if n == 0 || args[n-1] != "until" && (n < 2 || args[n-2] != "until") {
		return args, time.Time{}, nil
	}
	if args[n-1] == "until" {
		return nil, time.Time{}, errors.New("until: want a date such as 2026-12-31")
	}
	until, err = time.ParseInLocation(time.DateOnly, args[n-1], time.Local)
	if err != nil {
		return nil, time.Time{}, fmt.Errorf("until %s: want a date such as 2026-12-31", args[n-1])
	}
	if !until.After(time.Now()) {
		return nil, time.Time{}, fmt.Errorf("until %s: that day has begun already", args[n-1])
	}
	return args[:n-2], until, nil
}

// request files q for the named drifted objects, all where none is named, with the values they have now.
func (c *cli) request(ctx context.Context, env string, keys []string, q reconciler.Request) error {
	return c.look(ctx, env, func(r *reconciler.Reconciler, report reconciler.Report) error {
		var err error
		if q.Keys, err = chosen(drifted(report), keys); err != nil {
			return fmt.Errorf("%s: %w", env, err)
		}
		if len(q.Keys) == 0 {
			return c.print(result{value: map[string]any{"environment": env, "objects": 0}, text: func(w io.Writer) {
				fmt.Fprintf(w, "%s: no drift, nothing to %s\n", env, q.Do)
			}})
		}
		q.By = actingUser()
		if err := r.File(ctx, env, q); err != nil {
			return err
		}
		return c.print(requested(env, q))
	})
}

func requested(env string, q reconciler.Request) result {
	return result{
		value: map[string]any{"environment": env, "request": q.Do, "objects": len(q.Keys)},
		text: func(w io.Writer) {
			what := ""
			if len(q.Keys) > 0 {
				what = " of " + plural(len(q.Keys), "object")
			}
			fmt.Fprintf(w, "%s: %s%s requested; the next pass carries it out\n", env, q.Do, what)
		},
	}
}

// chosen picks items by key. An object that was renamed is chosen under both its names.
func chosen(items []reconciler.Item, keys []string) (map[resource.Key]resource.Hash, error) {
	byKey := map[resource.Key]reconciler.Item{}
	for _, it := range items {
		byKey[it.Key] = it
	}
	out := map[resource.Key]resource.Hash{}
	take := func(it reconciler.Item) {
		out[it.Key] = it.Live
		if partner, ok := byKey[it.Partner]; ok {
			out[partner.Key] = partner.Live
		}
	}
	for _, s := range keys {
		k, err := resource.ParseKey(s)
		if err != nil {
			return nil, err
		}
		it, ok := byKey[k]
		if !ok {
			return nil, fmt.Errorf("%s has not drifted%s", k, nearKey(k, byKey))
		}
		take(it)
	}
	if len(keys) == 0 {
		for _, it := range items {
			take(it)
		}
	}
	return out, nil
}

func nearKey(k resource.Key, has map[resource.Key]reconciler.Item) string {
	var names []string
	for other := range has {
		names = append(names, other.String())
	}
	if near := nearest(k.String(), names); near != "" {
		return "; did you mean " + near + "?"
	}
	return ""
}
