package webhook

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/admission"
	"k8s.io/apiserver/pkg/admission/plugin/webhook/predicates/rules"

	"github.com/holdfast-io/holdfast/engine"
)

// narrowed is a policy of one rule that refuses all that it is about.
type narrowed struct {
	name       string
	match      string // of the resources; Pods by default
	conditions string // CEL
	spec       string // more of it
	namespace  string // of a Policy
	mutates    bool
}

func (n narrowed) text() string {
	kind, meta := "ClusterPolicy", "name: "+n.name
	if n.namespace != "" {
		kind, meta = "Policy", meta+", namespace: "+n.namespace
	}
	if n.match == "" {
		n.match = "kinds: [Pod]"
	}
	text := "apiVersion: kyverno.io/v1\nkind: " + kind + "\nmetadata: {" + meta + ", annotations: {pod-policies.kyverno.io/autogen-controllers: none}}\nspec:\n"
	if n.conditions != "" {
		text += "  webhookConfiguration: {matchConditions: [{name: c, expression: \"" + n.conditions + "\"}]}\n"
	}
	if n.spec != "" {
		text += "  " + n.spec + "\n"
	}
	text += "  rules:\n  - name: r\n    match: {any: [{resources: {" + n.match + ", operations: [CREATE, UPDATE]}}]}\n"
	if n.mutates {
		return text + "    mutate: {patchStrategicMerge: {metadata: {labels: {" + n.name + ": done}}}}\n"
	}
	return text + "    validate: {failureAction: Enforce, message: not here, deny: {}}\n"
}

// visitors are the requests of the test, by what is special about them.
func visitors() map[string]obj {
	other := pod("other", obj{"a": "b"})
	prod := pod("web", obj{})
	prod["metadata"].(obj)["namespace"] = "prod"
	return map[string]obj{
		"web":  {},
		"skip": {"name": "skip", "object": pod("skip", obj{})},
		// labelled has the label a: b.
		"labelled": {"name": "other", "object": other},
		"prod":     {"namespace": "prod", "object": prod},
		"robot":    {"userInfo": as("robot", "robots")},
		"lost":     {"operation": "UPDATE", "oldObject": other}, // its label
		"config": {
			"kind": obj{"version": "v1", "kind": "ConfigMap"}, "resource": obj{"version": "v1", "resource": "configmaps"},
			"object": obj{"apiVersion": "v1", "kind": "ConfigMap", "metadata": obj{"name": "web", "namespace": "default"}},
		},
	}
}

// entries of a configuration for one of the two questions, in one form.
func entriesOf(t *testing.T, policies string, hook Hook) []admissionregistrationv1.ValidatingWebhook {
	t.Helper()
	got, err := Configure(wanted(t, policies))
	check(t, err)
	if hook == Mutate {
		return validating(got.Mutating.Webhooks)
	}
	return got.Validating.Webhooks
}

// sent counts how often an API server asks about the request; an error is what refuses it unasked.
func sent(t *testing.T, entries []admissionregistrationv1.ValidatingWebhook, r *request) (n int, err error) {
	t.Helper()
	attributes := admission.NewAttributesRecord(nil, nil, schema.GroupVersionKind(r.Kind), r.Namespace, r.Name, schema.GroupVersionResource(r.Resource), r.SubResource, admission.Operation(r.Operation), nil, false, nil)
	selects := func(s *metav1.LabelSelector, set labels.Set) bool {
		selector, err := metav1.LabelSelectorAsSelector(s)
		check(t, err)
		return selector.Matches(set)
	}
	subject, err := r.decode(schema.GroupVersionKind(r.Kind))
	check(t, err)
	for i := range entries {
		e := &entries[i]
		matches := slices.ContainsFunc(e.Rules, func(rule admissionregistrationv1.RuleWithOperations) bool {
			m := rules.Matcher{Rule: rule, Attr: attributes}
			return m.Matches()
		})
		if !matches || !selects(e.NamespaceSelector, labels.Set{namespaceName: r.Namespace, "stage": r.Namespace}) ||
			!selects(e.ObjectSelector, labelsOf(subject.Object)) && !selects(e.ObjectSelector, labelsOf(subject.Old())) {
			continue
		}
		met, failed := sends(t, e.MatchConditions, *e.FailurePolicy, r)
		if failed != nil {
			err = failed
		}
		if met {
			n++
		}
	}
	return n, err
}

func labelsOf(object map[string]any) labels.Set {
	out := labels.Set{}
	meta, _ := object["metadata"].(map[string]any)
	all, _ := meta["labels"].(map[string]any)
	for k, v := range all {
		out[k] = fmt.Sprint(v)
	}
	return out
}

// What the API server need not send, it does not; and what a rule is about, it sends once.
func TestTheAPIServerIsToldWhatNotToSend(t *testing.T) {
	const notSkip, all = "object.metadata.name != 'skip'", "config labelled lost prod robot skip web"
	const noRobots = "!('robots' in request.userInfo.groups)"
	const noError = "object.metadata.name == 'skip' || object.metadata.labels.a == 'b'"
	ignore := "failurePolicy: Ignore"
	nine := make([]narrowed, 9)
	for i := range nine {
		nine[i] = narrowed{name: fmt.Sprint("p", i), conditions: fmt.Sprintf("object.metadata.name == 'skip' && %d == %d", i, i)}
	}
	for name, test := range map[string]struct {
		policies []narrowed
		sent     string // the visitors that are shown to us
		refused  string // those that the API server refuses, because a condition has no result
	}{
		"a policy without conditions":             {policies: []narrowed{{name: "a"}}, sent: "labelled lost prod robot skip web"},
		"a policy with conditions":                {policies: []narrowed{{name: "a", conditions: notSkip}}, sent: "labelled lost prod robot web"},
		"two with the same":                       {policies: []narrowed{{name: "a", conditions: notSkip}, {name: "b", conditions: notSkip}}, sent: "labelled lost prod robot web"},
		"two with others":                         {policies: []narrowed{{name: "a", conditions: notSkip}, {name: "b", conditions: noRobots + " && object.metadata.name == 'skip'"}}, sent: "labelled lost prod robot skip web"},
		"one with and one without":                {policies: []narrowed{{name: "a", conditions: notSkip}, {name: "b"}}, sent: "labelled lost prod robot skip web"},
		"two of other groups":                     {policies: []narrowed{{name: "a", conditions: noRobots}, {name: "b", conditions: notSkip, spec: ignore}}, sent: "labelled lost prod robot skip web"},
		"one without for another kind":            {policies: []narrowed{{name: "a", conditions: notSkip}, {name: "b", match: "kinds: [ConfigMap]"}}, sent: "config labelled lost prod robot web"},
		"one without for all kinds":               {policies: []narrowed{{name: "a", conditions: notSkip}, {name: "b", match: "kinds: ['*']"}}, sent: all},
		"one with for all kinds":                  {policies: []narrowed{{name: "a", conditions: notSkip, match: "kinds: ['*']"}}, sent: "config labelled lost prod robot web"},
		"one with for all kinds, and one for one": {policies: []narrowed{{name: "a", conditions: notSkip, match: "kinds: ['*']"}, {name: "b", conditions: noRobots}}, sent: all},
		"a tenant's policy beside it":             {policies: []narrowed{{name: "a", conditions: notSkip}, {name: "b", namespace: "prod"}}, sent: "labelled lost prod robot skip web"},
		"a tenant's policy alone":                 {policies: []narrowed{{name: "b", namespace: "prod", conditions: notSkip}}, sent: "prod"},
		"no result, and Fail":                     {policies: []narrowed{{name: "a", conditions: noError}}, sent: "labelled skip", refused: "lost prod robot web"},
		"no result, and another that holds":       {policies: []narrowed{{name: "a", conditions: noError}, {name: "b", conditions: "object.metadata.name == 'web'"}}, sent: "labelled lost prod robot skip web"},
		"no result where the policy is not":       {policies: []narrowed{{name: "a", conditions: noError, match: "kinds: [Pod], namespaces: [prod]"}}, sent: "prod"},
		"no result for a name that is not":        {policies: []narrowed{{name: "a", conditions: noError, match: "kinds: [Pod], names: [skip]"}}, sent: "labelled lost prod robot skip web"},
		"no result, and Ignore":                   {policies: []narrowed{{name: "a", conditions: noError, spec: ignore, match: "kinds: [Pod], names: [skip, web]"}}, sent: "labelled skip"},
		"labels":                                  {policies: []narrowed{{name: "a", match: "kinds: [Pod], selector: {matchLabels: {a: b}}"}}, sent: "labelled lost"},
		"labels of one and of another":            {policies: []narrowed{{name: "a", match: "kinds: [Pod], selector: {matchLabels: {a: b}}"}, {name: "b", match: "kinds: [Pod], selector: {matchLabels: {a: c}}"}}, sent: "labelled lost prod robot skip web"},
		"namespaces":                              {policies: []narrowed{{name: "a", match: "kinds: [Pod], namespaceSelector: {matchLabels: {stage: prod}}"}}, sent: "prod"},
		"nine with others":                        {policies: nine, sent: "labelled lost prod robot skip web"},
		"eight with others":                       {policies: nine[:8], sent: "skip"},
		"a mutation by the object":                {policies: []narrowed{{name: "a", mutates: true, conditions: notSkip, match: "kinds: [Pod], selector: {matchLabels: {a: b}}"}}, sent: "labelled lost prod robot skip web"},
		"a mutation by the request":               {policies: []narrowed{{name: "a", mutates: true, conditions: noRobots}}, sent: "labelled lost prod skip web"},
	} {
		t.Run(name, func(t *testing.T) {
			hook, texts := Validate, make([]string, len(test.policies))
			for i, p := range test.policies {
				texts[i] = p.text()
				if p.mutates {
					hook = Mutate
				}
			}
			policies := strings.Join(texts, and)
			entries := entriesOf(t, policies, hook)
			var got, refused []string
			for visitor, f := range visitors() {
				r := requestOf(t, f)
				n, err := sent(t, entries, r)
				if n > len(entries) || n > 1 && name != "two of other groups" {
					t.Errorf("%s is sent %d times", visitor, n)
				}
				if n > 0 {
					got = append(got, visitor)
				}
				if err != nil {
					refused = append(refused, visitor)
				}
				if hook == Validate && n == 0 && err == nil {
					judged(t, policies, visitor, f)
				}
			}
			slices.Sort(got)
			slices.Sort(refused)
			if have := strings.Join(got, " "); have != sorted(test.sent) {
				t.Errorf("sent: %s, want %s", have, sorted(test.sent))
			}
			if have := strings.Join(refused, " "); have != test.refused {
				t.Errorf("refused: %s, want %s", have, test.refused)
			}
		})
	}
}

func sorted(words string) string {
	list := strings.Fields(words)
	slices.Sort(list)
	return strings.Join(list, " ")
}

// judged fails where a policy refuses what is not sent. One that ignores failures may be without a result.
func judged(t *testing.T, policies, visitor string, f obj) {
	t.Helper()
	d := newDoor(t, policies, func(o *Options) {
		o.Inputs = engine.Inputs{Lookups: &lookups{labels: map[string]map[string]string{"default": {"stage": "default"}, "prod": {"stage": "prod"}}}, Now: time.Now}
	})
	if resp := d.ask(t, "/validate", reviewOf(f)); !resp.Allowed {
		t.Errorf("%s is not sent, and would be refused: %s", visitor, resp.Result.Message)
	}
}

// Entries are named by what they keep away, so that one does not change because another does.
func TestEntriesWithFiltersKeepTheirNames(t *testing.T) {
	a := narrowed{name: "a", conditions: "object.metadata.name != 'skip'"}
	alone := entriesOf(t, a.text(), Validate)
	beside := entriesOf(t, a.text()+and+narrowed{name: "b", match: "kinds: [ConfigMap]"}.text(), Validate)
	if len(alone) != 1 || len(beside) != 2 || beside[0].Name != "fail-10s.validate.holdfast.dev" || beside[1].Name != alone[0].Name {
		t.Errorf("alone %s, beside another %s and %s", alone[0].Name, beside[0].Name, beside[1].Name)
	}
	if want := "/validate/fail-10s"; !strings.HasSuffix(*alone[0].ClientConfig.URL, want) {
		t.Errorf("it leads to %s, not %s", *alone[0].ClientConfig.URL, want)
	}
	if got := alone[0].MatchConditions; len(got) != 1 || got[0].Name != "what-policies-are-about" || got[0].Expression != "(object.metadata.name != 'skip'\n)" {
		t.Errorf("conditions %v", got)
	}
}
