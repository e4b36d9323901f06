package reconciler

import (
	"iter"

	"github.com/driftback/driftback/vendors/resource"
)

// sides are the hashes of one object; zero where it is not listed.
type sides struct{ base, want, live resource.Hash }

// differing yields the keys on which three snapshots do not have one hash, in key order.
func differing(base, want, live *resource.Snapshot) iter.Seq2[resource.Key, sides] {
	return func(yield func(resource.Key, sides) bool) {
		for k, h := range resource.Differing(base, want, live) {
			if !yield(k, sides{h[0], h[1], h[2]}) {
				return
			}
		}
	}
}
