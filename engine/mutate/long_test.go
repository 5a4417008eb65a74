package mutate

import (
	"errors"
	"fmt"
	"testing"
)

// Lists long enough to be indexed are merged as short ones are: by comparing each with each.
func TestLongListsAreMergedLikeShortOnes(t *testing.T) {
	s := newSchema(t)
	const n = 120
	var have, want, patch []any
	for i := range n {
		name := fmt.Sprint("c", i)
		have = append(have, map[string]any{"name": name, "x": "old"})
		switch i % 3 {
		case 0:
			patch = append(patch, map[string]any{"name": name, "x": "new"})
			want = append(want, map[string]any{"name": name, "x": "new"})
		case 1:
			patch = append(patch, map[string]any{"name": name, "$patch": "delete"})
		default:
			want = append(want, map[string]any{"name": name, "x": "old"})
		}
	}
	patch = append(patch, map[string]any{"name": "fresh", "x": "1"}, map[string]any{"name": "fresh", "z": "2"}, map[string]any{"name": "c1", "x": "again"})
	front := []any{map[string]any{"name": "fresh", "x": "1", "z": "2"}, map[string]any{"name": "c1", "x": "again"}}
	want = append(front, want...)

	p, err := CompileStrategic(map[string]any{"spec": map[string]any{"containers": patch}}, Options{Schema: s})
	if err != nil {
		t.Fatal(err)
	}
	obj := map[string]any{"apiVersion": "v1", "kind": "Pod", "spec": map[string]any{"containers": append(have, "no object")}}
	res := run(t, p, nil, obj)
	got := res.Object["spec"].(map[string]any)["containers"]
	if want = append(want, "no object"); text(t, got) != text(t, want) {
		t.Errorf("\n got %s\nwant %s", text(t, got), text(t, want))
	}
}

func TestLongSetsAreMergedLikeShortOnes(t *testing.T) {
	var have, patch []any
	for i := range 120 {
		have = append(have, fmt.Sprint("f", i))
		patch = append(patch, fmt.Sprint("f", i+1))
	}
	p, err := CompileStrategic(map[string]any{"metadata": map[string]any{"finalizers": append(patch, "f120")}}, Options{Schema: newSchema(t)})
	if err != nil {
		t.Fatal(err)
	}
	obj := map[string]any{"apiVersion": "v1", "kind": "Pod", "metadata": map[string]any{"finalizers": have}}
	res := run(t, p, nil, obj)
	checkChanges(t, obj, res.Object, `[{op: add, path: /metadata/finalizers/0, value: f120}]`)
}

func TestErrorsCanBeTakenApart(t *testing.T) {
	p, err := CompileStrategic(value(t, `{spec: {tolerations: [{key: a, $patch: delete}]}}`), Options{Schema: newSchema(t)})
	if err != nil {
		t.Fatal(err)
	}
	if res := run(t, p, nil, object(t, pod)); !errors.Is(res.Err, errNoKey) {
		t.Errorf("got %v", res.Err)
	}
}
