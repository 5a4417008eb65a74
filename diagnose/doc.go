// Package diagnose gathers what people need who are asked why Holdfast does not work: in goes a way to a cluster and to its
// replicas, out comes an archive with what they say of themselves, what looks wrong of it in plain words, and what could not
// be looked at.
//
// It reads no Secret, and it writes nothing to the cluster. Whatever goes into the archive passes one place that takes out
// what looks like a password, a token or a key: see Archive.Add.
package diagnose
