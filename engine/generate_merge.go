package engine

import (
	"encoding/base64"
	"maps"
	"reflect"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/holdfast-io/holdfast/engine/mutate"
)

// merge gives the current object with what is wanted of it put in. It is equal to the current one if nothing
// is to be done.
//
// Of an object that the rule spells out, only what the rule sets counts: what the API server or others put in
// besides is left alone. A copy is as its source in all fields, so that what is taken out of the source is
// taken out of the copy. Labels and annotations that others put on are left alone on both.
func (d *downstream) merge(current, wanted map[string]any, types *mutate.Schema) map[string]any {
	wanted = foldSecret(d.kind, wanted)
	if !d.copied { // a source is as it was stored, and may have fields that the type does not know yet
		if canonical, ok := types.Canonical(d.kind, wanted); ok {
			wanted, _ = asStored(wanted, canonical).(map[string]any)
		}
	}
	merged := maps.Clone(current)
	for key, value := range wanted {
		old, has := current[key]
		switch {
		case key == "apiVersion" || key == "kind" || key == "status" || (!has && isEmpty(value)):
		case key != "metadata" && d.copied:
			if !reflect.DeepEqual(old, value) {
				merged[key] = value
			}
		case isData(d.kind, key):
			merged[key] = overlay(old, value, whole)
		default:
			merged[key] = overlay(old, value, sortOf(key, value))
		}
	}
	if d.copied {
		maps.DeleteFunc(merged, func(key string, _ any) bool {
			_, wants := wanted[key]
			return !wants && key != "apiVersion" && key != "kind" && key != "status"
		})
	}
	return merged
}

// mapSort says what the keys of a map are, and so what it means that one is there or not.
type mapSort uint8

const (
	// fields are those of a type: the API server leaves empty ones out, and fills in others.
	fields mapSort = iota
	// entries are somebody's own, and others add theirs.
	entries
	// whole maps are entries to which neither the API server nor a controller adds: what is in one besides
	// what the rule sets is a change.
	whole
)

// sortOf tells the sort of a map by the field that holds it.
func sortOf(field string, value any) mapSort {
	switch field {
	case "labels", "annotations":
		return entries
	case "matchLabels", "nodeSelector", "hard":
		return whole
	case "selector": // of a Service: labels, and not a label selector
		m, _ := value.(map[string]any)
		for _, v := range m {
			if _, ok := v.(string); !ok {
				return fields
			}
		}
		return whole
	default:
		return fields
	}
}

// isData reports whether the field holds the entries of a ConfigMap or Secret.
func isData(kind schema.GroupVersionKind, key string) bool {
	return kind.Group == "" && (kind.Kind == "ConfigMap" || kind.Kind == "Secret") && (key == "data" || key == "binaryData")
}

// overlay puts a wanted value over the current one.
func overlay(current, wanted any, sort mapSort) any {
	switch wanted := wanted.(type) {
	case nil:
		return current // a null says nothing
	case map[string]any:
		if old, ok := current.(map[string]any); ok {
			return overlayMap(old, wanted, sort)
		}
	case []any:
		// Lists have no keys to go by: one that holds all that is wanted stays, any other is replaced.
		if old, ok := current.([]any); ok && covers(old, wanted) {
			return current
		}
	}
	return wanted
}

func overlayMap(current, wanted map[string]any, sort mapSort) map[string]any {
	out := maps.Clone(current)
	for key, value := range wanted {
		old, has := current[key]
		if sort == fields && !has && isEmpty(value) {
			continue
		}
		out[key] = overlay(old, value, sortOf(key, value))
	}
	if sort == whole {
		maps.DeleteFunc(out, func(key string, _ any) bool { _, wants := wanted[key]; return !wants })
	}
	return out
}

// covers reports whether each element has what is wanted of it.
func covers(current, wanted []any) bool {
	if len(current) != len(wanted) {
		return false
	}
	for i := range wanted {
		if !reflect.DeepEqual(overlay(current[i], wanted[i], fields), current[i]) {
			return false
		}
	}
	return true
}

// isEmpty reports whether the API server leaves such a value out of what it stores.
func isEmpty(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case string:
		return v == ""
	case map[string]any:
		return len(v) == 0
	case []any:
		return len(v) == 0
	default:
		return false
	}
}

// foldSecret writes the stringData of a Secret into data, as the API server does when it stores it.
func foldSecret(kind schema.GroupVersionKind, object map[string]any) map[string]any {
	plain, ok := object["stringData"].(map[string]any)
	if !ok || kind.Group != "" || kind.Kind != "Secret" {
		return object
	}
	given, _ := object["data"].(map[string]any)
	data := make(map[string]any, len(given)+len(plain))
	maps.Copy(data, given)
	for k, v := range plain {
		text, _ := v.(string)
		data[k] = base64.StdEncoding.EncodeToString([]byte(text))
	}
	out := maps.Clone(object)
	delete(out, "stringData")
	out["data"] = data
	return out
}

// asStored gives the parts of what is wanted as the API server stores them: numbers and quantities in its own
// spelling, without the zero values that it leaves out.
func asStored(wanted, canonical any) any {
	switch w := wanted.(type) {
	case map[string]any:
		c, ok := canonical.(map[string]any)
		if !ok {
			return canonical
		}
		out := make(map[string]any, len(w))
		for key, value := range w {
			if stored, has := c[key]; has {
				out[key] = asStored(value, stored)
			}
		}
		return out
	case []any:
		c, ok := canonical.([]any)
		if !ok || len(c) != len(w) {
			return canonical
		}
		out := make([]any, len(w))
		for i := range w {
			out[i] = asStored(w[i], c[i])
		}
		return out
	default:
		return canonical
	}
}
