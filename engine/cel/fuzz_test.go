package cel

import (
	"strings"
	"testing"
)

// FuzzCompile compiles and evaluates any text: nothing panics, nothing changes the object, and the same input gives the same
// answer twice.
func FuzzCompile(f *testing.F) {
	for _, seed := range []string{
		"object.spec.containers.all(c, !has(c.ports) || c.ports.all(p, p.hostPort == 0))",
		"variables.v.?a[?0].orValue({'a': [1, 2.5, null, b'x', duration('1s')]}) == oldObject",
		"request.userInfo.groups.exists(g, g in params.data.groups.split(','))",
		"namespaceObject.metadata.labels[?'a'].optMap(x, x + '!').orValue('') != ''",
		"[1, 2].map(x, x > 1, x * 2).transformMapEntry(i, v, {v: i}).size() > 0", "\"", "(((((((", "a.b.c.d()", "'\\u{10FFFF}'",
		"resource.List('v1', 'configmaps', '').items.exists(c, json.marshal(c) == variables.v) || time.now() == random()",
		"regex.replace(string(object), '(.)', '\\\\1').format([{'a': [1, 'b']}, image('a/b').tag()]) in exceptions.allowedImages",
	} {
		f.Add(seed)
	}
	compiler := NewCompiler()
	f.Fuzz(func(t *testing.T, expression string) {
		for _, language := range []Language{Kubernetes, Kyverno} {
			fuzzOne(t, compiler, language, expression)
		}
	})
}

func fuzzOne(t *testing.T, compiler *Compiler, language Language, expression string) {
	t.Helper()
	src := withVariables(withParams(one(expression)), "v", "object")
	src.Language = language
	src.Validations[0].MessageExpression = expression
	rule, err := compiler.Compile(src)
	if err != nil {
		if strings.Contains(err.Error(), "cannot be planned") {
			t.Errorf("an expression that checks cannot be planned: %v", err)
		}
		return
	}
	object := map[string]any{"spec": map[string]any{"containers": []any{map[string]any{"ports": []any{map[string]any{"hostPort": 1.0}}}}}}
	before := text(t, object)
	first := line(rule.Evaluate(t.Context(), &Input{Object: object, Params: object, World: shop()}))
	if second := line(rule.Evaluate(t.Context(), &Input{Object: object, Params: object, World: shop()})); first != second {
		t.Errorf("the same input gives %s and %s", first, second)
	}
	if after := text(t, object); after != before {
		t.Errorf("the object has changed from %s to %s", before, after)
	}
}
