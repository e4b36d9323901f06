package reconciler_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/driftback/driftback/gitstore"
	"github.com/driftback/driftback/gitstore/forge"
	"github.com/driftback/driftback/gitstore/forge/local"
	"github.com/driftback/driftback/reconciler"
	"github.com/driftback/driftback/vendors"
	"github.com/driftback/driftback/vendors/resource"
)

// telling is a platform whose refusals repeat a secret that was sent to it.
type telling struct {
	reconciler.Platform
	secret string
}

func (p *telling) Apply(ctx context.Context, c resource.Change) (resource.Resource, error) {
	if c.After != nil && c.After.Spec["url"] == "vbad" {
		return resource.Resource{}, fmt.Errorf("%s: password %q is too weak: %w", c.Key(), p.secret, vendors.ErrInvalid)
	}
	return p.Platform.Apply(ctx, c)
}

// everything is all that Git holds, as one text: every file and message of every ref's history, pull requests included.
func (l *loop) everything() string {
	l.Helper()
	var b strings.Builder
	blobs := map[gitstore.ID]bool{}
	for ref, tip := range l.refs() {
		b.WriteString(ref + "\n")
		require.NoError(l, l.git.Log(tip, nil, func(c gitstore.Commit) error {
			fmt.Fprintln(&b, c.Author, c.Committer, c.Message)
			return l.git.Files(c.ID, "", func(f gitstore.File) error {
				b.WriteString(f.Path + "\n")
				if blobs[f.ID] {
					return nil
				}
				blobs[f.ID] = true
				content, err := l.git.Blob(f.ID, 0)
				b.Write(content)
				return err
			})
		}))
	}
	return b.String()
}

// Promise 8: a secret that stands in the configuration, on the platform and in its answers appears in no Git object, no log line,
// no report and no text that goes to the forge.
func TestCanary(t *testing.T) {
	t.Parallel()
	const canary, other, echoed = "canary-of-the-operator", "canary-on-the-platform", "ghp_a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"
	l := secretLoop(t, vault{"PW": canary}, true, nil)
	l.env.Platform = &telling{l.env.Platform, canary + " " + echoed}
	l.env.Rollback.Auto = true
	var logs bytes.Buffer
	hide := func(s string) string { return strings.NewReplacer(canary, "[secret]", echoed, "[token]").Replace(s) }
	l.restartWith(local.Options{}, func(c *reconciler.Config) {
		c.Logger = slog.New(slog.NewJSONHandler(&logs, &slog.HandlerOptions{Level: slog.LevelDebug}))
		c.Redact, c.Conceal = hide, hide
		c.Holds = func(s string) bool { return strings.Contains(s, canary) }
	})
	var told []string
	pass := func() {
		t.Helper()
		r := l.pass()
		doc, err := json.Marshal(r)
		require.NoError(t, err)
		told = append(told, string(doc))
	}
	// Somebody rotates the secret by hand, and notes ours and a token where everybody can read them.
	require.NoError(t, l.platform.Put(db, resource.Spec{"url": "v9", "password": other}, "bob"))
	require.NoError(t, l.platform.Put(resource.Key{Kind: "skill", Name: "Notes"}, resource.Spec{"description": "the password is " + canary}, "bob"))
	require.NoError(t, l.platform.Put(resource.Key{Kind: "skill", Name: "Token"}, resource.Spec{"description": echoed}, "bob"))
	pass()
	require.Contains(t, l.last.Unknown[0].Reason+l.last.Unknown[1].Reason, "known-secret")
	l.merge(local.ByMerge)
	pass()
	l.connector("url: vbad\npassword: {$secret: PW}\n")
	pass()
	require.True(t, l.last.Deployments[0].Undone)
	require.Contains(t, l.last.Deployments[0].Cause, "is too weak")
	l.merge(local.ByMerge)
	pass()
	pass()
	l.quiet()
	require.Equal(t, other, l.platform.Secret(db, "password"), "and nobody's secret was overwritten")
	pulls, err := l.forge.Pulls(ctx, forge.Filter{})
	require.NoError(t, err)
	require.Len(t, pulls, 2)
	all := l.everything()
	require.Contains(t, all, "$secret: PW", "the names are there")
	require.Contains(t, all, "is too weak")
	for what, text := range map[string]string{"Git": all, "logs": logs.String(), "reports": strings.Join(told, "\n"), "pull requests": fmt.Sprint(pulls)} {
		for _, secret := range []string{canary, other, echoed} {
			require.NotContains(t, text, secret, what)
		}
	}
}
