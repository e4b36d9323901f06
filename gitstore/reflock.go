package gitstore

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Locks are the files NAME.lock by which git protects refs: whoever creates one owns NAME until it removes the file or renames
// it to NAME.
//
// A process that dies leaves its locks behind, and git leaves them to people. Ours are told apart: while it holds
// any, a Store keeps the file driftback.lock locked by flock, and notes there which files (by inode) are its locks
// before they appear. The next one to get the flock removes them.
type locks struct {
	dir   string
	ledge *os.File // driftback.lock
	held  map[string]bool
}

// lockWait is how long to wait for somebody else's lock: they are held for milliseconds.
const lockWait = 2 * time.Second

// locks starts to take locks, after cleaning up behind a process that died.
func (l *local) locks() (*locks, error) {
	k := &locks{dir: l.dir, held: map[string]bool{}}
	var err error
	if k.ledge, err = os.OpenFile(filepath.Join(l.dir, "driftback.lock"), os.O_CREATE|os.O_RDWR, 0o666); err != nil { // #nosec G302 -- a shared repository belongs to who its umask says, as with git
		return nil, err
	}
	if err := flock(k.ledge); err != nil {
		return nil, errors.Join(err, k.ledge.Close())
	}
	if err := k.clean(); err != nil {
		return nil, errors.Join(err, unlock(k.ledge))
	}
	return k, nil
}

// clean removes the locks of a process that died. The caller has the flock.
func (k *locks) clean() error {
	raw, err := os.ReadFile(k.ledge.Name())
	if err != nil || len(raw) == 0 {
		return err
	}
	for line := range strings.Lines(string(raw)) {
		inode, name, ok := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		path := k.path(name)
		left, err := filepath.Glob(filepath.Join(filepath.Dir(path), ".driftback-*.lock")) // not yet linked to their names
		if err != nil {
			return err
		}
		for _, name := range left {
			if err := os.Remove(name); err != nil {
				return err
			}
		}
		if info, err := os.Stat(path); ok && inode != "" && err == nil && inodeOf(info) == inode {
			if err := os.Remove(path); err != nil {
				return err
			}
		}
	}
	return k.ledge.Truncate(0)
}

func (k *locks) path(name string) string {
	return filepath.Join(k.dir, filepath.FromSlash(name)+".lock")
}

// take creates the lock of a name, waiting a little while somebody else has it.
func (k *locks) take(ctx context.Context, name string) error {
	path := k.path(name)
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil { // #nosec G301 -- a shared repository belongs to who its umask says, as with git
		return fmt.Errorf("lock %s: %w: %w", name, err, ErrRefused)
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), ".driftback-*.lock")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	info, err := tmp.Stat()
	if err = errors.Join(err, tmp.Chmod(0o644), tmp.Close()); err != nil {
		return err
	}
	if _, err := fmt.Fprintf(k.ledge, "%s %s\n", inodeOf(info), name); err != nil {
		return err
	}
	wait := time.NewTimer(0)
	defer wait.Stop()
	<-wait.C
	for slept, pause := time.Duration(0), time.Millisecond; ; pause *= 2 {
		err := os.Link(tmp.Name(), path) // fails if the lock exists
		if err == nil {
			k.held[name] = true
			return nil
		}
		if !errors.Is(err, os.ErrExist) {
			return fmt.Errorf("lock %s: %w", name, err)
		}
		if slept > lockWait {
			return fmt.Errorf("lock %s: somebody holds it; if no git is at work there, remove %s: %w", name, path, err)
		}
		wait.Reset(pause)
		select {
		case <-wait.C:
			slept += pause
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// write puts the new content of a name into its lock.
func (k *locks) write(name, content string) error {
	f, err := os.OpenFile(k.path(name), os.O_WRONLY|os.O_TRUNC, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(content)
	return errors.Join(err, f.Sync(), f.Close())
}

// publish makes what was written the content of the name, and ends its lock.
func (k *locks) publish(name string) error {
	path := k.path(name)
	if err := os.Rename(path, strings.TrimSuffix(path, ".lock")); err != nil {
		return err
	}
	delete(k.held, name)
	return nil
}

// release gives back what is held.
func (k *locks) release() error {
	var errs []error
	for name := range k.held {
		errs = append(errs, os.Remove(k.path(name)))
	}
	return errors.Join(append(errs, k.ledge.Truncate(0), unlock(k.ledge))...)
}
