package mutate

import (
	"errors"
	"reflect"
	"strings"
	"testing"
)

func TestJSON6902(t *testing.T) {
	const doc = `
apiVersion: v1
kind: Pod
metadata: {name: web, labels: {app: web, a/b: slash, t~e: tilde}}
spec:
  containers: [{name: main, image: i}, {name: side}]
  empty: null
  num: 1
`
	for name, c := range map[string]struct {
		ops     string
		root    string
		outcome Outcome
		want    string
		err     string
		refs    []string
	}{
		"add puts a field": {
			ops: `[{op: add, path: /metadata/labels/x, value: "1"}]`, want: `[{op: add, path: /metadata/labels/x, value: "1"}]`,
		},
		"add takes the place of a field": {
			ops: `[{op: add, path: /spec/num, value: 2}]`, want: `[{op: replace, path: /spec/num, value: 2}]`,
		},
		"add makes objects on the way": {
			ops:  `[{op: add, path: /metadata/annotations/a.b~1c, value: x}]`,
			want: `[{op: add, path: /metadata/annotations, value: {a.b/c: x}}]`,
		},
		"add makes a list on the way to an index": {
			ops:  `[{op: add, path: /spec/tolerations/0/key, value: x}]`,
			want: `[{op: add, path: /spec/tolerations, value: [{key: x}]}]`,
		},
		"add makes a list on the way to its end": {
			ops:  `[{op: add, path: /spec/tolerations/-, value: {key: x}}]`,
			want: `[{op: add, path: /spec/tolerations, value: [{key: x}]}]`,
		},
		"add makes lists on the way to their last element": {
			ops:  `[{op: add, path: /spec/a/-1/b/-1, value: x}]`,
			want: `[{op: add, path: /spec/a, value: [{b: [x]}]}]`,
		},
		"add fills the list that it makes with nulls": {
			ops:  `[{op: add, path: /spec/a/2, value: x}, {op: add, path: /spec/b/1/c, value: "z"}]`,
			want: `[{op: add, path: /spec/a, value: [null, null, x]}, {op: add, path: /spec/b, value: [null, {c: "z"}]}]`,
		},
		"add fills a list that is too short for the way": {
			ops:  `[{op: add, path: /spec/containers/3/name, value: x}]`,
			want: `[{op: add, path: /spec/containers/2, value: null}, {op: add, path: /spec/containers/3, value: {name: x}}]`,
		},
		"add makes an object of a null on the way": {
			ops: `[{op: add, path: /spec/empty/a, value: x}]`, want: `[{op: replace, path: /spec/empty, value: {a: x}}]`,
		},
		"add at an index pushes the others on": {
			ops: `[{op: add, path: /spec/containers/1, value: {name: mid}}]`, want: `[{op: add, path: /spec/containers/1, value: {name: mid}}]`,
		},
		"add at the end": {
			ops: `[{op: add, path: /spec/containers/-, value: {name: end}}]`, want: `[{op: add, path: /spec/containers/2, value: {name: end}}]`,
		},
		"minus one is the end too": {
			ops: `[{op: add, path: /spec/containers/-1, value: {name: end}}]`, want: `[{op: add, path: /spec/containers/2, value: {name: end}}]`,
		},
		"and below it the last element": {
			ops: `[{op: add, path: /spec/containers/-1/stdin, value: true}]`, want: `[{op: add, path: /spec/containers/1/stdin, value: true}]`,
		},
		"add of null": {
			ops: `[{op: add, path: /spec/x, value: null}]`, want: `[{op: add, path: /spec/x, value: null}]`,
		},
		"add of what is there changes nothing": {
			ops: `[{op: add, path: /metadata/labels/app, value: web}]`, outcome: Unchanged,
		},
		"remove": {
			ops:  `[{op: remove, path: /metadata/labels/a~1b}, {op: remove, path: /metadata/labels/t~0e}, {op: remove, path: /spec/containers/0}]`,
			want: `[{op: remove, path: /metadata/labels/a~1b}, {op: remove, path: /metadata/labels/t~0e}, {op: remove, path: /spec/containers/0}]`,
		},
		"remove of the last element": {
			ops: `[{op: remove, path: /spec/containers/-1}]`, want: `[{op: remove, path: /spec/containers/1}]`,
		},
		"remove of all elements leaves an empty list": {
			ops:  `[{op: remove, path: /spec/containers/0}, {op: remove, path: /spec/containers/0}, {op: test, path: /spec/containers, value: []}]`,
			want: `[{op: remove, path: /spec/containers/0}, {op: remove, path: /spec/containers/0}]`,
		},
		"remove of what is not there does nothing": {
			ops: `
- {op: remove, path: /spec/x}
- {op: remove, path: /spec/x/y/z}
- {op: remove, path: /spec/num/y}
- {op: remove, path: /spec/containers/7}
- {op: remove, path: /spec/containers/-7}
- {op: remove, path: /spec/containers/x/y}
- {op: remove, path: /spec/containers/0/x}`, outcome: Unchanged,
		},
		"replace": {
			ops: `[{op: replace, path: /spec/containers/-1/name, value: new}, {op: replace, path: /spec/empty, value: []}, {op: replace, path: /spec/containers/0, value: {name: main}}]`,
			want: `
- {op: remove, path: /spec/containers/0/image}
- {op: replace, path: /spec/containers/1/name, value: new}
- {op: replace, path: /spec/empty, value: []}`,
		},
		"move": {
			ops: `[{op: move, from: /spec/containers/0, path: /spec/containers/-}, {op: move, from: /spec/num, path: /spec/count}]`,
			want: `
- {op: remove, path: /spec/containers/0}
- {op: add, path: /spec/containers/1, value: {name: main, image: i}}
- {op: add, path: /spec/count, value: 1}
- {op: remove, path: /spec/num}`,
		},
		"copy": {
			ops:  `[{op: copy, from: /metadata/labels, path: /spec/nodeSelector}, {op: replace, path: /spec/nodeSelector/app, value: x}]`,
			want: `[{op: add, path: /spec/nodeSelector, value: {app: x, a/b: slash, t~e: tilde}}]`,
		},
		"test lets the patch go on": {
			ops:  `[{op: test, path: /spec/containers/0, value: {image: i, name: main}}, {op: test, path: /spec/num, value: 1.0}, {op: test, path: /spec/x, value: null}, {op: add, path: /spec/ok, value: true}]`,
			want: `[{op: add, path: /spec/ok, value: true}]`,
		},
		"no operations":          {ops: `[]`, outcome: Unchanged},
		"members beyond the RFC": {ops: `[{op: add, path: /spec/x, value: 1, comment: why}]`, want: `[{op: add, path: /spec/x, value: 1}]`},
		"an empty key":           {ops: `[{op: add, path: /metadata/, value: 1}]`, want: `[{op: add, path: /metadata/, value: 1}]`},
		"JSON with its own escapes": {
			ops: `[{"op": "add", "path": "\/spec\/x", "value": "a\/b"}]`, want: `[{op: add, path: /spec/x, value: a/b}]`,
		},
		"scalars as Kubernetes reads YAML": {
			ops:  `[{op: add, path: /spec/x, value: [yes, "yes", 0x1F, 1e3, 2024-01-01, ~, 1.5]}]`,
			want: `[{op: add, path: /spec/x, value: [true, "yes", 31, 1000, "2024-01-01", null, 1.5]}]`,
		},
		"add behind the end of a list": {
			ops: `[{op: add, path: /spec/containers/5, value: x}]`, outcome: Error,
			err: "applying the patch: operation 0 (add /spec/containers/5): 5 is no index of the list, which has 3 elements",
		},
		"add at a name in a list": {
			ops: `[{op: add, path: /spec/containers/main/x, value: x}]`, outcome: Error,
			err: `applying the patch: operation 0 (add /spec/containers/main/x): "main" is no index of the list`,
		},
		"add behind the end of a list, further down": {
			ops: `[{op: add, path: /spec/containers/-/x, value: x}]`, outcome: Error,
			err: `applying the patch: operation 0 (add /spec/containers/-/x): "-" is no index of the list`,
		},
		"add before the beginning": {
			ops: `[{op: add, path: /spec/x/-2, value: x}]`, outcome: Error,
			err: "applying the patch: operation 0 (add /spec/x/-2): -2 is no index of the list, which is empty",
		},
		"add inside a scalar": {
			ops: `[{op: add, path: /spec/num/x, value: x}]`, outcome: Error,
			err: "applying the patch: operation 0 (add /spec/num/x): x lies inside a number",
		},
		"remove at a name in a list": {
			ops: `[{op: remove, path: /spec/containers/main}]`, outcome: Error,
			err: `applying the patch: operation 0 (remove /spec/containers/main): "main" is no index of the list`,
		},
		"replace of what is missing": {
			ops: `[{op: add, path: /spec/ok, value: 1}, {op: replace, path: /spec/x/z, value: x}]`, outcome: Error,
			err: "applying the patch: operation 1 (replace /spec/x/z): the object has no such field: x",
		},
		"replace at the end": {
			ops: `[{op: replace, path: /spec/containers/-, value: x}]`, outcome: Error,
			err: `applying the patch: operation 0 (replace /spec/containers/-): "-" is no index of the list`,
		},
		"replace inside a scalar": {
			ops: `[{op: replace, path: /spec/num/x, value: x}]`, outcome: Error,
			err: `applying the patch: operation 0 (replace /spec/num/x): x lies inside a number`,
		},
		"move from what is missing": {
			ops: `[{op: move, from: /spec/x, path: /spec/z}]`, outcome: Error,
			err: "applying the patch: operation 0 (move /spec/z): from: the object has no such field: x",
		},
		"move into itself": {
			ops: `[{op: move, from: /spec, path: /spec/inner}]`, outcome: Error,
			err: "applying the patch: operation 0 (move /spec/inner): the object has no such field: spec",
		},
		"move of the whole": {
			ops: `[{op: move, from: "", path: /spec/inner}]`, outcome: Error,
			err: "applying the patch: operation 0 (move /spec/inner): the whole document cannot be moved",
		},
		"copy makes nothing on the way": {
			ops: `[{op: copy, from: /spec/num, path: /spec/x/z}]`, outcome: Error,
			err: "applying the patch: operation 0 (copy /spec/x/z): the object has no such field: x",
		},
		"test fails": {
			ops: `[{op: test, path: /spec/num, value: 2}]`, outcome: Error,
			err: "applying the patch: operation 0 (test /spec/num): the value is another",
		},
		"test of what is missing": {
			ops: `[{op: test, path: /spec/x/z, value: null}]`, outcome: Error,
			err: "applying the patch: operation 0 (test /spec/x/z): the object has no such field: x",
		},
		"padding has a bound": {
			ops: `[{op: add, path: /spec/x/1000000000, value: 1}]`, outcome: Error,
			err: "applying the patch: operation 0 (add /spec/x/1000000000): 1000000000 would leave more than 1000 elements before it empty",
		},
		"padding of a list has it too": {
			ops: `[{op: add, path: /spec/containers/1000000000/x, value: 1}]`, outcome: Error,
			err: "applying the patch: operation 0 (add /spec/containers/1000000000/x): 1000000000 would leave more than 1000 elements before it empty",
		},

		"a variable in quotes is text": {
			ops: `[{op: add, path: /spec/x, value: "{{ num }}"}]`, root: `{num: 5}`,
			want: `[{op: add, path: /spec/x, value: "5"}]`, refs: []string{"num"},
		},
		"so is an object": {
			ops: `[{op: add, path: /spec/x, value: '{{ obj }}'}]`, root: `{obj: {a: 1}}`,
			want: `[{op: add, path: /spec/x, value: '{"a":1}'}]`, refs: []string{"obj"},
		},
		"a bare variable has its value's type": {
			ops: "- {op: add, path: /spec/x, value: {{ num }}}\n- op: add\n  path: /spec/z\n  value: {{ obj }}\n", root: `{num: 5, obj: {a: [1]}}`,
			want: `[{op: add, path: /spec/x, value: 5}, {op: add, path: /spec/z, value: {a: [1]}}]`, refs: []string{"num", "obj"},
		},
		"a text in its place is read as YAML": {
			ops: "- op: add\n  path: /spec/x\n  value: [{{ a }}, {{ b }}, {{ c }}, {{ d }}, {{ e }}]\n", root: `{a: "5", b: "{q: [r]}", c: plain, d: "", e: "not: yaml: at all"}`,
			want: `[{op: add, path: /spec/x, value: [5, {q: [r]}, plain, null, "not: yaml: at all"]}]`, refs: []string{"a", "b", "c", "d", "e"},
		},
		"so is a scalar with a variable in it, if it gives a scalar": {
			ops: "- op: add\n  path: /spec/x\n  value: [1{{ a }}, v{{ a }}, \"1{{ a }}\", 'x: {{ a }}', x{{ b }}]\n", root: `{a: "5", b: ": 6"}`,
			want: `[{op: add, path: /spec/x, value: [15, v5, "15", "x: 5", "x: 6"]}]`, refs: []string{"a", "b"},
		},
		"a text cannot break out of its place": {
			ops: "- op: add\n  path: /spec/x\n  value: \"{{ a }}\"\n", root: `{a: "\"\n- {op: remove, path: /spec}\n"}`,
			want: `[{op: add, path: /spec/x, value: "\"\n- {op: remove, path: /spec}\n"}]`, refs: []string{"a"},
		},
		"not even without quotes": {
			ops: "- op: add\n  path: /spec/x\n  value: {{ a }}\n", root: `{a: "1\n- {op: remove, path: /spec}"}`,
			want: `[{op: add, path: /spec/x, value: "1\n- {op: remove, path: /spec}"}]`, refs: []string{"a"},
		},
		"a block is text": {
			ops: "- op: add\n  path: /spec/x\n  value: |\n    one {{ a }}\n    two\n", root: `{a: 1}`,
			want: `[{op: add, path: /spec/x, value: "one 1\ntwo\n"}]`, refs: []string{"a"},
		},
		"variables in a path, a from and a key": {
			ops: "- {op: copy, from: /spec/{{ f }}, path: /metadata/labels/{{ k }}}\n- {op: add, path: /spec/x, value: {\"{{ k }}\": [1, \"{{ k }}\"], fixed: 2}}", root: `{f: num, k: key}`,
			want: `[{op: add, path: /metadata/labels/key, value: 1}, {op: add, path: /spec/x, value: {key: [1, key], fixed: 2}}]`, refs: []string{"f", "k"},
		},
		"an expression with all that YAML knows": {
			ops:  "- op: replace\n  path: /spec/containers/0\n  value: {{ merge(request.object.spec.containers[?name == 'main'] | [0], `{\"env\": [{\"name\": \"A\"}]}`) }}\n",
			want: `[{op: add, path: /spec/containers/0/env, value: [{name: A}]}]`, refs: []string{"request.object.spec.containers"},
		},
		"an expression over several lines": {
			ops:  "- op: add\n  path: /spec/x\n  value: \"{{ request.object.metadata.labels\n    .app }}\"\n",
			want: `[{op: add, path: /spec/x, value: web}]`, refs: []string{"request.object.metadata.labels.app"},
		},
		"self is the whole object": {
			ops:  "- {op: add, path: /spec/x, value: {{ @ }}}\n- {op: move, from: /spec/x/metadata, path: /spec/x}",
			want: `[{op: add, path: /spec/x, value: {name: web, labels: {app: web, a/b: slash, t~e: tilde}}}]`,
			refs: []string{"request.object"},
		},
		"an operation may be a variable": {
			ops: "- {op: add, path: /spec/x, value: 1}\n- {{ o }}\n", root: `{o: {op: add, path: /spec/z, value: 2}}`,
			want: `[{op: add, path: /spec/x, value: 1}, {op: add, path: /spec/z, value: 2}]`, refs: []string{"o"},
		},
		"the list may be a variable": {
			ops: "  {{ all }}\n", root: `{all: [{op: move, from: /spec/num, path: /spec/z}]}`,
			want: `[{op: remove, path: /spec/num}, {op: add, path: /spec/z, value: 1}]`, refs: []string{"all"},
		},
		"even one that holds text": {
			ops: "{{ all }}", root: `{all: "- {op: remove, path: /spec/num}"}`,
			want: `[{op: remove, path: /spec/num}]`, refs: []string{"all"},
		},
		"or null, for no operations": {ops: "{{ all }}", root: `{all: null}`, outcome: Unchanged, refs: []string{"all"}},
		"a list that is none": {
			ops: "{{ all }}", root: `{all: {a: b}}`, outcome: Error,
			err: "applying the patch: expected a list of operations, the variable gives an object", refs: []string{"all"},
		},
		"an operation of it that is none": {
			ops: "{{ all }}", root: `{all: [a]}`, outcome: Error,
			err: "applying the patch: operation 0: expected an object, this is a string", refs: []string{"all"},
		},
		"one without a path": {
			ops: "- {{ o }}", root: `{o: {op: remove}}`, outcome: Error,
			err: "applying the patch: operation 0: path is missing", refs: []string{"o"},
		},
		"one without an op": {
			ops: "- {{ o }}", root: `{o: {path: /a}}`, outcome: Error,
			err: "applying the patch: operation 0: op is missing", refs: []string{"o"},
		},
		"one with a path of another type": {
			ops: "- {{ o }}", root: `{o: {op: remove, path: 5}}`, outcome: Error,
			err: "applying the patch: operation 0: path must be a string, this is a number", refs: []string{"o"},
		},
		"one without a from": {
			ops: "- {{ o }}", root: `{o: {op: copy, path: /a}}`, outcome: Error,
			err: "applying the patch: operation 0: from is missing", refs: []string{"o"},
		},
		"one without a value": {
			ops: "- {{ o }}", root: `{o: {op: add, path: /a}}`, outcome: Error,
			err: "applying the patch: operation 0: value is missing", refs: []string{"o"},
		},
		"one on the whole object": {
			ops: "- {{ o }}", root: `{o: {op: remove, path: ""}}`, outcome: Error,
			err: "applying the patch: operation 0: the whole object cannot be the target of an operation", refs: []string{"o"},
		},
		"one of an unknown kind": {
			ops: "- {{ o }}", root: `{o: {op: drop, path: /a}}`, outcome: Error,
			err: `applying the patch: operation 0: unknown operation "drop": expected add, remove, replace, move, copy or test`, refs: []string{"o"},
		},
		"a path that is none once it is known": {
			ops: "- {op: remove, path: \"{{ p }}\"}", root: `{p: spec}`, outcome: Error,
			err: `applying the patch: operation 0: path: "spec" does not begin with a slash`, refs: []string{"p"},
		},
		"a path that is the whole object once it is known": {
			ops: "- {op: remove, path: \"{{ p }}\"}", root: `{p: ""}`, outcome: Error,
			err: `applying the patch: operation 0: the whole object cannot be the target of an operation`, refs: []string{"p"},
		},
		"a from that is none once it is known": {
			ops: "- {op: copy, from: \"{{ p }}\", path: /a}", root: `{p: spec}`, outcome: Error,
			err: `applying the patch: operation 0: from: "spec" does not begin with a slash`, refs: []string{"p"},
		},
		"a variable that is missing": {
			ops: "- {op: test, path: /spec/num, value: 7}\n- {op: add, path: /spec/x, value: [{a: \"{{ nobody }}\"}]}", outcome: Error,
			err: `applying the patch: operation 1: value: nobody: not found: unknown key "nobody"`, refs: []string{"nobody"},
		},
		"a variable that is missing from a path": {
			ops: "- {op: remove, path: \"/spec/{{ nobody }}\"}", outcome: Error,
			err: `applying the patch: operation 0: path: nobody: not found: unknown key "nobody"`, refs: []string{"nobody"},
		},
		"a text that looks like what stands for variables": {
			ops: "- {op: add, path: /spec/VAR0E, value: [\"VAR0E {{ a }} VARR1E\", VAR7E]}", root: `{a: b}`,
			want: `[{op: add, path: /spec/VAR0E, value: ["VAR0E b VARR1E", VAR7E]}]`, refs: []string{"a"},
		},
		"YAML's tags beside variables": {
			ops: "- {op: add, path: '/spec/{{ a }}', value: [!!str 5, !!int \"5\", !!str '{{ a }}', 1.5, ~]}", root: `{a: b}`,
			want: `[{op: add, path: /spec/b, value: ["5", 5, b, 1.5, null]}]`, refs: []string{"a"},
		},
		"braces in the value of a variable are text": {
			ops: "- {op: add, path: /spec/x, value: \"{{ a }}\"}\n- {op: add, path: /spec/z, value: {{ a }}}", root: `{a: "\u007b\u007b nobody }}"}`,
			want: `[{op: add, path: /spec/x, value: "\u007b\u007b nobody }}"}, {op: add, path: /spec/z, value: "\u007b\u007b nobody }}"}]`, refs: []string{"a"},
		},
		"escaped braces are text": {
			ops:  `[{op: add, path: /spec/x, value: '\{{ a }}'}, {op: add, path: '/spec/\{{z', value: [q, '{{ a']}]`,
			want: "[{op: add, path: /spec/x, value: '\u007b\u007b a }}'}, {op: add, path: '/spec/\u007b\u007bz', value: [q, '\u007b\u007b a']}]",
		},
	} {
		t.Run(name, func(t *testing.T) {
			obj := object(t, doc)
			p, err := CompileJSON6902(c.ops, Options{Self: self})
			if err != nil {
				t.Fatal(err)
			}
			if refs := p.References(); !reflect.DeepEqual(refs, c.refs) && len(refs)+len(c.refs) > 0 {
				t.Errorf("references %q, want %q", refs, c.refs)
			}
			res := run(t, p, requestEnv(t, obj, c.root), obj)
			if res.Outcome != c.outcome || errorText(res.Err) != c.err {
				t.Fatalf("got %s, %v\nwant %s, %s", res.Outcome, res.Err, c.outcome, c.err)
			}
			checkChanges(t, obj, res.Object, c.want)
		})
	}
}

func TestCompileJSON6902Errors(t *testing.T) {
	for name, c := range map[string]struct {
		ops  string
		path []any
		want string
	}{
		"an empty text":                      {``, nil, "expected a list of operations, this is null"},
		"an object":                          {`{op: add}`, nil, "expected a list of operations, this is an object"},
		"a text":                             {`add`, nil, "expected a list of operations, this is a string"},
		"a text with a variable":             {`add {{ a }}`, nil, "expected a list of operations, this is a string"},
		"no YAML":                            {"- op: add\n path: /a", nil, ""},
		"no YAML around a variable":          {"- op: {{ a }}\n path: /a", nil, ""},
		"a key twice":                        {"- {op: remove, op: add, path: /a}", nil, ""},
		"a key twice beside a variable":      {"- {op: remove, op: add, path: '/{{ a }}'}", nil, `the operations are not YAML: line 1: the key "op" is there twice`},
		"an alias beside a variable":         {"- {op: add, path: /a, value: &x [1]}\n- {op: add, path: '/{{ a }}', value: *x}", nil, `the operations are not YAML: line 2: YAML anchors and aliases are not allowed beside variables`},
		"a merge beside a variable":          {"- {<<: {a: b}, op: add, path: '/{{ a }}', value: 1}", nil, `the operations are not YAML: line 1: a key must be a string`},
		"two documents":                      {"- {op: remove, path: '/{{ a }}'}\n---\n- {op: remove, path: /b}", nil, `the operations are not YAML: there is more than one document`},
		"a tag that its value is not":        {"- {op: add, path: '/{{ a }}', value: !!int x}", nil, ""},
		"nested too deep beside a variable":  {"- {op: add, path: '/{{ a }}', value: " + strings.Repeat("[", 150) + strings.Repeat("]", 150) + "}", nil, "the operations are not YAML: line 1: nested more than 100 deep"},
		"an operation that is none":          {`[add]`, []any{0}, "[0]: expected an operation, this is a string"},
		"an operation that is half text":     {`["add {{ a }}"]`, []any{0}, "[0]: expected an operation, this is a string"},
		"an unknown operation":               {`[{op: remove, path: /a}, {op: drop, path: /a}]`, []any{1, "op"}, `[1].op: unknown operation "drop": expected add, remove, replace, move, copy or test`},
		"an operation without op":            {`[{path: /a}]`, []any{0, "op"}, "[0].op: is missing"},
		"an operation with a variable as op": {`[{op: "{{ a }}", path: /a}]`, []any{0, "op"}, "[0].op: must be written out, without variables"},
		"an op that is no text":              {`[{op: 5, path: /a}]`, []any{0, "op"}, "[0].op: must be a string, this is a number"},
		"an op that is a list":               {`[{op: [add], path: /a}]`, []any{0, "op"}, "[0].op: must be a string, this is a list"},
		"an operation without path":          {`[{op: remove}]`, []any{0, "path"}, "[0].path: is missing"},
		"a path without a slash":             {`[{op: remove, path: spec}]`, []any{0, "path"}, `[0].path: "spec" does not begin with a slash`},
		"the whole object":                   {`[{op: replace, path: "", value: {}}]`, []any{0, "path"}, "[0].path: the whole object cannot be the target of an operation"},
		"add without a value":                {`[{op: add, path: /a}]`, []any{0, "value"}, "[0].value: is missing"},
		"replace without a value":            {`[{op: replace, path: /a}]`, []any{0, "value"}, "[0].value: is missing"},
		"test without a value":               {`[{op: test, path: /a}]`, []any{0, "value"}, "[0].value: is missing"},
		"move without from":                  {`[{op: move, path: /a}]`, []any{0, "from"}, "[0].from: is missing"},
		"from without a slash":               {`[{op: copy, from: a, path: /a}]`, []any{0, "from"}, `[0].from: "a" does not begin with a slash`},
		"a bad query in a path":              {`[{op: remove, path: "/{{ a( }}"}]`, []any{0, "path"}, ""},
		"a bad query in a value":             {`[{op: add, path: /a, value: {b: ["{{ a( }}"]}}]`, []any{0, "value", "b", 0}, ""},
		"a bad query as the list":            {`{{ a( }}`, nil, ""},
		"a bad query as an operation":        {`[{{ a( }}]`, []any{0}, ""},
		"a bad query in a key":               {`[{op: add, path: /a, value: {"{{ a( }}": b}}]`, []any{0, "value"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := CompileJSON6902(c.ops, Options{Self: self})
			var at *CompileError
			if !errors.As(err, &at) {
				t.Fatalf("got %v", err)
			}
			if !reflect.DeepEqual(at.Path, c.path) && len(at.Path)+len(c.path) > 0 {
				t.Errorf("path %v, want %v", at.Path, c.path)
			}
			if c.want != "" && err.Error() != c.want {
				t.Errorf("\n got %s\nwant %s", err, c.want)
			}
		})
	}
}
