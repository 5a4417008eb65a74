package bundle

import (
	"slices"
	"strings"
	"testing"
)

// An exception and policies in CEL.
const (
	celException = `apiVersion: policies.kyverno.io/v1
kind: PolicyException
metadata:
  name: x
  namespace: ns
spec:
  policyRefs:
    - name: sound
      kind: ValidatingPolicy
  matchConditions:
    - name: legacy
      expression: object.metadata.name == 'legacy'
  expiresAt: "2027-05-01T00:00:00Z"
`
	celPolicy = `apiVersion: policies.kyverno.io/v1
kind: ValidatingPolicy
metadata:
  name: sound
spec:
  matchConstraints: {resourceRules: [{apiGroups: [""], apiVersions: [v1], operations: [CREATE], resources: [pods]}]}
  validations: [{expression: "true"}]
`
)

func namespaced(policy, namespace string) string {
	policy = strings.Replace(policy, "kind: ValidatingPolicy", "kind: NamespacedValidatingPolicy", 1)
	return strings.Replace(policy, "  name: sound\n", "  name: sound\n  namespace: "+namespace+"\n", 1)
}

// Exceptions of two groups may bear one name, and each is loaded as what it is.
func TestExceptionsOfTwoGroupsStandBesideEachOther(t *testing.T) {
	for _, version := range []string{"v1", "v1beta1", "v1alpha1"} {
		text := sound + "---\n" + plainException + "---\n" + celPolicy + "---\n" + strings.Replace(celException, "/v1", "/"+version, 1)
		_, sum, problems, err := load(map[string]string{"p.yaml": text})
		if err != nil || problems != nil {
			t.Fatal(err, problems)
		}
		var keys []string
		for i := range sum.Exceptions {
			keys = append(keys, sum.Exceptions[i].Key())
		}
		if want := []string{"PolicyException/ns/x", "PolicyException.policies.kyverno.io/ns/x"}; !slices.Equal(keys, want) || len(sum.Warnings) > 0 {
			t.Errorf("%s: %q, %v", version, keys, sum.Warnings)
		}
	}
}

func TestExceptionsInCELThatLeadNowhere(t *testing.T) {
	elsewhere := strings.Replace(celException, "kind: ValidatingPolicy", "kind: NamespacedValidatingPolicy", 1)
	for name, tc := range map[string]struct {
		text string
		want []string
	}{
		"none does": {celPolicy + "---\n" + celException, nil},
		"a policy":  {celPolicy + "---\n" + strings.Replace(celException, "name: sound", "name: soundd", 1), []string{`p.yaml:16:7: PolicyException.policies.kyverno.io/ns/x: spec.policyRefs[0].name: the bundle has no ValidatingPolicy "soundd": did you mean sound?`}},
		"a policy of the other group": {
			sound + "---\n" + celException, []string{`p.yaml:25:7: PolicyException.policies.kyverno.io/ns/x: spec.policyRefs[0].name: the bundle has no ValidatingPolicy "sound"`},
		},
		"and the other way about": {
			celPolicy + "---\n" + plainException, []string{`p.yaml:16:7: PolicyException/ns/x: spec.exceptions[0].policyName: the bundle has no policy "sound"`},
		},
		"a policy of the namespace": {namespaced(celPolicy, "ns") + "---\n" + elsewhere, nil},
		"a policy of another namespace": {
			namespaced(celPolicy, "other") + "---\n" + elsewhere,
			[]string{`p.yaml:17:7: PolicyException.policies.kyverno.io/ns/x: spec.policyRefs[0].name: the bundle has no NamespacedValidatingPolicy "ns/sound": a name alone means a policy of the exception's own namespace: did you mean other/sound?`},
		},
		"one of another namespace that is named in full": {namespaced(celPolicy, "other") + "---\n" + strings.Replace(elsewhere, "name: sound", "name: other/sound", 1), nil},
	} {
		t.Run(name, func(t *testing.T) {
			_, sum, problems, err := load(map[string]string{"p.yaml": tc.text})
			if err != nil || problems != nil {
				t.Fatal(err, problems)
			}
			var got []string
			for _, w := range sum.Warnings {
				got = append(got, strings.TrimPrefix(w.String(), "b/"))
			}
			if !slices.Equal(got, tc.want) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(tc.want, "\n"))
			}
		})
	}
}

func TestExceptionsInCELWithProblems(t *testing.T) {
	const at = "b/p.yaml:"
	for name, tc := range map[string]struct{ from, to, want string }{
		"a field that is not there": {
			"  policyRefs:", "  background: true\n  policyRefs:",
			at + `15:3: PolicyException/ns/x: spec.background: unknown field "background": expected one of allowedValues, evaluationMode, expiresAt, images, matchConditions, policyRefs, properties, reportResult`,
		},
		"an expression": {
			"object.metadata.name", "objekt.metadata.name",
			at + "20:7: PolicyException/ns/x: spec.matchConditions[0].expression: CEL at 1:1: undeclared reference to 'objekt': did you mean object?",
		},
		"a time that is none": {
			"2027-05-01T00:00:00Z", "2027-05-01", at + `21:3: PolicyException/ns/x: spec.expiresAt: is "2027-05-01": expected a time such as 2026-05-01T00:00:00Z`,
		},
		"a time in numbers": {`"2027-05-01T00:00:00Z"`, "20270501", at + "21:3: PolicyException/ns/x: spec.expiresAt: is a number: expected a string: put it in quotes"},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, problems, err := load(map[string]string{"p.yaml": celPolicy + "---\n" + strings.Replace(celException, tc.from, tc.to, 1)})
			if want := []string{tc.want}; err != nil || !slices.Equal(problems, want) {
				t.Errorf("got %v, %q, want %q", err, problems, want)
			}
		})
	}
}
