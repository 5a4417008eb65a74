package manifest

import (
	"encoding/json"
	"strconv"
	"strings"
)

// items unfolds `kind: List` and the typed lists of the API (PodList). Items of a typed list may leave out
// what the list says of them all.
func (d *Document) items() ([]any, bool) {
	name, isList := strings.CutSuffix(d.Kind(), "List")
	if !isList || d.APIVersion() == "" {
		return nil, false
	}
	raw, present := d.Object["items"]
	items, ok := raw.([]any)
	if !ok && (name != "" || (present && raw != nil)) {
		return nil, false // an object whose kind happens to end so
	}
	if _, ok := d.Object["spec"]; ok {
		return nil, false
	}
	for _, item := range items {
		object, ok := item.(map[string]any)
		if !ok || name == "" {
			continue
		}
		if _, ok := object["kind"]; !ok {
			object["kind"] = name
		}
		if _, ok := object["apiVersion"]; !ok {
			object["apiVersion"] = d.APIVersion()
		}
	}
	return items, true
}

func jsonSize(value any) int {
	raw, err := json.Marshal(value)
	if err != nil {
		return 0 // what came from JSON goes back to it
	}
	return len(raw)
}

func quote(s string) string { return strconv.Quote(s) }
