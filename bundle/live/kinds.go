package live

import (
	"slices"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/holdfast-io/holdfast/bundle"
)

// The kinds that are watched.
const (
	clusterPolicy        = "ClusterPolicy"
	policy               = "Policy"
	policyException      = "PolicyException"
	celException         = "PolicyException." + bundle.PoliciesGroup
	clusterCleanupPolicy = "ClusterCleanupPolicy"
	cleanupPolicy        = "CleanupPolicy"
	globalContextEntry   = "GlobalContextEntry"
)

// kind is a type of objects that is watched, in the first of its versions that is served.
type kind struct {
	name     string // ClusterPolicy
	resource string // clusterpolicies
	group    string
	versions []string // of the group, the one that is compiled first
}

// kinds are those that are watched. A CRD serves an object in each of its versions, so that one is enough.
func kinds() []kind {
	return []kind{
		newKind(bundle.Group, clusterPolicy, "clusterpolicies"),
		newKind(bundle.Group, policy, "policies"),
		newKind(bundle.Group, policyException, "policyexceptions"),
		newKind(bundle.Group, clusterCleanupPolicy, "clustercleanuppolicies"),
		newKind(bundle.Group, cleanupPolicy, "cleanuppolicies"),
		newKind(bundle.Group, globalContextEntry, "globalcontextentries"),
	}
}

func newKind(group, name, resource string) kind {
	return kind{name, resource, group, bundle.Versions(group, name)}
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

// Types are the resources that are read, for who registers the review of what is written to them.
func Types() []schema.GroupVersionResource {
	var out []schema.GroupVersionResource
	for _, k := range kinds() {
		out = append(out, k.resources()...)
	}
	return out
}

// isException reports whether the kind is one of exceptions, which are in two groups: see engine.Exception.Kind.
func isException(kind string) bool { return kind == policyException || kind == celException }

// hasStatus says of which kinds the status is written. An exception has none, and that of a cleanup policy
// tells of its runs.
func hasStatus(kind string) bool { return kind == clusterPolicy || kind == policy }
