// Package simulator is a contact-centre platform for tests and for the demo: an
// HTTP server with the part of the Genesys Cloud public API that configuration
// needs, several organisations in one process, everything in memory.
//
// It is written from the vendor's published client (operations, models, read-only
// fields) and from what the vendor's own tools are known to cope with: versions,
// 409 and 400 conflicts, 429 with Retry-After, listings that lag behind, users who
// are only marked as deleted, flows that are published by jobs. It must not know
// the adapter that is tested against it: an error made by one hand would be made
// twice. It proves shape, and behaviour as far as it is known; it is not the
// platform.
//
// What a listing leaves out unless it is asked for, as the platform does: the
// conditions of skill groups (never in a listing), the schema of data tables
// (expand=schema), contract and configuration of data actions (expand=contract,
// includeConfig=true), the configuration of integrations (expand=config.current),
// skills, languages and roles of users (expand=skills,languages,authorization).
//
// A kind is a row of the tables in kind_*.go; code stands only where a row cannot
// say it.
package simulator
