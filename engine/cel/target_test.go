package cel

import (
	"testing"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
)

func TestATargetIsAnObjectOrSeveral(t *testing.T) {
	tests := map[string]struct{ expression, want string }{
		"an object":             {`object.one`, `pass [{"name":"a"}]`},
		"a list":                {`[object.one, object.two]`, `pass [{"name":"a"},{"name":"b"}]`},
		"a list of the cluster": {`{"items": [object.one]}`, `pass [{"name":"a"}]`},
		"null":                  {`object.none`, `pass null`},
		"a text":                {`object.text`, `error expression 'object.text': it gives string: expected an object or a list of objects`},
		"a list of texts":       {`[object.text]`, `error expression '[object.text]': element 0 is no object`},
		"an absent field":       {`object.gone`, `error expression 'object.gone': no such key: gone`},
		"by a variable":         {`variables.v`, `pass [{"name":"a"}]`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			rule := mustCompile(t, withVariables(Source{Target: test.expression}, "v", "object.one"))
			got := rule.Targets(t.Context(), &Input{Object: parse(t, "{one: {name: a}, two: {name: b}, none: null, text: x}")})
			line := got.Outcome.String() + " "
			if got.Err != nil {
				line += got.Err.Error()
			} else {
				line += text(t, got.Objects)
			}
			same(t, test.expression, line, test.want)
		})
	}
}

func TestATargetIsLookedForWhereTheConditionsAreMet(t *testing.T) {
	src := Source{Target: "object.one", Conditions: []admissionregistrationv1.MatchCondition{{Name: "wanted", Expression: "object.want == true"}}}
	rule := mustCompile(t, src)
	got := rule.Targets(t.Context(), &Input{Object: map[string]any{"want": false}})
	same(t, "not met", got.Outcome.String()+" "+got.Condition, "skip wanted")
	got = rule.Targets(t.Context(), &Input{Object: map[string]any{}})
	same(t, "no answer", got.Outcome.String()+" "+got.Err.Error(), "error conditions: wanted: expression 'object.want == true': no such key: want")
}

func TestATargetMustBeAbleToBeAnObject(t *testing.T) {
	_, err := NewCompiler().Compile(Source{Target: "1 + 1", Paths: Paths{Target: []any{"spec", "target"}}})
	if err == nil {
		t.Fatal("compiled")
	}
	same(t, "error", err.Error(), "compiling CEL: /spec/target: gives int: expected an object or a list of objects")
}
