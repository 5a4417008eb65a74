// Package plan says what would bring drifted objects back. Objects with what the rules found in them come in; targets come
// out, each with the smallest patch, the patch back, and the proof that it repairs the finding and breaks nothing; and of
// the targets of one rule, Remediations. What a bundle says of a change it asks the engine; what an API server says of it,
// and what owns the object, it asks a Server, which a plan for files does without.
//
// It writes nothing and remembers nothing, and has no clock: the same objects, bundle and answers give the same bytes.
// DESIGN.md in the folder above says how plans become changes.
package plan
