package webhook

import (
	"cmp"
	"slices"
	"strings"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"

	"github.com/holdfast-io/holdfast/engine"
)

// operationSet is a set of the four operations, as bits in their usual order.
type operationSet uint8

var operationOrder = [...]engine.Operation{engine.Create, engine.Update, engine.Delete, engine.Connect}

func setOf(ops []engine.Operation) operationSet {
	var s operationSet
	for i, op := range operationOrder {
		if slices.Contains(ops, op) {
			s |= 1 << i
		}
	}
	return s
}

func (s operationSet) types() []admissionregistrationv1.OperationType {
	var out []admissionregistrationv1.OperationType
	for i, op := range operationOrder {
		if s&(1<<i) != 0 {
			out = append(out, admissionregistrationv1.OperationType(op))
		}
	}
	return out
}

// place is where a webhook entry has to be asked: a resource of one version, in the words of a webhook's
// rule. "*" stands for all in each part.
type place struct {
	group, version, resource string
	scope                    admissionregistrationv1.ScopeType
}

// places are those that an entry has to be asked about.
type places map[place]operationSet

// Unserved is a kind that policies select and the API server does not serve. It is left out of the webhook
// configurations until it appears.
type Unserved struct {
	Kind     string   // as group/version/kind, or group/version/plural of a resource that is named so
	Policies []string // by their IDs
}

// unserved gathers kinds that are not served, each with the policies that select them.
type unserved map[string][]string

func (u unserved) list() []Unserved {
	out := make([]Unserved, 0, len(u))
	for kind, policies := range u {
		slices.Sort(policies)
		out = append(out, Unserved{Kind: kind, Policies: slices.Compact(policies)})
	}
	slices.SortFunc(out, func(a, b Unserved) int { return strings.Compare(a.Kind, b.Kind) })
	return out
}

// asker takes up places that have to be asked about. Versions is empty where a rule looks at every served version of a
// resource, and else names those that it looks at. The narrowing keeps it from some of the requests there.
type asker func(versions string, p place, ops operationSet, n engine.Narrowing)

// ask takes up what a rule looks at.
func (s *servedResources) ask(r *engine.Rule, missing unserved, take asker) {
	for _, scope := range r.Scopes() {
		within, any := narrow(scope.Within, r.Policy)
		if !any {
			continue
		}
		ops := setOf(scope.Operations)
		if r.Kind == engine.Mutate && !r.ChangesOthers() {
			ops &^= setOf([]engine.Operation{engine.Delete}) // nothing remains to be changed
		}
		var absent []engine.KindSelector
		found := map[string]bool{} // plural names, as paths
		selected := map[*Resource]bool{}
		for _, k := range scope.Kinds {
			p, written := everything(k, within)
			if written {
				take("", p, ops, scope.Narrowing)
			}
			switch {
			case s.find(k, selected, written && p.version == "*"):
				found[k.Plural.String()+"/"+k.SubResource.String()] = true
			case !written || p.group != "*":
				absent = append(absent, k)
			}
		}
		s.each(selected, func(versions string, res *Resource) {
			p := res.place()
			if within != admissionregistrationv1.AllScopes && within != p.scope {
				return
			}
			if taken := res.taken(ops); taken != 0 {
				take(versions, p, taken, scope.Narrowing)
			}
		})
		for _, k := range absent {
			// A resourceRule stands for all its groups with all its resources. One of each is meant.
			if k.ByName && found[k.Plural.String()+"/"+k.SubResource.String()] {
				continue
			}
			name := strings.TrimPrefix(k.String(), "/") // the group of the core API is empty
			missing[name] = append(missing[name], r.Policy.ID())
		}
	}
}

// narrow is the scope of the resources that a policy looks at; false when there are none: a policy of a namespace
// sees nothing outside.
func narrow(within admissionregistrationv1.ScopeType, p *engine.Policy) (admissionregistrationv1.ScopeType, bool) {
	switch {
	case p.Namespace != "":
		return admissionregistrationv1.NamespacedScope, within != admissionregistrationv1.ClusterScope
	case within == "":
		return admissionregistrationv1.AllScopes, true
	default:
		return within, true
	}
}

// everything is the place of a selector of all kinds, or of all resources of a group. It is written as such and
// not as a list of what is served now, so that it holds for a resource from its first second.
func everything(k engine.KindSelector, within admissionregistrationv1.ScopeType) (place, bool) {
	p := place{group: "*", version: "*", resource: "*", scope: within}
	switch {
	case !k.ByName && (k.Group.String() != "*" || k.Version.String() != "*" || k.Kind.String() != "*"):
		return place{}, false
	case k.ByName && k.Plural.String() != "*":
		return place{}, false
	case k.ByName:
		p.group, p.version = k.Group.String(), k.Version.String() // resourceRules are written as a webhook's rules are
	}
	switch sub := k.SubResource; {
	case sub.String() == "":
		return p, true
	case sub.String() == "*" || sub.Literal():
		p.resource = "*/" + sub.String()
		return p, true
	default:
		return place{}, false
	}
}

// covers reports whether whoever is asked at p is asked at q too.
func (p place) covers(q place) bool {
	resource, sub, _ := strings.Cut(p.resource, "/")
	wanted, wantedSub, _ := strings.Cut(q.resource, "/")
	return (p.group == "*" || p.group == q.group) && (p.version == "*" || p.version == q.version) &&
		(resource == "*" || resource == wanted) && (sub == "*" || sub == wantedSub) &&
		(p.scope == admissionregistrationv1.AllScopes || p.scope == q.scope)
}

// entry is a webhook's rule in the making.
type entry struct {
	group     string
	versions  []string
	resources []string
	scope     admissionregistrationv1.ScopeType
	ops       operationSet
}

// rules writes the places with as few webhook rules as have the same effect, always in the same order.
func (d places) rules() []admissionregistrationv1.RuleWithOperations {
	entries := make([]entry, 0, len(d))
	for p, ops := range d {
		for q, others := range d {
			if p != q && q.covers(p) {
				ops &^= others
			}
		}
		if ops != 0 {
			entries = append(entries, entry{group: p.group, versions: []string{p.version}, resources: []string{p.resource}, scope: p.scope, ops: ops})
		}
	}
	entries = merge(entries, func(e *entry) *[]string { return &e.versions })
	entries = merge(entries, func(e *entry) *[]string { return &e.resources })
	slices.SortFunc(entries, func(a, b entry) int {
		return cmp.Or(strings.Compare(a.group, b.group), slices.Compare(a.resources, b.resources),
			slices.Compare(a.versions, b.versions), cmp.Compare(a.ops, b.ops))
	})
	out := make([]admissionregistrationv1.RuleWithOperations, len(entries))
	for i, e := range entries {
		out[i] = admissionregistrationv1.RuleWithOperations{
			Operations: e.ops.types(),
			Rule: admissionregistrationv1.Rule{
				APIGroups: []string{e.group}, APIVersions: e.versions, Resources: e.resources, Scope: &e.scope,
			},
		}
	}
	return out
}

// merge joins the entries that differ in the list alone which part gives.
func merge(entries []entry, part func(*entry) *[]string) []entry {
	compare := func(a, b entry, with bool) int {
		if !with {
			*part(&a), *part(&b) = nil, nil
		}
		return cmp.Or(strings.Compare(a.group, b.group), slices.Compare(a.resources, b.resources),
			slices.Compare(a.versions, b.versions), strings.Compare(string(a.scope), string(b.scope)), cmp.Compare(a.ops, b.ops))
	}
	slices.SortFunc(entries, func(a, b entry) int { return cmp.Or(compare(a, b, false), compare(a, b, true)) })
	var out []entry
	for _, e := range entries {
		if n := len(out); n > 0 && compare(out[n-1], e, false) == 0 && mergeable(&e) && mergeable(&out[n-1]) {
			list := part(&out[n-1])
			*list = append(slices.Clone(*list), *part(&e)...)
			continue
		}
		out = append(out, e)
	}
	return out
}

// mergeable keeps wildcards by themselves: the API wants no list that holds one beside what it covers.
func mergeable(e *entry) bool {
	return !slices.ContainsFunc(slices.Concat(e.versions, e.resources), func(s string) bool { return strings.Contains(s, "*") })
}
