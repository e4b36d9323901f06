package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/driftback/driftback/reconciler/files"
	"github.com/driftback/driftback/vendors/resource"
)

// maxTyped bounds a typed file, in bytes; a larger one is an error anyway.
const maxTyped = 64 << 20

func (c *cli) fmtCommand() *cobra.Command {
	var check bool
	cmd := &cobra.Command{
		Use:   "fmt [DIRECTORY]",
		Short: "Write a clone's files the way driftback does",
		Long: `Write the files of a clone of the repository (default: the directory you are in) the way driftback itself does,
and list those that changed. Comments in them are lost. Raw files and files with an error are left alone.
With --check nothing is written, and the exit code is 2 if something would be.`,
		Example: "  driftback fmt\n  driftback fmt --check",
		GroupID: "look",
		Args:    c.takes(0, 1),
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
			if err := os.WriteFile(filepath.Join(dir, filepath.FromSlash(p)), edits[p], 0o644); err != nil { // #nosec G306 -- files of a work tree are for its readers
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

// canonical adds to edits the typed files below l.Root that are not in canonical form.
// What cannot be read is left alone: validate tells it.
func (c *clone) canonical(l files.Layout, edits map[string][]byte) error {
	for _, f := range c.files {
		rest, ok := strings.CutPrefix(f.Path, l.Root+"/")
		kind, _, inFolder := strings.Cut(rest, "/")
		i := slices.IndexFunc(l.Kinds, func(k resource.KindInfo) bool { return string(k.Kind) == kind })
		if !ok || !inFolder || i < 0 || l.Kinds[i].Raw || f.Mode != 0o100644 || path.Ext(rest) != ".yaml" || path.Base(rest) == ".driftback.yaml" {
			continue
		}
		has, err := c.read(f.ID, maxTyped)
		if errors.Is(err, files.ErrTooLarge) {
			continue
		}
		if err != nil {
			return fmt.Errorf("fmt: %w", err)
		}
		if content, err := files.Format(l.Kinds[i], has); err == nil && !bytes.Equal(has, content) {
			edits[f.Path] = content
		}
	}
	return nil
}
