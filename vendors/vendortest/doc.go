// Package vendortest is the suite that every vendors.Driver passes.
//
// # How to write a vendor
//
// Make a folder beside this one and a type that implements vendors.Driver; read
// vendors/mem for the rules in their plainest form. Then, in the folder's test:
//
//	func TestDriver(t *testing.T) {
//		vendortest.Run(t, vendortest.Fixture{
//			Open: func(t *testing.T) vendortest.Platform {
//				server := startServer(t)                 // empty, and this test's own
//				return vendortest.Platform{
//					Driver: open(t, server),
//					Again:  func() vendors.Driver { return open(t, server) },
//					Hand:   vendortest.Hand{Put: server.Put, Delete: server.Delete},
//				}
//			},
//			Objects: []vendortest.Object{
//				{Key: resource.Key{Kind: "skill", Name: "Billing"}, Vary: skill},
//				{Key: resource.Key{Kind: "queue", Name: "Support"}, Vary: queue, Needs: …},
//			},
//		})
//	}
//
// Run the suite before there is any code, and make its cases pass in the order in
// which they stand: kinds, then reading, then writing, conflicts, and the optional
// interfaces last. It asks for no more than the kinds declare as their Capabilities: a kind that cannot be
// renamed must refuse renames with vendors.ErrUnsupported, and that is all. What the
// Hand cannot do has to be excused in Fixture.Without, with the reason; the hand should be a way past the driver, such as the
// platform's own client, so that one error is not made twice.
//
// What most often goes wrong, and the case that tells: numbers or sets that
// come back otherwise than they were written (Settled), an answer that was lost and a second
// create (Twice), a page that failed and was taken for the end of the list (Scope), a write on
// what somebody else had just written (Conflict, Lost, Race).
package vendortest
