package migrate

import (
	"hash/fnv"
	"maps"
	"slices"
	"strings"

	kyvernov1 "github.com/kyverno/kyverno/api/kyverno/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// maxObjects bounds the made objects of a rule, so that a thousand rules are proved in minutes.
const maxObjects = 400

// suggestion is what objects for a proof are made from: a rule, and what its expressions say of an object.
type suggestion struct {
	rule  *kyvernov1.Rule
	shape *shape
	typ   *fieldType
	below []string // where the objects stand in those that are asked about: the path of a pod template
}

// madeRequests gives requests on objects of a kind that the rule's own text suggests.
func madeRequests(r *kyvernov1.Rule, target targetKind, from []suggestion) []request {
	seed := fnv.New64a()
	_, _ = seed.Write([]byte(r.Name)) // a hash does not fail
	random := newSampler(seed.Sum64())
	var bodies []map[string]any
	for _, f := range from {
		for _, body := range random.bodies(f.rule, f.typ, f.shape) {
			for i := len(f.below) - 1; i >= 0; i-- {
				body = map[string]any{f.below[i]: body}
			}
			bodies = append(bodies, body)
		}
	}
	kinds := []targetKind{target}
	for _, f := range from {
		kinds = append(kinds, target.versions(f.shape)...)
	}
	var out []request
	for _, kind := range kinds {
		out = append(out, requestsOn(r, kind, bodies)...)
	}
	return out
}

// versions gives the kind in the versions of which expressions speak.
func (t targetKind) versions(of *shape) []targetKind {
	if of == nil || of.fields["apiVersion"] == nil {
		return nil
	}
	var out []targetKind
	for _, v := range of.fields["apiVersion"].values {
		text, _ := v.(string)
		if gv, err := schema.ParseGroupVersion(text); err == nil && text != "" {
			other := t
			other.kind = gv.WithKind(t.kind.Kind)
			out = append(out, other)
		}
	}
	return out
}

func requestsOn(r *kyvernov1.Rule, target targetKind, bodies []map[string]any) []request {
	var out []request
	var before map[string]any
	for i, body := range bodies {
		for j, meta := range metadataOf(r, target) {
			if j > 0 && i > 0 && (i+j)%3 != 0 {
				continue // each body once, and each way to be selected on a third of them
			}
			object := objectOf(target, body, meta)
			if before == nil {
				before = object
			}
			for k, user := range usersOf(r) {
				if k == 0 || i < 3 {
					out = append(out, requestsFor(target.kind, target.plural, object, before, user)...)
				}
			}
		}
		if i%2 == 1 {
			before = nil // an update from this one to the next
		}
	}
	return out
}

func (s *sampler) bodies(r *kyvernov1.Rule, t *fieldType, of *shape) []map[string]any {
	var list []any
	if of != nil {
		list = s.members(of, t)
	} else if r.RawAnyAllConditions != nil {
		list = s.members(shapeOfConditions(r), t)
	}
	v := r.Validation
	if tree := decoded(v.GetPattern()); tree != nil {
		list = s.node(tree, t)
	}
	if trees, ok := decoded(v.GetAnyPattern()).([]any); ok {
		for _, tree := range trees {
			list = append(list, s.node(tree, t)...)
		}
	}
	out := []map[string]any{}
	for _, item := range list {
		if m, ok := item.(map[string]any); ok && len(out) < maxObjects {
			out = append(out, m)
		}
	}
	return append(out, map[string]any{})
}

// objectOf completes an object as the API server would.
func objectOf(target targetKind, body, meta map[string]any) map[string]any {
	object := maps.Clone(body)
	object["apiVersion"] = target.kind.GroupVersion().String()
	object["kind"] = target.kind.Kind
	made, _ := body["metadata"].(map[string]any)
	whole := maps.Clone(meta)
	for key, value := range made {
		inner, isMap := value.(map[string]any)
		have, haveMap := whole[key].(map[string]any)
		if isMap && haveMap {
			merged := maps.Clone(have)
			maps.Copy(merged, inner)
			value = merged
		}
		if _, isText := value.(string); (key == "name" || key == "namespace") && (!isText || value == "" || whole[key] != "made" && whole[key] != "default") {
			continue // an object has a name, and the one by which it is selected stays
		}
		whole[key] = value
	}
	object["metadata"] = whole
	if t := target.typ.field("spec"); t.always() {
		if _, ok := object["spec"]; !ok {
			object["spec"] = map[string]any{}
		}
	}
	return object
}

// metadataOf gives ways to be selected, and not to be, by what match and exclude ask for.
func metadataOf(r *kyvernov1.Rule, target targetKind) []map[string]any {
	names, namespaces := []string{"made"}, []string{"default", "other"}
	labels, annotations := map[string]any{}, map[string]any{}
	for i, override := range r.Validation.FailureActionOverrides {
		namespaces = append(namespaces, override.Namespaces...)
		if override.NamespaceSelector != nil {
			namespaces = append(namespaces, overriddenNamespace(i))
		}
	}
	for i, f := range filtersIn(r) {
		if f.NamespaceSelector != nil {
			namespaces = append(namespaces, selectedNamespace(i))
		}
		if f.Name != "" {
			names = append(names, f.Name)
		}
		names, namespaces = append(names, f.Names...), append(namespaces, f.Namespaces...)
		for key, value := range f.Annotations {
			annotations[instance(key)] = instance(value)
		}
		for key, value := range matchLabels(f.Selector) {
			labels[instance(key)] = instance(value)
		}
		if f.Selector != nil {
			for _, e := range f.Selector.MatchExpressions {
				labels[e.Key] = strings.Join(append(slices.Clone(e.Values), "x")[:1], "")
			}
		}
	}
	var out []map[string]any
	for i, name := range names {
		for j, namespace := range namespaces {
			if i > 0 && j > 0 && len(names)*len(namespaces) > 12 {
				continue
			}
			meta := map[string]any{"name": instance(name)}
			if target.namespaced {
				meta["namespace"] = instance(namespace)
			}
			out = append(out, meta)
			if len(labels)+len(annotations) == 0 {
				continue
			}
			with := maps.Clone(meta)
			if len(labels) > 0 {
				with["labels"] = labels
			}
			if len(annotations) > 0 {
				with["annotations"] = annotations
			}
			out = append(out, with)
			for key := range labels {
				other := maps.Clone(with)
				other["labels"] = maps.Clone(labels)
				other["labels"].(map[string]any)[key] = "something-else"
				out = append(out, other)
			}
		}
	}
	return out
}

// filtersIn lists the filters of match and exclude.
func filtersIn(r *kyvernov1.Rule) []kyvernov1.ResourceFilter {
	out, _ := filtersOf(&r.MatchResources)
	if r.ExcludeResources == nil {
		return out
	}
	excludes, _ := filtersOf(r.ExcludeResources)
	return slices.Concat(out, excludes)
}

// instance is a text that the wildcard matches.
func instance(wildcard string) string {
	return strings.NewReplacer("*", "some", "?", "x").Replace(wildcard)
}

// usersOf gives somebody, and everybody of whom the rule speaks.
func usersOf(r *kyvernov1.Rule) []*authenticationv1.UserInfo {
	out := []*authenticationv1.UserInfo{{Username: "jane", Groups: []string{"system:authenticated"}}}
	for _, f := range filtersIn(r) {
		for _, s := range f.Subjects {
			switch s.Kind {
			case rbacv1.GroupKind:
				out = append(out, &authenticationv1.UserInfo{Username: "joe", Groups: []string{instance(s.Name)}})
			case rbacv1.ServiceAccountKind:
				out = append(out, &authenticationv1.UserInfo{Username: "system:serviceaccount:" + instance(s.Namespace) + ":" + instance(s.Name)})
			default:
				out = append(out, &authenticationv1.UserInfo{Username: instance(s.Name)})
			}
		}
	}
	return out
}
