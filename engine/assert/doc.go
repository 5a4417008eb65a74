// Package assert evaluates assertion trees: validate.assert of Kyverno's policy language. A tree comes in at
// load, a value and bindings at evaluation; what goes out is whether the value is as the tree says, with each
// place where it is not. Expressions are package expr's. It changes no value and keeps nothing.
//
// A tree has the shape of the value that it describes. The keys of its objects select and the rest compares:
//
//	spec: {...}           the field spec must be there and be as described
//	(length(list)): 2     the value of a JMESPath expression, as key and on the right side
//	~.containers: {...}   each element of a list, or each value of an object, must be as described
//	~i.containers: {...}  likewise, with the index or key bound to $i
//	(name)->n: {...}      what is selected is bound to $n, for what stands below and beside
//	\(name)\: x           the key (name) itself
//
// Source: https://kyverno.github.io/kyverno-json/latest/policies/asserts/ (kyverno-json, as Kyverno embedded it
// until 1.18).
package assert
