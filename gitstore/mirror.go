package gitstore

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/packfile"
)

// A mirror is the disposable copy of a remote in a folder: a bare repository that native git can read, holding packs
// only. Its packed-refs are the promise that everything reachable from them is there. One process owns it at a time.
type mirror struct {
	*folder
	url  string
	lock *os.File
}

const (
	mirrorMark = "driftback.url"  // says that a folder is a mirror, and of what
	mirrorLock = "driftback.lock" // held by the owner
	maxPacks   = 50               // beyond, the small ones become one
	bigPack    = 64 << 20         // bytes of a pack that is left alone, unless they too are many
)

// openMirror opens the mirror of url in a folder, making it if it is not there. It is empty, with no refs, if the folder held
// another one or a damaged one. A folder with something else in it is refused.
func openMirror(dir, url string) (*mirror, Refs, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, nil, err
	}
	list, err := os.ReadDir(dir)
	if err != nil {
		return nil, nil, err
	}
	mark, err := os.ReadFile(filepath.Join(dir, mirrorMark)) // #nosec G304 -- below the folder that the operator named
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, nil, err
	}
	started := slices.ContainsFunc(list, func(e os.DirEntry) bool { return e.Name() == mirrorLock })
	if mark == nil && len(list) > 0 && !started {
		return nil, nil, fmt.Errorf("%s: is not empty and not a mirror", dir)
	}
	lock, err := os.OpenFile(filepath.Join(dir, mirrorLock), os.O_CREATE|os.O_RDWR, 0o600) // #nosec G304 -- below the folder that the operator named
	if err != nil {
		return nil, nil, err
	}
	if err := tryFlock(lock); err != nil {
		return nil, nil, errors.Join(fmt.Errorf("%s: in use by another process: %w", dir, err), lock.Close())
	}
	m := &mirror{url: url, lock: lock, folder: &folder{dir: dir}}
	if strings.TrimSpace(string(mark)) == url {
		m.folder = openFolder(dir)
		if refs, err := m.check(); err == nil {
			return m, refs, nil
		}
		if err := m.folder.close(); err != nil {
			return nil, nil, errors.Join(err, unlock(lock))
		}
	}
	if err := m.wipe(); err != nil {
		return nil, nil, errors.Join(err, unlock(lock))
	}
	m.folder = openFolder(dir)
	return m, Refs{}, nil
}

// empty makes an open mirror empty.
func (m *mirror) empty() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	err := m.wipe()
	m.reopen()
	return err
}

// wipe makes the files of an empty mirror. The mark goes first and comes last, so that what was cut off is wiped again.
func (m *mirror) wipe() error {
	for _, name := range []string{mirrorMark, "packed-refs", "objects", "refs"} {
		if err := os.RemoveAll(filepath.Join(m.dir, name)); err != nil {
			return err
		}
	}
	for _, name := range []string{"objects/pack", "objects/info", "refs/heads"} {
		if err := os.MkdirAll(filepath.Join(m.dir, name), 0o700); err != nil {
			return err
		}
	}
	for _, f := range []struct{ name, content string }{
		{"config", "[core]\n\trepositoryformatversion = 0\n\tbare = true\n"},
		{"HEAD", "ref: refs/heads/main\n"},
		{mirrorMark, m.url + "\n"},
	} {
		if err := m.file(f.name, f.content); err != nil {
			return err
		}
	}
	return nil
}

func (m *mirror) file(name, content string) error {
	return writeFile(filepath.Join(m.dir, name), 0o600, func(w io.Writer) error {
		_, err := io.WriteString(w, content)
		return err
	})
}

// check returns the mirror's refs after a look at whether it is sound: every pack has an index that can be read, and
// every ref a commit and a tree.
func (m *mirror) check() (Refs, error) {
	raw, err := os.ReadFile(filepath.Join(m.dir, "packed-refs"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	refs, err := parsePacked(string(raw))
	if err != nil {
		return nil, err
	}
	for name, id := range refs {
		if err := m.sound(id); err != nil {
			return nil, fmt.Errorf("ref %s: %w", name, err)
		}
	}
	packs, err := m.list()
	if err != nil {
		return nil, err
	}
	for _, p := range packs {
		if info, err := os.Stat(p.path(".idx")); err != nil || info.Size() == 0 {
			return nil, fmt.Errorf("%s: has no index", p.path(".pack"))
		}
	}
	return refs, m.sweep()
}

// sound reads what a ref names.
func (m *mirror) sound(id ID) error {
	o, err := m.object(id)
	if err != nil || o.Kind != KindCommit {
		return err
	}
	c, err := parseCommit(o)
	if err != nil {
		return err
	}
	_, err = m.object(c.Tree)
	return err
}

// sweep removes what writes that were cut off left behind.
func (m *mirror) sweep() error {
	for _, pattern := range []string{"tmp_*", "objects/pack/tmp_*", "objects/pack/*.tmp"} {
		names, err := filepath.Glob(filepath.Join(m.dir, pattern))
		if err != nil {
			return err
		}
		for _, name := range names {
			if err := os.Remove(name); err != nil {
				return err
			}
		}
	}
	return nil
}

// promise notes that everything reachable from the refs is in the mirror.
func (m *mirror) promise(refs Refs) error {
	names := make([]string, 0, len(refs))
	for name := range refs {
		names = append(names, name)
	}
	slices.Sort(names)
	var b strings.Builder
	b.WriteString("# pack-refs with: sorted \n")
	for _, name := range names {
		b.WriteString(refs[name].String() + " " + name + "\n")
	}
	if err := m.file("packed-refs", b.String()); err != nil {
		return err
	}
	return syncDir(m.dir)
}

// receive adds a pack that a server sent.
func (m *mirror) receive(r io.Reader) error {
	before, err := m.list()
	if err != nil {
		return err
	}
	m.mu.Lock()
	err = packfile.UpdateObjectStorage(m.reader, r)
	m.mu.Unlock()
	if err != nil && !errors.Is(err, packfile.ErrEmptyPackfile) {
		return err
	}
	after, err := m.list()
	if err != nil {
		return err
	}
	for _, p := range after {
		if slices.Contains(before, p) {
			continue
		}
		if err := errors.Join(syncFile(p.path(".pack")), syncFile(p.path(".idx"))); err != nil {
			return err
		}
	}
	if err := syncDir(filepath.Join(m.dir, "objects", "pack")); err != nil {
		return err
	}
	m.refresh()
	return m.tidy(after)
}

func syncFile(path string) error {
	f, err := os.Open(path) // #nosec G304 -- below the folder that the operator named
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// A packName is a pack on disk.
type packName struct {
	base string // path without .pack
	size int64
}

func (p packName) path(ext string) string { return p.base + ext }

// list returns the packs, the smallest first.
func (m *mirror) list() ([]packName, error) {
	list, err := os.ReadDir(filepath.Join(m.dir, "objects", "pack"))
	if err != nil {
		return nil, err
	}
	var packs []packName
	for _, e := range list {
		base, ok := strings.CutSuffix(e.Name(), ".pack")
		if !ok {
			continue
		}
		info, err := e.Info()
		if err != nil {
			return nil, err
		}
		packs = append(packs, packName{filepath.Join(m.dir, "objects", "pack", base), info.Size()})
	}
	slices.SortFunc(packs, func(a, b packName) int { return int(a.size - b.size) })
	return packs, nil
}

// tidy makes one pack of the small ones when there are too many: readers ask every pack for every object.
func (m *mirror) tidy(packs []packName) error {
	if len(packs) <= maxPacks {
		return nil
	}
	small := len(packs)
	for small > maxPacks/2 && packs[small-1].size >= bigPack {
		small--
	}
	if err := m.join(packs[:small]); err != nil {
		return fmt.Errorf("join %d packs: %w", small, err)
	}
	return nil
}

// join replaces packs by one. Their entries are copied as they are: a delta names its base by id or by how far
// before it stands, and both stay true.
func (m *mirror) join(packs []packName) error {
	err := m.addPack(func(w io.Writer) (ID, []packed, error) { return joinPacks(w, packs) })
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, p := range packs {
		if err := errors.Join(os.Remove(p.path(".idx")), os.Remove(p.path(".pack"))); err != nil {
			return err
		}
	}
	m.reopen()
	return nil
}

// close gives the folder free.
func (m *mirror) close() error { return errors.Join(m.folder.close(), unlock(m.lock)) }

// damaged reports whether an error of reading an object means that the mirror is not what it promises.
func damaged(err error) bool {
	return err != nil && !errors.Is(err, ErrMissing) && !errors.Is(err, plumbing.ErrInvalidType)
}
