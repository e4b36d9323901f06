//go:build unix

package directory_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/driftback/driftback/vendors"
	"github.com/driftback/driftback/vendors/directory"
	"github.com/driftback/driftback/vendors/resource"
	"github.com/driftback/driftback/vendors/vendortest"
)

func file(name string) resource.Key { return resource.Key{Kind: directory.Kind, Name: name} }

// tree is a directory on disk and drivers on it.
type tree struct {
	*testing.T
	root string
}

func newTree(t *testing.T) tree { return tree{t, t.TempDir()} }

// open opens the tree without a settle time, unless edit says otherwise.
func (r tree) open(edit ...func(*directory.Config)) vendors.Driver {
	r.Helper()
	var none directory.Duration
	c := directory.Config{Root: r.root, Settle: &none}
	for _, e := range edit {
		e(&c)
	}
	d, err := directory.New(r.Context(), c)
	require.NoError(r, err)
	return d
}

func (r tree) path(name string) string { return filepath.Join(r.root, filepath.FromSlash(name)) }

// write writes a file in place, as `cat >` does.
func (r tree) write(name, content string) {
	r.Helper()
	require.NoError(r, os.MkdirAll(filepath.Dir(r.path(name)), 0o755))
	require.NoError(r, os.WriteFile(r.path(name), []byte(content), 0o644))
}

func (r tree) read(name string) string {
	r.Helper()
	b, err := os.ReadFile(r.path(name))
	require.NoError(r, err)
	return string(b)
}

// files lists every file below the root.
func (r tree) files() []string {
	r.Helper()
	out := []string{}
	require.NoError(r, filepath.WalkDir(r.root, func(p string, e os.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			out = append(out, strings.TrimPrefix(p, r.root+"/"))
		}
		return err
	}))
	return out
}

func res(name, content string) *resource.Resource {
	return &resource.Resource{Key: file(name), Spec: resource.RawSpec([]byte(content))}
}

// hand edits the tree as people do: in place, or by moving a new file over the old one.
func (r tree) hand(inPlace bool) vendortest.Hand {
	return vendortest.Hand{
		Put: func(k resource.Key, s resource.Spec) error {
			p := r.path(k.Name)
			if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
				return err
			}
			content := []byte(s[resource.Content].(string))
			if inPlace {
				return os.WriteFile(p, content, 0o644)
			}
			if err := os.WriteFile(p+"~", content, 0o644); err != nil {
				return err
			}
			return os.Rename(p+"~", p)
		},
		Delete: func(k resource.Key) error { return os.Remove(r.path(k.Name)) },
		Rename: func(from, to resource.Key) error { return os.Rename(r.path(from.Name), r.path(to.Name)) },
		Hide: func(k resource.Key) error { // a link in its place
			if err := os.Remove(r.path(k.Name)); err != nil {
				return err
			}
			return os.Symlink("/etc/passwd", r.path(k.Name))
		},
		Fail: func(resource.Kind) error { return os.RemoveAll(r.root) },
	}
}

func TestDriver(t *testing.T) {
	for name, inPlace := range map[string]bool{"editing in place": true, "editing by moving": false} {
		t.Run(name, func(t *testing.T) {
			vendortest.Run(t, vendortest.Fixture{
				Open: func(t *testing.T) vendortest.Platform {
					r := newTree(t)
					exclude := func(c *directory.Config) { c.Exclude = []string{"**/*~"} }
					return vendortest.Platform{
						Driver: r.open(exclude), Hand: r.hand(inPlace),
						Again: func() vendors.Driver { return r.open(exclude) },
					}
				},
				Objects: []vendortest.Object{{Key: file("rules/alerts.yml"), Vary: func(n int) resource.Spec {
					return resource.RawSpec(fmt.Appendf(nil, "groups: [] # %d\n", n))
				}}},
				Names: []string{
					"a", "a/b/c/d.yml", "ünï", "💡", " ", "*", "[x]", "?", "two\nlines", `back\slash`, "\xff\xfe", "..", "a/../b", "/etc/x", "a//b", "a/", "",
					".git/config", "sub/.GIT/x", ".driftback-x", ".hidden", strings.Repeat("x", 200), strings.Repeat("x", 201), "$x", "-rf",
				},
			})
		})
	}
}
