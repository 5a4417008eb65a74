package podsecurity_test

import (
	"testing"

	kyvernov1 "github.com/kyverno/kyverno/api/kyverno/v1"

	"github.com/holdfast-io/holdfast/engine/podsecurity"
)

func TestExclusions(t *testing.T) {
	const twoPrivileged = `{kind: Pod, spec: {containers: [{name: a, image: "ghcr.io/x/a:1", securityContext: {privileged: true}},
		{name: b, image: busybox, securityContext: {privileged: true}}]}}`
	const unsetTwice = `{kind: Pod, spec: {securityContext: {seccompProfile: {type: RuntimeDefault}}, containers: [
		{name: a, image: a, securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}},
		{name: b, image: b, securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}}]}}`
	tests := map[string]struct {
		check, object, want string
	}{
		"by control": {
			"{level: baseline, exclude: [{controlName: Host Namespaces}]}", `{kind: Pod, spec: {hostPID: true, hostIPC: true}}`, "pass",
		},
		"by control, which leaves the others": {
			"{level: baseline, exclude: [{controlName: Host Namespaces}]}", `{kind: Pod, spec: {hostPID: true, volumes: [{name: a, hostPath: {path: /}}]}}`,
			failed + "baseline:latest: HostPath Volumes (spec.volumes[0].hostPath is /)",
		},
		"by image": {
			"{level: baseline, exclude: [{controlName: Privileged Containers, images: ['ghcr.io/*', 'busybo?']}]}", twoPrivileged, "pass",
		},
		"by image, which leaves other containers": {
			"{level: baseline, exclude: [{controlName: Privileged Containers, images: ['ghcr.io/*']}]}", twoPrivileged,
			failed + "baseline:latest: Privileged Containers (spec.containers[1].securityContext.privileged is true)",
		},
		"by image, which leaves the Pod's own settings": {
			"{level: baseline, exclude: [{controlName: Seccomp, images: ['*']}]}",
			`{kind: Pod, spec: {securityContext: {seccompProfile: {type: Unconfined}}, containers: [{name: a, image: a, securityContext: {seccompProfile: {type: Unconfined}}}]}}`,
			failed + "baseline:latest: Seccomp (spec.securityContext.seccompProfile.type is Unconfined)",
		},
		"by field and value": {
			"{level: baseline, exclude: [{controlName: HostPath Volumes, restrictedField: 'spec.volumes[*].hostPath', values: ['/var/*']}]}",
			`{kind: Pod, spec: {volumes: [{name: a, hostPath: {path: /var/log}}, {name: b, hostPath: {path: /etc}}]}}`,
			failed + "baseline:latest: HostPath Volumes (spec.volumes[1].hostPath is /etc)",
		},
		"by field, in the list that it names": {
			"{level: baseline, exclude: [{controlName: Capabilities, images: ['*'], restrictedField: 'spec.initContainers[*].securityContext.capabilities.add', values: [NET_ADMIN]}]}",
			`{kind: Pod, spec: {initContainers: [{name: a, image: a, securityContext: {capabilities: {add: [NET_ADMIN]}}}],
				containers: [{name: b, image: a, securityContext: {capabilities: {add: [NET_ADMIN]}}}]}}`,
			failed + "baseline:latest: Capabilities (spec.containers[0].securityContext.capabilities.add is NET_ADMIN)",
		},
		"a list of values where one is not excused": {
			"{level: baseline, exclude: [{controlName: Capabilities, images: ['*'], restrictedField: 'spec.containers[*].securityContext.capabilities.add', values: ['NET_*']}]}",
			`{kind: Pod, spec: {containers: [{name: b, image: a, securityContext: {capabilities: {add: [NET_ADMIN, SYS_TIME]}}}]}}`,
			failed + "baseline:latest: Capabilities (spec.containers[0].securityContext.capabilities.add is NET_ADMIN, SYS_TIME)",
		},
		"an open setting goes by the name nil": {
			"{exclude: [{controlName: Privilege Escalation, images: ['*'], restrictedField: 'spec.containers[*].securityContext.allowPrivilegeEscalation', values: [nil]}]}",
			`{kind: Pod, spec: {securityContext: {runAsNonRoot: true, seccompProfile: {type: Localhost}}, containers: [{name: b, image: a, securityContext: {capabilities: {drop: [ALL]}}}]}}`,
			"pass",
		},
		"volumes are refused at both levels": {
			"{exclude: [{controlName: Volume Types}]}", restrictedPod(", volumes: [{name: a, hostPath: {path: /}}]", ""),
			failed + "restricted:latest: HostPath Volumes (spec.volumes[0].hostPath is /)",
		},
		"a template's fields go by their names in a Pod": {
			"{level: baseline, exclude: [{controlName: Host Namespaces, restrictedField: spec.hostPID, values: ['true']}]}",
			`{kind: DaemonSet, spec: {template: {spec: {hostPID: true, hostIPC: true}}}}`,
			failed + "baseline:latest: Host Namespaces (spec.template.spec.hostIPC is true)",
		},
		"what a container left unset, as a matter of the Pod": {
			"{exclude: [{controlName: Running as Non-root}, {controlName: Running as Non-root}]}", unsetTwice,
			failed + "restricted:latest: Running as Non-root (spec.containers[1].securityContext.runAsNonRoot is not set)",
		},
		"the same, with one container named": {
			"{exclude: [{controlName: Running as Non-root}, {controlName: Running as Non-root, images: [a]}]}", unsetTwice, "pass",
		},
		"a bad profile of the Pod, which its containers take over": {
			"{exclude: [{controlName: Seccomp, restrictedField: spec.securityContext.seccompProfile.type, values: [Unconfined]}]}",
			`{kind: Pod, spec: {securityContext: {runAsNonRoot: true, seccompProfile: {type: Unconfined}}, containers: []}}`, "pass",
		},
		"a container named for its profile does not hide one without": {
			"{exclude: [{controlName: Seccomp, images: [a]}]}",
			`{kind: Pod, spec: {securityContext: {runAsNonRoot: true}, containers: [
				{name: a, image: a, securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}, seccompProfile: {type: Unconfined}}},
				{name: b, image: b, securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}}]}}`,
			failed + "restricted:latest: Seccomp (spec.containers[1].securityContext.seccompProfile.type is not set)",
		},
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

func TestExclusionsOfExceptions(t *testing.T) {
	const object = `{kind: Pod, spec: {hostPID: true, hostIPC: true, containers: [{name: a, image: a, ports: [{hostPort: 1}]}]}}`
	const pid = "{controlName: Host Namespaces, restrictedField: spec.hostPID, values: ['true']}"
	const ipc = "{controlName: Host Namespaces, restrictedField: spec.hostIPC, values: ['true']}"
	const ports = "{controlName: Host Ports, images: [a]}"
	const portsOfB = "{controlName: Host Ports, images: [b]}"
	tests := map[string]struct{ own, extra, want string }{
		"none":                               {"", "", failed + "baseline:latest: Host Namespaces (spec.hostPID is true, spec.hostIPC is true); Host Ports (spec.containers[0].ports[0].hostPort is 1)"},
		"all that is refused":                {"", pid + ", " + ipc + ", " + ports, "excused"},
		"what the policy itself leaves":      {pid + ", " + ports, ipc, "excused"},
		"nothing that is needed":             {"controlName: Host Namespaces}, " + ports[:len(ports)-1], portsOfB, "pass"},
		"a part, which leaves the rest":      {"", pid + ", " + ports, failed + "baseline:latest: Host Namespaces (spec.hostIPC is true)"},
		"one control with and without match": {"", portsOfB + ", " + pid + ", " + ipc, failed + "baseline:latest: Host Ports (spec.containers[0].ports[0].hostPort is 1)"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			own := tc.own
			if own != "" && own[0] != '{' {
				own = "{" + own + "}"
			}
			c := compile(t, "{level: baseline, exclude: ["+own+"]}")
			if got := verdict(evaluate(c, decode(t, object), exclusions(t, "["+tc.extra+"]"))); got != tc.want {
				t.Errorf("got  %s\nwant %s", got, tc.want)
			}
		})
	}
}

func TestExceptionsAreReadLikeExclusions(t *testing.T) {
	_, err := podsecurity.CompileExclusions([]kyvernov1.PodSecurityStandard{{ControlName: "Seccomp"}, {ControlName: "Host Ports"}})
	const want = "compiling podSecurity at [1].images: Host Ports is a control of containers: an exclusion must say of which images"
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}
