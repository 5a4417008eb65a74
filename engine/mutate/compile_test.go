package mutate

import (
	"errors"
	"reflect"
	"strings"
	"testing"
)

func TestCompileStrategicErrors(t *testing.T) {
	s := newSchema(t)
	for name, c := range map[string]struct {
		patch string
		path  []any
		want  string
	}{
		"a list is no patch":             {`[a]`, nil, "a patch must be an object, this is a list"},
		"nor is a text":                  {`a`, nil, "a patch must be an object, this is a string"},
		"nor is null":                    {`null`, nil, "a patch must be an object, this is null"},
		"equality is for conditions":     {`{spec: {=(a): b}}`, []any{"spec", "=(a)"}, "spec.=(a): an anchor of kind equality has no meaning in a patch outside of a condition: the anchors of patches are (k), <(k) and +(k)"},
		"existence is for conditions":    {`{spec: {^(a): [b]}}`, []any{"spec", "^(a)"}, "spec.^(a): an anchor of kind existence has no meaning in a patch outside of a condition: the anchors of patches are (k), <(k) and +(k)"},
		"negation is for conditions":     {`{spec: {X(a): b}}`, []any{"spec", "X(a)"}, "spec.X(a): an anchor of kind negation has no meaning in a patch outside of a condition: the anchors of patches are (k), <(k) and +(k)"},
		"an anchor must be closed":       {`{spec: {l: [{"+(a": b}]}}`, []any{"spec", "l", 0, "+(a"}, "spec.l[0].+(a: looks like an anchor and is none: the anchors of patches are (k), <(k) and +(k)"},
		"anchors do not nest":            {`{"+((a))": b}`, []any{"+((a))"}, "+((a)): has one anchor inside another"},
		"a field is set once":            {`{spec: {a: b, +(a): c}}`, []any{"spec", "a"}, "spec.a: sets the same field as +(a)"},
		"a condition that adds sets too": {`{spec: {a: b, (a): {+(c): d}}}`, []any{"spec", "a"}, "spec.a: sets the same field as (a)"},
		"an unknown directive":           {`{spec: {$patch: drop}}`, []any{"spec", "$patch"}, "spec.$patch: unknown directive drop: expected delete, merge or replace"},
		"an unknown directive of a list": {`{spec: [{$patch: drop}]}`, []any{"spec", 0, "$patch"}, "spec[0].$patch: unknown directive drop: expected delete, merge or replace"},
		"the object cannot be deleted":   {`{$patch: delete}`, []any{"$patch"}, "$patch: a patch can neither delete nor replace the whole object"},
		"nor replaced":                   {`{$patch: replace, a: b}`, []any{"$patch"}, "$patch: a patch can neither delete nor replace the whole object"},
		"directives of kubectl":          {`{spec: {$retainKeys: [a]}}`, []any{"spec", "$retainKeys"}, "spec.$retainKeys: the directive $retainKeys is not part of Kyverno's patches"},
		"and of its lists":               {`{spec: {$setElementOrder/containers: [a]}}`, []any{"spec", "$setElementOrder/containers"}, "spec.$setElementOrder/containers: the directive $setElementOrder/containers is not part of Kyverno's patches"},
		"anchors in a list of lists":     {`{spec: {a: [[{(b): c}]]}}`, []any{"spec", "a", 0}, "spec.a[0]: anchors inside a list of lists select nothing"},
		"adding deep in a condition":     {`{spec: {(a): {b: {+(c): d}}}}`, []any{"spec", "(a)", "b", "+(c)"}, "spec.(a).b.+(c): the anchor +(c) has a meaning in mutate rules only"},
		"a bad query":                    {`{spec: {a: ["{{ request.object. }}"]}}`, []any{"spec", "a", 0}, ""},
		"an unknown function":            {`{spec: {a: "{{ shout(x) }}"}}`, []any{"spec", "a"}, ""},
		"a bad query in a condition":     {`{spec: {(a): "{{ b( }}"}}`, []any{"spec", "(a)"}, ""},
		"a bad query deep in one":        {`{spec: {(a): {c: "{{ b( }}"}}}`, []any{"spec", "(a)", "c"}, ""},
		"a bad query in a key":           {`{spec: {"{{ b( }}": x}}`, []any{"spec", "{{ b( }}"}, ""},
		"self without an object":         {`{spec: {a: "{{ @ }}"}}`, []any{"spec", "a"}, "spec.a: {{ @ }} has no meaning here: it stands for the object's value at the same place of a pattern or patch"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := CompileStrategic(value(t, c.patch), Options{Schema: s})
			var at *CompileError
			if !errors.As(err, &at) {
				t.Fatalf("got %v", err)
			}
			if !reflect.DeepEqual(at.Path, c.path) && len(at.Path)+len(c.path) > 0 {
				t.Errorf("path %v, want %v", at.Path, c.path)
			}
			if c.want != "" && err.Error() != c.want {
				t.Errorf("\n got %s\nwant %s", err, c.want)
			}
			if errors.Unwrap(err) == nil {
				t.Error("the reason is lost")
			}
		})
	}
}

func TestCompileStrategicRefusesWhatIsNotJSON(t *testing.T) {
	s := newSchema(t)
	_, err := CompileStrategic(map[string]any{"a": map[string]any{"b": struct{}{}}}, Options{Schema: s})
	if want := "a.b: a value of Go type struct {} is not JSON"; errorText(err) != want {
		t.Errorf("got %v, want %s", err, want)
	}
	var deep any = "end"
	for range 200 {
		deep = map[string]any{"a": deep}
	}
	_, err = CompileStrategic(deep, Options{Schema: s})
	if err == nil || !strings.HasSuffix(err.Error(), ": the patch is nested more than 100 deep") {
		t.Errorf("got %v", err)
	}
}

func TestCompileStrategicTakesAPrivateCopy(t *testing.T) {
	tree := object(t, `{metadata: {labels: {a: b}}, spec: {containers: [{(name): "*", args: [x]}]}}`)
	p, err := CompileStrategic(tree, Options{}) // without a schema it makes one
	if err != nil {
		t.Fatal(err)
	}
	labels := tree["metadata"].(map[string]any)["labels"].(map[string]any)
	labels["a"] = "changed"
	res := run(t, p, nil, object(t, `{apiVersion: v1, kind: Pod, spec: {containers: [{name: one}]}}`))
	want := `{"apiVersion":"v1","kind":"Pod","metadata":{"labels":{"a":"b"}},"spec":{"containers":[{"args":["x"],"name":"one"}]}}`
	if got := text(t, res.Object); got != want {
		t.Errorf("\n got %s\nwant %s", got, want)
	}
}

func TestWholeNumbersOfGoAreNumbers(t *testing.T) {
	p, err := CompileStrategic(map[string]any{"a": int64(5), "b": 6, "(c)": 7}, Options{Schema: newSchema(t)})
	if err != nil {
		t.Fatal(err)
	}
	res := run(t, p, nil, map[string]any{"a": 5.0, "c": 7.0})
	if got, want := text(t, res.Object), `{"a":5,"b":6,"c":7}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if _, isFloat := res.Object["b"].(float64); !isFloat {
		t.Errorf("b is a %T", res.Object["b"])
	}
}
