package peers

import (
	"context"
	"testing"
	"testing/fstest"
	"time"

	kyvernov1 "github.com/kyverno/kyverno/api/kyverno/v1"
	kyvernov2 "github.com/kyverno/kyverno/api/kyverno/v2"
	"github.com/kyverno/kyverno/pkg/config"
	peer "github.com/kyverno/kyverno/pkg/engine"
	peerapi "github.com/kyverno/kyverno/pkg/engine/api"
	"github.com/kyverno/kyverno/pkg/engine/factories"
	"github.com/kyverno/kyverno/pkg/engine/jmespath"
	authenticationv1 "k8s.io/api/authentication/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/holdfast-io/holdfast/bundle"
	"github.com/holdfast-io/holdfast/engine"
)

const measuredPolicy = `
apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {name: measured, annotations: {pod-policies.kyverno.io/autogen-controllers: none}}
spec:
  rules:
  - name: pattern
    match: {any: [{resources: {kinds: [Pod]}}]}
    validate:
      message: set requests and limits
      pattern: {spec: {containers: [{name: "?*", =(resources): {=(limits): {=(memory): "<=1Gi"}}, "=(securityContext)": {"=(privileged)": false}}]}}
  - name: deny
    match: {any: [{resources: {kinds: [Pod]}}]}
    preconditions: {all: [{key: "{{ request.operation }}", operator: AnyIn, value: [CREATE, UPDATE]}]}
    validate:
      message: "{{ request.object.metadata.name }} is of no team"
      deny: {conditions: {any: [{key: "{{ request.object.metadata.labels.team || '' }}", operator: AnyNotIn, value: [blue, red]}]}}
  - name: foreach
    match: {any: [{resources: {kinds: [Pod]}}]}
    validate:
      message: no latest
      foreach:
      - list: request.object.spec.containers
        deny: {conditions: {any: [{key: "{{ ends_with(element.image, ':latest') }}", operator: Equals, value: true}]}}
`

const measuredPod = `
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: shop, labels: {team: blue}}
spec:
  containers:
  - {name: web, image: "ghcr.io/acme/shop:v1", resources: {limits: {memory: 128Mi}}, securityContext: {privileged: false}}
  - {name: proxy, image: "registry.k8s.io/pause:3.9", resources: {limits: {memory: 32Mi}}}
`

func read(b *testing.B, text string, into any) {
	b.Helper()
	if err := yaml.Unmarshal([]byte(text), into); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkValidate is one creation of a Pod, decoded already, judged by a policy of three rules: engine=kyverno and
// engine=holdfast, for benchstat -col /engine. What the peer does for each request and not once, its JSON context, is
// measured with it, as it is paid with each.
func BenchmarkValidate(b *testing.B) {
	b.Run("engine=kyverno", func(b *testing.B) {
		cfg := config.NewDefaultConfiguration(false)
		jp := jmespath.New(cfg)
		policy, pod := &kyvernov1.ClusterPolicy{}, unstructured.Unstructured{}
		read(b, measuredPolicy, policy)
		read(b, measuredPod, &pod.Object)
		e := peer.NewEngine(cfg, jp, nil, nil, nil, factories.DefaultContextLoaderFactory(nil), nil, nil)
		b.ReportAllocs()
		for b.Loop() {
			request, err := peer.NewPolicyContext(jp, pod, kyvernov1.Create, &kyvernov2.RequestInfo{AdmissionUserInfo: authenticationv1.UserInfo{Username: "jane"}}, cfg)
			if err != nil {
				b.Fatal(err)
			}
			got := e.Validate(context.Background(), request.WithPolicy(policy))
			if len(got.PolicyResponse.Rules) != 3 {
				b.Fatalf("got %d answers", len(got.PolicyResponse.Rules))
			}
			for i := range got.PolicyResponse.Rules {
				if r := &got.PolicyResponse.Rules[i]; r.Status() != peerapi.RuleStatusPass {
					b.Fatalf("%s: %s %s", r.Name(), r.Status(), r.Message())
				}
			}
		}
	})
	b.Run("engine=holdfast", func(b *testing.B) {
		s, _, err := bundle.Load(context.Background(), bundle.Sources{FS: fstest.MapFS{"policy.yaml": {Data: []byte(measuredPolicy)}}, FSName: "measured"})
		if err != nil {
			b.Fatal(err)
		}
		request := &engine.Request{Operation: engine.Create, Namespace: "shop", Name: "web", User: &authenticationv1.UserInfo{Username: "jane"}}
		request.Kind.Version, request.Kind.Kind = "v1", "Pod"
		read(b, measuredPod, &request.Object)
		in := &engine.Inputs{Lookups: engine.NoLookups{}, Now: time.Now}
		b.ReportAllocs()
		for b.Loop() {
			got := s.Validate(context.Background(), request, in)
			if len(got) != 3 {
				b.Fatalf("got %d answers", len(got))
			}
			for i := range got {
				if got[i].Status != engine.Pass {
					b.Fatalf("%s: %s %s", got[i].Rule.Name, got[i].Status, got[i].Message)
				}
			}
		}
	})
}
