package gitstore

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// A local is a bare repository that is a folder of this machine. Objects are read in place. Refs move as git itself moves
// them (git's refs/files-backend), so that git commands and other Stores may work on it at the same time.
// Hooks do not run.
type local struct {
	dir     string
	objects *folder
}

// openLocal opens a bare repository.
func openLocal(dir string) (*local, error) {
	for _, name := range []string{"HEAD", "objects", "refs"} {
		_, err := os.Stat(filepath.Join(dir, name))
		if errors.Is(err, os.ErrNotExist) {
			return nil, fmt.Errorf("%s: is not a bare Git repository: has no %s (git init --bare makes one)", dir, name)
		}
		if err != nil {
			return nil, err
		}
	}
	config, err := os.ReadFile(filepath.Join(dir, "config")) // #nosec G304 -- below the repository that the operator named
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	for line := range strings.SplitSeq(strings.ToLower(string(config)), "\n") {
		key, value, _ := strings.Cut(line, "=")
		key, value = strings.TrimSpace(key), strings.TrimSpace(value)
		if (key == "objectformat" && value != "sha1") || (key == "refstorage" && value != "files") {
			return nil, fmt.Errorf("%s: %s %s is not supported", dir, key, value)
		}
	}
	return &local{dir: dir, objects: openFolder(dir)}, nil
}

// String returns the folder.
func (l *local) String() string { return l.dir }

// Refs implements Remote.
func (l *local) Refs(ctx context.Context) (Refs, bool, error) {
	if err := ctx.Err(); err != nil {
		return nil, false, err
	}
	refs, links := Refs{}, map[string]string{}
	// Loose before packed: a ref that is packed meanwhile is then seen at least once.
	if err := l.loose("refs", refs, links); err != nil {
		return nil, false, err
	}
	packed, err := l.packed()
	if err != nil {
		return nil, false, err
	}
	for name, id := range packed {
		if _, ok := refs[name]; !ok && links[name] == "" {
			refs[name] = id
		}
	}
	for name, target := range links {
		if id, ok := refs[target]; ok {
			refs[name] = id
		}
	}
	return refs, true, nil
}

// loose adds the refs that have a file of their own at or below a folder.
func (l *local) loose(folder string, refs Refs, links map[string]string) error {
	list, err := os.ReadDir(filepath.Join(l.dir, folder))
	if errors.Is(err, os.ErrNotExist) && folder != "refs" { // removed as its last ref was
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range list {
		name := folder + "/" + e.Name()
		switch {
		case e.IsDir():
			if err := l.loose(name, refs, links); err != nil {
				return err
			}
		case strings.HasSuffix(name, ".lock"):
		default:
			id, link, err := l.read(name)
			switch {
			case errors.Is(err, os.ErrNotExist): // deleted or packed meanwhile
			case err != nil:
				return err
			case link != "":
				links[name] = link
			default:
				refs[name] = id
			}
		}
	}
	return nil
}

// read returns what a ref's own file says: an id, or the ref it links to.
func (l *local) read(name string) (id ID, link string, err error) {
	raw, err := os.ReadFile(filepath.Join(l.dir, filepath.FromSlash(name)))
	if err != nil {
		return ID{}, "", err
	}
	text := strings.TrimSpace(string(raw))
	if target, ok := strings.CutPrefix(text, "ref:"); ok {
		return ID{}, strings.TrimSpace(target), nil
	}
	if id, err = ParseID(text); err != nil {
		return ID{}, "", fmt.Errorf("read ref %s: %w", name, err)
	}
	return id, "", nil
}

// packed reads the file packed-refs.
func (l *local) packed() (Refs, error) {
	raw, err := os.ReadFile(filepath.Join(l.dir, "packed-refs"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	return parsePacked(string(raw))
}

// parsePacked reads the content of a file packed-refs.
func parsePacked(raw string) (Refs, error) {
	refs := Refs{}
	for line := range strings.Lines(raw) {
		if line[0] == '#' || line[0] == '^' { // header, and what a tag names
			continue
		}
		hex, name, ok := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		id, err := ParseID(hex)
		if !ok || err != nil || !strings.HasSuffix(line, "\n") {
			return nil, fmt.Errorf("read packed-refs: line %q is damaged", line)
		}
		refs[name] = id
	}
	return refs, nil
}

// Fetch implements Remote. There is nothing to bring: objects are read in place.
func (l *local) Fetch(context.Context, Sink, []ID, []ID) error { return nil }

// Push implements Remote: objects first, then the locks of all refs, then their values are compared, then all move.
func (l *local) Push(ctx context.Context, ups []Update, out *Outgoing) (err error) {
	if err := ctx.Err(); err != nil {
		return notSent{err}
	}
	if err := l.objects.add(out); err != nil {
		return notSent{err}
	}
	for _, u := range ups {
		if u.New.IsZero() {
			continue
		}
		if _, err := l.objects.object(u.New); err != nil {
			return notSent{fmt.Errorf("ref %s: %w", u.Ref, err)}
		}
	}
	ups = slices.Clone(ups)
	slices.SortFunc(ups, func(a, b Update) int { return strings.Compare(a.Ref, b.Ref) }) // one order for all: no deadlock
	locks, err := l.locks()
	if err != nil {
		return notSent{err}
	}
	defer func() { err = errors.Join(err, locks.release()) }()
	for _, u := range ups {
		if err := locks.take(ctx, u.Ref); err != nil {
			return notSent{err}
		}
	}
	if slices.ContainsFunc(ups, func(u Update) bool { return u.New.IsZero() }) {
		if err := locks.take(ctx, "packed-refs"); err != nil {
			return notSent{err}
		}
	}
	if err := l.compare(ups); err != nil {
		return notSent{err}
	}
	for _, u := range ups {
		if u.New.IsZero() {
			continue
		}
		if err := locks.write(u.Ref, u.New.String()+"\n"); err != nil {
			return notSent{err}
		}
	}
	return l.move(locks, ups)
}

// compare checks that every ref is at Old and that no ref is a folder of another. The caller holds their locks.
func (l *local) compare(ups []Update) error {
	moving := map[string]bool{}
	for _, u := range ups {
		moving[u.Ref] = true
	}
	values := make([]ID, len(ups))
	for i, u := range ups { // loose before packed, as Refs reads them
		id, link, err := l.read(u.Ref)
		switch {
		case link != "":
			return fmt.Errorf("ref %s: is a link to %s: %w", u.Ref, link, ErrRefused)
		case err == nil:
			values[i] = id
		case !absent(err):
			return err
		}
	}
	packed, err := l.packed()
	if err != nil {
		return err
	}
	for i, u := range ups {
		if values[i].IsZero() {
			values[i] = packed[u.Ref]
		}
		if values[i] != u.Old {
			return fmt.Errorf("ref %s: is at %.10s, not %.10s: %w", u.Ref, values[i], u.Old, ErrStale)
		}
		if !u.Old.IsZero() {
			continue
		}
		if other, err := l.beside(u.Ref, packed); other != "" || err != nil {
			return errors.Join(fmt.Errorf("ref %s: cannot stand beside %s: %w", u.Ref, other, ErrRefused), err)
		}
		for other := range moving {
			if strings.HasPrefix(other, u.Ref+"/") {
				return fmt.Errorf("ref %s: cannot stand beside %s: %w", u.Ref, other, ErrRefused)
			}
		}
	}
	return nil
}

// absent reports whether an error of reading a ref's file means that it has none: there may be a folder in its place.
func absent(err error) bool {
	return errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.EISDIR) || errors.Is(err, syscall.ENOTDIR)
}

// beside returns a ref that has name as a folder, or that is a folder of name; "" if none.
func (l *local) beside(name string, packed Refs) (string, error) {
	for i := range name {
		if name[i] != '/' {
			continue
		}
		if _, ok := packed[name[:i]]; ok {
			return name[:i], nil
		}
		if info, err := os.Stat(filepath.Join(l.dir, filepath.FromSlash(name[:i]))); err == nil && !info.IsDir() {
			return name[:i], nil
		}
	}
	for other := range packed {
		if strings.HasPrefix(other, name+"/") {
			return other, nil
		}
	}
	below, links := Refs{}, map[string]string{}
	if info, err := os.Stat(filepath.Join(l.dir, filepath.FromSlash(name))); err != nil || !info.IsDir() {
		return "", nil
	}
	if err := l.loose(name, below, links); err != nil {
		return "", err
	}
	for other := range below {
		return other, nil
	}
	return "", nil
}

// move gives the refs their new values. The caller holds the locks and has written the values into them.
func (l *local) move(locks *locks, ups []Update) error {
	var gone []string
	for _, u := range ups {
		if u.New.IsZero() {
			gone = append(gone, u.Ref)
		}
	}
	if len(gone) > 0 {
		if err := l.unpack(locks, gone); err != nil {
			return err
		}
	}
	for _, u := range ups {
		path := filepath.Join(l.dir, filepath.FromSlash(u.Ref))
		if u.New.IsZero() {
			if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
				return err
			}
			continue
		}
		removeEmpty(path)
		if err := locks.publish(u.Ref); err != nil {
			return err
		}
	}
	for _, u := range ups {
		if err := syncDir(filepath.Dir(filepath.Join(l.dir, filepath.FromSlash(u.Ref)))); err != nil {
			return err
		}
	}
	return nil
}

// unpack takes refs out of packed-refs, whose lock the caller holds.
func (l *local) unpack(locks *locks, gone []string) error {
	raw, err := os.ReadFile(filepath.Join(l.dir, "packed-refs"))
	if err != nil {
		if errors.Is(err, os.ErrNotExist) {
			return nil
		}
		return err
	}
	var kept strings.Builder
	dropped, found := false, false
	for line := range strings.Lines(string(raw)) {
		if line[0] != '^' { // such a line belongs to the ref before it
			_, name, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
			dropped = line[0] != '#' && slices.Contains(gone, name)
			found = found || dropped
		}
		if !dropped {
			kept.WriteString(line)
		}
	}
	if !found {
		return nil
	}
	if err := locks.write("packed-refs", kept.String()); err != nil {
		return err
	}
	return errors.Join(locks.publish("packed-refs"), syncDir(l.dir))
}

// removeEmpty removes folders without refs that stand where a ref shall be. What is not empty stays.
func removeEmpty(path string) {
	list, err := os.ReadDir(path)
	if err != nil {
		return
	}
	for _, e := range list {
		if e.IsDir() {
			removeEmpty(filepath.Join(path, e.Name()))
		}
	}
	_ = os.Remove(path)
}

// notSent says that a push failed before anything could move.
type notSent struct{ error }

func (n notSent) Unwrap() error { return n.error }
