// Package cel compiles and evaluates the CEL expressions of policies, with the functions, limits and types that a
// Kubernetes API server gives to its admission policies.
//
// In flow a policy's expressions (conditions, variables, validations, audit annotations) and, at evaluation, the objects,
// the facts of the request, the namespace and a parameter, as encoding/json decodes them. Out flow a verdict with its
// message, and before that, what is wrong with the expressions and which facts of a request they read.
//
// The package never looks anything up by itself, never changes its input, keeps nothing between two evaluations, and has
// no clock: the work of an evaluation is bounded by the API server's cost limits, and its time by the context, which ends
// it in the midst of a list too. What is compiled is immutable and may be evaluated by many goroutines at a time.
//
// Source: https://kubernetes.io/docs/reference/using-api/cel/ and
// https://kubernetes.io/docs/reference/access-authn-authz/validating-admission-policy/
package cel
