package mutate

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
)

func TestApplyPatch(t *testing.T) {
	const doc = `{a: {b: [1, 2, {c: d}], e: null}, f: text}`
	for name, c := range map[string]struct {
		ops  []Operation
		want string
		err  string
	}{
		"no operations":            {nil, `{a: {b: [1, 2, {c: d}], e: null}, f: text}`, ""},
		"add":                      {[]Operation{{Op: "add", Path: "/a/b/2/x", Value: 1.0}}, `{a: {b: [1, 2, {c: d, x: 1}], e: null}, f: text}`, ""},
		"add to a list":            {[]Operation{{Op: "add", Path: "/a/b/1", Value: "x"}, {Op: "add", Path: "/a/b/-", Value: "z"}}, `{a: {b: [1, x, 2, {c: d}, z], e: null}, f: text}`, ""},
		"remove":                   {[]Operation{{Op: "remove", Path: "/a/b/0"}, {Op: "remove", Path: "/a/e"}}, `{a: {b: [2, {c: d}]}, f: text}`, ""},
		"replace":                  {[]Operation{{Op: "replace", Path: "/f", Value: nil}}, `{a: {b: [1, 2, {c: d}], e: null}, f: null}`, ""},
		"replace the whole":        {[]Operation{{Op: "replace", Path: "", Value: map[string]any{"x": 1.0}}}, `{x: 1}`, ""},
		"move":                     {[]Operation{{Op: "move", From: "/a/b/2", Path: "/a/b/0"}}, `{a: {b: [{c: d}, 1, 2], e: null}, f: text}`, ""},
		"copy":                     {[]Operation{{Op: "copy", From: "", Path: "/g"}}, `{a: {b: [1, 2, {c: d}], e: null}, f: text, g: {a: {b: [1, 2, {c: d}], e: null}, f: text}}`, ""},
		"test":                     {[]Operation{{Op: "test", Path: "/a/e", Value: nil}, {Op: "test", Path: "/a/b/0", Value: 1}}, doc, ""},
		"a root that is no object": {[]Operation{{Op: "replace", Path: "", Value: []any{}}}, "", "operation 0 (replace ): the result is no object"},
		"parents are not made":     {[]Operation{{Op: "add", Path: "/x/y", Value: 1.0}}, "", "operation 0 (add /x/y): the object has no such field: x"},
		"null is no parent":        {[]Operation{{Op: "add", Path: "/a/e/y", Value: 1.0}}, "", "operation 0 (add /a/e/y): the object has no such field: e"},
		"remove what is missing":   {[]Operation{{Op: "remove", Path: "/f"}, {Op: "remove", Path: "/f"}}, "", "operation 1 (remove /f): the object has no such field: f"},
		"remove inside a scalar":   {[]Operation{{Op: "remove", Path: "/f/x"}}, "", "operation 0 (remove /f/x): x lies inside a string"},
		"remove the whole":         {[]Operation{{Op: "remove"}}, "", "operation 0 (remove ): the whole document cannot be removed"},
		"no index from the end":    {[]Operation{{Op: "remove", Path: "/a/b/-1"}}, "", "operation 0 (remove /a/b/-1): -1 is no index of the list, which has 3 elements"},
		"test what is missing":     {[]Operation{{Op: "test", Path: "/x"}}, "", "operation 0 (test /x): the object has no such field: x"},
		"get inside a scalar":      {[]Operation{{Op: "copy", From: "/f/x", Path: "/y"}}, "", "operation 0 (copy /y): from: x lies inside a string"},
		"an unknown operation":     {[]Operation{{Op: "drop", Path: "/x"}}, "", `operation 0 (drop /x): unknown operation "drop": expected add, remove, replace, move, copy or test`},
		"a bad path":               {[]Operation{{Op: "remove", Path: "x"}}, "", `operation 0 (remove x): path: "x" does not begin with a slash`},
		"a bad from":               {[]Operation{{Op: "move", From: "x", Path: "/x"}}, "", `operation 0 (move /x): from: "x" does not begin with a slash`},
	} {
		t.Run(name, func(t *testing.T) {
			obj := object(t, doc)
			before := deepCopy(t, obj)
			got, err := ApplyPatch(obj, c.ops)
			if !reflect.DeepEqual(any(obj), before) {
				t.Fatal("the input was changed")
			}
			if errorText(err) != c.err {
				t.Fatalf("got error %v, want %s", err, c.err)
			}
			if err != nil {
				var at *OperationError
				if !errors.As(err, &at) || errors.Unwrap(err) == nil {
					t.Errorf("got a %T", err)
				}
				return
			}
			if !equal(got, value(t, c.want)) {
				t.Errorf("got %s, want %s", text(t, got), c.want)
			}
		})
	}
}

func TestApplyPatchSharesWhatDoesNotChange(t *testing.T) {
	obj := object(t, `{a: {b: {c: 1}}, d: {e: 2}}`)
	got, err := ApplyPatch(obj, []Operation{{Op: "add", Path: "/a/x", Value: 1.0}})
	if err != nil {
		t.Fatal(err)
	}
	if !sameMap(got["d"].(map[string]any), obj["d"].(map[string]any)) {
		t.Error("d was copied")
	}
	if !sameMap(got["a"].(map[string]any)["b"].(map[string]any), obj["a"].(map[string]any)["b"].(map[string]any)) {
		t.Error("a.b was copied")
	}
}

// Copies that double one another are the way to fill memory from a few lines (GHSA-r2rj-wwm5-x6mq).
func TestCopiesThatDoubleAreBounded(t *testing.T) {
	var ops []Operation
	for range 40 {
		ops = append(ops, Operation{Op: "copy", From: "/a", Path: "/a/-"})
	}
	_, err := ApplyPatch(object(t, `{a: [1]}`), ops)
	if err == nil || !strings.HasSuffix(err.Error(), "(copy /a/-): the operations copy more than 100000 values") {
		t.Errorf("got %v", err)
	}
	var at *OperationError
	if errors.As(err, &at) && at.Index > 17 {
		t.Errorf("stopped at operation %d", at.Index)
	}
	for range 40 {
		ops = append(ops, Operation{Op: "copy", From: "/b", Path: "/b/k"})
	}
	if _, err = ApplyPatch(object(t, `{a: [], b: {x: {y: 1}}}`), ops[40:]); err != nil {
		t.Errorf("copies that do not grow: %v", err)
	}
}

func TestOperationsMarshalAsRFC6902(t *testing.T) {
	ops := []Operation{
		{Op: "add", Path: "/a", Value: nil},
		{Op: "remove", Path: "/a~1b"},
		{Op: "replace", Path: "/a", Value: []any{1.0}},
		{Op: "move", From: "/a", Path: "/b"},
		{Op: "copy", From: "", Path: "/b"},
		{Op: "test", Path: "/a", Value: false},
	}
	want := `[{"op":"add","path":"/a","value":null},{"op":"remove","path":"/a~1b"},{"op":"replace","path":"/a","value":[1]},` +
		`{"op":"move","from":"/a","path":"/b"},{"op":"copy","from":"","path":"/b"},{"op":"test","path":"/a","value":false}]`
	raw, err := json.Marshal(ops)
	if err != nil || string(raw) != want {
		t.Errorf("\n got %s %v\nwant %s", raw, err, want)
	}
	var back []Operation
	if err := json.Unmarshal(raw, &back); err != nil || !reflect.DeepEqual(back, ops) {
		t.Errorf("read back %+v, %v", back, err)
	}
}
