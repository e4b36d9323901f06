// Package resource is the vocabulary that every other package speaks: keys,
// specs, references, secrets, snapshots, changes and the descriptors of kinds.
//
// It knows what an object of a platform's configuration is, when two objects
// are equal, and what a reading of a platform does and does not say. It must not
// know any platform, Git, YAML or the network: it imports the standard library only.
package resource
