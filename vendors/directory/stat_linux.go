package directory

import (
	"errors"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// stat returns what is at name in the folder fd, without following a link. An
// empty name is fd itself.
func stat(fd int, name string) (info, error) {
	var st unix.Statx_t
	flags := unix.AT_SYMLINK_NOFOLLOW | unix.AT_STATX_SYNC_AS_STAT
	if name == "" {
		flags |= unix.AT_EMPTY_PATH
	}
	if err := retryEINTR(func() error {
		return unix.Statx(fd, name, flags, unix.STATX_BASIC_STATS|unix.STATX_BTIME, &st)
	}); err != nil {
		return info{}, err
	}
	i := info{
		stamp: stamp{
			size: int64(st.Size), mtime: nanos(st.Mtime), ctime: nanos(st.Ctime), // #nosec G115 -- no file has 8 EiB
			ino: st.Ino, dev: uint64(st.Dev_major)<<32 | uint64(st.Dev_minor),
		},
		mode: uint32(st.Mode), uid: int(st.Uid), gid: int(st.Gid),
	}
	if st.Mask&unix.STATX_BTIME != 0 {
		i.id = strconv.FormatUint(st.Ino, 10) + ":" + strconv.FormatInt(nanos(st.Btime), 10)
	}
	return i, nil
}

func nanos(t unix.StatxTimestamp) int64 { return t.Sec*int64(time.Second) + int64(t.Nsec) }

// exchange swaps two files of the folders in one step. errNoExchange where the file system cannot.
func exchange(fd int, a, b string) error {
	err := retryEINTR(func() error { return unix.Renameat2(fd, a, fd, b, unix.RENAME_EXCHANGE) })
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EOPNOTSUPP) {
		return errNoExchange
	}
	return err
}

// renameNew renames and fails with EEXIST where something has the new name.
func renameNew(fromFd int, from string, toFd int, to string) error {
	err := retryEINTR(func() error { return unix.Renameat2(fromFd, from, toFd, to, unix.RENAME_NOREPLACE) })
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EOPNOTSUPP) {
		return linkNew(fromFd, from, toFd, to)
	}
	return err
}

// hasWriter reports whether somebody has the file open for writing: the kernel grants a
// read lease only where nobody has. Where it grants none to us at all, the answer is no.
func hasWriter(fd int) bool {
	_, err := unix.FcntlInt(uintptr(fd), unix.F_SETLEASE, unix.F_RDLCK)
	if err == nil {
		_, _ = unix.FcntlInt(uintptr(fd), unix.F_SETLEASE, unix.F_UNLCK) // the lease ends with the descriptor anyway
	}
	return errors.Is(err, unix.EAGAIN)
}

// guards reports whether the file system under fd is known to exchange files in one step
// and to tell of open writers. Others are written with a window, and that is declared.
func guards(fd int) bool {
	var st unix.Statfs_t
	if err := unix.Fstatfs(fd, &st); err != nil {
		return false
	}
	switch uint32(st.Type) { // #nosec G115 -- the kernel's magic numbers have 32 bits
	case unix.EXT4_SUPER_MAGIC, unix.XFS_SUPER_MAGIC, unix.BTRFS_SUPER_MAGIC, unix.TMPFS_MAGIC, unix.F2FS_SUPER_MAGIC:
		return true
	}
	return false
}

// copyAttributes gives the file what the old one had beside its mode: access lists and labels. What is not permitted is left.
func copyAttributes(from, to int) {
	names := make([]byte, 4096)
	n, err := unix.Flistxattr(from, names)
	if err != nil {
		return
	}
	value := make([]byte, 64<<10)
	for len(names[:n]) > 0 {
		end := 0
		for end < n && names[end] != 0 {
			end++
		}
		name := string(names[:end])
		if m, err := unix.Fgetxattr(from, name, value); err == nil {
			_ = unix.Fsetxattr(to, name, value[:m], 0) // as far as permitted
		}
		names, n = names[min(end+1, n):], n-min(end+1, n)
	}
}
