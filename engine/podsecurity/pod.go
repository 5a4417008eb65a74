package podsecurity

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kjson "sigs.k8s.io/json"
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

// decode reads the pod out of an object. It takes over only what the checks look at: quantities are left
// out, since reading one can cost more than the whole evaluation, and none matters here.
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
	if err := convert(pick(meta, "annotations"), &p.meta); err != nil {
		return nil, fmt.Errorf("reading the Pod's %smetadata: %w", p.root, err)
	}
	if err := convert(p.relevant(spec), &p.spec); err != nil {
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

func convert(from map[string]any, to any) error {
	raw, err := json.Marshal(from)
	if err != nil {
		return err
	}
	return kjson.UnmarshalCaseSensitivePreserveInts(raw, to)
}

func pick(from map[string]any, keys ...string) map[string]any {
	out := make(map[string]any, len(keys))
	for _, key := range keys {
		if v, ok := from[key]; ok {
			out[key] = v
		}
	}
	return out
}

// relevant is the part of a Pod's spec that the checks look at.
func (p *pod) relevant(spec map[string]any) map[string]any {
	out := pick(spec, "hostNetwork", "hostPID", "hostIPC", "hostUsers", "os", "securityContext")
	for _, key := range []string{"containers", "initContainers", "ephemeralContainers"} {
		if v, ok := spec[key]; ok {
			out[key] = each(v, func(c map[string]any) map[string]any {
				return pick(c, "name", "image", "ports", "securityContext", "livenessProbe", "readinessProbe", "startupProbe", "lifecycle")
			})
		}
	}
	if v, ok := spec["volumes"]; ok {
		out["volumes"] = each(v, func(v map[string]any) map[string]any {
			p.sources = append(p.sources, source(v))
			return volume(v)
		})
	}
	return out
}

// each replaces the objects of a list. What is of another shape stays, for the conversion to refuse.
func each(list any, replace func(map[string]any) map[string]any) any {
	items, ok := list.([]any)
	if !ok {
		return list
	}
	out := make([]any, len(items))
	for i, item := range items {
		if m, ok := item.(map[string]any); ok {
			item = replace(m)
		} else if item == nil {
			item = replace(nil)
		}
		out[i] = item
	}
	return out
}

// volume keeps of a volume's source that it is there, and of a hostPath the path.
func volume(v map[string]any) map[string]any {
	out := make(map[string]any, len(v))
	for key, value := range v {
		if source, ok := value.(map[string]any); ok && key != "name" {
			value = pick(source, "path")
			if key != "hostPath" {
				value = map[string]any{}
			}
		}
		out[key] = value
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
