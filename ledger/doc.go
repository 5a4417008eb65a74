// Package ledger keeps the record of what was decided and done: entries flow in, once each, and are never changed;
// answers to questions about the past flow out, and the proof that nobody has changed it either.
//
// A Store is the record itself, in a SQLite file of one program or in a PostgreSQL database of many. A Recorder stands
// before it in a program that runs long: it writes many small appends as few large ones, holds what cannot be written
// for a while, and never makes anybody wait who must not.
//
// The package decides nothing, reads nothing of a cluster, and takes no Secret's value out of a text: whoever hands it an
// entry has done so. DESIGN.md tells what the chain of hashes proves and what it cannot.
package ledger
