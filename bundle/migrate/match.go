package migrate

import (
	"slices"
	"strconv"
	"strings"

	kyvernov1 "github.com/kyverno/kyverno/api/kyverno/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/holdfast-io/holdfast/engine"
	"github.com/holdfast-io/holdfast/engine/glob"
)

// selection is what a rule selects, in the words of a CEL policy.
type selection struct {
	rules      []resourceRule
	conditions []condition
	typ        *fieldType   // of the objects, nil for several types
	target     []targetKind // what the rule is about, for the proof
	notes      []string
	object     string // the name of the object in expressions
}

// resourceRule is one entry of resourceRules.
type resourceRule struct{ groups, versions, operations, resources []string }

// condition is one entry of matchConditions.
type condition struct {
	name string
	test expression
}

// targetKind is a kind that a rule selects, with the resource that serves it.
type targetKind struct {
	kind       schema.GroupVersionKind
	plural     string
	namespaced bool
	typ        *fieldType
}

// custom reports whether the kind is none of Kubernetes' own, so that little is known of it.
func (t targetKind) custom() bool { return isCustom(t.typ) }

// isCustom reports whether the type is that of an object of which the metadata alone is known.
func isCustom(t *fieldType) bool {
	return t.fields == customType().fields || slices.ContainsFunc(t.several, isCustom)
}

// translateSelection translates match and exclude. Operations are those that a filter means which names none.
func translateSelection(r *kyvernov1.Rule, implied []string, object string) (*selection, error) {
	s := &selection{object: object}
	filters, all := filtersOf(&r.MatchResources)
	if all && len(filters) > 1 {
		return nil, under(refuse("several filters of match.all, each with its own kinds and operations"), "match", "all")
	}
	var matches []expression
	for i, f := range filters {
		test, err := s.filter(f, implied)
		if err != nil {
			return nil, under(err, "match", filterPath(&r.MatchResources, i))
		}
		matches = append(matches, test)
	}
	s.settleTypes()
	if err := s.add("match", matches, filters); err != nil {
		return nil, under(err, "match")
	}
	if r.ExcludeResources == nil {
		return s, nil
	}
	return s, s.exclude(r.ExcludeResources)
}

// add adds what the filters of match select by beside kinds and operations.
func (s *selection) add(name string, tests []expression, filters []kyvernov1.ResourceFilter) error {
	same := true
	for _, test := range tests {
		same = same && test.same(tests[0])
	}
	if same {
		if tests[0].op != always {
			s.conditions = append(s.conditions, condition{name, tests[0]})
		}
		return nil
	}
	var any []expression
	for i, test := range tests {
		kinds, err := kindTest(filters[i].Kinds, filters[i].Operations)
		if err != nil {
			return err
		}
		any = append(any, and(kinds, test))
	}
	s.conditions = append(s.conditions, condition{name, or(any...)})
	return nil
}

func (s *selection) exclude(m *kyvernov1.MatchResources) error {
	filters, all := filtersOf(m)
	var tests []expression
	for i, f := range filters {
		test, err := s.beside(f)
		if err != nil {
			return under(err, "exclude", filterPath(m, i))
		}
		kinds := f.Kinds
		if s.covers(kinds) {
			kinds = nil
		}
		by, err := kindTest(kinds, f.Operations)
		if err != nil {
			return under(err, "exclude", filterPath(m, i))
		}
		tests = append(tests, and(by, test))
	}
	if len(tests) == 0 {
		return nil
	}
	excluded := or(tests...)
	if all {
		excluded = and(tests...)
	}
	s.conditions = append(s.conditions, condition{"exclude", not(excluded)})
	return nil
}

// covers reports whether the kinds hold all that the rule matches, so that they need not be asked for.
func (s *selection) covers(kinds []string) bool {
	for _, target := range s.target {
		if !slices.ContainsFunc(kinds, func(k string) bool {
			sel, err := engine.ParseKind(k)
			return err == nil && sel.Match(&engine.Resource{Kind: target.kind})
		}) {
			return false
		}
	}
	return true
}

func filtersOf(m *kyvernov1.MatchResources) (filters []kyvernov1.ResourceFilter, all bool) {
	switch {
	case len(m.Any) > 0:
		return m.Any, false
	case len(m.All) > 0:
		return m.All, true
	case m.IsEmpty():
		return nil, false
	default:
		return []kyvernov1.ResourceFilter{{ResourceDescription: m.ResourceDescription, UserInfo: m.UserInfo}}, false
	}
}

func filterPath(m *kyvernov1.MatchResources, i int) string {
	switch {
	case len(m.Any) > 0:
		return "any[" + strconv.Itoa(i) + "]"
	case len(m.All) > 0:
		return "all[" + strconv.Itoa(i) + "]"
	default:
		return "resources"
	}
}

// filter adds the kinds and operations of a filter of match, and gives what else it asks for.
func (s *selection) filter(f kyvernov1.ResourceFilter, implied []string) (expression, error) {
	operations := implied
	if len(f.Operations) > 0 {
		operations = nil
		for _, op := range f.Operations {
			operations = append(operations, string(op))
		}
	}
	if len(f.Kinds) == 0 {
		return expression{}, refuse("a filter without kinds")
	}
	for _, name := range f.Kinds {
		target, rule, err := s.kind(name)
		if err != nil {
			return expression{}, err
		}
		rule.operations = operations
		s.rules = mergeRule(s.rules, rule)
		if !slices.ContainsFunc(s.target, func(t targetKind) bool { return t.kind == target.kind }) {
			s.target = append(s.target, target)
		}
	}
	return s.beside(f)
}

// mergeRule adds the resources to a rule that has the same groups, versions and operations.
func mergeRule(list []resourceRule, rule resourceRule) []resourceRule {
	for i := range list {
		if slices.Equal(list[i].groups, rule.groups) && slices.Equal(list[i].versions, rule.versions) && slices.Equal(list[i].operations, rule.operations) {
			for _, resource := range rule.resources {
				if !slices.Contains(list[i].resources, resource) {
					list[i].resources = append(list[i].resources, resource)
				}
			}
			return list
		}
	}
	return append(list, rule)
}

// kind finds the resource behind an entry of kinds.
func (s *selection) kind(name string) (targetKind, resourceRule, error) {
	sel, err := engine.ParseKind(name)
	if err != nil {
		return targetKind{}, resourceRule{}, refuse("%v", err)
	}
	if sub := sel.SubResource.String(); sub != "" {
		return targetKind{}, resourceRule{}, refuse("the kind %q is a subresource, which other kinds may share", name)
	}
	kind := sel.Kind.String()
	if glob.HasWildcard(kind) {
		return targetKind{}, resourceRule{}, refuse("the kind %q has a wildcard, and a CEL policy selects by the names of resources", name)
	}
	group, version := sel.Group.String(), sel.Version.String()
	if glob.HasWildcard(version) && version != "*" || glob.HasWildcard(group) && group != "*" {
		return targetKind{}, resourceRule{}, refuse("the kind %q has a wildcard in its group or version", name)
	}
	for _, k := range knownKinds() {
		if k.kind != kind || group != "*" && k.group != group || version != "*" && k.version != version {
			continue
		}
		rule := resourceRule{groups: []string{k.group}, versions: []string{version}, resources: []string{k.plural}}
		if k.kind == "Pod" {
			rule.resources = append(rule.resources, "pods/ephemeralcontainers") // a part of the Pod, which the kind means too
		}
		return targetKind{k.gvk(), k.plural, k.namespaced, objectType(k.typ)}, rule, nil
	}
	gvk := schema.GroupVersionKind{Group: group, Version: version, Kind: kind}
	plural, _ := meta.UnsafeGuessKindToResource(gvk)
	s.notes = append(s.notes, "the resource of kind "+kind+" is taken to be "+plural.Resource)
	if group == "*" {
		gvk.Group = "example.com"
	}
	if version == "*" {
		gvk.Version = "v1"
	}
	return targetKind{gvk, plural.Resource, true, customType()},
		resourceRule{groups: []string{group}, versions: []string{version}, resources: []string{plural.Resource}}, nil
}

func (k known) gvk() schema.GroupVersionKind {
	return schema.GroupVersionKind{Group: k.group, Version: k.version, Kind: k.kind}
}

// settleTypes says of what type the objects are.
func (s *selection) settleTypes() {
	types := make([]*fieldType, len(s.target))
	for i, t := range s.target {
		types[i] = t.typ
	}
	if s.typ = types[0]; len(types) > 1 {
		s.typ = anyOfTypes(types)
	}
}

// kindTest asks for kinds and operations in an expression.
func kindTest(kinds []string, operations []kyvernov1.AdmissionOperation) (expression, error) {
	var any []expression
	for _, name := range kinds {
		sel, err := engine.ParseKind(name)
		if err != nil {
			return expression{}, refuse("%v", err)
		}
		if sel.SubResource.String() != "" || glob.HasWildcard(sel.Kind.String()) {
			return expression{}, refuse("the kind %q among several filters", name)
		}
		one := []expression{compare("request.kind.kind", "==", quote(sel.Kind.String()))}
		if group := sel.Group.String(); group != "*" {
			one = append([]expression{compare("request.kind.group", "==", quote(group))}, one...)
		}
		if version := sel.Version.String(); version != "*" {
			one = append(one, compare("request.kind.version", "==", quote(version)))
		}
		any = append(any, and(one...))
	}
	test := expression{op: always}
	if len(any) > 0 {
		test = or(any...)
	}
	if len(operations) == 0 {
		return test, nil
	}
	var names []string
	for _, op := range operations {
		names = append(names, string(op))
	}
	return and(test, oneOf("request.operation", names)), nil
}

// beside gives what a filter asks for beside kinds and operations.
func (s *selection) beside(f kyvernov1.ResourceFilter) (expression, error) {
	var all []expression
	names := f.Names
	if f.Name != "" {
		names = append([]string{f.Name}, names...)
	}
	if len(names) > 0 {
		all = append(all, anyOf("request.name", names))
	}
	if len(f.Namespaces) > 0 {
		if slices.ContainsFunc(s.target, func(t targetKind) bool { return t.kind.Kind == "Namespace" && t.kind.Group == "" }) {
			return expression{}, refuse("namespaces of a Namespace, which stand for its own name")
		}
		all = append(all, anyOf(`request.?namespace.orValue("")`, f.Namespaces))
	}
	meta := reference{base: s.object + ".metadata", typ: customType().field("metadata")}
	for _, part := range []struct {
		key  string
		want map[string]string
	}{{"annotations", f.Annotations}, {"labels", matchLabels(f.Selector)}} {
		for _, key := range sortedKeys(part.want) {
			if glob.HasWildcard(key) {
				return expression{}, refuse("a wildcard in the key of a label or annotation: %q", key)
			}
			all = append(all, textIs(meta.child(part.key).child(key), part.want[key]))
		}
	}
	if f.Selector != nil {
		for _, e := range f.Selector.MatchExpressions {
			test, err := labelTest(meta.child("labels").child(e.Key), e)
			if err != nil {
				return expression{}, err
			}
			all = append(all, test)
		}
	}
	if f.NamespaceSelector != nil {
		test, err := s.namespaceTest(f.NamespaceSelector)
		if err != nil {
			return expression{}, err
		}
		all = append(all, test)
	}
	if len(f.Roles) > 0 || len(f.ClusterRoles) > 0 {
		return expression{}, refuse("roles and clusterRoles of the user: CEL knows names and groups alone")
	}
	if len(f.Subjects) > 0 {
		all = append(all, subjectTest(f.Subjects))
	}
	return and(all...), nil
}

// namespaceTest asks for the labels of the namespace, of objects that have one.
func (s *selection) namespaceTest(sel *metav1.LabelSelector) (expression, error) {
	for _, t := range s.target {
		if !t.namespaced || t.custom() {
			return expression{}, refuse("a namespaceSelector on %s, of which it is not known that it is in a namespace", t.kind.Kind)
		}
	}
	labels := reference{base: "namespaceObject.metadata", typ: customType().field("metadata")}.child("labels")
	var all []expression
	for _, key := range sortedKeys(sel.MatchLabels) {
		if glob.HasWildcard(key) {
			return expression{}, refuse("a wildcard in the key of a label: %q", key)
		}
		all = append(all, textIs(labels.child(key), sel.MatchLabels[key]))
	}
	for _, e := range sel.MatchExpressions {
		test, err := labelTest(labels.child(e.Key), e)
		if err != nil {
			return expression{}, err
		}
		all = append(all, test)
	}
	return and(all...), nil
}

func matchLabels(sel *metav1.LabelSelector) map[string]string {
	if sel == nil {
		return nil
	}
	return sel.MatchLabels
}

// textIs asks that a text be there and match the wildcard.
func textIs(r reference, want string) expression {
	if glob.Match(want, "") {
		return and(r.there(), wildcard(r.or(`""`), want))
	}
	return wildcard(r.or(`""`), want)
}

func labelTest(r reference, e metav1.LabelSelectorRequirement) (expression, error) {
	switch e.Operator {
	case metav1.LabelSelectorOpExists:
		return r.there(), nil
	case metav1.LabelSelectorOpDoesNotExist:
		return not(r.there()), nil
	case metav1.LabelSelectorOpIn:
		if slices.Contains(e.Values, "") {
			return and(r.there(), oneOf(r.or(`""`), e.Values)), nil
		}
		return oneOf(r.or(`""`), e.Values), nil
	case metav1.LabelSelectorOpNotIn:
		if slices.Contains(e.Values, "") {
			return or(not(r.there()), not(oneOf(r.or(`""`), e.Values))), nil
		}
		return not(oneOf(r.or(`""`), e.Values)), nil
	default:
		return expression{}, refuse("the operator %s of a label selector", e.Operator)
	}
}

// anyOf asks that a text match one of the wildcards.
func anyOf(value string, list []string) expression {
	var literals []string
	var any []expression
	for _, s := range list {
		if glob.HasWildcard(s) {
			any = append(any, wildcard(value, s))
		} else {
			literals = append(literals, s)
		}
	}
	if len(literals) > 0 {
		any = append([]expression{oneOf(value, literals)}, any...)
	}
	return or(any...)
}

func subjectTest(subjects []rbacv1.Subject) expression {
	var users, groups []string
	for _, s := range subjects {
		switch s.Kind {
		case rbacv1.ServiceAccountKind:
			users = append(users, "system:serviceaccount:"+s.Namespace+":"+s.Name)
		case rbacv1.GroupKind:
			groups = append(groups, s.Name)
		default:
			users = append(users, s.Name)
		}
	}
	var any []expression
	if len(users) > 0 {
		any = append(any, anyOf(`request.userInfo.?username.orValue("")`, users))
	}
	if len(groups) > 0 {
		any = append(any, is("request.userInfo.?groups.orValue([]).exists(group, "+anyOf("group", groups).String()+")"))
	}
	return or(any...)
}

func sortedKeys(m map[string]string) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, strings.Compare)
	return keys
}
