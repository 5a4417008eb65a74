package condition_test

import (
	"errors"
	"slices"
	"sync"
	"testing"

	"github.com/holdfast-io/holdfast/engine/condition"
	"github.com/holdfast-io/holdfast/engine/expr"
)

// Conditions with a known outcome, named by it.
func holds(message string) object { return says(one("a", "Equals", "a"), message) }
func fails(message string) object { return says(one("a", "Equals", "b"), message) }
func breaks() object              { return one("{{ absent }}", "Equals", "a") }

func says(c object, message string) object {
	if message != "" {
		c["message"] = message
	}
	return c
}

func TestEvaluate(t *testing.T) {
	tests := map[string]struct {
		raw     any
		met     bool
		message string
	}{
		"no conditions at all":                          {nil, true, ""},
		"an empty object":                               {object{}, true, ""},
		"an empty list":                                 {list{}, true, ""},
		"an empty all":                                  {object{"all": list{}}, true, ""},
		"an empty any has nothing that holds":           {object{"any": list{}}, false, ""},
		"a null any is none":                            {object{"any": nil, "all": nil}, true, ""},
		"any with one that holds":                       {object{"any": list{fails("f1"), holds("h1"), holds("h2")}}, true, "h1"},
		"any with none that holds":                      {object{"any": list{fails("f1"), fails(""), fails("f2")}}, false, "f1; f2"},
		"any stops at the first that holds":             {object{"any": list{holds("h1"), breaks()}}, true, "h1"},
		"all that hold":                                 {object{"all": list{holds("h1"), holds(""), holds("h2")}}, true, "h1; h2"},
		"all with one that fails":                       {object{"all": list{holds("h1"), fails("f1"), fails("f2")}}, false, "f1"},
		"all stops at the first that fails":             {object{"all": list{fails("f1"), breaks()}}, false, "f1"},
		"any and all":                                   {object{"any": list{fails("f1"), holds("h1")}, "all": list{holds("h2")}}, true, "h1; h2"},
		"any holds and all does not":                    {object{"any": list{fails("f1"), holds("h1")}, "all": list{fails("f2")}}, false, "f1; f2"},
		"all holds and any does not":                    {object{"any": list{fails("f1")}, "all": list{holds("h1")}}, false, "f1"},
		"neither holds":                                 {object{"any": list{fails("f1")}, "all": list{fails("f2")}}, false, "f1; f2"},
		"a plain list that holds":                       {list{holds("h1"), holds("h2")}, true, "h1;h2"},
		"a plain list that fails":                       {list{holds("h1"), fails("f1"), fails("f2")}, false, "f1"},
		"a plain list stops at the first that fails":    {list{fails("f1"), breaks()}, false, "f1"},
		"a list of objects that hold":                   {list{object{"any": list{holds("h1")}}, object{"all": list{holds("h2"), holds("h3")}}}, true, "h1;h2; h3"},
		"a list of objects of which one fails":          {list{object{"all": list{holds("h1")}}, object{"any": list{fails("f1"), fails("f2")}}}, false, "f1; f2"},
		"a list of objects stops at the first to fail":  {list{object{"all": list{fails("f1")}}, object{"all": list{breaks()}}}, false, "f1"},
		"a message with a variable":                     {list{fails("port {{ port }} is closed")}, false, "port 8080 is closed"},
		"a message whose variable is missing":           {list{fails("by {{ absent }}")}, false, "by {{ absent }}"},
		"a message of nothing but a variable":           {list{fails("{{ ports }}")}, false, "[80,443]"},
		"the message of a condition that holds":         {list{holds("{{ name }}")}, true, "web"},
		"a variable as key":                             {list{one("{{ name }}", "Equals", "web")}, true, ""},
		"a variable as value":                           {list{one("web", "Equals", "{{ name }}")}, true, ""},
		"a variable within text":                        {list{one("x-{{ name }}", "Equals", "x-web")}, true, ""},
		"a variable keeps its type":                     {list{one("{{ port }}", "Equals", 8080.0)}, true, ""},
		"a list by a variable":                          {list{one("{{ ports }}", "AllIn", list{80.0, 443.0})}, true, ""},
		"variables within a list":                       {list{one("web", "AnyIn", list{"db", "{{ name }}"})}, true, ""},
		"variables within a map":                        {list{one(object{"a": "web"}, "Equals", object{"a": "{{ name }}"})}, true, ""},
		"a variable that is null":                       {list{one("{{ nothing }}", "Equals", "a")}, false, ""},
		"nor does NotEquals hold of null":               {list{one("{{ nothing }}", "NotEquals", "a")}, false, ""},
		"a default for a variable that is missing":      {list{one("{{ absent || 'x' }}", "Equals", "x")}, true, ""},
		"escaped braces are text":                       {list{one(`\{{ name }}`, "Equals", "{{ code }}")}, true, ""},
		"an operator in lower case":                     {list{one(9.0, "greaterthan", 8.0)}, true, ""},
		"an operator in upper case":                     {list{one("a", "ANYNOTIN", list{"b"})}, true, ""},
		"an operator by its other name":                 {list{one("a", "notequal", "b")}, true, ""},
		"the value of a variable is not read as one":    {list{one("{{ code }}", "Equals", `\{{ name }}`)}, true, ""},
		"a value that is null and written out":          {list{one("a", "NotEquals", nil)}, true, ""},
		"request.operation among operations":            {list{one("{{request.operation}}", "AnyIn", list{"CREATE", "UPDATE"})}, true, ""},
		"request.operation and a variable":              {list{one("{{ request.operation }}", "Equals", "{{ request.operation }}")}, true, ""},
		"an empty message is none":                      {list{object{"key": "a", "operator": "Equals", "value": "b", "message": ""}}, false, ""},
		"a null message is none":                        {list{object{"key": "a", "operator": "Equals", "value": "b", "message": nil}}, false, ""},
		"key fields other than text may be static":      {list{one(list{"a", "b"}, "AllIn", "{{ letters }}")}, true, ""},
		"a static key is compared with a dynamic range": {list{one(5.0, "AnyIn", "{{ range }}")}, true, ""},
	}
	env := environment(object{
		"name": "web", "port": 8080.0, "ports": list{80.0, 443.0}, "nothing": nil, "code": "{{ name }}",
		"request": object{"operation": "CREATE"}, "letters": list{"a", "b", "c"}, "range": "1-10",
	})
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := compile(t, tc.raw).Evaluate(env)
			want := condition.Result{Met: tc.met, Message: tc.message}
			if err != nil || got != want {
				t.Errorf("got %+v, %v; want %+v", got, err, want)
			}
		})
	}
}

// An error is never a condition that is not met: GHSA-jrr2-x33p-6hvc let a rule pass that way.
func TestEvaluateErrors(t *testing.T) {
	tests := map[string]struct {
		raw  any
		want string
	}{
		"a key in any":       {object{"any": list{fails(""), breaks()}}, `any[1]: key: absent: not found: unknown key "absent"`},
		"a key in all":       {object{"all": list{breaks()}}, `all[0]: key: absent: not found: unknown key "absent"`},
		"a key in a list":    {list{holds(""), breaks()}, `[1]: key: absent: not found: unknown key "absent"`},
		"a key in an object": {list{object{"all": list{holds("")}}, object{"any": list{breaks()}}}, `[1].any[0]: key: absent: not found: unknown key "absent"`},
		"a value":            {list{one("a", "AnyIn", list{"b", "{{ request.gone }}"})}, `[0]: value: request.gone: not found: unknown key "gone"`},
		"the key first":      {list{one("{{ absent }}", "Equals", "{{ request.gone }}")}, `[0]: key: absent: not found: unknown key "absent"`},
		"all after any that did not hold": {object{"any": list{fails("")}, "all": list{breaks()}},
			`all[0]: key: absent: not found: unknown key "absent"`},
	}
	env := environment(object{"request": object{}})
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := compile(t, tc.raw).Evaluate(env)
			if err == nil || err.Error() != tc.want || !errors.Is(err, expr.ErrNotFound) {
				t.Fatalf("got the error %v, want %s", err, tc.want)
			}
			if got != (condition.Result{}) {
				t.Errorf("got %+v with an error", got)
			}
		})
	}
}

func TestReferences(t *testing.T) {
	c := compile(t, object{
		"any": list{
			says(one("{{ request.userInfo.username }}", "AnyIn", list{"{{ zone }}", "x"}), "{{ element.name }} by {{ request.operation }}"),
		},
		"all": list{one("{{ request.object.kind }}", "Equals", "{{ zone }}"), one("a", "Equals", "a")},
	})
	if got, want := c.References(), []string{"request.object.kind", "request.userInfo", "zone"}; !slices.Equal(got, want) {
		t.Errorf("References() = %q, want %q", got, want)
	}
	if got, want := c.MessageReferences(), []string{"element", "request.operation"}; !slices.Equal(got, want) {
		t.Errorf("MessageReferences() = %q, want %q", got, want)
	}
	var none *condition.Conditions
	if none.References() != nil || none.MessageReferences() != nil {
		t.Error("no conditions have references")
	}
}

// The policy's values are shared by all evaluations: none may change them.
func TestEvaluateChangesNothing(t *testing.T) {
	value := list{"b", object{"k": list{1.0}}, "a*"}
	key := list{"z", "y"}
	c := compile(t, list{one("{{ k }}", "AllNotIn", value), one("{{ k }}", "NotEquals", value)})
	env := environment(object{"k": key})
	for range 2 {
		if res, err := c.Evaluate(env); err != nil || !res.Met {
			t.Fatalf("got %+v, %v", res, err)
		}
	}
	if key[0] != "z" || value[0] != "b" || value[2] != "a*" {
		t.Errorf("the evaluation changed its input: %v, %v", key, value)
	}
}

// Admission evaluates these for every object that a rule matches.
func TestEvaluateAllocatesNothingOnTheCommonPaths(t *testing.T) {
	env := environment(object{"name": "web", "replicas": 3.0, "memory": "512Mi"})
	for name, raw := range map[string]any{
		"text equals text":     list{one("{{ name }}", "Equals", "web")},
		"text equals wildcard": list{one("{{ name }}", "NotEquals", "*-db")},
		"text in a list":       list{one("{{ name }}", "AnyIn", list{"kube-*", "db"})},
		"number and number":    list{one("{{ replicas }}", "GreaterThan", 2.0)},
		"quantities":           list{one("{{ memory }}", "LessThanOrEquals", "1Gi")},
	} {
		c := compile(t, raw)
		if n := testing.AllocsPerRun(100, func() { _, _ = c.Evaluate(env) }); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

// What is prepared at load is read by all evaluations at once; the race detector watches.
func TestEvaluateConcurrently(t *testing.T) {
	c := compile(t, object{"all": list{
		one("{{ q }}", "GreaterThan", "0.5Gi"),
		one("1.5Gi", "GreaterThan", "{{ q }}"),
		one("{{ q }}", "AnyIn", "0.5Gi-2Gi"),
		one("{{ q }}", "AnyIn", list{"1*", "2*"}),
	}})
	c2 := compile(t, list{one("{{ q }}", "Equals", "123456789012345678901234567890m"), one("{{ q }}", "NotEquals", "1073741824")})
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			env := environment(object{"q": "1024Mi"})
			for range 200 {
				first, err1 := c.Evaluate(env)
				second, err2 := c2.Evaluate(env)
				if err1 != nil || err2 != nil || !first.Met || second.Met {
					t.Errorf("got %+v, %v and %+v, %v", first, err1, second, err2)
					return
				}
			}
		})
	}
	wg.Wait()
}
