package plan_test

import (
	"fmt"

	"github.com/driftback/driftback/reconciler/plan"
	"github.com/driftback/driftback/vendors/resource"
)

func ExampleOrder() {
	can := resource.Capabilities{Create: true, Update: true, Delete: true}
	kinds := []resource.KindInfo{{Kind: "skill", Can: can}, {Kind: "queue", Can: can}, {Kind: "flow", Can: can}}
	object := func(kind resource.Kind, name string, refs ...any) *resource.Resource {
		return &resource.Resource{Key: resource.Key{Kind: kind, Name: name}, Spec: resource.Spec{"uses": refs}}
	}
	ref := func(kind resource.Kind, name string) any {
		return resource.Ref{Key: resource.Key{Kind: kind, Name: name}}
	}

	p, problems := plan.Order([]resource.Change{
		{Before: object("skill", "Fax")},
		{After: object("flow", "Main", ref("queue", "Support"))},
		{After: object("queue", "Support", ref("flow", "Main"), ref("skill", "Billing"))},
		{After: object("skill", "Billing")},
		{After: object("queue", "Sales", ref("skill", "Selling"))},
	}, plan.Options{
		Kinds:  kinds,
		Exists: func(k resource.Key) bool { return k.Name == "Fax" },
	})
	for i, s := range p.Steps {
		fmt.Printf("%d. %s\n", i+1, s)
	}
	for _, p := range problems {
		fmt.Println(p)
	}
	// Output:
	// 1. create skill/Billing
	// 2. create queue/Support: breaks a circle of references by leaving out flow/Main; completed in step 4
	// 3. create flow/Main
	// 4. update queue/Support (uses): completes step 2
	// 5. delete skill/Fax
	// plan queue/Sales: refers to what is not there: skill/Selling neither exists nor is created
}

func ExampleLimits_Check() {
	limits, err := plan.ParseLimits("2", "20%")
	fmt.Println(limits, err)

	var changes []resource.Change
	for _, name := range []string{"Sales", "Support", "Billing"} {
		changes = append(changes, resource.Change{Before: &resource.Resource{Key: resource.Key{Kind: "queue", Name: name}}})
	}
	for _, b := range limits.Check(changes, 100) {
		fmt.Println(b)
	}
	// Output:
	// {2 0.2 10} <nil>
	// 3 objects would be deleted; the guard allows 2.
}
