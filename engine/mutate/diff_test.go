package mutate

import (
	"fmt"
	"testing"
)

func TestDiff(t *testing.T) {
	for name, c := range map[string]struct{ before, after, want string }{
		"equal objects":       {`{a: {b: [1, {c: null}]}}`, `{a: {b: [1, {c: null}]}}`, ``},
		"keys are in order":   {`{b: 1, d: 1, e: 1}`, `{a: 1, c: 1, d: 2, e: 1}`, `[{op: add, path: /a, value: 1}, {op: remove, path: /b}, {op: add, path: /c, value: 1}, {op: replace, path: /d, value: 2}]`},
		"keys are escaped":    {`{m: {a/b: 1, c~d: 1}}`, `{m: {a/b: 2, c~d: 2}}`, `[{op: replace, path: /m/a~1b, value: 2}, {op: replace, path: /m/c~0d, value: 2}]`},
		"null is a value":     {`{a: null, b: 1, c: 1}`, `{a: 1, b: null}`, `[{op: replace, path: /a, value: 1}, {op: replace, path: /b, value: null}, {op: remove, path: /c}]`},
		"null is not missing": {`{}`, `{a: null}`, `[{op: add, path: /a, value: null}]`},
		"another kind is a replacement": {`{a: {b: 1}, c: [1], d: 1}`, `{a: [1], c: 1, d: {e: 1}}`,
			`[{op: replace, path: /a, value: [1]}, {op: replace, path: /c, value: 1}, {op: replace, path: /d, value: {e: 1}}]`},
		"objects are never replaced whole": {`{a: {x: 1, z: 2}}`, `{a: {b: 1}}`, `[{op: add, path: /a/b, value: 1}, {op: remove, path: /a/x}, {op: remove, path: /a/z}]`},
		"an element is added in front":     {`{l: [b, c]}`, `{l: [a, b, c]}`, `[{op: add, path: /l/0, value: a}]`},
		"an element is added at the end":   {`{l: [a, b]}`, `{l: [a, b, c]}`, `[{op: add, path: /l/2, value: c}]`},
		"an element is taken out":          {`{l: [a, b, c]}`, `{l: [a, c]}`, `[{op: remove, path: /l/1}]`},
		"all are taken out":                {`{l: [a, b]}`, `{l: []}`, `[{op: remove, path: /l/0}, {op: remove, path: /l/0}]`},
		"an element becomes another":       {`{l: [a, b, c]}`, `{l: [a, x, c]}`, `[{op: replace, path: /l/1, value: x}]`},
		"several at a time": {`{l: [a, b, c, d, e]}`, `{l: [x, b, d, new, e, f]}`,
			`[{op: replace, path: /l/0, value: x}, {op: remove, path: /l/2}, {op: add, path: /l/3, value: new}, {op: add, path: /l/5, value: f}]`},
		"an element moves": {`{l: [a, b, c]}`, `{l: [b, c, a]}`, `[{op: remove, path: /l/0}, {op: add, path: /l/2, value: a}]`},
		"a field of an element": {`{l: [{name: a, x: 1}, {name: b, x: 1}]}`, `{l: [{name: a, x: 1}, {name: b, x: 2}]}`,
			`[{op: replace, path: /l/1/x, value: 2}]`},
		"fields of elements that others came before": {`{l: [{name: a, x: 1}, {name: b, x: 1}]}`, `{l: [{name: "0"}, {name: a, x: 2}, {name: b, x: 2}]}`,
			`[{op: add, path: /l/0, value: {name: "0"}}, {op: replace, path: /l/1/x, value: 2}, {op: replace, path: /l/2/x, value: 2}]`},
		"elements that go by something else": {`{l: [{containerPort: 1, x: a}, {containerPort: 2, x: a}]}`, `{l: [{containerPort: 2, x: b}]}`,
			`[{op: remove, path: /l/0}, {op: replace, path: /l/0/x, value: b}]`},
		"an element that is the same goes before one of the same name": {`{l: [{key: a, x: 1}]}`, `{l: [{key: a, x: 2}, {key: a, x: 1}]}`,
			`[{op: add, path: /l/0, value: {key: a, x: 2}}]`},
		"elements without a name, by field if that is shorter": {
			`{l: [{text: a long one that is not repeated, x: 1}]}`, `{l: [{text: a long one that is not repeated, x: 2}]}`,
			`[{op: replace, path: /l/0/x, value: 2}]`},
		"else whole":     {`{l: [{a: 1, b: 2, c: 3}]}`, `{l: [{d: 4}]}`, `[{op: replace, path: /l/0, value: {d: 4}}]`},
		"lists in lists": {`{l: [[1, 2], [3]]}`, `{l: [[1, 2], [3, 4]]}`, `[{op: add, path: /l/1/1, value: 4}]`},
	} {
		t.Run(name, func(t *testing.T) {
			before, after := object(t, c.before), object(t, c.after)
			checkChanges(t, before, after, c.want)
			checkRoundTrip(t, before, after)
		})
	}
}

func TestDiffOfLongLists(t *testing.T) {
	// Every one of 10,000 elements changes, and one comes in front: still one operation each.
	var before, after []any
	after = append(after, map[string]any{"name": "front"})
	for i := range 10_000 {
		name := fmt.Sprintf("c%d", i)
		before = append(before, map[string]any{"name": name})
		after = append(after, map[string]any{"name": name, "x": true})
	}
	a, b := map[string]any{"l": before}, map[string]any{"l": after}
	ops, err := Diff(a, b)
	if err != nil || len(ops) != 10_001 {
		t.Fatalf("%d operations, %v", len(ops), err)
	}
	if ops[0].Path != "/l/0" || ops[10_000].Path != "/l/10000/x" {
		t.Errorf("from %s to %s", ops[0].Path, ops[10_000].Path)
	}
	// And where nothing is like anything else, the patch is still right.
	for i := range before[:600] {
		before[i] = float64(i)
		after[i+1] = float64(-i - 1)
	}
	checkRoundTrip(t, map[string]any{"l": before[:600]}, map[string]any{"l": after[:601]})
}

func TestDiffRefusesWhatIsNotJSON(t *testing.T) {
	type other struct{}
	good := map[string]any{"a": map[string]any{"b": []any{1.0}}}
	for name, c := range map[string]struct {
		before, after map[string]any
		want          string
	}{
		"added":           {map[string]any{}, map[string]any{"x": []any{other{}}}, "comparing two objects: /x: 0: a value of Go type mutate.other is not JSON"},
		"replaced by":     {good, map[string]any{"a": map[string]any{"c": other{}}}, "comparing two objects: /a/c: a value of Go type mutate.other is not JSON"},
		"replaced":        {map[string]any{"a": other{}}, good, "comparing two objects: /a: a value of Go type mutate.other is not JSON"},
		"in a list":       {good, map[string]any{"a": map[string]any{"b": []any{1.0, other{}}}}, "comparing two objects: /a/b/1: a value of Go type mutate.other is not JSON"},
		"inside an added": {good, map[string]any{"a": map[string]any{"b": []any{1.0}, "m": map[string]any{"k": other{}}}}, "comparing two objects: /a/m: k: a value of Go type mutate.other is not JSON"},
	} {
		t.Run(name, func(t *testing.T) {
			if ops, err := Diff(c.before, c.after); errorText(err) != c.want {
				t.Errorf("got %v, %v\nwant %s", ops, err, c.want)
			}
		})
	}
}

func checkRoundTrip(t testing.TB, before, after map[string]any) {
	t.Helper()
	ops, err := Diff(before, after)
	if err != nil {
		t.Fatal(err)
	}
	got, err := ApplyPatch(before, ops)
	if err != nil {
		t.Fatalf("%v in %s", err, text(t, ops))
	}
	if text(t, got) != text(t, after) {
		t.Fatalf("the patch %s\nof %s\ngives %s\n not  %s", text(t, ops), text(t, before), text(t, got), text(t, after))
	}
	if equal(before, after) != (len(ops) == 0) {
		t.Fatalf("%d operations between objects that are equal: %t", len(ops), equal(before, after))
	}
}
