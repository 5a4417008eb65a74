// Package reconcile carries out what rules want of objects other than the one that they match: it makes and
// keeps what generate rules generate, deletes what has lost what it was generated for, and changes the targets
// of mutate rules.
//
// Names of triggers come in, from whoever finds that something is to be done; writes to the API server go out,
// and outcomes into metrics and the log. It never trusts a finding: before each write it reads the trigger
// anew, evaluates anew, and writes only over the very state that was evaluated. Every step may be run twice.
// It never changes the object that a rule matches: that is drift, which package plan plans for and package propose
// proposes. DESIGN.md says how the two stand to one another.
package reconcile
