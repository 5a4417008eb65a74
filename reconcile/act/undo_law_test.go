package act

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"github.com/holdfast-io/holdfast/engine/mutate"
)

// workload draws an object with what patches go into: maps, lists of named elements, lists of plain values.
func workload(t *rapid.T, label string) map[string]any {
	word := rapid.SampledFrom([]string{"a", "b", "c"})
	labels := map[string]any{}
	for _, key := range []string{"team", "tier/x", "env~y"} {
		if rapid.Bool().Draw(t, label+" has label "+key) {
			labels[key] = word.Draw(t, label+" label "+key)
		}
	}
	containers := []any{}
	for _, name := range []string{"web", "proxy", "log"} {
		if !rapid.Bool().Draw(t, label+" has container "+name) {
			continue
		}
		c := map[string]any{"name": name, "image": word.Draw(t, label+" image of "+name)}
		if rapid.Bool().Draw(t, label+" secures "+name) {
			c["securityContext"] = map[string]any{"privileged": rapid.Bool().Draw(t, label+" privileges "+name)}
		}
		var args []any
		for i := range rapid.IntRange(0, 2).Draw(t, label+" args of "+name) {
			args = append(args, word.Draw(t, fmt.Sprint(label, " arg ", name, i)))
		}
		if args != nil {
			c["args"] = args
		}
		containers = append(containers, c)
	}
	out := map[string]any{"metadata": map[string]any{"name": "w", "labels": labels}, "spec": map[string]any{"replicas": 3.0, "containers": containers}}
	if len(labels) == 0 {
		delete(out["metadata"].(map[string]any), "labels")
	}
	return out
}

func diff(t *rapid.T, before, after map[string]any) []mutate.Operation {
	ops, err := mutate.Diff(before, after)
	if err != nil {
		t.Fatal(err)
	}
	return ops
}

func apply(t *rapid.T, object map[string]any, ops []mutate.Operation) map[string]any {
	out, err := mutate.ApplyPatch(object, ops)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func mark(t *rapid.T, object map[string]any, ops []mutate.Operation) string {
	out, err := fingerprint(object, ops)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// leaves lists what is in a value by path; elements of a list that have a name go by it, and others are a part of their list.
func leaves(v any, path string, out map[string]any) {
	switch v := v.(type) {
	case map[string]any:
		for key, item := range v {
			leaves(item, path+"/"+key, out)
		}
	case []any:
		for _, item := range v {
			element, _ := item.(map[string]any)
			name, ok := element["name"].(string)
			if !ok {
				raw, _ := json.Marshal(v)
				out[path] = string(raw)
				return
			}
			leaves(item, path+"/"+name, out)
		}
	default:
		out[path] = v
	}
}

// Where nobody has written since, the way back leads to the very object that there was.
func TestPropertyThereAndBackIsTheSame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		before, after := workload(t, "before"), workload(t, "after")
		there, back := diff(t, before, after), diff(t, after, before)
		changed := apply(t, before, there)
		if mark(t, changed, there) != mark(t, after, there) {
			t.Error("the same object has two fingerprints")
		}
		if got := apply(t, changed, back); !reflect.DeepEqual(got, before) {
			t.Errorf("got %v, want %v", got, before)
		}
		if len(there) > 0 && !holds(changed, there) {
			t.Errorf("what was done is not seen: %v", departures(changed, there))
		}
	})
}

// Whatever others write in between: either the way back is refused, or everything that they wrote is there after it.
func TestPropertyTheWayBackOverwritesNobody(t *testing.T) {
	refused, gone := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		before := workload(t, "before")
		after := workload(t, "after")
		if rapid.Bool().Draw(t, "little is changed") {
			after = apply(t, before, diff(t, before, after)[:min(1, len(diff(t, before, after)))])
		}
		there, back := diff(t, before, after), diff(t, after, before)
		others := workload(t, "others")
		if rapid.Bool().Draw(t, "others change little") {
			others = apply(t, after, diff(t, after, others)[:min(1, len(diff(t, after, others)))])
		}
		free, err := returns(others, there, back, mark(t, after, there))
		if err != nil {
			t.Fatal(err)
		}
		if !free {
			refused++
			return
		}
		gone++
		got := apply(t, others, back)
		was, theirs, is := map[string]any{}, map[string]any{}, map[string]any{}
		leaves(after, "", was)
		leaves(others, "", theirs)
		leaves(got, "", is)
		paths := maps.Clone(was)
		maps.Copy(paths, theirs)
		for path := range paths {
			if !reflect.DeepEqual(was[path], theirs[path]) && !reflect.DeepEqual(theirs[path], is[path]) {
				t.Errorf("%s: others made %v of %v, and it became %v\nthere %v\nback %v", path, theirs[path], was[path], is[path], there, back)
			}
		}
	})
	if refused == 0 || gone == 0 {
		t.Errorf("%d were refused and %d not: the law is not tried", refused, gone)
	}
}
