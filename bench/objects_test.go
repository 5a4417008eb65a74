package bench

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/yaml"

	"github.com/holdfast-io/holdfast/engine"
)

const podSpec = `
  serviceAccountName: web
  automountServiceAccountToken: false
  securityContext: {runAsNonRoot: true, runAsUser: 1000, fsGroup: 1000, seccompProfile: {type: RuntimeDefault}}
  containers:
  - name: web
    image: registry.k8s.io/e2e-test-images/agnhost@sha256:cc249acbd34692826b2b335335615e060fdb3c0bca4954507aa3a1d1194de253
    args: [netexec, --http-port=8080]
    ports: [{containerPort: 8080, name: http}]
    env:
    - {name: LOG_LEVEL, value: info}
    - {name: TOKEN, valueFrom: {secretKeyRef: {name: web, key: token}}}
    resources: {requests: {cpu: 100m, memory: 64Mi}, limits: {memory: 128Mi}}
    readinessProbe: {httpGet: {path: /healthz, port: http}}
    livenessProbe: {httpGet: {path: /healthz, port: http}}
    securityContext: {allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: {drop: [ALL]}}
    volumeMounts: [{name: tmp, mountPath: /tmp}]
  - name: proxy
    image: registry.k8s.io/pause@sha256:ee6521f290b2168b6e0935a181d4cff9be1ac3f505666ef0e3c98fae8199917a
    resources: {requests: {cpu: 10m, memory: 16Mi}, limits: {memory: 32Mi}}
    readinessProbe: {tcpSocket: {port: 9090}}
    securityContext: {allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: {drop: [ALL]}}
  volumes: [{name: tmp, emptyDir: {}}]
`

// indent puts the Pod's spec below a template.
func indent(text, by string) string {
	out := ""
	for _, r := range text {
		out += string(r)
		if r == '\n' {
			out += by
		}
	}
	return out
}

// encoded gives YAML as the JSON text that an API server would send.
func encoded(b *testing.B, text string) []byte {
	b.Helper()
	raw, err := yaml.YAMLToJSON([]byte(text))
	if err != nil {
		b.Fatal(err)
	}
	return raw
}

type subject struct {
	name string
	raw  []byte
	kind schema.GroupVersionKind
}

// subjects are the objects to measure with: both comply with the shipped bundle.
func subjects(b *testing.B) []subject {
	b.Helper()
	const meta = "metadata: {name: web, namespace: team-a, labels: {app.kubernetes.io/name: web, app.kubernetes.io/version: '1', team: a}}\n"
	return []subject{
		{"pod", encoded(b, "apiVersion: v1\nkind: Pod\n"+meta+"spec:"+podSpec), schema.GroupVersionKind{Version: "v1", Kind: "Pod"}},
		{
			"deployment",
			encoded(b, "apiVersion: apps/v1\nkind: Deployment\n"+meta+"spec:\n  replicas: 2\n  selector: {matchLabels: {team: a}}\n  template:\n    metadata: {labels: {team: a}}\n    spec:"+indent(podSpec, "    ")),
			schema.GroupVersionKind{Group: "apps", Version: "v1", Kind: "Deployment"},
		},
	}
}

func decode(b *testing.B, raw []byte) map[string]any {
	b.Helper()
	var object map[string]any
	if err := json.Unmarshal(raw, &object); err != nil {
		b.Fatal(err)
	}
	return object
}

// admission is the creation of the object by a user.
func (s *subject) admission(object map[string]any) *engine.Request {
	return &engine.Request{
		UID: "705ab4f5-6393-11e8-b7cc-42010a800002", Operation: engine.Create, Kind: s.kind,
		Namespace: "team-a", Name: "web", Object: object,
		User: &authenticationv1.UserInfo{Username: "jane", Groups: []string{"system:authenticated"}},
	}
}

// rest is the object as the audit finds it.
func (s *subject) rest(object map[string]any) *engine.Request {
	return &engine.Request{Operation: engine.Create, Kind: s.kind, Namespace: "team-a", Name: "web", Object: object}
}

// cluster answers look-ups without a wait.
type cluster struct{ engine.NoLookups }

func (cluster) NamespaceLabels(context.Context, string) (map[string]string, error) {
	return map[string]string{"kubernetes.io/metadata.name": "team-a"}, nil
}

func (cluster) Roles(context.Context, *authenticationv1.UserInfo) (roles, clusterRoles []string, err error) {
	return []string{"team-a:editor"}, []string{"view"}, nil
}

func inputs() *engine.Inputs {
	return &engine.Inputs{Lookups: cluster{}, Now: func() time.Time { return time.Unix(1_800_000_000, 0) }}
}
