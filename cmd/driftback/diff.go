package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/driftback/driftback/reconciler/credential"
	"github.com/driftback/driftback/reconciler/files"
	"github.com/driftback/driftback/reconciler/report"
	"github.com/driftback/driftback/vendors/resource"
)

func (c *cli) diffCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "diff A B",
		Short: "Compare two states, field by field",
		Long: `Compare two states, field by field; the exit code is 2 if they differ. A state is one of

  live:ENVIRONMENT            what the platform has now
  live:ENVIRONMENT@TIME       what it had then, as recorded: 2026-03-01, 2026-03-01T12:00
  git:ENVIRONMENT             what Git wants
  git:ENVIRONMENT@REVISION    what Git wanted at a branch, a commit or HEAD~1`,
		Example: `  driftback diff git:prod live:prod
  driftback diff live:test live:prod
  driftback diff live:prod@2026-03-01 live:prod -o markdown`,
		GroupID:           "look",
		Args:              c.takes(2, 2),
		ValidArgsFunction: c.completeStates,
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.diff(cmd.Context(), args[0], args[1])
		},
	}
}

func (c *cli) diff(ctx context.Context, from, to string) (err error) {
	names := [2]stateName{}
	for i, s := range []string{from, to} {
		if names[i], err = parseState(s); err != nil {
			return err
		}
	}
	w, err := c.open(ctx, useCommand)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	if _, err := w.store.Sync(ctx); err != nil {
		return err
	}
	targets := map[string]*platform{}
	var sides [2]*resource.Snapshot
	for i, n := range names {
		if targets[n.env] == nil {
			if targets[n.env], err = w.openTarget(ctx, n.env, nil); err != nil {
				return err
			}
		}
		if sides[i], err = w.state(ctx, n, targets[n.env]); err != nil {
			return err
		}
	}
	objects, err := compare(sides[0], sides[1], targets[names[1].env].Kinds())
	if err != nil {
		return err
	}
	for i, n := range names {
		if err := w.withhold(objects, i, n, targets[n.env]); err != nil {
			return err
		}
	}
	if err := c.differences(objects, map[string]any{"from": from, "to": to}, nil); err != nil {
		return err
	}
	if len(objects) > 0 {
		return errDifferent
	}
	return nil
}

// compare lists the objects that differ, in key order. An object that one side
// does not know is left out: nothing can be said of it.
func compare(a, b *resource.Snapshot, kinds []resource.KindInfo) ([]report.Object, error) {
	schemas := map[resource.Kind]*resource.Schema{}
	for _, k := range kinds {
		schemas[k.Kind] = k.Schema()
	}
	var keys []resource.Key
	for e := range a.Entries() {
		if h := b.Hash(e.Key); h != e.Hash && (!h.IsZero() || b.Covers(e.Key)) {
			keys = append(keys, e.Key)
		}
	}
	for e := range b.Entries() {
		if a.Hash(e.Key).IsZero() && a.Covers(e.Key) {
			keys = append(keys, e.Key)
		}
	}
	slices.SortFunc(keys, resource.Key.Compare)
	var out []report.Object
	for _, k := range keys {
		o := report.Object{Schema: schemas[k.Kind]}
		var err error
		if o.Change.Before, err = a.Resource(k); err != nil {
			return nil, fmt.Errorf("compare %s: %w", k, err)
		}
		if o.Change.After, err = b.Resource(k); err != nil {
			return nil, fmt.Errorf("compare %s: %w", k, err)
		}
		out = append(out, o)
	}
	return out, nil
}

// withhold marks the objects of which the given side (0 or 1) looks like a credential, as the
// reconciler does: only what the platform has now, and Git does not, can be one.
func (w *workspace) withhold(objects []report.Object, side int, n stateName, t *platform) error {
	if n.side != "live" || n.at != "" {
		return nil // from Git
	}
	e, err := w.config.environment(n.env)
	if err != nil {
		return err
	}
	raw := map[resource.Kind]bool{}
	for _, k := range t.Kinds() {
		raw[k.Kind] = k.Raw
	}
	known := w.inGit(n.env, e, t)
	for i := range objects {
		o := &objects[i]
		r := o.Change.Before
		if side == 1 {
			r = o.Change.After
		}
		if r == nil {
			continue
		}
		found := e.allow().Filter(r.Key, credential.Find(r.Key, r.Spec, raw[r.Key.Kind]))
		if len(found) == 0 {
			continue
		}
		if h := r.Spec.Hash(); !slices.ContainsFunc(known, func(s *resource.Snapshot) bool { return s.Hash(r.Key) == h }) {
			o.Withheld = fmt.Sprintf("looks like a credential (%s at %s)", found[0].Rule, found[0].Path)
		}
	}
	return nil
}

// inGit returns what Git has of an environment: wanted, and recorded. What cannot be read there
// counts as not there.
func (w *workspace) inGit(env string, e environment, t *platform) []*resource.Snapshot {
	refs := w.store.Refs()
	var out []*resource.Snapshot
	for ref, l := range map[string]files.Layout{
		"refs/heads/" + e.Branch: e.layout(env, t.Kinds()),
		"refs/heads/live/" + env: {Kinds: t.Kinds()},
	} {
		if tip := refs[ref]; !tip.IsZero() {
			if s, _ := w.tree(tip, l); s != nil {
				out = append(out, s)
			}
		}
	}
	return out
}

func (c *cli) completeStates(cmd *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
	envs, directive := c.completeEnvironments(cmd, args, word)
	var out []string
	for _, e := range envs {
		out = append(out, "live:"+e, "git:"+e)
	}
	return out, directive
}
