package webhook

import (
	"slices"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/holdfast-io/holdfast/engine"
)

// Guard asks somebody beside the policies about writes of one resource, and lets it change them. That nobody answers refuses
// the write, always: so a guard is for resources of our own, without which every cluster goes on.
type Guard struct {
	// Name of the entry, before ".guard.holdfast.dev".
	Name string
	// Path is where it is asked.
	Path     string
	Resource schema.GroupVersionResource
	// Condition in CEL is of writes that it is asked about; the others need nobody to answer.
	Condition string
}

const guardSuffix = ".guard.holdfast.dev"

// guards are the entries of those whose resource is served. Nobody is excused from them: what they are asked about counts only
// if they have answered.
func (w *Wanted) guards() ([]admissionregistrationv1.MutatingWebhook, error) {
	var out []admissionregistrationv1.MutatingWebhook
	for _, g := range w.Guards {
		at := slices.IndexFunc(w.Resources, func(r Resource) bool {
			return r.SubResource == "" && schema.GroupVersionResource{Group: r.Group, Version: r.Version, Resource: r.Name} == g.Resource
		})
		if at < 0 {
			continue
		}
		client, err := w.Endpoint.client(g.Path, w.CABundle)
		if err != nil {
			return nil, err
		}
		entry := everywhere(client, places{w.Resources[at].place(): setOf([]engine.Operation{engine.Create, engine.Update})})
		entry.Name = g.Name + guardSuffix
		entry.FailurePolicy = ptr(admissionregistrationv1.Fail)
		entry.ReinvocationPolicy = ptr(admissionregistrationv1.NeverReinvocationPolicy)
		entry.MatchConditions = []admissionregistrationv1.MatchCondition{{Name: g.Name, Expression: g.Condition}}
		out = append(out, entry)
	}
	return out, nil
}
