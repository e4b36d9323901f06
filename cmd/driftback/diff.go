package main

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/driftback/driftback/reconciler/credential"
	"github.com/driftback/driftback/reconciler/diff"
	"github.com/driftback/driftback/reconciler/files"
	"github.com/driftback/driftback/reconciler/report"
	"github.com/driftback/driftback/reconciler/rules"
	"github.com/driftback/driftback/vendors/resource"
)

func (c *cli) diffCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "diff A B",
		Short: "Compare two states, field by field",
		Long: `Compare two states, field by field; the exit code is 2 if they differ. Between Git and a platform, differences in
operational fields alone are shown with a remark, and are none. A state is one of

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
	differ := len(objects) > 0
	if names[0].side != names[1].side {
		if differ, err = w.markOperational(objects, names[1].env, targets[names[1].env]); err != nil {
			return err
		}
	}
	if err := c.differences(objects, map[string]any{"from": from, "to": to}, nil); err != nil {
		return err
	}
	if differ {
		return errDifferent
	}
	return nil
}

// markOperational notes of objects that differ in operational fields that they are observed in those, and not deployed, as the
// rules on the tracked branch have it. It reports whether any differs in something else.
func (w *workspace) markOperational(objects []report.Object, env string, t *platform) (others bool, err error) {
	e, err := w.config.environment(env)
	if err != nil {
		return false, err
	}
	r, err := w.contentRules(e, t.Kinds())
	if err != nil {
		return false, err
	}
	for i := range objects {
		o := &objects[i]
		if o.Change.Before == nil || o.Change.After == nil {
			others = true
			continue
		}
		before, after := o.Change.Before.Spec, o.Change.After.Spec
		observed := diff.Fields(o.Schema, before, r.Observed(o.Key(), before, after))
		if len(observed) == 0 {
			others = true
			continue
		}
		var names []string
		for _, f := range observed {
			names = append(names, f.Path.String())
		}
		o.Note = strings.Join(names, ", ") + ": operational, observed and not deployed"
		others = others || len(o.Fields()) > len(observed)
	}
	return others, nil
}

// contentRules are the rules of the tracked branch.
func (w *workspace) contentRules(e environment, kinds []resource.KindInfo) (rules.Rules, error) {
	schemas := map[resource.Kind]*resource.Schema{}
	for _, k := range kinds {
		schemas[k.Kind] = k.Schema()
	}
	var found rules.Rules
	f, ok, err := w.store.File(w.store.Refs()["refs/heads/"+e.Branch], path.Join(e.Path, rulesFile))
	if err == nil && ok {
		var b []byte
		if b, err = w.store.Blob(f.ID, rules.MaxSize+1); err == nil {
			found, err = rules.Parse(b)
		}
	}
	if err == nil {
		found, err = found.WithSchemas(schemas).WithOperational(kinds)
	}
	if err != nil {
		return rules.Rules{}, fmt.Errorf("%s: %w", rulesFile, err)
	}
	return found, nil
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
