package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/driftback/driftback/reconciler"
)

// parsed keeps what the reconciler parsed of Git's files in a folder beside the
// disposable copy of the repository. It may be deleted at any time.
type parsed struct{ dir string }

// maxParsed bounds what is read back, in bytes: 60 bytes an object.
const maxParsed = 1 << 30

func (p parsed) Load(name string) []byte {
	path := filepath.Join(p.dir, name+".cache")
	if info, err := os.Stat(path); err != nil || info.Size() > maxParsed {
		return nil
	}
	b, err := os.ReadFile(path) // #nosec G304 -- below the user's cache directory
	if err != nil {
		return nil
	}
	return b
}

// Save replaces the file as a whole, so that a reader never sees half of it.
func (p parsed) Save(name string, b []byte) error {
	if err := os.MkdirAll(p.dir, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(p.dir, name+".*.tmp")
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(f.Name(), filepath.Join(p.dir, name+".cache"))
	}
	if err != nil {
		if rm := os.Remove(f.Name()); rm != nil && !errors.Is(rm, fs.ErrNotExist) {
			err = errors.Join(err, rm)
		}
	}
	return err
}

// parsed returns the folder for what was parsed; nil where there is no cache directory.
func (w *workspace) parsed() reconciler.Cache {
	dir, err := mirrorDir(w.config.Repository, "parsed")
	if err != nil {
		return nil
	}
	return parsed{dir}
}
