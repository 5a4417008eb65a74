package scenarios

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/yaml"

	"github.com/holdfast-io/holdfast/e2e/controlplane"
)

// chartDir is the chart, from this package's folder.
const chartDir = "../../charts/holdfast"

// chart renders the chart with Helm.
type chart struct{ helm string }

func newChart(t *testing.T) chart {
	t.Helper()
	helm, err := controlplane.Builder{Progress: t.Output()}.Tool(t.Context(), "helm")
	if err != nil {
		t.Fatal(err)
	}
	return chart{helm}
}

// run gives the output and errors of a Helm command that takes values.
func (c chart) run(t *testing.T, values string, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "values.yaml")
	if err := os.WriteFile(file, []byte(values), 0o600); err != nil {
		t.Fatal(err)
	}
	return c.exec(t, append(args, "--values", file)...)
}

// exec gives Helm's output and errors. Helm keeps its own files in a folder of the test.
func (c chart) exec(t *testing.T, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	dir := t.TempDir()
	cmd := exec.CommandContext(t.Context(), c.helm, args...)
	cmd.Env = append(os.Environ(), "HELM_CACHE_HOME="+dir, "HELM_CONFIG_HOME="+dir, "HELM_DATA_HOME="+dir)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err = cmd.Run()
	return out.String(), errs.String(), err
}

// render gives the objects as `helm install holdfast --namespace holdfast` sends them.
func (c chart) render(t *testing.T, values string, args ...string) string {
	t.Helper()
	args = append([]string{"template", "holdfast", chartDir, "--namespace", "holdfast"}, args...)
	stdout, stderr, err := c.run(t, values, args...)
	if err != nil {
		t.Fatalf("helm template: %v\n%s", err, stderr)
	}
	return stdout
}

// find gives the rendered object of a kind and name; false when there is none.
func find[T any](t *testing.T, rendered, kind, name string) (object T, found bool) {
	t.Helper()
	for _, text := range strings.Split(rendered, "\n---\n") {
		var head metav1.PartialObjectMetadata
		if err := yaml.Unmarshal([]byte(text), &head); err != nil {
			t.Fatalf("%v in\n%s", err, text)
		}
		if head.Kind != kind || head.Name != name {
			continue
		}
		if err := yaml.UnmarshalStrict([]byte(text), &object); err != nil {
			t.Fatalf("%s %s: %v", kind, name, err)
		}
		return object, true
	}
	return object, false
}

// must is find for what has to be there.
func must[T any](t *testing.T, rendered, kind, name string) T {
	t.Helper()
	object, found := find[T](t, rendered, kind, name)
	if !found {
		t.Fatalf("no %s %s in\n%s", kind, name, rendered)
	}
	return object
}

// variations are values that people set, by what they want.
var variations = map[string]struct {
	values string
	check  func(t *testing.T, rendered string)
}{
	"the defaults": {"", func(t *testing.T, rendered string) {
		d := must[appsv1.Deployment](t, rendered, "Deployment", "holdfast")
		var volumes []string
		for _, v := range d.Spec.Template.Spec.Volumes {
			volumes = append(volumes, v.Name)
		}
		if want := []string{"config", "state"}; *d.Spec.Replicas != 2 || !slices.Equal(volumes, want) {
			t.Errorf("%d replicas with the volumes %v: want 2 with %v", *d.Spec.Replicas, volumes, want)
		}
		if _, found := find[corev1.ConfigMap](t, rendered, "ConfigMap", "holdfast-bundle"); found {
			t.Error("a ConfigMap for policies that nobody gave")
		}
		if strings.Contains(rendered, "ServiceMonitor") {
			t.Error("a ServiceMonitor that nobody asked for")
		}
		if !reads(t, rendered, "*", "*") {
			t.Error("not everything may be read")
		}
	}},
	"certificates of somebody else": {"certificates: {secretName: webhook-tls}", func(t *testing.T, rendered string) {
		configured(t, rendered, "cert-dir: /etc/holdfast/certs")
		d := must[appsv1.Deployment](t, rendered, "Deployment", "holdfast")
		mounted := func(v corev1.Volume) bool { return v.Secret != nil && v.Secret.SecretName == "webhook-tls" }
		if !slices.ContainsFunc(d.Spec.Template.Spec.Volumes, mounted) {
			t.Errorf("the Secret is not mounted: %v", d.Spec.Template.Spec.Volumes)
		}
		for _, rule := range must[rbacv1.Role](t, rendered, "Role", "holdfast").Rules {
			if slices.Contains(rule.ResourceNames, "holdfast-webhook-certs") {
				t.Errorf("a right on Secrets that is not needed: %v", rule)
			}
		}
	}},
	"policies in a ConfigMap that is there": {"bundle: {configMap: ours}", func(t *testing.T, rendered string) {
		configured(t, rendered, "bundle: [/etc/holdfast/bundle]")
		d := must[appsv1.Deployment](t, rendered, "Deployment", "holdfast")
		mounted := func(v corev1.Volume) bool { return v.ConfigMap != nil && v.ConfigMap.Name == "ours" }
		if !slices.ContainsFunc(d.Spec.Template.Spec.Volumes, mounted) {
			t.Errorf("the ConfigMap is not mounted: %v", d.Spec.Template.Spec.Volumes)
		}
		if _, found := find[corev1.ConfigMap](t, rendered, "ConfigMap", "holdfast-bundle"); found {
			t.Error("a second ConfigMap for policies")
		}
	}},
	"policies in the values": {"bundle:\n  policies:\n    team.yaml: |\n      # \"ours\": é\n      a: b\n", func(t *testing.T, rendered string) {
		configured(t, rendered, "bundle: [/etc/holdfast/bundle]")
		const want = "# \"ours\": é\na: b\n"
		if got := must[corev1.ConfigMap](t, rendered, "ConfigMap", "holdfast-bundle").Data["team.yaml"]; got != want {
			t.Errorf("the policies became %q: want %q", got, want)
		}
	}},
	"packs and parameters": {`
packs: {baseline: enforce, best-practices: off, images: "audit"}
policyModes: {disallow-host-ports: "off"}
parameters: {allowedRegistries: [registry.example.com/*, "quay.io/*"], requiredLabels: []}
`, func(t *testing.T, rendered string) {
		configured(t, rendered, `pack: ["baseline=enforce","best-practices=off","images=audit"]`, `policy: ["disallow-host-ports=off"]`,
			"parameter:\n  - \"allowedRegistries=registry.example.com/*\"\n  - \"allowedRegistries=quay.io/*\"\n  - \"requiredLabels=\"")
	}},
	"packs of policies of one's own": {"{bundle: {configMap: ours}, packs: {house: enforce}, parameters: {depth: 3}}", func(t *testing.T, rendered string) {
		configured(t, rendered, `pack: ["house=enforce"]`, "parameter:\n  - \"depth=3\"")
	}},
	"rights on what the bundle matches alone": {"audit: {readAll: false}", func(t *testing.T, rendered string) {
		if reads(t, rendered, "*", "*") || reads(t, rendered, "", "secrets") {
			t.Error("more may be read than was given")
		}
		if !reads(t, rendered, "", "pods") || !reads(t, rendered, "apps", "deployments") {
			t.Error("what was given may not be read")
		}
	}},
	"no policies of the cluster": {"livePolicies: {enabled: false}", func(t *testing.T, rendered string) {
		configured(t, rendered, "live-policies: false")
		if reads(t, rendered, "kyverno.io", "clusterpolicies") || strings.Contains(rendered, "clusterpolicies/status") {
			t.Error("rights on policies that are not needed")
		}
	}},
	"reports of another kind": {"reports: {api: openreports.io, layout: namespace, results: [all], crds: {wgpolicyk8s: false, openreports: true}}", func(t *testing.T, rendered string) {
		configured(t, rendered, "report-api: openreports.io", "report-layout: namespace", `report-results: ["all"]`)
		for name, want := range map[string]bool{"clusterreports.openreports.io": true, "reports.openreports.io": true, "policyreports.wgpolicyk8s.io": false} {
			if _, found := find[apiextensionsv1.CustomResourceDefinition](t, rendered, "CustomResourceDefinition", name); found != want {
				t.Errorf("the definition of %s is there: %t", name, found)
			}
		}
		for _, rule := range must[rbacv1.ClusterRole](t, rendered, "ClusterRole", "holdfast:holdfast").Rules {
			if slices.Contains(rule.Resources, "policyreports") && slices.Contains(rule.Verbs, "patch") {
				t.Errorf("a right on reports that are not written: %v", rule)
			}
		}
	}},
	"all that there is to see": {"metrics: {serviceMonitor: {enabled: true}, prometheusRule: {enabled: true, disabled: [HoldfastDrift], labels: {a: b}}, dashboards: {enabled: true, annotations: {folder: holdfast}}}", func(t *testing.T, rendered string) {
		for _, name := range []string{"overview", "admission", "drift", "remediation", "cost"} {
			m := must[corev1.ConfigMap](t, rendered, "ConfigMap", "holdfast-dashboard-"+name)
			if m.Labels["grafana_dashboard"] != "1" || !json.Valid([]byte(m.Data[name+".json"])) {
				t.Errorf("dashboard %s has the labels %v, and is JSON: %t", name, m.Labels, json.Valid([]byte(m.Data[name+".json"])))
			}
		}
		rule := must[unstructured.Unstructured](t, rendered, "PrometheusRule", "holdfast")
		text, err := yaml.Marshal(rule.Object)
		if err != nil || !strings.Contains(string(text), "alert: HoldfastDown\n") || strings.Contains(string(text), "alert: HoldfastDrift\n") {
			t.Errorf("not all alerts but one are in %s (%v)", text, err)
		}
		must[unstructured.Unstructured](t, rendered, "ServiceMonitor", "holdfast")
	}},
	"certificates of cert-manager and of who asks": {"certificates: {certManager: {enabled: true}, clients: {configMap: apiservers, names: [apiserver]}}", func(t *testing.T, rendered string) {
		configured(t, rendered, "cert-dir: /etc/holdfast/certs", "client-ca-file: /etc/holdfast/clients/ca.crt", `client-name: ["apiserver"]`)
		c := must[unstructured.Unstructured](t, rendered, "Certificate", "holdfast-tls")
		names, _, err := unstructured.NestedStringSlice(c.Object, "spec", "dnsNames")
		if err != nil || !slices.Contains(names, "holdfast.holdfast.svc") {
			t.Errorf("the certificate is for %v (%v)", names, err)
		}
		must[unstructured.Unstructured](t, rendered, "Issuer", "holdfast-tls")
	}},
	"certificates of an issuer that is there": {"certificates: {certManager: {enabled: true, issuer: {name: corp, kind: ClusterIssuer}}}", func(t *testing.T, rendered string) {
		c := must[unstructured.Unstructured](t, rendered, "Certificate", "holdfast-tls")
		if name, _, err := unstructured.NestedString(c.Object, "spec", "issuerRef", "name"); err != nil || name != "corp" {
			t.Errorf("it is issued by %q (%v)", name, err)
		}
		if _, found := find[unstructured.Unstructured](t, rendered, "Issuer", "holdfast-tls"); found {
			t.Error("an issuer beside it")
		}
	}},
	"replicas by load and behind a wall": {`
autoscaling: {enabled: true, maxReplicas: 9}
networkPolicy: {enabled: true, webhookFrom: [{ipBlock: {cidr: 10.0.0.0/8}}], metricsFrom: [{namespaceSelector: {}}], egress: [{ports: [{port: 443}]}]}
`, func(t *testing.T, rendered string) {
		if d := must[appsv1.Deployment](t, rendered, "Deployment", "holdfast"); d.Spec.Replicas != nil {
			t.Errorf("the Deployment says %d replicas too", *d.Spec.Replicas)
		}
		if h := must[autoscalingv2.HorizontalPodAutoscaler](t, rendered, "HorizontalPodAutoscaler", "holdfast"); h.Spec.MaxReplicas != 9 {
			t.Errorf("%d replicas at most: want 9", h.Spec.MaxReplicas)
		}
		if n := must[networkingv1.NetworkPolicy](t, rendered, "NetworkPolicy", "holdfast"); len(n.Spec.Egress) != 2 || len(n.Spec.PolicyTypes) != 2 {
			t.Errorf("the NetworkPolicy is %v", n.Spec)
		}
	}},
	"the definitions of policies": {"{livePolicies: {crds: {kyverno: true, policies: true}}, reconcile: {crds: false}}", func(t *testing.T, rendered string) {
		for name, want := range map[string]bool{
			"clusterpolicies.kyverno.io": true, "validatingpolicies.policies.kyverno.io": true, "updaterequests.kyverno.io": false, "remediations.holdfast.dev": false,
		} {
			if _, found := find[apiextensionsv1.CustomResourceDefinition](t, rendered, "CustomResourceDefinition", name); found != want {
				t.Errorf("the definition of %s is there: %t", name, found)
			}
		}
	}},
	"a key of the file and no roles for people": {`{config: {pprof-listen: "127.0.0.1:6060"}, rbac: {people: false}}`, func(t *testing.T, rendered string) {
		configured(t, rendered, "pprof-listen: 127.0.0.1:6060", "webhook-owner: holdfast:holdfast")
		if _, found := find[rbacv1.ClusterRole](t, rendered, "ClusterRole", "holdfast:holdfast:author"); found {
			t.Error("a role for authors")
		}
	}},
	"traces to a collector of its own": {`
log: {repeats: 1000000}
traces:
  endpoint: https://collector.observability:4318
  ratio: 0.05
  attributes: {k8s.cluster.name: prod, zone: "1"}
  caConfigMap: collector
  headers: {secretName: collector-key, secretKey: auth}
`, func(t *testing.T, rendered string) {
		configured(t, rendered, `otlp-endpoint: "https://collector.observability:4318"`, "trace-ratio: 0.05", "trace-attribute:", `  - "k8s.cluster.name=prod"`, `  - "zone=1"`,
			"otlp-ca-file: /etc/holdfast/collector-ca/ca.crt", "otlp-headers-file: /etc/holdfast/collector/headers", "log-repeats: 1000000", "log-repeats-interval: 1m")
		d := must[appsv1.Deployment](t, rendered, "Deployment", "holdfast")
		var from []string
		for _, v := range d.Spec.Template.Spec.Volumes {
			if v.Name == "collector" || v.Name == "collector-ca" {
				from = append(from, v.Name)
			}
		}
		mounts := 0
		for _, m := range d.Spec.Template.Spec.Containers[0].VolumeMounts {
			if slices.Contains(from, m.Name) {
				mounts++
			}
		}
		if len(from) != 2 || mounts != 2 {
			t.Errorf("the volumes %v are mounted %d times", from, mounts)
		}
	}},
	"everything set": {everything, func(t *testing.T, rendered string) {
		configured(t, rendered, `exception-namespaces: ["team-*"]`, `break-glass-users: ["ana@example.com"]`, `break-glass-groups: ["oncall"]`, "deployment: grip", "webhook-name: night", `listen: ":10443"`, `metrics-listen: ":9090"`, "log-level: debug", "log-format: text")
		d := must[appsv1.Deployment](t, rendered, "Deployment", "grip")
		const image = "registry.example/holdfast@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
		if got := d.Spec.Template.Spec.Containers[0].Image; got != image {
			t.Errorf("image %s: want %s", got, image)
		}
		if got := d.Spec.Template.Labels["app.kubernetes.io/instance"]; got != "holdfast" {
			t.Errorf("a label of the values took the place of the selector's: %s", got)
		}
	}},
}

// everything sets each value that the API server has a say in.
const everything = `
replicas: 3
image:
  repository: registry.example/holdfast
  tag: v9
  digest: sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
  pullPolicy: Always
imagePullSecrets: [{name: registry}]
fullnameOverride: grip
log: {level: debug, format: text}
livePolicies: {exceptionNamespaces: ["team-*"]}
webhook: {name: night, port: 10443}
breakGlass: {users: ["ana@example.com"], groups: [oncall]}
metrics: {port: 9090}
serviceAccount: {name: warden, annotations: {example.org/role: auditor}}
resources: {requests: {cpu: 2, memory: 1G}, limits: {cpu: 2500m, memory: 2Gi}}
podDisruptionBudget: {minAvailable: 50%}
topologySpreadConstraints:
  - {topologyKey: rack, maxSkew: 2, whenUnsatisfiable: DoNotSchedule, labelSelector: {matchLabels: {a: b}}}
nodeSelector: {kubernetes.io/os: linux}
tolerations: [{key: control-plane, operator: Exists}]
affinity:
  podAntiAffinity:
    requiredDuringSchedulingIgnoredDuringExecution:
      - {topologyKey: kubernetes.io/hostname, labelSelector: {matchLabels: {a: b}}}
podAnnotations: {example.org/note: "1"}
podLabels: {team: shop, app.kubernetes.io/instance: other}
`

// configured checks lines of the file that `holdfast serve` reads.
func configured(t *testing.T, rendered string, lines ...string) {
	t.Helper()
	name := "holdfast"
	if strings.Contains(rendered, "name: grip\n") {
		name = "grip"
	}
	file := must[corev1.ConfigMap](t, rendered, "ConfigMap", name).Data["holdfast.yaml"]
	for _, line := range lines {
		if !strings.Contains("\n"+file+"\n", "\n"+line+"\n") {
			t.Errorf("no line %q in\n%s", line, file)
		}
	}
}

// reads says whether the ClusterRole lets a resource be listed by a rule that names it as given.
func reads(t *testing.T, rendered, group, resource string) bool {
	t.Helper()
	role := must[rbacv1.ClusterRole](t, rendered, "ClusterRole", "holdfast:holdfast")
	return slices.ContainsFunc(role.Rules, func(r rbacv1.PolicyRule) bool {
		return slices.Contains(r.APIGroups, group) && slices.Contains(r.Resources, resource) && slices.Contains(r.Verbs, "list")
	})
}

func TestChartIsAcceptedByTheAPIServer(t *testing.T) {
	c := newChart(t)
	cp := startForChart(t)
	client, err := kubernetes.NewForConfig(cp.RESTConfig())
	if err != nil {
		t.Fatal(err)
	}
	for name, v := range variations {
		t.Run(name, func(t *testing.T) {
			if stdout, stderr, err := c.run(t, v.values, "lint", chartDir, "--strict"); err != nil {
				t.Fatalf("helm lint: %v\n%s%s", err, stdout, stderr)
			}
			rendered := c.render(t, v.values, "--include-crds")
			v.check(t, rendered)
			// The API server warns of Pods that the namespace would not take, and of what is deprecated.
			if said := applyTo(t, cp, rendered); strings.Contains(said, "Warning") {
				t.Error(said)
			}
			deployment := "holdfast"
			if name == "everything set" {
				deployment = "grip"
			}
			// Nothing rolls out here: a Pod of the template is sent by hand, to be judged and not kept.
			d := must[appsv1.Deployment](t, rendered, "Deployment", deployment)
			pod := &corev1.Pod{ObjectMeta: d.Spec.Template.ObjectMeta, Spec: d.Spec.Template.Spec}
			pod.Name = "one"
			_, err := client.CoreV1().Pods("holdfast").Create(t.Context(), pod, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
			if err != nil {
				t.Errorf("a Pod of the Deployment: %v", err)
			}
		})
	}
}

// startForChart gives an API server with the namespace that the chart goes to. It takes restricted Pods only.
func startForChart(t *testing.T) *controlplane.ControlPlane {
	t.Helper()
	return startForChartWith(t, controlplane.Options{})
}

func startForChartWith(t *testing.T, options controlplane.Options) *controlplane.ControlPlane {
	t.Helper()
	options.Progress = t.Output()
	cp, err := controlplane.Start(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cp.Stop(); err != nil {
			t.Error(err)
		}
	})
	// What other operators bring: the API server takes their objects, and nobody reads them.
	for _, kind := range []string{"monitoring.coreos.com/v1/ServiceMonitor", "monitoring.coreos.com/v1/PrometheusRule", "cert-manager.io/v1/Certificate", "cert-manager.io/v1/Issuer"} {
		define(t, cp, kind)
	}
	applyTo(t, cp, `{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "holdfast", "labels": {
		"pod-security.kubernetes.io/enforce": "restricted", "pod-security.kubernetes.io/warn": "restricted"}}}`)
	return cp
}

// define makes a type that takes anything, written as GROUP/VERSION/KIND.
func define(t *testing.T, cp *controlplane.ControlPlane, name string) {
	t.Helper()
	parts := strings.Split(name, "/")
	group, version, kind := parts[0], parts[1], parts[2]
	plural := strings.ToLower(kind) + "s"
	applyTo(t, cp, fmt.Sprintf(`
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: %[3]s.%[1]s}
spec:
  group: %[1]s
  scope: Namespaced
  names: {kind: %[4]s, plural: %[3]s}
  versions: [{name: %[2]s, served: true, storage: true, schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}]
`, group, version, plural, kind))
	kubectl(t.Context(), t, cp, "", "wait", "--for=condition=Established", "--timeout=60s", "customresourcedefinition/"+plural+"."+group)
}

// applyTo sends objects by server-side apply and gives what was said to it.
func applyTo(t *testing.T, cp *controlplane.ControlPlane, objects string) string {
	t.Helper()
	return kubectl(t.Context(), t, cp, objects, "apply", "--server-side", "-f", "-")
}

func kubectl(ctx context.Context, t *testing.T, cp *controlplane.ControlPlane, stdin string, args ...string) string {
	t.Helper()
	path, err := controlplane.Builder{Progress: t.Output()}.Tool(ctx, "kubectl")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(ctx, path, append([]string{"--kubeconfig", cp.KubeconfigPath(), "--cache-dir", t.TempDir()}, args...)...)
	cmd.Stdin = strings.NewReader(stdin)
	said, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("kubectl %s: %v\n%s", strings.Join(args, " "), err, said)
	}
	return string(said)
}
