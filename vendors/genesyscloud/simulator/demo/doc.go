// Package demo fills organisations of the simulator with the configuration of a
// contact centre that could be: an insurer with claims, sales and service, in four
// languages. It knows the simulator's own hands only and must not know the adapter.
//
// Dev, test and prod have the same objects under different ids, but for what
// differs between real ones: numbers, a few values, what is new in dev.
package demo
