package engine

import (
	"fmt"
	"strings"

	"github.com/distribution/reference"
)

// loadImages adds `images` to the document: for each kind of container list, container name -> parts of
// its image. Source: https://kyverno.io/docs/policy-types/cluster-policy/variables/#variables-from-container-images
func (e *evaluation) loadImages() error {
	if e.images {
		return e.imagesErr
	}
	e.images = true
	e.imagesErr = nil
	spec := podSpec(e.req.Kind.Kind, e.object)
	images := map[string]any{}
	for _, list := range [...]string{"initContainers", "containers", "ephemeralContainers"} {
		containers, _ := spec[list].([]any)
		byName := map[string]any{}
		for i, item := range containers {
			c, _ := item.(map[string]any)
			image, _ := c["image"].(string)
			if image == "" {
				continue
			}
			info, err := imageInfo(image)
			if err != nil {
				e.imagesErr = fmt.Errorf("reading the image of %s[%d]: %w", list, i, err)
				return e.imagesErr
			}
			name, _ := c["name"].(string)
			byName[name] = info
		}
		if len(byName) > 0 {
			images[list] = byName
		}
	}
	e.root["images"] = images
	return nil
}

// podSpec finds the pod spec of the built-in kinds that have one.
func podSpec(kind string, object map[string]any) map[string]any {
	path := []string{"spec", "template", "spec"}
	switch kind {
	case "Pod":
		path = path[:1]
	case "CronJob":
		path = []string{"spec", "jobTemplate", "spec", "template", "spec"}
	case "Deployment", "DaemonSet", "StatefulSet", "ReplicaSet", "ReplicationController", "Job":
	default:
		return nil
	}
	for _, key := range path {
		object, _ = object[key].(map[string]any)
	}
	return object
}

// imageInfo splits an image reference. An image without a registry is Docker Hub's, one without tag and
// digest has the tag "latest".
func imageInfo(image string) (map[string]any, error) {
	full := image
	if first, _, found := strings.Cut(image, "/"); !found || (!strings.ContainsAny(first, ".:") && first != "localhost") {
		full = "docker.io/" + image
	}
	ref, err := reference.Parse(full)
	if err != nil {
		return nil, fmt.Errorf("%q is not an image reference: %w", image, err)
	}
	named, ok := ref.(reference.Named)
	if !ok {
		return nil, fmt.Errorf("%q is not an image reference: it has no name", image)
	}
	registry, path := reference.Domain(named), reference.Path(named)
	info := map[string]any{
		"registry": registry,
		"path":     path,
		"name":     path[strings.LastIndexByte(path, '/')+1:],
	}
	tag, suffix := "", ""
	if tagged, ok := ref.(reference.Tagged); ok {
		tag = tagged.Tag()
	}
	if digested, ok := ref.(reference.Digested); ok {
		info["digest"] = digested.Digest().String()
		suffix = "@" + digested.Digest().String()
	} else if tag == "" {
		tag = "latest"
	}
	if tag != "" {
		info["tag"] = tag
	}
	if suffix == "" {
		suffix = ":" + tag
	}
	info["reference"] = registry + "/" + path + suffix
	info["referenceWithTag"] = registry + "/" + path + ":" + tag
	return info, nil
}
