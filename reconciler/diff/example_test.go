package diff_test

import (
	"encoding/json"
	"fmt"

	"github.com/driftback/driftback/reconciler/diff"
	"github.com/driftback/driftback/vendors/resource"
)

func ExampleFields() {
	queue := resource.KindInfo{Kind: "queue", Fields: []resource.Field{
		{Path: "tags", Set: true},
		{Path: "members", ListKey: "user"},
		{Path: "members[].user", Ref: "user"},
	}}
	member := func(name, ring string) any {
		return map[string]any{"user": resource.Ref{Key: resource.Key{Kind: "user", Name: name}}, "ring": json.Number(ring)}
	}
	git := resource.Spec{"timeout": json.Number("20"), "tags": []any{"day", "gold"}, "members": []any{member("Ann", "1")}}
	live := resource.Spec{"timeout": json.Number("30"), "tags": []any{"gold"}, "members": []any{member("Ann", "2"), member("Bob", "1")}}

	for _, f := range diff.Fields(queue.Schema(), git, live) {
		fmt.Println(f)
	}
	// Output:
	// members[user=user/Ann].ring: 1 → 2
	// members[user=user/Bob]: + {ring: 1, user: user/Bob}
	// tags[=day]: - day
	// timeout: 20 → 30
}

func ExampleApply() {
	before := resource.Spec{"timeout": json.Number("20"), "name": "Support"}
	changes := diff.Fields(nil, before, resource.Spec{"timeout": json.Number("30"), "name": "Support"})

	edited := resource.Spec{"timeout": json.Number("20"), "name": "Help desk"}
	after, err := diff.Apply(nil, edited, changes)
	fmt.Println(after, err)

	_, err = diff.Apply(nil, resource.Spec{"timeout": json.Number("45")}, changes)
	fmt.Println(err)
	// Output:
	// map[name:Help desk timeout:30] <nil>
	// apply timeout: is 45, want 20
}

func ExampleParsePath() {
	p, _ := diff.ParsePath("members[user=user/Ann].ring")
	fmt.Println(len(p), p)
	_, err := diff.ParsePath("hours[first]")
	fmt.Println(err)
	// Output:
	// 3 members[user=user/Ann].ring
	// path "hours[first]": want an index or key=value at offset 11
}
