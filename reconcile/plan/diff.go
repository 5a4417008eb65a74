package plan

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/holdfast-io/holdfast/api/v1alpha1"
	"github.com/holdfast-io/holdfast/engine/mutate"
)

const (
	// maxDiffLines is how many fields a diff shows: more nobody reads, and the patch has them all.
	maxDiffLines = 60
	// maxShown is how long a value is shown: a line on a screen.
	maxShown = 160
	redacted = "[redacted]"
)

// lastApplied is the annotation in which kubectl keeps the whole object, values of a Secret included.
const lastApplied = "kubectl.kubernetes.io/last-applied-configuration"

// diff says what a patch changes, for people: a line with - for what goes and one with + for what comes, with the place in
// front. Values of a Secret are not shown.
func diff(ops []mutate.Operation, before map[string]any, secret bool) string {
	var b strings.Builder
	var now any
	if before != nil {
		now = before
	}
	for i, op := range ops {
		if i == maxDiffLines {
			fmt.Fprintf(&b, "  ... and %d more\n", len(ops)-i)
			break
		}
		place := op.Path
		if place == "" {
			place = "/"
		}
		if old, ok := valueAt(now, op.Path); ok && op.Op != "add" {
			fmt.Fprintf(&b, "- %s: %s\n", place, shown(old, op.Path, secret))
		}
		if op.Op != "remove" {
			fmt.Fprintf(&b, "+ %s: %s\n", place, shown(op.Value, op.Path, secret))
		}
		if object, ok := now.(map[string]any); ok && op.Path != "" {
			if next, err := mutate.ApplyPatch(object, []mutate.Operation{op}); err == nil {
				now = next
			}
		}
	}
	return cut(b.String(), v1alpha1.MaxDiffBytes)
}

// shown writes a value on one line.
func shown(v any, path string, secret bool) string {
	if secret {
		v = hidden(strings.Split(strings.TrimPrefix(path, "/"), "/"), v)
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return err.Error()
	}
	return cut(strings.TrimSuffix(b.String(), "\n"), maxShown)
}

// hidden takes the values out of what stands at a path in a Secret.
func hidden(path []string, v any) any {
	if holdsValue(path) {
		switch v := v.(type) {
		case map[string]any: // the keys are no secret
			out := make(map[string]any, len(v))
			for k := range v {
				out[k] = redacted
			}
			return out
		case nil:
			return nil
		default:
			return redacted
		}
	}
	m, ok := v.(map[string]any)
	if !ok {
		return v
	}
	out := make(map[string]any, len(m))
	for k, item := range m {
		at := append(append([]string{}, path...), escaped(k))
		if len(path) == 1 && path[0] == "" {
			at = at[1:]
		}
		out[k] = hidden(at, item)
	}
	return out
}

// holdsValue reports whether a place in a Secret holds values of it.
func holdsValue(path []string) bool {
	return path[0] == "data" || path[0] == "stringData" || path[len(path)-1] == escaped(lastApplied)
}

// tellsSecret reports whether a patch of a Secret holds values of it. What is put whole in the place of metadata or of
// annotations may.
func tellsSecret(ops []mutate.Operation) bool {
	for _, op := range ops {
		path := strings.Split(strings.TrimPrefix(op.Path, "/"), "/")
		if path[0] != "metadata" && path[0] != "type" && path[0] != "immutable" {
			return true
		}
		if holdsValue(path) {
			return true
		}
		if m, ok := op.Value.(map[string]any); ok {
			if _, tells := m[lastApplied]; tells || len(path) < 2 {
				return true
			}
		}
	}
	return false
}

func escaped(key string) string {
	return strings.ReplaceAll(strings.ReplaceAll(key, "~", "~0"), "/", "~1")
}

// valueAt follows a JSON pointer.
func valueAt(doc any, pointer string) (any, bool) {
	if pointer == "" {
		return doc, doc != nil
	}
	for step := range strings.SplitSeq(strings.TrimPrefix(pointer, "/"), "/") {
		switch v := doc.(type) {
		case map[string]any:
			value, ok := v[strings.ReplaceAll(strings.ReplaceAll(step, "~1", "/"), "~0", "~")]
			if !ok {
				return nil, false
			}
			doc = value
		case []any:
			i, err := strconv.Atoi(step)
			if err != nil || i < 0 || i >= len(v) {
				return nil, false
			}
			doc = v[i]
		default:
			return nil, false
		}
	}
	return doc, true
}
