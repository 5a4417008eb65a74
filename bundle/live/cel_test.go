package live

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	clienttesting "k8s.io/client-go/testing"
	"sigs.k8s.io/yaml"

	"github.com/holdfast-io/holdfast/bundle"
)

func inPoliciesGroup(version, name string) schema.GroupVersionResource {
	return schema.GroupVersionResource{Group: bundle.PoliciesGroup, Version: version, Resource: name}
}

var (
	validatingPolicies  = inPoliciesGroup("v1", "validatingpolicies")
	ofNamespaces        = inPoliciesGroup("v1", "namespacedvalidatingpolicies")
	mutatingPolicies    = inPoliciesGroup("v1", "mutatingpolicies")
	generatingPolicies  = inPoliciesGroup("v1", "generatingpolicies")
	imagePolicies       = inPoliciesGroup("v1", "imagevalidatingpolicies")
	celExceptions       = inPoliciesGroup("v1", "policyexceptions")
	admissionPolicies   = schema.GroupVersionResource{Group: admissionGroup, Version: "v1", Resource: "validatingadmissionpolicies"}
	admissionBindings   = schema.GroupVersionResource{Group: admissionGroup, Version: "v1", Resource: "validatingadmissionpolicybindings"}
	servedWithPolicies  = []schema.GroupVersionResource{clusterPolicies, validatingPolicies, ofNamespaces, celExceptions, mutatingPolicies, generatingPolicies, imagePolicies}
	servedWithAdmission = []schema.GroupVersionResource{validatingPolicies, admissionPolicies, admissionBindings}
)

// inCEL is a policy in CEL that wants a label on Pods, with more lines of its spec.
func inCEL(kind, where, label string, spec ...string) string {
	namespace, name, found := strings.Cut(where, "/")
	if !found {
		namespace, name = "", where
	}
	return strings.NewReplacer("KIND", kind, "NAMESPACE", namespace, "NAME", name, "LABEL", label).Replace(`
apiVersion: policies.kyverno.io/v1
kind: KIND
metadata: {name: NAME, namespace: "NAMESPACE"}
spec:
  matchConstraints: {resourceRules: [{apiGroups: [""], apiVersions: [v1], resources: [pods], operations: [CREATE]}]}
  validations: [{expression: "has(object.metadata.labels.LABEL)", message: no LABEL}]
`) + strings.Join(spec, "\n")
}

// celBroken is the policy with a fault at spec.validations[0].expression.
func celBroken(kind, where string) string {
	return strings.Replace(inCEL(kind, where, "x"), "has(object", "has(objekt", 1)
}

const celFault = "spec.validations[0].expression: CEL at 1:5: undeclared reference to 'objekt': did you mean object?"

// granted are the rights that a test gives, and how often they were asked for.
type granted struct {
	mu     sync.Mutex
	denied map[string]bool
	err    error
	asked  int
}

func (g *granted) Allowed(_ context.Context, verb string, resource schema.GroupResource) (bool, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.asked++
	return !g.denied[verb+" "+resource.String()], g.err
}

func (g *granted) set(err error, denied ...string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.err, g.denied = err, map[string]bool{}
	for _, d := range denied {
		g.denied[d] = true
	}
}

func serving(types ...schema.GroupVersionResource) func(*scene, *Options) {
	return func(s *scene, _ *Options) { s.served.set(types...) }
}

// celSays gives the parts of a status without times: ready and message, and a line for each condition.
func (s *scene) celSays(t *testing.T, text string) string {
	t.Helper()
	status, _, _ := unstructured.NestedMap(s.get(t, text).Object, "status", "conditionStatus")
	if status == nil {
		return ""
	}
	raw, err := yaml.Marshal(timeless(status))
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func TestTheStatusOfAPolicyInCEL(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		text := inCEL("ValidatingPolicy", "a", "x")
		rights := &granted{}
		s := play(t, "", []string{text}, serving(servedWithPolicies...), func(_ *scene, o *Options) { o.Access = rights })
		if got := s.celSays(t, text); got != "" {
			t.Errorf("said before the webhook configurations are written: %s", got)
		}
		s.applied()
		status, _, _ := unstructured.NestedMap(s.get(t, text).Object, "status")
		got, err := yaml.Marshal(status)
		if err != nil {
			t.Fatal(err)
		}
		for _, part := range []string{
			"conditionStatus:\n", "  ready: true\n", "  message: \"\"\n", "generated: false\n",
			"    message: Webhook configured.\n    observedGeneration: 1\n    reason: Succeeded\n    status: \"True\"\n    type: WebhookConfigured\n",
			"    message: Policy is ready for reporting.\n    observedGeneration: 1\n    reason: Succeeded\n    status: \"True\"\n    type: RBACPermissionsGranted\n",
			"autogen:\n  configs:\n    cronjobs:\n", "    defaults:\n", "object.spec.jobTemplate.spec.template.metadata.labels.x",
		} {
			if !strings.Contains(string(got), part) {
				t.Errorf("the status has no %q:\n%s", part, got)
			}
		}
		// Nothing that happens to it is written twice.
		s.applied()
		s.replace(t, strings.Replace(text, "{name: a,", "{labels: {a: b}, finalizers: [example.org/f], name: a,", 1))
		s.applied()
		writes := s.writes()
		time.Sleep(time.Hour)
		s.applied()
		if s.writes() != writes {
			t.Errorf("%d writes more", s.writes()-writes)
		}
	})
}

func TestWhatTheConditionsOfPoliciesInCELSay(t *testing.T) {
	condition := func(name, status, reason, message string) string {
		return "- message: " + message + "\n  reason: " + reason + "\n  status: \"" + status + "\"\n  type: " + name + "\n"
	}
	configured := condition("WebhookConfigured", "True", "Succeeded", "Webhook configured.")
	reporting := condition("RBACPermissionsGranted", "True", "Succeeded", "Policy is ready for reporting.")
	noBackground := "evaluation: {background: {enabled: false}}"
	for name, c := range map[string]struct {
		text   string
		denied []string
		then   func(*testing.T, *scene, *granted)
		want   string
	}{
		"in force": {
			text: inCEL("ValidatingPolicy", "a", "x"),
			want: "conditions:\n" + configured + reporting + "message: \"\"\nready: true\n",
		},
		"in force in a namespace": {
			text: inCEL("NamespacedValidatingPolicy", "team/a", "x"),
			want: "conditions:\n" + configured + reporting + "message: \"\"\nready: true\n",
		},
		"not for admission": {
			text: inCEL("ValidatingPolicy", "a", "x", "  evaluation: {admission: {enabled: false}}"),
			want: "conditions:\n" + reporting + "message: \"\"\nready: true\n",
		},
		"not in the background": {
			text: inCEL("ValidatingPolicy", "a", "x", "  "+noBackground), denied: []string{"list pods"},
			want: "conditions:\n" + configured + condition("RBACPermissionsGranted", "True", "Succeeded", "Policy is ready for reporting.") +
				"message: \"\"\nready: true\n",
		},
		"rights that we lack": {
			text: inCEL("ValidatingPolicy", "a", "x"), denied: []string{"list pods", "watch pods", "watch deployments.apps"},
			want: "conditions:\n" + configured + condition("RBACPermissionsGranted", "False", "Failed", "'Policy is not ready for reporting, missing permissions: watch deployments.apps,\n    list pods, watch pods.'") +
				"message: 'Policy is not ready for reporting, missing permissions: watch deployments.apps,\n  list pods, watch pods.'\nready: false\n",
		},
		"rights that are given later": {
			text: inCEL("ValidatingPolicy", "a", "x"), denied: []string{"list pods"},
			then: func(_ *testing.T, s *scene, g *granted) {
				g.set(nil)
				time.Sleep(recheckMissing + 5*time.Second)
				s.settle()
			},
			want: "conditions:\n" + configured + reporting + "message: \"\"\nready: true\n",
		},
		"rights that are taken away": {
			text: inCEL("ValidatingPolicy", "a", "x"),
			then: func(_ *testing.T, s *scene, g *granted) {
				g.set(nil, "list pods")
				time.Sleep(recheckGranted + 5*time.Second)
				s.settle()
			},
			want: "conditions:\n" + configured + condition("RBACPermissionsGranted", "False", "Failed", "'Policy is not ready for reporting, missing permissions: list pods.'") +
				"message: 'Policy is not ready for reporting, missing permissions: list pods.'\nready: false\n",
		},
		"broken": {
			text: celBroken("ValidatingPolicy", "a"),
			want: "conditions:\n" + condition("WebhookConfigured", "False", "Failed", "'"+strings.ReplaceAll(celFault, "'", "''")+"\n    Nothing of it is in force.'") +
				"message: '" + strings.ReplaceAll(celFault, "'", "''") + "\n  Nothing of it is in force.'\nready: false\n",
		},
		"a broken version": {
			text: inCEL("ValidatingPolicy", "a", "x"),
			then: func(t *testing.T, s *scene, _ *granted) { s.replace(t, celBroken("ValidatingPolicy", "a")) },
			want: "conditions:\n" + condition("WebhookConfigured", "False", "Failed", "'"+strings.ReplaceAll(celFault, "'", "''")+"\n    The version before it, of generation 1, stays in force.'") +
				reporting + "message: '" + strings.ReplaceAll(celFault, "'", "''") + "\n  The version before it, of generation 1, stays in force.'\nready: false\n",
		},
		"mended": {
			text: celBroken("ValidatingPolicy", "a"),
			then: func(t *testing.T, s *scene, _ *granted) {
				s.replace(t, inCEL("ValidatingPolicy", "a", "x"))
				s.applied()
			},
			want: "conditions:\n" + configured + reporting + "message: \"\"\nready: true\n",
		},
		"conditions of others": {
			text: strings.Replace(inCEL("ValidatingPolicy", "a", "x"), "spec:", "status: {conditionStatus: {conditions: [{type: Theirs, status: 'True', reason: R, message: m}]}}\nspec:", 1),
			want: "conditions:\n" + condition("Theirs", "True", "R", "m") + configured + reporting + "message: \"\"\nready: true\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				rights := &granted{}
				rights.set(nil, c.denied...)
				s := play(t, "", []string{c.text}, serving(servedWithPolicies...), func(_ *scene, o *Options) { o.Access = rights })
				s.applied()
				if c.then != nil {
					c.then(t, s, rights)
				}
				if got := s.celSays(t, c.text); fold(got) != fold(c.want) {
					t.Errorf("got\n%swant\n%s", got, c.want)
				}
			})
		})
	}
}

// fold is a text without the places at which YAML breaks its lines.
func fold(text string) string { return strings.Join(strings.Fields(text), " ") }

const mutates = `
apiVersion: policies.kyverno.io/v1
kind: MutatingPolicy
metadata: {name: m}
spec:
  matchConstraints: {resourceRules: [{apiGroups: [""], apiVersions: [v1], resources: [pods], operations: [CREATE]}]}
  mutations: [{patchType: ApplyConfiguration, applyConfiguration: {expression: "Object{metadata: Object.metadata{labels: Object.metadata.labels{a: 'b'}}}"}}]
`

const mutatesExisting = `
apiVersion: policies.kyverno.io/v1
kind: MutatingPolicy
metadata: {name: m}
spec:
  matchConstraints: {resourceRules: [{apiGroups: [""], apiVersions: [v1], resources: [configmaps], operations: [CREATE]}]}
  targetMatchConstraints: {resourceRules: [{apiGroups: [""], apiVersions: [v1], resources: [secrets], operations: [CREATE]}]}
  evaluation: {mutateExisting: {enabled: true}}
  mutations: [{patchType: ApplyConfiguration, applyConfiguration: {expression: "Object{metadata: Object.metadata{labels: Object.metadata.labels{a: 'b'}}}"}}]
`

const generates = `
apiVersion: policies.kyverno.io/v1
kind: GeneratingPolicy
metadata: {name: g}
spec:
  matchConstraints: {resourceRules: [{apiGroups: [""], apiVersions: [v1], resources: [namespaces], operations: [CREATE]}]}
  generate: [{expression: "generator.Apply(object.metadata.name, [{'apiVersion': dyn('v1'), 'kind': dyn('ConfigMap'), 'metadata': dyn({'name': 'x'})}])"}]
`

// generatesAny makes what the object names.
const generatesAny = `
apiVersion: policies.kyverno.io/v1
kind: GeneratingPolicy
metadata: {name: g}
spec:
  matchConstraints: {resourceRules: [{apiGroups: [""], apiVersions: [v1], resources: [namespaces], operations: [CREATE]}]}
  generate: [{expression: "generator.Apply(object.metadata.name, [{'apiVersion': dyn('v1'), 'kind': dyn(object.metadata.labels.kind), 'metadata': dyn({'name': 'x'})}])"}]
`

// What cannot be known beforehand is told beside the conditions.
func TestRightsThatOnlyAnEvaluationTells(t *testing.T) {
	const note = "What it generates or changes is known only when it is evaluated: whether that may be written, the log and holdfast_reconcile_failures_total tell."
	synctest.Test(t, func(t *testing.T) {
		s := play(t, "", []string{generatesAny}, serving(servedWithPolicies...), func(_ *scene, o *Options) { o.Access, o.Reconciles = &granted{}, true })
		s.applied()
		got := s.celSays(t, generatesAny)
		if !strings.Contains(fold(got), note) || !strings.Contains(got, "message: "+grantedMessage+"\n") {
			t.Errorf("got %s", got)
		}
	})
}

func TestRightsToWriteWhatPoliciesWant(t *testing.T) {
	const missing = "Policy is not ready for reporting, missing permissions: "
	for name, c := range map[string]struct {
		text       string
		denied     []string
		reconciles bool
		want       string
	}{
		"a mutation at admission":          {mutates, []string{"update pods"}, true, grantedMessage},
		"a mutation of other objects":      {mutatesExisting, []string{"update secrets"}, true, missing + "update secrets."},
		"one that nobody carries out":      {mutatesExisting, []string{"update secrets"}, false, grantedMessage},
		"what is generated":                {generates, []string{"create configmaps"}, true, missing + "create configmaps."},
		"what is generated and allowed":    {generates, nil, true, grantedMessage},
		"what is generated and not wanted": {generates, []string{"create configmaps"}, false, grantedMessage},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				rights := &granted{}
				rights.set(nil, c.denied...)
				s := play(t, "", []string{c.text}, serving(servedWithPolicies...), func(_ *scene, o *Options) { o.Access, o.Reconciles = rights, c.reconciles })
				s.applied()
				conditions, _, _ := unstructured.NestedSlice(s.get(t, c.text).Object, "status", "conditionStatus", "conditions")
				for _, item := range conditions {
					if condition := item.(map[string]any); condition["type"] == "RBACPermissionsGranted" {
						if condition["message"] != c.want {
							t.Errorf("got %s, want %s", condition["message"], c.want)
						}
						return
					}
				}
				t.Errorf("nothing is said of rights: %v", conditions)
			})
		})
	}
}

// The status of each kind holds what its type has and no more.
func TestStatusesOfTheKinds(t *testing.T) {
	for text, want := range map[string]string{
		mutates:                                  "autogen conditionStatus generated",
		generates:                                "conditionStatus",
		inCEL("ImageValidatingPolicy", "a", "x"): "autogen conditionStatus",
		inCEL("ValidatingPolicy", "a", "x", "  autogen: {podControllers: {controllers: []}}"): "autogen conditionStatus generated",
	} {
		synctest.Test(t, func(t *testing.T) {
			s := play(t, "", []string{text}, serving(servedWithPolicies...))
			s.applied()
			status, _, _ := unstructured.NestedMap(s.get(t, text).Object, "status")
			if got := strings.Join(slices.Sorted(maps.Keys(status)), " "); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		})
	}
}

// An API server fills in defaults: that is no difference to be put right over and over.
func TestDefaultsInAStatusAreLeftAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		text := inCEL("ValidatingPolicy", "a", "x")
		s := play(t, "", []string{text}, serving(servedWithPolicies...), func(s *scene, _ *Options) {
			s.client.PrependReactor("update", "validatingpolicies", func(a clienttesting.Action) (bool, runtime.Object, error) {
				u := a.(clienttesting.UpdateAction).GetObject().(*unstructured.Unstructured)
				if err := unstructured.SetNestedField(u.Object, "filled in", "status", "autogen", "configs", "defaults", "spec", "default"); err != nil {
					t.Error(err)
				}
				u.SetResourceVersion(u.GetResourceVersion() + "1")
				return false, nil, nil
			})
		})
		s.applied()
		writes := s.writes()
		time.Sleep(time.Hour)
		s.settle()
		if writes != 1 || s.writes() != writes {
			t.Errorf("%d writes, then %d more", writes, s.writes()-writes)
		}
	})
}

// Many policies need the same few rights: each is asked about once.
func TestRightsAreAskedForOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var policies []string
		for _, name := range []string{"a", "b", "c", "d"} {
			policies = append(policies, inCEL("ValidatingPolicy", name, "x"))
		}
		rights := &granted{}
		s := play(t, "", policies, serving(servedWithPolicies...), func(_ *scene, o *Options) { o.Access = rights })
		s.applied()
		const types, verbs = 7, 2 // pods and six controllers; list and watch
		if rights.asked != types*verbs {
			t.Errorf("asked %d times", rights.asked)
		}
	})
}

// While it is not known what we may do, nothing is said of the policy; it is asked again.
func TestRightsThatCannotBeAskedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		text := inCEL("ValidatingPolicy", "a", "x")
		rights := &granted{}
		rights.set(errors.New("not now"))
		s := play(t, "", []string{text}, serving(servedWithPolicies...), func(_ *scene, o *Options) { o.Access = rights })
		s.applied()
		if got := s.celSays(t, text); got != "" {
			t.Errorf("said: %s", got)
		}
		rights.set(nil)
		time.Sleep(lastRetry)
		s.settle()
		if got := s.celSays(t, text); !strings.Contains(got, "ready: true") {
			t.Errorf("said: %s", got)
		}
	})
}

// A policy in CEL is read in the first version that is served, and compiled as what it is.
func TestPoliciesInCELOfEachVersion(t *testing.T) {
	for _, version := range []string{"v1", "v1beta1", "v1alpha1"} {
		t.Run(version, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				text := strings.Replace(inCEL("ValidatingPolicy", "a", "x"), "/v1\n", "/"+version+"\n", 1)
				s := play(t, "", []string{text}, serving(inPoliciesGroup(version, "validatingpolicies")))
				if got := s.holds(); got != "ValidatingPolicy/a" {
					t.Errorf("in force: %s", got)
				}
			})
		})
	}
}

// The API server's own policies are judged by, but need not be read for the others to be in force.
func TestTheAPIServersPoliciesDoNotHoldUpTheStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		text := inCEL("ValidatingPolicy", "a", "x")
		s := play(t, "", []string{text}, serving(servedWithAdmission...), func(s *scene, _ *Options) {
			for _, list := range []string{"validatingadmissionpolicies", "validatingadmissionpolicybindings"} {
				s.client.PrependReactor("list", list, func(clienttesting.Action) (bool, runtime.Object, error) {
					return true, nil, errors.New("forbidden")
				})
			}
		})
		if got := s.holds(); got != "ValidatingPolicy/a" || s.Unready() != "" {
			t.Errorf("in force: %s, unready: %s", got, s.Unready())
		}
		if r := s.Report(); len(r.Types) != 3 || !strings.Contains(r.Types[0].Error, "forbidden") {
			t.Errorf("the report says %+v", r.Types)
		}
	})
}

func TestTheAPIServersPoliciesAreTakenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := play(t, "", []string{
			`{apiVersion: admissionregistration.k8s.io/v1, kind: ValidatingAdmissionPolicy, metadata: {name: a}, spec: {
				matchConstraints: {resourceRules: [{apiGroups: [""], apiVersions: [v1], resources: [pods], operations: [CREATE]}]}, validations: [{expression: "false"}]}}`,
			`{apiVersion: admissionregistration.k8s.io/v1, kind: ValidatingAdmissionPolicyBinding, metadata: {name: b}, spec: {policyName: a, validationActions: [Deny]}}`,
		}, serving(servedWithAdmission...))
		if got := strings.ReplaceAll(s.holds(), " of the files", ""); got != "ValidatingAdmissionPolicy/a, ValidatingAdmissionPolicyBinding/b" {
			t.Errorf("in force: %s", got)
		}
		for _, r := range Types() {
			if r.Group == admissionGroup {
				t.Errorf("%s is to be reviewed: the API server asks nobody", r)
			}
		}
	})
}
