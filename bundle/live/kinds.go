package live

import (
	"slices"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/holdfast-io/holdfast/bundle"
)

// Kinds that are spoken of here. Of two groups that have a kind of one name, the newer one's has the group in it.
const (
	clusterPolicy      = "ClusterPolicy"
	policy             = "Policy"
	policyException    = "PolicyException"
	celException       = policyException + "." + bundle.PoliciesGroup
	globalContextEntry = "GlobalContextEntry"
)

// admissionGroup is the API server's own. It judges by the policies there itself: they are read for the audit.
const admissionGroup = "admissionregistration.k8s.io"

// kindOf names a kind among those of all groups.
func kindOf(group, kind string) string {
	if group == bundle.PoliciesGroup && kind == policyException {
		return celException
	}
	return kind
}

// isException reports whether the kind is one of exceptions, which are in two groups: see engine.Exception.Kind.
func isException(kind string) bool { return kind == policyException || kind == celException }

// kind is a type of objects that is watched, in the first of its versions that is served.
type kind struct {
	name     string // ClusterPolicy, as kindOf has it
	resource string // clusterpolicies
	group    string
	versions []string // of the group, the one that is compiled first
}

// kinds are those that are watched: all that a bundle may hold. A CRD serves an object in each of its versions, so that
// one is enough.
func kinds() []kind {
	var out []kind
	for _, group := range []string{bundle.Group, bundle.PoliciesGroup, admissionGroup} {
		for _, name := range bundle.Kinds(group) {
			plural, _ := meta.UnsafeGuessKindToResource(schema.GroupVersionKind{Group: group, Kind: name})
			out = append(out, kind{kindOf(group, name), plural.Resource, group, bundle.Versions(group, name)})
		}
	}
	return out
}

// resources lists the versions, the one that is compiled first.
func (k kind) resources() []schema.GroupVersionResource {
	out := make([]schema.GroupVersionResource, len(k.versions))
	for i, v := range k.versions {
		out[i] = schema.GroupVersionResource{Group: k.group, Version: v, Resource: k.resource}
	}
	return out
}

// served finds the version to watch.
func (k kind) served(serves func(schema.GroupVersionResource) bool) (schema.GroupVersionResource, bool) {
	resources := k.resources()
	i := slices.IndexFunc(resources, serves)
	if i < 0 {
		return schema.GroupVersionResource{}, false
	}
	return resources[i], true
}

// Types are the resources that are read, for who registers the review of what is written to them. The API server asks
// nobody about its own policies.
func Types() []schema.GroupVersionResource {
	var out []schema.GroupVersionResource
	for _, k := range kinds() {
		if k.group != admissionGroup {
			out = append(out, k.resources()...)
		}
	}
	return out
}
