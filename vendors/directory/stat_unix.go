//go:build unix && !linux

package directory

import (
	"time"

	"golang.org/x/sys/unix"
)

// stat returns what is at name in the folder fd, without following a link. An
// empty name is fd itself.
func stat(fd int, name string) (info, error) {
	var st unix.Stat_t
	if err := retryEINTR(func() error {
		if name == "" {
			return unix.Fstat(fd, &st)
		}
		return unix.Fstatat(fd, name, &st, unix.AT_SYMLINK_NOFOLLOW)
	}); err != nil {
		return info{}, err
	}
	return info{
		stamp: stamp{
			size: st.Size, mtime: time.Unix(st.Mtim.Unix()).UnixNano(), ctime: time.Unix(st.Ctim.Unix()).UnixNano(),
			ino: uint64(st.Ino), dev: uint64(st.Dev),
		},
		mode: uint32(st.Mode), uid: int(st.Uid), gid: int(st.Gid),
	}, nil
}

func exchange(int, string, string) error { return errNoExchange }

func renameNew(fromFd int, from string, toFd int, to string) error {
	return linkNew(fromFd, from, toFd, to)
}

func hasWriter(int) bool { return false }

func guards(int) bool { return false }

func copyAttributes(int, int) {}
