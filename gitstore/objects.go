package gitstore

import (
	"bufio"
	"compress/zlib"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/go-git/go-billy/v5"
	"github.com/go-git/go-billy/v5/osfs"
	"github.com/go-git/go-git/v5/plumbing"
	gitcache "github.com/go-git/go-git/v5/plumbing/cache"
	"github.com/go-git/go-git/v5/storage/filesystem"
	"github.com/go-git/go-git/v5/storage/filesystem/dotgit"
)

// A folder is the object folder of a bare repository on disk. It is safe for concurrent use: go-git's reader is not, so
// one reader at a time uses it, and what was read lately is kept.
type folder struct {
	dir string // of the repository

	mu     sync.Mutex // guards what follows
	reader *filesystem.Storage
	packs  time.Time // when the pack folder had last changed as the reader was opened
	opened time.Time // when that was

	recent *cache
}

func openFolder(dir string) *folder {
	f := &folder{dir: dir, recent: newCache(48 << 20)}
	f.reopen()
	return f
}

// reopen makes the reader see what packs there are. The caller holds mu, or is the only one.
func (f *folder) reopen() {
	if f.reader != nil {
		_ = f.reader.ObjectStorage.Close() // files that were read only
	}
	f.opened, f.packs = time.Now(), f.packTime()
	f.reader = filesystem.NewStorageWithOptions(packView{osfs.New(f.dir, osfs.WithBoundOS())},
		gitcache.NewObjectLRU(16*gitcache.MiByte),
		filesystem.Options{KeepDescriptors: true, AlternatesFS: packView{osfs.New("/", osfs.WithBoundOS())}})
}

// refresh makes packs visible that were added to the folder.
func (f *folder) refresh() {
	f.mu.Lock()
	f.reopen()
	f.mu.Unlock()
}

func (f *folder) packTime() time.Time {
	info, err := os.Stat(filepath.Join(f.dir, "objects", "pack"))
	if err != nil {
		return time.Time{}
	}
	return info.ModTime()
}

func (f *folder) close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.reader.ObjectStorage.Close()
}

// object reads one object.
func (f *folder) object(id ID) (Object, error) {
	if o, ok := f.recent.get(id); ok {
		return o, nil
	}
	var o Object
	err := f.try(id, func() (err error) { o, err = f.read(id); return err })
	if err != nil {
		return Object{}, err
	}
	if o.Kind != KindBlob { // blobs are read once, and large
		f.recent.put(o)
	}
	return o, nil
}

// size returns the length of an object.
func (f *folder) size(id ID) (n int64, err error) {
	err = f.try(id, func() (err error) {
		n, err = f.reader.EncodedObjectSize(plumbing.Hash(id))
		return err
	})
	return n, err
}

// try reads something, and once more if others changed the packs meanwhile.
func (f *folder) try(id ID, read func() error) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	err := read()
	if err == nil {
		return nil
	}
	// Clocks of file systems are coarse: what changed just before the reader was opened may have changed again since.
	stale := f.packTime() != f.packs || f.opened.Sub(f.packs) < time.Second
	for range 3 { // a repack may take a pack away between the look at the list and the look into it
		if !stale && !goneWhileRead(err) {
			break
		}
		stale = false
		f.reopen()
		if err = read(); err == nil {
			return nil
		}
	}
	switch {
	case errors.Is(err, plumbing.ErrObjectNotFound):
		return errMissing(id)
	case err != nil:
		return fmt.Errorf("object %s: %w", id, err)
	}
	return nil
}

// goneWhileRead reports whether an error means that a file was listed and was not there when it was opened.
func goneWhileRead(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, dotgit.ErrPackfileNotFound)
}

// packView is a file system in which a pack is there once its index is: writers put the index in place last (git's
// finish_tmp_packfile), and go-git, which looks for packs, would fail in between.
type packView struct{ billy.Filesystem }

// ReadDir implements billy.Dir.
func (v packView) ReadDir(path string) ([]os.FileInfo, error) {
	list, err := v.Filesystem.ReadDir(path)
	if err != nil || filepath.Base(path) != "pack" {
		return list, err
	}
	indexed := make(map[string]bool, len(list))
	for _, info := range list {
		if name, ok := strings.CutSuffix(info.Name(), ".idx"); ok {
			indexed[name] = true
		}
	}
	return slices.DeleteFunc(list, func(info os.FileInfo) bool {
		name, ok := strings.CutSuffix(info.Name(), ".pack")
		return ok && !indexed[name]
	}), nil
}

// Chroot implements billy.Chroot: alternates are seen the same way.
func (v packView) Chroot(path string) (billy.Filesystem, error) {
	sub, err := v.Filesystem.Chroot(path)
	return packView{sub}, err
}

// read reads one object. The caller holds mu.
func (f *folder) read(id ID) (o Object, err error) {
	e, err := f.reader.EncodedObject(plumbing.AnyObject, plumbing.Hash(id))
	if err != nil {
		return Object{}, err
	}
	r, err := e.Reader()
	if err != nil {
		return Object{}, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	o = Object{ID: id, Kind: Kind(e.Type()), Data: make([]byte, e.Size())} // #nosec G115 -- go-git's kinds of objects are these eight
	if _, err := io.ReadFull(r, o.Data); err != nil {
		return Object{}, err
	}
	return o, nil
}

// manyObjects is how many objects go into one pack instead of a file each.
const manyObjects = 100

// add writes objects so that they survive a crash once it returns.
func (f *folder) add(out *Outgoing) error {
	if len(out.IDs) == 0 {
		return nil
	}
	if len(out.IDs) > manyObjects {
		return f.addPack(func(w io.Writer) (ID, []packed, error) { return writePack(w, out, false) })
	}
	folders := make([]string, len(out.IDs)+1)
	folders[len(out.IDs)] = filepath.Join(f.dir, "objects")
	err := together(len(out.IDs), func(i int) error {
		o, err := out.Object(out.IDs[i])
		if err != nil {
			return err
		}
		if folders[i], err = f.addLoose(o); err != nil {
			return fmt.Errorf("write object %s: %w", o.ID, err)
		}
		return nil
	})
	if err != nil {
		return err
	}
	slices.Sort(folders)
	folders = slices.Compact(folders)
	return together(len(folders), func(i int) error { return syncDir(folders[i]) })
}

// together calls do for 0 to n-1, many at a time: file systems make one wait of syncs that come together.
func together(n int, do func(i int) error) error {
	errs := make([]error, n)
	var wg sync.WaitGroup
	slots := make(chan struct{}, 32)
	for i := range n {
		slots <- struct{}{}
		wg.Go(func() {
			errs[i] = do(i)
			<-slots
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// addLoose writes one object as a file of its own and returns the folder it is in.
func (f *folder) addLoose(o Object) (string, error) {
	name := o.ID.String()
	dir := filepath.Join(f.dir, "objects", name[:2])
	path := filepath.Join(dir, name[2:])
	now := time.Now()
	if err := os.Chtimes(path, now, now); err == nil { // it is there: git gc must not take it for old
		return dir, nil
	}
	if err := os.MkdirAll(dir, 0o777); err != nil { // #nosec G301 -- a shared repository belongs to who its umask says, as with git
		return "", err
	}
	return dir, writeFile(path, 0o444, func(w io.Writer) error {
		z, err := zlib.NewWriterLevel(w, zlib.BestSpeed)
		if err != nil {
			return err
		}
		if _, err := io.WriteString(z, o.Kind.String()+" "+strconv.Itoa(len(o.Data))+"\x00"); err != nil {
			return err
		}
		if _, err := z.Write(o.Data); err != nil {
			return err
		}
		return z.Close()
	})
}

// addPack writes a pack and its index, the pack first: readers look for indexes.
func (f *folder) addPack(write func(io.Writer) (ID, []packed, error)) (err error) {
	dir := filepath.Join(f.dir, "objects", "pack")
	if err := os.MkdirAll(dir, 0o777); err != nil { // #nosec G301 -- a shared repository belongs to who its umask says, as with git
		return err
	}
	tmp, err := os.CreateTemp(dir, "tmp_pack_")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, tmp.Close(), os.Remove(tmp.Name()))
		}
	}()
	buf := bufio.NewWriterSize(tmp, 64<<10)
	sum, entries, err := write(buf)
	if err != nil {
		return err
	}
	if err := buf.Flush(); err != nil {
		return err
	}
	base := filepath.Join(dir, "pack-"+sum.String())
	if err := errors.Join(tmp.Chmod(0o444), tmp.Sync()); err != nil {
		return err
	}
	if err := os.Rename(tmp.Name(), base+".pack"); err != nil {
		return err
	}
	if err := tmp.Close(); err != nil {
		return fmt.Errorf("write pack: %w", err)
	}
	if err := writeFile(base+".idx", 0o444, func(w io.Writer) error { return writeIndex(w, sum, entries) }); err != nil {
		return err
	}
	if err := syncDir(dir); err != nil {
		return err
	}
	f.refresh()
	return nil
}

// writeFile makes a file whole or not at all: written beside its place, synced, and renamed.
func writeFile(path string, mode os.FileMode, write func(io.Writer) error) (err error) {
	tmp, err := os.CreateTemp(filepath.Dir(path), "tmp_obj_")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(tmp.Name()))
		}
	}()
	if err := errors.Join(write(tmp), tmp.Chmod(mode), tmp.Sync(), tmp.Close()); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), path)
}

// syncDir makes renames in a folder survive a crash.
func syncDir(dir string) error {
	d, err := os.Open(dir) // #nosec G304 -- below the repository that the operator named
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
