// Package engine decides. A compiled Snapshot of policies, a Request (an object and what is known about
// who does what with it) and Inputs (look-ups, a clock) come in; Decisions and a mutated object go out.
// It never acts: it holds no client, no clock, no goroutine and no global, so that the command line, the
// admission webhook and the auditor get the same verdict from the same words.
//
// JSON values are as encoding/json decodes them into any. An object that comes in is never changed;
// what goes out may share parts with it and with the snapshot, and must not be changed in place.
package engine
