//go:build unix

package directory

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/driftback/driftback/vendors/resource"
)

// Watch reports files that the file system says were touched, until ctx ends. Where events
// were lost, or a folder appeared, it calls changed without keys. It ends with an
// error where the root is gone or the system's limit of watches is reached.
func (d *Driver) Watch(ctx context.Context, changed func(keys ...resource.Key)) error {
	w, err := fsnotify.NewBufferedWatcher(4096)
	if err != nil {
		return fmt.Errorf("watch %s: %w", d.path, err)
	}
	defer func() { _ = w.Close() }() // nothing to lose
	if err := d.watchFolder(w, d.path); err != nil {
		return fmt.Errorf("watch %s: %w", d.path, err)
	}
	look := time.NewTicker(time.Second)
	defer look.Stop()
	changed() // what happened before the watch began was not seen
	for {
		var h hints
		select {
		case <-ctx.Done():
			return ctx.Err()
		case e, ok := <-w.Events:
			if !ok {
				return fmt.Errorf("watch %s: ended", d.path)
			}
			err = d.event(w, e, &h)
		case e := <-w.Errors:
			err = h.lost(e)
		case <-look.C: // that a folder was removed is not told while somebody has it open, as this driver has
			err = d.rootStands()
		}
		for more := true; more && err == nil; {
			select {
			case e := <-w.Events:
				err = d.event(w, e, &h)
			case e := <-w.Errors:
				err = h.lost(e)
			default:
				more = false
			}
		}
		if err != nil {
			return fmt.Errorf("watch %s: %w", d.path, err)
		}
		switch {
		case h.all:
			changed()
		case len(h.keys) > 0:
			changed(h.keys...)
		}
	}
}

// rootStands reports that the root's path leads elsewhere by now.
func (d *Driver) rootStands() error {
	d.root.RLock()
	defer d.root.RUnlock()
	if d.fd >= 0 && d.current() {
		return nil
	}
	return fmt.Errorf("the root is gone: %w", fs.ErrNotExist)
}

// hints collects what one burst of events touched.
type hints struct {
	all  bool
	keys []resource.Key
	seen map[resource.Key]bool
}

// lost notes that events were lost; any other error of the watcher ends the watch.
func (h *hints) lost(err error) error {
	h.all = true
	if errors.Is(err, fsnotify.ErrEventOverflow) {
		return nil
	}
	return err
}

func (h *hints) add(k resource.Key) {
	if h.seen[k] {
		return
	}
	if h.seen == nil {
		h.seen = map[resource.Key]bool{}
	}
	h.seen[k] = true
	h.keys = append(h.keys, k)
}

// event notes what an event touched.
func (d *Driver) event(w *fsnotify.Watcher, e fsnotify.Event, h *hints) error {
	rel, err := filepath.Rel(d.path, e.Name)
	if err != nil || isOurs(filepath.Base(e.Name)) {
		return nil
	}
	if rel = filepath.ToSlash(rel); rel == "." {
		return d.rootStands()
	}
	if e.Has(fsnotify.Create) && d.cover.descend(rel) {
		if err := d.watchFolder(w, e.Name); err == nil {
			h.all = true // what was in it before the watch began was not seen
			return nil
		} else if !errors.Is(err, errNotFolder) && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if d.cover.covers(rel) {
		h.add(resource.Key{Kind: Kind, Name: rel})
	} else if e.Has(fsnotify.Remove) || e.Has(fsnotify.Rename) {
		h.all = h.all || d.cover.descend(rel) // perhaps a folder with what was in it
	}
	return nil
}

// watchFolder watches a folder and those below; errNotFolder where it is none.
func (d *Driver) watchFolder(w *fsnotify.Watcher, root string) error {
	return filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			if path == d.path {
				return err
			}
			return nil // unreadable, or gone already: Observe reports what matters
		}
		if !e.IsDir() {
			if path == root {
				return errNotFolder
			}
			return nil
		}
		rel, err := filepath.Rel(d.path, path)
		if err != nil {
			return err
		}
		if rel != "." && !d.cover.descend(filepath.ToSlash(rel)) {
			return fs.SkipDir
		}
		if err := w.Add(path); err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrPermission) {
			return err
		}
		return nil
	})
}
