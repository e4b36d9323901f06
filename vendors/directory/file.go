//go:build unix

package directory

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/driftback/driftback/vendors"
	"github.com/driftback/driftback/vendors/resource"
)

// A stamp tells one state of a file from another without reading it.
type stamp struct {
	size, mtime, ctime int64 // nanoseconds
	ino, dev           uint64
}

// info is what the file system says of a file.
type info struct {
	stamp
	mode     uint32
	uid, gid int
	id       string // number and birth of the inode; empty where the birth is not known
}

func (i info) regular() bool { return i.mode&unix.S_IFMT == unix.S_IFREG }
func (i info) dir() bool     { return i.mode&unix.S_IFMT == unix.S_IFDIR }
func (i info) link() bool    { return i.mode&unix.S_IFMT == unix.S_IFLNK }

func (i info) origin() *resource.Origin {
	return &resource.Origin{ID: i.id, When: time.Unix(0, i.mtime).UTC()}
}

var errNoExchange = errors.New("the file system cannot exchange files")

// errChanged says that a file was written while it was read.
var errChanged = errors.New("changed while it was read")

// openFolder opens a folder below the one of fd, part by part, following no link. An empty
// path is the folder itself. The caller closes.
func openFolder(fd int, rel string) (int, error) {
	const flags = unix.O_RDONLY | unix.O_DIRECTORY | unix.O_NOFOLLOW | unix.O_CLOEXEC
	dir, err := openat(fd, ".", flags, 0)
	if err != nil || rel == "" || rel == "." {
		return dir, err
	}
	for part := range strings.SplitSeq(rel, "/") {
		next, err := openat(dir, part, flags, 0)
		if errors.Is(err, unix.ENOTDIR) || errors.Is(err, unix.ELOOP) {
			err = notFolder(dir, part)
		}
		_ = unix.Close(dir)
		if err != nil {
			return -1, err
		}
		dir = next
	}
	return dir, nil
}

// errNotFolder says that a file stands where a folder would have to be: nothing is below it.
var errNotFolder = fmt.Errorf("a part of the path is a file: %w", fs.ErrNotExist)

// errLink says that a path leads through a link.
const errLink = unfitError("a part of the path is a symbolic link, which is not followed")

func notFolder(fd int, name string) error {
	if st, err := stat(fd, name); err == nil && st.link() {
		return errLink
	}
	return errNotFolder
}

func openat(fd int, name string, flags int, mode uint32) (int, error) {
	var out int
	err := retryEINTR(func() (err error) { out, err = unix.Openat(fd, name, flags, mode); return err })
	return out, err
}

func retryEINTR(f func() error) error {
	for {
		if err := f(); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

// readFile returns the content of a regular file in the folder fd and its state; errChanged
// where the state moved while it was read. Files above limit are not read: unfitError.
func readFile(fd int, name string, limit int64) ([]byte, info, error) {
	f, err := openFile(fd, name)
	if err != nil {
		return nil, info{}, err
	}
	defer func() { _ = unix.Close(f) }() // read only: nothing to lose
	before, err := stat(f, "")
	if err != nil {
		return nil, info{}, err
	}
	if reason := unfit(before, limit); reason != "" {
		return nil, before, unfitError(reason)
	}
	return readOpen(f, before, limit)
}

// readListed is readFile for a file that was found fit and in this state a moment ago.
func readListed(fd int, name string, before info, limit int64) ([]byte, info, error) {
	f, err := openFile(fd, name)
	if err != nil {
		return nil, info{}, err
	}
	defer func() { _ = unix.Close(f) }() // read only: nothing to lose
	return readOpen(f, before, limit)
}

// openFile opens a file for reading. It waits for nobody, whatever the file is.
func openFile(fd int, name string) (int, error) {
	f, err := openat(fd, name, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	switch {
	case errors.Is(err, unix.ELOOP):
		return -1, unfitError("a symbolic link, which is not followed")
	case errors.Is(err, unix.ENXIO):
		return -1, unfitError("not a regular file")
	}
	return f, err
}

// readOpen reads an open file that was in the state before, and still must be afterwards.
func readOpen(f int, before info, limit int64) ([]byte, info, error) {
	content, err := readAll(f, before.size, limit)
	if err != nil {
		return nil, before, err
	}
	after, err := stat(f, "")
	if err == nil && (after.stamp != before.stamp || int64(len(content)) != after.size) {
		err = errChanged
	}
	return content, after, err
}

// readAll reads up to one byte more than limit from a regular file of about this size. A read that returns less than
// there is room for has reached the end, as regular files have it (POSIX read).
func readAll(fd int, size, limit int64) ([]byte, error) {
	buf := make([]byte, 0, min(size, limit)+1)
	for {
		room, n := cap(buf)-len(buf), 0
		err := retryEINTR(func() (err error) { n, err = unix.Read(fd, buf[len(buf):cap(buf)]); return err })
		if err != nil {
			return nil, err
		}
		buf = buf[:len(buf)+n]
		if n < room && (n == 0 || int64(len(buf)) == size) || int64(len(buf)) > limit {
			return buf, nil
		}
		if len(buf) == cap(buf) {
			buf = slices.Grow(buf, 512)
		}
	}
}

// unfitError says why a file is no configuration, whatever it holds.
type unfitError string

func (e unfitError) Error() string { return string(e) }

// unfit says why a file is not managed; empty where it is.
func unfit(i info, limit int64) string {
	switch {
	case i.link():
		return "a symbolic link, which is not followed"
	case i.dir():
		return "a folder stands in the place of the file"
	case !i.regular():
		return "not a regular file"
	case i.size > limit:
		return fmt.Sprintf("%d bytes, over the limit of %d (maxFileSize)", i.size, limit)
	}
	return ""
}

// classify adds the class that callers act on to an error of the file system.
func classify(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, fs.ErrPermission), errors.Is(err, unix.EROFS):
		return fmt.Errorf("%w: %w", vendors.ErrDenied, err)
	case errors.Is(err, unix.EISDIR), errors.Is(err, unix.ENAMETOOLONG), errors.Is(err, errNotFolder):
		return fmt.Errorf("%w: %w", vendors.ErrInvalid, err)
	}
	if unfit := unfitError(""); errors.As(err, &unfit) {
		return fmt.Errorf("%w: %w", vendors.ErrInvalid, err)
	}
	return err
}

// linkNew renames by a second name, where the file system has nothing better; EEXIST where the name is taken.
func linkNew(fromFd int, from string, toFd int, to string) error {
	if err := retryEINTR(func() error { return unix.Linkat(fromFd, from, toFd, to, 0) }); err != nil {
		return err
	}
	return remove(fromFd, from)
}

func remove(fd int, name string) error {
	return retryEINTR(func() error { return unix.Unlinkat(fd, name, 0) })
}

func removeFolder(fd int, name string) error {
	return retryEINTR(func() error { return unix.Unlinkat(fd, name, unix.AT_REMOVEDIR) })
}

func sync(fd int) error { return retryEINTR(func() error { return unix.Fsync(fd) }) }

// names lists a folder.
func names(fd int) ([]string, error) {
	dup, err := openat(fd, ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(dup), "folder")
	defer func() { _ = f.Close() }() // read only
	out, err := f.Readdirnames(-1)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return out, err
}
