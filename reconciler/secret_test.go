package reconciler_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/driftback/driftback/gitstore"
	"github.com/driftback/driftback/gitstore/forge/local"
	"github.com/driftback/driftback/reconciler"
	"github.com/driftback/driftback/vendors"
	"github.com/driftback/driftback/vendors/mem"
	"github.com/driftback/driftback/vendors/resource"
)

// vault is the operator's secrets.
type vault map[string]string

func (v vault) get(name string) (string, error) {
	if s, ok := v[name]; ok {
		return s, nil
	}
	return "", fmt.Errorf("secret %s: not in the configuration", name)
}

// print stands for an HMAC.
func (v vault) print(name string) (string, error) {
	s, err := v.get(name)
	return fmt.Sprintf("%x", resource.Spec{"of": s}.Hash()), err
}

// secretLoop is a platform with connectors, whose passwords are secret, and one in Git.
func secretLoop(t *testing.T, v vault, keyed bool, change func([]resource.KindInfo)) *loop {
	infos := mem.Kinds()
	if change != nil {
		change(infos)
	}
	l := newLoop(t, mem.Options{Kinds: infos})
	l.env.Platform = vendors.NewTarget(l.platform.Driver(), vendors.TargetOptions{Clock: l, Secrets: v.get})
	if keyed {
		l.env.Fingerprint = v.print
	}
	l.restart()
	l.connector("url: v1\npassword: {$secret: PW}\n")
	l.pass() // the first import
	l.pass()
	require.Equal(t, v["PW"], l.platform.Secret(db, "password"), "written when it was created")
	l.quiet()
	return l
}

var db = resource.Key{Kind: "connector", Name: "DB"}

func (l *loop) connector(yaml string) gitstore.ID {
	return l.edit(mainRef, gitstore.Edit{"environments/prod/connector/DB.yaml": []byte(yaml)})
}

func (l *loop) address() string {
	s, _ := l.platform.Get(db)
	u, _ := s["url"].(string)
	return u
}

// Secrets take no part in what is compared, and a hand edit keeps their names in the file.
func TestSecretsAreNoDrift(t *testing.T) {
	t.Parallel()
	l := secretLoop(t, vault{"PW": "hunter2hunter2"}, false, nil)
	require.NoError(t, l.platform.Put(db, resource.Spec{"url": "v2"}, "bob"))
	l.pass()
	require.Equal(t, 1, l.last.Drifted)
	l.merge(local.ByMerge)
	l.pass()
	f, _, err := l.git.File(l.refs()[mainRef], "environments/prod/connector/DB.yaml")
	require.NoError(t, err)
	b, err := l.git.Blob(f.ID, 0)
	require.NoError(t, err)
	require.Equal(t, "password: {$secret: PW}\nurl: v2\n", string(b))
	require.Equal(t, "hunter2hunter2", l.platform.Secret(db, "password"))
	l.quiet()
}

// Without a key, a secret is written with what is created, where Git names another, and on request.
func TestSecretsAreNotWrittenUnasked(t *testing.T) {
	t.Parallel()
	v := vault{"PW": "hunter2hunter2", "NEW": "correct horse"}
	l := secretLoop(t, v, false, nil)
	require.NoError(t, l.platform.Put(db, resource.Spec{"url": "v1", "password": "rotated by hand"}, "bob"))
	l.connector("url: v2\npassword: {$secret: PW}\n")
	l.pass()
	require.Equal(t, "v2", l.address())
	require.Equal(t, "rotated by hand", l.platform.Secret(db, "password"), "a write about something else leaves it alone")
	v["PW"] = "changed at the operator's"
	l.restart()
	l.quiet()

	require.NoError(t, l.r.File(ctx, "prod", reconciler.Request{Do: reconciler.DoSecrets, Keys: map[resource.Key]resource.Hash{db: {}}, By: "ann"}))
	l.pass()
	require.Equal(t, "changed at the operator's", l.platform.Secret(db, "password"))
	l.quiet()

	l.connector("url: v2\npassword: {$secret: NEW}\n")
	l.pass()
	require.Equal(t, "correct horse", l.platform.Secret(db, "password"))
	l.quiet()
}

// With a key, a secret that the operator changed is noticed and written, once.
func TestRotatedSecretIsWritten(t *testing.T) {
	t.Parallel()
	v := vault{"PW": "hunter2hunter2"}
	l := secretLoop(t, v, true, nil)
	v["PW"] = "rotated"
	l.restart()
	writes := l.platform.Counts().Writes
	l.pass()
	require.Equal(t, "rotated", l.platform.Secret(db, "password"))
	require.Equal(t, writes+1, l.platform.Counts().Writes)
	l.quiet()
	v["PW"] = "rotated again"
	l.now = l.now.Add(2 * 3600e9)
	l.pass()
	require.Equal(t, "rotated again", l.platform.Secret(db, "password"), "also without a restart, within an hour")
	l.quiet()
}

// A platform that forgets a secret which is left out of a write gets it only when somebody says so.
func TestSecretThatMustBeResentIsHeld(t *testing.T) {
	t.Parallel()
	l := secretLoop(t, vault{"PW": "hunter2hunter2"}, false, func(infos []resource.KindInfo) {
		for i := range infos {
			for j := range infos[i].Fields {
				infos[i].Fields[j].Resent = infos[i].Fields[j].Secret
			}
		}
	})
	require.NoError(t, l.platform.Put(db, resource.Spec{"url": "v1", "password": "rotated by hand"}, "bob"))
	l.connector("url: v2\npassword: {$secret: PW}\n")
	l.pass()
	require.Equal(t, map[reconciler.Gate]int{reconciler.GateSecret: 1}, l.last.HeldBy())
	require.Equal(t, "rotated by hand", l.platform.Secret(db, "password"))
	l.quiet()
	require.NoError(t, l.r.File(ctx, "prod", reconciler.Request{Do: reconciler.DoSecrets, Keys: map[resource.Key]resource.Hash{db: {}}, By: "ann"}))
	l.pass()
	require.Equal(t, "v2", l.address())
	require.Equal(t, "hunter2hunter2", l.platform.Secret(db, "password"))
	require.Empty(t, l.last.Held)
	l.quiet()
}

func TestLiteralInASecretFieldIsRefused(t *testing.T) {
	t.Parallel()
	l := secretLoop(t, vault{"PW": "hunter2hunter2"}, false, nil)
	l.connector("url: v2\npassword: swordfish99\n")
	l.pass()
	require.Equal(t, "v1", l.address())
	require.Contains(t, fmt.Sprint(l.last.Unknown), "password is secret: write {$secret: NAME}")
	require.NotContains(t, fmt.Sprint(l.last), "swordfish99")
	l.quiet()
}

// A secret whose write is refused is undone, and held, without being shown.
func TestUndoLeavesSecretsAlone(t *testing.T) {
	t.Parallel()
	v := vault{"PW": "hunter2hunter2"}
	l := secretLoop(t, v, true, nil)
	inner := l.env.Platform
	l.env.Platform = &refusing{inner, func(c resource.Change) bool { return strings.HasPrefix(c.Key().Name, "Z") }}
	l.restart()
	require.NoError(t, l.platform.Put(db, resource.Spec{"url": "v1", "password": "rotated by hand"}, "bob"))
	l.edit(mainRef, gitstore.Edit{
		"environments/prod/connector/DB.yaml": []byte("url: v2\npassword: {$secret: PW}\n"),
		"environments/prod/connector/Z.yaml":  []byte("url: v2\npassword: {$secret: PW}\n"),
	})
	l.pass()
	require.True(t, l.last.Deployments[0].Undone)
	require.Equal(t, "v1", l.address())
	require.Equal(t, "rotated by hand", l.platform.Secret(db, "password"))
	l.quiet()
}
