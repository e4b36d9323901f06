//go:build unix

package directory_test

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/driftback/driftback/vendors"
	"github.com/driftback/driftback/vendors/directory"
	"github.com/driftback/driftback/vendors/resource"
)

func apply(t *testing.T, d vendors.Driver, before, after *resource.Resource) error {
	t.Helper()
	_, err := d.Apply(t.Context(), resource.Change{Before: before, After: after})
	return err
}

func TestModeAndOwnerAreKept(t *testing.T) {
	t.Parallel()
	r := newTree(t)
	r.write("a", "old")
	require.NoError(t, os.Chmod(r.path("a"), 0o604))
	if os.Getuid() == 0 {
		require.NoError(t, os.Chown(r.path("a"), 1234, 4321))
	}
	d := r.open(func(c *directory.Config) { c.FileMode = 0o640 })
	require.NoError(t, apply(t, d, res("a", "old"), res("a", "new")))
	require.NoError(t, apply(t, d, nil, res("sub/deep/b", "b")))
	a, err := os.Stat(r.path("a"))
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o604), a.Mode().Perm())
	if os.Getuid() == 0 {
		require.Equal(t, uint32(1234), a.Sys().(*syscall.Stat_t).Uid)
		require.Equal(t, uint32(4321), a.Sys().(*syscall.Stat_t).Gid)
	}
	b, err := os.Stat(r.path("sub/deep/b"))
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o640), b.Mode().Perm())
	require.Equal(t, []string{"a", "sub/deep/b"}, r.files(), "nothing is left over")
}

func TestFoldersThatADeletionEmptiedGo(t *testing.T) {
	t.Parallel()
	r := newTree(t)
	r.write("one/two/a", "a")
	r.write("one/b", "b")
	d := r.open()
	require.NoError(t, apply(t, d, res("one/two/a", "a"), nil))
	require.NoDirExists(t, r.path("one/two"))
	require.NoError(t, apply(t, d, res("one/b", "b"), res("three/b", "b")))
	require.NoDirExists(t, r.path("one"))
	require.NoError(t, apply(t, d, res("three/b", "b"), nil))
	require.DirExists(t, r.root)
	require.Empty(t, r.files())
}

func TestFolderInTheWay(t *testing.T) {
	t.Parallel()
	r := newTree(t)
	r.write("a/b", "b")
	r.write("c", "c")
	d := r.open()
	require.ErrorIs(t, apply(t, d, nil, res("a", "x")), vendors.ErrInvalid)
	require.ErrorIs(t, apply(t, d, nil, res("c/d", "x")), vendors.ErrInvalid)
	s, err := d.Read(t.Context(), []resource.Key{file("c/d"), file("a")})
	require.NoError(t, err)
	require.True(t, s.Covers(file("c/d")), "nothing is below a file")
	require.False(t, s.Covers(file("a")))
	require.Equal(t, []string{"a/b", "c"}, r.files())
}

// Somebody who has opened a file for writing may write into it at any moment: it
// is not taken away from under them.
func TestFileThatIsOpenForWritingIsLeftAlone(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]resource.Change{
		"update": {Before: res("a", "old"), After: res("a", "new")},
		"delete": {Before: res("a", "old")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newTree(t)
			r.write("a", "old")
			d := r.open()
			if !d.Kinds()[0].Can.Guard {
				t.Skip("this file system does not guard")
			}
			editor, err := os.OpenFile(r.path("a"), os.O_RDWR, 0)
			require.NoError(t, err)
			_, err = d.Apply(t.Context(), c)
			require.ErrorIs(t, err, vendors.ErrConflict)
			_, err = editor.WriteString("theirs")
			require.NoError(t, err)
			require.NoError(t, editor.Close())
			require.Equal(t, "theirs", r.read("a"))
			require.Equal(t, []string{"a"}, r.files())
		})
	}
}

// What a change that was cut off leaves behind is put in order by the next start, and by the next change.
func TestLeftovers(t *testing.T) {
	t.Parallel()
	digits := func(content string) string { return resource.RawSpec([]byte(content)).Hash().String()[:12] }
	temp := func(before, after string) string { return ".driftback-0badcafe-" + before + "-" + after + "-a.yml" }
	none := strings.Repeat("0", 12)
	for name, c := range map[string]struct {
		temp, moved string // the temporary file and what it holds
		there       string // what stands in the place of a.yml; "" nothing
		want        map[string]string
	}{
		"half-written":                    {".driftback-0badcafe.tmp", "ne", "old", map[string]string{"a.yml": "old"}},
		"create, before":                  {temp(none, digits("new")), "new", "", map[string]string{}},
		"update, before the exchange":     {temp(digits("old"), digits("new")), "new", "old", map[string]string{"a.yml": "old"}},
		"update, after the exchange":      {temp(digits("old"), digits("new")), "old", "new", map[string]string{"a.yml": "new"}},
		"update, theirs came out":         {temp(digits("old"), digits("new")), "theirs", "new", map[string]string{"a.yml": "theirs"}},
		"update, theirs came out, edited": {temp(digits("old"), digits("new")), "theirs", "later", map[string]string{"a.yml": "later", "a.yml.driftback-saved-0badcafe": "theirs"}},
		"update, theirs came out, gone":   {temp(digits("old"), digits("new")), "theirs", "", map[string]string{"a.yml": "theirs"}},
		"delete, before the look":         {temp(digits("old"), none), "old", "", map[string]string{"a.yml": "old"}},
		"delete, theirs":                  {temp(digits("old"), none), "theirs", "", map[string]string{"a.yml": "theirs"}},
		"delete, put there again":         {temp(digits("old"), none), "theirs", "later", map[string]string{"a.yml": "later", "a.yml.driftback-saved-0badcafe": "theirs"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, while := range []string{"closed", "open"} {
				r := newTree(t)
				r.write("other", "x")
				d := r.open()
				if while == "closed" {
					require.NoError(t, d.Close())
				}
				r.write("sub/"+c.temp, c.moved)
				if c.there != "" {
					r.write("sub/a.yml", c.there)
				}
				if while == "closed" {
					d = r.open()
				} else {
					s := observe(t, d, nil)
					require.Equal(t, c.there != "" || c.temp == ".driftback-0badcafe.tmp", s.Covers(file("sub/a.yml")))
					require.NoError(t, apply(t, d, res("other", "x"), res("other", "y")))
				}
				require.NoError(t, os.Remove(r.path("other")))
				got := map[string]string{}
				for _, f := range r.files() {
					got[strings.TrimPrefix(f, "sub/")] = r.read(f)
				}
				require.Equal(t, c.want, got, while)
				require.NoError(t, d.Close())
			}
		})
	}
}

// People save files by every means while two drivers create, change and delete them.
// Whatever anybody wrote is either there, or was read by a driver before it gave way.
func TestNoEditIsLostAmongManyHands(t *testing.T) {
	t.Parallel()
	r := newTree(t)
	exclude := func(c *directory.Config) { c.Exclude = []string{"**/*~"} }
	drivers := []vendors.Driver{r.open(exclude), r.open(exclude)}
	if !drivers[0].Kinds()[0].Can.Guard {
		t.Skip("this file system does not guard")
	}
	const files, edits = 3, 24
	var (
		mu   sync.Mutex
		seen = map[string]bool{} // contents that a driver has read
	)
	note := func(s string) { mu.Lock(); defer mu.Unlock(); seen[s] = true }
	known := func(s string) bool { mu.Lock(); defer mu.Unlock(); return seen[s] }
	stop := make(chan struct{})
	var machines, people sync.WaitGroup
	errs := make(chan error, 100)
	for i, d := range drivers {
		machines.Go(func() { errs <- churn(t, d, i, files, stop, note) })
	}
	for f := range files {
		people.Go(func() { errs <- edit(r, f, edits, known) })
	}
	people.Wait()
	close(stop)
	machines.Wait()
	close(errs)
	for err := range errs {
		require.NoError(t, err)
	}
	for _, f := range r.files() {
		require.NotContains(t, f, ".driftback-0", "a temporary file is left over")
	}
}

// churn changes, deletes, renames and creates the files without pause, each time against what it has just read.
func churn(t *testing.T, d vendors.Driver, me, files int, stop <-chan struct{}, note func(string)) error {
	for n := 0; ; n++ {
		select {
		case <-stop:
			return nil
		default:
		}
		name := fmt.Sprint("f", n%files)
		s, err := d.Read(t.Context(), []resource.Key{file(name)})
		if err != nil && !strings.Contains(err.Error(), "changed while") {
			return err
		}
		if s == nil || !s.Covers(file(name)) {
			continue
		}
		live, err := s.Resource(file(name))
		if err != nil {
			return err
		}
		c := resource.Change{Before: live, After: res(name, fmt.Sprint("machine ", me, " ", n))}
		if live != nil {
			note(live.Spec[resource.Content].(string))
			if n%3 == 0 {
				c.After = nil
			}
		}
		if _, err := d.Apply(t.Context(), c); err != nil && !errors.Is(err, vendors.ErrConflict) && !strings.Contains(err.Error(), "changed while") {
			return err
		}
	}
}

// edit writes a file again and again, by two means in turn, and waits each time until the edit was read or still stands.
func edit(r tree, f, edits int, known func(string) bool) error {
	name := fmt.Sprint("f", f)
	for n := range edits {
		content := fmt.Sprint("person ", f, " ", n)
		if n%2 == 0 {
			if err := os.WriteFile(r.path(name), []byte(content), 0o644); err != nil {
				return err
			}
		} else {
			if err := os.WriteFile(r.path(name)+"~", []byte(content), 0o644); err != nil {
				return err
			}
			if err := os.Rename(r.path(name)+"~", r.path(name)); err != nil {
				return err
			}
		}
		for try := 0; !known(content); try++ {
			if b, err := os.ReadFile(r.path(name)); err == nil && string(b) != content && try > 5000 {
				return fmt.Errorf("%q was overwritten by %q, and nobody has read it", content, b)
			}
			runtime.Gosched()
		}
	}
	return nil
}

func TestNameLikeOursThatIsNone(t *testing.T) {
	t.Parallel()
	r := newTree(t)
	none := strings.Repeat("0", 12)
	require.NoError(t, os.MkdirAll(r.path(".driftback-0badcafe-"+none+"-"+none+"-folder"), 0o755))
	require.NoError(t, os.Symlink("/etc/passwd", r.path(".driftback-0badcafe-"+none+"-"+none+"-link")))
	r.write(".driftback-notes", "theirs")
	d := r.open()
	require.Zero(t, observe(t, d, nil).Len())
	require.NoError(t, apply(t, d, nil, res("a", "a")))
	require.Equal(t, "theirs", r.read(".driftback-notes"))
	require.Len(t, r.files(), 3)
}
