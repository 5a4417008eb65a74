package cel

import "testing"

func TestShift(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"the object's parts":         {"object.spec.a == object.metadata.b", "object.spec.template.spec.a == object.spec.template.metadata.b"},
		"the old object's":           {"oldObject.spec.a == oldObject.metadata.b", "oldObject.spec.template.spec.a == oldObject.spec.template.metadata.b"},
		"the request's object":       {"request.object.spec.a", "request.object.spec.template.spec.a"},
		"an optional part stays":     {"object.?spec.a", "object.?spec.a"},
		"other parts stay":           {"object.kind == object.status.a", "object.kind == object.status.a"},
		"the namespace stays":        {"namespaceObject.metadata.name", "namespaceObject.metadata.name"},
		"what was shifted stays put": {"object.spec.metadata", "object.spec.template.spec.metadata"},
	} {
		t.Run(name, func(t *testing.T) {
			same(t, "text", Shift(c.text, []string{"spec", "template"}), c.want)
		})
	}
	same(t, "a CronJob", Shift("object.spec.a", []string{"spec", "jobTemplate", "spec", "template"}), "object.spec.jobTemplate.spec.template.spec.a")
}

func TestShiftPolicy(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"the object's parts":                   {"object.spec.a == object.metadata.b", "object.spec.template.spec.a == object.spec.template.metadata.b"},
		"the old object's":                     {"oldObject.spec.a == oldObject.metadata.b", "oldObject.spec.template.spec.a == oldObject.spec.template.metadata.b"},
		"the request's object":                 {"request.object.spec.a", "request.object.spec.template.spec.a"},
		"the namespace of the object stays":    {"object.metadata.namespace == 'a'", "object.metadata.namespace == 'a'"},
		"the old object's stays":               {"oldObject.metadata.namespace", "oldObject.metadata.namespace"},
		"a longer name is no namespace":        {"object.metadata.namespaces", "object.spec.template.metadata.namespaces"},
		"an optional namespace is none":        {"object.metadata.?namespace", "object.spec.template.metadata.?namespace"},
		"namespaceObject stays":                {"namespaceObject.metadata.name", "namespaceObject.metadata.name"},
		"what was shifted stays put":           {"object.spec.metadata", "object.spec.template.spec.metadata"},
		"a text constant is rewritten as well": {"'object.spec is wrong'", "'object.spec.template.spec is wrong'"},
		"an optional part stays":               {"object.?spec.a", "object.?spec.a"},
	} {
		t.Run(name, func(t *testing.T) {
			same(t, "text", ShiftPolicy(c.text, []string{"spec", "template"}), c.want)
		})
	}
}
