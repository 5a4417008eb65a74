package engine

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	kyvernov1 "github.com/kyverno/kyverno/api/kyverno/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/yaml"
)

// world answers look-ups with what a test says.
type world struct {
	NoLookups
	labels              map[string]map[string]string
	labelsErr, rolesErr error
	roles, clusterRoles []string
}

func (w world) NamespaceLabels(_ context.Context, namespace string) (map[string]string, error) {
	return w.labels[namespace], w.labelsErr
}

func (w world) Roles(context.Context, *authenticationv1.UserInfo) (roles, clusterRoles []string, err error) {
	return w.roles, w.clusterRoles, w.rolesErr
}

func (w world) inputs() *Inputs {
	return &Inputs{Lookups: w, Now: func() time.Time { return time.Unix(1_800_000_000, 0) }}
}

// object reads YAML as encoding/json would read the same document.
func object(t testing.TB, text string) map[string]any {
	t.Helper()
	var m map[string]any
	if err := yaml.UnmarshalStrict([]byte(text), &m); err != nil {
		t.Fatalf("%v in:\n%s", err, text)
	}
	return m
}

// tryCompile compiles one policy, from the typed form and the document.
func tryCompile(t testing.TB, text string) (*Policy, error) {
	t.Helper()
	document := object(t, text)
	var src kyvernov1.PolicyInterface = &kyvernov1.ClusterPolicy{}
	if document["kind"] == "Policy" {
		src = &kyvernov1.Policy{}
	}
	if err := yaml.UnmarshalStrict([]byte(text), src); err != nil {
		t.Fatalf("%v in:\n%s", err, text)
	}
	compiler, err := NewCompiler()
	if err != nil {
		t.Fatal(err)
	}
	return compiler.Compile(src, document)
}

func mustCompile(t testing.TB, text string) *Policy {
	t.Helper()
	p, err := tryCompile(t, text)
	if err != nil {
		t.Fatalf("%v in:\n%s", err, text)
	}
	return p
}

func snapshot(t testing.TB, texts ...string) *Snapshot {
	t.Helper()
	policies := make([]*Policy, len(texts))
	for i, text := range texts {
		policies[i] = mustCompile(t, text)
	}
	s, err := NewSnapshot(policies)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// clusterPolicy writes a policy around its spec, in flow style.
func clusterPolicy(name, spec string) string {
	return fmt.Sprintf("{apiVersion: kyverno.io/v1, kind: ClusterPolicy, metadata: {name: %s}, spec: %s}", name, spec)
}

// withoutAutogen is clusterPolicy with the annotation that keeps rules for controllers from being made.
func withoutAutogen(name, spec string) string {
	return fmt.Sprintf("{apiVersion: kyverno.io/v1, kind: ClusterPolicy, metadata: {name: %s, annotations: {pod-policies.kyverno.io/autogen-controllers: none}}, spec: %s}", name, spec)
}

// at rest is how the object is judged outside of a request.
func resting(t testing.TB, text string) *Request {
	t.Helper()
	o := object(t, text)
	meta, _ := o["metadata"].(map[string]any)
	version, _ := o["apiVersion"].(string)
	kind, _ := o["kind"].(string)
	namespace, _ := meta["namespace"].(string)
	name, _ := meta["name"].(string)
	return &Request{Operation: Create, Kind: schema.FromAPIVersionAndKind(version, kind), Namespace: namespace, Name: name, Object: o}
}

// asking is the creation of the object by a user.
func asking(t testing.TB, text string) *Request {
	t.Helper()
	req := resting(t, text)
	req.UID = "uid"
	req.User = &authenticationv1.UserInfo{Username: "jane", Groups: []string{"dev", "system:authenticated"}}
	return req
}

// line writes a decision as "rule status: message".
func line(d *Decision) string {
	s := d.Rule.Name + " " + d.Status.String()
	if d.Message != "" {
		s += ": " + d.Message
	}
	return s
}

func lines(decisions []Decision) string {
	out := make([]string, len(decisions))
	for i := range decisions {
		out[i] = line(&decisions[i])
	}
	return strings.Join(out, "\n")
}

func same(t testing.TB, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s:\n got %s\nwant %s", what, got, want)
	}
}
