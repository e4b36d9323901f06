package plan

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/driftback/driftback/vendors/resource"
)

func TestUndo(t *testing.T) {
	t.Parallel()
	p, problems := Order([]resource.Change{
		change("- > queue/Q main=flow/F"), change("- > flow/F main=queue/Q"), change("user/A n=1 > user/B n=2"), change("skill/S > -"),
	}, Options{Kinds: kinds})
	require.Empty(t, problems)
	var got []string
	undo := Undo(p.Steps)
	for _, s := range undo {
		got = append(got, fmt.Sprint(s.Stage, " ", s))
	}
	require.Equal(t, []string{
		"0 create skill/S: undo",
		"1 update queue/Q (main): undo",
		"2 delete flow/F: undo",
		"3 delete queue/Q: undo",
		"3 rename user/B to user/A (n): undo",
	}, got)
	require.Equal(t, `n: "2" → "1"`, undo[4].Fields[0].String())

	require.Empty(t, Undo(nil))
	require.Len(t, Undo(p.Steps[:2]), 2)
	back := Undo(undo)
	for i := range back {
		require.Equal(t, p.Steps[i].Change, back[i].Change)
		require.Equal(t, p.Steps[i].Fields, back[i].Fields)
		require.Equal(t, p.Steps[i].Stage, back[i].Stage)
	}
}

func TestPlanJSON(t *testing.T) {
	t.Parallel()
	rename := change("queue/A n=1 main=user/U > queue/B n=2 main=user/U refs=user/U,user/V")
	rename.Before.Origin = &resource.Origin{ID: "42", Version: "7", When: time.Date(2026, 3, 1, 2, 3, 4, 0, time.UTC)}
	rename.After.Spec["password"] = resource.Secret{Name: "KEY"}
	rename.After.Spec["content"] = "\xff<"
	p, problems := Order([]resource.Change{rename, change("user/V > -"), change("- > skill/S")}, Options{Kinds: kinds, Exists: func(k resource.Key) bool { return k.Name == "U" }})
	require.Len(t, problems, 2)
	p2, _ := Order([]resource.Change{rename, change("- > user/V"), change("- > user/U"), change("skill/S > -")}, Options{Kinds: kinds})
	p.Steps = append(p.Steps, p2.Steps...)
	require.Len(t, p.Steps, 5)

	b, err := json.Marshal(p)
	require.NoError(t, err)
	var got Plan
	require.NoError(t, json.Unmarshal(b, &got))
	require.Equal(t, p, got)
	again, err := json.Marshal(got)
	require.NoError(t, err)
	require.Equal(t, string(b), string(again))
	require.Contains(t, string(b), `{"action":"create","object":"skill/S","after":{"key":"skill/S","spec":{}}`)
}

func TestStepWithoutObjectIsRestored(t *testing.T) {
	t.Parallel()
	want := Step{Change: change("- > skill/S")}
	b, err := json.Marshal(want)
	require.NoError(t, err)
	var got Step
	require.NoError(t, json.Unmarshal(b, &got))
	require.Equal(t, want, got)
}

func TestPlanJSONErrors(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`{"stage":1}`:                            "neither before nor after",
		`{"stage":"x"}`:                          "cannot unmarshal",
		`{"before":{"key":"a/b","spec":[]}}`:     "object a/b: the spec is []",
		`{"before":{"key":"a/b","spec":[null]}}`: "object a/b: null in a list",
		`{"after":{"key":"a/b","spec":1}}`:       "object a/b: the spec is 1",
		`{"after":{"key":"a","spec":{}}}`:        "want kind/name",
	} {
		var s Step
		require.ErrorContains(t, json.Unmarshal([]byte(text), &s), want, text)
	}
	bad := &resource.Resource{Key: key("a/b"), Spec: resource.Spec{"x": 1.5}}
	for _, c := range []resource.Change{{Before: bad}, {After: bad}} {
		_, err := json.Marshal(Step{Change: c})
		require.ErrorContains(t, err, "object a/b: a value of type float64")
	}
}

func TestProblemsHaveClasses(t *testing.T) {
	t.Parallel()
	for class, changes := range map[error][]string{
		ErrChange:      {"- > -"},
		ErrKind:        {"- > thing/X"},
		ErrUnsupported: {"- > wall/W"},
		ErrImmutable:   {"queue/A > queue/A fixed=1"},
		ErrDangling:    {"- > queue/A main=user/?"},
		ErrReferred:    {"user/A > -", "queue/A main=user/A > queue/A main=user/A n=1"},
		ErrTaken:       {"- > queue/taken"},
		ErrCycle:       {"- > brick/A main=brick/A"},
		ErrBlocked:     {"- > wall/W", "- > queue/A main=wall/W"},
	} {
		var all []resource.Change
		for _, c := range changes {
			all = append(all, change(c))
		}
		_, problems := Order(all, Options{Kinds: kinds, Exists: func(k resource.Key) bool { return k.Name == "taken" }})
		found := false
		for _, p := range problems {
			found = found || errors.Is(p, class)
		}
		require.True(t, found, "%v in %v", class, problems)
	}
}

func TestCascadesAreNotForRecreation(t *testing.T) {
	t.Parallel()
	info := kinds[1]
	info.Fields = fields
	_, problems := Order([]resource.Change{change("skill/S fixed=1 > skill/S fixed=2")}, Options{
		Kinds: []resource.KindInfo{info}, Recreate: func(resource.Key) bool { return true },
		Referrers: func(resource.Key) []resource.Key { return []resource.Key{key("queue/Q")} },
	})
	require.ErrorIs(t, problems[0], ErrReferred)
}

func TestRecreationNeedsCreateAndDelete(t *testing.T) {
	t.Parallel()
	info := resource.KindInfo{Kind: "queue", Fields: fields, Can: resource.Capabilities{Update: true, Delete: true}}
	_, problems := Order([]resource.Change{change("queue/S fixed=1 > queue/S fixed=2")}, Options{
		Kinds: []resource.KindInfo{info}, Recreate: func(resource.Key) bool { return true },
	})
	require.EqualError(t, problems[0], "plan queue/S: recreate: not supported by the platform")
}

// BenchmarkOrder plans a first deployment: each of 10,000 queues refers to a user, every hundredth is in a circle with a flow.
func BenchmarkOrder(b *testing.B) {
	var changes []resource.Change
	for i := range 10000 {
		changes = append(changes, change(fmt.Sprintf("- > user/%d", i)))
		if i%100 == 0 {
			changes = append(changes, change(fmt.Sprintf("- > queue/%d main=user/%d refs=flow/%d", i, i, i)), change(fmt.Sprintf("- > flow/%d main=queue/%d", i, i)))
			continue
		}
		changes = append(changes, change(fmt.Sprintf("- > queue/%d main=user/%d", i, i)))
	}
	b.ReportAllocs()
	for b.Loop() {
		p, problems := Order(changes, Options{Kinds: kinds})
		if len(p.Steps) != 20200 || len(problems) > 0 {
			b.Fatal(len(p.Steps), problems)
		}
	}
}
