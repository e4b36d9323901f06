//go:build unix

package directory_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/driftback/driftback/vendors"
	"github.com/driftback/driftback/vendors/directory"
	"github.com/driftback/driftback/vendors/resource"
)

// observe lists, which must succeed.
func observe(t *testing.T, d vendors.Driver, known *resource.Snapshot) *resource.Snapshot {
	t.Helper()
	s, err := d.Observe(t.Context(), vendors.Request{Known: known})
	require.NoError(t, err)
	return s
}

// content is what the snapshot holds of a file.
func content(t *testing.T, s *resource.Snapshot, name string) string {
	t.Helper()
	spec, err := s.Spec(file(name))
	require.NoError(t, err)
	require.NotNil(t, spec, "%s is not listed", name)
	return spec[resource.Content].(string)
}

func settle(d time.Duration) func(*directory.Config) {
	return func(c *directory.Config) { s := directory.Duration(d); c.Settle = &s }
}

func TestFileIsUnknownUntilItSettled(t *testing.T) {
	t.Parallel()
	r := newTree(t)
	r.write("a.yml", "half")
	d := r.open(settle(time.Hour))
	s := observe(t, d, nil)
	require.False(t, s.Covers(file("a.yml")))
	require.Zero(t, s.Len())
	wait := d.(vendors.Settler).Settling()
	require.Positive(t, wait)
	require.LessOrEqual(t, wait, time.Hour)
	// Read is for verification and does not wait.
	now, err := d.Read(t.Context(), []resource.Key{file("a.yml")})
	require.NoError(t, err)
	require.Equal(t, "half", content(t, now, "a.yml"))
	// What driftback wrote itself is whole.
	_, err = d.Apply(t.Context(), resource.Change{After: res("b.yml", "b")})
	require.NoError(t, err)
	require.Equal(t, "b", content(t, observe(t, d, nil), "b.yml"))
	r.write("b.yml", "somebody's")
	require.False(t, observe(t, d, nil).Covers(file("b.yml")))

	d = r.open(settle(20 * time.Millisecond))
	require.Eventually(t, func() bool { return observe(t, d, nil).Len() == 2 }, 10*time.Second, 5*time.Millisecond)
	require.Zero(t, d.(vendors.Settler).Settling())
}

func TestNameThatVanishedAMomentAgoIsUnknown(t *testing.T) {
	t.Parallel()
	r := newTree(t)
	r.write("sub/a.yml", "a")
	r.write("sub/b.yml", "b")
	known := observe(t, r.open(), nil)
	require.NoError(t, os.Remove(r.path("sub/a.yml")))
	d := r.open(settle(time.Hour))
	require.False(t, observe(t, d, known).Covers(file("sub/a.yml")))
	require.Positive(t, d.(vendors.Settler).Settling())
	// Our own deletion is none that somebody is in the middle of.
	_, err := d.Apply(t.Context(), resource.Change{Before: res("sub/b.yml", "b")})
	require.NoError(t, err)
	require.True(t, observe(t, d, known).Covers(file("sub/b.yml")))
	s := observe(t, r.open(), known)
	require.True(t, s.Covers(file("sub/a.yml")))
	require.Zero(t, s.Len())
}

func TestChangeIsSeenWhateverItsTimes(t *testing.T) {
	t.Parallel()
	r := newTree(t)
	r.write("a", "one")
	old := time.Now().Add(-48 * time.Hour)
	require.NoError(t, os.Chtimes(r.path("a"), old, old))
	d := r.open()
	first := observe(t, d, nil)
	e, _ := first.Entry(file("a"))
	require.Equal(t, old.Unix(), e.Origin.When.Unix())
	r.write("a", "two")
	require.NoError(t, os.Chtimes(r.path("a"), old, old))
	require.Equal(t, "two", content(t, observe(t, d, first), "a"))
}

func TestLinksAreNeverFollowed(t *testing.T) {
	t.Parallel()
	outside, r := newTree(t), newTree(t)
	outside.write("passwd", "root:x")
	outside.write("sub/x.yml", "x")
	r.write("real/y.yml", "y")
	require.NoError(t, os.Symlink(outside.path("passwd"), r.path("leak")))
	require.NoError(t, os.Symlink(outside.path("sub"), r.path("out")))
	require.NoError(t, os.Symlink("real", r.path("inside")))
	require.NoError(t, os.Symlink("nowhere", r.path("dangling")))
	d := r.open()
	s := observe(t, d, nil)
	require.Equal(t, 1, s.Len())
	for _, name := range []string{"leak", "out/x.yml", "out/new.yml", "inside/y.yml", "dangling"} {
		require.False(t, s.Covers(file(name)), name)
		read, err := d.Read(t.Context(), []resource.Key{file(name)})
		require.NoError(t, err)
		require.False(t, read.Covers(file(name)), name)
		_, err = d.Apply(t.Context(), resource.Change{After: res(name, "overwritten")})
		require.ErrorIs(t, err, vendors.ErrInvalid, name)
		_, err = d.Apply(t.Context(), resource.Change{Before: res(name, "x")})
		require.ErrorIs(t, err, vendors.ErrInvalid, name)
	}
	require.Contains(t, s.Scope().Unknown[file("leak")], "symbolic link")
	require.Equal(t, "root:x", outside.read("passwd"))
	require.Equal(t, []string{"passwd", "sub/x.yml"}, outside.files())
	require.Equal(t, "y", r.read("real/y.yml"))
}

func TestWhatIsNoConfigurationIsUnknown(t *testing.T) {
	t.Parallel()
	r := newTree(t)
	require.NoError(t, unix.Mkfifo(r.path("pipe"), 0o644))
	r.write("large", strings.Repeat("x", 101))
	r.write("fits", strings.Repeat("x", 100))
	r.write("two\nlines", "x")
	r.write("\xff", "x")
	r.write(strings.Repeat("n", 201), "x")
	r.write(".git/config", "x")
	r.write("sub/.git/config", "x")
	d := r.open(func(c *directory.Config) { c.MaxFileSize = 100 })
	s := observe(t, d, nil)
	require.Equal(t, 1, s.Len())
	require.Equal(t, strings.Repeat("x", 100), content(t, s, "fits"))
	for name, reason := range map[string]string{
		"pipe": "regular", "large": "maxFileSize", "two\nlines": "control", "\xff": "UTF-8", strings.Repeat("n", 201): "200 bytes",
	} {
		require.Contains(t, s.Scope().Unknown[file(name)], reason, "%q", name)
	}
	require.Len(t, s.Scope().Unknown, 5, "what Git keeps for itself is not looked at")
	require.False(t, s.Covers(file(".git/config")))
	_, err := d.Apply(t.Context(), resource.Change{After: res("new", strings.Repeat("x", 101))})
	require.ErrorIs(t, err, vendors.ErrInvalid)
}

func TestGlobs(t *testing.T) {
	t.Parallel()
	r := newTree(t)
	for _, name := range []string{"a.yml", "a.txt", "rules/b.yml", "rules/deep/c.yml", "secret/d.yml", "other/e.yml"} {
		r.write(name, name)
	}
	d := r.open(func(c *directory.Config) {
		c.Include, c.Exclude = []string{"*.yml", "rules/**/*.yml", "secret/**"}, []string{"secret/**"}
	})
	s := observe(t, d, nil)
	var names []string
	for e := range s.Entries() {
		names = append(names, e.Key.Name)
	}
	require.Equal(t, []string{"a.yml", "rules/b.yml", "rules/deep/c.yml"}, names)
	require.False(t, s.Covers(file("secret/d.yml")))
	read, err := d.Read(t.Context(), []resource.Key{file("secret/d.yml"), file("a.yml")})
	require.NoError(t, err)
	require.False(t, read.Covers(file("secret/d.yml")))
	require.Equal(t, 1, read.Len())
	_, err = d.Apply(t.Context(), resource.Change{Before: res("other/e.yml", "other/e.yml")})
	require.ErrorIs(t, err, vendors.ErrInvalid)
}

func TestTenantIsTheFolder(t *testing.T) {
	t.Parallel()
	a, b := newTree(t), newTree(t)
	d := a.open()
	link := filepath.Join(t.TempDir(), "link")
	require.NoError(t, os.Symlink(a.root, link))
	require.Equal(t, observe(t, d, nil).Tenant(), observe(t, tree{t, link}.open(), nil).Tenant())
	require.NotEqual(t, observe(t, d, nil).Tenant(), observe(t, b.open(), nil).Tenant())
	require.Equal(t, observe(t, d, nil).Tenant(), observe(t, d, nil).Scope().Kinds[directory.Kind].Partition)
	// Restored from a backup: the same tenant, and what is there now counts.
	a.write("old", "old")
	require.NoError(t, os.Rename(a.root, a.root+".bak"))
	_, err := d.Observe(t.Context(), vendors.Request{})
	require.ErrorIs(t, err, os.ErrNotExist)
	require.NoError(t, os.Mkdir(a.root, 0o755))
	a.write("new", "new")
	s := observe(t, d, nil)
	require.Equal(t, 1, s.Len())
	require.Equal(t, "new", content(t, s, "new"))
}

func TestRenameKeepsTheID(t *testing.T) {
	t.Parallel()
	r := newTree(t)
	r.write("a", "a")
	d := r.open()
	before, _ := observe(t, d, nil).Entry(file("a"))
	if before.Origin.ID == "" {
		t.Skip("the file system does not tell when files were born")
	}
	require.NoError(t, os.Rename(r.path("a"), r.path("b")))
	after, _ := observe(t, d, nil).Entry(file("b"))
	require.Equal(t, before.Origin.ID, after.Origin.ID)
	r.write("a", "a")
	again, _ := observe(t, d, nil).Entry(file("a"))
	require.NotEqual(t, before.Origin.ID, again.Origin.ID)
}

// TestUnprivileged is run by TestWithoutPermission as somebody without rights.
func TestUnprivileged(t *testing.T) {
	root := os.Getenv("DRIFTBACK_TEST_ROOT")
	if root == "" {
		t.Skip("run by TestWithoutPermission")
	}
	d := tree{t, root}.open()
	s, err := d.Observe(t.Context(), vendors.Request{})
	require.ErrorContains(t, err, "file/closed")
	require.ErrorContains(t, err, "file/private.yml")
	require.False(t, s.Covers(file("closed/a.yml")))
	require.False(t, s.Covers(file("closed/deep/new.yml")))
	require.False(t, s.Covers(file("private.yml")))
	require.True(t, s.Covers(file("gone.yml")))
	require.Equal(t, "a", content(t, s, "open.yml"))
	read, err := d.Read(t.Context(), []resource.Key{file("closed/a.yml"), file("private.yml"), file("open.yml")})
	require.Error(t, err)
	require.False(t, read.Covers(file("closed/a.yml")))
	require.True(t, read.Covers(file("open.yml")))
	for _, c := range []resource.Change{
		{Before: res("open.yml", "a"), After: res("open.yml", "b")},
		{Before: res("open.yml", "a")},
		{Before: res("open.yml", "a"), After: res("moved.yml", "a")},
		{After: res("new.yml", "b")},
		{After: res("new/new.yml", "b")},
		{After: res("closed/new.yml", "b")},
	} {
		_, err = d.Apply(t.Context(), c)
		require.ErrorIs(t, err, vendors.ErrDenied, c.Action())
	}
}

func TestWithoutPermission(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Skip("only root can become somebody else")
	}
	r := newTree(t)
	r.write("open.yml", "a")
	r.write("private.yml", "a")
	r.write("closed/a.yml", "a")
	require.NoError(t, os.Chmod(r.path("private.yml"), 0o600))
	require.NoError(t, os.Chmod(r.path("closed"), 0o700))
	for dir := r.root; dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) {
		require.NoError(t, os.Chmod(dir, 0o755))
	}
	self, err := os.ReadFile(os.Args[0])
	require.NoError(t, err)
	program := filepath.Join(r.root, "..", "test")
	require.NoError(t, os.WriteFile(program, self, 0o755))
	cmd := exec.Command(program, "-test.run=^TestUnprivileged$", "-test.v")
	cmd.Dir = r.root
	cmd.Env = append(os.Environ(), "DRIFTBACK_TEST_ROOT="+r.root)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Contains(t, string(out), "--- PASS: TestUnprivileged")
	require.Equal(t, "a", r.read("open.yml"))
}
