package live

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	clienttesting "k8s.io/client-go/testing"
	"sigs.k8s.io/yaml"
)

// says gives the Ready condition of a policy: its status, reason, generation and message.
func (s *scene) says(t *testing.T, text string) string {
	t.Helper()
	conditions, _, _ := unstructured.NestedSlice(s.get(t, text).Object, "status", "conditions")
	var out []string
	for _, item := range conditions {
		c := item.(map[string]any)
		out = append(out, fmt.Sprintf("%v %v %v %v: %v", c["type"], c["status"], c["reason"], c["observedGeneration"], c["message"]))
	}
	return strings.Join(out, "\n")
}

// writes counts the writes of statuses.
func (s *scene) writes() int {
	n := 0
	for _, a := range s.client.Actions() {
		if a.GetVerb() == "update" && a.GetSubresource() == "status" {
			n++
		}
	}
	return n
}

func TestTheStatusOfAPolicy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		text := wants("ClusterPolicy", "a", "x") + `
  - name: change
    match: {any: [{resources: {kinds: [Pod]}}]}
    mutate: {patchStrategicMerge: {metadata: {labels: {+(a): b}}}}
`
		s := play(t, "", []string{text})
		if s.says(t, text) != "" {
			t.Errorf("said before the webhook configurations are written: %s", s.says(t, text))
		}
		s.applied()
		got, err := yaml.Marshal(s.get(t, text).Object["status"])
		if err != nil {
			t.Fatal(err)
		}
		for _, part := range []string{
			"message: Ready\n", "observedGeneration: 1\n", "reason: Succeeded\n", "status: \"True\"\n", "type: Ready\n",
			"rulecount:\n  generate: 0\n  mutate: 1\n  validate: 1\n  verifyimages: 0\n", "validatingadmissionpolicy:\n  generated: false\n  message: \"\"\n",
			"name: autogen-label\n", "name: autogen-cronjob-label\n", "name: autogen-change\n", "name: autogen-cronjob-change\n",
		} {
			if !strings.Contains(string(got), part) {
				t.Errorf("the status has no %q:\n%s", part, got)
			}
		}
		// Nothing that happens to it is written twice.
		s.applied()
		s.replace(t, strings.Replace(text, "{name: a,", "{labels: {a: b}, finalizers: [example.org/f], name: a,", 1))
		writes := s.writes()
		time.Sleep(time.Hour)
		s.applied()
		if s.writes() != writes {
			t.Errorf("%d writes more", s.writes()-writes)
		}
	})
}

func TestWhatTheConditionSays(t *testing.T) {
	const fault = "spec.rules[0].validate.pattern.metadata.name: "
	for name, c := range map[string]struct {
		files string
		text  string
		then  func(*testing.T, *scene)
		want  string // *: the compiler's own words
	}{
		"in force": {
			text: wants("Policy", "team/a", "x"),
			then: func(_ *testing.T, s *scene) { s.applied() },
			want: "Ready True Succeeded 1: Ready",
		},
		"broken": {
			text: broken("ClusterPolicy", "a"),
			want: "Ready False Failed 1: " + fault + "*. Nothing of it is in force.",
		},
		"a broken version": {
			text: wants("ClusterPolicy", "a", "x"),
			then: func(t *testing.T, s *scene) {
				s.applied()
				s.replace(t, broken("ClusterPolicy", "a"))
			},
			want: "Ready False Failed 2: " + fault + "*. The version before it, of generation 1, stays in force.",
		},
		"mended": {
			text: broken("ClusterPolicy", "a"),
			then: func(t *testing.T, s *scene) {
				s.replace(t, wants("ClusterPolicy", "a", "x"))
				s.applied()
			},
			want: "Ready True Succeeded 2: Ready",
		},
		"in force, with a part that is not built": {
			text: strings.Replace(wants("ClusterPolicy", "a", "x"), "    validate:\n      message: no x\n      pattern: {metadata: {labels: {x: \"?*\"}}}", "    verifyImages: [{imageReferences: ['*']}]", 1),
			then: func(_ *testing.T, s *scene) { s.applied() },
			want: "Ready True Succeeded 1: Ready, with remarks: rule label: image verification is not built yet: the rule answers with an error, which the failurePolicy settles",
		},
		"hidden": {
			files: wants("Policy", "team/a", "x"),
			text:  wants("Policy", "team/a", "y"),
			want:  "Ready False Failed 1: is not in force: the bundle that Holdfast was started with has a Policy of this name, and one of the cluster cannot take its place",
		},
		"webhook configurations that do not come": {
			text: wants("ClusterPolicy", "a", "x"),
			then: func(_ *testing.T, s *scene) {
				time.Sleep(5 * time.Second)
				s.settle()
			},
			want: "Ready False Failed 1: the webhook configurations do not have this version yet",
		},
		"webhook configurations that come late": {
			text: wants("ClusterPolicy", "a", "x"),
			then: func(_ *testing.T, s *scene) {
				time.Sleep(5 * time.Second)
				s.settle()
				s.applied()
			},
			want: "Ready True Succeeded 1: Ready",
		},
		"another version that is not asked about yet": {
			text: wants("ClusterPolicy", "a", "x"),
			then: func(t *testing.T, s *scene) {
				s.applied()
				s.replace(t, wants("ClusterPolicy", "a", "y"))
			},
			want: "Ready True Succeeded 1: Ready", // of the version before: it says so
		},
		"conditions of others": {
			text: strings.Replace(wants("ClusterPolicy", "a", "x"), "spec:", "status: {conditions: [{type: Theirs, status: 'True', reason: R, message: m, observedGeneration: 7}]}\nspec:", 1),
			then: func(_ *testing.T, s *scene) { s.applied() },
			want: "Theirs True R 7: m\nReady True Succeeded 1: Ready",
		},
		"a status that is none": {
			text: strings.Replace(wants("ClusterPolicy", "a", "x"), "spec:", "status: {conditions: never}\nspec:", 1),
			then: func(_ *testing.T, s *scene) { s.applied() },
			want: "Ready True Succeeded 1: Ready",
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := play(t, c.files, []string{c.text})
				if c.then != nil {
					c.then(t, s)
				}
				got := s.says(t, c.text)
				begin, end, open := strings.Cut(c.want, "*")
				if !strings.HasPrefix(got, begin) || !strings.HasSuffix(got, end) || (!open && got != c.want) {
					t.Errorf("got  %s\nwant %s", got, c.want)
				}
			})
		})
	}
}

// A write that fails is tried again, and one that is too late is made on what is there then.
func TestStatusesThatCannotBeWritten(t *testing.T) {
	for name, failure := range map[string]error{
		"the server fails":   errors.New("not now"),
		"somebody was first": apierrors.NewConflict(schema.GroupResource{Group: "kyverno.io", Resource: "clusterpolicies"}, "a", errors.New("changed")),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				text := wants("ClusterPolicy", "a", "x")
				var attempts atomic.Int32
				s := play(t, "", []string{text}, func(s *scene, _ *Options) {
					s.client.PrependReactor("update", "clusterpolicies", func(clienttesting.Action) (bool, runtime.Object, error) {
						return attempts.Add(1) <= 3, nil, failure
					})
				})
				s.applied()
				if got := s.says(t, text); got != "Ready True Succeeded 1: Ready" {
					t.Errorf("got %s", got)
				}
				if s.writes() != 4 {
					t.Errorf("%d attempts", s.writes())
				}
			})
		})
	}
}

// Somebody who writes another status again and again is answered ever more seldom.
func TestAFightOverAStatusSlowsDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		text := wants("ClusterPolicy", "a", "x")
		s := play(t, "", []string{text})
		s.applied()
		before := s.writes()
		for i := range 600 {
			time.Sleep(time.Second)
			u := s.get(t, text)
			conditions, _, _ := unstructured.NestedSlice(u.Object, "status", "conditions")
			conditions[0].(map[string]any)["message"] = "theirs"
			if err := unstructured.SetNestedSlice(u.Object, conditions, "status", "conditions"); err != nil {
				t.Fatal(err)
			}
			u.SetResourceVersion(fmt.Sprintf("9%d", i))
			if _, err := s.on(u).Update(t.Context(), u, metav1.UpdateOptions{}); err != nil {
				t.Fatal(err)
			}
		}
		if n := s.writes() - before; n < 3 || n > 12 {
			t.Errorf("%d writes in ten minutes", n)
		}
	})
}

// Kyverno writes the same condition without a generation: that is no reason to write.
func TestAStatusWithoutItsGenerationIsLeftAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		text := wants("ClusterPolicy", "a", "x")
		s := play(t, "", []string{text})
		s.applied()
		before := s.writes()
		u := s.get(t, text)
		conditions, _, _ := unstructured.NestedSlice(u.Object, "status", "conditions")
		delete(conditions[0].(map[string]any), "observedGeneration")
		if err := unstructured.SetNestedSlice(u.Object, conditions, "status", "conditions"); err != nil {
			t.Fatal(err)
		}
		u.SetResourceVersion("77")
		if _, err := s.on(u).Update(t.Context(), u, metav1.UpdateOptions{}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		s.settle()
		if s.writes() != before {
			t.Errorf("%d writes", s.writes()-before)
		}
	})
}

func TestWhatIsSaidOfAnObjectBeforeItIsWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := play(t, wants("Policy", "team/a", "x")+"---"+wants("ClusterPolicy", "a", "x"), nil)
		misnamed := strings.NewReplacer("policyName: a", "policyName: b").Replace(exception("holdfast", "slip"))
		misruled := strings.NewReplacer("[label]", "[lable, autogen-*]").Replace(exception("holdfast", "slip"))
		inCEL := func(namespace, ref string) string {
			return "{apiVersion: policies.kyverno.io/v1, kind: PolicyException, metadata: {name: x, namespace: " + namespace + "}, spec: {policyRefs: [" + ref + "]}}"
		}
		for name, c := range map[string]struct{ text, problem, warning string }{
			"an exception in CEL": {
				inCEL("holdfast", "{name: c, kind: ValidatingPolicy}"), "", `spec.policyRefs[0].name: no ValidatingPolicy "c" is in force`,
			},
			"an exception in CEL from a policy of the other group": {
				inCEL("holdfast", "{name: a, kind: NamespacedValidatingPolicy}"), "", `spec.policyRefs[0].name: no NamespacedValidatingPolicy "holdfast/a" is in force`,
			},
			"an exception in CEL elsewhere": {
				inCEL("team", "{name: a, kind: MutatingAdmissionPolicy}"), "",
				"PolicyException.policies.kyverno.io/team/x is not in force: PolicyExceptions of the namespace team do not count (--exception-namespaces)\n" +
					`spec.policyRefs[0].kind: "MutatingAdmissionPolicy" is no kind of policy that this exception excuses from: expected one of DeletingPolicy, NamespacedDeletingPolicy, GeneratingPolicy, NamespacedGeneratingPolicy, ImageValidatingPolicy, NamespacedImageValidatingPolicy, MutatingPolicy, NamespacedMutatingPolicy, ValidatingPolicy, NamespacedValidatingPolicy`,
			},
			"a good policy":                     {wants("ClusterPolicy", "b", "y"), "", ""},
			"a ClusterPolicy like the bundle's": {wants("ClusterPolicy", "a", "y"), "", ""},
			"a Policy like the bundle's":        {wants("Policy", "team/a", "y"), "metadata.name: is not in force: the bundle that Holdfast was started with has a Policy of this name, and one of the cluster cannot take its place", ""},
			"an unknown field":                  {strings.Replace(wants("ClusterPolicy", "b", "y"), "message:", "massage:", 1), `spec.rules[0].validate.massage: unknown field "massage": did you mean message?`, ""},
			"an order in a circle":              {strings.Replace(wants("ClusterPolicy", "b", "y"), "{name: b,", "{name: b, annotations: {holdfast.dev/after: b},", 1), "metadata.annotations.holdfast.dev/after: the order is a circle: b after b", ""},
			"another kind":                      {"{apiVersion: v1, kind: Pod, metadata: {name: a}}", "kind: v1 Pod is no policy", ""},
			"an exception":                      {exception("holdfast", "x"), "", ""},
			"an exception elsewhere":            {exception("team", "x"), "", "PolicyException/team/x is not in force: PolicyExceptions of the namespace team do not count (--exception-namespaces)"},
			"an exception from nothing":         {misnamed, "", `spec.exceptions[0].policyName: no policy "b" is in force`},
			"an exception from no rule":         {misruled, "", `spec.exceptions[0].ruleNames[0]: policy a has no rule "lable"`},
		} {
			problems, warnings := s.Check(t.Context(), object(t, c.text).Object)
			if got := list(problems); got != c.problem {
				t.Errorf("%s: got the problem %q, want %q", name, got, c.problem)
			}
			if got := strings.Join(warnings, "\n"); got != c.warning {
				t.Errorf("%s: got the warning %q, want %q", name, got, c.warning)
			}
		}
	})
}
