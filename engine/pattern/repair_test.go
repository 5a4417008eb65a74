package pattern

import (
	"encoding/json"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestRepairsTakeThePatternsOwnConstants(t *testing.T) {
	tests := map[string]struct {
		pattern, value string
		want           []string
	}{
		"a constant":                               {`{"a": "x"}`, `{"a": "y", "b": 1}`, []string{`{"a":"x","b":1}`}},
		"a constant that is missing":               {`{"a": {"b": true}}`, `{}`, []string{`{"a":{"b":true}}`}},
		"text that reads as a boolean":             {`{"a": "true"}`, `{}`, []string{`{"a":true}`, `{"a":"true"}`}},
		"text in the place of a boolean":           {`{"a": "false"}`, `{"a": true}`, []string{`{"a":false}`}},
		"text in the place of text":                {`{"a": "5"}`, `{"a": "6"}`, []string{`{"a":"5"}`}},
		"alternatives":                             {`{"a": "x | y"}`, `{"a": "z"}`, []string{`{"a":"x"}`, `{"a":"y"}`}},
		"a bound":                                  {`{"a": ">=3"}`, `{"a": 1}`, []string{`{"a":3}`}},
		"a bound that is not in":                   {`{"a": "<3"}`, `{"a": 7}`, []string{`{"a":2}`}},
		"the near end of a range":                  {`{"a": "1-5"}`, `{"a": 9}`, []string{`{"a":5}`, `{"a":1}`}},
		"a quantity":                               {`{"a": "<=1Gi"}`, `{"a": "2Gi"}`, []string{`{"a":"1Gi"}`}},
		"any text":                                 {`{"a": "?*"}`, `{}`, nil},
		"a wildcard":                               {`{"a": "ghcr.io/*"}`, `{"a": "docker.io/x"}`, nil},
		"what it must not be":                      {`{"a": "!x"}`, `{"a": "x"}`, nil},
		"what it must not be, if it is there":      {`{"=(a)": "!x"}`, `{"a": "x", "b": 1}`, []string{`{"b":1}`}},
		"a constant, if it is there":               {`{"=(a)": false}`, `{"a": true}`, []string{`{"a":false}`, `{}`}},
		"a key that must not be there":             {`{"X(a)": "null"}`, `{"a": 1, "b": 2}`, []string{`{"b":2}`}},
		"each element":                             {`{"l": [{"a": 1}]}`, `{"l": [{"a": 1}, {"b": 2}]}`, []string{`{"l":[{"a":1},{"a":1,"b":2}]}`}},
		"only what a condition is about":           {`{"l": [{"(n)": "x", "a": 1}]}`, `{"l": [{"n": "x"}, {"n": "y"}]}`, []string{`{"l":[{"a":1,"n":"x"},{"n":"y"}]}`}},
		"no element is made up":                    {`{"l": [{"a": 1}]}`, `{}`, nil},
		"a list of text":                           {`{"l": ["ALL"]}`, `{"l": ["NET_RAW"]}`, []string{`{"l":["ALL"]}`, `{"l":[]}`}},
		"a list of text that is missing":           {`{"l": ["ALL"]}`, `{}`, []string{`{"l":["ALL"]}`}},
		"what may not be in a list":                {`{"=(l)": ["!SYS_ADMIN"]}`, `{"l": ["SYS_ADMIN", "KILL"]}`, []string{`{"l":["KILL"]}`}},
		"an element that some list must have":      {`{"^(l)": [{"a": 1}]}`, `{"l": [{"a": 2}]}`, nil},
		"null":                                     {`{"a": null}`, `{"a": "x"}`, []string{`{}`}},
		"a key that must be there":                 {`{"a": "*"}`, `{}`, nil},
		"another shape":                            {`{"a": {"b": 1}}`, `{"a": "text"}`, nil},
		"what matches":                             {`{"a": 1}`, `{"a": 1}`, nil},
		"what can be mended beside what cannot be": {`{"a": 1, "b": "?*"}`, `{}`, nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			p, err := Compile(decoded(t, test.pattern), Options{})
			if err != nil {
				t.Fatal(err)
			}
			value := decoded(t, test.value)
			var got []string
			for _, repaired := range p.Repairs(nil, value) {
				raw, err := json.Marshal(repaired)
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, string(raw))
				if res := p.Match(nil, repaired); res.Outcome != Pass {
					t.Errorf("%s does not match: %s", raw, res.Message)
				}
			}
			if strings.Join(got, " ") != strings.Join(test.want, " ") {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
			if raw, _ := json.Marshal(value); string(raw) != compact(t, test.value) {
				t.Errorf("the value itself has become %s", raw)
			}
		})
	}
}

func decoded(t *testing.T, text string) any {
	t.Helper()
	var v any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func compact(t *testing.T, text string) string {
	t.Helper()
	raw, err := json.Marshal(decoded(t, text))
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// Whatever is repaired matches or is left out, and the same twice is the same.
func TestWhatIsRepairedNoLongerFails(t *testing.T) {
	leaf := rapid.SampledFrom([]any{"x", "y | z", "!x", "?*", "*", ">=3", "<3", "1-5", "true", true, 4.0, nil, "ALL"})
	key := rapid.SampledFrom([]string{"a", "b", "(a)", "=(b)", "X(c)", "c", "<(b)"})
	var tree func(depth int) *rapid.Generator[any]
	tree = func(depth int) *rapid.Generator[any] {
		if depth == 0 {
			return rapid.Custom(func(t *rapid.T) any { return leaf.Draw(t, "leaf") })
		}
		return rapid.Custom(func(t *rapid.T) any {
			switch rapid.IntRange(0, 3).Draw(t, "sort") {
			case 0:
				return leaf.Draw(t, "leaf")
			case 1:
				return []any{tree(depth-1).Draw(t, "item")}
			default:
				m := map[string]any{}
				for range rapid.IntRange(1, 3).Draw(t, "keys") {
					m[key.Draw(t, "key")] = tree(depth-1).Draw(t, "value")
				}
				return m
			}
		})
	}
	var value func(depth int) *rapid.Generator[any]
	value = func(depth int) *rapid.Generator[any] {
		return rapid.Custom(func(t *rapid.T) any {
			switch n := rapid.IntRange(0, 5).Draw(t, "sort"); {
			case depth > 0 && n > 2:
				m := map[string]any{}
				for range rapid.IntRange(0, 3).Draw(t, "keys") {
					m[rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "key")] = value(depth-1).Draw(t, "value")
				}
				return m
			case depth > 0 && n == 2:
				return []any{value(depth-1).Draw(t, "item")}
			default:
				return rapid.SampledFrom([]any{"x", "z", true, false, 4.0, 9.0, ""}).Draw(t, "scalar")
			}
		})
	}
	rapid.Check(t, func(t *rapid.T) {
		p, err := Compile(tree(3).Draw(t, "pattern"), Options{})
		if err != nil {
			t.Skip("no pattern")
		}
		v := value(3).Draw(t, "value")
		if p.Match(nil, v).Outcome != Fail {
			t.Skip("nothing to repair")
		}
		first, _ := json.Marshal(p.Repairs(nil, v))
		second, _ := json.Marshal(p.Repairs(nil, v))
		if string(first) != string(second) {
			t.Errorf("once %s, once %s", first, second)
		}
		for _, repaired := range p.Repairs(nil, v) {
			if res := p.Match(nil, repaired); res.Outcome == Fail {
				raw, _ := json.Marshal(repaired)
				t.Errorf("%s still fails at %s: %s", raw, res.Path, res.Message)
			}
		}
	})
}
