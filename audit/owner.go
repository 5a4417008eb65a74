package audit

import (
	"encoding/json"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/holdfast-io/holdfast/engine"
)

// ownership is an entry of managedFields, and how much of a path it owns.
// Source: https://kubernetes.io/docs/reference/using-api/server-side-apply/#field-management
type ownership struct {
	manager, subresource, time string
	operation                  engine.Operation
	// depth is how many steps of the path it owns, and whole says that these are all.
	depth int
	whole bool
}

// write is what the entry tells of the write.
func (o *ownership) write() Write {
	at, _ := time.Parse(time.RFC3339, o.time) // an entry without a time tells none
	return Write{Manager: o.manager, Subresource: o.subresource, Operation: o.operation, Time: at}
}

// owners finds in managedFields who wrote the part of the object at the path, which is one of a decision; and the newest
// entry that is not of the status. A part that is missing has no owner: then whole is false, and it is whoever owns most
// of the way there.
func owners(object map[string]any, path string) (of, newest ownership) {
	meta, _ := object["metadata"].(map[string]any)
	entries, _ := meta["managedFields"].([]any)
	created, _ := meta["creationTimestamp"].(string)
	steps := stepsOf(object, path)
	for _, e := range entries {
		entry, _ := e.(map[string]any)
		o := ownership{operation: engine.Update}
		o.manager, _ = entry["manager"].(string)
		o.subresource, _ = entry["subresource"].(string)
		o.time, _ = entry["time"].(string)
		if o.time != "" && o.time == created {
			o.operation = engine.Create // within the second, so that it may have been an update
		}
		fields, _ := entry["fieldsV1"].(map[string]any)
		o.depth, o.whole = owned(fields, steps)
		if o.subresource != "status" && o.time > newest.time {
			newest = o
		}
		if o.closer(&of) {
			of = o
		}
	}
	return of, newest
}

// closer reports whether the entry owns more of the path than the other, or wrote it later.
func (o *ownership) closer(other *ownership) bool {
	switch {
	case o.whole != other.whole:
		return o.whole
	case o.depth != other.depth:
		return o.depth > other.depth
	default:
		return o.depth > 0 && o.time > other.time
	}
}

// step is one step of a path: the key of a map, or an item of a list.
type step struct {
	key   string
	index int
	item  any // nil for a key
}

// stepsOf takes a path apart, as far as it leads into the object, and one step further. Paths of patterns have keys with
// slashes in them as they are, patches have them escaped.
func stepsOf(object map[string]any, path string) []step {
	path = strings.Trim(path, "/")
	if path == "" {
		return nil
	}
	var steps []step
	var at any = object
	words := strings.Split(path, "/")
	for len(words) > 0 {
		switch value := at.(type) {
		case map[string]any:
			key, used := keyIn(value, words)
			steps = append(steps, step{key: key})
			at, words = value[key], words[used:]
		case []any:
			i, err := strconv.Atoi(words[0])
			if err != nil || i < 0 || i >= len(value) {
				return steps
			}
			steps = append(steps, step{index: i, item: value[i]})
			at, words = value[i], words[1:]
		default:
			return steps
		}
	}
	return steps
}

// keyIn finds the key that the words begin with; one word where none is there.
func keyIn(value map[string]any, words []string) (key string, used int) {
	for n := 1; n <= len(words); n++ {
		key := unescaped(strings.Join(words[:n], "/"))
		if _, ok := value[key]; ok {
			return key, n
		}
	}
	return unescaped(words[0]), 1
}

func unescaped(key string) string {
	if !strings.Contains(key, "~") {
		return key
	}
	return strings.ReplaceAll(strings.ReplaceAll(key, "~1", "/"), "~0", "~")
}

// owned is how many of the steps the fields own, and whether all. What is owned as one, such as an atomic list, is owned
// to its end.
func owned(fields map[string]any, steps []step) (depth int, whole bool) {
	if len(steps) == 0 || fields == nil {
		return 0, false
	}
	for i := range steps {
		below, ok := steps[i].in(fields)
		if !ok {
			return i, false
		}
		if len(below) == 0 {
			return len(steps), true
		}
		fields = below
	}
	return len(steps), true
}

// in finds the step in a set of fields: "f:" and a key, or for an item of a list "k:" and its keys, "v:" and its value,
// or "i:" and its place.
func (s *step) in(fields map[string]any) (map[string]any, bool) {
	if s.item == nil {
		below, ok := fields["f:"+s.key].(map[string]any)
		return below, ok
	}
	if below, ok := fields["i:"+strconv.Itoa(s.index)].(map[string]any); ok {
		return below, true
	}
	for name, below := range fields { // one at most is the item
		kind, text, _ := strings.Cut(name, ":")
		var value any
		if (kind != "k" && kind != "v") || json.Unmarshal([]byte(text), &value) != nil || !s.is(kind, value) {
			continue
		}
		below, ok := below.(map[string]any)
		return below, ok
	}
	return nil, false
}

// is reports whether the item is the one with these keys, or this value.
func (s *step) is(kind string, value any) bool {
	if kind == "v" {
		return sameJSON(s.item, value)
	}
	item, isMap := s.item.(map[string]any)
	keys, ok := value.(map[string]any)
	if !isMap || !ok {
		return false
	}
	for k, v := range keys {
		if !sameJSON(item[k], v) {
			return false
		}
	}
	return true
}

// sameJSON compares scalars that two decoders have read.
func sameJSON(a, b any) bool {
	if i, ok := a.(int64); ok {
		a = float64(i)
	}
	return reflect.DeepEqual(a, b)
}
