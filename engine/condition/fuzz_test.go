package condition_test

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/holdfast-io/holdfast/engine/condition"
)

// FuzzOperators relates any two JSON values by each operator: nothing panics or hangs, a repetition
// gives the same answer, and a value that stands in the policy is judged as one that a variable holds.
func FuzzOperators(f *testing.F) {
	for _, seed := range [][2]string{
		{`"nginx:latest"`, `"*:latest"`}, {`"1Gi"`, `"1024Mi"`}, {`"1h"`, `3600`}, {`5`, `"1-10"`}, {`["a",5]`, `"[\"a\",5]"`},
		{`"1.2.3"`, `"1.10.0-rc.1+b"`}, {`"1e1000000000"`, `"1Ki"`}, {`"1e-1000000000"`, `"0.5"`}, {`1e300`, `"1h"`}, {`null`, `{"a":null}`},
		{`{"a":[1]}`, `{"a":[1]}`}, {`"-5"`, `"-5-10"`}, {`"."`, `"+.e5"`}, {`[]`, `"[]"`}, {`"-1m"`, `"1m!-2h"`}, {`"µs"`, `"1µs"`},
	} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, keyJSON, valueJSON string) {
		var key, value any
		if json.Unmarshal([]byte(keyJSON), &key) != nil || json.Unmarshal([]byte(valueJSON), &value) != nil {
			t.Skip("not JSON")
		}
		env := environment(object{"k": key, "v": value})
		for _, operator := range operators {
			dynamic, errDynamic := compile(t, list{one("{{ k }}", operator, "{{ v }}")}).Evaluate(env)
			c, err := condition.Compile(list{one(key, operator, value)})
			if err != nil || len(c.References()) > 0 {
				continue // null, or a text with braces, which stands for something else in a policy
			}
			static, errStatic := c.Evaluate(env)
			again, _ := c.Evaluate(env)
			if static != again {
				t.Errorf("%s %s %s: %+v, then %+v", keyJSON, operator, valueJSON, static, again)
			}
			if !escaped(key) && !escaped(value) && (static != dynamic || (errStatic == nil) != (errDynamic == nil)) {
				t.Errorf("%s %s %s: %+v (%v) as written, %+v (%v) by variables", keyJSON, operator, valueJSON, static, errStatic, dynamic, errDynamic)
			}
		}
	})
}

// FuzzCompile reads any JSON as conditions: an error or conditions, which evaluate without a panic.
func FuzzCompile(f *testing.F) {
	f.Add(`{"any":[{"key":"{{ k }}","operator":"AnyIn","value":["a","{{ v }}"],"message":"{{ k }}"}],"all":[]}`)
	f.Add(`[{"key":1,"operator":"in","value":null}]`)
	f.Add(`[{"any":[]},{"all":null}]`)
	f.Add(`{"all":[{"key":"{{request.operation}}","operator":"Equals","value":"CREATE"}]}`)
	f.Fuzz(func(t *testing.T, text string) {
		var raw any
		if json.Unmarshal([]byte(text), &raw) != nil {
			t.Skip("not JSON")
		}
		c, err := condition.Compile(raw)
		if err != nil {
			return
		}
		if res, err := c.Evaluate(environment(object{"k": "a", "v": list{"b"}})); err != nil && res.Met {
			t.Errorf("%s: met, with the error %v", text, err)
		}
	})
}

// escaped reports whether a value holds the marks of a variable or a reference, which a policy reads.
func escaped(v any) bool {
	raw, err := json.Marshal(v)
	return err != nil || bytes.Contains(raw, []byte("{{")) || bytes.Contains(raw, []byte("$("))
}
