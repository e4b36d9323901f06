package genesyscloud

import (
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/driftback/driftback/vendors"
	"github.com/driftback/driftback/vendors/genesyscloud/simulator"
)

func TestDoctorTellsWhatIsMissing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Options{Rate: -1})
	org := w.Org("Acme")
	found := func(permissions ...string) map[string]vendors.Finding {
		id, secret := org.AddClient(strings.Join(permissions, " "), permissions...)
		d := w.open(t, org, func(c *Config) { c.ClientID, c.ClientSecret = id, secret })
		out := map[string]vendors.Finding{}
		for _, f := range d.Examine(t.Context()) {
			out[f.Subject] = f
		}
		return out
	}
	all := found("*:*:*")
	for subject, f := range all {
		require.NoError(t, f.Err, subject)
		require.False(t, f.Note, "%s: %s", subject, f.Detail)
	}
	require.Contains(t, all["organisation"].Detail, "Acme")
	require.Greater(t, len(all), 35)

	some := found("routing:queue:view", "routing:queue:edit", "routing:wrapupCode:*", "authorization:*:*")
	require.Contains(t, some["queue"].Detail, "the client lacks routing:queue:add, routing:queue:delete")
	require.True(t, some["queue"].Note)
	require.Equal(t, "can be read and written", some["wrapupcode"].Detail)
	require.ErrorIs(t, some["schedule"].Err, vendors.ErrDenied)
	require.ErrorContains(t, some["schedule"].Err, "the client lacks routing:schedule:view: grant it, or exclude the kind")
	require.True(t, some["audit"].Note)
	require.Contains(t, some["audit"].Detail, "audits:audit:view")
}

func TestDoctorSaysWhoDoesNotAnswer(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Options{Rate: -1})
	org := w.Org("Acme")
	d := w.open(t, org, func(c *Config) { c.ClientSecret = "wrong-and-secret" })
	found := d.Examine(t.Context())
	require.Len(t, found, 1)
	require.True(t, errors.Is(found[0].Err, vendors.ErrDenied), found[0].Err)
	require.NotContains(t, found[0].Err.Error(), "wrong-and-secret")
}

// Every kind that is managed has its permission, and the audit knows each.
func TestTablesAreComplete(t *testing.T) {
	t.Parallel()
	audited := map[string]bool{}
	for _, a := range audits {
		audited[string(a.kind)] = true
	}
	for _, k := range rows(hooks{}) {
		if !k.ReferenceOnly {
			require.NotEmpty(t, permissions[k.Kind], k.Kind)
			require.True(t, audited[string(k.Kind)], k.Kind)
		}
	}
}
