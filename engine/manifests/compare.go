package manifests

import (
	"slices"
	"strconv"
	"strings"

	"github.com/holdfast-io/holdfast/engine/glob"
)

// flatten lists the values of an object by their paths: spec.ports.0.port. What is null or empty has no value and
// is not compared, since the API server adds and drops such things.
func flatten(value any, path string, into map[string]any) {
	below := func(key string) string {
		if path == "" {
			return key
		}
		return path + "." + key
	}
	switch v := value.(type) {
	case nil:
	case map[string]any:
		for key, item := range v {
			flatten(item, below(key), into)
		}
	case []any:
		for i, item := range v {
			flatten(item, below(strconv.Itoa(i)), into)
		}
	default:
		into[path] = v
	}
}

// differences lists the paths at which the object is not as it was signed, sorted, fields that may differ apart.
func differences(manifest, object map[string]any, mayDiffer []glob.Glob) []string {
	before, after := map[string]any{}, map[string]any{}
	flatten(manifest, "", before)
	flatten(object, "", after)
	var out []string
	note := func(path string) {
		if !ignores(mayDiffer, path) {
			out = append(out, path)
		}
	}
	for path, b := range before {
		if a, ok := after[path]; !ok || (a != b && !sameImage(path, b, a)) {
			note(path)
		}
	}
	for path := range after {
		// a manifest without a namespace may be applied in any
		if _, ok := before[path]; !ok && path != "metadata.namespace" {
			note(path)
		}
	}
	slices.Sort(out)
	return out
}

// sameImage allows for what container runtimes add to an image's name.
func sameImage(path string, before, after any) bool {
	if !strings.HasSuffix(path, "image") {
		return false
	}
	b, ok := before.(string)
	a, isText := after.(string)
	return ok && isText && (a == "docker.io/"+b || a == b+":latest")
}

// ignores reports whether one of the fields is the path, or leads to it. Fields of a Pod are found in a template of
// Pods as well: spec.containers.*.imagePullPolicy.
func ignores(fields []glob.Glob, path string) bool {
	if glob.MatchAny(fields, path) {
		return true
	}
	for _, template := range []string{"spec.template.", "spec.jobTemplate.spec.template."} {
		if below, ok := strings.CutPrefix(path, template); ok && glob.MatchAny(fields, below) {
			return true
		}
	}
	return false
}

// compileFields makes two patterns of each field: for itself, and for what is below it.
func compileFields(fields ...string) []glob.Glob {
	out := make([]glob.Glob, 0, 2*len(fields))
	for _, f := range fields {
		out = append(out, glob.Compile(f), glob.Compile(f+".*"))
	}
	return out
}

// objectPattern selects objects. An empty part selects any.
type objectPattern struct{ group, version, kind, name, namespace string }

func (o *objectPattern) matches(id *objectPattern) bool {
	return matchesPart(o.group, id.group) && matchesPart(o.version, id.version) && matchesPart(o.kind, id.kind) &&
		matchesPart(o.name, id.name) && matchesPart(o.namespace, id.namespace)
}

// matchesPart compares with a text, with the beginning of one (text*), with one of several (a, b), or with nothing (-).
func matchesPart(pattern, value string) bool {
	pattern = strings.TrimSpace(pattern)
	switch {
	case pattern == "", pattern == "*", pattern == value, pattern == "-" && value == "":
		return true
	case strings.HasSuffix(pattern, "*"):
		return strings.HasPrefix(value, strings.TrimRight(pattern, "*"))
	case strings.Contains(pattern, ","):
		return slices.ContainsFunc(strings.Split(pattern, ","), func(p string) bool { return matchesPart(p, value) })
	default:
		return false
	}
}

// identify names an object.
func identify(object map[string]any) *objectPattern {
	id := &objectPattern{}
	version, _ := object["apiVersion"].(string)
	if group, v, ok := strings.Cut(version, "/"); ok {
		id.group, id.version = group, v
	} else {
		id.version = version
	}
	id.kind, _ = object["kind"].(string)
	meta, _ := object["metadata"].(map[string]any)
	id.name, _ = meta["name"].(string)
	id.namespace, _ = meta["namespace"].(string)
	return id
}
