package podsecurity

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/pod-security-admission/policy"
)

// setting is one field of a pod that a check refuses.
type setting struct {
	check policy.CheckID
	// field is the path as exclusions name it, with * for each number; empty where the check refuses the
	// pod for a reason that is no single field.
	field     string
	path      string     // the path from the object's top
	values    []string   // what is set there; none for a setting that is missing
	container *container // whose setting it is; nil for the Pod's own
}

// probe is a pod with nothing in it but one setting, to be shown to a check.
type probe struct {
	field  string // below the container, or of the Pod
	path   string // field with its indexes; empty when there are none
	values []string
	meta   metav1.ObjectMeta
	spec   corev1.PodSpec
	// lone is the container with this one setting; nil in a probe of the Pod's own settings.
	lone *corev1.Container
}

// search finds the settings for which a check refuses a pod: the check is shown one setting at a time.
type search struct {
	revision
	pod *pod
	out []setting
}

// refusedSettings asks the check about the pod. Without an answer the check lets the pod pass.
func (r *revision) refusedSettings(p *pod) (policy.CheckResult, []setting) {
	result := r.run(&p.meta, &p.spec)
	if result.Allowed {
		return result, nil
	}
	s := &search{revision: *r, pod: p}
	s.podSettings()
	for _, c := range p.containers() {
		s.containerSettings(c)
	}
	if len(s.out) == 0 {
		// The whole is refused and no part of it alone: nothing can be excluded, so nothing is.
		s.out = append(s.out, setting{check: r.id})
	}
	return result, s.out
}

func (s *search) refuses(p *probe) bool { return !s.run(&p.meta, &p.spec).Allowed }

func (s *search) podSettings() {
	for _, p := range podProbes(s.id, s.pod) {
		if s.refuses(&p) {
			s.add(p, nil)
		}
	}
}

func (s *search) containerSettings(c container) {
	inherited, decided := s.inherited()
	for _, p := range containerProbes(s.id, c.Container) {
		if decided && (c.SecurityContext == nil || c.SecurityContext.SeccompProfile == nil) {
			continue
		}
		p.spec = corev1.PodSpec{SecurityContext: inherited, Containers: []corev1.Container{*p.lone}}
		if s.refuses(&p) {
			s.add(p, &c)
		}
	}
}

// inherited is what a container without a setting of its own gets from the Pod, as far as that is good. When the
// Pod's seccomp profile is bad, then that is what is wrong, and not again each container which takes it over.
func (s *search) inherited() (from *corev1.PodSecurityContext, decided bool) {
	own := s.pod.spec.SecurityContext
	if own == nil {
		return nil, false
	}
	switch {
	case s.id == runAsNonRoot && own.RunAsNonRoot != nil:
		from = &corev1.PodSecurityContext{RunAsNonRoot: own.RunAsNonRoot}
	case s.id == seccompRestricted && own.SeccompProfile != nil:
		from = &corev1.PodSecurityContext{SeccompProfile: own.SeccompProfile}
	default:
		return nil, false
	}
	if s.refuses(&probe{spec: corev1.PodSpec{SecurityContext: from}}) {
		return nil, s.id == seccompRestricted
	}
	return from, false
}

// bareContainerRefused reports whether the check refuses a container that sets nothing.
func (s *search) bareContainerRefused() bool {
	inherited, decided := s.inherited()
	return !decided && s.refuses(&probe{spec: corev1.PodSpec{SecurityContext: inherited, Containers: []corev1.Container{{}}}})
}

// add notes a refused setting. Values of one field are one setting: capabilities are shown one by one.
func (s *search) add(p probe, c *container) {
	field, path := p.field, p.path
	if path == "" {
		path = field
	}
	if c != nil {
		path = strings.Replace(c.path, "*", strconv.Itoa(c.index), 1) + "." + path
		field = c.path + "." + field
	}
	for i := range s.out {
		if known := &s.out[i]; known.path == s.pod.root+path {
			known.values = append(known.values, p.values...)
			slices.Sort(known.values)
			known.values = slices.Compact(known.values)
			return
		}
	}
	s.out = append(s.out, setting{s.id, field, s.pod.root + path, p.values, c})
}

// indexed writes the same place twice: for exclusions, and as it is.
func indexed(format string, index int) (field, path string) {
	return fmt.Sprintf(format, "*"), fmt.Sprintf(format, strconv.Itoa(index))
}
