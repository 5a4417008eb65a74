package live

import (
	"slices"

	"k8s.io/apimachinery/pkg/runtime/schema"
)

// kind is a type of policies that is watched, in the first of its versions that is served.
type kind struct {
	name     string // ClusterPolicy
	resource string // clusterpolicies
	versions []schema.GroupVersion
}

// kinds are those that are watched. A CRD serves a policy in each of its versions: v1 has all of v2beta1.
func kinds() []kind {
	v1 := schema.GroupVersion{Group: "kyverno.io", Version: "v1"}
	return []kind{
		{clusterPolicy, "clusterpolicies", []schema.GroupVersion{v1}},
		{policy, "policies", []schema.GroupVersion{v1}},
	}
}

const (
	clusterPolicy = "ClusterPolicy"
	policy        = "Policy"
)

// Types are the resources that are read, for who registers the review of policies.
func Types() []schema.GroupVersionResource {
	var out []schema.GroupVersionResource
	for _, k := range kinds() {
		for _, v := range k.versions {
			out = append(out, v.WithResource(k.resource))
		}
	}
	return out
}

// served finds the version to watch.
func (k kind) served(serves func(schema.GroupVersionResource) bool) (schema.GroupVersionResource, bool) {
	i := slices.IndexFunc(k.versions, func(v schema.GroupVersion) bool { return serves(v.WithResource(k.resource)) })
	if i < 0 {
		return schema.GroupVersionResource{}, false
	}
	return k.versions[i].WithResource(k.resource), true
}
