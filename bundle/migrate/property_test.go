package migrate

import (
	"maps"
	"slices"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"pgregory.net/rapid"

	authenticationv1 "k8s.io/api/authentication/v1"

	"github.com/holdfast-io/holdfast/bundle"
)

// drawTree draws a pattern of few keys and values, so that patterns and objects often meet.
func drawTree(depth int) *rapid.Generator[any] {
	leaf := rapid.SampledFrom([]any{nil, true, false, 0.0, 5.0, "*", "?*", "x-*", "!x", ">1", "<=5", "1-5", "1Gi", "x | y", "!x & !y", "true", "5 | x"})
	if depth == 0 {
		return leaf
	}
	below := rapid.Deferred(func() *rapid.Generator[any] { return drawTree(depth - 1) })
	keys := rapid.SampledFrom([]string{"a", "b", "(a)", "=(a)", "=(b)", "X(b)", "<(a)", "c"})
	object := rapid.MapOfN(keys, below, 1, 3)
	return rapid.OneOf(leaf,
		rapid.Map(object, func(m map[string]any) any { return map[string]any{"^(a)": []any{m}} }),
		rapid.Map(object, func(m map[string]any) any { return m }), rapid.Map(object, func(m map[string]any) any { return m }),
		rapid.Map(below, func(v any) any { return []any{v} }))
}

// drawJSON draws a value. None has the characters of operators: a text that is the pattern itself matches whatever that means.
func drawJSON(depth int) *rapid.Generator[any] {
	leaf := rapid.SampledFrom([]any{nil, true, false, 0.0, 1.0, 5.0, 0.5, "", "x", "y", "x-1", "5", "1Gi", "1024Mi", "true"})
	if depth == 0 {
		return leaf
	}
	below := rapid.Deferred(func() *rapid.Generator[any] { return drawJSON(depth - 1) })
	return rapid.OneOf(leaf,
		rapid.Map(rapid.MapOfN(rapid.SampledFrom([]string{"a", "b", "c"}), below, 0, 3), func(m map[string]any) any { return m }),
		rapid.Map(rapid.SliceOfN(below, 0, 3), func(l []any) any { return append([]any{}, l...) }))
}

func policyWith(validate map[string]any) map[string]any {
	return map[string]any{
		"apiVersion": "kyverno.io/v1", "kind": "ClusterPolicy", "metadata": map[string]any{"name": "p"},
		"spec": map[string]any{"rules": []any{map[string]any{
			"name":  "r",
			"match": map[string]any{"any": []any{map[string]any{"resources": map[string]any{"kinds": []any{"example.com/v1/Widget"}}}}},
			// without the note on updates there is nothing but the pattern
			"validate": maps.Clone(validate),
		}}},
	}
}

// Whatever the pattern and whatever the object: a rule that was translated says of it what the rule said.
func TestATranslationSaysWhatTheRuleSaid(t *testing.T) {
	m, err := New(Options{Now: time.Unix(0, 0)})
	if err != nil {
		t.Fatal(err)
	}
	kind := schema.GroupVersionKind{Group: "example.com", Version: "v1", Kind: "Widget"}
	translated := 0
	rapid.Check(t, func(t *rapid.T) {
		tree := rapid.Map(rapid.MapOfN(rapid.SampledFrom([]string{"spec", "=(spec)", "(spec)", "data"}), drawTree(3), 1, 2),
			func(m map[string]any) any { return m }).Draw(t, "pattern")
		document := policyWith(map[string]any{"message": "no", "pattern": tree})
		object, problems := bundle.CompileObject(m.compiler, clone(document))
		if len(problems) > 0 {
			t.Skip(problems) // the engine refuses the pattern
		}
		ways, settings, err := m.drafts(object, 0)
		if err != nil {
			t.Skip(err)
		}
		translated++
		text := ways[0].parts[0].draft.document(headerOf(object.Source), settings, settings.actions[0])
		old, err := m.compiled(document)
		if err != nil {
			t.Fatal(err)
		}
		now, err := m.compiled(clone(plainValue(text).(map[string]any)))
		if err != nil {
			t.Fatal(err)
		}
		var requests []request
		for range 20 {
			object := map[string]any{"apiVersion": "example.com/v1", "kind": "Widget", "metadata": map[string]any{"name": "w", "namespace": "default"}}
			for _, key := range []string{"spec", "data"} {
				if value := drawJSON(3).Draw(t, key); value != "absent" {
					object[key] = value
				}
			}
			requests = append(requests, requestsFor(kind, "widgets", object, object, &authenticationv1.UserInfo{Username: "jane"})...)
		}
		counter, _, err := m.compare(t.Context(), old, now, world{}, requests)
		if err != nil {
			t.Fatal(err)
		}
		if counter != nil {
			policy := Policy{text: text}
			text, _ := policy.YAML()
			t.Fatalf("%v: %v\n%s\n%s", counter, counter.Object, counter.Message, text)
		}
	})
	if translated == 0 {
		t.Error("no pattern was translated")
	}
}

func TestTheSameInputGivesTheSameOutput(t *testing.T) {
	m, err := New(Options{Now: time.Unix(0, 0)})
	if err != nil {
		t.Fatal(err)
	}
	document := policyWith(map[string]any{"pattern": map[string]any{"spec": map[string]any{"=(a)": "x | y", "b": []any{map[string]any{"c": ">5"}}}}})
	var texts []string
	for range 3 {
		result, err := m.Translate(t.Context(), clone(document))
		if err != nil {
			t.Fatal(err)
		}
		text, err := result.YAML()
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, string(text))
	}
	if texts = slices.Compact(texts); len(texts) != 1 || texts[0] == "" {
		t.Errorf("got %d different texts:\n%s", len(texts), texts)
	}
}
