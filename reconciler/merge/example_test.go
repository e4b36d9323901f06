package merge_test

import (
	"encoding/json"
	"fmt"

	"github.com/driftback/driftback/reconciler/diff"
	"github.com/driftback/driftback/reconciler/merge"
	"github.com/driftback/driftback/vendors/resource"
)

func ExampleSpecs() {
	queue := resource.KindInfo{Kind: "queue", Fields: []resource.Field{{Path: "tags", Set: true}}}
	base := resource.Spec{"timeout": json.Number("20"), "tags": []any{"day", "gold"}}
	git := resource.Spec{"timeout": json.Number("45"), "tags": []any{"day", "gold", "vip"}}
	live := resource.Spec{"timeout": json.Number("20"), "tags": []any{"gold"}}

	r := merge.Specs(queue.Schema(), base, git, live)
	fmt.Println(r.Spec)

	live["timeout"] = json.Number("30")
	for _, c := range merge.Specs(queue.Schema(), base, git, live).Conflicts {
		fmt.Printf("%s %s: %s, not %s and %s\n", c.Path, c.Reason, diff.Text(c.Base), diff.Text(c.Ours), diff.Text(c.Theirs))
	}
	// Output:
	// map[tags:[gold vip] timeout:45]
	// timeout changed on both sides to different values: 20, not 45 and 30
}
