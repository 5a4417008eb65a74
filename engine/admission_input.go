package engine

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/holdfast-io/holdfast/engine/cel"
)

// admissionInput is what the expressions of an API server's own policy may read. There a Namespace is in itself.
func (e *evaluation) admissionInput(reads celReads, param map[string]any) *cel.Input {
	in := e.celInput(e.object, reads)
	in.Params = param
	if e.isNamespace() {
		in.Request = func() map[string]any {
			request := maps.Clone(e.celRequest())
			request["namespace"] = e.name
			return request
		}
	}
	return in
}

// admissionParams looks up the parameters of a binding: one that is nil where it has none, and none at all where none is
// found and none need be.
func (e *evaluation) admissionParams(p *Policy, params *celParams) ([]map[string]any, error) {
	if params == nil {
		return []map[string]any{nil}, nil
	}
	own := *params
	if own.namespace == "" && e.isNamespace() {
		own.namespace = e.name
	}
	found, err := e.celParameters(p, &own)
	if err != nil {
		return nil, fmt.Errorf("the parameters: %w", err)
	}
	namespaced := func(param map[string]any) bool { return metadata(param)["namespace"] != nil }
	switch {
	case own.namespace == "" && e.req.Namespace == "" && slices.ContainsFunc(found, namespaced):
		return nil, fmt.Errorf("the parameters: %w", errParamNamespace)
	case params.namespace != "" && !slices.ContainsFunc(found, namespaced) && slices.ContainsFunc(found, kept):
		return nil, fmt.Errorf("the parameters: a %s is in no namespace: expected a paramRef without namespace", own.kind.Kind)
	}
	return found, nil
}

var errParamNamespace = errors.New("a paramRef without namespace means the object's own, and the object is in none")

// kept reports whether the object comes from a cluster, which says in which namespace it is.
func kept(object map[string]any) bool { return metadata(object)["uid"] != nil }

// exempt reports whether an API server leaves a kind to none of its own policies: those themselves, because nobody could
// lift a mistake, and reviews, on which the server itself depends.
func exempt(kind schema.GroupVersionKind) bool {
	switch kind.Group {
	case "admissionregistration.k8s.io":
		return slices.Contains([]string{
			kindMutatingAdmissionPolicy, kindMutatingAdmissionPolicy + "Binding",
			kindValidatingAdmissionPolicy, kindValidatingAdmissionPolicy + "Binding",
		}, kind.Kind)
	case "authentication.k8s.io":
		return kind.Kind == "SelfSubjectReview" || kind.Kind == "TokenReview"
	case "authorization.k8s.io":
		return true
	default:
		return false
	}
}
