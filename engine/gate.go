package engine

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// The gate stands before every look-up and every write that a policy asks for: a policy can do no more than
// its author. A namespaced policy reaches its own namespace and nothing beside it
// (GHSA-8p9x-46gm-qfx2, GHSA-cvq5-hhx3-f99p, GHSA-79gf-7frw-68m9). What calls outside may reach is the
// business of who answers them (package lookup); that their host is constant was seen to at load.

// ErrOutOfReach is wrapped by the refusal of a look-up or write that a policy has no right to.
var ErrOutOfReach = errors.New("out of the policy's reach")

// reaches refuses a namespace other than a namespaced policy's own. Empty means all namespaces, or none.
func (p *Policy) reaches(namespace string) error {
	switch {
	case p.Namespace == "" || p.Namespace == namespace:
		return nil
	case namespace == "":
		return fmt.Errorf("%w: a policy of namespace %s sees nothing outside of it", ErrOutOfReach, p.Namespace)
	default:
		return fmt.Errorf("%w: namespace %s, for a policy of namespace %s", ErrOutOfReach, namespace, p.Namespace)
	}
}

// governs reports whether a kind is one that policies are made of, or their reports: what a tenant's policy does to
// such an object in its namespace would be done to those who rule it (Kubewarden CVE-2025-24376).
func governs(kind schema.GroupVersionKind) bool {
	switch kind.Group {
	case "kyverno.io", "policies.kyverno.io", "reports.kyverno.io", "wgpolicyk8s.io", "openreports.io", "holdfast.dev":
		return true
	default:
		return false
	}
}

// writes refuses what a tenant's policy may not write though it is in its namespace.
func (p *Policy) writes(kind schema.GroupVersionKind) error {
	if p.Namespace == "" || !governs(kind) {
		return nil
	}
	return fmt.Errorf("%w: %s, for a policy of namespace %s", ErrOutOfReach, kind.Kind, p.Namespace)
}

// judges reports whether an object is a policy's business at all, whatever the policy matches: one of a namespace has
// none beyond its own, and there no policies, exceptions, reports and remediations.
func (p *Policy) judges(req *Request) bool {
	return p.Namespace == "" || p.Namespace == req.Namespace && !governs(req.Kind)
}

// reachesPath refuses paths of the API server that lead a namespaced policy out of its namespace, and, for
// every policy, paths that do not say plainly where they lead.
func (p *Policy) reachesPath(target string) error {
	escaped, _, _ := strings.Cut(target, "?")
	path, err := url.PathUnescape(escaped)
	if err != nil {
		return fmt.Errorf("path %q: %w", target, err)
	}
	rest, rooted := strings.CutPrefix(path, "/")
	if !rooted {
		return fmt.Errorf("path %q does not begin with /", target)
	}
	segments := strings.Split(strings.TrimSuffix(rest, "/"), "/")
	if slices.ContainsFunc(segments, func(s string) bool { return s == "" || s == "." || s == ".." }) {
		return fmt.Errorf("%w: path %q has an empty, . or .. segment", ErrOutOfReach, target)
	}
	if p.Namespace == "" {
		return nil
	}
	// /api/VERSION/namespaces/NAME/... or /apis/GROUP/VERSION/namespaces/NAME/...
	at := map[string]int{"api": 2, "apis": 3}[segments[0]]
	if at == 0 || len(segments) < at+2 || segments[at] != "namespaces" {
		return fmt.Errorf("%w: path %q is not one of namespace %s", ErrOutOfReach, target, p.Namespace)
	}
	if slices.Contains(segments[at+2:], "proxy") {
		return fmt.Errorf("%w: path %q leads through a proxy", ErrOutOfReach, target)
	}
	return p.reaches(segments[at+1])
}

// Dependency is something beside the object that a decision rests on: when it changes, so may the decision.
type Dependency struct {
	Kind      schema.GroupVersionKind
	Namespace string // empty for cluster-scoped objects, and for all namespaces
	Name      string // empty for every object of the kind
}

// asked is what an evaluation has looked up, with the answers.
type asked struct {
	answers   map[string]answer
	rests     map[Dependency]struct{}
	unwatched bool
	clock     bool
	due       time.Time
}

type answer struct {
	value any
	err   error
}

// once asks the same thing one time in an evaluation.
func (a *asked) once(key string, ask func() (any, error)) (any, error) {
	if known, ok := a.answers[key]; ok {
		return known.value, known.err
	}
	value, err := ask()
	if a.answers == nil {
		a.answers = map[string]answer{}
	}
	a.answers[key] = answer{value, err}
	return value, err
}

// readsClock notes that the decisions of this evaluation rest on the time, in a way that only another evaluation tells.
func (a *asked) readsClock() { a.clock, a.unwatched = true, true }

// until notes that the decisions of this evaluation stand up to and with this time, and not after it.
func (a *asked) until(t time.Time) {
	a.unwatched = true
	if a.due.IsZero() || t.Before(a.due) {
		a.due = t
	}
}

// restsOn notes what the decisions of this evaluation rest on.
func (a *asked) restsOn(d Dependency) {
	if a.rests == nil {
		a.rests = map[Dependency]struct{}{}
	}
	a.rests[d] = struct{}{}
}

// dependencies lists what was noted, in a fixed order.
func (a *asked) dependencies() []Dependency {
	if len(a.rests) == 0 {
		return nil
	}
	return slices.SortedFunc(maps.Keys(a.rests), func(x, y Dependency) int {
		return cmp.Or(cmp.Compare(x.Kind.String(), y.Kind.String()), cmp.Compare(x.Namespace, y.Namespace), cmp.Compare(x.Name, y.Name))
	})
}

// get looks up one object for a policy.
func (e *evaluation) get(p *Policy, kind schema.GroupVersionKind, namespace, name string) (map[string]any, error) {
	if err := p.reaches(namespace); err != nil {
		return nil, err
	}
	e.asked.restsOn(Dependency{kind, namespace, name})
	value, err := e.asked.once("get\x00"+kind.String()+"\x00"+namespace+"\x00"+name, func() (any, error) {
		return e.in.Lookups.Get(e.ctx, kind, namespace, name)
	})
	object, _ := value.(map[string]any)
	if err == nil {
		err = p.owns(kind, object)
	}
	if err != nil {
		return nil, err
	}
	return object, nil
}

// owns refuses an object that a namespaced policy has been given though it is of no namespace, or of another:
// a cluster-scoped kind has no namespace that would narrow the question.
func (p *Policy) owns(kind schema.GroupVersionKind, object map[string]any) error {
	if p.Namespace == "" {
		return nil
	}
	meta := metadata(object)
	namespace, _ := meta["namespace"].(string)
	inFile := meta["uid"] == nil // where a namespace may be left out
	if namespace == p.Namespace || (namespace == "" && inFile) {
		return nil
	}
	return fmt.Errorf("%w: %s is not of namespace %s", ErrOutOfReach, kind.Kind, p.Namespace)
}

// list looks up the objects of a kind for a policy.
func (e *evaluation) list(p *Policy, kind schema.GroupVersionKind, namespace string, selector labels.Selector) ([]map[string]any, error) {
	if err := p.reaches(namespace); err != nil {
		return nil, err
	}
	e.asked.restsOn(Dependency{kind, namespace, ""})
	by := ""
	if selector != nil {
		by = selector.String()
	}
	value, err := e.asked.once("list\x00"+kind.String()+"\x00"+namespace+"\x00"+by, func() (any, error) {
		return e.in.Lookups.List(e.ctx, kind, namespace, selector)
	})
	objects, _ := value.([]map[string]any)
	for _, object := range objects {
		if err == nil {
			err = p.owns(kind, object)
		}
	}
	if err != nil {
		return nil, err
	}
	return objects, nil
}

// call asks the API server or a service for a policy.
func (e *evaluation) call(p *Policy, call *Call) (any, error) {
	if call.Path != "" {
		if err := p.reachesPath(call.Path); err != nil {
			return nil, err
		}
	}
	e.asked.unwatched = true
	if call.Body != nil { // two calls with a body are seldom the same
		return e.in.Lookups.Call(e.ctx, call)
	}
	as := fmt.Sprintf("\x00%t\x00%s", call.Status, call.CABundle)
	for _, h := range call.Headers {
		as += "\x00" + h.Name + "\x00" + h.Value
	}
	return e.asked.once("call\x00"+call.Method+"\x00"+call.Path+"\x00"+call.URL+as, func() (any, error) {
		return e.in.Lookups.Call(e.ctx, call)
	})
}

// globalContext reads an entry that is shared by all policies, and so is no business of a namespaced one.
func (e *evaluation) globalContext(p *Policy, name string) (any, error) {
	if p.Namespace != "" {
		return nil, fmt.Errorf("%w: global context entries are for cluster policies", ErrOutOfReach)
	}
	e.asked.unwatched = true
	return e.asked.once("global\x00"+name, func() (any, error) { return e.in.Lookups.GlobalContext(e.ctx, name) })
}

// image asks a registry. A namespaced policy has the pull secrets of its own namespace.
func (e *evaluation) image(p *Policy, image *ImageCall) (map[string]any, error) {
	image.Namespace = p.Namespace
	for _, secret := range image.Secrets {
		if namespace, _, found := strings.Cut(secret, "/"); found {
			if err := p.reaches(namespace); err != nil {
				return nil, fmt.Errorf("pull secret %s: %w", secret, err)
			}
		}
	}
	e.asked.unwatched = true
	value, err := e.asked.once("image\x00"+image.Reference+"\x00"+image.Namespace+"\x00"+strings.Join(image.Secrets, ","), func() (any, error) {
		return e.in.Lookups.Image(e.ctx, image)
	})
	data, _ := value.(map[string]any)
	return data, err
}

// access asks whether somebody may do something. A namespaced policy asks what those who rule its namespace may ask
// themselves, with a LocalSubjectAccessReview: about anybody, and about the namespace alone. Nothing is kept beyond the
// evaluation, so that a right that was taken away is gone at once.
func (e *evaluation) access(p *Policy, question *authorizationv1.SubjectAccessReviewSpec) (authorizationv1.SubjectAccessReviewStatus, error) {
	var status authorizationv1.SubjectAccessReviewStatus
	namespace := ""
	if question.ResourceAttributes != nil {
		namespace = question.ResourceAttributes.Namespace
	}
	if err := p.reaches(namespace); err != nil {
		return status, err
	}
	e.asked.unwatched = true
	key, err := json.Marshal(question)
	if err != nil {
		return status, fmt.Errorf("the question cannot be written as JSON: %w", err)
	}
	value, err := e.asked.once("access\x00"+string(key), func() (any, error) { return e.in.Lookups.AccessReview(e.ctx, question) })
	status, _ = value.(authorizationv1.SubjectAccessReviewStatus)
	return status, err
}
