//go:build unix

package gitstore

import (
	"errors"
	"os"
	"strconv"
	"syscall"
)

// flock waits for the right to a file. It ends with the file, also when the process dies. Where the file system
// knows no such locks, nothing protects.
func flock(f *os.File) error {
	for {
		switch err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); {
		case errors.Is(err, syscall.EINTR):
		case errors.Is(err, syscall.ENOTSUP), errors.Is(err, syscall.ENOSYS):
			return nil
		default:
			return err
		}
	}
}

// tryFlock takes the right to a file if nobody has it.
func tryFlock(f *os.File) error {
	err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.ENOTSUP) || errors.Is(err, syscall.ENOSYS) {
		return nil
	}
	return err
}

// unlock gives a file that was locked back, and closes it. Closing alone would leave it locked for as long as a process that
// is just being started holds a copy.
func unlock(f *os.File) error {
	err := syscall.Flock(int(f.Fd()), syscall.LOCK_UN)
	if errors.Is(err, syscall.ENOTSUP) || errors.Is(err, syscall.ENOSYS) {
		err = nil
	}
	return errors.Join(err, f.Close())
}

// inodeOf identifies a file that exists.
func inodeOf(info os.FileInfo) string {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return ""
	}
	return strconv.FormatUint(uint64(st.Dev), 16) + ":" + strconv.FormatUint(st.Ino, 16)
}
