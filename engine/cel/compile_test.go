package cel

import (
	"strings"
	"testing"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	celplugin "k8s.io/apiserver/pkg/admission/plugin/cel"
	apiservercel "k8s.io/apiserver/pkg/cel"
)

func TestWhatIsWrongIsToldWithItsPlace(t *testing.T) {
	for name, c := range map[string]struct {
		src  Source
		want string
	}{
		"nothing written":               {one(" "), "/v/0/expression: is empty: expected a CEL expression"},
		"broken syntax":                 {one("object.spec ==\n  "), "/v/0/expression: CEL at 2:3: Syntax error: mismatched input '<EOF>' expecting {'[', '{', '(', '.', '-', '!', 'true', 'false', 'null', NUM_FLOAT, NUM_INT, NUM_UINT, STRING, BYTES, IDENTIFIER}"},
		"a name with a slip":            {one("true && objct.spec.a == 1"), "/v/0/expression: CEL at 1:9: undeclared reference to 'objct': did you mean object?"},
		"a name that is none":           {one("whatever == 1"), "/v/0/expression: CEL at 1:1: undeclared reference to 'whatever'"},
		"a parameter that is not there": {one("params.a == 1"), "/v/0/expression: CEL at 1:1: params is read, but there is no parameter: expected paramKind and paramRef"},
		"a field that requests lack":    {one("request.user == 'a'"), "/v/0/expression: CEL at 1:8: undefined field 'user'"},
		"uid, which an API server hides": {one("request.uid == 'a'"),
			"/v/0/expression: CEL at 1:8: undefined field 'uid'"},
		"a variable with a slip":                     {withVariables(one("variables.image == 1"), "images", "1"), "/v/0/expression: CEL at 1:10: undefined field 'image': did you mean images?"},
		"a variable that comes later":                {withVariables(one("true"), "a", "variables.b", "b", "1"), "/vars/0/expression: CEL at 1:10: undefined field 'b'"},
		"a variable without a proper name":           {withVariables(one("true"), "a-b", "1"), `/vars/0/name: "a-b" is not a name: expected letters, digits and _, and no digit first`},
		"a variable twice":                           {withVariables(one("true"), "a", "1", "a", "1"), `/vars/1/name: "a" stands twice: names of variables are unique`},
		"a broken variable is told once":             {withVariables(one("variables.a == 1 && variables.a"), "a", "1 +"), "/vars/0/expression: CEL at 1:4: Syntax error: mismatched input '<EOF>' expecting {'[', '{', '(', '.', '-', '!', 'true', 'false', 'null', NUM_FLOAT, NUM_INT, NUM_UINT, STRING, BYTES, IDENTIFIER}"},
		"not a bool":                                 {one("1 + 1"), "/v/0/expression: gives int: expected bool"},
		"nobody knows whether a bool":                {one("object.spec.hostNetwork"), "/v/0/expression: gives dyn: expected bool"},
		"types that do not fit":                      {one("1 + 'a' == 2"), "/v/0/expression: CEL at 1:3: found no matching overload for '_+_' applied to '(int, string)'"},
		"a message that is no text":                  {Source{Validations: []admissionregistrationv1.Validation{{Expression: "true", MessageExpression: "1"}}}, "/v/0/messageExpression: gives int: expected string or dyn"},
		"an annotation that is no text":              {Source{Annotations: []admissionregistrationv1.AuditAnnotation{{ValueExpression: "1"}}}, "/a/0/key: is missing; /a/0/valueExpression: gives int: expected string or null_type or dyn"},
		"a condition that is no bool":                {Source{Conditions: []admissionregistrationv1.MatchCondition{{Expression: "'a'"}}}, "/c/0/expression: gives string: expected bool"},
		"a broken regular expression":                {one("'a'.matches('(')"), "/v/0/expression: CEL at 1:13: invalid matches argument"},
		"the authorizer in a message":                {Source{Validations: []admissionregistrationv1.Validation{{Expression: "true", MessageExpression: "authorizer.path('/a').check('get').reason()"}}}, "/v/0/messageExpression: authorizer is not known to a messageExpression"},
		"all errors of all expressions are gathered": {Source{Validations: []admissionregistrationv1.Validation{{Expression: "a && b"}, {Expression: "c"}}}, "/v/0/expression: CEL at 1:1: undeclared reference to 'a'; /v/0/expression: CEL at 1:6: undeclared reference to 'b'; /v/1/expression: CEL at 1:1: undeclared reference to 'c'"},
	} {
		t.Run(name, func(t *testing.T) {
			c.src.Paths = Paths{Conditions: []any{"c"}, Variables: []any{"vars"}, Validations: []any{"v"}, Annotations: []any{"a"}}
			_, err := NewCompiler().Compile(c.src)
			if err == nil {
				t.Fatal("it compiles")
			}
			same(t, "error", err.Error(), "compiling CEL: "+c.want)
		})
	}
}

func TestReferences(t *testing.T) {
	for name, c := range map[string]struct {
		src  Source
		want string
	}{
		"nothing":                             {one("true"), ""},
		"the object":                          {one("object.spec.request == 1"), "object"},
		"fields of the request":               {one("request.userInfo.username == 'a' || request.operation == 'b' || request.?dryRun.orValue(true) == true || has(request.options.a)"), "request.dryRun request.operation request.options request.userInfo"},
		"the request as a whole":              {one("request != null"), "request"},
		"the others":                          {withParams(one("namespaceObject != null && oldObject == null && params != 1")), "namespaceObject oldObject params"},
		"the name of the namespace":           {one("namespaceObject.metadata.name == 'a' || namespaceObject.metadata.name.startsWith('b')"), "namespaceObject.metadata.name"},
		"more of the namespace":               {one("has(namespaceObject.metadata.labels) || namespaceObject.metadata.name == ''"), "namespaceObject namespaceObject.metadata.name"},
		"a variable that is used":             {withVariables(one("variables.b"), "a", "oldObject != null", "b", "variables.a && request.name == ''", "c", "namespaceObject"), "oldObject request.name"},
		"arguments and lists and maps":        {one("size([object, oldObject]) == size({'a': request.name})"), "object oldObject request.name"},
		"a loop variable hides a name":        {one("[1].all(object, object == 1) && [1].exists(x, x == request.kind.kind.size())"), "request.kind"},
		"the name behind a loop is free":      {one("[[1]].all(object, object.all(y, y == 1)) && object == 1"), "object"},
		"the range of a loop is not its body": {one("object.all(object, object == 1)"), "object"},
		"a message":                           {withMessage("request.name"), "request.name"},
	} {
		t.Run(name, func(t *testing.T) {
			same(t, "references", strings.Join(mustCompile(t, c.src).References(), " "), c.want)
		})
	}
}

// An API server knows the same fields, with the same types.
func TestDeclaredFieldsAreTheServers(t *testing.T) {
	seen := map[string]bool{}
	var compare func(theirs *apiservercel.DeclType)
	compare = func(theirs *apiservercel.DeclType) {
		if !theirs.IsObject() {
			if theirs.IsList() || theirs.IsMap() {
				compare(theirs.ElemType)
			}
			return
		}
		name := theirs.TypeName()
		seen[name] = true
		ours := declaredFields(name)
		for field, decl := range theirs.Fields {
			if ours[field] == nil || !ours[field].IsExactType(decl.Type.CelType()) {
				t.Errorf("%s.%s: got %v, want %v", name, field, ours[field], decl.Type.CelType())
			}
			compare(decl.Type)
		}
		if len(ours) != len(theirs.Fields) {
			t.Errorf("%s has %d fields, want %d", name, len(ours), len(theirs.Fields))
		}
	}
	compare(celplugin.BuildRequestType())
	compare(celplugin.BuildNamespaceType())
	if len(seen) != 9 {
		t.Errorf("compared %d types, want 9: %v", len(seen), seen)
	}
}
