package cel

import (
	"slices"
	"strings"
	"testing"
)

// kyverno is a Source of Kyverno's language with a single validation; with a generation too if it reads the generator.
func kyverno(expression string) Source {
	src := one(expression)
	src.Language = Kyverno
	if strings.Contains(expression, varGenerator+".") {
		src.Generations = []Generation{{Expression: "true"}}
	}
	return src
}

// What Kyverno's language has beside its libraries, and a Kubernetes API server has not.
func TestLanguageOfKyverno(t *testing.T) {
	in := &Input{
		Object: parse(t, "{spec: {replicas: 2, image: nginx}}"), OldObject: was(parse(t, "{spec: {replicas: 1}}")),
		Request:    func() map[string]any { return map[string]any{"operation": "UPDATE"} },
		Exceptions: Exceptions{AllowedImages: []string{"nginx"}, AllowedValues: []string{"a", "b"}},
	}
	for expression, want := range map[string]string{
		"object.spec.image in exceptions.allowedImages && size(exceptions.allowedValues) == 2":  "pass",
		"request.object.spec.replicas == 2 && request.oldObject.spec.replicas == 1":             "pass",
		"request.operation == 'UPDATE' && has(request.object)":                                  "pass",
		"[1, 'a', {'b': null}].size() == 3 && {'a': 1, 'b': 'x'}.b == 'x'":                      "pass", // several types
		"cel.bind(x, object.spec, x.replicas == 2)":                                             "pass",
		"base64.decode('aGk=') == b'hi' && math.greatest(1, 2) == 2 && sets.contains([1], [1])": "pass",
		"regex.extract('v1.2', '([0-9]+)').orValue('') == '1'":                                  "pass",
		"jsonpatch.escapeKey('a/b') == 'a~1b' && semver('1.2.3').major() == 1":                  "pass",
		"object.spec.replicas.orValue(3) == 2":                                                  "pass",
		"[3, 1].sort() == [1, 3] && {'a': 1}.all(k, v, k == 'a' && v == 1)":                     "pass",
		"quantity('1Gi').isGreaterThan(quantity('1Mi')) && isIP('10.0.0.1')":                    "pass",
	} {
		same(t, expression, line(mustCompile(t, kyverno(expression)).Evaluate(t.Context(), in)), want)
	}
	for expression, want := range map[string]string{
		"exceptions.allowedImage.size() == 0": "compiling CEL: /0/expression: CEL at 1:11: undefined field 'allowedImage': did you mean allowedImages?",
		"authorizer == null":                  "compiling CEL: /0/expression: CEL at 1:1: undeclared reference to 'authorizer'",
		"resorce == null":                     "compiling CEL: /0/expression: CEL at 1:1: undeclared reference to 'resorce': did you mean resource?",
	} {
		_, err := NewCompiler().Compile(kyverno(expression))
		if err == nil {
			t.Fatalf("%s compiles", expression)
		}
		same(t, expression, err.Error(), want)
	}
	src := kyverno("generator.Apply('', [{'kind': 'A'}])")
	src.Generations = nil
	_, err := NewCompiler().Compile(src)
	if err == nil {
		t.Fatal("a validation generates")
	}
	same(t, "generator", err.Error(), "compiling CEL: /0/expression: generator is read, but nothing is generated here: expected a GeneratingPolicy")
	if _, err := NewCompiler().Compile(one("exceptions.allowedImages.size() == 0")); err == nil {
		t.Error("the language of Kubernetes knows exceptions")
	}
}

func TestReferencesOfKyverno(t *testing.T) {
	src := withVariables(kyverno("request.oldObject == null && variables.used == null && has(exceptions.allowedValues)"),
		"used", "http == http ? null : null", "unused", "resource == resource")
	if got, want := mustCompile(t, src).References(), []string{"exceptions", "http", "oldObject"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
