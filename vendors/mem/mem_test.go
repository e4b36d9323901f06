package mem_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/driftback/driftback/vendors"
	"github.com/driftback/driftback/vendors/mem"
	"github.com/driftback/driftback/vendors/resource"
	"github.com/driftback/driftback/vendors/vendortest"
)

func key(s string) resource.Key {
	k, err := resource.ParseKey(s)
	if err != nil {
		panic(err)
	}
	return k
}

func ref(s string) resource.Ref { return resource.Ref{Key: key(s)} }

func spec(m map[string]any) resource.Spec {
	s, err := resource.CanonicalSpec(m)
	if err != nil {
		panic(err)
	}
	return s
}

// objects are examples of the default kinds.
func objects() []vendortest.Object {
	skill := resource.Resource{Key: key("skill/French"), Spec: resource.Spec{}}
	queue := resource.Resource{Key: key("queue/Sales"), Spec: resource.Spec{}}
	night := resource.Resource{Key: key("schedule/Night"), Spec: resource.Spec{}}
	return []vendortest.Object{
		{Key: key("skill/Billing"), Vary: func(n int) resource.Spec { return spec(map[string]any{"description": fmt.Sprint("level ", n)}) }},
		{Key: key("schedule/Day"), Vary: func(n int) resource.Spec {
			return spec(map[string]any{"timeZone": "Europe/Zurich", "hours": []any{
				map[string]any{"day": "mon", "from": n}, map[string]any{"day": "tue", "from": 8},
			}})
		}},
		{Key: key("queue/Support"), Needs: []resource.Resource{skill, queue}, Vary: func(n int) resource.Spec {
			return spec(map[string]any{"skills": []any{ref("skill/French")}, "overflow": ref("queue/Sales"), "media": "voice", "wait": n})
		}},
		{Key: key("route/Main"), Needs: []resource.Resource{night, queue}, Vary: func(n int) resource.Spec {
			return spec(map[string]any{"queue": ref("queue/Sales"), "schedule": ref("schedule/Night"), "number": fmt.Sprint("+41 ", n)})
		}},
		{Key: key("connector/CRM"), Vary: func(n int) resource.Spec { return spec(map[string]any{"url": fmt.Sprint("https://crm/", n)}) }},
	}
}

// platform gives the suite a platform and the hand on it.
func platform(o mem.Options) func(*testing.T) vendortest.Platform {
	return func(*testing.T) vendortest.Platform {
		p := mem.New(o)
		return vendortest.Platform{
			Driver: p.Driver(), Again: p.Driver,
			Hand: vendortest.Hand{
				Put:    func(k resource.Key, s resource.Spec) error { return p.Put(k, s, "ann") },
				Delete: func(k resource.Key) error { return p.Delete(k, "ann") },
				Rename: func(from, to resource.Key) error { return p.Rename(from, to, "ann") },
				Hide:   func(k resource.Key) error { p.Hide(k, "of another division"); return nil },
				Fail:   func(k resource.Kind) error { p.Fail(k, errors.New("page 2: 502")); return nil },
			},
		}
	}
}

func TestDriver(t *testing.T) {
	names := []string{"a/b", "ünï", "💡", "two\nlines", " ", ".", "*", "[x]", `back\slash`}
	for name, o := range map[string]mem.Options{
		"plain":     {},
		"versions":  {Versions: true},
		"ids":       {IDs: true},
		"all":       {Versions: true, IDs: true, Audit: true, Activation: true, Page: 2},
		"auditing":  {Audit: true, Tenant: "acme"},
		"activated": {Activation: true, Check: func(map[resource.Key]resource.Spec) error { return nil }},
	} {
		t.Run(name, func(t *testing.T) {
			vendortest.Run(t, vendortest.Fixture{Open: platform(o), Objects: objects(), Names: names})
		})
	}
	t.Run("files", func(t *testing.T) {
		o := mem.Options{Kinds: []resource.KindInfo{mem.File()}, IDs: true}
		file := vendortest.Object{Key: key("file/rules/a.yml"), Vary: func(n int) resource.Spec {
			return resource.RawSpec(fmt.Appendf(nil, "groups: [] # %d\n", n))
		}}
		vendortest.Run(t, vendortest.Fixture{Open: platform(o), Objects: []vendortest.Object{file}})
	})
	t.Run("read only kind", func(t *testing.T) {
		o := mem.Options{Kinds: []resource.KindInfo{{Kind: "thing"}}}
		thing := vendortest.Object{Key: key("thing/a"), Vary: func(n int) resource.Spec { return spec(map[string]any{"n": n}) }}
		vendortest.Run(t, vendortest.Fixture{Open: platform(o), Objects: []vendortest.Object{thing}})
	})
}

// Without a guard, what falls between comparing and writing is overwritten; with one it is refused.
func TestWindow(t *testing.T) {
	t.Parallel()
	for _, versions := range []bool{false, true} {
		var p *mem.Platform
		k := key("skill/A")
		p = mem.New(mem.Options{Versions: versions, Window: func(resource.Change) {
			require.NoError(t, p.Put(k, spec(map[string]any{"description": "ann's"}), "ann"))
		}})
		require.NoError(t, p.Put(k, spec(map[string]any{"description": "old"}), "ann"))
		_, err := p.Driver().Apply(t.Context(), resource.Change{
			Before: &resource.Resource{Key: k, Spec: spec(map[string]any{"description": "old"})},
			After:  &resource.Resource{Key: k, Spec: spec(map[string]any{"description": "new"})},
		})
		live, _ := p.Get(k)
		if versions {
			require.ErrorIs(t, err, vendors.ErrConflict)
			require.Equal(t, "ann's", live["description"])
		} else {
			require.NoError(t, err)
			require.Equal(t, "new", live["description"])
		}
		require.Equal(t, versions, p.Driver().Kinds()[1].Can.Guard)
	}
}

func TestReferencesFollowARenameByID(t *testing.T) {
	t.Parallel()
	p := mem.New(mem.Options{IDs: true, Versions: true})
	require.NoError(t, p.Put(key("skill/A"), resource.Spec{}, "ann"))
	require.NoError(t, p.Put(key("queue/Q"), spec(map[string]any{"skills": []any{ref("skill/A")}}), "ann"))
	id := p.ID(key("skill/A"))
	require.NoError(t, p.Rename(key("skill/A"), key("skill/B"), "ann"))
	require.Equal(t, id, p.ID(key("skill/B")))
	q, _ := p.Get(key("queue/Q"))
	require.Equal(t, []any{ref("skill/B")}, q["skills"])
	require.Len(t, p.History(key("queue/Q")), 2)
	require.Len(t, p.History(key("skill/A")), 2)
}

func TestDeletionOfWhatIsReferredTo(t *testing.T) {
	t.Parallel()
	p := mem.New(mem.Options{})
	require.NoError(t, p.Put(key("skill/A"), resource.Spec{}, "ann"))
	require.NoError(t, p.Put(key("skill/B"), resource.Spec{}, "ann"))
	require.NoError(t, p.Put(key("queue/Q"), spec(map[string]any{
		"skills": []any{ref("skill/A")}, "optionalSkills": []any{ref("skill/A"), ref("skill/B")},
	}), "ann"))
	require.ErrorIs(t, p.Delete(key("skill/A"), "ann"), vendors.ErrInvalid)
	_, err := p.Driver().Apply(t.Context(), resource.Change{Before: &resource.Resource{Key: key("skill/A"), Spec: resource.Spec{}}})
	require.ErrorIs(t, err, vendors.ErrInvalid)
	require.NoError(t, p.Delete(key("skill/B"), "ann"), "the descriptor declares a cascade")
	q, _ := p.Get(key("queue/Q"))
	require.Equal(t, []any{ref("skill/A")}, q["optionalSkills"])
	require.ErrorIs(t, p.Put(key("queue/R"), spec(map[string]any{"skills": []any{ref("skill/B")}}), "ann"), vendors.ErrInvalid)
	loose := mem.New(mem.Options{Loose: true})
	require.NoError(t, loose.Put(key("queue/R"), spec(map[string]any{"skills": []any{ref("skill/B")}}), "ann"))
}

func TestSecretsAreWrittenAndNeverRead(t *testing.T) {
	t.Parallel()
	p := mem.New(mem.Options{})
	d, k := p.Driver(), key("connector/CRM")
	made, err := d.Apply(t.Context(), resource.Change{After: &resource.Resource{Key: k, Spec: spec(map[string]any{"url": "u", "password": "hunter2"})}})
	require.NoError(t, err)
	require.Equal(t, spec(map[string]any{"url": "u"}), made.Spec)
	require.Equal(t, "hunter2", p.Secret(k, "password"))
	_, err = d.Apply(t.Context(), resource.Change{Before: &made, After: &resource.Resource{Key: k, Spec: spec(map[string]any{"url": "v"})}})
	require.NoError(t, err)
	require.Equal(t, "hunter2", p.Secret(k, "password"), "what is not sent stays")
	_, err = d.Apply(t.Context(), resource.Change{After: &resource.Resource{Key: key("connector/X"), Spec: resource.Spec{"password": resource.Secret{Name: "S"}}}})
	require.ErrorIs(t, err, vendors.ErrInvalid)
}

func TestWhatRunsIsWhatWasActivated(t *testing.T) {
	t.Parallel()
	broken := errors.New("parse error")
	p := mem.New(mem.Options{Check: func(s map[resource.Key]resource.Spec) error {
		if _, ok := s[key("skill/Bad")]; ok {
			return broken
		}
		return nil
	}})
	a := p.Driver().(vendors.Activator)
	require.True(t, a.Checks())
	require.NoError(t, p.Put(key("skill/A"), resource.Spec{}, "ann"))
	require.Empty(t, p.Running())
	require.NoError(t, a.Activate(t.Context()))
	require.Len(t, p.Running(), 1)
	require.NoError(t, p.Put(key("skill/Bad"), resource.Spec{}, "ann"))
	err := a.Activate(t.Context())
	require.ErrorIs(t, err, vendors.ErrRefused)
	require.ErrorIs(t, err, broken)
	require.Len(t, p.Running(), 1)
	require.Equal(t, 1, p.Counts().Refusals)
}

func TestImmutableAndFilled(t *testing.T) {
	t.Parallel()
	p := mem.New(mem.Options{Fill: func(k resource.Key, s resource.Spec) resource.Spec {
		if k.Kind == "queue" && s["wait"] == nil {
			s["wait"] = "30s"
		}
		return s
	}})
	q := resource.Resource{Key: key("queue/Q"), Spec: spec(map[string]any{"media": "voice"})}
	made, err := p.Driver().Apply(t.Context(), resource.Change{After: &q})
	require.NoError(t, err)
	require.Equal(t, "30s", made.Spec["wait"])
	_, err = p.Driver().Apply(t.Context(), resource.Change{After: &q})
	require.NoError(t, err, "twice is once, also where the platform fills in")
	require.Equal(t, 1, p.Counts().Writes)
	_, err = p.Driver().Apply(t.Context(), resource.Change{Before: &made, After: &resource.Resource{Key: q.Key, Spec: spec(map[string]any{"media": "chat"})}})
	require.ErrorIs(t, err, vendors.ErrInvalid)
}
