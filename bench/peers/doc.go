// Package peers compares Holdfast with Kyverno 1.19's own engine, which the policy language comes from: functions,
// patterns, conditions and patches on generated inputs, and the time and memory of one request. It is a module of its
// own, since it drags in the peer's whole tree, and holds tests and benchmarks only (make differential).
//
// Every place where the two part stands in a table, with the reason why ours is right. A difference that no table
// knows fails a test, and so does an entry of a table that nothing shows any more.
package peers
