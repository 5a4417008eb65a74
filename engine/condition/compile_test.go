package condition_test

import (
	"errors"
	"reflect"
	"testing"

	"github.com/holdfast-io/holdfast/engine/condition"
)

func TestCompileErrors(t *testing.T) {
	with := func(field string, v any) object {
		c := one("a", "Equals", "b")
		c[field] = v
		return c
	}
	without := func(field string) object {
		c := one("a", "Equals", "b")
		delete(c, field)
		return c
	}
	tests := map[string]struct {
		raw  any
		path list
		want string
	}{
		"a text":                         {"a", nil, "expected an object with any and all, or a list of conditions, found a string"},
		"a number":                       {1.0, nil, "expected an object with any and all, or a list of conditions, found a number"},
		"a condition without a list":     {with("key", "a"), list{"key"}, `unknown field "key": expected one of any, all`},
		"a slip in any":                  {object{"ani": list{}}, list{"ani"}, `unknown field "ani": did you mean any?`},
		"any that is no list":            {object{"any": one("a", "Equals", "b")}, list{"any"}, "expected a list of conditions, found an object"},
		"a condition that is text":       {object{"all": list{"a"}}, list{"all", 0}, "expected a condition with key, operator and value, found a string"},
		"a null condition":               {list{nil}, list{0}, "expected a condition with key, operator and value, found null"},
		"any within a plain list":        {list{one("a", "Equals", "b"), object{"any": list{}}}, list{1, "any"}, `unknown field "any": expected one of key, operator, value, message`},
		"a condition within a list":      {list{object{"any": list{}}, one("a", "Equals", "b")}, list{1}, "expected an object with any and all like the ones before it, found an object"},
		"an error within a list":         {list{object{"all": list{}}, object{"any": list{without("operator")}}}, list{1, "any", 0}, "the condition has no operator"},
		"a slip in a condition":          {object{"any": list{with("valeu", "b")}}, list{"any", 0, "valeu"}, `unknown field "valeu": did you mean value?`},
		"an unknown field":               {list{with("negate", true)}, list{0, "negate"}, `unknown field "negate": expected one of key, operator, value, message`},
		"no key":                         {list{without("key")}, list{0}, "the condition has no key"},
		"a null key":                     {list{with("key", nil)}, list{0}, "the condition has no key"},
		"no operator":                    {list{without("operator")}, list{0}, "the condition has no operator"},
		"an empty operator":              {list{with("operator", "")}, list{0}, "the condition has no operator"},
		"a null operator":                {list{with("operator", nil)}, list{0}, "the condition has no operator"},
		"no value":                       {list{without("value")}, list{0}, "the condition has no value"},
		"an operator that is a list":     {list{with("operator", list{"In"})}, list{0, "operator"}, "expected the name of an operator, found a list"},
		"an operator that is a boolean":  {list{with("operator", true)}, list{0, "operator"}, "expected the name of an operator, found a boolean"},
		"a slip in an operator":          {list{with("operator", "AnyNotn")}, list{0, "operator"}, `unknown operator "AnyNotn": did you mean AnyNotIn?`},
		"a longer slip":                  {list{with("operator", "GreaterOrEquals")}, list{0, "operator"}, `unknown operator "GreaterOrEquals": did you mean GreaterThanOrEquals?`},
		"an unknown operator":            {list{with("operator", "~")}, list{0, "operator"}, `unknown operator "~": expected one of Equals, NotEquals, AnyIn, AllIn, AnyNotIn, AllNotIn, In, NotIn, GreaterThan, GreaterThanOrEquals, LessThan, LessThanOrEquals, DurationGreaterThan, DurationGreaterThanOrEquals, DurationLessThan, DurationLessThanOrEquals`},
		"a message that is a number":     {list{with("message", 1.0)}, list{0, "message"}, "expected a text, found a number"},
		"a bad expression in a key":      {list{with("key", "{{ a. }}")}, list{0, "key"}, ""},
		"a bad expression in a value":    {list{with("value", list{"a", object{"b": "{{ a. }}"}})}, list{0, "value", 1, "b"}, ""},
		"a bad expression in a message":  {list{with("message", "{{ a. }}")}, list{0, "message"}, ""},
		"an unknown function":            {list{with("key", "{{ frobnicate(a) }}")}, list{0, "key"}, ""},
		"an unknown operation":           {list{one("{{ request.operation }}", "Equals", "Create")}, list{0, "value"}, `unknown operation "Create": expected one of CREATE, UPDATE, DELETE, CONNECT`},
		"an unknown operation in a list": {list{one("{{request.operation}}", "In", list{"CREATE", "PATCH"})}, list{0, "value", 1}, `unknown operation "PATCH": expected one of CREATE, UPDATE, DELETE, CONNECT`},
		"an operation that is a number":  {list{one("{{request.operation}}", "Equals", 1.0)}, list{0, "value"}, "expected the name of an operation or a list of them, found a number"},
		"a list with a number in it":     {list{one("{{request.operation}}", "AnyIn", list{1.0})}, list{0, "value", 0}, "expected the name of an operation, found a number"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			c, err := condition.Compile(tc.raw)
			var got *condition.Error
			if c != nil || !errors.As(err, &got) {
				t.Fatalf("Compile = %v, %v", c, err)
			}
			if tc.want != "" && got.Error() != tc.want {
				t.Errorf("got  %s\nwant %s", got, tc.want)
			}
			if len(got.Path) != len(tc.path) || len(tc.path) > 0 && !reflect.DeepEqual(got.Path, tc.path) {
				t.Errorf("at %v, want %v", got.Path, tc.path)
			}
		})
	}
}

func TestCompileOfNull(t *testing.T) {
	if c, err := condition.Compile(nil); c != nil || err != nil {
		t.Errorf("Compile(nil) = %v, %v", c, err)
	}
}
