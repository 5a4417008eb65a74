package podsecurity_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"testing"

	kyvernov1 "github.com/kyverno/kyverno/api/kyverno/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/yaml"

	"github.com/holdfast-io/holdfast/engine/podsecurity"
)

// decode reads YAML as the engine's values are: numbers as float64.
func decode(t testing.TB, text string) map[string]any {
	t.Helper()
	var out map[string]any
	if err := yaml.Unmarshal([]byte(text), &out); err != nil {
		t.Fatal(err)
	}
	return out
}

func compile(t testing.TB, text string) *podsecurity.Check {
	t.Helper()
	c, err := compileText(t, text)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func compileText(t testing.TB, text string) (*podsecurity.Check, error) {
	t.Helper()
	var spec kyvernov1.PodSecurity
	if err := yaml.Unmarshal([]byte(text), &spec); err != nil {
		t.Fatal(err)
	}
	return podsecurity.Compile(&spec)
}

func exclusions(t testing.TB, text string) []podsecurity.Exclusion {
	t.Helper()
	var list []kyvernov1.PodSecurityStandard
	if err := yaml.Unmarshal([]byte(text), &list); err != nil {
		t.Fatal(err)
	}
	out, err := podsecurity.CompileExclusions(list)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func evaluate(c *podsecurity.Check, object map[string]any, extra []podsecurity.Exclusion) podsecurity.Result {
	kind, _ := object["kind"].(string)
	return c.Evaluate(schema.GroupVersionKind{Kind: kind}, object, extra)
}

// restrictedPod is allowed at each level, but for what spec and container put in.
func restrictedPod(spec, container string) string {
	return `{kind: Pod, metadata: {name: p}, spec: {securityContext: {runAsNonRoot: true, seccompProfile: {type: RuntimeDefault}},
		containers: [{name: a, image: nginx, securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}` + container + `}]` + spec + `}}`
}

const failed = "failed Pod Security Standard "

func TestEvaluate(t *testing.T) {
	tests := map[string]struct {
		check, object, want string
	}{
		"a good Pod at restricted": {"level: restricted", restrictedPod("", ""), "pass"},
		"a bare Pod at baseline":   {"level: baseline", `{kind: Pod, spec: {containers: [{name: a}]}}`, "pass"},
		"a bare Pod at privileged": {"level: privileged", `{kind: Pod, spec: {hostPID: true}}`, "pass"},
		"a bare Pod at restricted": {
			"level: restricted", `{kind: Pod, spec: {containers: [{name: a}]}}`,
			failed + "restricted:latest: Privilege Escalation (spec.containers[0].securityContext.allowPrivilegeEscalation is not set); " +
				"Capabilities (spec.containers[0].securityContext.capabilities.drop is not set); " +
				"Running as Non-root (spec.containers[0].securityContext.runAsNonRoot is not set); " +
				"Seccomp (spec.containers[0].securityContext.seccompProfile.type is not set)",
		},
		"no level asks for the strictest": {
			"version: v1.29", restrictedPod(", volumes: [{name: a, nfs: {server: s, path: /}}]", ""),
			failed + "restricted:v1.29: Volume Types (spec.volumes[0].nfs is not allowed)",
		},
		"namespaces of the host": {
			"level: baseline", restrictedPod(", hostPID: true, hostIPC: true", ""),
			failed + "baseline:latest: Host Namespaces (spec.hostPID is true, spec.hostIPC is true)",
		},
		"a port of the host among others": {
			"level: baseline", restrictedPod("", ", ports: [{containerPort: 80}, {containerPort: 81, hostPort: 8081}]"),
			failed + "baseline:latest: Host Ports (spec.containers[0].ports[1].hostPort is 8081)",
		},
		"a sysctl that came with a later version": {
			"{level: baseline, version: v1.26}", `{kind: Pod, spec: {securityContext: {sysctls: [{name: kernel.shm_rmid_forced, value: "1"}, {name: net.ipv4.ip_local_reserved_ports, value: "1"}]}}}`,
			failed + "baseline:v1.26: Sysctls (spec.securityContext.sysctls[1].name is net.ipv4.ip_local_reserved_ports)",
		},
		"the same sysctl then": {
			"{level: baseline, version: v1.27}", `{kind: Pod, spec: {securityContext: {sysctls: [{name: net.ipv4.ip_local_reserved_ports, value: "1"}]}}}`, "pass",
		},
		"a user namespace changes nothing": {
			"level: restricted", `{kind: Pod, spec: {hostUsers: false, securityContext: {runAsUser: 0, runAsNonRoot: true, seccompProfile: {type: Localhost}}}}`,
			failed + "restricted:latest: Running as Non-root user (spec.securityContext.runAsUser is 0)",
		},
		"a Windows Pod needs no settings of Linux": {
			"level: restricted", `{kind: Pod, spec: {os: {name: windows}, securityContext: {runAsNonRoot: true}, containers: [{name: a}]}}`, "pass",
		},
		"a host in a probe has no exclusion's name": {
			"level: baseline", restrictedPod("", ", livenessProbe: {httpGet: {host: example.com, port: 80}}"),
			failed + "baseline:latest: Host Probes / Lifecycle Hooks (spec.containers[0].livenessProbe is not allowed)",
		},
		"two levels refuse one field, which is named once": {
			"level: restricted", `{kind: Pod, spec: {securityContext: {runAsNonRoot: true, seccompProfile: {type: Unconfined}}, containers: []}}`,
			failed + "restricted:latest: Seccomp (spec.securityContext.seccompProfile.type is Unconfined)",
		},
		"an annotation of AppArmor": {
			"level: baseline", `{kind: Pod, metadata: {annotations: {container.apparmor.security.beta.kubernetes.io/a: unconfined}}, spec: {containers: [{name: a}]}}`,
			failed + "baseline:latest: AppArmor (metadata.annotations[container.apparmor.security.beta.kubernetes.io/a] is unconfined)",
		},
		"an annotation of seccomp, in an old version": {
			"{level: baseline, version: v1.18}", `{kind: Pod, metadata: {annotations: {container.seccomp.security.alpha.kubernetes.io/a: unconfined}}, spec: {containers: [{name: a}]}}`,
			failed + "baseline:v1.18: Seccomp (metadata.annotations[container.seccomp.security.alpha.kubernetes.io/a] is unconfined)",
		},
		"a Deployment is judged by its template": {
			"level: baseline", `{kind: Deployment, spec: {template: {spec: {initContainers: [{name: a, securityContext: {privileged: true}}]}}}}`,
			failed + "baseline:latest: Privileged Containers (spec.template.spec.initContainers[0].securityContext.privileged is true)",
		},
		"a CronJob by that of its Jobs, annotations too": {
			"level: baseline", `{kind: CronJob, spec: {jobTemplate: {spec: {template: {metadata: {annotations: {container.apparmor.security.beta.kubernetes.io/a: unconfined}}, spec: {hostNetwork: true}}}}}}`,
			failed + "baseline:latest: AppArmor (spec.jobTemplate.spec.template.metadata.annotations[container.apparmor.security.beta.kubernetes.io/a] is unconfined); " +
				"Host Namespaces (spec.jobTemplate.spec.template.spec.hostNetwork is true)",
		},
		"a debug container": {
			"level: baseline", `{kind: Pod, spec: {ephemeralContainers: [{name: a, securityContext: {capabilities: {add: [SYS_PTRACE, CHOWN, BPF]}}}]}}`,
			failed + "baseline:latest: Capabilities (spec.ephemeralContainers[0].securityContext.capabilities.add is BPF, SYS_PTRACE)",
		},
		"a Service":                             {"level: baseline", `{kind: Service, spec: {}}`, "a Service has no Pod and no Pod template to judge"},
		"containers that are no list":           {"level: baseline", `{kind: Pod, spec: {containers: {a: b}}}`, "reading the Pod's spec: containers is no list"},
		"a flag that is text":                   {"level: baseline", `{kind: Pod, spec: {hostPID: "true"}}`, "reading the Pod's spec: hostPID is no boolean"},
		"a template that is a number":           {"level: baseline", `{kind: Job, spec: {template: 3}}`, "reading the Pod template at spec.template: template is no object"},
		"several things that are wrong":         {"level: baseline", `{kind: Pod, spec: {securityContext: {runAsUser: 0.5, seLinuxOptions: 1}, volumes: [{hostPath: a, nfs: 1, name: 2}], containers: [1]}}`, "reading the Pod's spec: containers is no list of objects"},
		"a text among annotations that is none": {"level: baseline", `{kind: Pod, metadata: {annotations: {b: 1, a: 2}}}`, "reading the Pod's metadata: annotations.a is no text"},
		"a capability that is no text":          {"level: baseline", `{kind: Deployment, spec: {template: {spec: {containers: [{}, {securityContext: {capabilities: {add: [1]}}}]}}}}`, "reading the Pod's spec.template.spec: containers[1].securityContext.capabilities.add is no list of texts"},
		"a source of volumes that is rare": {"level: restricted", restrictedPod(", volumes: [{name: a, flocker: {datasetName: s}}]", ""),
			failed + "restricted:latest: Volume Types (spec.volumes[0].flocker is not allowed)"},
		"a port that is no port": {"level: baseline", `{kind: Pod, spec: {containers: [{ports: [{hostPort: 4294967296}]}]}}`, "reading the Pod's spec: containers[0].ports[0].hostPort is no whole number up to 2147483647"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			res := evaluate(compile(t, tc.check), decode(t, tc.object), nil)
			if got := verdict(res); got != tc.want {
				t.Errorf("got  %s\nwant %s", got, tc.want)
			}
		})
	}
}

func verdict(r podsecurity.Result) string {
	switch r.Outcome {
	case podsecurity.Fail:
		return r.Message()
	case podsecurity.Error:
		return r.Err.Error()
	default:
		return r.Outcome.String()
	}
}

func TestQuantitiesAreNotRead(t *testing.T) {
	object := decode(t, `{kind: Pod, spec: {overhead: {cpu: 1e1000000000}, containers: [{name: a, resources: {limits: {cpu: 1e1000000000}}}],
		volumes: [{name: a, emptyDir: {sizeLimit: 1e1000000000}}]}}`)
	if res := evaluate(compile(t, "level: baseline"), object, nil); res.Outcome != podsecurity.Pass {
		t.Errorf("got %v, %v", res.Outcome, res.Err)
	}
}

func TestCompileErrors(t *testing.T) {
	tests := map[string]struct {
		spec, want string
		path       []any
	}{
		"level":                   {"level: strict", `compiling podSecurity at level: unknown level "strict": expected privileged, baseline or restricted`, []any{"level"}},
		"version":                 {"version: 1.29", `compiling podSecurity at version: unknown version "1.29": expected latest, or v1.0 to v1.34`, []any{"version"}},
		"a version of the future": {"version: v1.35", `compiling podSecurity at version: unknown version "v1.35": expected latest, or v1.0 to v1.34`, []any{"version"}},
		"control": {
			"{level: baseline, exclude: [{controlName: Seccomp}, {controlName: seccomp}]}",
			`compiling podSecurity at exclude[1].controlName: unknown control "seccomp": the controls are HostProcess, Host Namespaces, Privileged Containers, ` +
				`Capabilities, HostPath Volumes, Host Ports, AppArmor, SELinux, /proc Mount Type, Seccomp, Sysctls, Volume Types, Privilege Escalation, ` +
				`Running as Non-root, Running as Non-root user`,
			[]any{"exclude", 1, "controlName"},
		},
		"a control of restricted at baseline": {
			"{level: baseline, exclude: [{controlName: Volume Types}]}",
			"compiling podSecurity at exclude[0].controlName: Volume Types is no control of level baseline", []any{"exclude", 0, "controlName"},
		},
		"a control of containers without images": {
			"exclude: [{controlName: Host Ports}]",
			"compiling podSecurity at exclude[0].images: Host Ports is a control of containers: an exclusion must say of which images", []any{"exclude", 0, "images"},
		},
		"a control of the Pod with images": {
			"exclude: [{controlName: Sysctls, images: [a]}]",
			"compiling podSecurity at exclude[0].images: Sysctls is a control of the Pod as a whole: an exclusion cannot name images", []any{"exclude", 0, "images"},
		},
		"a field without values": {
			"exclude: [{controlName: Sysctls, restrictedField: a}]",
			"compiling podSecurity at exclude[0].values: is missing: with restrictedField the excused values must be listed", []any{"exclude", 0, "values"},
		},
		"values without a field": {
			"exclude: [{controlName: Sysctls, values: [a]}]",
			"compiling podSecurity at exclude[0].restrictedField: is missing: values are those of one field", []any{"exclude", 0, "restrictedField"},
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := compileText(t, tc.spec)
			var problem *podsecurity.CompileError
			if !errors.As(err, &problem) {
				t.Fatalf("got %v", err)
			}
			if err.Error() != tc.want || !slices.Equal(problem.Path, tc.path) {
				t.Errorf("got  %v at %v\nwant %s at %v", err, problem.Path, tc.want, tc.path)
			}
		})
	}
}

func TestEvaluationLeavesTheObjectAlone(t *testing.T) {
	const text = `{kind: Pod, spec: {hostPID: true, volumes: [{name: a, hostPath: {path: /, type: ""}}], containers: [{name: a, resources: {limits: {cpu: 1}}, ports: [{hostPort: 1}]}]}}`
	object := decode(t, text)
	evaluate(compile(t, "level: restricted"), object, exclusions(t, "[{controlName: Host Ports, images: ['*']}]"))
	if want := decode(t, text); !reflect.DeepEqual(object, want) {
		got, _ := json.Marshal(object)
		t.Errorf("the object became %s", got)
	}
}
