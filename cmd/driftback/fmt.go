package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/driftback/driftback/reconciler/files"
	"github.com/driftback/driftback/vendors/resource"
)

func (c *cli) fmtCommand() *cobra.Command {
	var check bool
	cmd := &cobra.Command{
		Use:   "fmt [DIRECTORY]",
		Short: "Write a clone's files the way driftback does",
		Long: `Write the files of whole objects in a clone of the repository (default: the directory you are in) the way driftback
itself does, and list those that changed. Comments in them are lost. Overlays, raw files and files with
an error are left alone. With --check nothing is written, and the exit code is 2 if something would be.`,
		Example: "  driftback fmt\n  driftback fmt --check",
		GroupID: "look",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			dir := "."
			if len(args) > 0 {
				dir = args[0]
			}
			return c.formatClone(cmd.Context(), dir, check)
		},
	}
	cmd.Flags().BoolVar(&check, "check", false, "write nothing, and exit with 2 if something would be written")
	return cmd
}

func (c *cli) formatClone(ctx context.Context, dir string, check bool) (err error) {
	w, err := c.load(useCommand)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	clone, err := readClone(dir)
	if err != nil {
		return err
	}
	edits := map[string][]byte{}
	for _, env := range sortedKeys(w.config.Environments) {
		t, err := w.openTarget(ctx, env, nil)
		if err != nil {
			return err
		}
		l := w.config.Environments[env].layout(env, t.Kinds())
		for _, root := range []string{l.Root, l.Shared} {
			if err := clone.canonical(files.Layout{Root: root, Kinds: l.Kinds}, edits); err != nil {
				return err
			}
		}
	}
	changed := sortedKeys(edits)
	if !check {
		for _, p := range changed {
			if err := os.WriteFile(filepath.Join(dir, filepath.FromSlash(p)), edits[p], 0o644); err != nil {
				return fmt.Errorf("fmt: %w", err)
			}
		}
	}
	if err := c.print(result{
		value: map[string]any{"changed": append([]string{}, changed...)},
		text: func(out io.Writer) {
			for _, p := range changed {
				fmt.Fprintln(out, p)
			}
		},
	}); err != nil {
		return err
	}
	if check && len(changed) > 0 {
		return errDifferent
	}
	return nil
}

// canonical adds to edits the files of whole objects that are not in canonical form.
func (c *clone) canonical(l files.Layout, edits map[string][]byte) error {
	tree, err := l.Load(c.files, c.read, files.NewCache())
	if err != nil {
		return err
	}
	hinted := tree.Renames()
	for e := range tree.Snapshot().Entries() {
		paths := tree.Paths(e.Key)
		i := slices.IndexFunc(l.Kinds, func(k resource.KindInfo) bool { return k.Kind == e.Key.Kind })
		if _, hint := hinted[e.Key]; hint || len(paths) != 1 || i < 0 || l.Kinds[i].Raw {
			continue // a hint, which Encode does not write, or bytes that are what they are
		}
		r, err := tree.Snapshot().Resource(e.Key)
		if err != nil {
			return err
		}
		_, content, err := files.Encode(l.Kinds[i], *r)
		if err != nil {
			return err
		}
		has, err := os.ReadFile(filepath.Join(c.dir, filepath.FromSlash(paths[0])))
		if err != nil {
			return fmt.Errorf("fmt: %w", err)
		}
		if !bytes.Equal(has, content) {
			edits[paths[0]] = content
		}
	}
	return nil
}
