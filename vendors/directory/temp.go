//go:build unix

package directory

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"path"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/driftback/driftback/vendors/resource"
)

// A temp is the name of a temporary file beside the file that changes. It says what a change
// that is cut off leaves behind, so that the next start can put it in order:
//
//	.driftback-RANDOM.tmp                  being written: of no worth
//	.driftback-RANDOM-BEFORE-AFTER-BASE    finished; or what came out of the place of BASE
//
// BEFORE and AFTER are the first digits of the hashes of what the change expects there and what it puts there.
type temp struct{ random, before, after, base string }

const (
	tempDigits = 12 // of a hash
	nothing    = "000000000000"
	tempSuffix = ".tmp"
)

func newTemp(before, after resource.Spec, base string) temp {
	digits := func(s resource.Spec) string {
		if s == nil {
			return nothing
		}
		return s.Hash().String()[:tempDigits]
	}
	// #nosec G404 -- it keeps two writers apart, and no secret
	return temp{random: fmt.Sprintf("%08x", rand.Uint32()), before: digits(before), after: digits(after), base: base}
}

// unfinished is the name while the content is written.
func (t temp) unfinished() string { return ours + t.random + tempSuffix }

func (t temp) String() string {
	return ours + strings.Join([]string{t.random, t.before, t.after, t.base}, "-")
}

// parseTemp is the inverse of String.
func parseTemp(name string) (temp, bool) {
	parts := strings.SplitN(strings.TrimPrefix(name, ours), "-", 4)
	if !isOurs(name) || len(parts) != 4 || len(parts[1]) != tempDigits || len(parts[2]) != tempDigits || parts[3] == "" {
		return temp{}, false
	}
	return temp{parts[0], parts[1], parts[2], parts[3]}, true
}

// saved is a name for what somebody wrote while a change was taken back, when its own
// name is taken by then by something still newer. It is no temporary file: it is shown.
func (t temp) saved() string { return t.base + ".driftback-saved-" + t.random }

// lockTime is how long to wait for others who change the tree. Each holds the lock for milliseconds.
const lockTime = 20 * time.Second

// lock keeps other processes from changing the tree until release is called: whoever holds it knows that no
// temporary file belongs to a change under way. File systems without locks go without.
func lock(ctx context.Context, fd int) (release func(), err error) {
	for deadline := time.Now().Add(lockTime); ; time.Sleep(time.Millisecond) {
		err := unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB)
		switch {
		case err == nil:
			return func() { _ = unix.Flock(fd, unix.LOCK_UN) }, nil
		case errors.Is(err, unix.EINTR):
		case !errors.Is(err, unix.EWOULDBLOCK):
			return func() {}, nil
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case time.Now().After(deadline):
			return nil, fmt.Errorf("another process has been changing the tree for %v", lockTime)
		}
	}
}

// recover puts in order what changes that were cut off have left behind in the whole tree.
func (d *Driver) recover(ctx context.Context) error {
	release, err := lock(ctx, d.fd)
	if err != nil {
		return err
	}
	defer release()
	return d.recoverFolder(d.fd, ".", "")
}

func (d *Driver) recoverFolder(parent int, base, rel string) error {
	fd, err := openat(parent, base, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil // not ours to read: Observe reports it
	}
	defer func() { _ = unix.Close(fd) }() // read only
	list, err := names(fd)
	if err != nil {
		return nil // as above
	}
	for _, name := range list {
		if isOurs(name) {
			if err := d.recoverFile(fd, name); err != nil {
				return fmt.Errorf("recover %s: %w", path.Join(rel, name), err)
			}
			continue
		}
		sub := path.Join(rel, name)
		if st, err := stat(fd, name); err == nil && st.dir() && d.cover.descend(sub) {
			if err := d.recoverFolder(fd, name, sub); err != nil {
				return err
			}
		}
	}
	return nil
}

// recoverFile puts one temporary file in order. Content that somebody else wrote is never removed.
func (d *Driver) recoverFile(fd int, name string) error {
	t, finished := parseTemp(name)
	if !finished {
		if strings.HasSuffix(name, tempSuffix) {
			return remove(fd, name)
		}
		return nil
	}
	moved, err := digitsOf(fd, name)
	if unfit := unfitError(""); errors.As(err, &unfit) {
		return nil // no file, hence none of ours
	}
	if err != nil {
		return err
	}
	there, err := digitsOf(fd, t.base)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if moved == t.after {
			return remove(fd, name) // never put in place
		}
		return renameNew(fd, name, fd, t.base)
	case moved == t.after, moved == t.before:
		return remove(fd, name) // in Git, both
	case err == nil && there == t.after:
		if err := exchange(fd, name, t.base); err == nil {
			return remove(fd, name)
		}
	}
	return renameNew(fd, name, fd, t.saved())
}

// digitsOf returns the first digits of the hash of a file of any size.
func digitsOf(fd int, name string) (string, error) {
	content, _, err := readFile(fd, name, 1<<40)
	if err != nil {
		return "", err
	}
	return resource.RawSpec(content).Hash().String()[:tempDigits], nil
}
