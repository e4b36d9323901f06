package main

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// A fileWrite is one file of driftback's own that a process began to write into.
type fileWrite struct {
	pid int
	at  time.Time
	dir string
}

// watchWriters notes which process writes into files below dirs whose names begin as driftback's own do, as the kernel
// tells (fanotify(7)). It needs root: ok is false without.
func watchWriters(t *testing.T, dirs ...string) (writes func() []fileWrite, ok bool) {
	t.Helper()
	fd, err := unix.FanotifyInit(unix.FAN_CLASS_NOTIF|unix.FAN_CLOEXEC|unix.FAN_NONBLOCK, unix.O_RDONLY|unix.O_CLOEXEC)
	if err != nil {
		return nil, false
	}
	for _, dir := range dirs {
		require.NoError(t, unix.FanotifyMark(fd, unix.FAN_MARK_ADD, unix.FAN_MODIFY|unix.FAN_EVENT_ON_CHILD, unix.AT_FDCWD, dir))
	}
	var mu sync.Mutex
	var out []fileWrite
	f := os.NewFile(uintptr(fd), "fanotify") // non-blocking: Close ends the Read
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		b := make([]byte, 64<<10)
		for {
			n, err := f.Read(b)
			if err != nil {
				return
			}
			now := time.Now()
			for at := 0; at+unix.FAN_EVENT_METADATA_LEN <= n; {
				// struct fanotify_event_metadata: event_len u32, vers u8, reserved u8, metadata_len u16, mask u64, fd s32, pid s32
				length := int(binary.NativeEndian.Uint32(b[at:]))
				file := int(int32(binary.NativeEndian.Uint32(b[at+16:])))
				pid := int(int32(binary.NativeEndian.Uint32(b[at+20:])))
				at += length
				name, err := os.Readlink("/proc/self/fd/" + strconv.Itoa(file))
				_ = unix.Close(file)
				if err == nil && strings.HasPrefix(filepath.Base(name), ".driftback") {
					mu.Lock()
					out = append(out, fileWrite{pid: pid, at: now, dir: filepath.Dir(name)})
					mu.Unlock()
				}
			}
		}
	}()
	t.Cleanup(func() {
		_ = f.Close()
		<-ended
	})
	return func() []fileWrite {
		mu.Lock()
		defer mu.Unlock()
		return append([]fileWrite(nil), out...)
	}, true
}
