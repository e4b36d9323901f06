//go:build unix

package directory

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/driftback/driftback/vendors"
	"github.com/driftback/driftback/vendors/resource"
)

// A scan is one walk through the tree.
type scan struct {
	d        *Driver
	root     int
	known    *resource.Snapshot
	now      time.Time
	pass     uint64
	b        resource.Builder
	exclude  []string
	unknown  map[resource.Key]string
	errs     []error
	unsettle time.Duration
	listed   map[string]bool // names that are there, known or not
}

// Observe walks the tree. A folder that cannot be read is excluded from the scope and named
// in the error; a file that cannot be read, is no regular file, is too large, is
// still being written or has a name that Git cannot hold is Unknown.
func (d *Driver) Observe(ctx context.Context, r vendors.Request) (*resource.Snapshot, error) {
	if r.Kinds != nil && !slices.Contains(r.Kinds, Kind) {
		return resource.SnapshotOf(resource.Options{Tenant: d.tenant}), nil
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("observe %s: %w", Kind, err)
	}
	fd, release, err := d.hold()
	if err != nil {
		return nil, fmt.Errorf("observe %s: %w", Kind, err)
	}
	defer release()
	s := &scan{
		d: d, root: fd, known: r.Known, now: d.now(), pass: d.cache.begin(),
		unknown: map[resource.Key]string{}, listed: make(map[string]bool, r.Known.Len()),
	}
	if err := s.folder(ctx, fd, ""); err != nil {
		return nil, fmt.Errorf("observe %s: %w", Kind, err)
	}
	s.vanished()
	d.cache.end(s.pass, s.unsettle, s.now)
	scope := resource.Scope{
		Kinds: map[resource.Kind]resource.Cover{Kind: {
			Include: d.cover.include, Exclude: slices.Concat(d.cover.exclude, s.exclude), Partition: d.tenant,
		}},
		Unknown: s.unknown,
	}
	snap, _ := s.b.Snapshot(resource.Options{Scope: scope, Tenant: d.tenant})
	return snap, errors.Join(s.errs...)
}

// folder scans one folder and those below. Only the end of ctx and an unreadable root are errors.
func (s *scan) folder(ctx context.Context, parent int, rel string) error {
	base := path.Base(rel)
	if rel == "" {
		base = "."
	}
	fd, err := openat(parent, base, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	var list []string
	if err == nil {
		defer func() { _ = unix.Close(fd) }() // read only
		list, err = names(fd)
	}
	switch {
	case err != nil && rel == "":
		return err
	case errors.Is(err, fs.ErrNotExist):
		return nil // gone since the folder above was listed
	case err != nil:
		s.exclude = append(s.exclude, resource.QuoteGlob(rel)+"/**")
		s.errs = append(s.errs, fmt.Errorf("observe %s/%s: %w", Kind, rel, err))
		return nil
	}
	slices.Sort(list)
	for _, name := range list {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := s.entry(ctx, fd, name, path.Join(rel, name)); err != nil {
			return err
		}
	}
	return nil
}

// entry scans what is at name in the folder fd.
func (s *scan) entry(ctx context.Context, fd int, name, rel string) error {
	if isOurs(name) {
		s.leftover(fd, name, path.Dir(rel))
		return nil
	}
	if name == gitFolder {
		return nil
	}
	st, err := stat(fd, name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		s.unreadable(rel, err)
		return nil
	case st.dir():
		if s.d.cover.descend(rel) {
			return s.folder(ctx, fd, rel)
		}
		return nil
	case st.link() && leadsToFolder(fd, name) && s.d.cover.descend(rel):
		s.exclude = append(s.exclude, resource.QuoteGlob(rel)+"/**")
	}
	if s.d.cover.configured(rel) {
		s.file(fd, name, rel, st)
	}
	return nil
}

// file scans a file that the globs cover.
func (s *scan) file(fd int, name, rel string, st info) {
	s.listed[rel] = true
	key := resource.Key{Kind: Kind, Name: rel}
	reason := refuseName(rel)
	if reason == "" {
		reason = unfit(st, int64(s.d.c.MaxFileSize))
	}
	if reason != "" {
		s.unknown[key] = reason
		return
	}
	seen := s.d.cache.look(rel, st.stamp, s.pass, s.now)
	if wait := s.unsettled(seen); wait > 0 {
		s.unsettle = max(s.unsettle, wait)
		s.unknown[key] = "still being written"
		return
	}
	if seen.exact && !seen.hash.IsZero() && s.known.Hash(key) == seen.hash {
		s.b.Known(resource.Entry{Key: key, Hash: seen.hash, Origin: st.origin()})
		return
	}
	content, read, err := readListed(fd, name, st, int64(s.d.c.MaxFileSize))
	var unfit unfitError
	switch {
	case errors.Is(err, fs.ErrNotExist):
		delete(s.listed, rel) // gone since it was listed
		return
	case errors.Is(err, errChanged):
		s.unsettle = max(s.unsettle, time.Duration(*s.d.c.Settle))
		s.unknown[key] = err.Error()
		return
	case errors.As(err, &unfit):
		s.unknown[key] = unfit.Error()
		return
	case err != nil:
		s.unreadable(rel, err)
		return
	}
	spec := resource.RawSpec(content)
	h := spec.Hash()
	s.d.cache.learn(rel, read.stamp, h, false, s.now)
	if s.known.Hash(key) == h {
		s.b.Known(resource.Entry{Key: key, Hash: h, Origin: read.origin()})
		return
	}
	s.b.Add(resource.Resource{Key: key, Spec: spec, Origin: read.origin()})
}

// unsettled returns how long the file must still be left alone. It is whole once its last
// change, or our first sight of it, is settle ago: a clock that was set back keeps nothing waiting for ever.
func (s *scan) unsettled(f seen) time.Duration {
	settle := time.Duration(*s.d.c.Settle)
	if f.ours || settle == 0 {
		return 0
	}
	byClock := settle - s.now.Sub(time.Unix(0, f.ctime))
	bySight := settle - s.now.Sub(f.since)
	return min(byClock, bySight)
}

// vanished makes names unknown that are gone since a moment ago: an editor may be about to put the new file there.
func (s *scan) vanished() {
	settle := time.Duration(*s.d.c.Settle)
	if settle == 0 {
		return
	}
	waits := map[string]time.Duration{}
	for e := range s.known.Entries() {
		if e.Key.Kind != Kind || s.listed[e.Key.Name] || !s.d.cover.covers(e.Key.Name) || s.d.cache.removed(e.Key.Name) {
			continue
		}
		dir := path.Dir(e.Key.Name)
		wait, ok := waits[dir]
		if !ok {
			wait = settle - s.now.Sub(s.changed(dir))
			waits[dir] = wait
		}
		if wait > 0 && wait <= settle {
			s.unsettle = max(s.unsettle, wait)
			s.unknown[e.Key] = "gone a moment ago"
		}
	}
}

// changed returns when the folder, or what is left of the way to it, last changed.
func (s *scan) changed(dir string) time.Time {
	for {
		fd, err := openFolder(s.root, dir)
		if err == nil {
			st, err := stat(fd, "")
			_ = unix.Close(fd)
			if err == nil {
				return time.Unix(0, st.mtime)
			}
		}
		if dir == "." {
			return time.Time{}
		}
		dir = path.Dir(dir)
	}
}

// leftover makes the file unknown that a change of ours, cut off, has moved aside; the next change, or Open, puts it back.
func (s *scan) leftover(fd int, name, dir string) {
	t, finished := parseTemp(name)
	if !finished {
		if strings.HasSuffix(name, tempSuffix) {
			s.d.cache.leave()
		}
		return
	}
	rel := path.Join(dir, t.base)
	if _, err := stat(fd, t.base); errors.Is(err, fs.ErrNotExist) && s.d.cover.covers(rel) {
		s.unknown[resource.Key{Kind: Kind, Name: rel}] = "a change that was cut off has moved it aside"
	}
	s.d.cache.leave()
}

func (s *scan) unreadable(rel string, err error) {
	s.unknown[resource.Key{Kind: Kind, Name: rel}] = err.Error()
	s.listed[rel] = true
	s.errs = append(s.errs, fmt.Errorf("observe %s/%s: %w", Kind, rel, err))
}

// leadsToFolder reports whether a link points to a folder: what lies behind it is not looked at then.
func leadsToFolder(fd int, name string) bool {
	var st unix.Stat_t
	err := unix.Fstatat(fd, name, &st, 0)
	return err == nil && st.Mode&unix.S_IFMT == unix.S_IFDIR
}

// Read returns the files named, whether settled or not.
func (d *Driver) Read(ctx context.Context, keys []resource.Key) (*resource.Snapshot, error) {
	fd, release, err := d.hold()
	if err != nil {
		return nil, fmt.Errorf("read: %w", err)
	}
	defer release()
	var b resource.Builder
	var errs []error
	var covered []string
	unknown := map[resource.Key]string{}
	asked := map[resource.Key]bool{}
	for _, k := range keys {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("read: %w", err)
		}
		if k.Kind != Kind || asked[k] || !d.cover.covers(k.Name) {
			continue
		}
		asked[k] = true
		covered = append(covered, resource.QuoteGlob(k.Name))
		r, err := d.read(fd, k)
		var unfit unfitError
		switch {
		case err == nil && r != nil:
			b.Add(*r)
		case err == nil:
		case errors.As(err, &unfit):
			unknown[k] = unfit.Error()
		default:
			unknown[k] = err.Error()
			errs = append(errs, fmt.Errorf("read %s: %w", k, err))
		}
	}
	scope := resource.Scope{Unknown: unknown}
	if len(covered) > 0 {
		scope.Kinds = map[resource.Kind]resource.Cover{Kind: {Include: covered, Partition: d.tenant}}
	}
	s, _ := b.Snapshot(resource.Options{Scope: scope, Tenant: d.tenant})
	return s, errors.Join(errs...)
}

// read returns one file; nil where there is none.
func (d *Driver) read(root int, k resource.Key) (*resource.Resource, error) {
	if reason := refuseName(k.Name); reason != "" {
		return nil, unfitError(reason)
	}
	dir, base := path.Split(k.Name)
	fd, err := openFolder(root, path.Clean(dir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = unix.Close(fd) }() // read only
	for try := 0; ; try++ {
		content, st, err := readFile(fd, base, int64(d.c.MaxFileSize))
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil, nil
		case errors.Is(err, errChanged) && try < 3:
			continue
		case err != nil:
			return nil, err
		}
		return &resource.Resource{Key: k, Spec: resource.RawSpec(content), Origin: st.origin()}, nil
	}
}
