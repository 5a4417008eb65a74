// Package bundle turns policy files into the compiled, immutable snapshot that every door decides with.
//
// Files, folders, standard input or an fs.FS flow in; an engine.Snapshot and a Summary of what it was made
// of flow out, or an Error with every problem of every file, each with file, line and column. A policy, or
// a part of one, that Holdfast cannot run is a problem: it is never left out in silence.
//
// The package does not evaluate policies, and it writes nothing.
package bundle
