package clitest

import (
	"slices"
	"strings"
)

// named is a name of a result with the objects that it means.
type named struct {
	name    string
	objects []*object
}

// resources finds what a result is about. A name means the objects of that name and of the result's kind; if
// there are none, those of other kinds, since many files are careless there. A result that names nothing is
// about every object of its kind.
func (t *test) resources(r *result) []named {
	candidates := slices.Concat(t.objects, t.targets, t.payloads)
	pick := func(name string, is func(*object) bool) named {
		out := named{name: name}
		for _, o := range candidates {
			if is(o) && !slices.Contains(out.objects, o) {
				out.objects = append(out.objects, o)
			}
		}
		ofKind := slices.DeleteFunc(slices.Clone(out.objects), func(o *object) bool { return o.kind.Kind != r.Kind })
		if len(ofKind) > 0 {
			out.objects = ofKind
		}
		return out
	}
	var out []named
	for _, name := range r.Resources {
		out = append(out, pick(name, func(o *object) bool { return o.isNamed(name, r.Namespace) }))
	}
	if r.Resource != "" {
		out = append(out, pick(r.Resource, func(o *object) bool { return o.isNamed(r.Resource, r.Namespace) }))
	}
	for i := range r.ResourceSpecs {
		s := &r.ResourceSpecs[i]
		out = append(out, pick((&object{namespace: s.Namespace, name: s.Name}).String(), s.means))
	}
	if len(out) == 0 {
		payloads := t.meansPayloads(r)
		out = append(out, pick("", func(o *object) bool {
			return (r.Kind == "" || o.kind.Kind == r.Kind) && (o.payload != nil) == payloads
		}))
	}
	return out
}

// isNamed reports whether a name, or namespace/name, means the object.
func (o *object) isNamed(written, namespace string) bool {
	if o.payload != nil {
		return o.isPayload(written)
	}
	if before, after, found := strings.Cut(written, "/"); found {
		namespace, written = before, after
	}
	return o.name == written && (namespace == "" || namespace == o.namespace)
}

func (s *resourceSpec) means(o *object) bool {
	return o.name == s.Name && o.namespace == s.Namespace && o.kind.Group == s.Group &&
		o.kind.Version == s.Version && (s.Kind == "" || o.kind.Kind == s.Kind)
}
