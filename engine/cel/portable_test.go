package cel

import "testing"

func TestWhatAPIServersCanEvaluateThemselves(t *testing.T) {
	for expression, want := range map[string]bool{
		"object.metadata.name.startsWith('a')":                           true,
		"has(object.metadata.labels) && object.metadata.labels.a == 'b'": true,
		"object.?metadata.?labels[?'a'].orValue('') == 'b'":              true,
		"oldObject == null":                                            true,
		"!('system:nodes' in request.userInfo.groups)":                 true,
		"request.object.spec.replicas > 1":                             false,
		"request.nobody == 'a'":                                        false,
		"namespaceObject.metadata.name == 'a'":                         false,
		"authorizer.group('').resource('pods').check('get').allowed()": false,
		"variables.a":                          false,
		"exceptions.allowedImages.size() == 0": false,
		"resource.Get('v1', 'configmaps', 'default', 'a').data.a == 'b'": false,
		"object.spec.enabled":                                            false, // a boolean perhaps
		"object.spec.enabled == true":                                    true,
		"ip(object.spec.clusterIP).family() == 4":                        false, // of 1.30
		"object.spec.containers.all(c, c.image.matches('^registry[.]'))": true,
		"object.": false,
	} {
		if got := NewCompiler().Portable("true", expression); got != want {
			t.Errorf("%s: got %t, want %t", expression, got, want)
		}
	}
}
