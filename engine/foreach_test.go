package engine

import (
	"context"
	"errors"
	"testing"
)

const twoContainers = "{apiVersion: v1, kind: Pod, metadata: {name: web, namespace: shop}, spec: {containers: [{name: a, image: 'nginx:1'}, {name: b, image: 'busybox'}]}}"

func foreach(body string) string {
	return withoutAutogen("p", "{rules: [{name: r, "+onPods+"validate: {foreach: ["+body+"]}}]}")
}

func TestForEach(t *testing.T) {
	const list = "list: request.object.spec.containers, "
	for name, c := range map[string]struct{ policy, want string }{
		"every element matches":     {foreach("{" + list + "pattern: {name: '?*'}}"), "r pass"},
		"one element does not":      {foreach("{" + list + "pattern: {image: '*:*'}}"), "r fail: failed at /image/ (element 1 of request.object.spec.containers)"},
		"any of two patterns":       {foreach("{" + list + "anyPattern: [{image: '*:*'}, {name: b}]}"), "r pass"},
		"a condition on an element": {foreach("{" + list + "deny: {conditions: {any: [{key: '{{ element.image }}', operator: Equals, value: busybox, message: 'no {{ element.name }}'}]}}}"), "r fail: no b (element 1 of request.object.spec.containers)"},
		"an element that the preconditions leave out": {
			foreach("{" + list + "preconditions: {all: [{key: '{{ element.name }}', operator: Equals, value: a}]}, pattern: {image: '*:*'}}"), "r pass",
		},
		"preconditions on a key that only some elements have leave the others out": {
			foreach("{" + list + "preconditions: {all: [{key: '{{ element.nothing }}', operator: Equals, value: a}]}, pattern: {image: '*:*'}}"), "r skip: there is no element to judge",
		},
		"an error in the preconditions is one": {
			foreach("{" + list + "preconditions: {all: [{key: '{{ to_number(element.name, `1`, `2`) }}', operator: Equals, value: a}]}, pattern: {image: '*:*'}}"), "",
		},
		"a list that is not there":  {foreach("{list: request.object.spec.nothing, pattern: {image: '*:*'}}"), "r skip: there is no element to judge"},
		"an object as the list":     {foreach("{list: 'request.object.spec.containers[0]', pattern: {name: a}}"), "r pass"},
		"texts":                     {foreach("{list: 'request.object.spec.containers[].name', deny: {conditions: {any: [{key: '{{ element }}', operator: Equals, value: b}]}}}"), "r fail: rule r failed (element 1 of request.object.spec.containers[].name)"},
		"a number as the list":      {foreach("{list: 'length(request.object.spec.containers)', deny: {}}"), "r error: could not be evaluated: foreach[0]: the list is 2: expected a list"},
		"the index":                 {foreach("{" + list + "deny: {conditions: {any: [{key: '{{ elementIndex }}', operator: Equals, value: 1}]}}}"), "r fail: rule r failed (element 1 of request.object.spec.containers)"},
		"its own context":           {foreach("{" + list + "context: [{name: tag, variable: {jmesPath: \"split(element.image, ':')[1] || 'none'\"}}], deny: {conditions: {any: [{key: '{{ tag }}', operator: Equals, value: none}]}}}"), "r fail: rule r failed (element 1 of request.object.spec.containers)"},
		"the whole object":          {foreach("{" + list + "elementScope: false, pattern: {metadata: {name: '?*'}}}"), "r pass"},
		"scope of no object":        {foreach("{list: 'request.object.spec.containers[].name', elementScope: true, pattern: {a: b}}"), "r error: could not be evaluated: foreach[0], element 0: elementScope is true, and the element is no object"},
		"one in another":            {foreach("{" + list + "foreach: [{list: 'keys(element0)', deny: {conditions: {all: [{key: '{{ element }}', operator: Equals, value: image}, {key: '{{ elementIndex0 }}', operator: Equals, value: 1}]}}}]}"), "r fail: rule r failed (element 0 of keys(element0)) (element 1 of request.object.spec.containers)"},
		"the first that is no pass": {foreach("{" + list + "pattern: {name: '?*'}}, {" + list + "deny: {conditions: {any: [{key: '{{ element.nothing }}', operator: Equals, value: x}]}}}"), `r error: could not be evaluated: deny conditions: any[0]: key: element.nothing: not found: unknown key "nothing"`},
		"a message with an element": {
			withoutAutogen("p", "{rules: [{name: r, "+onPods+"validate: {message: '{{ element.name }} is bad', foreach: [{"+list+"pattern: {image: '*:*'}}]}}]}"),
			"r fail: b is bad; failed at /image/ (element 1 of request.object.spec.containers)",
		},
	} {
		t.Run(name, func(t *testing.T) {
			if c.want == "" {
				if _, err := tryCompile(t, c.policy); err == nil {
					t.Error("got no error for a call with too many arguments")
				}
				return
			}
			same(t, "decisions", lines(snapshot(t, c.policy).Validate(t.Context(), asking(t, twoContainers), world{}.inputs())), c.want)
		})
	}
}

func TestForEachStopsWhenTimeIsUp(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	in := world{}.inputs()
	in.Given = func(_ *Rule, element int) map[string]any {
		if element == 0 { // in the midst of the list
			cancel()
		}
		return nil
	}
	s := snapshot(t, foreach("{list: request.object.spec.containers, pattern: {name: '?*'}}"))
	got := s.Validate(ctx, asking(t, twoContainers), in)
	if len(got) != 1 || !errors.Is(got[0].Err, context.Canceled) {
		t.Errorf("got %s, want an error because of the time", lines(got))
	}
}

func TestForEachAutogen(t *testing.T) {
	s := snapshot(t, clusterPolicy("p", "{rules: [{name: r, "+onPods+"validate: {foreach: [{list: request.object.spec.containers, pattern: {image: '*:*'}}]}}, "+
		"{name: m, "+onPods+"mutate: {foreach: [{list: request.object.spec.containers, patchStrategicMerge: {spec: {containers: [{(name): '{{ element.name }}', imagePullPolicy: Always}]}}}]}}]}"))
	deployment := asking(t, "{apiVersion: apps/v1, kind: Deployment, metadata: {name: web, namespace: shop}, spec: {template: {spec: {containers: [{name: a, image: nginx}]}}}}")
	same(t, "decisions", lines(s.Validate(t.Context(), deployment, world{}.inputs())), "autogen-r fail: failed at /image/ (element 0 of request.object.spec.template.spec.containers)")
	m, err := s.Mutate(t.Context(), deployment, world{}.inputs())
	if err != nil {
		t.Fatal(err)
	}
	same(t, "patch", patchText(t, m.Patch), `[{"op":"add","path":"/spec/template/spec/containers/0/imagePullPolicy","value":"Always"}]`)
}

func TestForEachChange(t *testing.T) {
	for name, c := range map[string]struct{ mutate, decision, patch string }{
		"a strategic patch for each element": {
			"foreach: [{list: request.object.spec.containers, patchStrategicMerge: {spec: {containers: [{(name): '{{ element.name }}', imagePullPolicy: Always}]}}}]",
			"r pass: mutated", `[{"op":"add","path":"/spec/containers/0/imagePullPolicy","value":"Always"},{"op":"add","path":"/spec/containers/1/imagePullPolicy","value":"Always"}]`,
		},
		"a JSON patch for some": {
			`foreach: [{list: request.object.spec.containers, preconditions: {all: [{key: '{{ element.name }}', operator: Equals, value: b}]}, patchesJson6902: "[{op: replace, path: '/spec/containers/{{ elementIndex }}/image', value: x}]"}]`,
			"r pass: mutated", `[{"op":"replace","path":"/spec/containers/1/image","value":"x"}]`,
		},
		"backwards, so that what is removed moves nothing that is to come": {
			`foreach: [{list: request.object.spec.containers, order: Descending, patchesJson6902: "[{op: remove, path: '/spec/containers/{{ elementIndex }}'}]"}]`,
			"r pass: mutated", `[{"op":"remove","path":"/spec/containers/0"},{"op":"remove","path":"/spec/containers/0"}]`,
		},
		"forwards, where the second is gone": {
			`foreach: [{list: request.object.spec.containers, order: Ascending, patchesJson6902: "[{op: remove, path: '/spec/containers/{{ elementIndex }}'}]"}]`,
			"r pass: mutated", `[{"op":"remove","path":"/spec/containers/0"}]`,
		},
		"a patch that does not fit": {
			`foreach: [{list: request.object.spec.containers, patchesJson6902: "[{op: replace, path: '/spec/containers/{{ elementIndex }}/nothing/at/all', value: x}]"}]`,
			"r error", "",
		},
		"a list that the one before has made": {
			`foreach: [{list: request.object.spec.containers, patchStrategicMerge: {metadata: {labels: {'c-{{ element.name }}': q}}}}, {list: 'keys(request.object.metadata.labels)', patchesJson6902: "[{op: add, path: '/metadata/annotations/{{ element }}', value: z}]"}]`,
			"r pass: mutated", `[{"op":"add","path":"/metadata/annotations","value":{"c-a":"z","c-b":"z"}},{"op":"add","path":"/metadata/labels","value":{"c-a":"q","c-b":"q"}}]`,
		},
		"nothing to change": {
			"foreach: [{list: 'request.object.spec.containers[?name == ''z'']', patchStrategicMerge: {a: b}}]", "r skip: no element was changed", "[]",
		},
		"a list that is not there": {
			"foreach: [{list: request.object.spec.nothing, patchStrategicMerge: {a: b}}]", "r error", "",
		},
		"one in another": {
			`foreach: [{list: request.object.spec.containers, foreach: [{list: "[element.name]", patchStrategicMerge: {metadata: {labels: {'{{ element }}': 'i{{ elementIndex0 }}'}}}}]}]`,
			"r pass: mutated", `[{"op":"add","path":"/metadata/labels","value":{"a":"i0","b":"i1"}}]`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := snapshot(t, withoutAutogen("p", "{rules: [{name: r, "+onPods+"mutate: {"+c.mutate+"}}]}"))
			m, err := s.Mutate(t.Context(), asking(t, twoContainers), world{}.inputs())
			if err != nil {
				t.Fatal(err)
			}
			if c.patch == "" {
				if len(m.Decisions) != 1 || m.Decisions[0].Status != Error {
					t.Errorf("got %s, want an error", lines(m.Decisions))
				}
				return
			}
			same(t, "decisions", lines(m.Decisions), c.decision)
			if got := patchText(t, m.Patch); got != c.patch && !(got == "null" && c.patch == "[]") {
				t.Errorf("patch:\n got %s\nwant %s", got, c.patch)
			}
		})
	}
}

// A rule that changes its own result can be neither audited nor mended, and is named.
func TestARuleThatNeverComesToRestIsAnErrorOfTheAudit(t *testing.T) {
	s := snapshot(t, withoutAutogen("p", "{rules: [{name: r, "+onPods+`mutate: {patchesJson6902: "[{op: add, path: /spec/containers/-, value: {name: more}}]"}}]}`))
	m, err := s.Audit(t.Context(), resting(t, twoContainers), world{}.inputs())
	if err != nil {
		t.Fatal(err)
	}
	same(t, "decisions", lines(m.Decisions), "r error: could not be evaluated: the rule never comes to rest: applied to its own result it changes /spec/containers/3 again")
}

func TestReferences(t *testing.T) {
	for name, c := range map[string]struct{ pattern, want string }{
		"a leaf beside":             {"{metadata: {name: '$(./../namespace)', namespace: shop}}", "r fail: failed at /metadata/name/"},
		"behind an operator":        {"{metadata: {name: '$(!./../namespace)', namespace: shop}}", "r pass"},
		"from the top":              {"{metadata: {name: 'we$(/metadata/=(x))', =(x): b}}", ""},
		"past an anchor":            {"{metadata: {name: 'we$(/metadata/x)', =(x): b}}", "r pass"},
		"escaped":                   {"{metadata: {name: '!\\$(./../namespace)', namespace: shop}}", "r pass"},
		"to nothing":                {"{metadata: {name: '$(./../nothing)'}}", "spec.rules[0].validate.pattern.metadata.name: reference $(./../nothing): there is no value at /metadata/nothing"},
		"to a reference":            {"{metadata: {name: '$(./../namespace)', namespace: '$(./../name)'}}", "spec.rules[0].validate.pattern.metadata.name: reference $(./../namespace): /metadata/namespace is a reference itself"},
		"an operator and no scalar": {"{metadata: {name: '$(>./../x)', x: null}}", "spec.rules[0].validate.pattern.metadata.name: reference $(>./../x): operator > does not go with <nil>"},
	} {
		t.Run(name, func(t *testing.T) {
			policy := withoutAutogen("p", "{rules: [{name: r, "+onPods+"validate: {pattern: "+c.pattern+"}}]}")
			p, err := tryCompile(t, policy)
			if err != nil {
				if c.want != "" {
					same(t, "error", err.Error(), "ClusterPolicy/p: "+c.want)
				}
				return
			}
			s, err := NewSnapshot([]*Policy{p})
			if err != nil {
				t.Fatal(err)
			}
			same(t, "decisions", lines(s.Validate(t.Context(), asking(t, twoContainers), world{}.inputs())), c.want)
		})
	}
}
