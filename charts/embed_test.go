package charts

import (
	"io/fs"
	"slices"
	"strings"
	"testing"

	"github.com/kyverno/kyverno/api/policyreport/v1alpha2"
	openreports "github.com/openreports/reports-api/apis/openreports.io/v1alpha1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/yaml"

	api "github.com/holdfast-io/holdfast/api/v1alpha1"
)

func TestCRDsAreTheDefinitionsOfReportsAndRemediations(t *testing.T) {
	want := map[string]struct {
		kind  string
		scope apiextensionsv1.ResourceScope
	}{
		"openreports.io_reports.yaml":              {"Report", apiextensionsv1.NamespaceScoped},
		"openreports.io_clusterreports.yaml":       {"ClusterReport", apiextensionsv1.ClusterScoped},
		"wgpolicyk8s.io_policyreports.yaml":        {"PolicyReport", apiextensionsv1.NamespaceScoped},
		"wgpolicyk8s.io_clusterpolicyreports.yaml": {"ClusterPolicyReport", apiextensionsv1.ClusterScoped},
		"holdfast.dev_remediations.yaml":           {"Remediation", apiextensionsv1.ClusterScoped},
	}
	entries, err := fs.ReadDir(CRDs(), ".")
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != len(want) {
		t.Errorf("%d files: want %d", len(entries), len(want))
	}
	for name, report := range want {
		data, err := fs.ReadFile(CRDs(), name)
		if err != nil {
			t.Error(err)
			continue
		}
		var crd apiextensionsv1.CustomResourceDefinition
		if err := yaml.UnmarshalStrict(data, &crd); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if crd.Kind != "CustomResourceDefinition" || crd.APIVersion != apiextensionsv1.SchemeGroupVersion.String() {
			t.Errorf("%s is %s %s: want a CustomResourceDefinition", name, crd.APIVersion, crd.Kind)
		}
		version := map[string]string{v1alpha2.GroupName: v1alpha2.GroupVersion.Version, openreports.GroupName: openreports.GroupVersion.Version, api.Group: api.Version}[crd.Spec.Group]
		if !strings.HasPrefix(name, crd.Spec.Group+"_") || crd.Spec.Names.Kind != report.kind || crd.Spec.Scope != report.scope {
			t.Errorf("%s defines %s of %s, %s: want %s, %s", name, crd.Spec.Names.Kind, crd.Spec.Group,
				crd.Spec.Scope, report.kind, report.scope)
		}
		stored := func(v apiextensionsv1.CustomResourceDefinitionVersion) bool {
			return v.Name == version && v.Served && v.Storage
		}
		if !slices.ContainsFunc(crd.Spec.Versions, stored) {
			t.Errorf("%s does not store %q", name, version)
		}
	}
}
