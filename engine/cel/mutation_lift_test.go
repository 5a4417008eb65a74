package cel

import (
	"strings"
	"testing"
)

func TestAMutationOfPodsIsLiftedToTemplates(t *testing.T) {
	deployment, cronJob := []string{"spec", "template"}, []string{"spec", "jobTemplate", "spec", "template"}
	tests := map[string]struct {
		text     string
		template []string
		want     string
	}{
		"what is read":             {`object.spec.x + oldObject.spec.y + object.metadata.labels.z`, deployment, `object.spec.template.spec.x + oldObject.spec.template.spec.y + object.spec.template.metadata.labels.z`},
		"what a controller has":    {`object.metadata.name + object.kind + object.metadata.namespace`, deployment, `object.metadata.name + object.kind + object.metadata.namespace`},
		"what may be absent":       {`object.?spec.?x.orValue(object.metadata.?annotations)`, deployment, `object.?spec.?template.?spec.?x.orValue(object.spec.template.metadata.?annotations)`},
		"of a namespace":           {`namespaceObject.metadata.labels.x == namespaceObject.spec.y`, deployment, `namespaceObject.metadata.labels.x == namespaceObject.spec.y`},
		"another name":             {`variables.objects.specs + object.specs`, deployment, `variables.objects.specs + object.specs`},
		"of the request":           {`request.object.spec.x`, deployment, `request.object.spec.template.spec.x`},
		"texts and comments stay":  {`object.spec.x == "object.spec {" // of object.spec }` + "\n" + `&& 'it\'s object.spec' != """object.spec"""`, deployment, `object.spec.template.spec.x == "object.spec {" // of object.spec }` + "\n" + `&& 'it\'s object.spec' != """object.spec"""`},
		"behind a raw text":        {`r'\' + object.spec.x + b'object.spec'`, deployment, `r'\' + object.spec.template.spec.x + b'object.spec'`},
		"what is made":             {`Object{spec: Object.spec{a: 1}}`, deployment, `Object{spec: Object.spec{template: Object.spec.template{spec: Object.spec.template.spec{a: 1}}}}`},
		"what is made for CronJob": {`Object {metadata: Object.metadata{labels: {"a": "b"}}}`, cronJob, `Object {spec: Object.spec{jobTemplate: Object.spec.jobTemplate{spec: Object.spec.jobTemplate.spec{template: Object.spec.jobTemplate.spec.template{metadata: Object.spec.jobTemplate.spec.template.metadata{labels: {"a": "b"}}}}}}}`},
		"each of several":          {`has(object.spec.x) ? Object{} : Object{spec: Object.spec{m: {"a": {}}}}`, deployment, `has(object.spec.template.spec.x) ? Object{spec: Object.spec{template: Object.spec.template{}}} : Object{spec: Object.spec{template: Object.spec.template{spec: Object.spec.template.spec{m: {"a": {}}}}}}`},
		"a text that does not end": {`'object.spec`, deployment, `'object.spec`},
		"nothing":                  {``, deployment, ``},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) { same(t, test.text, Lift(test.text, test.template), test.want) })
	}
}

func TestALiftedMutationMakesWhatThePodsDoes(t *testing.T) {
	lifted := Lift(`Object{metadata: Object.metadata{labels: {"n": object.spec.containers[0].name}}, spec: Object.spec{containers: object.spec.containers.map(c, Object.spec.containers{name: c.name})}}`, []string{"spec", "template"})
	rule := mustCompile(t, Source{Language: Kyverno, Mutations: []Mutation{{ApplyConfiguration, lifted}}})
	var got Patch
	made := rule.Mutate(t.Context(), &Input{Object: parse(t, "{spec: {template: {spec: {containers: [{name: a, image: b}]}}}}")}, func(object map[string]any, p Patch) (map[string]any, error) {
		got = p
		return object, nil
	})
	if made.Err != nil {
		t.Fatal(made.Err)
	}
	same(t, "the patch", text(t, got.Object), `{"spec":{"template":{"metadata":{"labels":{"n":"a"}},"spec":{"containers":[{"name":"a"}]}}}}`)
}

func FuzzLiftKeepsWhatIsNotItsBusiness(f *testing.F) {
	for _, seed := range []string{`a + "b" // c`, `r'\' + '}'`, `"""`, `{{}}`, `'\`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if strings.Contains(text, "bject") {
			return
		}
		same(t, "lifted", Lift(text, []string{"spec", "template"}), text)
	})
}
