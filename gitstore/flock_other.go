//go:build !unix

package gitstore

import "os"

// Without flock and inodes, a process that died may leave locks that people must remove.

func flock(*os.File) error       { return nil }
func tryFlock(*os.File) error    { return nil }
func unlock(f *os.File) error    { return f.Close() }
func inodeOf(os.FileInfo) string { return "" }
