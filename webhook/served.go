package webhook

import (
	"slices"
	"strings"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"

	"github.com/holdfast-io/holdfast/engine"
)

// servedResources are what the API server serves, with the versions of each resource.
type servedResources struct {
	list     []Resource
	versions map[[2]string]int // how many, by group and path
}

func newServedResources(list []Resource) *servedResources {
	s := &servedResources{list: list, versions: map[[2]string]int{}}
	for i := range list {
		s.versions[list[i].object()]++
	}
	return s
}

// object names what is served in one version or several.
func (r *Resource) object() [2]string { return [2]string{r.Group, r.path()} }

// place is where a webhook entry is asked about the resource.
func (r *Resource) place() place {
	p := place{group: r.Group, version: r.Version, resource: r.path(), scope: admissionregistrationv1.ClusterScope}
	if r.Namespaced {
		p.scope = admissionregistrationv1.NamespacedScope
	}
	return p
}

// taken gives those of the operations that can come for the resource.
func (r *Resource) taken(ops operationSet) operationSet {
	var out operationSet
	for bit, op := range operationOrder {
		if ops&(1<<bit) != 0 && r.takes(op) {
			out |= 1 << bit
		}
	}
	return out
}

// find adds the resources that the selector selects, unless they are covered; false when there are none.
func (s *servedResources) find(k engine.KindSelector, selected map[*Resource]bool, covered bool) bool {
	found := false
	for i := range s.list {
		res := &s.list[i]
		if !k.Match(&engine.Resource{Kind: res.gvk(), Plural: res.Name, SubResource: res.SubResource}) {
			continue
		}
		found = true
		if !covered || k.SubResource.String() != res.SubResource {
			selected[res] = true
		}
	}
	return found
}

// each gives the selected resources, with their versions where these are not all that are served.
func (s *servedResources) each(selected map[*Resource]bool, take func(versions string, res *Resource)) {
	versions := map[[2]string][]string{}
	for res := range selected {
		versions[res.object()] = append(versions[res.object()], res.Version)
	}
	for res := range selected {
		name := ""
		if v := versions[res.object()]; len(v) < s.versions[res.object()] {
			slices.Sort(v)
			name = strings.Join(v, "-")
		}
		take(name, res)
	}
}
