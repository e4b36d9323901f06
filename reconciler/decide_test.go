package reconciler

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/driftback/driftback/reconciler/rules"
	"github.com/driftback/driftback/vendors/resource"
)

var everything = resource.Scope{Kinds: map[resource.Kind]resource.Cover{"queue": {}, "file": {}}}

func queue(name string) resource.Key { return resource.Key{Kind: "queue", Name: name} }

// at returns a snapshot of the queues, each given as name and spec; a nil spec is left out.
func at(specs map[string]resource.Spec) *resource.Snapshot {
	var rs []resource.Resource
	for name, s := range specs {
		if s != nil {
			rs = append(rs, resource.Resource{Key: queue(name), Spec: s})
		}
	}
	return resource.SnapshotOf(resource.Options{Scope: everything}, rs...)
}

func one(s resource.Spec) *resource.Snapshot { return at(map[string]resource.Spec{"Q": s}) }

func TestDecideTable(t *testing.T) {
	t.Parallel()
	a := resource.Spec{"x": "1", "y": "1"}
	b := resource.Spec{"x": "2", "y": "1"}
	c := resource.Spec{"x": "1", "y": "2"}
	both := resource.Spec{"x": "2", "y": "2"}
	other := resource.Spec{"x": "3", "y": "1"}
	for _, tc := range []struct {
		name             string
		base, want, live resource.Spec
		verdict, enforce Verdict
		after            resource.Spec // of Deploy and Merge in mode sync
	}{
		{"all equal: nothing", a, a, a, "", "", nil},
		{"nowhere: nothing", nil, nil, nil, "", "", nil},
		{"Git changed: deploy", a, b, a, Deploy, Deploy, b},
		{"Git deleted: deploy the deletion", a, nil, a, Deploy, Deploy, nil},
		{"live changed: record", a, a, b, Record, Deploy, nil},
		{"live deleted: record the deletion", a, a, nil, Record, Deploy, nil},
		{"both say the same: agreed again", a, b, b, Agree, Agree, nil},
		{"both deleted: agreed again", a, nil, nil, Agree, Agree, nil},
		{"different fields: merge", a, b, c, Merge, Deploy, both},
		{"same field, different values: conflict", a, b, other, Conflict, Deploy, nil},
		{"deleted in Git, changed live: conflict", a, nil, b, Conflict, Deploy, nil},
		{"changed in Git, deleted live: conflict", a, b, nil, Conflict, Deploy, nil},
		{"no base, both equal: base is born", nil, a, a, Agree, Agree, nil},
		{"no base, only live: record", nil, nil, a, Record, Record, nil},
		{"no base, only Git: deploy the creation", nil, a, nil, Deploy, Deploy, a},
		{"no base, both, different: record", nil, a, b, Record, Record, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			for _, enforce := range []bool{false, true} {
				verdict := tc.verdict
				if enforce {
					verdict = tc.enforce
				}
				d, err := Decide(one(tc.base), one(tc.want), one(tc.live), Options{Enforce: enforce})
				require.NoError(t, err)
				if verdict == "" {
					require.Empty(t, d.Items)
					continue
				}
				require.Len(t, d.Items, 1)
				require.Equal(t, verdict, d.Items[0].Verdict)
				if !enforce && (verdict == Deploy || verdict == Merge) {
					require.Equal(t, tc.after, d.Items[0].After)
				}
				require.Equal(t, verdict == Conflict, len(d.Items[0].Conflicts) > 0)
			}
		})
	}
}

func TestDecideEnforceCoversEveryRow(t *testing.T) {
	t.Parallel()
	a, b := resource.Spec{"x": "1"}, resource.Spec{"x": "2"}
	d, err := Decide(one(a), one(a), one(b), Options{Enforce: true})
	require.NoError(t, err)
	require.Equal(t, Deploy, d.Items[0].Verdict)
	require.Equal(t, a, d.Items[0].After, "enforce deploys base again")
}

func TestDecideUnknownIsNotAbsent(t *testing.T) {
	t.Parallel()
	a := resource.Spec{"x": "1"}
	none := func(s resource.Scope) *resource.Snapshot { return resource.SnapshotOf(resource.Options{Scope: s}) }
	under := func(s *resource.Snapshot, scope resource.Scope) *resource.Snapshot {
		return s.WithOptions(resource.Options{Scope: scope})
	}
	narrow := resource.Scope{Kinds: map[resource.Kind]resource.Cover{"queue": {Include: []string{"A*"}}}}
	unread := resource.Scope{Kinds: map[resource.Kind]resource.Cover{"file": {}}}
	broken := resource.Scope{Kinds: everything.Kinds, Unknown: map[resource.Key]string{queue("Q"): "unreadable"}}
	elsewhere := resource.Scope{Kinds: map[resource.Kind]resource.Cover{"queue": {Partition: "division B"}}}
	for name, tc := range map[string]struct{ base, want, live *resource.Snapshot }{
		"the kind was not read":                   {one(a), one(a), none(unread)},
		"outside of the globs":                    {one(a), one(a), none(narrow)},
		"outside of the globs and changed in Git": {one(a), one(resource.Spec{"x": "2"}), none(narrow)},
		"the object could not be read":            {one(a), one(a), none(broken)},
		"its file in Git is broken":               {one(a), none(broken), one(a)},
		"the last reading did not cover it":       {under(one(a), narrow), one(a), none(everything)},
		"another partition was read":              {one(a), one(a), none(elsewhere)},
		"only in Git, and live was not read":      {none(everything), one(a), none(unread)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, err := Decide(tc.base, tc.want, tc.live, Options{})
			require.NoError(t, err)
			require.Empty(t, d.Items)
		})
	}
}

func TestDecideIgnoredFields(t *testing.T) {
	t.Parallel()
	r, err := rules.Parse([]byte("ignore:\n- objects: [\"queue/*\"]\n  fields: [note]\n"))
	require.NoError(t, err)
	base := resource.Spec{"x": "1", "note": "a"}
	d, err := Decide(one(base), one(base), one(resource.Spec{"x": "1", "note": "b"}), Options{Rules: r})
	require.NoError(t, err)
	require.Empty(t, d.Items, "an ignored field is no drift")

	d, err = Decide(one(base), one(resource.Spec{"x": "2", "note": "a"}), one(resource.Spec{"x": "1", "note": "b"}), Options{Rules: r})
	require.NoError(t, err)
	require.Equal(t, Deploy, d.Items[0].Verdict)
	require.Equal(t, resource.Spec{"x": "2", "note": "b"}, d.Items[0].After, "the ignored field of a write comes from live")
}

func TestDecideTextMergedUnreviewed(t *testing.T) {
	t.Parallel()
	base := resource.Spec{"content": "1\n2\n3\n4\n5\n6\n7\n8\n"}
	want := resource.Spec{"content": "one\n2\n3\n4\n5\n6\n7\n8\n"}
	live := resource.Spec{"content": "1\n2\n3\n4\n5\n6\n7\neight\n"}
	d, err := Decide(one(base), one(want), one(live), Options{})
	require.NoError(t, err)
	require.Equal(t, Conflict, d.Items[0].Verdict, "nothing checks the outcome")

	d, err = Decide(one(base), one(want), one(live), Options{MergeText: true})
	require.NoError(t, err)
	require.Equal(t, Merge, d.Items[0].Verdict)
	require.False(t, d.Items[0].Reviewed)
	require.Equal(t, resource.Spec{"content": "one\n2\n3\n4\n5\n6\n7\neight\n"}, d.Items[0].After)
}

func TestDecideRenameSharesOneFate(t *testing.T) {
	t.Parallel()
	a, b := resource.Spec{"x": "1"}, resource.Spec{"x": "2"}
	renamed := map[resource.Key]resource.Key{queue("New"): queue("Old")}
	for _, tc := range []struct {
		name       string
		base       map[string]resource.Spec
		want, live map[string]resource.Spec
		o          Options
		verdict    Verdict
	}{
		{"by hand", map[string]resource.Spec{"Old": a}, map[string]resource.Spec{"Old": a}, map[string]resource.Spec{"New": a}, Options{LiveRenames: renamed}, Record},
		{"by hand, changed in Git", map[string]resource.Spec{"Old": a}, map[string]resource.Spec{"Old": b}, map[string]resource.Spec{"New": a}, Options{LiveRenames: renamed}, Conflict},
		{"in Git", map[string]resource.Spec{"Old": a}, map[string]resource.Spec{"New": a}, map[string]resource.Spec{"Old": a}, Options{WantRenames: renamed}, Deploy},
		{"in Git, changed by hand", map[string]resource.Spec{"Old": a}, map[string]resource.Spec{"New": a}, map[string]resource.Spec{"Old": b}, Options{WantRenames: renamed}, Conflict},
		{"by hand, enforced", map[string]resource.Spec{"Old": a}, map[string]resource.Spec{"Old": a}, map[string]resource.Spec{"New": a}, Options{LiveRenames: renamed, Enforce: true}, Deploy},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			d, err := Decide(at(tc.base), at(tc.want), at(tc.live), tc.o)
			require.NoError(t, err)
			require.Len(t, d.Items, 2)
			for i, it := range d.Items {
				require.Equal(t, tc.verdict, it.Verdict, it.Key)
				require.Equal(t, d.Items[1-i].Key, it.Partner)
			}
		})
	}
}

// FuzzDecide holds what must be true of every decision.
func FuzzDecide(f *testing.F) {
	f.Add(uint8(1), uint8(2), uint8(1), false)
	f.Add(uint8(1), uint8(1), uint8(2), true)
	f.Add(uint8(9), uint8(27), uint8(13), false)
	f.Fuzz(func(t *testing.T, b, w, l uint8, enforce bool) {
		base, want, live := decoded(b), decoded(w), decoded(l)
		d, err := Decide(one(base), one(want), one(live), Options{Enforce: enforce})
		require.NoError(t, err)
		again, err := Decide(one(base), one(want), one(live), Options{Enforce: enforce})
		require.NoError(t, err)
		require.Equal(t, d, again, "Decide is a function")
		if resource.Equal(want, live) == (len(d.Items) == 1 && d.Items[0].Verdict != Agree) && resource.Equal(want, live) {
			t.Fatalf("both sides agree and %s was decided", d.Items[0].Verdict)
		}
		if len(d.Items) == 0 {
			require.Equal(t, want.Hash(), live.Hash())
			return
		}
		it := d.Items[0]
		switch it.Verdict {
		case Record:
			require.Nil(t, it.After, "never deploys and records one object")
		case Deploy:
			if !enforce {
				require.Equal(t, base.Hash(), live.Hash(), "a deployment overwrites only what base knows")
			}
			require.Equal(t, want.Hash(), it.After.Hash())
		case Merge:
			for _, field := range []string{"x", "y", "z"} {
				switch {
				case it.After[field] == want[field] && want[field] != base[field]: // Git's
				case it.After[field] == live[field] && live[field] != base[field]: // live's
				case it.After[field] == base[field] && want[field] == base[field] && live[field] == base[field]:
				default:
					t.Fatalf("field %s: base %v, Git %v, live %v, merged %v", field, base[field], want[field], live[field], it.After[field])
				}
			}
		}
	})
}

// decoded makes an absent object of 0 and else three fields of three values.
func decoded(n uint8) resource.Spec {
	if n == 0 {
		return nil
	}
	s := resource.Spec{}
	for _, f := range []string{"x", "y", "z"} {
		if v := n % 4; v > 0 {
			s[f] = fmt.Sprint(v)
		}
		n /= 4
	}
	return s
}
