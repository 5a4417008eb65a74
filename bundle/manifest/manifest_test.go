package manifest

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"

	kyaml "sigs.k8s.io/yaml"
)

// shown is what a test compares of a stream: objects as compact JSON with their place, and errors.
func shown(data string) (objects, problems []string) {
	documents, errs := Parse("f.yaml", []byte(data))
	for _, d := range documents {
		raw, err := json.Marshal(d.Object)
		if err != nil {
			panic(err)
		}
		objects = append(objects, d.Start().String()+" "+string(raw))
	}
	for _, e := range errs {
		problems = append(problems, e.Error())
	}
	return objects, problems
}

func TestParse(t *testing.T) {
	for name, tc := range map[string]struct {
		data    string
		objects []string
		errors  []string
	}{
		"an empty stream has no documents":    {"", nil, nil},
		"comments alone are no document":      {"# hello\n---\n# more\n...\n", nil, nil},
		"empty documents are left out":        {"---\n---\na: 1\n---\n", []string{`f.yaml:3:1 {"a":1}`}, nil},
		"documents are cut at markers":        {"a: 1\n---\nb: 2\n--- {c: 3}\n--- # end\nd: 4", []string{`f.yaml:1:1 {"a":1}`, `f.yaml:3:1 {"b":2}`, `f.yaml:4:5 {"c":3}`, `f.yaml:6:1 {"d":4}`}, nil},
		"a document ends at its end marker":   {"a: 1\n...\nb: 2\n", []string{`f.yaml:1:1 {"a":1}`, `f.yaml:3:1 {"b":2}`}, nil},
		"a marker needs a space after it":     {"a: |-\n  x\n  ---y\n", []string{`f.yaml:1:1 {"a":"x\n---y"}`}, nil},
		"lines may end as on Windows":         {"a: 1\r\n---\r\nb: 2\r\n", []string{`f.yaml:1:1 {"a":1}`, `f.yaml:3:1 {"b":2}`}, nil},
		"a byte order mark is not content":    {"\xef\xbb\xbf{\"a\": 1}", []string{`f.yaml:1:1 {"a":1}`}, nil},
		"directives belong to what follows":   {"%TAG ! tag:x,2000:\n---\na: 1\n", []string{`f.yaml:3:1 {"a":1}`}, nil},
		"scalars are read as kubectl does":    {"a: yes\nb: 0777\nc: 2001-01-01\nd: 1_000\non: ~\n1: x\n", []string{`f.yaml:1:1 {"1":"x","a":true,"b":511,"c":"2001-01-01","d":1000,"true":null}`}, nil},
		"aliases and merge keys are resolved": {"a: &x {k: 1}\nb: *x\nc:\n  <<: *x\n  l: 2\n", []string{`f.yaml:1:1 {"a":{"k":1},"b":{"k":1},"c":{"k":1,"l":2}}`}, nil},
		"a merged key may be overridden":      {"a: &x {k: 1}\nb: {<<: *x, k: 2}\n", []string{`f.yaml:1:1 {"a":{"k":1},"b":{"k":2}}`}, nil},
		"JSON may follow JSON":                {"{\"a\": 1}\n\n {\"b\": [true, null, \"\\ud83d\\ude00\\/\"]}", []string{`f.yaml:1:1 {"a":1}`, `f.yaml:3:2 {"b":[true,null,"😀/"]}`}, nil},
		"JSON may be indented by tabs":        {"{\n\t\"a\": {\n\t\t\"b\": 1.50\n\t}\n}", []string{`f.yaml:1:1 {"a":{"b":1.5}}`}, nil},
		"YAML may begin with a brace":         {"{a: b,\n c: d}\n", []string{`f.yaml:1:1 {"a":"b","c":"d"}`}, nil},
		"a List is its items": {
			"apiVersion: v1\nkind: List\nitems:\n- {kind: A}\n- kind: List\n  apiVersion: v1\n  items:\n  - {kind: B}\n",
			[]string{`f.yaml:4:3 {"kind":"A"}`, `f.yaml:8:5 {"kind":"B"}`}, nil,
		},
		"items of a typed list get its kind": {
			`{"apiVersion": "v1", "kind": "PodList", "items": [{"metadata": {}}]}`,
			[]string{`f.yaml:1:51 {"apiVersion":"v1","kind":"Pod","metadata":{}}`}, nil,
		},
		"an empty List has no objects":           {"{apiVersion: v1, kind: List, items: null}", nil, nil},
		"a kind that ends in List is no list":    {"{apiVersion: a/v1, kind: AllowList, spec: {}}", []string{`f.yaml:1:1 {"apiVersion":"a/v1","kind":"AllowList","spec":{}}`}, nil},
		"an item that is no object is an error":  {"apiVersion: v1\nkind: List\nitems:\n- a\n- kind: B\n", []string{`f.yaml:5:3 {"kind":"B"}`}, []string{"f.yaml:4:3: is a string: expected an object with apiVersion and kind"}},
		"a document that is a list is an error":  {"- a\n", nil, []string{"f.yaml:1:1: is a list: expected an object with apiVersion and kind"}},
		"a broken document spares the others":    {"a: 1\n---\nb: c: d\n---\ne: 2\n", []string{`f.yaml:1:1 {"a":1}`, `f.yaml:5:1 {"e":2}`}, []string{"f.yaml:3:5: broken YAML: mapping values are not allowed in this context"}},
		"the place is where the parser stopped":  {"a: b\nc: [1, 2\nd: e\n", nil, []string{"f.yaml:3:2: broken YAML: while parsing a flow sequence: did not find expected ',' or ']'"}},
		"a tab cannot indent YAML":               {"a:\n\tb: 1\n", nil, []string{"f.yaml:2:1: broken YAML: while scanning for the next token: found character that cannot start any token"}},
		"all duplicate keys are told":            {"a: 1\nb: {c: 1, c: 2}\na: 2\n", nil, []string{`f.yaml:3:1: the key "a" stands twice, first at f.yaml:1:1`, `f.yaml:2:11: the key "c" stands twice, first at f.yaml:2:5`}},
		"duplicate keys of JSON too":             {"{\"a\": 1,\n\"a\": 2}", nil, []string{`f.yaml:2:1: the key "a" stands twice, first at f.yaml:1:2`}},
		"a template is told as such":             {"a: {{ .Values.x }}\n", nil, []string{"f.yaml:1:5: the key of a mapping is a list or a mapping: expected text (a template's braces need quotes)"}},
		"broken JSON is called JSON":             {"{\"a\": 1,\n \"b\": ]}\n", nil, []string{"f.yaml:2:7: broken JSON: invalid character ']' looking for beginning of value"}},
		"JSON that ends too early":               {"{\"a\": [1,", nil, []string{"f.yaml:1:10: broken JSON: unexpected EOF"}},
		"a number that JSON cannot hold":         {"a: .inf\n", nil, []string{"f.yaml:1:1: broken YAML: json: unsupported value: +Inf"}},
		"a number out of range":                  {"{\"a\": 1e999}", nil, []string{"f.yaml:1:1: broken JSON: the number 1e999 is out of range"}},
		"an alias that contains itself":          {"a: &x [*x]\n", nil, []string{"f.yaml:1:1: broken YAML: anchor 'x' value contains itself"}},
		"an unknown anchor":                      {"a: *x\n", nil, []string{"f.yaml:1:4: broken YAML: unknown anchor 'x' referenced"}},
		"bytes that are not text":                {"a: \xff\n", nil, []string{"f.yaml:1:1: broken YAML: invalid leading UTF-8 octet (value: 255)"}},
		"lists in lists are bounded by the text": {strings.Repeat("[", 20000), nil, []string{"f.yaml:1:10002: broken JSON: nested deeper than 10000"}},
	} {
		t.Run(name, func(t *testing.T) {
			objects, errs := shown(tc.data)
			slices.Sort(errs)
			slices.Sort(tc.errors)
			if !slices.Equal(objects, tc.objects) {
				t.Errorf("objects\n got %q\nwant %q", objects, tc.objects)
			}
			if !slices.Equal(errs, tc.errors) {
				t.Errorf("errors\n got %q\nwant %q", errs, tc.errors)
			}
		})
	}
}

func TestAnAliasBombIsRefusedInShortTime(t *testing.T) {
	var b strings.Builder
	b.WriteString("a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n")
	for i := 1; i < 10; i++ {
		prev := "*a" + string(rune('0'+i-1))
		b.WriteString("a" + string(rune('0'+i)) + ": &a" + string(rune('0'+i)) + " [" + strings.Repeat(prev+",", 9) + prev + "]\n")
	}
	_, errs := shown(b.String())
	want := []string{"f.yaml:1:1: broken YAML: document contains excessive aliasing"}
	if !slices.Equal(errs, want) {
		t.Errorf("got %q, want %q", errs, want)
	}
}

func TestPosition(t *testing.T) {
	const data = `# a comment
apiVersion: v1
kind: List
items:
  - kind: Pod
    base: &base {x: 1}
    spec:
      containers:
        - name: a
          image: b
        - {name: c, copy: *base}
`
	documents, errs := Parse("f.yaml", []byte(data))
	if len(documents) != 1 || len(errs) > 0 {
		t.Fatal(documents, errs)
	}
	for name, tc := range map[string]struct {
		path []any
		want string
	}{
		"no path is the object":                     {nil, "f.yaml:5:5"},
		"a key":                                     {[]any{"spec", "containers"}, "f.yaml:8:7"},
		"an item":                                   {[]any{"spec", "containers", 0}, "f.yaml:9:11"},
		"a key of an item":                          {[]any{"spec", "containers", 0, "image"}, "f.yaml:10:11"},
		"a key in flow style":                       {[]any{"spec", "containers", 1, "copy"}, "f.yaml:11:21"},
		"through an alias":                          {[]any{"spec", "containers", 1, "copy", "x"}, "f.yaml:6:18"},
		"a missing key is its nearest ancestor":     {[]any{"spec", "containers", 0, "ports", 0}, "f.yaml:9:11"},
		"a missing item too":                        {[]any{"spec", "containers", 7}, "f.yaml:8:7"},
		"a path that does not fit ends where it is": {[]any{"spec", 0}, "f.yaml:7:5"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := documents[0].Position(tc.path).String(); got != tc.want {
				t.Errorf("got %s, want %s", got, tc.want)
			}
		})
	}
}

func TestFindPath(t *testing.T) {
	var object any
	if err := json.Unmarshal([]byte(`{"spec":{"containers":[{"image":"a"}]},"metadata":{"labels":{"app.kubernetes.io/name":"x","app":"y"}}}`), &object); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string][]any{
		"":                          nil,
		"/":                         nil,
		"/spec/containers/0/image/": {"spec", "containers", 0, "image"},
		"spec.containers[0].image":  {"spec", "containers", 0, "image"},
		"/spec/containers/1/image":  {"spec", "containers"},
		"/spec/containers/x":        {"spec", "containers"},
		"/spec/replicas":            {"spec"},
		"/metadata/labels/app.kubernetes.io/name/":  {"metadata", "labels", "app.kubernetes.io/name"},
		"/metadata/labels/app.kubernetes.io~1name":  {"metadata", "labels", "app.kubernetes.io/name"},
		"metadata.labels.app.kubernetes.io/name":    {"metadata", "labels", "app.kubernetes.io/name"},
		"metadata.labels.app":                       {"metadata", "labels", "app"},
		"metadata.labels.application":               {"metadata", "labels"},
		"/spec/containers/0/image/deeper/than/text": {"spec", "containers", 0, "image"},
	} {
		if got := FindPath(object, path); !reflect.DeepEqual(got, want) {
			t.Errorf("FindPath(%q)\n got %#v\nwant %#v", path, got, want)
		}
	}
}

// FuzzParse holds the parser to three laws: it ends without a panic, what it reads as one document of YAML
// is what sigs.k8s.io/yaml reads, and every position lies in the text.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"a: 1\n---\nb: [x, {y: z}]\n", "{\"a\": [1, {\"b\": null}]}", "a: &x 1\nb: *x\n", "a: 1\na: 2\n",
		"apiVersion: v1\nkind: List\nitems: [{kind: A}]\n", "...\n---\n...", "%YAML 1.1\n--- a\n", "{{ x }}", "[[[", "a:\n\t- b",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		documents, errs := Parse("f", data)
		lines := 2 // one more than there are: an error may be at the end
		for _, r := range string(data) {
			if strings.ContainsRune("\n\r\u0085\u2028\u2029", r) { // what YAML 1.1 calls a line break
				lines++
			}
		}
		for _, e := range errs {
			if e.Line < 1 || e.Line > lines || e.Column < 1 {
				t.Errorf("an error outside of the text's %d lines: %v", lines, e)
			}
		}
		for _, d := range documents {
			for key := range d.Object {
				if at := d.Position([]any{key}); at.Line < 1 || at.Line > lines || at.Column < 1 {
					t.Errorf("key %q outside of the text's %d lines: %v", key, lines, at)
				}
			}
		}
		if len(documents) != 1 || len(errs) > 0 || len(documents[0].path) > 0 || strings.Contains(string(data), "---") || strings.Contains(string(data), "...") {
			return
		}
		raw, err := kyaml.YAMLToJSON(data)
		if err != nil {
			return // JSON that is no YAML: tabs, surrogates
		}
		var want any
		if err := json.Unmarshal(raw, &want); err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(strings.TrimSpace(string(data)), "{") {
			return // the numbers of JSON and YAML differ in what they may look like
		}
		if !reflect.DeepEqual(any(documents[0].Object), want) {
			t.Errorf("got %#v, want %#v", documents[0].Object, want)
		}
	})
}
