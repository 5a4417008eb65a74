// Package pack chooses which policies of a bundle are in force, how far they go, and with which values.
//
// A Choice flows in, by packs, policies and parameters, and then the documents of a bundle, one by one, before they are
// compiled. Out flows, of each policy, whether it stays, its document changed to what was chosen, and at the end what was
// chosen of which policy. To which packs a policy belongs and what may be set in it, it says itself, by annotations, so
// that a bundle of somebody's own is chosen from in the same way as the shipped one.
//
// The package reads no files and compiles nothing. What a policy is about it never changes.
package pack
