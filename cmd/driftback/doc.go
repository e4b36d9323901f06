// Driftback keeps a Git repository and the live configuration of platforms in
// agreement, in both directions.
package main
