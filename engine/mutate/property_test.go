package mutate

import (
	"fmt"
	"reflect"
	"sync"
	"testing"

	"pgregory.net/rapid"
)

// jsonValue draws any JSON value, as encoding/json would decode it.
func jsonValue(depth int) *rapid.Generator[any] {
	scalars := rapid.OneOf(
		rapid.Just[any](nil),
		rapid.Map(rapid.Bool(), func(b bool) any { return b }),
		rapid.Map(rapid.IntRange(-2, 2), func(i int) any { return float64(i) }),
		rapid.Map(rapid.SampledFrom([]string{"", "a", "b", "*", "(a)", "{{ a }}"}), func(s string) any { return s }),
	)
	if depth == 0 {
		return scalars
	}
	return rapid.OneOf(
		scalars,
		rapid.Map(rapid.SliceOfN(jsonValue(depth-1), 0, 4), func(l []any) any { return l }),
		rapid.Map(jsonObject(depth-1), func(m map[string]any) any { return m }),
	)
}

func jsonObject(depth int) *rapid.Generator[map[string]any] {
	return rapid.MapOfN(rapid.SampledFrom([]string{"a", "b", "c/d", "e~f", "name", "0", ""}), jsonValue(depth), 0, 4)
}

// workload draws a pod with what a strategic merge treats in different ways.
func workload(rt *rapid.T, label string) map[string]any {
	container := rapid.Custom(func(rt *rapid.T) any {
		c := map[string]any{"name": rapid.SampledFrom([]string{"a", "b", "c", "d"}).Draw(rt, "name")}
		for _, key := range []string{"image", "imagePullPolicy"} {
			if rapid.Bool().Draw(rt, key) {
				c[key] = rapid.SampledFrom([]string{"x:latest", "x:1", "z"}).Draw(rt, "value")
			}
		}
		if rapid.Bool().Draw(rt, "has env") {
			c["env"] = rapid.SliceOfN(rapid.Map(rapid.SampledFrom([]string{"A", "B", "C"}), func(s string) any {
				return map[string]any{"name": s, "value": s}
			}), 0, 3).Draw(rt, "env")
		}
		if rapid.Bool().Draw(rt, "has args") {
			c["args"] = jsonValue(1).Filter(func(v any) bool { _, ok := v.([]any); return ok }).Draw(rt, "args")
		}
		return c
	})
	spec := map[string]any{}
	if rapid.Bool().Draw(rt, "has containers") {
		spec["containers"] = rapid.SliceOfNDistinct(container, 0, 4, func(c any) string {
			return c.(map[string]any)["name"].(string)
		}).Draw(rt, "containers")
	}
	if rapid.Bool().Draw(rt, "has tolerations") {
		spec["tolerations"] = []any{map[string]any{"key": rapid.SampledFrom([]string{"s", "t"}).Draw(rt, "key")}}
	}
	if rapid.Bool().Draw(rt, "has affinity") {
		spec["affinity"] = jsonObject(2).Draw(rt, "affinity")
	}
	metadata := map[string]any{}
	if rapid.Bool().Draw(rt, "has finalizers") {
		metadata["finalizers"] = rapid.SliceOfNDistinct(rapid.Map(rapid.SampledFrom([]string{"f", "g", "h"}), func(s string) any { return s }),
			0, 3, func(v any) string { return v.(string) }).Draw(rt, "finalizers")
	}
	if rapid.Bool().Draw(rt, "has labels") {
		metadata["labels"] = map[string]any{"a": rapid.SampledFrom([]any{"x", "z", nil}).Draw(rt, label)}
	}
	return map[string]any{"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}
}

func TestPropertyDiffThenApplyIsTheOtherObject(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		before, after := jsonObject(3).Draw(rt, "before"), jsonObject(3).Draw(rt, "after")
		a, b := deepCopy(t, before), deepCopy(t, after)
		checkRoundTrip(t, before, after)
		if !reflect.DeepEqual(any(before), a) || !reflect.DeepEqual(any(after), b) {
			rt.Fatal("Diff or ApplyPatch changed its input")
		}
		first, _ := Diff(before, after)
		second, _ := Diff(before, after)
		if text(t, first) != text(t, second) {
			rt.Fatalf("two answers:\n%s\n%s", text(t, first), text(t, second))
		}
	})
}

// A patch without anchors and lists to be replaced wants one state of the object: applied twice it does
// no more than once, and what it wants is in the object.
func TestPropertyAPlainPatchIsIdempotent(t *testing.T) {
	s := newSchema(t)
	rapid.Check(t, func(rt *rapid.T) {
		obj, patch := workload(rt, "object"), workload(rt, "patch")
		stripText(patch)
		p, err := CompileStrategic(patch, Options{Schema: s})
		if err != nil {
			rt.Fatal(err)
		}
		once := run(t, p, nil, obj)
		if once.Outcome == Error {
			return // the two have different kinds of value somewhere
		}
		if twice := run(t, p, nil, once.Object); twice.Outcome != Unchanged {
			rt.Fatalf("twice gives %s %v\nobject %s\npatch %s\nonce %s\ntwice %s", twice.Outcome, twice.Err,
				text(t, obj), text(t, patch), text(t, once.Object), text(t, twice.Object))
		}
		ops, err := Diff(obj, once.Object)
		if err != nil {
			rt.Fatal(err)
		}
		back, err := ApplyPatch(obj, ops)
		if err != nil || !equal(back, once.Object) {
			rt.Fatalf("the difference %s does not lead to %s: %v", text(t, ops), text(t, once.Object), err)
		}
	})
}

// stripText takes out the texts that mean something in a patch.
func stripText(v any) {
	switch v := v.(type) {
	case map[string]any:
		for k, item := range v {
			if s, ok := item.(string); ok && s == "{{ a }}" {
				v[k] = "text"
			}
			stripText(item)
		}
	case []any:
		for i, item := range v {
			if s, ok := item.(string); ok && s == "{{ a }}" {
				v[i] = "text"
			}
			stripText(item)
		}
	}
}

// Adding what is absent leaves everything that is there as it is.
func TestPropertyAddIfAbsentChangesNothingThatIsThere(t *testing.T) {
	s := newSchema(t)
	p, err := CompileStrategic(value(t, `
metadata: {labels: {+(a): new, +(b): new}}
spec:
  +(affinity): {x: new}
  containers: [{(name): "*", +(image): new, +(args): [new]}]
`), Options{Schema: s})
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(rt *rapid.T) {
		obj := workload(rt, "object")
		res := run(t, p, nil, obj)
		ops, err := Diff(obj, res.Object)
		if err != nil {
			rt.Fatal(err)
		}
		for _, op := range ops {
			if op.Op != "add" {
				rt.Fatalf("%s of %s", text(t, op), text(t, obj))
			}
		}
		if res = run(t, p, nil, res.Object); res.Outcome != Unchanged {
			rt.Fatalf("twice: %s", res.Outcome)
		}
	})
}

// Operations by Kyverno's rules never change what they are given, and all or none apply.
func TestPropertyOperationsLeaveTheirInputAlone(t *testing.T) {
	paths := rapid.SampledFrom([]string{"/a", "/a/0", "/a/-", "/a/-1", "/b/c~1d", "/b/name", "/name", "/0/x", "/a/2/b", "/c~1d/e~0f"})
	rapid.Check(t, func(rt *rapid.T) {
		obj := jsonObject(3).Draw(rt, "object")
		var ops []map[string]any
		for i := range rapid.IntRange(1, 5).Draw(rt, "count") {
			ops = append(ops, map[string]any{
				"op":    rapid.SampledFrom([]string{"add", "remove", "replace", "move", "copy", "test"}).Draw(rt, fmt.Sprint("op", i)),
				"path":  paths.Draw(rt, "path"),
				"from":  paths.Draw(rt, "from"),
				"value": jsonValue(1).Filter(func(v any) bool { return text(t, v) == text(t, plainOnly(v)) }).Draw(rt, "value"),
			})
		}
		p, err := CompileJSON6902(text(t, ops), Options{})
		if err != nil {
			rt.Fatalf("%v in %s", err, text(t, ops))
		}
		res := run(t, p, nil, obj)
		if res.Outcome == Applied {
			checkRoundTrip(t, obj, res.Object)
		}
	})
}

// plainOnly gives a value without variables back, and null for any other.
func plainOnly(v any) any {
	switch v := v.(type) {
	case string:
		if v == "{{ a }}" {
			return nil
		}
	case []any:
		for _, item := range v {
			if item == "{{ a }}" {
				return nil
			}
		}
	case map[string]any:
		for _, item := range v {
			if item == "{{ a }}" {
				return nil
			}
		}
	}
	return v
}

func TestPatchesMayBeSharedBetweenGoroutines(t *testing.T) {
	s := newSchema(t)
	patches := []applier{}
	strategic, err := CompileStrategic(value(t, `
metadata: {labels: {a: "{{ request.object.metadata.name }}", b: {c: [1]}}}
spec: {containers: [{(image): "*:latest", imagePullPolicy: Always, env: [{name: X, value: "1"}]}, {name: log, args: [x]}]}
`), Options{Schema: s, Self: self})
	if err != nil {
		t.Fatal(err)
	}
	operations, err := CompileJSON6902("- {op: add, path: /spec/x, value: {a: [1]}}\n- {op: add, path: /spec/x/a/-, value: {{ request.object.metadata.name }}}\n", Options{Self: self})
	if err != nil {
		t.Fatal(err)
	}
	patches = append(patches, strategic, operations)
	obj := object(t, pod)
	want := make([]string, len(patches))
	for i, p := range patches {
		want[i] = text(t, p.Apply(requestEnv(t, obj, ""), target(obj)).Object)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				for i, p := range patches {
					if got := text(t, p.Apply(requestEnv(t, obj, ""), target(obj)).Object); got != want[i] {
						t.Errorf("got %s, want %s", got, want[i])
					}
				}
			}
		})
	}
	wg.Wait()
}
