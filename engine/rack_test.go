package engine

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	authenticationv1 "k8s.io/api/authentication/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"pgregory.net/rapid"
)

// scattered are match blocks that part rules by all that a rack tells apart, and by what it does not.
var scattered = []string{
	"resources: {kinds: [Pod], namespaces: [a]}",
	"resources: {kinds: [Pod], namespaces: [a, b]}",
	"resources: {kinds: [Pod], namespaces: ['a*', b]}",
	"resources: {kinds: [Pod], namespaces: ['*a']}",
	"resources: {kinds: [Pod], namespaces: ['a?c']}",
	"resources: {kinds: [Pod, Namespace], names: [a]}",
	"resources: {kinds: [Pod], names: ['a-*', b], namespaces: [b]}",
	"resources: {kinds: [Pod], operations: [DELETE]}",
	"resources: {kinds: [Pod], operations: [CREATE], selector: {matchLabels: {l: a}}}",
	"resources: {kinds: [Pod], operations: [UPDATE], namespaces: [a]}",
	"resources: {kinds: [Pod, Namespace], selector: {matchLabels: {l: a, m: b}}}",
	"resources: {kinds: [Pod], selector: {matchLabels: {l: 'a*'}, matchExpressions: [{key: m, operator: Exists}]}}",
	"resources: {kinds: [Pod], annotations: {l: a}}",
	"resources: {kinds: [Pod], annotations: {'l*': a}}",
	"resources: {kinds: [Pod, Namespace], namespaceSelector: {matchLabels: {in: a}}}",
	"resources: {kinds: [Pod], names: ['?*'], namespaceSelector: {matchLabels: {in: b}}}",
	"resources: {kinds: [Pod, Namespace], namespaceSelector: {matchExpressions: [{key: in, operator: In, values: [b, c]}]}}",
	"resources: {kinds: [Pod], namespaceSelector: {matchExpressions: [{key: in, operator: DoesNotExist}]}}",
	"resources: {kinds: [Pod]}",
	"resources: {kinds: ['*'], namespaces: [b]}",
	"resources: {kinds: [Pod], namespaces: [b]}, subjects: [{kind: User, name: jane}]",
}

// scatteredPolicies have one of the match blocks each, or two of them in either way.
func scatteredPolicies(t *testing.T) []*Policy {
	var texts []string
	add := func(kind, how string, blocks ...string) {
		texts = append(texts, fmt.Sprintf(`{apiVersion: kyverno.io/v1, %s, name: p%d, annotations: {pod-policies.kyverno.io/autogen-controllers: none}}, spec: {rules: [{name: r,
			match: {%s: [{%s}]}, validate: {message: no, pattern: {spec: {x: y}}}}]}}`, kind, len(texts), how, strings.Join(blocks, "}, {")))
	}
	for i, block := range scattered {
		add("kind: ClusterPolicy, metadata: {", "any", block)
		add("kind: Policy, metadata: {namespace: a", "any", block)
		next := scattered[(i+7)%len(scattered)] // of another sort
		add("kind: ClusterPolicy, metadata: {", "any", block, next)
		add("kind: ClusterPolicy, metadata: {", "all", block, next)
	}
	var out []*Policy
	for _, text := range texts {
		out = append(out, mustCompile(t, strings.Replace(text, "metadata: {,", "metadata: {", 1)))
	}
	for i, selector := range []string{
		"objectSelector: {matchLabels: {l: a}}", "objectSelector: {matchExpressions: [{key: l, operator: In, values: [a, b]}]}",
		"objectSelector: {matchExpressions: [{key: l, operator: NotIn, values: [a]}]}", "namespaceSelector: {matchLabels: {in: a}}",
		"objectSelector: {matchLabels: {l: ''}}", "namespaceSelector: {matchLabels: {in: a}}, objectSelector: {matchLabels: {m: b}}",
	} {
		out = append(out, mustCompileValidating(t, fmt.Sprintf(`{apiVersion: policies.kyverno.io/v1, kind: ValidatingPolicy, metadata: {name: c%d}, spec: {autogen: {podControllers: {controllers: []}},
			matchConstraints: {%s, resourceRules: [{apiGroups: [''], apiVersions: [v1], operations: [CREATE, UPDATE], resources: [pods, namespaces]}]},
			validations: [{expression: "false", message: no}]}}`, i, selector)))
	}
	return out
}

func scatteredRequest(t *rapid.T) *Request {
	texts := rapid.SampledFrom([]any{"a", "b", "abc", "", 5.0})
	object := func() map[string]any {
		return map[string]any{"spec": map[string]any{}, "metadata": map[string]any{
			"labels": map[string]any{"l": texts.Draw(t, "l"), "m": texts.Draw(t, "m")}, "annotations": map[string]any{"l": texts.Draw(t, "annotation")},
		}}
	}
	r := &Request{
		Operation: rapid.SampledFrom([]Operation{Create, Update, Delete, Connect, "OTHER"}).Draw(t, "operation"),
		Kind:      schema.GroupVersionKind{Version: "v1", Kind: rapid.SampledFrom([]string{"Pod", "Pod", "Namespace", "Secret"}).Draw(t, "kind")},
		Name:      rapid.SampledFrom([]string{"a", "a-b", "b", ""}).Draw(t, "name"), Namespace: rapid.SampledFrom([]string{"a", "abc", "b", "ba", ""}).Draw(t, "namespace"),
		Object: object(),
	}
	r.Resource = schema.GroupVersionResource{Version: "v1", Resource: strings.ToLower(r.Kind.Kind) + "s"}
	if rapid.Bool().Draw(t, "asked") {
		r.User = &authenticationv1.UserInfo{Username: "jane"}
		if r.Operation != Create {
			r.OldObject = object()
		}
	}
	return r
}

// What racks leave out has nothing to say: the decisions are those of all rules.
func TestRacksLeaveNothingOut(t *testing.T) {
	policies := scatteredPolicies(t)
	rapid.Check(t, func(rt *rapid.T) {
		s, err := NewSnapshot(rapid.SliceOfNDistinct(rapid.SampledFrom(policies), 1, 20, (*Policy).Key).Draw(rt, "policies"))
		if err != nil {
			rt.Fatal(err)
		}
		w := world{labels: map[string]map[string]string{"a": {"in": "a"}, "b": {"in": "b"}}}
		if rapid.Bool().Draw(rt, "broken") {
			w.labelsErr = errors.New("it is not known")
		}
		in := w.inputs()
		if rapid.Bool().Draw(rt, "at hand") {
			in.Lookups = atHand{w}
		}
		for range 8 {
			req := scatteredRequest(rt)
			some, all := s.begin(context.Background(), req, in), s.begin(context.Background(), req, in)
			got := some.validate(s.validate.rules(some), atAdmission)
			want := all.validate(s.index[Validate].rules(&all.resource), atAdmission)
			if !reflect.DeepEqual(summary(got), summary(want)) {
				rt.Fatalf("%+v:\n got %q\nwant %q", req, summary(got), summary(want))
			}
			for _, d := range all.asked.dependencies() {
				if !slices.Contains(some.asked.dependencies(), d) {
					rt.Fatalf("%+v: it is not known to rest on %v", req, d)
				}
			}
		}
	})
}

// atHand is a world that has the labels of its namespaces at hand.
type atHand struct{ world }

func (w atHand) NamespaceLabelsAtHand(namespace string) (map[string]string, bool) {
	labels, known := w.labels[namespace]
	return labels, known && w.labelsErr == nil
}

func summary(decisions []Decision) []string {
	out := make([]string, len(decisions))
	for i := range decisions {
		out[i] = decisions[i].Policy.Key() + " " + line(&decisions[i])
	}
	return out
}

// A mutate rule may look at what the one before it has written.
func TestARackHidesNoRuleFromWhatAnotherOneWrites(t *testing.T) {
	const add = `{rules: [{name: r, match: {any: [{resources: {kinds: [Pod]%s}}]}, mutate: {patchStrategicMerge: {metadata: {%s}}}}]}`
	s := snapshot(t,
		withoutAutogen("a", fmt.Sprintf(add, "", "labels: {l: a}")),
		withoutAutogen("b", fmt.Sprintf(add, ", selector: {matchLabels: {l: a}}", "annotations: {k: b}")),
		withoutAutogen("c", fmt.Sprintf(add, ", annotations: {k: b}", "labels: {m: c}")),
		withoutAutogen("d", fmt.Sprintf(add, ", namespaces: [elsewhere]", "labels: {m: d}")),
	)
	got, err := s.Mutate(context.Background(), asking(t, "{apiVersion: v1, kind: Pod, metadata: {name: p, namespace: shop}}"), world{}.inputs())
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"name": "p", "namespace": "shop", "labels": map[string]any{"l": "a", "m": "c"}, "annotations": map[string]any{"k": "b"}}
	if !reflect.DeepEqual(got.Object["metadata"], want) {
		t.Errorf("got %v, want %v", got.Object["metadata"], want)
	}
}

func TestOnlyRulesThatMayMatchAreLookedAt(t *testing.T) {
	texts := []string{withoutAutogen("all", "{rules: [{name: r, match: {any: [{resources: {kinds: [Pod]}}]}, validate: {pattern: {}}}]}")}
	for i, match := range []string{
		"namespaces: [elsewhere]", "namespaces: ['elsewhere-*']", "names: [other]", "operations: [DELETE]", "selector: {matchLabels: {other: a}}",
		"annotations: {other: a}", "namespaceSelector: {matchLabels: {other: a}}",
	} {
		texts = append(texts, withoutAutogen(fmt.Sprint("p", i), "{rules: [{name: r, match: {any: [{resources: {kinds: [Pod], "+match+"}}]}, validate: {pattern: {}}}]}"))
	}
	s := snapshot(t, texts...)
	e := s.begin(context.Background(), asking(t, "{apiVersion: v1, kind: Pod, metadata: {name: p, namespace: shop, labels: {l: a}, annotations: {k: b}}}"), world{}.inputs())
	e.in.Lookups = atHand{world{labels: map[string]map[string]string{"shop": {"in": "a"}}}}
	if rules := s.validate.rules(e); len(rules) != 1 || rules[0].Policy.Name != "all" {
		t.Errorf("%d rules are looked at, want one", len(rules))
	}
}
