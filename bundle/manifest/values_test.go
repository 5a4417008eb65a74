package manifest

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestParseValues(t *testing.T) {
	for name, c := range map[string]struct {
		file, text   string
		want, broken []string
	}{
		"an object of JSON":               {"p", `{"a": [1, 2.5]}`, []string{`1:1 {"a":[1,2.5]}`}, nil},
		"a list of JSON":                  {"p", `[{"a": 1}, "b"]`, []string{`1:1 [{"a":1},"b"]`}, nil},
		"several, one behind another":     {"p", "{\"a\": 1}\n{\"b\": 2}\n[3]\n", []string{`1:1 {"a":1}`, `2:1 {"b":2}`, `3:1 [3]`}, nil},
		"documents of YAML":               {"p", "# none\n---\na: 1\n---\n- b\n---\n", []string{`3:1 {"a":1}`, `5:1 ["b"]`}, nil},
		"scalars":                         {"p", "text\n---\n7\n---\ntrue\n--- \"a: b\"\n", []string{`1:1 "text"`, `3:1 7`, `5:1 true`, `6:5 "a: b"`}, nil},
		"a list of a cluster stays whole": {"p", "apiVersion: v1\nkind: List\nitems: [{a: 1}]\n", []string{`1:1 {"apiVersion":"v1","items":[{"a":1}],"kind":"List"}`}, nil},
		"nothing":                         {"p", "", nil, nil},
		"null":                            {"p", "null\n", nil, nil},
		"a byte order mark":               {"p", "\xef\xbb\xbf{\"a\": 1}", []string{`1:1 {"a":1}`}, nil},
		"broken JSON":                     {"p.json", "{\n  \"a\": 1,\n  \"b\": }\n", nil, []string{`p.json:3:8: broken JSON: invalid character '}' looking for beginning of value`}},
		"broken YAML, and the next":       {"p", "a: [1\n---\nb: 2\n", []string{`3:1 {"b":2}`}, []string{`p:2:1: broken YAML: while parsing a flow sequence: did not find expected ',' or ']'`}},
		"JSON that is YAML, in a file that says neither": {"p", "{a: 1}", []string{`1:1 {"a":1}`}, nil},
		"JSON that is YAML, in a file of JSON":           {"p.json", "{a: 1}", nil, []string{`p.json:1:2: broken JSON: invalid character 'a'`}},
		"a key that stands twice":                        {"p", "{\"a\": 1,\n \"a\": 2}", nil, []string{`p:2:2: the key "a" stands twice, first at p:1:2`}},
	} {
		t.Run(name, func(t *testing.T) {
			found, errs := ParseValues(c.file, []byte(c.text))
			var got, broken []string
			for _, v := range found {
				raw, err := json.Marshal(v.Value)
				if err != nil {
					t.Fatal(err)
				}
				at := v.Start()
				got = append(got, fmt.Sprintf("%d:%d %s", at.Line, at.Column, raw))
			}
			for _, e := range errs {
				broken = append(broken, e.Error())
			}
			if !slices.Equal(got, c.want) || !slices.Equal(broken, c.broken) {
				t.Errorf("got\n%s\n%s\nwant\n%s\n%s", strings.Join(got, "\n"), strings.Join(broken, "\n"), strings.Join(c.want, "\n"), strings.Join(c.broken, "\n"))
			}
		})
	}
}
