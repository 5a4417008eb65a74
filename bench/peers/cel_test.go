package peers

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"testing/fstest"
	"time"

	policiesv1beta1 "github.com/kyverno/api/api/policies.kyverno.io/v1beta1"
	peercel "github.com/kyverno/kyverno/pkg/cel/engine"
	"github.com/kyverno/kyverno/pkg/cel/libs"
	"github.com/kyverno/kyverno/pkg/cel/matching"
	"github.com/kyverno/kyverno/pkg/cel/policies/vpol/compiler"
	vpol "github.com/kyverno/kyverno/pkg/cel/policies/vpol/engine"
	peerapi "github.com/kyverno/kyverno/pkg/engine/api"
	admissionv1 "k8s.io/api/admission/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"

	"github.com/holdfast-io/holdfast/bundle"
	"github.com/holdfast-io/holdfast/engine"
)

const measuredInCEL = `
apiVersion: policies.kyverno.io/v1
kind: ValidatingPolicy
metadata: {name: measured}
spec:
  autogen: {podControllers: {controllers: []}}
  matchConstraints: {resourceRules: [{apiGroups: [""], apiVersions: [v1], operations: [CREATE, UPDATE], resources: [pods]}]}
  matchConditions:
  - {name: write, expression: "request.operation in ['CREATE', 'UPDATE']"}
  variables:
  - {name: containers, expression: object.spec.containers}
  validations:
  - {expression: "variables.containers.all(c, quantity(c.?resources.?limits.?memory.orValue('0')).isLessThan(quantity('1Gi')))", message: set limits}
  - {expression: "object.metadata.?labels.?team.orValue('') in ['blue', 'red']", message: no team}
  - {expression: "variables.containers.all(c, !c.image.endsWith(':latest'))", message: no latest}
`

// BenchmarkValidateCEL is one creation of a Pod, judged by a ValidatingPolicy of three expressions.
func BenchmarkValidateCEL(b *testing.B) {
	b.Run("engine=kyverno", func(b *testing.B) {
		e, world := peerInCEL(b)
		raw, err := yaml.YAMLToJSON([]byte(measuredPod))
		if err != nil {
			b.Fatal(err)
		}
		request := peercel.RequestFromAdmission(world, admissionv1.AdmissionRequest{
			UID: "1", Operation: admissionv1.Create, Namespace: "shop", Name: "web",
			Kind:     metav1.GroupVersionKind{Version: "v1", Kind: "Pod"},
			Resource: metav1.GroupVersionResource{Version: "v1", Resource: "pods"},
			UserInfo: authenticationv1.UserInfo{Username: "jane"},
			Object:   runtime.RawExtension{Raw: raw},
		})
		b.ReportAllocs()
		for b.Loop() {
			got, err := e.Handle(context.Background(), request, nil)
			if err != nil {
				b.Fatal(err)
			}
			if len(got.Policies) != 1 || len(got.Policies[0].Rules) != 1 || got.Policies[0].Rules[0].Status() != peerapi.RuleStatusPass {
				b.Fatalf("got %+v", got.Policies)
			}
		}
	})
	b.Run("engine=holdfast", func(b *testing.B) {
		s, _, err := bundle.Load(context.Background(), bundle.Sources{FS: fstest.MapFS{"policy.yaml": {Data: []byte(measuredInCEL)}}, FSName: "measured"})
		if err != nil {
			b.Fatal(err)
		}
		raw, err := yaml.YAMLToJSON([]byte(measuredPod))
		if err != nil {
			b.Fatal(err)
		}
		in := &engine.Inputs{Lookups: engine.NoLookups{}, Now: time.Now}
		b.ReportAllocs()
		for b.Loop() {
			// the peer decodes the object for each request, and so it is done here
			request := &engine.Request{Operation: engine.Create, Namespace: "shop", Name: "web", User: &authenticationv1.UserInfo{Username: "jane"}}
			request.Kind.Version, request.Kind.Kind = "v1", "Pod"
			request.Resource.Version, request.Resource.Resource = "v1", "pods"
			if err := json.Unmarshal(raw, &request.Object); err != nil {
				b.Fatal(err)
			}
			got := s.Validate(context.Background(), request, in)
			if len(got) != 1 || got[0].Status != engine.Pass {
				b.Fatalf("got %+v", got)
			}
		}
	})
}

// BenchmarkCompileCEL is the way from the text of that policy to a compiled one, with what it keeps of the memory.
func BenchmarkCompileCEL(b *testing.B) {
	b.Run("engine=kyverno", func(b *testing.B) {
		libs.LibraryContext = libs.NewFakeContextProvider()
		policy := &policiesv1beta1.ValidatingPolicy{}
		read(b, measuredInCEL, policy)
		b.ReportAllocs()
		for b.Loop() {
			if _, errs := compiler.NewCompiler().Compile(policy, nil); len(errs) > 0 {
				b.Fatal(errs)
			}
		}
	})
	b.Run("engine=holdfast", func(b *testing.B) {
		policy := &policiesv1beta1.ValidatingPolicy{}
		read(b, measuredInCEL, policy)
		c, err := engine.NewCompiler()
		if err != nil {
			b.Fatal(err)
		}
		b.ReportAllocs()
		for b.Loop() {
			if _, err := c.CompileValidating(policy); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func peerInCEL(b *testing.B) (vpol.Engine, libs.Context) {
	b.Helper()
	world := libs.NewFakeContextProvider()
	libs.LibraryContext = world
	policy := &policiesv1beta1.ValidatingPolicy{}
	read(b, measuredInCEL, policy)
	provider, err := vpol.NewProvider(compiler.NewCompiler(), []policiesv1beta1.ValidatingPolicyLike{policy}, nil)
	if err != nil {
		b.Fatal(fmt.Errorf("compiling for the peer: %w", err))
	}
	namespace := func(name string) *corev1.Namespace {
		return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
	}
	return vpol.NewEngine(provider, namespace, matching.NewMatcher()), world
}
