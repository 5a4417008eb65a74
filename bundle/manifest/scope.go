package manifest

import (
	"slices"

	"k8s.io/apimachinery/pkg/runtime/schema"
)

// clusterScoped are the built-in kinds that live in no namespace. A file does not say so, and who reads
// files asks no server. Source: kubectl api-resources --namespaced=false, Kubernetes 1.36.
var clusterScoped = map[string][]string{
	"": {"ComponentStatus", "Namespace", "Node", "PersistentVolume"},
	"admissionregistration.k8s.io": {
		"MutatingAdmissionPolicy", "MutatingAdmissionPolicyBinding", "MutatingWebhookConfiguration",
		"ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding", "ValidatingWebhookConfiguration",
	},
	"apiextensions.k8s.io":         {"CustomResourceDefinition"},
	"apiregistration.k8s.io":       {"APIService"},
	"authentication.k8s.io":        {"SelfSubjectReview", "TokenReview"},
	"authorization.k8s.io":         {"SelfSubjectAccessReview", "SelfSubjectRulesReview", "SubjectAccessReview"},
	"certificates.k8s.io":          {"CertificateSigningRequest", "ClusterTrustBundle"},
	"flowcontrol.apiserver.k8s.io": {"FlowSchema", "PriorityLevelConfiguration"},
	"internal.apiserver.k8s.io":    {"StorageVersion"},
	"networking.k8s.io":            {"IPAddress", "IngressClass", "ServiceCIDR"},
	"node.k8s.io":                  {"RuntimeClass"},
	"rbac.authorization.k8s.io":    {"ClusterRole", "ClusterRoleBinding"},
	"resource.k8s.io":              {"DeviceClass", "DeviceTaintRule", "ResourceSlice"},
	"scheduling.k8s.io":            {"PriorityClass"},
	"storage.k8s.io":               {"CSIDriver", "CSINode", "StorageClass", "VolumeAttachment", "VolumeAttributesClass"},
	"storagemigration.k8s.io":      {"StorageVersionMigration"},
	"kyverno.io":                   {"ClusterPolicy", "ClusterCleanupPolicy", "GlobalContextEntry"},
}

// Scopes tells which kinds live in no namespace: the built-in ones, and those that a
// CustomResourceDefinition among the documents declares so.
type Scopes struct {
	declared map[schema.GroupKind]bool // of CRDs: true for cluster-scoped
}

// ScopesOf reads the CustomResourceDefinitions among the documents.
func ScopesOf(documents []*Document) Scopes {
	s := Scopes{map[schema.GroupKind]bool{}}
	for _, d := range documents {
		gv, err := schema.ParseGroupVersion(d.APIVersion())
		if err != nil || gv.Group != "apiextensions.k8s.io" || d.Kind() != "CustomResourceDefinition" {
			continue
		}
		spec, _ := d.Object["spec"].(map[string]any)
		names, _ := spec["names"].(map[string]any)
		group, _ := spec["group"].(string)
		kind, _ := names["kind"].(string)
		s.declared[schema.GroupKind{Group: group, Kind: kind}] = spec["scope"] == "Cluster"
	}
	return s
}

// Namespaced reports whether objects of the kind live in namespaces, if that is known.
func (s Scopes) Namespaced(gk schema.GroupKind) (namespaced, known bool) {
	if cluster, ok := s.declared[gk]; ok {
		return !cluster, true
	}
	return false, slices.Contains(clusterScoped[gk.Group], gk.Kind)
}

// Cluster reports whether objects of the kind live in no namespace. Kinds that are not known live in one.
func (s Scopes) Cluster(gk schema.GroupKind) bool {
	if cluster, ok := s.declared[gk]; ok {
		return cluster
	}
	return slices.Contains(clusterScoped[gk.Group], gk.Kind)
}
