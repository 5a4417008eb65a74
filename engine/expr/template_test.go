package expr

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"
)

func environment() *Env {
	return &Env{
		Functions: NewFunctions(),
		Now:       func() time.Time { return time.Unix(1_800_000_000, 0).UTC() },
		Root: map[string]any{
			"name": "web", "which": "name", "empty": nil, "n": 7.0, "braces": "{{ name }}",
			"list":    []any{"a", "b"},
			"map":     map[string]any{"web": "found", "a.b": "dotted"},
			"request": map[string]any{"object": map[string]any{"spec": map[string]any{"tier": "front", "ports": []any{80.0, 443.0}}}},
		},
	}
}

func TestTemplate(t *testing.T) {
	for name, c := range map[string]struct {
		doc  any
		opts TemplateOptions
		want any
	}{
		"a text without variables":             {doc: "plain", want: "plain"},
		"a variable alone keeps its type":      {doc: "{{ n }}", want: 7.0},
		"a list":                               {doc: "{{ list }}", want: []any{"a", "b"}},
		"null":                                 {doc: "{{ empty }}", want: nil},
		"a variable in a text":                 {doc: "is {{ name }}.", want: "is web."},
		"a number in a text":                   {doc: "{{ n }} pieces", want: "7 pieces"},
		"a list in a text":                     {doc: "of {{ list }}", want: `of ["a","b"]`},
		"two variables":                        {doc: "{{name}}-{{n}}", want: "web-7"},
		"a variable in a variable":             {doc: "{{ map.{{ name }} }}", want: "found"},
		"a variable that names one":            {doc: "{{ {{ which }} }}", want: "web"},
		"three in one another":                 {doc: "{{ map.{{ {{ which }} }} }}", want: "found"},
		"the value of a variable is data":      {doc: "{{ braces }}", want: "{{ name }}"},
		"and in a text":                        {doc: "see {{ braces }}", want: "see {{ name }}"},
		"an escaped variable":                  {doc: `\{{ name }}`, want: "{{ name }}"},
		"an escaped one and another":           {doc: `\{{ name }} is {{ name }}`, want: "{{ name }} is web"},
		"an escaped reference":                 {doc: `\$(name)`, want: "$(name)"},
		"braces that nothing closes":           {doc: "{{ name", want: "{{ name"},
		"braces that nothing opens":            {doc: "name }}", want: "name }}"},
		"the mark of a raw variable":           {doc: "{{- name }}", want: "web"},
		"braces of JMESPath":                   {doc: "{{ {a: {b: name}} }}", want: map[string]any{"a": map[string]any{"b": "web"}}},
		"an object":                            {doc: map[string]any{"a": "{{ n }}", "b": []any{"x", "{{ name }}"}}, want: map[string]any{"a": 7.0, "b": []any{"x", "web"}}},
		"a variable in a key":                  {doc: map[string]any{"{{ name }}-key": "v"}, want: map[string]any{"web-key": "v"}},
		"a key that is a number":               {doc: map[string]any{"{{ n }}": "v"}, want: map[string]any{"7": "v"}},
		"an escape in a key":                   {doc: map[string]any{`\{{ x }}`: "v"}, want: map[string]any{"{{ x }}": "v"}},
		"values that are no text":              {doc: []any{1.0, true, nil}, want: []any{1.0, true, nil}},
		"the object's value at the same place": {doc: map[string]any{"spec": map[string]any{"tier": "{{ @ }}-end"}}, opts: selfOptions, want: map[string]any{"spec": map[string]any{"tier": "front-end"}}},
		"the same in a list":                   {doc: map[string]any{"spec": map[string]any{"ports": []any{"{{ @ }}", "{{@}}"}}}, opts: selfOptions, want: map[string]any{"spec": map[string]any{"ports": []any{80.0, 443.0}}}},
		"the same below an anchor":             {doc: map[string]any{"spec": map[string]any{"(tier)": "{{ @ }}"}}, opts: selfOptions, want: map[string]any{"spec": map[string]any{"(tier)": "front"}}},
		"the same with a function":             {doc: map[string]any{"spec": map[string]any{"tier": "{{ to_upper('{{ @ }}') }}"}}, opts: selfOptions, want: map[string]any{"spec": map[string]any{"tier": "FRONT"}}},
	} {
		t.Run(name, func(t *testing.T) {
			tmpl, err := CompileTemplate(c.doc, c.opts)
			if err != nil {
				t.Fatal(err)
			}
			got, err := tmpl.Render(environment())
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, c.want) {
				t.Errorf("got %#v, want %#v", got, c.want)
			}
		})
	}
}

var selfOptions = TemplateOptions{Self: []string{"request", "object"}, Key: func(k string) string { return strings.Trim(k, "()") }}

func TestTemplateThatIsWrong(t *testing.T) {
	for name, c := range map[string]struct {
		doc  any
		path []any
		want string
	}{
		"an empty variable":       {"{{ }}", nil, `expression "": the expression is empty`},
		"broken JMESPath":         {map[string]any{"a": []any{"x", "{{ a b }}"}}, []any{"a", 1}, `expression "a b": at character 3: Unexpected token at the end of the expression: tUnquotedIdentifier`},
		"in a key":                {map[string]any{"{{ }}": "v"}, []any{"{{ }}"}, `expression "": the expression is empty`},
		"an unknown function":     {"{{ to_uper(name) }}", nil, `expression "to_uper(name)": unknown function "to_uper": did you mean "to_upper"?`},
		"{{ @ }} without meaning": {"{{ @ }}", nil, "{{ @ }} has no meaning here: it stands for the object's value at the same place of a pattern or patch"},
		"a reference":             {"$(./../x)", nil, "a reference to another field, here $(./../x), has no meaning in this place"},
		"ten in one another":      {strings.Repeat("{{ ", 10) + "a" + strings.Repeat(" }}", 10), nil, "variables are nested more than 8 deep"},
		"an expression reference": {"{{ &name }}", nil, `expression "&name": &: an expression reference stands as an argument of a function only`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := CompileTemplate(c.doc, TemplateOptions{})
			var wrong *TemplateError
			if !errors.As(err, &wrong) {
				t.Fatalf("got %v, want a *TemplateError", err)
			}
			if wrong.Error() != c.want {
				t.Errorf("got %s\nwant %s", wrong, c.want)
			}
			if len(wrong.Path)+len(c.path) > 0 && !reflect.DeepEqual(wrong.Path, c.path) {
				t.Errorf("got path %v, want %v", wrong.Path, c.path)
			}
		})
	}
}

func TestTemplateThatCannotBeResolved(t *testing.T) {
	for doc, want := range map[string]string{
		"{{ nobody }}":               `nobody: not found: unknown key "nobody"`,
		"see {{ request.nobody.x }}": `request.nobody: not found: unknown key "nobody"`,
		"{{ map.{{ nobody }} }}":     `nobody: not found: unknown key "nobody"`,
		"{{ {{ n }} }}":              `expression "7": at character 1: Invalid token: tNumber`,
		"{{ to_upper(n) }}":          "to_upper(n): function to_upper: argument 1 must be a string, not a number",
	} {
		tmpl, err := CompileTemplate(doc, TemplateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		_, err = tmpl.Render(environment())
		if got := message(err); got != want {
			t.Errorf("%s:\n got %s\nwant %s", doc, got, want)
		}
	}
	tmpl, err := CompileTemplate("{{ nobody }}", TemplateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tmpl.Render(environment()); !errors.Is(err, ErrNotFound) {
		t.Errorf("got %v, want one that wraps ErrNotFound", err)
	}
}

func message(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestTemplateReferences(t *testing.T) {
	for doc, want := range map[string][]string{
		"plain":                                     nil,
		"{{ request.object.spec.x }} {{ a }}":       {"a", "request.object.spec.x"},
		"{{ images.containers.*.tag }}":             {"images"},
		"{{ request.object.a.b.c.d.e }}":            {"request.object.a.b.c"},
		"{{ request.object.a.\"b.c\".d }}":          {"request.object.a"},
		"{{ request.object.a[0].b }}":               {"request.object.a"},
		"{{ request.object.a[?b == `1`].c | [0] }}": {"request.object.a"},
		"{{ request.object.{a: b} }}":               {"request.object"},
		"{{ request.object | a }}":                  {"request.object"},
		"{{ request.object.* }}":                    {"request.object"},
		"{{ request.oldObject.a.b }}":               {"request.oldObject"},
		"{{ {{ which }} }}":                         {"@", "which"},
		"{{ request }}":                             {"request"},
		"{{ @ || a }}":                              {"@", "a"},
		"{{ list[?x == name] }}":                    {"list"},
		"{{ a | b }}":                               {"a"},
		"{{ to_upper(request.userInfo.username) }}": {"request.userInfo"},
		"{{ [a, b.c, {d: request.roles}] }}":        {"a", "b", "request.roles"},
		"{{ map(&x, list) }}":                       {"list"},
	} {
		tmpl, err := CompileTemplate(doc, TemplateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if got := tmpl.References(); !reflect.DeepEqual(got, want) && len(got)+len(want) > 0 {
			t.Errorf("%s: got %v, want %v", doc, got, want)
		}
	}
}

func TestRenderedTextIsBounded(t *testing.T) {
	env := environment()
	env.Root["big"] = strings.Repeat("x", MaxRendered/2+1)
	tmpl, err := CompileTemplate("{{ big }} {{ big }}", TemplateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tmpl.Render(env); message(err) != "the text with its variables is longer than 2097152 bytes" {
		t.Errorf("got %v", err)
	}
}

func TestSpans(t *testing.T) {
	for in, want := range map[string][]string{
		"none":                         nil,
		"{{ a }} and {{b}}":            {"{{ a }}", "{{b}}"},
		`\{{ a }} {{ b }}`:             {"{{ b }}"},
		"{{ a.{{ b }} }}":              {"{{ a.{{ b }} }}"},
		"{{ open {{ a }}":              {"{{ a }}"},
		"{{ {a: {b: c}} }}":            {"{{ {a: {b: c}} }}"},
		strings.Repeat("{{", 20) + "a": nil,
	} {
		var got []string
		for _, s := range Spans(in) {
			got = append(got, in[s.Start:s.End])
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %q, want %q", in, got, want)
		}
	}
}

// A long row of opening braces must cost no more than its length: at a square of it this is minutes.
func TestOpeningBracesAreReadInLinearTime(t *testing.T) {
	start := time.Now()
	for _, unit := range []string{"{{", "{{ a ", "{{ a }} {{ ", "{ {{"} {
		in := strings.Repeat(unit, 1<<20/len(unit))
		Spans(in)
		_, err := CompileTemplate(in, TemplateOptions{})
		t.Logf("%q: %.60v", unit, err)
	}
	if took := time.Since(start); took > 20*time.Second {
		t.Errorf("it took %s", took)
	}
}

func FuzzTemplate(f *testing.F) {
	for _, s := range []string{"plain", "{{ name }}", "{{ map.{{ name }} }}", `\{{ x }} {{ n }}`, "{{{{{{", "{{ {a: {b: n}} }}", "}}{{", "{{- n }}", "{{ @ }}", "$(a)", `\$(a)`, "{{ list[0] }}{{ list }}"} {
		f.Add(s)
	}
	env := environment()
	f.Fuzz(func(t *testing.T, s string) {
		tmpl, err := CompileTemplate(map[string]any{"spec": s}, selfOptions)
		if err != nil {
			return
		}
		got, err := tmpl.Render(env)
		if err != nil {
			return
		}
		if !strings.Contains(s, "{{") && !strings.Contains(s, `\$(`) {
			if m, ok := got.(map[string]any); !ok || m["spec"] != s {
				t.Errorf("a text without variables became %v", got)
			}
		}
		if again, err := tmpl.Render(env); err != nil || (!reflect.DeepEqual(got, again) && !strings.Contains(s, "random")) {
			t.Errorf("a second time: %v, %v after %v", again, err, got)
		}
		for _, span := range Spans(s) {
			if v := s[span.Start:span.End]; !strings.HasPrefix(v, "{{") || !strings.HasSuffix(v, "}}") {
				t.Errorf("%q is no variable", v)
			}
		}
	})
}
