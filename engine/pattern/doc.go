// Package pattern matches objects against the patterns of Kyverno's validate rules: a tree shaped like
// the object, with operators and wildcards in its leaves and anchors around its keys.
//
// A tree as encoding/json decodes it comes in at load and is compiled there: operators, quantities,
// durations, wildcards and anchors are read once. An object comes in at evaluation, is read and never
// changed; an Outcome goes out, with the place and the reason when it is not Pass. Leaves may hold
// {{ variables }}, which package expr resolves against the Env of the evaluation.
//
// The verdicts are those of Kyverno 1.19. DESIGN.md beside this file lists the rules that its
// documentation leaves open, and the few places where this package departs from it, with the reason.
//
// It reads no cluster, no clock and no environment, logs nothing, and keeps no state between calls.
package pattern
