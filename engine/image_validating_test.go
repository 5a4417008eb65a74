package engine

import (
	"slices"
	"strings"
	"testing"

	policiesv1beta1 "github.com/kyverno/api/api/policies.kyverno.io/v1beta1"
	"sigs.k8s.io/yaml"
)

// imageValidatingSource is an ImageValidatingPolicy p with a spec in braces.
func imageValidatingSource(t *testing.T, spec string) *policiesv1beta1.ImageValidatingPolicy {
	t.Helper()
	src := &policiesv1beta1.ImageValidatingPolicy{}
	if err := yaml.UnmarshalStrict([]byte("{metadata: {name: p}, spec: {"+spec+"}}"), src); err != nil {
		t.Fatal(err)
	}
	return src
}

const signedBySomebody = `matchImageReferences: [{glob: "*"}], attestors: [{name: a, cosign: {key: {data: k}}}],
  validations: [{expression: "images.containers.map(i, verifyImageSignatures(i, [attestors.a])).all(n, n > 0)"}], `

// What images are signed with is not looked at yet: nothing that the policy is about passes.
func TestImagesThatAPolicyIsAboutAreAnErrorYet(t *testing.T) {
	const (
		pod   = "{apiVersion: v1, kind: Pod, metadata: {name: web, namespace: shop, labels: {app: web}}, spec: {containers: [{name: c, image: a/b}]}}"
		error = " error: could not be evaluated: image verification is not built yet"
	)
	for name, c := range map[string]struct{ spec, object, want string }{
		"a Pod":                   {spec: onPodResources, object: pod, want: error},
		"what is not selected":    {spec: onPodResources, object: "{apiVersion: v1, kind: Service, metadata: {name: web}}", want: ""},
		"a condition that is met": {spec: onPodResources + "matchConditions: [{name: c, expression: object.metadata.name == 'web'}]", object: pod, want: error},
		"a condition that is not": {spec: onPodResources + "matchConditions: [{name: c, expression: object.metadata.name == 'db'}]", object: pod, want: " skip: matchConditions not met: c"},
		"a pod controller": {
			spec:   onPodResources + "matchConditions: [{name: c, expression: \"object.spec.containers[0].image == 'a/b'\"}]",
			object: "{apiVersion: apps/v1, kind: Deployment, metadata: {name: web, namespace: shop}, spec: {template: {spec: {containers: [{name: c, image: a/b}]}}}}",
			want:   error,
		},
		"one that is not wanted": {
			spec:   onPodResources + withoutControllers,
			object: "{apiVersion: apps/v1, kind: Deployment, metadata: {name: web, namespace: shop}, spec: {template: {spec: {containers: [{name: c, image: a/b}]}}}}",
		},
	} {
		t.Run(name, func(t *testing.T) {
			cc, err := NewCompiler()
			if err != nil {
				t.Fatal(err)
			}
			p, err := cc.CompileImageValidating(imageValidatingSource(t, signedBySomebody+c.spec))
			if err != nil {
				t.Fatal(err)
			}
			const warning = "spec: image verification is not built yet: the policy answers with an error, which the failurePolicy settles"
			if !slices.Contains(p.Warnings, warning) {
				t.Errorf("got the warnings %q, want %q", p.Warnings, warning)
			}
			s, err := NewSnapshot([]*Policy{p})
			if err != nil {
				t.Fatal(err)
			}
			same(t, "at admission", lines(s.Validate(t.Context(), asking(t, c.object), world{}.inputs())), c.want)
			same(t, "at rest", lines(s.Validate(t.Context(), resting(t, c.object), world{}.inputs())), c.want)
		})
	}
}

func TestWhatIsWrongWithAPolicyOnImages(t *testing.T) {
	for name, c := range map[string]struct{ spec, want string }{
		"a condition":        {onPodResources + "matchConditions: [{name: c, expression: object.}]", "spec.matchConditions[0].expression"},
		"an action":          {onPodResources + "validationActions: [Refuse]", `spec.validationActions[0]: unknown action "Refuse": expected Deny, Warn or Audit`},
		"a failure policy":   {onPodResources + "failurePolicy: Maybe", `spec.failurePolicy: unknown failurePolicy "Maybe": expected Fail or Ignore`},
		"an evaluation mode": {onPodResources + "evaluation: {mode: Envoy}", "spec.evaluation.mode: the evaluation mode Envoy is not built yet"},
	} {
		t.Run(name, func(t *testing.T) {
			cc, err := NewCompiler()
			if err != nil {
				t.Fatal(err)
			}
			if _, err = cc.CompileImageValidating(imageValidatingSource(t, signedBySomebody+c.spec)); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %s", err, c.want)
			}
		})
	}
}

func TestTheStatusOfAPolicyOnImagesShowsWhatIsMade(t *testing.T) {
	made, err := ImageValidatingAutogen(imageValidatingSource(t, signedBySomebody+onPodResources+"matchConditions: [{name: c, expression: has(object.spec.hostNetwork)}]"))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for group, one := range made {
		line := group + ": " + one.Spec.MatchConditions[0].Expression
		for _, target := range one.Targets {
			line += " " + target.Resource
		}
		got = append(got, line)
	}
	slices.Sort(got)
	same(t, "made", strings.Join(got, "\n"),
		"cronjobs: has(object.spec.jobTemplate.spec.template.spec.hostNetwork) cronjobs\n"+
			"defaults: has(object.spec.template.spec.hostNetwork) daemonsets deployments replicasets statefulsets jobs")
}
