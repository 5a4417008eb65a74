// Package mutate applies Kyverno's mutations to JSON values: patchStrategicMerge with its anchors, and
// patchesJson6902. It also computes and applies RFC 6902 patches between two values.
//
// A patch comes in at load, as a tree or a text, and is compiled there: anchors, variables, operations
// and pointers are read once. An object and an Env come in at evaluation; a Result goes out, with a new
// object when something changed.
//
// Nothing that comes in is ever changed. Objects are copied on write: a changed object shares every part
// that did not change with the one it was made from, and what a patch put in with the compiled patch.
// So whoever holds an object from here must not change it in place either.
//
// The outcomes are those of Kyverno 1.19. DESIGN.md beside this file lists the rules that its
// documentation leaves open, and where this package departs from it, with the reason.
//
// It reads no cluster, no clock and no environment, logs nothing, and keeps no state between calls.
package mutate
