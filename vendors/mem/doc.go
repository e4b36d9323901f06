// Package mem is the reference platform: a small contact centre that lives in
// memory and implements every rule of vendors.Driver to the letter. Tests and
// simulations are written against it, and a new vendor can be compared with it.
//
// A Platform is the live system itself. Its own methods are the administrator's
// hand and the observer's eye: they change and show the true state, past any
// driver. A driver is opened on it with Driver, as often as wished.
//
// Weather is what goes wrong between the two: refusals, lost answers and late writes, stale and broken listings.
// Its only source of chance is the caller's.
//
// Nothing here starts a goroutine or sleeps, and ids come from a counter, so that a
// deterministic scheduler may drive it; all methods may be called concurrently.
package mem
