package fleet

import (
	"slices"
	"strings"
)

// workload is what a violation of a Pod, or of the template of one, changes.
type workload struct {
	labels, spec, container map[string]any
}

func (w workload) security() map[string]any { return w.container["securityContext"].(map[string]any) }

func (w workload) podSecurity() map[string]any { return w.spec["securityContext"].(map[string]any) }

func (w workload) port() map[string]any {
	return w.container["ports"].([]any)[0].(map[string]any)
}

func (w workload) untagged() string {
	image, _, _ := strings.Cut(w.container["image"].(string), ":")
	return image
}

// violations are what people get wrong. Each leaves something that the API server still takes, whatever others there are.
var violations = []struct {
	name string
	make func(workload)
}{
	{"privileged", func(w workload) {
		w.security()["privileged"], w.security()["allowPrivilegeEscalation"] = true, true
	}},
	{"privilege escalation", func(w workload) { delete(w.security(), "allowPrivilegeEscalation") }},
	{"host network", func(w workload) {
		w.spec["hostNetwork"] = true
		for _, c := range w.spec["containers"].([]any) {
			p := c.(map[string]any)["ports"].([]any)[0].(map[string]any)
			p["hostPort"] = p["containerPort"]
		}
	}},
	{"host PID", func(w workload) { w.spec["hostPID"] = true }},
	{"host path", func(w workload) {
		w.spec["volumes"] = append(w.spec["volumes"].([]any), map[string]any{"name": "host", "hostPath": map[string]any{"path": "/var/log"}})
	}},
	{"host port", func(w workload) { w.port()["hostPort"] = w.port()["containerPort"] }},
	{"tag latest", func(w workload) { w.container["image"] = w.untagged() + ":latest" }},
	{"no tag", func(w workload) { w.container["image"] = w.untagged() }},
	{"registry", func(w workload) { w.container["image"] = "docker.io/library/nginx:1.29.1" }},
	{"no resources", func(w workload) { delete(w.container, "resources") }},
	{"no probes", func(w workload) { delete(w.container, "livenessProbe"); delete(w.container, "readinessProbe") }},
	{"added capability", func(w workload) {
		w.security()["capabilities"] = map[string]any{"drop": []any{"ALL"}, "add": []any{"SYS_ADMIN"}}
	}},
	{"capabilities", func(w workload) { delete(w.security(), "capabilities") }},
	{"root", func(w workload) {
		for _, s := range []map[string]any{w.security(), w.podSecurity()} {
			s["runAsUser"], s["runAsNonRoot"] = int64(0), false
		}
	}},
	{"no seccomp profile", func(w workload) { delete(w.security(), "seccompProfile"); delete(w.podSecurity(), "seccompProfile") }},
	{"unconfined", func(w workload) { w.podSecurity()["seccompProfile"] = map[string]any{"type": "Unconfined"} }},
	{"writable root", func(w workload) { w.security()["readOnlyRootFilesystem"] = false }},
	{"no label", func(w workload) { delete(w.labels, "app.kubernetes.io/name") }},
	{"sysctl", func(w workload) {
		w.podSecurity()["sysctls"] = []any{map[string]any{"name": "kernel.msgmax", "value": "65536"}}
	}},
	{"SELinux type", func(w workload) { w.podSecurity()["seLinuxOptions"] = map[string]any{"type": "spc_t"} }},
}

// spoil makes one to three things wrong, if anything is to be.
func (m *maker) spoil(labels, spec map[string]any) []string {
	if !m.spoilt {
		return nil
	}
	w := workload{labels, spec, spec["containers"].([]any)[0].(map[string]any)}
	var names []string
	for _, i := range m.Perm(len(violations))[:pick(m, []int{1, 1, 1, 2, 3})] {
		violations[i].make(w)
		names = append(names, violations[i].name)
	}
	slices.Sort(names)
	return names
}
