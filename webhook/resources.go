package webhook

import (
	"cmp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/holdfast-io/holdfast/engine"
)

// Resource is one that the API server serves, or a subresource of one.
type Resource struct {
	Group, Version string
	// Name is the plural, such as pods; SubResource is empty or the part behind the slash.
	Name, SubResource string
	// Kind is that of the resource's objects; of a subresource, the parent's: the one that rules name.
	Kind       string
	Namespaced bool
	// Verbs of the API, such as create and patch.
	Verbs []string
}

func (r *Resource) gvk() schema.GroupVersionKind {
	return schema.GroupVersionKind{Group: r.Group, Version: r.Version, Kind: r.Kind}
}

func (r *Resource) path() string {
	if r.SubResource == "" {
		return r.Name
	}
	return r.Name + "/" + r.SubResource
}

// takes reports whether requests of the operation can come for the resource.
func (r *Resource) takes(op engine.Operation) bool {
	if op == engine.Connect || r.connects() == yes {
		return op == engine.Connect && r.connects() != no
	}
	has := func(verbs ...string) bool {
		return slices.ContainsFunc(verbs, func(v string) bool { return slices.Contains(r.Verbs, v) })
	}
	switch op {
	case engine.Create:
		return has("create")
	case engine.Update:
		return has("update", "patch")
	default:
		return has("delete", "deletecollection")
	}
}

// answer to a question that discovery does not always answer.
type answer uint8

const (
	no answer = iota
	yes
	maybe
)

// connects tells whether requests for the resource open a connection (exec, proxy) and change no object.
// Their verbs look like those of others; of the core API it is known which they are, and they are
// subresources always.
// Source: https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/
func (r *Resource) connects() answer {
	switch {
	case r.SubResource == "":
		return no
	case r.Group != "":
		return maybe
	case slices.Contains([]string{"attach", "exec", "portforward", "proxy"}, r.SubResource):
		return yes
	default:
		return no
	}
}

func compareResources(a, b Resource) int {
	return cmp.Or(strings.Compare(a.Group, b.Group), strings.Compare(a.Version, b.Version),
		strings.Compare(a.Name, b.Name), strings.Compare(a.SubResource, b.SubResource))
}
