package reconciler

import (
	"iter"

	"github.com/driftback/driftback/vendors/resource"
)

// sides are the hashes of one object; zero where it is not listed.
type sides struct{ base, want, live resource.Hash }

// differing yields the keys on which three snapshots do not have one hash, in
// key order, by one merge of the three sorted indexes.
func differing(base, want, live *resource.Snapshot) iter.Seq2[resource.Key, sides] {
	return func(yield func(resource.Key, sides) bool) {
		all := [3]*resource.Snapshot{base, want, live}
		var at [3]int
		for {
			var k resource.Key
			found := false
			for i, s := range all {
				if at[i] < s.Len() && (!found || s.At(at[i]).Key.Compare(k) < 0) {
					k, found = s.At(at[i]).Key, true
				}
			}
			if !found {
				return
			}
			var h [3]resource.Hash
			for i, s := range all {
				if at[i] < s.Len() && s.At(at[i]).Key == k {
					h[i] = s.At(at[i]).Hash
					at[i]++
				}
			}
			if h[0] == h[1] && h[1] == h[2] {
				continue
			}
			if !yield(k, sides{h[0], h[1], h[2]}) {
				return
			}
		}
	}
}
