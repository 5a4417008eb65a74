// Package charts holds the Helm chart and hands out the custom resource definitions in it, for a program that
// runs outside of a cluster and so was not installed by Helm. The definitions go out as a read-only file
// system, as they are written; the package neither parses nor applies them, and never takes any in.
package charts

import (
	"embed"
	"io/fs"
)

// The definitions of the reports are made from the Go types that the reports are
// written with. The version of the types is the one that go.mod requires. That of Remediation is made from our own,
// and those of policies, for clusters that have none, from Kyverno's.
//
//go:generate go run sigs.k8s.io/controller-tools/cmd/controller-gen@v0.21.0 crd paths=github.com/kyverno/kyverno/api/policyreport/v1alpha2 paths=github.com/openreports/reports-api/apis/openreports.io/v1alpha1 output:crd:dir=holdfast/definitions
//go:generate go run sigs.k8s.io/controller-tools/cmd/controller-gen@v0.21.0 crd:maxDescLen=300 paths=../api/v1alpha1 output:crd:dir=holdfast/definitions
//go:generate go run sigs.k8s.io/controller-tools/cmd/controller-gen@v0.21.0 crd:maxDescLen=0 paths=github.com/kyverno/kyverno/api/kyverno/v1 paths=github.com/kyverno/kyverno/api/kyverno/v2 paths=github.com/kyverno/kyverno/api/kyverno/v2beta1 paths=github.com/kyverno/kyverno/api/kyverno/v2alpha1 paths=github.com/kyverno/api/api/policies.kyverno.io/v1 paths=github.com/kyverno/api/api/policies.kyverno.io/v1beta1 paths=github.com/kyverno/api/api/policies.kyverno.io/v1alpha1 output:crd:dir=holdfast/policy-definitions
//go:generate go run ./dashboards -o holdfast/dashboards

//go:embed holdfast/definitions/*.yaml
var files embed.FS

// CRDs are the definitions of the resources that Holdfast writes: one file per resource at the root of the
// file system, which begins with the API group, one YAML document of kind CustomResourceDefinition (apiextensions.k8s.io/v1) in each.
func CRDs() fs.FS {
	sub, err := fs.Sub(files, "holdfast/definitions")
	if err != nil { // the path is a constant that fs.ValidPath takes
		panic(err)
	}
	return sub
}
