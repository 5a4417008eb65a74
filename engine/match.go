package engine

import (
	"fmt"
	"slices"
	"strings"

	kyvernov1 "github.com/kyverno/kyverno/api/kyverno/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/holdfast-io/holdfast/engine/glob"
)

// matcher is a match or an exclude block. An empty one matches nothing.
type matcher struct {
	filters []filter
	all     bool // every filter must match, not any
}

// filter is one entry of any or all: its parts are ANDed, the values of a part are ORed.
type filter struct {
	operations   operations // 0: all
	kindList     []KindSelector
	names        []glob.Glob
	namespaces   []glob.Glob
	annotations  []pair
	selector     *selector
	nsSelector   *selector
	constraints  *constraints // of a policy in CEL, else nil
	roles        []string
	clusterRoles []string
	subjects     []rbacv1.Subject
}

func (f *filter) needsUser() bool {
	return len(f.roles) > 0 || len(f.clusterRoles) > 0 || len(f.subjects) > 0
}

// selects reports whether one of the filter's kinds is this one.
func (f *filter) selects(resource *Resource) bool {
	for i := range f.kindList {
		if f.kindList[i].Match(resource) {
			return true
		}
	}
	return false
}

// verdict of a filter or matcher: unknown when only an admission request could tell.
type verdict uint8

const (
	no verdict = iota
	yes
	unknown
)

func (m *matcher) kinds() []KindSelector {
	var kinds []KindSelector
	for i := range m.filters {
		kinds = append(kinds, m.filters[i].kindList...)
	}
	return kinds
}

// match evaluates the block. An error means that it could not be told, never that it does not match.
func (m *matcher) match(e *evaluation) (verdict, error) {
	if len(m.filters) == 0 {
		return no, nil
	}
	sum := no
	if m.all {
		sum = yes
	}
	for i := range m.filters {
		v, err := m.filters[i].match(e)
		if err != nil {
			return no, err
		}
		switch {
		case m.all && v == no, !m.all && v == yes:
			return v, nil
		case v == unknown:
			sum = unknown
		}
	}
	return sum, nil
}

// match checks what costs least first; look-ups come last and only if all else holds.
func (f *filter) match(e *evaluation) (verdict, error) {
	req := e.req
	if f.operations != 0 && !f.operations.has(req.Operation) {
		return no, nil
	}
	if len(f.kindList) > 0 && !f.selects(&e.resource) {
		return no, nil
	}
	if len(f.names) > 0 && !glob.MatchAny(f.names, e.name) {
		return no, nil
	}
	if len(f.namespaces) > 0 && !glob.MatchAny(f.namespaces, e.namespace()) {
		return no, nil
	}
	if len(f.annotations) > 0 && !matchPairs(f.annotations, e.metadata("annotations")) {
		return no, nil
	}
	if f.selector != nil && !f.selector.match(e.metadata("labels")) {
		return no, nil
	}
	if f.constraints != nil {
		if met, err := f.constraints.match(e); err != nil || !met {
			return no, err
		}
	}
	if f.nsSelector != nil {
		if e.isNamespace() {
			return no, nil // it selects by the namespace that an object is in
		}
		labels, err := e.namespaceLabels()
		if err != nil {
			return no, err
		}
		if !f.nsSelector.match(labels) {
			return no, nil
		}
	}
	if !f.needsUser() {
		return yes, nil
	}
	return f.matchUser(e)
}

func (f *filter) matchUser(e *evaluation) (verdict, error) {
	if e.req.User == nil {
		return unknown, nil
	}
	if len(f.subjects) > 0 && !matchSubjects(f.subjects, e.req.User) {
		return no, nil
	}
	if len(f.roles) == 0 && len(f.clusterRoles) == 0 {
		return yes, nil
	}
	roles, clusterRoles, err := e.roles()
	if err != nil {
		return no, err
	}
	if len(f.roles) > 0 && !matchNames(f.roles, roles) {
		return no, nil
	}
	if len(f.clusterRoles) > 0 && !matchNames(f.clusterRoles, clusterRoles) {
		return no, nil
	}
	return yes, nil
}

func matchNames(wanted, have []string) bool {
	for _, w := range wanted {
		if slices.ContainsFunc(have, func(h string) bool { return glob.Match(w, h) }) {
			return true
		}
	}
	return false
}

func matchSubjects(subjects []rbacv1.Subject, user *authenticationv1.UserInfo) bool {
	for _, s := range subjects {
		switch s.Kind {
		case rbacv1.ServiceAccountKind:
			if glob.Match("system:serviceaccount:"+s.Namespace+":"+s.Name, user.Username) {
				return true
			}
		case rbacv1.UserKind:
			if glob.Match(s.Name, user.Username) {
				return true
			}
		case rbacv1.GroupKind:
			if slices.ContainsFunc(user.Groups, func(g string) bool { return glob.Match(s.Name, g) }) {
				return true
			}
		}
	}
	return false
}

// compileMatch reads a match or exclude block.
func (c *compiler) compileMatch(m *kyvernov1.MatchResources, path []any) matcher {
	var out matcher
	switch {
	case len(m.Any) > 0 && len(m.All) > 0:
		c.problem(path, "has both any and all: expected one of them")
	case len(m.Any) > 0:
		for i := range m.Any {
			out.filters = append(out.filters, c.compileFilter(&m.Any[i].ResourceDescription, &m.Any[i].UserInfo, at(path, "any", i)))
		}
	case len(m.All) > 0:
		out.all = true
		for i := range m.All {
			out.filters = append(out.filters, c.compileFilter(&m.All[i].ResourceDescription, &m.All[i].UserInfo, at(path, "all", i)))
		}
	case !m.IsEmpty():
		out.filters = append(out.filters, c.compileFilter(&m.ResourceDescription, &m.UserInfo, path))
	}
	return out
}

func (c *compiler) compileFilter(d *kyvernov1.ResourceDescription, u *kyvernov1.UserInfo, path []any) filter {
	res := at(path, "resources")
	if d.IsEmpty() && u.IsEmpty() {
		c.problem(path, "selects nothing: expected resources, subjects, roles or clusterRoles")
	}
	if d.Name != "" && len(d.Names) > 0 {
		c.problem(at(res, "name"), "has both name and names: expected one of them")
	}
	f := filter{
		namespaces:   glob.CompileAll(d.Namespaces),
		annotations:  compilePairs(d.Annotations),
		names:        glob.CompileAll(d.Names),
		roles:        u.Roles,
		clusterRoles: u.ClusterRoles,
		subjects:     u.Subjects,
	}
	if d.Name != "" {
		f.names = []glob.Glob{glob.Compile(d.Name)}
	}
	for i, k := range d.Kinds {
		sel, err := ParseKind(k)
		if err != nil {
			c.problem(at(res, "kinds", i), err.Error())
			continue
		}
		f.kindList = append(f.kindList, sel)
	}
	for i, op := range d.Operations {
		bit := operationBit(Operation(op))
		if bit == 0 {
			c.problem(at(res, "operations", i), fmt.Sprintf("unknown operation %q: expected CREATE, UPDATE, DELETE or CONNECT", op))
		}
		f.operations |= bit
	}
	var err error
	if f.selector, err = compileSelector(d.Selector); err != nil {
		c.problem(at(res, "selector"), err.Error())
	}
	if f.nsSelector, err = compileSelector(d.NamespaceSelector); err != nil {
		c.problem(at(res, "namespaceSelector"), err.Error())
	}
	for i, role := range u.Roles {
		if strings.Count(role, ":") != 1 {
			c.problem(at(path, "roles", i), fmt.Sprintf("%q is not a role: expected namespace:name", role))
		}
	}
	for i, s := range u.Subjects {
		where := at(path, "subjects", i)
		switch {
		case s.Kind != rbacv1.UserKind && s.Kind != rbacv1.GroupKind && s.Kind != rbacv1.ServiceAccountKind:
			c.problem(at(where, "kind"), fmt.Sprintf("unknown kind of subject %q: expected User, Group or ServiceAccount", s.Kind))
		case s.Name == "":
			c.problem(at(where, "name"), "is missing")
		case s.Kind == rbacv1.ServiceAccountKind && s.Namespace == "":
			c.problem(at(where, "namespace"), "is missing: a ServiceAccount has one")
		}
	}
	return f
}
