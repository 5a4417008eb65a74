package cel

import "testing"

// What the examples of the documents do not show: other spellings of an argument, and arguments that are wrong.
func TestEdgesOfTheLibraries(t *testing.T) {
	const digest = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	in := Input{
		World:  shop(),
		Object: parse(t, "{metadata: {labels: {b: x, a: z}}, spec: {count: 2, mixed: {a: x, b: 1}, list: [{name: one, image: a}, {name: two, image: b}], text: '{\"a\": 1}'}}"),
	}
	for expression, want := range map[string]string{
		// JSON
		"json.unmarshal(object.spec.text) == {'a': 1.0} && type(json.unmarshal('[1]')[0]) == double": "pass",
		"json.unmarshal('3') / 2.0 == 1.5 && json.unmarshal('null') == null":                         "pass",
		"json.unmarshal('') == null":                                                                     "json.unmarshal: the text is no valid JSON at byte 0",
		"json.unmarshal('[1,}') == null":                                                                 "json.unmarshal: the text is no valid JSON at byte 4",
		"json.unmarshal(object.spec.count) == null":                                                      "json.unmarshal: a value of type int: expected string",
		"json.marshal(object.metadata) == '{\"labels\":{\"a\":\"z\",\"b\":\"x\"}}'":                      "pass",
		"json.marshal(object.spec.count) == '2' && json.marshal(2.0) == '2' && json.marshal(2u) == '2'":  "pass",
		"json.marshal(9007199254740993) == '9007199254740993' && json.marshal(1e30) == '1e+30'":          "pass",
		"json.marshal(18446744073709551615u) == '18446744073709551615'":                                  "pass",
		"json.marshal('<&>') == '\"\\\\u003c\\\\u0026\\\\u003e\"' && json.marshal(b'abc') == '\"YWJj\"'": "pass",
		"json.marshal(timestamp('2025-03-04T05:06:07Z')) == '\"2025-03-04T05:06:07Z\"'":                  "pass",
		"json.marshal(duration('2s')) == '2000000000' && json.marshal(null) == 'null'":                   "pass",
		"json.marshal({1: 'a'}) == ''":                                                                   "json.marshal: a key of type int has no place in JSON: expected string",
		"json.marshal(1.0 / 0.0) == ''":                                                                  "json.marshal: the number +Inf has no place in JSON",
		"json.marshal([type(1)]) == ''":                                                                  "json.marshal: a value of type type has no place in JSON",
		"json.marshal(resource.List('v1', 'configmaps', 'shop').items[0].data) == '{\"tier\":\"gold\"}'": "pass",
		"json.marshal([1] + object.spec.list.map(c, c.name)) == '[1,\"one\",\"two\"]'":                   "pass",
		// YAML
		"yaml.parse('a: 1\\nb: [x]') == {'a': 1.0, 'b': ['x']} && yaml.parse('') == null": "pass",
		"yaml.parse('a: 1\\n---\\na: 2').a == 1.0 && yaml.parse('1: x')['1'] == 'x'":      "pass",
		"yaml.parse('a: b: c') == null":          "yaml.parse: the text is no valid YAML",
		"yaml.parse(object.spec.count) == null":  "no such overload: parse(yaml.Yaml, int)",
		"yaml.parse('{1: a, \"1\": b}') == null": "yaml.parse: the text holds two keys that are the same text",
		// hashes and gzip
		"md5('') == 'd41d8cd98f00b204e9800998ecf8427e' && sha1(object.spec.text) == hash.sha1(object.spec.text)": "pass",
		"sha256(object.spec.count) == ''":                      "no such overload: sha256(int)",
		"gzip.compress('a') == gzip.compress('a')":             "pass",
		"gzip.decompress(gzip.compress('')) == ''":             "pass",
		"gzip.compress(b'a') == b''":                           "gzip.compress: a value of type bytes: expected string",
		"gzip.decompress(b'abcdefghijkl') == ''":               "gzip.decompress: gzip: invalid header",
		"gzip.decompress(b'') == ''":                           "gzip.decompress: EOF",
		"gzip.decompress(base64.decode('H4sIAAAAAAAC')) == ''": "gzip.decompress: unexpected EOF",
		// numbers and times
		"math.round(1234.5, -2) == 1200.0 && math.round(2.5, 0) == 3.0 && math.round(-2.5, 0) == -3.0":          "pass",
		"math.round(1.5, 400) == 1.5 && math.round(1.5, -400) == 0.0 && math.round(1.5) == 2.0":                 "pass",
		"math.round(object.spec.count, 1) == 2.0":                                                               "no such overload: math.round(int, int)",
		"time.toCron(timestamp('2025-03-09T05:06:07+02:00')) == '6 5 9 3 0'":                                    "pass",
		"time.truncate(timestamp('2025-03-04T05:06:07Z'), duration('0s')) == timestamp('2025-03-04T05:06:07Z')": "pass",
		"time.truncate(object.spec.text, duration('1s')) == time.now()":                                         "no such overload: time.truncate(string, google.protobuf.Duration)",
		// random texts
		"random('(ab|ab)c?').matches('^abc?$') && random('x{2,3}').size() in [2, 3]": "pass",
		"random(object.spec.count) == ''":                                            "no such overload: random(holdfast.World, int)",
		"random('\\\\d') == ''":                                                      "random: the pattern is no valid regular expression (invalid escape sequence)",
		// maps of lists
		"listObjToMap(object.spec.list, object.spec.list, 'name', 'image') == {'one': 'a', 'two': 'b'}": "pass",
		"listObjToMap([{'k': 'a'}, {'k': 'a'}], [{'v': 1}, {}], 'k', 'v') == {'a': null}":               "pass",
		"listObjToMap([{'k': 'a'}], [], 'k', 'v') == {}":                                                "transform.listObjToMap: the lists have 1 and 0 elements: expected as many",
		"listObjToMap([1], [2], 'k', 'v') == {}":                                                        "transform.listObjToMap: element 0 is no object",
		"listObjToMap([{'k': 'a'}, {'k': 1}], [{}, {}], 'k', 'v') == {}":                                "transform.listObjToMap: k of element 1 is no string",
		"listObjToMap(object.spec, object.spec, 'k', 'v') == {}":                                        "no such overload: listObjToMap(map, map, string, string)",
		// users
		"parseServiceAccount('system:serviceaccount:shop:a:b') == user.ServiceAccount{Namespace: 'shop', Name: 'a:b'}":     "pass",
		"parseServiceAccount('system:serviceaccount:shop') == user.ServiceAccount{} && parseServiceAccount('').Name == ''": "pass",
		// images
		"image('localhost:5000/a/b').registry() == 'localhost:5000' && image('localhost:5000/a/b').tag() == 'latest'":                                 "pass",
		"image('r.example.com:443/web@" + digest + "').tag() == '' && image('r.example.com:443/web@" + digest + "').identifier() == '" + digest + "'": "pass",
		"image('r.example.com/web:1@" + digest + "').identifier() == '1@" + digest + "'":                                                              "pass",
		"image('r.example.com/web:1@" + digest + "').tag() == '1' && image('web@" + digest + "').containsDigest()":                                    "pass",
		"image('web:1@" + digest + "').identifierWithSeparator() == '@" + digest + "' && image('web').digest() == ''":                                 "pass",
		"image('web') != image('web:latest') && image('web') == parseImageReference('web')":                                                           "pass",
		"isImage('') || isImage('Web') || isImage('web:') || isImage('web@sha256:12')":                                                                "fail 0: failed expression",
		"image('Web').tag() == ''":             `parseImageReference: "Web" is not the reference of an image`,
		"image(object.spec.count).tag() == ''": "no such overload: image(int)",
		"dyn(image('web')) != 'web'":           "pass",
		// certificates
		"x509.decode('') == null": "x509.decode: the text is no PEM text",
		"x509.decode('-----BEGIN X-----\\nAAAA\\n-----END X-----') == null": "x509.decode: the text must hold a CERTIFICATE or a CERTIFICATE REQUEST",
		// what is asked with arguments that are wrong
		"resource.List('v1', 'pods', 'a', object.spec.mixed).items == []": "resource.List: the labels: expected a map of texts",
		"http.Get('https://a', object.spec.mixed).ok == true":             "http: the headers: expected a map of texts",
		"http.Post('https://a', type(1)).ok == true":                      "http.Post: the body: a value of type type has no place in JSON",
		"resource.Post('v1', 'tokenreviews', {'a': type(1)}).a == 1":      "resource.Post: the object: a value of type type has no place in JSON",
		"generator.Apply('a', [dyn({'a': 1}), dyn(2)])":                   "generator.Apply: element 1 is no object",
		"generator.Apply('a', [{1: 2}])":                                  "generator.Apply: object 0: a key of type int has no place in JSON: expected string",
		"resource.Get(object.spec.count, 'pods', 'a', 'b') == null":       "no such overload: Get(resource.Context, int, string, string, string)",
	} {
		t.Run(expression, func(t *testing.T) {
			rule, err := NewCompiler().Compile(kyverno(expression))
			if err != nil {
				t.Fatal(err)
			}
			switch want {
			case "pass":
			case "fail 0: failed expression":
				want += ": " + expression
			default:
				want = "error 0: expression '" + expression + "': " + want
			}
			same(t, "result", line(rule.Evaluate(t.Context(), &in)), want)
		})
	}
}
