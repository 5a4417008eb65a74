// Package k8smanifest stands in for the one of this name, of which Kyverno's API types use two types of fields. The whole
// package verifies signatures, and brings with it cosign, the SDKs of five clouds, CUE and OPA: two thirds of the program and
// of the time to link each test, of which nothing was ever called. Signed manifests are verified by engine/manifests.
//
// The fields are those of the format:
// https://github.com/sigstore/k8s-manifest-sigstore
package k8smanifest

// ObjectReference names objects; what is empty names all.
type ObjectReference struct {
	Group     string `json:"group,omitempty"`
	Version   string `json:"version,omitempty"`
	Kind      string `json:"kind,omitempty"`
	Name      string `json:"name,omitempty"`
	Namespace string `json:"namespace,omitempty"`
}

// ObjectReferenceList is several of them.
type ObjectReferenceList []ObjectReference

// ObjectFieldBinding is fields of objects.
type ObjectFieldBinding struct {
	Fields  []string            `json:"fields,omitempty"`
	Objects ObjectReferenceList `json:"objects,omitempty"`
}
