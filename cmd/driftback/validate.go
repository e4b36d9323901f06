package main

import (
	"crypto/sha1" // #nosec G505 -- as long as Git's object names
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/driftback/driftback/reconciler"
	"github.com/driftback/driftback/reconciler/credential"
	"github.com/driftback/driftback/reconciler/files"
	"github.com/driftback/driftback/reconciler/rules"
	"github.com/driftback/driftback/vendors/all"
	"github.com/driftback/driftback/vendors/resource"
)

func (c *cli) validateCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "validate [DIRECTORY]",
		Short: "Check the files of a clone, with file, line and column",
		Long: `Check the files of every environment in a clone of the repository (default: the directory you are in): that they
can be read, fit together, and hold nothing that looks like a credential. For editors, hooks and the
repository's own tests; it reads the configuration for the environments, and no platform.`,
		Example: "  driftback validate\n  driftback validate ~/src/contact-centre -o json",
		GroupID: "look",
		Args:    c.takes(0, 1),
		RunE: func(_ *cobra.Command, args []string) error {
			dir := "."
			if len(args) > 0 {
				dir = args[0]
			}
			return c.validate(dir)
		},
	}
}

func (c *cli) validate(dir string) (err error) {
	w, err := c.load(useCommand)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	clone, err := readClone(dir)
	if err != nil {
		return err
	}
	var problems []reconciler.Trouble
	objects := 0
	for _, name := range sortedKeys(w.config.Environments) {
		kinds, err := w.describe(name)
		if err != nil {
			return err
		}
		problems = append(problems, clone.rules(kinds)...)
		tree, err := w.config.Environments[name].layout(name, kinds).Load(clone.files, clone.read, files.NewCache())
		if err != nil {
			return err
		}
		objects += tree.Snapshot().Len()
		for _, p := range tree.Problems() {
			problems = append(problems, reconciler.Trouble{Key: p.Key, Kind: p.Kind, Path: p.Path, Line: p.Line, Column: p.Column, Reason: p.Err.Error()})
		}
		found, err := credentials(tree, w.config.Environments[name])
		if err != nil {
			return err
		}
		problems = append(problems, found...)
	}
	seen := map[reconciler.Trouble]bool{} // what concerns several environments is told once
	problems = slices.DeleteFunc(problems, func(p reconciler.Trouble) bool {
		again := seen[p]
		seen[p] = true
		return again
	})
	if err := c.print(result{
		value: map[string]any{"objects": objects, "problems": append([]reconciler.Trouble{}, problems...)},
		text: func(out io.Writer) {
			for _, p := range problems {
				fmt.Fprintln(out, troubleText(p))
			}
			if len(problems) == 0 {
				fmt.Fprintf(out, "%s, no problem\n", plural(objects, "object"))
			}
		},
	}); err != nil {
		return err
	}
	if len(problems) > 0 {
		return errReported
	}
	return nil
}

// describe returns the kinds of an environment, and asks no platform.
func (w *workspace) describe(env string) ([]resource.KindInfo, error) {
	e := w.config.Environments[env]
	kinds, err := all.Kinds()[e.Vendor](func(v any) error {
		// Nobody is signed in to: no secret is looked up.
		if err := e.decodeVendor(v, func(secretSource) (string, error) { return "", nil }); err != nil {
			return at(w.path, w.src, err)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("environment %s: %w", env, err)
	}
	kinds, _ = e.Kinds.narrow(kinds)
	return kinds, nil
}

// credentials finds what would be withheld if a person had typed it on the platform.
func credentials(t *files.Tree, e environment) ([]reconciler.Trouble, error) {
	var out []reconciler.Trouble
	for entry := range t.Snapshot().Entries() {
		spec, err := t.Snapshot().Spec(entry.Key)
		if err != nil {
			return nil, err
		}
		_, hasContent := spec[resource.Content].(string)
		found := e.allow().Filter(entry.Key, credential.Find(entry.Key, spec, hasContent && len(spec) == 1))
		if len(found) == 0 {
			continue
		}
		trouble := reconciler.Trouble{Key: entry.Key, Kind: entry.Key.Kind, Reason: credential.Reason(found) + "; write {$secret: NAME}, or list the object under allow"}
		if paths := t.Paths(entry.Key); len(paths) > 0 {
			trouble.Path = paths[0]
		}
		out = append(out, trouble)
	}
	return out, nil
}

// A clone is a checked-out repository, read as a commit would have it.
type clone struct {
	dir   string
	files []files.File
	paths map[[20]byte]string // of a file with this content
}

// readClone lists the files below dir that a commit could hold.
func readClone(dir string) (*clone, error) {
	c := &clone{dir: dir, paths: map[[20]byte]string{}}
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, p)
		if err != nil {
			return err
		}
		if d.IsDir() {
			if d.Name() == ".git" {
				return fs.SkipDir
			}
			return nil
		}
		return c.add(filepath.ToSlash(rel), d)
	})
	if err != nil {
		return nil, fmt.Errorf("validate: %w", err)
	}
	slices.SortFunc(c.files, func(a, b files.File) int {
		if a.Path < b.Path {
			return -1
		}
		return 1
	})
	return c, nil
}

func (c *clone) add(rel string, d fs.DirEntry) error {
	f := files.File{Path: rel, Mode: 0o100644, ID: sha1.Sum([]byte(rel))} // #nosec G401 -- the path stands for the content, as each is read at most once
	if d.Type()&fs.ModeSymlink != 0 {
		f.Mode = 0o120000
	} else if !d.Type().IsRegular() {
		return nil // no commit can hold it
	}
	c.files = append(c.files, f)
	c.paths[f.ID] = rel
	return nil
}

func (c *clone) read(id [20]byte, limit int64) ([]byte, error) {
	name := filepath.Join(c.dir, filepath.FromSlash(c.paths[id]))
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if info.Size() > limit {
		return nil, fmt.Errorf("%d bytes: %w", info.Size(), files.ErrTooLarge)
	}
	return os.ReadFile(name) // #nosec G304 -- files that the user named on the command line
}

// rulesFile holds the content rules that reviewers own.
const rulesFile = "driftback.rules.yaml"

// rules checks the rules file, if there is one, for an environment with the kinds.
func (c *clone) rules(kinds []resource.KindInfo) []reconciler.Trouble {
	src, err := os.ReadFile(filepath.Join(c.dir, rulesFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	var r rules.Rules
	if err == nil {
		r, err = rules.Parse(src)
	}
	if err == nil {
		_, err = r.WithOperational(kinds)
	}
	if err == nil {
		return nil
	}
	t := reconciler.Trouble{Path: rulesFile, Reason: err.Error()}
	if e, ok := errors.AsType[*rules.Error](err); ok {
		t.Line, t.Column, t.Reason = e.Line, e.Column, e.Cause
	}
	return []reconciler.Trouble{t}
}
