//go:build unix

package directory

import (
	"errors"
	"fmt"
	"io/fs"

	"golang.org/x/sys/unix"

	"github.com/driftback/driftback/vendors"
	"github.com/driftback/driftback/vendors/resource"
)

// create puts a new file in place, which must not be there.
func (d *Driver) create(fd int, base string, after *resource.Resource) error {
	t := newTemp(nil, after.Spec, base)
	if err := d.prepare(fd, t, after.Spec, nil); err != nil {
		return err
	}
	err := renameNew(fd, t.String(), fd, base)
	if err != nil {
		_ = remove(fd, t.String()) // recovered later if it cannot be removed now
	}
	if errors.Is(err, fs.ErrExist) {
		return vendors.ErrConflict
	}
	if err == nil {
		d.written(fd, base, after)
	}
	return err
}

// update exchanges the file with a new one, and takes that back where what came out is not what was expected.
func (d *Driver) update(fd int, base string, c resource.Change) error {
	old, err := openat(fd, base, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return vendors.ErrConflict
	}
	if err != nil {
		return err
	}
	t := newTemp(c.Before.Spec, c.After.Spec, base)
	err = d.prepare(fd, t, c.After.Spec, &old)
	_ = unix.Close(old)
	if err != nil {
		return err
	}
	err = exchange(fd, t.String(), base)
	switch {
	case errors.Is(err, errNoExchange):
		err = d.replace(fd, base, t, c)
	case errors.Is(err, fs.ErrNotExist): // deleted meanwhile
		_ = remove(fd, t.String())
		return vendors.ErrConflict
	case err == nil:
		err = d.settleExchange(fd, base, t, c)
	}
	if err != nil {
		return err
	}
	d.written(fd, base, c.After)
	return nil
}

// settleExchange looks at what came out of an exchange, and either lets it go or puts it back.
func (d *Driver) settleExchange(fd int, base string, t temp, c resource.Change) error {
	expected, err := d.holds(fd, t.String(), c.Before.Spec)
	if err == nil && expected {
		return remove(fd, t.String())
	}
	// Back, as often as somebody puts a newer file in the place meanwhile. What came out last
	// must be what we put there ourselves.
	if back := exchange(fd, t.String(), base); back != nil {
		if errors.Is(back, fs.ErrNotExist) { // they have deleted what we put there
			back = renameNew(fd, t.String(), fd, base)
		}
		if back != nil {
			return fmt.Errorf("%w; what was there is kept as %s: %w", vendors.ErrConflict, t, back)
		}
		return vendors.ErrConflict
	}
	if ok, err := d.holds(fd, t.String(), c.After.Spec); err == nil && ok {
		if err := remove(fd, t.String()); err != nil {
			return err
		}
		return vendors.ErrConflict
	}
	// Two edits within the step: the newer came out now. It goes to its place, the older is kept beside it.
	if err := exchange(fd, t.String(), base); err != nil {
		return fmt.Errorf("%w; what was there is kept as %s: %w", vendors.ErrConflict, t, err)
	}
	if err := renameNew(fd, t.String(), fd, t.saved()); err != nil {
		return fmt.Errorf("%w; what was there is kept as %s: %w", vendors.ErrConflict, t, err)
	}
	return fmt.Errorf("%w, twice: the older edit is kept as %s", vendors.ErrConflict, t.saved())
}

// replace is update where the file system cannot exchange: what is written between the
// comparison and the renaming is lost, which Kinds declares.
func (d *Driver) replace(fd int, base string, t temp, c resource.Change) error {
	expected, err := d.holds(fd, base, c.Before.Spec)
	if err == nil && !expected {
		err = vendors.ErrConflict
	}
	if err == nil {
		err = retryEINTR(func() error { return unix.Renameat(fd, t.String(), fd, base) })
	}
	if err != nil {
		_ = remove(fd, t.String()) // recovered later if it cannot be removed now
	}
	return err
}

// delete moves the file aside, looks at it, and removes it or puts it back.
func (d *Driver) delete(fd int, base string, before resource.Spec) error {
	t := newTemp(before, nil, base)
	err := renameNew(fd, base, fd, t.String())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	expected, err := d.holds(fd, t.String(), before)
	if err == nil && expected {
		return remove(fd, t.String())
	}
	back := renameNew(fd, t.String(), fd, base)
	if errors.Is(back, fs.ErrExist) { // a newer one is there by now
		if back = renameNew(fd, t.String(), fd, t.saved()); back == nil {
			return fmt.Errorf("%w, twice: the older edit is kept as %s", vendors.ErrConflict, t.saved())
		}
	}
	if back != nil {
		return fmt.Errorf("%w; what was there is kept as %s: %w", vendors.ErrConflict, t, back)
	}
	return vendors.ErrConflict
}

// rename gives the file its new name, looks at it, and then gives it its new content where the change has one.
func (d *Driver) rename(root int, c resource.Change) error {
	err := d.in(root, c.After.Key, true, func(to int, toBase string) error {
		return d.in(root, c.Before.Key, false, func(from int, fromBase string) error {
			err := renameNew(from, fromBase, to, toBase)
			if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrExist) {
				return vendors.ErrConflict
			}
			if err != nil {
				return err
			}
			err = d.finishRename(to, toBase, c)
			if err == nil {
				return nil
			}
			if back := renameNew(to, toBase, from, fromBase); back != nil {
				return fmt.Errorf("%w; it bears the new name %s now: %w", err, c.After.Key, back)
			}
			return err
		})
	})
	if err == nil {
		d.prune(root, c.Before.Key)
	}
	return err
}

func (d *Driver) finishRename(fd int, base string, c resource.Change) error {
	content, _, err := readFile(fd, base, int64(d.c.MaxFileSize))
	if err != nil || !resource.Equal(resource.RawSpec(content), c.Before.Spec) {
		return vendors.ErrConflict
	}
	if resource.Equal(c.Before.Spec, c.After.Spec) {
		d.written(fd, base, c.After)
		return nil
	}
	return d.update(fd, base, c)
}

// holds reports whether the file has this content and nobody is about to write into it.
func (d *Driver) holds(fd int, name string, spec resource.Spec) (bool, error) {
	f, err := openat(fd, name, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return false, err
	}
	busy := hasWriter(f)
	_ = unix.Close(f)
	if busy {
		return false, nil
	}
	content, _, err := readFile(fd, name, int64(d.c.MaxFileSize))
	return err == nil && resource.Equal(resource.RawSpec(content), spec), err
}

// prepare writes a finished, synced temporary file. It gets mode, owner and
// attributes of old, as far as permitted, or the configured mode.
func (d *Driver) prepare(fd int, t temp, spec resource.Spec, old *int) (err error) {
	f, err := openat(fd, t.unfinished(), unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if closed := unix.Close(f); err == nil {
			err = closed
		}
		if err == nil {
			err = renameNew(fd, t.unfinished(), fd, t.String())
		}
		if err != nil {
			_ = remove(fd, t.unfinished()) // recovered later if it cannot be removed now
		}
	}()
	content, _ := spec[resource.Content].(string)
	for b := []byte(content); len(b) > 0; {
		n := 0
		if err := retryEINTR(func() (err error) { n, err = unix.Write(f, b); return err }); err != nil {
			return err
		}
		b = b[n:]
	}
	mode := uint32(d.c.FileMode)
	if old != nil {
		st, err := stat(*old, "")
		if err != nil {
			return err
		}
		mode = st.mode & 0o7777
		if err := unix.Fchown(f, st.uid, st.gid); err != nil {
			mode &^= unix.S_ISUID | unix.S_ISGID // they would mean somebody else
		}
	}
	if err := unix.Fchmod(f, mode); err != nil {
		return err
	}
	if old != nil {
		copyAttributes(*old, f)
	}
	return sync(f)
}

// written notes that what stands there is whole and ours, if it still is what was written.
func (d *Driver) written(fd int, base string, r *resource.Resource) {
	content, st, err := readFile(fd, base, int64(d.c.MaxFileSize))
	if err == nil && resource.Equal(resource.RawSpec(content), r.Spec) {
		d.cache.learn(r.Key.Name, st.stamp, r.Spec.Hash(), true, d.now())
	}
}
