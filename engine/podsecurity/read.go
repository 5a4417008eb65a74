package podsecurity

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// decode reads the pod out of an object, field by field: only those that a check looks at. To convert the whole would
// cost more than all checks.
func decode(kind string, object map[string]any) (*pod, error) {
	template, ok := templateOf(kind)
	if !ok {
		return nil, fmt.Errorf("a %s has no Pod and no Pod template to judge", kind)
	}
	p := &pod{}
	for _, key := range template {
		p.root += key + "."
		var err error
		if object, err = member(object, key); err != nil {
			return nil, fmt.Errorf("reading the Pod template at %s: %w", strings.TrimSuffix(p.root, "."), err)
		}
	}
	meta, err := member(object, "metadata")
	if err != nil {
		return nil, fmt.Errorf("reading the Pod: %w", err)
	}
	spec, err := member(object, "spec")
	if err != nil {
		return nil, fmt.Errorf("reading the Pod: %w", err)
	}
	p.readAnnotations(&part{fields: meta, err: &err})
	if err != nil {
		return nil, fmt.Errorf("reading the Pod's %smetadata: %w", p.root, err)
	}
	p.readSpec(&part{fields: spec, err: &err})
	if err != nil {
		return nil, fmt.Errorf("reading the Pod's %sspec: %w", p.root, err)
	}
	return p, nil
}

// member gives the object below a key, which may be missing or null.
func member(object map[string]any, key string) (map[string]any, error) {
	v := object[key]
	if v == nil {
		return nil, nil
	}
	m, ok := v.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("%s is no object", key)
	}
	return m, nil
}

func (p *pod) readAnnotations(meta *part) {
	annotations, ok := meta.object("annotations")
	if !ok {
		return
	}
	p.meta.Annotations = make(map[string]string, len(annotations.fields))
	for key := range annotations.fields {
		p.meta.Annotations[key] = annotations.text(key)
	}
}

func (p *pod) readSpec(spec *part) {
	p.spec.HostNetwork, p.spec.HostPID, p.spec.HostIPC = spec.is("hostNetwork"), spec.is("hostPID"), spec.is("hostIPC")
	p.spec.HostUsers = spec.flag("hostUsers")
	if os, ok := spec.object("os"); ok {
		p.spec.OS = &corev1.PodOS{Name: corev1.OSName(os.text("name"))}
	}
	if sc, ok := spec.object("securityContext"); ok {
		p.spec.SecurityContext = podSecurityContext(&sc)
	}
	p.spec.InitContainers = readContainers(spec, "initContainers")
	p.spec.Containers = readContainers(spec, "containers")
	for _, c := range readContainers(spec, "ephemeralContainers") {
		p.spec.EphemeralContainers = append(p.spec.EphemeralContainers, corev1.EphemeralContainer{EphemeralContainerCommon: corev1.EphemeralContainerCommon(c)})
	}
	for _, v := range spec.list("volumes") {
		p.spec.Volumes = append(p.spec.Volumes, readVolume(&v))
		p.sources = append(p.sources, source(v.fields))
	}
}

// largestID is above the 2^31-1 that an API server allows of users.
const largestID = math.MaxUint32

func podSecurityContext(sc *part) *corev1.PodSecurityContext {
	out := &corev1.PodSecurityContext{
		RunAsNonRoot: sc.flag("runAsNonRoot"), RunAsUser: sc.number("runAsUser", largestID),
		SELinuxOptions: seLinux(sc), WindowsOptions: windows(sc), SeccompProfile: seccompProfile(sc), AppArmorProfile: appArmorOf(sc),
	}
	for _, s := range sc.list("sysctls") {
		out.Sysctls = append(out.Sysctls, corev1.Sysctl{Name: s.text("name"), Value: s.text("value")})
	}
	return out
}

func securityContext(sc *part) *corev1.SecurityContext {
	out := &corev1.SecurityContext{
		Privileged: sc.flag("privileged"), AllowPrivilegeEscalation: sc.flag("allowPrivilegeEscalation"),
		RunAsNonRoot: sc.flag("runAsNonRoot"), RunAsUser: sc.number("runAsUser", largestID),
		SELinuxOptions: seLinux(sc), WindowsOptions: windows(sc), SeccompProfile: seccompProfile(sc), AppArmorProfile: appArmorOf(sc),
	}
	if mount, ok := field[string](sc, "procMount", "text"); ok {
		out.ProcMount = (*corev1.ProcMountType)(&mount)
	}
	if c, ok := sc.object("capabilities"); ok {
		out.Capabilities = &corev1.Capabilities{Add: texts[corev1.Capability](&c, "add"), Drop: texts[corev1.Capability](&c, "drop")}
	}
	return out
}

func seLinux(sc *part) *corev1.SELinuxOptions {
	o, ok := sc.object("seLinuxOptions")
	if !ok {
		return nil
	}
	return &corev1.SELinuxOptions{User: o.text("user"), Role: o.text("role"), Type: o.text("type"), Level: o.text("level")}
}

func windows(sc *part) *corev1.WindowsSecurityContextOptions {
	o, ok := sc.object("windowsOptions")
	if !ok {
		return nil
	}
	return &corev1.WindowsSecurityContextOptions{HostProcess: o.flag("hostProcess")}
}

func seccompProfile(sc *part) *corev1.SeccompProfile {
	profile, ok := sc.object("seccompProfile")
	if !ok {
		return nil
	}
	return &corev1.SeccompProfile{Type: corev1.SeccompProfileType(profile.text("type"))}
}

func appArmorOf(sc *part) *corev1.AppArmorProfile {
	profile, ok := sc.object("appArmorProfile")
	if !ok {
		return nil
	}
	return &corev1.AppArmorProfile{Type: corev1.AppArmorProfileType(profile.text("type"))}
}

func readContainers(spec *part, key string) []corev1.Container {
	list := spec.list(key)
	out := make([]corev1.Container, len(list))
	for i := range list {
		from, to := &list[i], &out[i]
		to.Name, to.Image = from.text("name"), from.text("image")
		if sc, ok := from.object("securityContext"); ok {
			to.SecurityContext = securityContext(&sc)
		}
		for _, port := range from.list("ports") {
			var read corev1.ContainerPort
			if n := port.number("hostPort", math.MaxInt32); n != nil {
				read.HostPort = int32(*n)
			}
			to.Ports = append(to.Ports, read)
		}
		to.LivenessProbe, to.ReadinessProbe, to.StartupProbe = readProbe(from, "livenessProbe"), readProbe(from, "readinessProbe"), readProbe(from, "startupProbe")
		if l, ok := from.object("lifecycle"); ok {
			to.Lifecycle = &corev1.Lifecycle{PostStart: readHook(&l, "postStart"), PreStop: readHook(&l, "preStop")}
		}
	}
	return out
}

// readProbe reads of a probe the hosts that it asks.
func readProbe(c *part, key string) *corev1.Probe {
	p, ok := c.object(key)
	if !ok {
		return nil
	}
	get, socket := hosts(&p)
	return &corev1.Probe{ProbeHandler: corev1.ProbeHandler{HTTPGet: get, TCPSocket: socket}}
}

func readHook(lifecycle *part, key string) *corev1.LifecycleHandler {
	p, ok := lifecycle.object(key)
	if !ok {
		return nil
	}
	get, socket := hosts(&p)
	return &corev1.LifecycleHandler{HTTPGet: get, TCPSocket: socket}
}

func hosts(p *part) (get *corev1.HTTPGetAction, socket *corev1.TCPSocketAction) {
	if g, ok := p.object("httpGet"); ok {
		get = &corev1.HTTPGetAction{Host: g.text("host")}
	}
	if s, ok := p.object("tcpSocket"); ok {
		socket = &corev1.TCPSocketAction{Host: s.text("host")}
	}
	return get, socket
}

// readVolume reads of a volume's source that it is there, and of a hostPath the path.
func readVolume(v *part) corev1.Volume {
	out := corev1.Volume{Name: v.text("name")}
	for key := range v.fields {
		if key == "name" {
			continue
		}
		source, ok := v.object(key)
		if !ok {
			continue
		}
		switch key {
		case "hostPath":
			out.HostPath = &corev1.HostPathVolumeSource{Path: source.text("path")}
		case "configMap":
			out.ConfigMap = &corev1.ConfigMapVolumeSource{}
		case "emptyDir":
			out.EmptyDir = &corev1.EmptyDirVolumeSource{}
		case "projected":
			out.Projected = &corev1.ProjectedVolumeSource{}
		case "secret":
			out.Secret = &corev1.SecretVolumeSource{}
		default: // of the thirty sources those above are nearly all that there are
			if named, err := json.Marshal(map[string]any{key: struct{}{}}); err == nil {
				_ = json.Unmarshal(named, &out.VolumeSource) // a key that it does not know is no source
			}
		}
	}
	return out
}

// source is the field in which a volume says what it is.
func source(v map[string]any) string {
	var keys []string
	for key, value := range v {
		if key != "name" && value != nil {
			keys = append(keys, key)
		}
	}
	if len(keys) == 0 {
		return "unknown"
	}
	return slices.Min(keys)
}
