package engine

import (
	"fmt"
	"regexp"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/holdfast-io/holdfast/engine/glob"
)

// Resource is what a request is about, or an object: its kind, and the plural name by which the API serves it.
type Resource struct {
	Kind        schema.GroupVersionKind
	Plural      string // such as pods; empty where it is not known
	SubResource string
}

// plural is the name that the API serves the resource by, guessed from the kind where it is not known, as the
// names of kinds are made in nearly every API.
func (r *Resource) plural() string {
	if r.Plural == "" {
		guess, _ := meta.UnsafeGuessKindToResource(r.Kind)
		r.Plural = guess.Resource
	}
	return r.Plural
}

// KindSelector selects resources: by their kind (an entry of `kinds`), or by their plural name (an entry of
// `resourceRules`). Each part is a wildcard.
type KindSelector struct {
	Group, Version, Kind, SubResource glob.Glob
	// Plural selects by the plural name, and Kind is not looked at.
	Plural glob.Glob
	ByName bool
}

var versionLike = regexp.MustCompile(`^(v\d+((alpha|beta)\d+)?|\*)$`)

// ParseKind reads the forms Kind, Kind/subresource, Kind.subresource, version/Kind,
// version/Kind/subresource, group/version/Kind and group/version/Kind/subresource, and */* for all.
// Source: https://kyverno.io/docs/policy-types/cluster-policy/match-exclude/
func ParseKind(s string) (KindSelector, error) {
	parts := strings.Split(s, "/")
	last := parts[len(parts)-1]
	parts = append(parts[:len(parts)-1], strings.Split(last, ".")...)
	for _, p := range parts {
		if p == "" {
			return KindSelector{}, fmt.Errorf("%q is not a kind: expected Kind, version/Kind, group/version/Kind or one of these with /subresource", s)
		}
	}
	group, version, kind, sub := "*", "*", "", ""
	switch len(parts) {
	case 1:
		kind = parts[0]
	case 2:
		switch {
		case parts[0] == "*" && parts[1] == "*":
			kind, sub = "*", "*"
		case parts[0] == "*" && strings.ToLower(parts[1]) == parts[1]:
			kind, sub = "*", parts[1]
		case versionLike.MatchString(parts[0]):
			version, kind = parts[0], parts[1]
		default:
			kind, sub = parts[0], parts[1]
		}
	case 3:
		if versionLike.MatchString(parts[0]) {
			version, kind, sub = parts[0], parts[1], parts[2]
		} else {
			group, version, kind = parts[0], parts[1], parts[2]
		}
	case 4:
		group, version, kind, sub = parts[0], parts[1], parts[2], parts[3]
	default:
		return KindSelector{}, fmt.Errorf("%q is not a kind: it has more than four parts", s)
	}
	return KindSelector{
		Group: glob.Compile(group), Version: glob.Compile(version),
		Kind: glob.Compile(kind), SubResource: glob.Compile(sub),
	}, nil
}

// Match reports whether a request on the resource is selected. A rule for Pods by their kind also sees
// their ephemeral containers, which are part of the Pod and come through a subresource.
func (k *KindSelector) Match(r *Resource) bool {
	gvk, sub := r.Kind, r.SubResource
	if !k.Group.Match(gvk.Group) || !k.Version.Match(gvk.Version) {
		return false
	}
	if k.ByName {
		return k.Plural.Match(r.plural()) && k.SubResource.Match(sub)
	}
	if !k.Kind.Match(gvk.Kind) {
		return false
	}
	return k.SubResource.Match(sub) || (k.SubResource.String() == "" &&
		sub == "ephemeralcontainers" && gvk.Kind == "Pod" && gvk.Group == "" && gvk.Version == "v1")
}

func (k KindSelector) String() string {
	name := k.Kind
	if k.ByName {
		name = k.Plural
	}
	s := k.Group.String() + "/" + k.Version.String() + "/" + name.String()
	if sub := k.SubResource.String(); sub != "" {
		s += "/" + sub
	}
	return s
}
