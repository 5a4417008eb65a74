package podsecurity

import (
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/pod-security-admission/policy"
)

// podProbes takes the Pod's own settings apart which a check looks at.
func podProbes(id policy.CheckID, p *pod) []probe {
	spec, sc := &p.spec, p.spec.SecurityContext
	if sc == nil {
		sc = &corev1.PodSecurityContext{}
	}
	one := func(path string, values []string, only corev1.PodSecurityContext) probe {
		return probe{field: "spec.securityContext." + path, values: values, spec: corev1.PodSpec{SecurityContext: &only}}
	}
	var out []probe
	switch id {
	case hostNamespaces:
		return []probe{
			{field: "spec.hostNetwork", values: []string{"true"}, spec: corev1.PodSpec{HostNetwork: spec.HostNetwork}},
			{field: "spec.hostPID", values: []string{"true"}, spec: corev1.PodSpec{HostPID: spec.HostPID}},
			{field: "spec.hostIPC", values: []string{"true"}, spec: corev1.PodSpec{HostIPC: spec.HostIPC}},
		}
	case hostPathVolumes, restrictedVolumes:
		for i := range spec.Volumes {
			v := spec.Volumes[i]
			field, path := indexed("spec.volumes[%s]."+p.sources[i], i)
			var values []string
			if id == hostPathVolumes && v.HostPath != nil {
				field, path = indexed("spec.volumes[%s].hostPath", i)
				values = text(v.HostPath.Path)
			}
			out = append(out, probe{field: field, path: path, values: values, spec: corev1.PodSpec{Volumes: []corev1.Volume{v}}})
		}
	case sysctls:
		for i, sysctl := range sc.Sysctls {
			pr := one("", text(sysctl.Name), corev1.PodSecurityContext{Sysctls: []corev1.Sysctl{sysctl}})
			pr.field, pr.path = indexed("spec.securityContext.sysctls[%s].name", i)
			out = append(out, pr)
		}
	case windowsHostProcess:
		return []probe{one("windowsOptions.hostProcess", hostProcess(sc.WindowsOptions), corev1.PodSecurityContext{WindowsOptions: sc.WindowsOptions})}
	case seLinuxOptions:
		for _, l := range labels(sc.SELinuxOptions) {
			out = append(out, one("seLinuxOptions."+l.name, text(l.value), corev1.PodSecurityContext{SELinuxOptions: l.alone}))
		}
	case appArmorProfile:
		out = append(annotations(p), one("appArmorProfile.type", appArmor(sc.AppArmorProfile), corev1.PodSecurityContext{AppArmorProfile: sc.AppArmorProfile}))
	case seccompBaseline:
		out = append(annotations(p), one("seccompProfile.type", seccomp(sc.SeccompProfile), corev1.PodSecurityContext{SeccompProfile: sc.SeccompProfile}))
	case seccompRestricted:
		return []probe{one("seccompProfile.type", seccomp(sc.SeccompProfile), corev1.PodSecurityContext{SeccompProfile: sc.SeccompProfile})}
	case runAsNonRoot:
		return []probe{one("runAsNonRoot", boolean(sc.RunAsNonRoot), corev1.PodSecurityContext{RunAsNonRoot: sc.RunAsNonRoot})}
	case runAsUser:
		return []probe{one("runAsUser", integer(sc.RunAsUser), corev1.PodSecurityContext{RunAsUser: sc.RunAsUser})}
	}
	return out
}

// annotations shows each annotation alone, on a pod whose containers have nothing but their names.
func annotations(p *pod) []probe {
	var named corev1.PodSpec
	for _, c := range p.containers() {
		named.Containers = append(named.Containers, corev1.Container{Name: c.Name})
	}
	keys := make([]string, 0, len(p.meta.Annotations))
	for key := range p.meta.Annotations {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	out := make([]probe, 0, len(keys)+1) // the caller adds one
	for _, key := range keys {
		value := p.meta.Annotations[key]
		out = append(out, probe{
			field: "metadata.annotations[" + withoutNumbers(key) + "]", path: "metadata.annotations[" + key + "]",
			values: text(value), meta: metav1.ObjectMeta{Annotations: map[string]string{key: value}}, spec: named,
		})
	}
	return out
}

// withoutNumbers writes * for each number of a path, which is how exclusions name fields.
func withoutNumbers(path string) string {
	var b strings.Builder
	digits := false
	for _, r := range path {
		isDigit := r >= '0' && r <= '9'
		switch {
		case !isDigit:
			b.WriteRune(r)
		case !digits:
			b.WriteByte('*')
		}
		digits = isDigit
	}
	return b.String()
}

// containerProbes takes a container's settings apart which a check looks at.
func containerProbes(id policy.CheckID, c *corev1.Container) []probe {
	sc := c.SecurityContext
	if sc == nil {
		sc = &corev1.SecurityContext{}
	}
	one := func(path string, values []string, only corev1.SecurityContext) probe {
		return probe{field: "securityContext." + path, values: values, lone: &corev1.Container{Name: c.Name, SecurityContext: &only}}
	}
	var out []probe
	switch id {
	case privileged:
		return []probe{one("privileged", boolean(sc.Privileged), corev1.SecurityContext{Privileged: sc.Privileged})}
	case allowPrivilegeEscalation:
		values := boolean(sc.AllowPrivilegeEscalation)
		if c.SecurityContext != nil && values == nil {
			values = []string{"nil"} // how exclusions name a securityContext that leaves it open
		}
		return []probe{one("allowPrivilegeEscalation", values, corev1.SecurityContext{AllowPrivilegeEscalation: sc.AllowPrivilegeEscalation})}
	case procMount:
		var values []string
		if sc.ProcMount != nil {
			values = text(string(*sc.ProcMount))
		}
		return []probe{one("procMount", values, corev1.SecurityContext{ProcMount: sc.ProcMount})}
	case runAsNonRoot:
		return []probe{one("runAsNonRoot", boolean(sc.RunAsNonRoot), corev1.SecurityContext{RunAsNonRoot: sc.RunAsNonRoot})}
	case runAsUser:
		return []probe{one("runAsUser", integer(sc.RunAsUser), corev1.SecurityContext{RunAsUser: sc.RunAsUser})}
	case windowsHostProcess:
		return []probe{one("windowsOptions.hostProcess", hostProcess(sc.WindowsOptions), corev1.SecurityContext{WindowsOptions: sc.WindowsOptions})}
	case appArmorProfile:
		return []probe{one("appArmorProfile.type", appArmor(sc.AppArmorProfile), corev1.SecurityContext{AppArmorProfile: sc.AppArmorProfile})}
	case seccompBaseline, seccompRestricted:
		return []probe{one("seccompProfile.type", seccomp(sc.SeccompProfile), corev1.SecurityContext{SeccompProfile: sc.SeccompProfile})}
	case seLinuxOptions:
		for _, l := range labels(sc.SELinuxOptions) {
			out = append(out, one("seLinuxOptions."+l.name, text(l.value), corev1.SecurityContext{SELinuxOptions: l.alone}))
		}
	case capabilitiesBaseline, capabilitiesRestricted:
		return capabilities(id, sc.Capabilities, one)
	case hostPorts:
		for i, port := range c.Ports {
			pr := probe{values: []string{strconv.Itoa(int(port.HostPort))}, lone: &corev1.Container{Name: c.Name, Ports: []corev1.ContainerPort{port}}}
			pr.field, pr.path = indexed("ports[%s].hostPort", i)
			out = append(out, pr)
		}
	case hostProbes:
		return probeHosts(c)
	}
	return out
}

func capabilities(id policy.CheckID, caps *corev1.Capabilities, one func(string, []string, corev1.SecurityContext) probe) []probe {
	if caps == nil {
		caps = &corev1.Capabilities{}
	}
	var out []probe
	var dropAll []corev1.Capability
	if id == capabilitiesRestricted {
		dropAll = []corev1.Capability{"ALL"} // so that what is added is all there is to refuse
		var values []string
		for _, c := range caps.Drop {
			values = append(values, text(string(c))...)
		}
		slices.Sort(values)
		out = append(out, one("capabilities.drop", slices.Compact(values), corev1.SecurityContext{Capabilities: &corev1.Capabilities{Drop: caps.Drop}}))
	}
	for _, c := range caps.Add {
		alone := &corev1.Capabilities{Add: []corev1.Capability{c}, Drop: dropAll}
		out = append(out, one("capabilities.add", text(string(c)), corev1.SecurityContext{Capabilities: alone}))
	}
	return out
}

// probeHosts shows the probes and hooks of a container one at a time.
func probeHosts(c *corev1.Container) []probe {
	var out []probe
	add := func(path string, lone corev1.Container) {
		out = append(out, probe{field: path, lone: &lone})
	}
	add("livenessProbe", corev1.Container{Name: c.Name, LivenessProbe: c.LivenessProbe})
	add("readinessProbe", corev1.Container{Name: c.Name, ReadinessProbe: c.ReadinessProbe})
	add("startupProbe", corev1.Container{Name: c.Name, StartupProbe: c.StartupProbe})
	if c.Lifecycle != nil {
		add("lifecycle.postStart", corev1.Container{Name: c.Name, Lifecycle: &corev1.Lifecycle{PostStart: c.Lifecycle.PostStart}})
		add("lifecycle.preStop", corev1.Container{Name: c.Name, Lifecycle: &corev1.Lifecycle{PreStop: c.Lifecycle.PreStop}})
	}
	return out
}
