package main

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/driftback/driftback/vendors"
	"github.com/driftback/driftback/vendors/resource"
)

// An askedDriver notes which kinds it was asked for.
type askedDriver struct {
	vendors.Driver
	asked []resource.Kind
}

func (d *askedDriver) Kinds() []resource.KindInfo {
	return []resource.KindInfo{{Kind: "skill"}, {Kind: "queue"}, {Kind: "user"}, {Kind: "site", ReferenceOnly: true}}
}

func (d *askedDriver) Observe(_ context.Context, r vendors.Request) (*resource.Snapshot, error) {
	d.asked = r.Kinds
	return &resource.Snapshot{}, nil
}

func TestKindsThatAreLeftAlone(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		kinds    kindsConfig
		managed  []resource.Kind // nil: the driver is asked for all
		refsOnly []resource.Kind
	}{
		{kindsConfig{}, nil, []resource.Kind{"site"}},
		{kindsConfig{Include: []string{"q*", "s*"}}, []resource.Kind{"skill", "queue"}, []resource.Kind{"user", "site"}},
		{kindsConfig{Exclude: []string{"user"}}, []resource.Kind{"skill", "queue"}, []resource.Kind{"user", "site"}},
		{kindsConfig{Include: []string{"user"}, Exclude: []string{"user"}}, []resource.Kind{}, []resource.Kind{"skill", "queue", "user", "site"}},
	} {
		d := &askedDriver{}
		p, err := narrow(vendors.NewTarget(d, vendors.TargetOptions{}), c.kinds)
		require.NoError(t, err)
		_, err = p.Observe(t.Context(), vendors.Request{})
		require.NoError(t, err)
		require.Equal(t, c.managed, d.asked)
		var refsOnly []resource.Kind
		for _, k := range p.Kinds() {
			if k.ReferenceOnly {
				refsOnly = append(refsOnly, k.Kind)
			}
		}
		require.Equal(t, c.refsOnly, refsOnly)
		if c.managed != nil {
			_, err = p.Observe(t.Context(), vendors.Request{Kinds: []resource.Kind{"queue", "user"}})
			require.NoError(t, err)
			require.NotContains(t, d.asked, resource.Kind("user"))
		}
	}
}

// A narrowDriver can leave kinds alone by itself.
type narrowDriver struct {
	askedDriver
	narrowed []resource.Kind
}

func (d *narrowDriver) Narrow(kinds []resource.Kind) error {
	d.narrowed = kinds
	return nil
}

func TestDriverThatNarrowsItselfIsAskedForEverything(t *testing.T) {
	t.Parallel()
	d := &narrowDriver{}
	p, err := narrow(vendors.NewTarget(d, vendors.TargetOptions{}), kindsConfig{Include: []string{"queue"}})
	require.NoError(t, err)
	require.Equal(t, []resource.Kind{"queue"}, d.narrowed)
	d.asked = []resource.Kind{"not asked yet"}
	_, err = p.Observe(t.Context(), vendors.Request{})
	require.NoError(t, err)
	require.Nil(t, d.asked)
	require.Len(t, p.Kinds(), 4, "files of kinds that are left alone are still known")
}
