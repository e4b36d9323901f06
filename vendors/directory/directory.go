//go:build unix

// Package directory is the vendor for servers whose configuration is a tree of
// files: Prometheus, nginx, Kamailio. Every file below the root that the globs
// cover is an object of the raw kind "file", named by its path.
//
// # What it promises
//
// No link is followed, anywhere: every folder is opened from the one above it.
// A write puts a finished, synced file in the place of the old one in a single step
// and then looks at what came out; if that is not what was expected, or if
// somebody still has it open for writing, the step is taken back and the change
// is a conflict. Where the file system cannot do that (KindInfo.Can.Guard is false), it
// is compared immediately before and a window of microseconds remains.
//
// A file that changed a moment ago may be half-written. It is unknown until it has been left
// alone for the settle time, and so is a name that vanished a moment ago, as editors save by renaming.
//
// The tenant is the root's path with links resolved: not the inode, as that
// changes with every restored backup and remounted volume, and not the host, whose name
// changes with every container.
package directory

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	gosync "sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/driftback/driftback/vendors"
	"github.com/driftback/driftback/vendors/resource"
)

// Driver manages one tree of files.
type Driver struct {
	c      Config
	cover  cover
	path   string // absolute, links resolved
	tenant string
	guard  bool
	now    func() time.Time

	root  gosync.RWMutex // held for writing while fd is replaced
	fd    int            // of the root
	write gosync.Mutex   // one change at a time
	cache cache
}

// Open opens the directory that the configuration names. What a change that was cut off
// has left behind is put in order first.
func Open(ctx context.Context, decode func(any) error) (vendors.Driver, error) {
	var c Config
	if err := decode(&c); err != nil {
		return nil, err
	}
	return New(ctx, c)
}

// New is Open for a configuration that is there already.
func New(ctx context.Context, c Config) (vendors.Driver, error) {
	if err := c.complete(); err != nil {
		return nil, fmt.Errorf("directory: %w", err)
	}
	d := &Driver{c: c, cover: c.cover(), now: time.Now, fd: -1}
	path, err := filepath.Abs(c.Root)
	if err == nil {
		path, err = filepath.EvalSymlinks(path)
	}
	if err != nil {
		return nil, fmt.Errorf("directory: root: %w", err)
	}
	d.path, d.tenant = path, "directory:"+path
	if d.fd, err = openRoot(path); err != nil {
		return nil, fmt.Errorf("directory: root %s: %w", path, err)
	}
	d.guard = guards(d.fd)
	// Whoever may only read opens, too: what cannot be put in order now is told by Observe, and by the next change.
	_ = d.recover(ctx)
	if c.Reload == nil {
		return d, nil
	}
	return struct {
		*Driver
		*activator
	}{d, newActivator(c.Reload, path)}, nil
}

func openRoot(path string) (int, error) {
	var fd int
	err := retryEINTR(func() (err error) {
		fd, err = unix.Open(path, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		return err
	})
	return fd, err
}

var (
	_ vendors.Driver  = (*Driver)(nil)
	_ vendors.Watcher = (*Driver)(nil)
	_ vendors.Settler = (*Driver)(nil)
)

// Kinds returns the one kind, file.
func (d *Driver) Kinds() []resource.KindInfo {
	return d.c.kinds(d.guard)
}

// Describe returns what Kinds would, without looking at the directory, whose guard it takes as being there.
func Describe(decode func(any) error) ([]resource.KindInfo, error) {
	var c Config
	if err := decode(&c); err != nil {
		return nil, err
	}
	c.MaxFileSize = cmp.Or(c.MaxFileSize, defaultMaxSize)
	return c.kinds(true), nil
}

func (c *Config) kinds(guard bool) []resource.KindInfo {
	return []resource.KindInfo{{
		Kind: Kind, Raw: true, MaxSize: int64(c.MaxFileSize),
		Can: resource.Capabilities{Create: true, Update: true, Delete: true, Rename: true, Guard: guard},
	}}
}

// Close gives the root back. No other method may be called afterwards.
func (d *Driver) Close() error {
	d.root.Lock()
	defer d.root.Unlock()
	if d.fd < 0 {
		return nil
	}
	err := unix.Close(d.fd)
	d.fd = -1
	return err
}

// hold returns the root's descriptor, for as long as release has not been called. Where the
// path leads to another folder by now, as after a restored backup, that one is opened.
func (d *Driver) hold() (fd int, release func(), err error) {
	d.root.RLock()
	if d.fd >= 0 && d.current() {
		return d.fd, d.root.RUnlock, nil
	}
	d.root.RUnlock()
	d.root.Lock()
	if d.fd < 0 {
		d.root.Unlock()
		return -1, nil, os.ErrClosed
	}
	if !d.current() {
		next, err := openRoot(d.path)
		if err != nil {
			d.root.Unlock()
			return -1, nil, fmt.Errorf("root %s: %w", d.path, err)
		}
		_ = unix.Close(d.fd)
		d.fd = next
	}
	d.root.Unlock()
	d.root.RLock()
	return d.fd, d.root.RUnlock, nil
}

// current reports whether the path of the root still leads to the folder that is open.
func (d *Driver) current() bool {
	var at unix.Stat_t
	if err := unix.Lstat(d.path, &at); err != nil {
		return false
	}
	open, err := stat(d.fd, "")
	return err == nil && open.ino == uint64(at.Ino) && open.dir()
}
