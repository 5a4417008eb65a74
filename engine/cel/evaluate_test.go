package cel

import (
	"context"
	"errors"
	"strings"
	"testing"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
)

func TestValidations(t *testing.T) {
	const pod = "{metadata: {name: web, labels: {app: web, tier: front}}, spec: {replicas: 3, ratio: 0.5, big: 1e300, containers: [{name: a, image: r/a, ports: [{containerPort: 80}]}, {name: b, image: r/b}], empty: null}}"
	for name, c := range map[string]struct {
		src             Source
		object, oldOne  string
		request, params map[string]any
		namespace       map[string]any
		want            string
	}{
		"a true expression":                         {src: one("object.spec.replicas == 3"), want: "pass"},
		"a false one":                               {src: one("object.spec.replicas > 3"), want: "fail 0: failed expression: object.spec.replicas > 3"},
		"whole numbers are ints":                    {src: one("type(object.spec.replicas) == int && object.spec.replicas + 1 == 4 && string(object.spec.replicas) == '3'"), want: "pass"},
		"other numbers are doubles":                 {src: one("type(object.spec.ratio) == double && object.spec.ratio * 2.0 == 1.0"), want: "pass"},
		"numbers that no int holds are doubles":     {src: one("type(object.spec.big) == double"), want: "pass"},
		"ints compare with doubles":                 {src: one("object.spec.replicas < 3.5 && object.spec.ratio < 1"), want: "pass"},
		"a number in a list of numbers":             {src: one("object.spec.replicas in [1, 3]"), want: "pass"},
		"a whole number times a double is an error": {src: one("object.spec.replicas * 1.5 > 1.0"), want: "error 0: expression 'object.spec.replicas * 1.5 > 1.0': no such overload"},
		"lists and maps":                            {src: one("object.spec.containers.map(c, c.name) == ['a', 'b'] && object.metadata.labels == {'tier': 'front', 'app': 'web'}"), want: "pass"},
		"a list does not equal another":             {src: one("object.spec.containers == [1, 2]"), want: "fail 0: failed expression: object.spec.containers == [1, 2]"},
		"keys of a map come in their order":         {src: one("object.metadata.labels.map(k, k) == ['app', 'tier']"), want: "pass"},
		"two variables over a map":                  {src: one("object.metadata.labels.all(k, v, k != v || k == 'x') == false || object.metadata.labels.existsOne(k, v, v == 'front')"), want: "pass"},
		"two variables over a list":                 {src: one("object.spec.containers.exists(i, c, i == 1 && c.name == 'b')"), want: "pass"},
		"two variables over joined lists":           {src: one("(object.spec.containers + object.spec.containers).exists(i, c, i == 3 && c.name == 'b')"), want: "pass"},
		"joined lists":                              {src: one("size(object.spec.containers + object.spec.containers) == 4 && (object.spec.containers + [{'name': 'c'}])[2].name == 'c' && {'name': 'c'} in (object.spec.containers + [{'name': 'c'}])"), want: "pass"},
		"joined lists equal lists":                  {src: one("(object.spec.containers + [1]).map(x, 1) == [1, 1, 1] && object.spec.containers + [] == [] + object.spec.containers"), want: "pass"},
		"an index out of range":                     {src: one("object.spec.containers[2].name == ''"), want: "error 0: expression 'object.spec.containers[2].name == ''': index out of bounds: 2"},
		"a list is not a number":                    {src: one("object.spec.containers['a'] == 1"), want: "error 0: expression 'object.spec.containers['a'] == 1': unsupported index type 'string' in list"},
		"has":                                       {src: one("has(object.spec.containers[0].ports) && !has(object.spec.containers[1].ports) && has(object.spec.empty) && !has(object.spec.none)"), want: "pass"},
		"null":                                      {src: one("object.spec.empty == null && oldObject == null"), want: "pass"},
		"a missing field is an error":               {src: one("object.spec.none == 1"), want: "error 0: expression 'object.spec.none == 1': no such key: none"},
		"an error that does not matter":             {src: one("object.spec.none == 1 || true"), want: "pass"},
		"optional fields":                           {src: one("object.spec.?none.orValue(true) == true && object.?spec.?containers[?0].?image.orValue('') == 'r/a'"), want: "pass"},
		"orValue of a plain value":                  {src: one("object.spec.containers.orValue([]).size() == 2"), want: "pass"},
		"orValue does not mind its default":         {src: one("object.spec.?replicas.orValue(1 / 0) == 3"), want: "pass"},
		"orValue needs its default":                 {src: one("object.spec.?none.orValue(1 / 0) == 3"), want: "error 0: expression 'object.spec.?none.orValue(1 / 0) == 3': division by zero"},
		"orValue of an error":                       {src: one("object.none.orValue([]) == []"), want: "error 0: expression 'object.none.orValue([]) == []': no such key: none"},
		"orValue as the whole expression":           {src: one("object.spec.?none.orValue(true)"), want: "pass"},
		"which has to be a bool":                    {src: one("object.spec.?replicas.orValue(true)"), want: "error 0: expression 'object.spec.?replicas.orValue(true)': it gives int: expected bool"},
		"the libraries of Kubernetes":               {src: one("quantity('1Gi').isGreaterThan(quantity('1M')) && ip('10.0.0.1').family() == 4 && 'a-b'.find('[a-z]') == 'a' && semver('1.2.3').major() == 1 && [3, 1].sort()[0] == 1"), want: "pass"},
		"the old object":                            {src: one("object.spec.replicas >= oldObject.spec.replicas"), oldOne: "{spec: {replicas: 4}}", want: "fail 0: failed expression: object.spec.replicas >= oldObject.spec.replicas"},
		"the request":                               {src: one("request.operation == 'UPDATE' && !has(request.namespace) && request.userInfo.groups.exists(g, g == 'dev')"), request: map[string]any{"operation": "UPDATE", "userInfo": map[string]any{"groups": []any{"dev"}}}, want: "pass"},
		"a fact that the request does not have":     {src: one("request.namespace == 'a'"), want: "error 0: expression 'request.namespace == 'a'': no such key: namespace"},
		"the namespace":                             {src: one("namespaceObject.metadata.labels['a'] == 'b'"), namespace: map[string]any{"metadata": map[string]any{"labels": map[string]any{"a": "b"}}}, want: "pass"},
		"no namespace":                              {src: one("namespaceObject == null"), want: "pass"},
		"a parameter":                               {src: withParams(one("object.spec.replicas <= params.data.max")), params: map[string]any{"data": map[string]any{"max": 2.0}}, want: "fail 0: failed expression: object.spec.replicas <= params.data.max"},
		"no parameter":                              {src: withParams(one("params == null")), want: "pass"},
		"a variable":                                {src: withVariables(one("variables.b == 4"), "a", "object.spec.replicas", "b", "variables.a + 1"), want: "pass"},
		"a variable that cannot be evaluated":       {src: withVariables(one("variables.b == 4"), "a", "object.none", "b", "variables.a"), want: "error 0: expression 'variables.b == 4': variables.b: variables.a: no such key: none"},
		"a variable that is not read":               {src: withVariables(one("has(variables.a)"), "a", "object.spec.replicas", "b", "1 / 0"), want: "pass"},
		"a variable of orValue":                     {src: withVariables(one("variables.a"), "a", "object.?none.orValue(true)"), want: "pass"},
		"the first failure counts": {src: Source{Validations: []admissionregistrationv1.Validation{
			{Expression: "true"}, {Expression: "false", Message: " second "}, {Expression: "1 / 0 == 1"},
		}}, want: "fail 1: second"},
		"a message for all": {src: Source{Message: "the rule's", Validations: []admissionregistrationv1.Validation{{Expression: "false"}}}, want: "fail 0: the rule's"},
		"a message of its own": {src: Source{Message: "the rule's", Validations: []admissionregistrationv1.Validation{{Expression: "false", Message: "its own"}}},
			want: "fail 0: its own"},
		"a message from an expression":       {src: withMessage("'has ' + string(object.spec.replicas) + ' '"), want: "fail 0: has 3"},
		"an expression that gives no string": {src: withMessage("object.spec.replicas"), want: "fail 0: in words"},
		"an expression that fails":           {src: withMessage("string(object.none)"), want: "fail 0: in words"},
		"an expression that gives nothing":   {src: withMessage("' '"), want: "fail 0: in words"},
		"an expression of two lines":         {src: withMessage("'a\\nb'"), want: "fail 0: in words"},
		"an expression that gives too much":  {src: withMessage("'" + strings.Repeat("a", 5121) + "'"), want: "fail 0: in words"},
		"too much work": {src: one("lists.range(10000).all(x, lists.range(10000).all(y, x + y >= 0))"),
			want: "error 0: expression 'lists.range(10000).all(x, lists.range(10000).all(y, x + y >= 0))': operation cancelled: actual cost limit exceeded"},
	} {
		t.Run(name, func(t *testing.T) {
			in := &Input{Object: parse(t, pod), OldObject: was(parse(t, c.oldOne)), Params: c.params}
			before := text(t, in.Object)
			if c.request != nil {
				in.Request = func() map[string]any { return c.request }
			}
			if c.namespace != nil {
				in.Namespace = func() (map[string]any, error) { return c.namespace, nil }
			}
			same(t, "result", line(mustCompile(t, c.src).Evaluate(t.Context(), in)), c.want)
			same(t, "the object afterwards", text(t, in.Object), before)
		})
	}
}

func withParams(src Source) Source {
	src.Params = WithParams
	return src
}

// withMessage is a Source that fails with a message from an expression, or else "in words".
func withMessage(expression string) Source {
	return Source{Validations: []admissionregistrationv1.Validation{{Expression: "false", Message: "in words", MessageExpression: expression}}}
}

func TestConditions(t *testing.T) {
	for name, c := range map[string]struct {
		conditions []string
		want       string
	}{
		"none":                                {want: "pass"},
		"all are true":                        {conditions: []string{"true", "object.a == 1"}, want: "pass"},
		"one is false":                        {conditions: []string{"true", "object.a == 2"}, want: "skip: c1"},
		"false outweighs an error before it":  {conditions: []string{"object.b == 1", "false"}, want: "skip: c1"},
		"an error and the others true":        {conditions: []string{"true", "object.b == 1"}, want: "error: conditions: c1: expression 'object.b == 1': no such key: b"},
		"errors are told together":            {conditions: []string{"object.b == 1", "object.c == 1"}, want: "error: conditions: c0: expression 'object.b == 1': no such key: b\nc1: expression 'object.c == 1': no such key: c"},
		"too much work, and another is false": {conditions: []string{"lists.range(10000).all(x, lists.range(10000).all(y, x + y >= 0))", "false"}, want: "skip: c1"},
		"a variable":                          {conditions: []string{"variables.v == 2"}, want: "skip: c0"},
	} {
		t.Run(name, func(t *testing.T) {
			src := withVariables(one("object.a == 1"), "v", "object.a")
			for i, expression := range c.conditions {
				src.Conditions = append(src.Conditions, admissionregistrationv1.MatchCondition{Name: "c" + string(rune('0'+i)), Expression: expression})
			}
			same(t, "result", line(mustCompile(t, src).Evaluate(t.Context(), &Input{Object: parse(t, "{a: 1}")})), c.want)
		})
	}
}

func TestAnnotations(t *testing.T) {
	src := Source{Annotations: []admissionregistrationv1.AuditAnnotation{
		{Key: "replicas", ValueExpression: "'has ' + string(object.spec.replicas)"},
		{Key: "nothing", ValueExpression: "null"},
		{Key: "blank", ValueExpression: "'  '"},
	}}
	got, err := mustCompile(t, src).Annotate(t.Context(), &Input{Object: parse(t, "{spec: {replicas: 3}}")})
	if err != nil {
		t.Fatal(err)
	}
	same(t, "annotations", text(t, got), `{"replicas":"has 3"}`)

	src.Annotations = append(src.Annotations, admissionregistrationv1.AuditAnnotation{Key: "number", ValueExpression: "object.spec.replicas"})
	_, err = mustCompile(t, src).Annotate(t.Context(), &Input{Object: parse(t, "{spec: {replicas: 3}}")})
	if !errors.Is(err, ErrExpression) {
		t.Fatalf("got %v, want an error of the expression", err)
	}
	same(t, "error", err.Error(), "audit annotation number: expression 'object.spec.replicas': it gives int: expected string or null")
}

// What comes from outside is asked for once, when it is read, and its errors are not the expression's.
func TestOutside(t *testing.T) {
	asked := 0
	in := &Input{
		Request:   func() map[string]any { asked++; return map[string]any{"operation": "CREATE"} },
		Namespace: func() (map[string]any, error) { asked += 10; return nil, errors.New("the line is dead") },
	}
	r := mustCompile(t, one("true || request.operation == '' || namespaceObject.metadata.name == ''")).Evaluate(t.Context(), in)
	same(t, "not read", line(r), "pass")
	if asked != 0 {
		t.Errorf("asked %d times for what is not read", asked)
	}

	r = mustCompile(t, withVariables(one("request.operation == 'CREATE' && variables.name == '' && request.operation == namespaceObject.metadata.name"), "name", "namespaceObject.metadata.name")).Evaluate(t.Context(), in)
	same(t, "read", line(r), "error 0: reading the namespace: the line is dead")
	if errors.Is(r.Err, ErrExpression) {
		t.Error("a failed look-up is taken for an error of the expression")
	}
	if asked != 11 {
		t.Errorf("asked %d (tens: namespace, ones: request), want 11", asked)
	}

	r = mustCompile(t, one("true || namespaceObject.metadata.name == ''")).Evaluate(t.Context(), in)
	same(t, "a failed look-up that does not matter", line(r), "pass")
}

func TestTimeIsUp(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r := mustCompile(t, one("true")).Evaluate(ctx, &Input{})
	same(t, "result", line(r), "error 0: not evaluated in time: context canceled")
	if errors.Is(r.Err, ErrExpression) {
		t.Error("the end of the time is taken for an error of the expression")
	}
}

// A rule may cost more than one expression, and less than many of them together.
func TestBudgetOfARule(t *testing.T) {
	// a tenth of each length, multiplied: 900 000 units, and quickly done
	const dear = "!object.long.contains(object.short)"
	in := &Input{Object: map[string]any{"long": strings.Repeat("a", 30_000), "short": strings.Repeat("b", 3_000)}}
	src := Source{}
	for range 11 {
		src.Validations = append(src.Validations, admissionregistrationv1.Validation{Expression: dear})
	}
	same(t, "below the budget", line(mustCompile(t, src).Evaluate(t.Context(), in)), "pass")
	src.Validations = append(src.Validations, src.Validations[0])
	same(t, "above it", line(mustCompile(t, src).Evaluate(t.Context(), in)),
		"error 11: expression '!object.long.contains(object.short)': the expressions of the rule cost more than an evaluation may")
}

func TestVariablesAreEvaluatedOnce(t *testing.T) {
	// 900 000 units: the budget has room for eleven
	src := withVariables(one(strings.Repeat("variables.a && ", 20)+"true"), "a", "!object.long.contains(object.short)")
	in := &Input{Object: map[string]any{"long": strings.Repeat("a", 30_000), "short": strings.Repeat("b", 3_000)}}
	same(t, "result", line(mustCompile(t, src).Evaluate(t.Context(), in)), "pass")
}

// was gives an object as it was before the request.
func was(object map[string]any) func() map[string]any { return func() map[string]any { return object } }
