package cel

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// notes is a World that keeps what is to be generated.
type notes struct {
	aWorld
	lines []string
}

func (n *notes) Generate(namespace string, objects []map[string]any) error {
	for _, o := range objects {
		n.lines = append(n.lines, fmt.Sprintf("%s<- %v", namespace, o))
	}
	return nil
}

// generating is a Source with one template, whose placeholders are read.
func generating(template string) Source {
	return Source{Language: Kyverno, Generations: []Generation{{Template: &Template{template, CELTemplate}}}}
}

func applying(expressions ...string) Source {
	src := Source{Language: Kyverno}
	for _, text := range expressions {
		src.Generations = append(src.Generations, Generation{Expression: text})
	}
	return src
}

func generated(t *testing.T, src Source, object string) string {
	t.Helper()
	world := &notes{}
	errs := mustCompile(t, src).Generate(t.Context(), &Input{Object: parse(t, object), World: world})
	for _, err := range errs {
		world.lines = append(world.lines, "error: "+err.Error())
	}
	return strings.Join(world.lines, "\n")
}

const cm = "apiVersion: v1\nkind: ConfigMap\n"

func TestGenerationsByTemplate(t *testing.T) {
	const object = `{metadata: {name: shop, labels: {app: web}}, spec: {replicas: 3, ports: [80, 443], live: true, none: null}}`
	for sentence, c := range map[string]struct{ template, want string }{
		"a constant": {cm + "metadata: {name: a, namespace: b}\ndata: {n: 1, t: yes, f: 1.5, d: 2024-01-02, u: null}", "b<- map[apiVersion:v1 data:map[d:2024-01-02 f:1.5 n:1 t:yes u:<nil>] kind:ConfigMap metadata:map[name:a namespace:b]]"},
		"several documents, empty ones aside": {
			"---\n" + cm + "metadata: {name: a}\n---\n---\n" + cm + "metadata: {name: b}",
			"<- map[apiVersion:v1 kind:ConfigMap metadata:map[name:a]]\n<- map[apiVersion:v1 kind:ConfigMap metadata:map[name:b]]",
		},
		"a placeholder for a map":                {cm + "metadata: {name: a, labels: (( object.metadata.labels ))}", "<- map[apiVersion:v1 kind:ConfigMap metadata:map[labels:map[app:web] name:a]]"},
		"placeholders for scalars":               {cm + "metadata: {name: a}\nspec: [(( object.spec.replicas )), (( object.spec.live )), (( object.spec.none ))]", "<- map[apiVersion:v1 kind:ConfigMap metadata:map[name:a] spec:[3 true <nil>]]"},
		"placeholders within a text":             {cm + "metadata: {name: (( object.metadata.name ))-(( object.spec.replicas ))-(( object.spec.live ))}", "<- map[apiVersion:v1 kind:ConfigMap metadata:map[name:shop-3-true]]"},
		"a namespace by placeholder":             {cm + "metadata: {name: a, namespace: (( object.metadata.name ))}", "shop<- map[apiVersion:v1 kind:ConfigMap metadata:map[name:a namespace:shop]]"},
		"parentheses and texts in a placeholder": {cm + `metadata: {name: a, annotations: {a: '(( (size("))") + 1) > 2 ? ")" : "((" ))'}}`, "<- map[apiVersion:v1 kind:ConfigMap metadata:map[annotations:map[a:)] name:a]]"},
		"a long text in a placeholder":           {cm + `metadata: {name: a, annotations: {a: "(( '''it's )) ''' ))"}}`, "<- map[apiVersion:v1 kind:ConfigMap metadata:map[annotations:map[a:it's )) ] name:a]]"},
		"an escaped placeholder":                 {cm + `metadata: {name: a, annotations: {a: '\(( object ))'}}`, "<- map[apiVersion:v1 kind:ConfigMap metadata:map[annotations:map[a:(( object ))] name:a]]"},
		"a document that is one placeholder": {
			"|-\n  (( {'apiVersion': dyn('v1'), 'kind': dyn('Secret'), 'metadata': dyn({'name': object.metadata.name})} ))",
			"<- map[apiVersion:v1 kind:Secret metadata:map[name:shop]]",
		},
		"anchors":                       {cm + "metadata: &m {name: (( object.metadata.name ))}\nspec: {template: {metadata: *m}}", "<- map[apiVersion:v1 kind:ConfigMap metadata:map[name:shop] spec:map[template:map[metadata:map[name:shop]]]]"},
		"merge keys in a constant part": {cm + "metadata: {name: (( object.metadata.name ))}\nspec: {a: &a {x: 1}, b: {<<: *a, y: 2}}", "<- map[apiVersion:v1 kind:ConfigMap metadata:map[name:shop] spec:map[a:map[x:1] b:map[x:1 y:2]]]"},
		"a field that is not there":     {cm + "metadata: {name: (( object.metadata.nope ))}", "error: generate[0]: document 1: metadata: name: expression 'object.metadata.nope': no such key: nope"},
		"a list within a text":          {cm + "metadata: {name: 'a-(( object.spec.ports ))'}", "error: generate[0]: document 1: metadata: name: expression 'object.spec.ports': a list has no place within a text: expected text, a number or a boolean"},
		"a document that is text":       {"(( object.metadata.name ))", "error: generate[0]: document 1 is no object"},
	} {
		t.Run(sentence, func(t *testing.T) { same(t, "generated", generated(t, generating(c.template), object), c.want) })
	}
}

func TestAPlainTemplateHasNoPlaceholders(t *testing.T) {
	src := Source{Language: Kyverno, Generations: []Generation{{Template: &Template{Value: cm + "metadata: {name: (( object ))}"}}}}
	same(t, "generated", generated(t, src, "{}"), "<- map[apiVersion:v1 kind:ConfigMap metadata:map[name:(( object ))]]")
}

func TestWhatATemplateGeneratesIsNotShared(t *testing.T) {
	rule := mustCompile(t, generating(cm+"metadata: {name: a}\nspec: {list: [{a: 1}]}"))
	for range 2 {
		world := &keeper{}
		if errs := rule.Generate(t.Context(), &Input{World: world}); len(errs) > 0 {
			t.Fatal(errs)
		}
		spec := world.objects[0]["spec"].(map[string]any)
		same(t, "spec", fmt.Sprint(spec), "map[list:[map[a:1]]]")
		spec["list"].([]any)[0].(map[string]any)["a"] = 2.0
		delete(world.objects[0], "metadata")
	}
}

type keeper struct {
	aWorld
	objects []map[string]any
}

func (k *keeper) Generate(_ string, objects []map[string]any) error {
	k.objects = append(k.objects, objects...)
	return nil
}

func TestGenerationsByExpression(t *testing.T) {
	const object = `{metadata: {name: shop}, data: {namespaces: 'a,b'}}`
	const one = `[{'kind': dyn('Secret'), 'metadata': dyn({'name': 's'})}]`
	for sentence, c := range map[string]struct {
		src  Source
		want string
	}{
		"one call":       {applying(`generator.Apply(object.metadata.name, ` + one + `)`), "shop<- map[kind:Secret metadata:map[name:s]]"},
		"for each":       {applying(`object.data.namespaces.split(',').all(ns, generator.apply(ns, ` + one + `))`), "a<- map[kind:Secret metadata:map[name:s]]\nb<- map[kind:Secret metadata:map[name:s]]"},
		"none":           {applying(`object.metadata.name == 'other' ? generator.Apply('a', ` + one + `) : false`), ""},
		"several":        {applying(`generator.Apply('a', `+one+`)`, `generator.Apply('b', `+one+`)`), "a<- map[kind:Secret metadata:map[name:s]]\nb<- map[kind:Secret metadata:map[name:s]]"},
		"a variable":     {withVariables(applying(`generator.Apply('a', variables.list)`), "list", one), "a<- map[kind:Secret metadata:map[name:s]]"},
		"one that fails": {applying(`generator.Apply(object.nope, `+one+`)`, `generator.Apply('b', `+one+`)`), "b<- map[kind:Secret metadata:map[name:s]]\nerror: generate[0]: expression 'generator.Apply(object.nope, " + one + ")': no such key: nope"},
		"null":           {applying(`generator.Apply('a', [object.?nope.orValue(null)])`), "error: generate[0]: expression 'generator.Apply('a', [object.?nope.orValue(null)])': generator.Apply: element 0 is null: there is no such object"},
	} {
		t.Run(sentence, func(t *testing.T) { same(t, "generated", generated(t, c.src, object), c.want) })
	}
}

// A look-up that fails ends the evaluation: what comes after might rest on it.
func TestAnErrorFromOutsideEndsAllGenerations(t *testing.T) {
	world := &notes{aWorld: aWorld{err: errors.New("no route")}}
	rule := mustCompile(t, applying(`generator.Apply('a', [resource.Get('v1', 'secrets', 'default', 's')])`, `generator.Apply('b', [{'a': dyn(1)}])`))
	errs := rule.Generate(t.Context(), &Input{World: world})
	if len(errs) != 1 || errors.Is(errs[0], ErrExpression) || len(world.lines) != 0 {
		t.Errorf("got %v and %v", errs, world.lines)
	}
}

func TestGenerationsWithoutAWorld(t *testing.T) {
	for _, src := range []Source{generating(cm + "metadata: {name: a}"), applying(`generator.Apply('a', [{'a': dyn(1)}])`)} {
		errs := mustCompile(t, src).Generate(t.Context(), &Input{})
		if len(errs) != 1 || !errors.Is(errs[0], ErrNoWorld) {
			t.Errorf("got %v", errs)
		}
	}
}

func TestGenerationsThatAreRefusedAtLoad(t *testing.T) {
	named := func(template string) Source {
		src := generating(template)
		src.Namespace = "team-a"
		return src
	}
	for sentence, c := range map[string]struct {
		src  Source
		want string
	}{
		"neither form":            {applying(""), ": has neither an expression nor a template: expected one of the two"},
		"both forms":              {Source{Language: Kyverno, Generations: []Generation{{"true", &Template{}}}}, ": has an expression and a template: expected one of the two"},
		"an expression of a list": {applying("[1]"), "/expression: gives list(int): expected bool"},
		"Apply of what is no list": {applying("generator.Apply('a', 'b')"),
			"/expression: CEL at 1:16: found no matching overload for 'Apply' applied to 'generator.Context.(string, string)'"},
		"an empty template":                {generating(" \n---\n"), "/template/value: is empty: expected at least one object in YAML"},
		"broken YAML":                      {generating("a: [\nb"), "/template/value: is no YAML: line 2: did not find expected ',' or ']'"},
		"a list":                           {generating("- a"), "/template/value: YAML at 1:1: is no mapping: expected an object"},
		"a list of placeholders":           {generating("- (( object ))"), "/template/value: YAML at 1:1: is no mapping: expected an object"},
		"text":                             {generating("a-(( 1 ))"), "/template/value: YAML at 1:1: is no mapping: expected an object"},
		"no kind and name":                 {generating("apiVersion: v1\nmetadata: {}"), "/template/value: YAML at 1:1: kind is missing; /template/value: YAML at 1:1: metadata.name is missing"},
		"an empty kind":                    {generating("apiVersion: v1\nkind: ''\nmetadata: (( object.metadata ))"), "/template/value: YAML at 1:1: kind is missing"},
		"a key twice":                      {generating(cm + "metadata: {name: a}\nmetadata: {name: b}"), "/template/value: YAML at 1:1: line 4: mapping key \"metadata\" already defined at line 3"},
		"a key twice beside a placeholder": {generating(cm + "kind: a\nmetadata: {name: (( object.a ))}"), `/template/value: YAML at 3:1: "kind" stands twice`},
		"a placeholder in a key":           {generating(cm + "metadata: {name: a, labels: {(( object.a )): b}}"), "/template/value: YAML at 3:30: a key has no placeholders: expected one for the whole mapping, such as labels: (( variables.labels ))"},
		"a broken placeholder":             {generating(cm + "metadata:\n  name: (( object. ))"), "/template/value: YAML at 4:9: the placeholder (( object. )): CEL at 1:8: Syntax error: no viable alternative at input '.'"},
		"an unknown variable":              {withVariables(generating(cm+"metadata:\n  name: a-(( variables.nam ))"), "name", "'a'"), "/template/value: YAML at 4:9: the placeholder (( variables.nam )): CEL at 1:10: undefined field 'nam': did you mean name?"},
		"an empty placeholder":             {generating(cm + "metadata:\n  name: (( ))"), "/template/value: YAML at 4:9: the placeholder at character 1: it is empty: expected a CEL expression"},
		"one that does not end":            {generating(cm + "metadata:\n  name: a-(( object.a"), "/template/value: YAML at 4:9: the placeholder at character 3: it does not end: expected ))"},
		"one ) too many":                   {generating(cm + "metadata:\n  name: (( object.a) ))"), "/template/value: YAML at 4:9: the placeholder at character 1: it has a ) without its ("},
		"a text that does not end":         {generating(cm + "metadata:\n  name: (( 'a ))"), "/template/value: YAML at 4:9: the placeholder at character 1: a text in it does not end"},
		"a number that is none":            {generating(cm + "metadata: {name: a}\ndata: .nan"), "/template/value: YAML at 1:1: the number NaN has no place in JSON"},
		"another's namespace":              {named(cm + "metadata: {name: a, namespace: team-b}"), `/template/value: YAML at 1:1: metadata.namespace is "team-b": a policy of namespace team-a generates there only`},
		"aliases that multiply": {
			generating(cm + "metadata: {name: a}\na: &a [x, x, x, x, x, x, x, x, x, (( object.a ))]\nb: &b [*a, *a, *a, *a, *a, *a, *a, *a, *a, *a]\nc: &c [*b, *b, *b, *b, *b, *b, *b, *b, *b, *b]\nd: &d [*c, *c, *c, *c, *c, *c, *c, *c, *c, *c]\ne: [*d, *d, *d, *d, *d]"),
			"/template/value: holds more than 20000 values",
		},
	} {
		t.Run(sentence, func(t *testing.T) {
			src := c.src
			src.Paths.Generations = []any{}
			_, err := NewCompiler().Compile(src)
			if err == nil {
				t.Fatal("it compiles")
			}
			same(t, "error", strings.ReplaceAll(strings.TrimPrefix(err.Error(), "compiling CEL: "), "/0", ""), c.want)
		})
	}
}

func TestWhatGenerationsMakeIsFoundInTheirText(t *testing.T) {
	for sentence, c := range map[string]struct {
		src  Source
		want string
	}{
		"a template":                    {generating(cm + "metadata: {name: a, namespace: b}"), "[{v1 ConfigMap  b a}] false"},
		"a template with placeholders":  {generating(cm + "metadata: {name: (( object.a ))}"), "[{v1 ConfigMap   }] false"},
		"a kind by placeholder":         {generating("apiVersion: v1\nkind: (( object.a ))\nmetadata: {name: a}"), "[] true"},
		"an object in an expression":    {applying(`generator.Apply('a', [{'apiVersion': dyn('v1'), 'kind': dyn('Secret'), 'metadata': dyn({'name': 's'}), 'x': dyn({'apiVersion': 'v1', 'kind': 'Pod'})}])`), "[{v1 Secret   }] true"},
		"what is copied, in a variable": {withVariables(applying(`generator.Apply('a', [variables.s])`), "s", "resource.Get('v1', 'secrets', 'default', 's')"), "[{v1  secrets  }] true"},
		"nothing of it":                 {applying(`generator.Apply('a', [object])`), "[] true"},
	} {
		t.Run(sentence, func(t *testing.T) {
			made, open := mustCompile(t, c.src).Makes()
			same(t, "made", fmt.Sprint(made, open), c.want)
		})
	}
}

func FuzzTemplate(f *testing.F) {
	for _, text := range []string{cm + "metadata: {name: (( object.a ))-b}", "(( object ))", `a: \(( b ))`, "&a [*a]", "a: ((( '\\'' ))", "? [a]\n: b"} {
		f.Add(text)
	}
	compiler := NewCompiler()
	f.Fuzz(func(t *testing.T, text string) {
		rule, err := compiler.Compile(generating(text))
		if err != nil {
			return
		}
		rule.Generate(t.Context(), &Input{Object: map[string]any{"a": "b"}, World: &notes{}})
	})
}
