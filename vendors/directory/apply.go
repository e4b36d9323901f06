//go:build unix

package directory

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/driftback/driftback/vendors"
	"github.com/driftback/driftback/vendors/resource"
)

// Apply makes one change to the tree.
func (d *Driver) Apply(ctx context.Context, c resource.Change) (resource.Resource, error) {
	if c.Before == nil && c.After == nil {
		return resource.Resource{}, fmt.Errorf("apply: a change from nothing to nothing: %w", vendors.ErrInvalid)
	}
	r, err := d.apply(ctx, c)
	if err != nil {
		return resource.Resource{}, fmt.Errorf("%s %s: %w", c.Action(), c.Key(), err)
	}
	return r, nil
}

func (d *Driver) apply(ctx context.Context, c resource.Change) (out resource.Resource, err error) {
	for _, r := range []*resource.Resource{c.Before, c.After} {
		if err := d.acceptable(r); err != nil {
			return out, err
		}
	}
	d.write.Lock()
	defer d.write.Unlock()
	if err := ctx.Err(); err != nil {
		return out, err
	}
	root, release, err := d.hold()
	if err != nil {
		return out, err
	}
	defer release()
	unlock, err := lock(ctx, root)
	if err != nil {
		return out, err
	}
	defer unlock()
	if d.cache.left() {
		if err := d.recoverFolder(root, ".", ""); err != nil {
			return out, err
		}
	}
	if done, err := d.compare(root, c); done || err != nil {
		if err == nil && c.After != nil {
			return d.stored(root, c.After.Key)
		}
		return out, classify(err)
	}
	if err := d.change(root, c); err != nil {
		return out, classify(err)
	}
	if c.Before != nil && c.Before.Key != d.afterKey(c) {
		d.cache.remove(c.Before.Key.Name, d.now())
	}
	if c.After == nil {
		return out, nil
	}
	return d.stored(root, c.After.Key)
}

// afterKey is the key that the object has after the change; zero where it is gone.
func (d *Driver) afterKey(c resource.Change) resource.Key {
	if c.After == nil {
		return resource.Key{}
	}
	return c.After.Key
}

// acceptable reports what this tree will not hold however often it is tried.
func (d *Driver) acceptable(r *resource.Resource) error {
	if r == nil {
		return nil
	}
	if r.Key.Kind != Kind {
		return vendors.ErrUnsupported
	}
	content, ok := r.Spec[resource.Content].(string)
	reason := refuseName(r.Key.Name)
	switch {
	case reason != "":
	case !ok || len(r.Spec) != 1:
		reason = "a file has the one field content, a text"
	case int64(len(content)) > int64(d.c.MaxFileSize):
		reason = fmt.Sprintf("%d bytes, over the limit of %d (maxFileSize)", len(content), d.c.MaxFileSize)
	case !d.cover.covers(r.Key.Name):
		reason = "include and exclude leave this name out"
	default:
		return nil
	}
	return fmt.Errorf("%w: %s", vendors.ErrInvalid, reason)
}

// compare reads what the change touches, and reports whether it is done already; ErrConflict where live is something else.
func (d *Driver) compare(root int, c resource.Change) (done bool, err error) {
	keys := []resource.Key{c.Key()}
	if c.Action() == resource.Rename {
		keys = append(keys, c.After.Key)
	}
	was, is := true, true
	for _, k := range keys {
		live, err := d.read(root, k)
		if err != nil {
			return false, err
		}
		was = was && same(live, c.Before, k)
		is = is && same(live, c.After, k)
	}
	if !was && !is {
		return false, vendors.ErrConflict
	}
	return is, nil
}

// same reports whether live is what the change says of the key.
func same(live, r *resource.Resource, k resource.Key) bool {
	if r == nil || r.Key != k {
		return live == nil
	}
	return live != nil && resource.Equal(live.Spec, r.Spec)
}

// stored returns the file as it is now, which is what was written or what somebody has made of it since.
func (d *Driver) stored(root int, k resource.Key) (resource.Resource, error) {
	r, err := d.read(root, k)
	if err != nil || r == nil {
		return resource.Resource{}, err
	}
	return *r, nil
}

// change carries the change out, after compare.
func (d *Driver) change(root int, c resource.Change) error {
	switch c.Action() {
	case resource.Create:
		return d.in(root, c.After.Key, true, func(fd int, base string) error { return d.create(fd, base, c.After) })
	case resource.Delete:
		err := d.in(root, c.Before.Key, false, func(fd int, base string) error { return d.delete(fd, base, c.Before.Spec) })
		if err == nil {
			d.prune(root, c.Before.Key)
		}
		return err
	case resource.Rename:
		return d.rename(root, c)
	}
	return d.in(root, c.After.Key, false, func(fd int, base string) error { return d.update(fd, base, c) })
}

// in calls f with the folder of a key, which is made where it is missing if make is set. The folder is synced afterwards.
func (d *Driver) in(root int, k resource.Key, make bool, f func(fd int, base string) error) error {
	dir, base := path.Split(k.Name)
	dir = path.Clean(dir)
	fd, err := openFolder(root, dir)
	if make && errors.Is(err, fs.ErrNotExist) && !errors.Is(err, errNotFolder) {
		fd, err = makeFolder(root, dir)
	}
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(fd) }() // synced below
	if err := f(fd, base); err != nil {
		return err
	}
	return sync(fd)
}

// makeFolder makes the folders of a path that are missing, and opens the last.
func makeFolder(root int, dir string) (int, error) {
	parts := strings.Split(dir, "/")
	for i := range parts {
		fd, err := openFolder(root, path.Join(parts[:i]...))
		if err != nil {
			return -1, err
		}
		err = retryEINTR(func() error { return unix.Mkdirat(fd, parts[i], 0o755) })
		if err == nil {
			err = sync(fd)
		}
		_ = unix.Close(fd)
		if err != nil && !errors.Is(err, fs.ErrExist) {
			return -1, err
		}
	}
	return openFolder(root, dir)
}

// prune removes the folders that a deletion has left empty.
func (d *Driver) prune(root int, k resource.Key) {
	for dir := path.Dir(k.Name); dir != "."; dir = path.Dir(dir) {
		fd, err := openFolder(root, path.Dir(dir))
		if err != nil {
			return
		}
		err = removeFolder(fd, path.Base(dir)) // fails where something is left, which is the end of it
		_ = unix.Close(fd)
		if err != nil {
			return
		}
	}
}
