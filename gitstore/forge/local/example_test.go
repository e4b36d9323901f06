package local_test

import (
	"context"
	"fmt"
	"log"

	"github.com/driftback/driftback/gitstore"
	"github.com/driftback/driftback/gitstore/forge"
	"github.com/driftback/driftback/gitstore/forge/local"
)

// A program proposes a change, a person asks for something and merges it.
func Example() {
	ctx := context.Background()
	check := func(err error) {
		if err != nil {
			log.Fatal(err)
		}
	}
	store, err := gitstore.Open(ctx, gitstore.Options{
		Remote:    gitstore.NewMemoryRemote(), // or URL: "/srv/git/config.git"
		Committer: gitstore.Signature{Name: "driftback", Email: "driftback@example.org"},
	})
	check(err)
	defer store.Close()
	author := gitstore.Signature{Name: "Ann", Email: "ann@example.org"}
	main, err := store.Commit(ctx, "refs/heads/main", gitstore.ID{}, gitstore.Edit{"queue.yaml": []byte("size: 10\n")}, author, "Begin\n")
	check(err)
	head, err := store.Write(main.ID, []gitstore.ID{main.ID}, gitstore.Edit{"queue.yaml": []byte("size: 12\n")}, author, "Grow\n")
	check(err)
	check(store.Push(ctx, gitstore.Update{Ref: "refs/heads/drift", New: head.ID}))

	program, err := local.Open(store, local.Options{})
	check(err)
	p, err := program.EnsurePull(ctx, forge.Pull{Head: "drift", Base: "main", Title: "Drift of prod"})
	check(err)
	check(program.EnsureComment(ctx, p.Number, "plan", "Nothing will be deployed."))
	_, cursor, err := program.Commands(ctx, "")
	check(err)

	ben, err := local.Open(store, local.Options{User: "Ben <ben@example.org>"})
	check(err)
	_, err = ben.Comment(ctx, p.Number, "Yes, we need two more.\n/drift accept queue/Support")
	check(err)
	commands, _, err := program.Commands(ctx, cursor)
	check(err)
	fmt.Println(commands[0].Author, "says", commands[0].Text)

	details, err := ben.Show(ctx, p.Number)
	check(err)
	fmt.Print(details.Diff)
	p, err = ben.Merge(ctx, p.Number, details.HeadID, "")
	check(err)
	fmt.Println(p.State, "by", p.ClosedBy)
	// Output:
	// Ben says /drift accept queue/Support
	// diff --git a/queue.yaml b/queue.yaml
	// --- a/queue.yaml
	// +++ b/queue.yaml
	// @@ -1 +1 @@
	// -size: 10
	// +size: 12
	// merged by Ben
}
