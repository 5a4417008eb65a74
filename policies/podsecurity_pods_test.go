package policies_test

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"
)

// soundPod may run under every level.
func soundPod() *corev1.Pod {
	container := func(name string) corev1.Container {
		no := false
		return corev1.Container{Name: name, Image: "registry.k8s.io/pause:3.10", SecurityContext: &corev1.SecurityContext{
			AllowPrivilegeEscalation: &no, Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
		}}
	}
	yes := true
	return &corev1.Pod{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"},
		ObjectMeta: metav1.ObjectMeta{Name: "p", Namespace: "shop", Annotations: map[string]string{"team": "shop"}},
		Spec: corev1.PodSpec{
			InitContainers:  []corev1.Container{container("init")},
			Containers:      []corev1.Container{container("app"), container("side")},
			SecurityContext: &corev1.PodSecurityContext{RunAsNonRoot: &yes, SeccompProfile: &corev1.SeccompProfile{Type: "RuntimeDefault"}},
		},
	}
}

// one draws one of some values.
func one[T any](t *rapid.T, values ...T) T { return rapid.SampledFrom(values).Draw(t, "value") }

// perhaps draws a value, or none.
func perhaps[T any](t *rapid.T, values ...T) *T {
	if rapid.Bool().Draw(t, "none") {
		return nil
	}
	v := one(t, values...)
	return &v
}

// changes each set one thing that a control looks at, of a Pod or of one of its containers, to something good or bad.
var changes = []func(t *rapid.T, pod *corev1.Pod, c *corev1.Container){
	func(t *rapid.T, pod *corev1.Pod, _ *corev1.Container) {
		*one(t, &pod.Spec.HostNetwork, &pod.Spec.HostPID, &pod.Spec.HostIPC) = true
	},
	func(t *rapid.T, _ *corev1.Pod, c *corev1.Container) {
		c.SecurityContext.Privileged = perhaps(t, true, false)
	},
	func(t *rapid.T, _ *corev1.Pod, c *corev1.Container) {
		lists := rapid.SliceOfN(rapid.SampledFrom([]corev1.Capability{"ALL", "NET_BIND_SERVICE", "CHOWN", "MKNOD", "NET_RAW", "SYS_ADMIN"}), 0, 2)
		c.SecurityContext.Capabilities = perhaps(t, corev1.Capabilities{Add: lists.Draw(t, "add"), Drop: lists.Draw(t, "drop")})
	},
	func(t *rapid.T, pod *corev1.Pod, _ *corev1.Container) {
		pod.Spec.Volumes = append(pod.Spec.Volumes, corev1.Volume{Name: "v", VolumeSource: one(t,
			corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: "/"}}, corev1.VolumeSource{NFS: &corev1.NFSVolumeSource{}},
			corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}, corev1.VolumeSource{Ephemeral: &corev1.EphemeralVolumeSource{}},
			corev1.VolumeSource{CSI: &corev1.CSIVolumeSource{}}, corev1.VolumeSource{Image: &corev1.ImageVolumeSource{}},
			corev1.VolumeSource{ISCSI: &corev1.ISCSIVolumeSource{}}, corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{}},
		)})
	},
	func(t *rapid.T, _ *corev1.Pod, c *corev1.Container) {
		c.Ports = append(c.Ports, corev1.ContainerPort{ContainerPort: 80, HostPort: one[int32](t, 0, 80)})
	},
	func(t *rapid.T, _ *corev1.Pod, c *corev1.Container) {
		host := one(t, "", "", "10.0.0.1")
		probe := corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Host: host}}
		hook := &corev1.LifecycleHandler{HTTPGet: probe.HTTPGet}
		if rapid.Bool().Draw(t, "tcp") {
			probe = corev1.ProbeHandler{TCPSocket: &corev1.TCPSocketAction{Host: host}}
			hook = &corev1.LifecycleHandler{TCPSocket: probe.TCPSocket}
		}
		switch one(t, "liveness", "readiness", "startup", "start", "stop") {
		case "liveness":
			c.LivenessProbe = &corev1.Probe{ProbeHandler: probe}
		case "readiness":
			c.ReadinessProbe = &corev1.Probe{ProbeHandler: probe}
		case "startup":
			c.StartupProbe = &corev1.Probe{ProbeHandler: probe}
		case "start":
			c.Lifecycle = &corev1.Lifecycle{PostStart: hook}
		case "stop":
			c.Lifecycle = &corev1.Lifecycle{PreStop: hook}
		}
	},
	func(t *rapid.T, pod *corev1.Pod, c *corev1.Container) {
		profile := perhaps(t, corev1.AppArmorProfile{Type: one[corev1.AppArmorProfileType](t, "RuntimeDefault", "Localhost", "Unconfined")})
		*one(t, &pod.Spec.SecurityContext.AppArmorProfile, &c.SecurityContext.AppArmorProfile) = profile
	},
	func(t *rapid.T, pod *corev1.Pod, c *corev1.Container) {
		pod.Annotations["container.apparmor.security.beta.kubernetes.io/"+c.Name] = one(t, "", "runtime/default", "localhost/shop", "unconfined")
	},
	func(t *rapid.T, pod *corev1.Pod, c *corev1.Container) {
		options := perhaps(t, corev1.SELinuxOptions{
			Type: one(t, "", "container_t", "container_engine_t", "spc_t"), User: one(t, "", "", "u"), Role: one(t, "", "", "r"), Level: one(t, "", "s0"),
		})
		*one(t, &pod.Spec.SecurityContext.SELinuxOptions, &c.SecurityContext.SELinuxOptions) = options
	},
	func(t *rapid.T, pod *corev1.Pod, c *corev1.Container) {
		c.SecurityContext.ProcMount = perhaps(t, corev1.DefaultProcMount, corev1.UnmaskedProcMount)
		pod.Spec.HostUsers = perhaps(t, true, false)
	},
	func(t *rapid.T, pod *corev1.Pod, c *corev1.Container) {
		profile := perhaps(t, corev1.SeccompProfile{Type: one[corev1.SeccompProfileType](t, "RuntimeDefault", "Localhost", "Unconfined")})
		*one(t, &pod.Spec.SecurityContext.SeccompProfile, &c.SecurityContext.SeccompProfile) = profile
	},
	func(t *rapid.T, pod *corev1.Pod, _ *corev1.Container) {
		name := one(t, "kernel.shm_rmid_forced", "net.ipv4.tcp_rmem", "net.ipv4.ip_local_reserved_ports", "net.ipv4.tcp_keepalive_time", "kernel.sem", "net.core.somaxconn")
		pod.Spec.SecurityContext.Sysctls = append(pod.Spec.SecurityContext.Sysctls, corev1.Sysctl{Name: name, Value: "1"})
	},
	func(t *rapid.T, pod *corev1.Pod, c *corev1.Container) {
		options := perhaps(t, corev1.WindowsSecurityContextOptions{HostProcess: perhaps(t, true, false)})
		*one(t, &pod.Spec.SecurityContext.WindowsOptions, &c.SecurityContext.WindowsOptions) = options
	},
	func(t *rapid.T, _ *corev1.Pod, c *corev1.Container) {
		c.SecurityContext.AllowPrivilegeEscalation = perhaps(t, true, false)
	},
	func(t *rapid.T, pod *corev1.Pod, c *corev1.Container) {
		*one(t, &pod.Spec.SecurityContext.RunAsNonRoot, &c.SecurityContext.RunAsNonRoot) = perhaps(t, true, false)
	},
	func(t *rapid.T, pod *corev1.Pod, c *corev1.Container) {
		*one(t, &pod.Spec.SecurityContext.RunAsUser, &c.SecurityContext.RunAsUser) = perhaps[int64](t, 0, 1000)
	},
	func(t *rapid.T, pod *corev1.Pod, _ *corev1.Container) {
		pod.Spec.OS = perhaps(t, corev1.PodOS{Name: one(t, corev1.Linux, corev1.Windows)})
	},
}
