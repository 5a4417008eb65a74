package engine

import (
	"testing"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/yaml"
)

// deploymentRule selects Deployments, in a resourceRule.
const deploymentRule = "{apiGroups: [apps], apiVersions: [v1], operations: [CREATE, UPDATE, DELETE], resources: [deployments]}"

// admissionPolicy writes a ValidatingAdmissionPolicy p for Deployments, with more of its spec behind.
func admissionPolicy(more string) string {
	return "{metadata: {name: p}, spec: {matchConstraints: {resourceRules: [" + deploymentRule + "]}, " + more + "}}"
}

// admissionBinding writes a binding of p, with more of its spec behind.
func admissionBinding(name, more string) string {
	return "{metadata: {name: " + name + "}, spec: {policyName: p, validationActions: [Deny]" + more + "}}"
}

func decodeStrictly(t testing.TB, text string, into any) *Compiler {
	t.Helper()
	if err := yaml.UnmarshalStrict([]byte(text), into); err != nil {
		t.Fatalf("%v in:\n%s", err, text)
	}
	compiler, err := NewCompiler()
	if err != nil {
		t.Fatal(err)
	}
	return compiler
}

func tryCompileAdmission(t testing.TB, text string) (*Policy, error) {
	t.Helper()
	var src admissionregistrationv1.ValidatingAdmissionPolicy
	return decodeStrictly(t, text, &src).CompileValidatingAdmission(&src)
}

func tryCompileBinding(t testing.TB, text string) (*Binding, error) {
	t.Helper()
	var src admissionregistrationv1.ValidatingAdmissionPolicyBinding
	return decodeStrictly(t, text, &src).CompileValidatingBinding(&src)
}

// boundSnapshot is a snapshot of one policy with its bindings.
func boundSnapshot(t testing.TB, policy string, bindings ...string) *Snapshot {
	t.Helper()
	p, err := tryCompileAdmission(t, policy)
	if err != nil {
		t.Fatalf("%v in:\n%s", err, policy)
	}
	p.Admission = true // as in a test of the policy: the API server is not here
	contents := Contents{Policies: []*Policy{p}}
	for _, text := range bindings {
		b, err := tryCompileBinding(t, text)
		if err != nil {
			t.Fatalf("%v in:\n%s", err, text)
		}
		contents.Bindings = append(contents.Bindings, b)
	}
	s, err := Assemble(contents)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// deploymentOf is a Deployment of namespace shop.
func deploymentOf(replicas, labels string) string {
	return "{apiVersion: apps/v1, kind: Deployment, metadata: {name: web, namespace: shop, labels: {" + labels + "}}, spec: {replicas: " + replicas + "}}"
}

// toDeployments is the request with the resource that an API server names.
func toDeployments(req *Request) *Request {
	req.Resource = schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "deployments"}
	return req
}
