// Package jmesfn holds the functions of the policy language's JMESPath: those of JMESPath itself and those
// that Kyverno adds. JSON values come in as encoding/json decodes them into any, and the same kind of value
// goes out (every number a float64).
//
// A function never changes its arguments, never reads a file, the network, the environment or the machine's
// clock (Env carries the clock and the randomness), and never answers in an order that a Go map chose.
// Whatever can grow is bounded (limits.go). Errors name the function and the argument and say what was wanted,
// but never quote a value: it may be a secret.
//
// Prepare is the load-time half. It refuses unknown functions, wrong argument counts and bad patterns, compiles
// the patterns that an expression spells out, and mends what the library's interpreter does without order or
// bound (rewrite.go, fanout.go). NewCaller is the evaluation half: it binds the functions to an Env. A caller
// evaluates expressions that were not prepared too, more slowly and without those two bounds.
package jmesfn
