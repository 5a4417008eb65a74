package mutate

import (
	"encoding/json"
	"testing"

	jsonpatch "gopkg.in/evanphx/json-patch.v4"
)

func TestAPatchIsAppliedAsAnAPIServerDoes(t *testing.T) {
	const object = `{"a":{"b":1},"list":[1,2,3],"null":null}`
	tests := map[string]struct {
		ops  []Operation
		want string
	}{
		"a field is replaced":              {[]Operation{{Op: "replace", Path: "/a/b", Value: 2.0}}, `{"a":{"b":2},"list":[1,2,3],"null":null}`},
		"one that is not there is added":   {[]Operation{{Op: "replace", Path: "/a/c", Value: 2.0}}, `{"a":{"b":1,"c":2},"list":[1,2,3],"null":null}`},
		"but not in nothing":               {[]Operation{{Op: "replace", Path: "/x/c", Value: 2.0}}, "error: operation 0 (replace /x/c): the object has no such field: x"},
		"the last element":                 {[]Operation{{Op: "remove", Path: "/list/-1"}}, `{"a":{"b":1},"list":[1,2],"null":null}`},
		"an element behind the last":       {[]Operation{{Op: "add", Path: "/list/-", Value: 4.0}}, `{"a":{"b":1},"list":[1,2,3,4],"null":null}`},
		"nothing is removed from nothing":  {[]Operation{{Op: "remove", Path: "/a/c"}}, "error: operation 0 (remove /a/c): the object has no such field: c"},
		"parents are not made":             {[]Operation{{Op: "add", Path: "/x/y", Value: 1.0}}, "error: operation 0 (add /x/y): the object has no such field: x"},
		"a test that holds":                {[]Operation{{Op: "test", Path: "/a/b", Value: 1.0}, {Op: "remove", Path: "/a/b"}}, `{"a":{},"list":[1,2,3],"null":null}`},
		"a test that does not":             {[]Operation{{Op: "remove", Path: "/list"}, {Op: "test", Path: "/a/b", Value: 2.0}}, object},
		"a test of what is not there":      {[]Operation{{Op: "test", Path: "/a/c", Value: 2.0}, {Op: "remove", Path: "/list"}}, object},
		"a test that something is missing": {[]Operation{{Op: "test", Path: "/a/c", Value: nil}, {Op: "remove", Path: "/list"}}, `{"a":{"b":1},"null":null}`},
		"a test in nothing":                {[]Operation{{Op: "test", Path: "/x/c", Value: 1.0}}, "error: operation 0 (test /x/c): the object has no such field: x"},
		"an unknown operation":             {[]Operation{{Op: "merge", Path: "/a"}}, `error: operation 0 (merge /a): unknown operation "merge": expected add, remove, replace, move, copy or test`},
		"a move and a copy":                {[]Operation{{Op: "move", From: "/a/b", Path: "/c"}, {Op: "copy", From: "/c", Path: "/d"}}, `{"a":{},"c":1,"d":1,"list":[1,2,3],"null":null}`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var in map[string]any
			if err := json.Unmarshal([]byte(object), &in); err != nil {
				t.Fatal(err)
			}
			got := ""
			if out, err := ApplyServerPatch(in, test.ops); err != nil {
				got = "error: " + err.Error()
			} else {
				raw, err := json.Marshal(out)
				if err != nil {
					t.Fatal(err)
				}
				got = string(raw)
			}
			if got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
			checkLibrary(t, object, test.ops, got)
		})
	}
}

// checkLibrary holds the outcome against the library that an API server has.
func checkLibrary(t *testing.T, object string, ops []Operation, got string) {
	t.Helper()
	raw, err := json.Marshal(ops)
	if err != nil {
		t.Fatal(err)
	}
	patch, err := jsonpatch.DecodePatch(raw)
	if err != nil {
		t.Fatal(err)
	}
	out, err := patch.Apply([]byte(object))
	failed := len(got) > 6 && got[:6] == "error:"
	switch {
	case jsonpatch.Equal([]byte(object), []byte(got)) && err != nil: // a test that fails
	case failed != (err != nil):
		t.Errorf("the library: %v; here: %s", err, got)
	case err == nil && !jsonpatch.Equal(out, []byte(got)):
		t.Errorf("the library: %s; here: %s", out, got)
	}
}
