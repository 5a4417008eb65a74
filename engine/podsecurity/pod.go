package podsecurity

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// pod is what the checks read of a Pod or of a Pod template.
type pod struct {
	root string // what stands before the Pod's own paths in the object: "" or "spec.template."
	meta metav1.ObjectMeta
	spec corev1.PodSpec
	// sources names the kind of each volume, as its field is called.
	sources []string
}

// container is one container of a pod, of any of the three lists.
type container struct {
	path  string // with * for the index: spec.containers[*]
	index int
	*corev1.Container
}

func (p *pod) containers() []container {
	var out []container
	for i := range p.spec.InitContainers {
		out = append(out, container{"spec.initContainers[*]", i, &p.spec.InitContainers[i]})
	}
	for i := range p.spec.Containers {
		out = append(out, container{"spec.containers[*]", i, &p.spec.Containers[i]})
	}
	for i := range p.spec.EphemeralContainers {
		c := (*corev1.Container)(&p.spec.EphemeralContainers[i].EphemeralContainerCommon)
		out = append(out, container{"spec.ephemeralContainers[*]", i, c})
	}
	return out
}

// templateOf gives the place of the Pod template in an object of this kind.
func templateOf(kind string) ([]string, bool) {
	switch kind {
	case "Pod":
		return nil, true
	case "DaemonSet", "Deployment", "Job", "StatefulSet", "ReplicaSet", "ReplicationController":
		return []string{"spec", "template"}, true
	case "CronJob":
		return []string{"spec", "jobTemplate", "spec", "template"}, true
	default:
		return nil, false
	}
}
