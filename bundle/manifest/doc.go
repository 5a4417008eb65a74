// Package manifest reads Kubernetes objects from YAML and JSON text and knows where each part of them
// stands.
//
// Files, folders, standard input or an fs.FS flow in; objects as encoding/json decodes them into any flow
// out, one per document, with `kind: List` unfolded, and an Error with line and column for each document
// that cannot be read. A broken document does not hide its neighbours. Scalars are read as kubectl reads
// them (sigs.k8s.io/yaml), so that an object is here what it would be in the cluster.
//
// It never interprets an object beyond apiVersion, kind and items.
package manifest
