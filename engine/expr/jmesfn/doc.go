// Package jmesfn holds the functions of the policy language's JMESPath: those of JMESPath itself and those
// that Kyverno adds. JSON values come in as encoding/json decodes them into any, and the same kind of value
// goes out (every number a float64).
//
// A function never changes its arguments, never reads a file, the network, the environment or the machine's
// clock (Env carries the clock and the randomness), and never answers in an order that a Go map chose.
// Whatever can grow is bounded (see MaxString and MaxItems). Errors name the function and the argument and
// say what was wanted, but never quote a value: it may be a secret.
//
// The functions are bound to an Env by NewCaller. Prepare is the load-time half: it compiles the patterns
// that an expression spells out, so that evaluation does not.
package jmesfn
