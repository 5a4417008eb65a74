// Package propose keeps the Remediations of a cluster in line with what is planned. Names of objects that were found at
// fault come in; each is read, and planned for by package plan; Remediations go out: new ones are created, those that no
// longer fit are marked as superseded, old ones that have ended are deleted.
//
// It changes nothing but Remediations: whatever it asks the API server to do with other objects is a dry run. It
// touches none that is being carried out. What it knows it learns anew each time it runs.
package propose
