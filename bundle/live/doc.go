// Package live keeps the policies of a cluster in force beside those of the bundle's files.
//
// What the cluster's policy types hold flows in by watches, as the types come and go; out flows a new
// snapshot in the bundle's store for every change, merged from the bundle that the store began with and the
// policies of the cluster, and, on the replica that is told to, the status of each policy. A policy is
// compiled by the same code as one of a file and only when it changes. One that does not compile keeps
// nobody else from working: its last version that did stays in force, and its status says so.
//
// The package evaluates nothing, and writes nothing but the status of policies. DESIGN.md tells the rules.
package live
