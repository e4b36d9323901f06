// Package rest is the engine for platforms that are configured through a REST
// API with JSON: it turns a table of kinds, a Platform, into a vendors.Driver.
//
// A vendor that stands on it writes down what its platform's API looks like, one
// row a kind: where objects are listed, read and written, how listings are paged,
// what guards a write, which fields hold ids of what. How that becomes specs
// without ids, complete listings, compare-and-set writes and a rate budget is
// the same everywhere, and lives here. What no table can say is a Go function in Hooks.
//
// The package knows HTTP, JSON and the vocabulary of vendors; it must not know any
// platform, Git or who is right.
package rest
