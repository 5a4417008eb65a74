package migrate

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	kyvernov1 "github.com/kyverno/kyverno/api/kyverno/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/holdfast-io/holdfast/bundle"
	"github.com/holdfast-io/holdfast/engine"
)

// Counterexample is a request on which a rule and its translation disagree.
type Counterexample struct {
	// Operation is the request's, or "at rest" for an object that nobody writes.
	Operation string `json:"operation"`
	Kind      string `json:"kind"`
	Object    any    `json:"object,omitempty"`
	OldObject any    `json:"oldObject,omitempty"`
	// Rule and Translation are the verdicts: pass, fail (Enforce), error; none where nothing is said.
	Rule        string `json:"rule"`
	Translation string `json:"translation"`
	// Message is what the translation, or else the rule, says.
	Message string `json:"message,omitempty"`
}

func (c *Counterexample) String() string {
	return fmt.Sprintf("of a %s (%s) the rule says %s and the translation %s", c.Kind, c.Operation, c.Rule, c.Translation)
}

// compiled makes a snapshot of documents.
func (m *Migrator) compiled(documents ...map[string]any) (*engine.Snapshot, error) {
	var policies []*engine.Policy
	for _, document := range documents {
		object, problems := bundle.CompileObject(m.compiler, document)
		if len(problems) > 0 {
			list := make([]string, len(problems))
			for i, p := range problems {
				list[i] = strings.TrimPrefix(p.PathString()+": "+p.Message, ": ")
			}
			return nil, errors.New(strings.Join(list, "; "))
		}
		policies = append(policies, object.Policy)
	}
	snapshot, err := engine.NewSnapshot(policies)
	if err != nil {
		return nil, fmt.Errorf("making a snapshot: %w", err)
	}
	return snapshot, nil
}

// compare runs both over the requests, and gives the first on which they disagree.
func (m *Migrator) compare(ctx context.Context, rule, translation *engine.Snapshot, w world, requests []request) (*Counterexample, tally, error) {
	seen := tally{}
	in := &engine.Inputs{Lookups: w, Now: func() time.Time { return m.now }, Rand: strings.NewReader("")}
	for i := range requests {
		if err := ctx.Err(); err != nil {
			return nil, nil, fmt.Errorf("comparing: %w", err)
		}
		r := &requests[i]
		old, oldText, err := r.verdict(ctx, rule, in)
		if err != nil {
			return nil, nil, err
		}
		got, text, err := r.verdict(ctx, translation, in)
		if err != nil {
			return nil, nil, err
		}
		if old == got {
			seen.add(r.Kind.Kind, old)
			continue
		}
		if text == "" {
			text = oldText
		}
		return &Counterexample{
			Operation: r.name(), Kind: r.Kind.Kind, Object: r.Object, OldObject: r.OldObject, Rule: old, Translation: got, Message: text,
		}, nil, nil
	}
	return nil, seen, nil
}

// tally counts how often a rule failed objects of a kind, and how often it passed them.
type tally map[string]*struct{ passed, failed int }

func (t tally) add(kind, verdict string) {
	if t[kind] == nil {
		t[kind] = &struct{ passed, failed int }{}
	}
	switch {
	case verdict == "pass":
		t[kind].passed++
	case strings.HasPrefix(verdict, "fail"), strings.HasPrefix(verdict, "warn"):
		t[kind].failed++
	}
}

// gap says what the agreement does not cover: kinds of which no object failed, or none passed.
func (t tally) gaps() []string {
	var out []string
	for _, kind := range slices.Sorted(maps.Keys(t)) {
		verb := ""
		switch {
		case t[kind].failed == 0 && t[kind].passed == 0:
			verb = "is judged by"
		case t[kind].failed == 0:
			verb = "fails"
		case t[kind].passed == 0:
			verb = "passes"
		default:
			continue
		}
		out = append(out, "no "+kind+" that was made or given "+verb+" the rule: give one that does (--resource)")
	}
	return out
}

// empty reports whether the rule judged nothing at all, so that the agreement says nothing.
func (t tally) empty() bool {
	for _, count := range t {
		if count.failed+count.passed > 0 {
			return false
		}
	}
	return true
}

// request is one that both answer.
type request struct {
	engine.Request
	atRest bool
}

func (r *request) name() string {
	if r.atRest {
		return "at rest"
	}
	return string(r.Operation)
}

// verdict says in one word or a few what a snapshot says of the request. A skip and silence are one: neither says anything
// of the object.
func (r *request) verdict(ctx context.Context, s *engine.Snapshot, in *engine.Inputs) (verdict, message string, err error) {
	var decisions []engine.Decision
	req := r.Request
	if r.atRest {
		req.User = nil
		answer, err := s.Audit(ctx, &req, in)
		if err != nil {
			return "", "", fmt.Errorf("auditing: %w", err)
		}
		decisions = answer.Decisions
	} else {
		decisions = s.Validate(ctx, &req, in)
	}
	var words []string
	for i := range decisions {
		d := &decisions[i]
		word := d.Status.String()
		switch d.Status {
		case engine.Skip:
			continue
		case engine.Fail, engine.Warn:
			word += " (" + d.Action.String() + ")"
		}
		if d.Status != engine.Pass {
			message = d.Message
		}
		if !slices.Contains(words, word) {
			words = append(words, word)
		}
	}
	if len(words) == 0 {
		return "nothing", "", nil
	}
	slices.Sort(words)
	return strings.Join(words, " and "), message, nil
}

// requestsFor gives the requests about an object: it is created, updated from another one, deleted, and lies at rest.
func requestsFor(kind schema.GroupVersionKind, plural string, object, before map[string]any, user *authenticationv1.UserInfo) []request {
	meta, _ := object["metadata"].(map[string]any)
	name, _ := meta["name"].(string)
	namespace, _ := meta["namespace"].(string)
	base := engine.Request{
		UID: "1", Operation: engine.Create, Kind: kind, Namespace: namespace, Name: name, Object: object, User: user,
		Resource: schema.GroupVersionResource{Group: kind.Group, Version: kind.Version, Resource: plural},
	}
	create, update, remove, rest := base, base, base, base
	update.Operation, update.OldObject = engine.Update, before
	remove.Operation, remove.Object, remove.OldObject = engine.Delete, nil, object
	rest.UID, rest.User = "", nil
	return []request{{create, false}, {update, false}, {remove, false}, {rest, true}}
}

// with adds namespaces that the filters of a rule select by their labels.
func (w world) with(r *kyvernov1.Rule) world {
	out := maps.Clone(w)
	for i, f := range filtersIn(r) {
		out.label(selectedNamespace(i), f.NamespaceSelector)
	}
	if r.Validation != nil {
		for i, override := range r.Validation.FailureActionOverrides {
			out.label(overriddenNamespace(i), override.NamespaceSelector)
		}
	}
	return out
}

// label adds a namespace that the selector selects.
func (w world) label(name string, by *metav1.LabelSelector) {
	if by == nil {
		return
	}
	labels := map[string]any{}
	for key, value := range by.MatchLabels {
		labels[instance(key)] = instance(value)
	}
	for _, e := range by.MatchExpressions {
		if e.Operator == metav1.LabelSelectorOpIn || e.Operator == metav1.LabelSelectorOpExists {
			labels[e.Key] = append(slices.Clone(e.Values), "x")[0]
		}
	}
	w[name] = map[string]any{"metadata": map[string]any{"labels": labels}}
}

// overriddenNamespace names the namespace that an override of the failure action selects.
func overriddenNamespace(override int) string { return "overridden-" + strconv.Itoa(override) }

// selectedNamespace names the namespace that a filter selects.
func selectedNamespace(filter int) string { return "selected-" + strconv.Itoa(filter) }

// world answers look-ups from the given resources: namespaces have the labels that these say.
type world map[string]map[string]any

func (w world) NamespaceLabels(_ context.Context, namespace string) (map[string]string, error) {
	out := map[string]string{"kubernetes.io/metadata.name": namespace}
	meta, _ := w[namespace]["metadata"].(map[string]any)
	given, _ := meta["labels"].(map[string]any)
	for key, value := range given {
		if text, ok := value.(string); ok {
			out[key] = text
		}
	}
	return out, nil
}

func (w world) Get(ctx context.Context, kind schema.GroupVersionKind, _, name string) (map[string]any, error) {
	if kind.Kind != "Namespace" || kind.Group != "" {
		return nil, engine.ErrNoLookup
	}
	found, err := w.NamespaceLabels(ctx, name)
	have := make(map[string]any, len(found))
	for key, value := range found {
		have[key] = value
	}
	return map[string]any{"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": name, "labels": have}}, err
}

func (world) Roles(context.Context, *authenticationv1.UserInfo) (roles, clusterRoles []string, err error) {
	return nil, nil, nil
}

func (world) List(context.Context, schema.GroupVersionKind, string, labels.Selector) ([]map[string]any, error) {
	return nil, engine.ErrNoLookup
}

func (world) Call(context.Context, *engine.Call) (any, error) { return nil, engine.ErrNoLookup }

func (world) GlobalContext(context.Context, string) (any, error) { return nil, engine.ErrNoLookup }

func (world) Image(context.Context, *engine.ImageCall) (map[string]any, error) {
	return nil, engine.ErrNoLookup
}

func (world) AccessReview(context.Context, *authorizationv1.SubjectAccessReviewSpec) (authorizationv1.SubjectAccessReviewStatus, error) {
	return authorizationv1.SubjectAccessReviewStatus{}, engine.ErrNoLookup
}
