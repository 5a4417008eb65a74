package cel

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

// What the functions ask of the World, and what they give where the examples do not say it.
func TestWorld(t *testing.T) {
	for expression, want := range map[string]string{
		"resource.Get('v1', 'configmaps', 'shop', 'none') == null":                                                                             "get v1 configmaps shop/none",
		"resource.get('apps/v1', 'deployments', 'shop', 'web') == null":                                                                        "get apps/v1 deployments shop/web",
		"resource.Get(resource.toGVR('apps/v1', 'Deployment'), '', 'web') == null":                                                             "get apps/v1 deployments /web",
		"resource.List('v1', 'configmaps', '').items.exists(c, c.data.tier == 'gold')":                                                         "list v1 configmaps  map[]",
		"resource.list(resource.ToGVR('v1', 'ConfigMap'), 'shop', {'a': 'b'}).items[0].data.size() == 1":                                       "list v1 configmaps shop map[a:b]",
		"resource.List(resource.ToGVR('v1', 'Pod'), 'shop').items == []":                                                                       "list v1 pods shop map[]",
		"resource.List('v1', 'configmaps', 'shop').items + [1] != [] && resource.List('v1', 'pods', 'a').items.size() == 0":                    "list v1 configmaps shop map[]; list v1 pods a map[]",
		"resource.List('v1', 'configmaps', 'shop').kind == 'List' && resource.List('apps/v1', 'deployments', 'shop').kind == 'DeploymentList'": "list v1 configmaps shop map[]; list apps/v1 deployments shop map[]",
		"resource.Post('v1', 'tokenreviews', '', {'spec': {'n': 1}}).status.allowed == true":                                                   "post v1 tokenreviews  map[spec:map[n:1]]",
		"resource.post('v1', 'tokenreviews', object).status.allowed == true":                                                                   "post v1 tokenreviews  map[spec:map[a:1]]",
		"http.Get('https://a/b').limit == 3 && type(http.Get('https://a/b').limit) == double":                                                  `GET https://a/b map[] <nil> ""; GET https://a/b map[] <nil> ""`,
		"type(http.get('https://a/b', {'X-A': 'b'}).statusCode) == int":                                                                        `GET https://a/b map[X-A:b] <nil> ""`,
		"http.Post('https://a', [1, {'b': object.spec}]).allowed == true":                                                                      `POST https://a map[] [1 map[b:map[a:1]]] ""`,
		"http.client('PEM').post('https://a', 'x', {'h': 'v'}).allowed == true":                                                                `POST https://a map[h:v] x "PEM"`,
		"http.Client('PEM') != http && http == http":                                                                                           "",
		"globalContext.Get('limits').cpu == 4 && globalContext.get('none') == null":                                                            "context limits ; context none ",
		"image.getMetadata('registry.example.com/web:2') == null":                                                                              "image registry.example.com/web:2",
		"generator.apply('', [{'kind': 'A'}, object])":                                                                                         "generate  [map[kind:A] map[spec:map[a:1]]]",
		"generator.Apply('shop', [resource.Get('v1', 'configmaps', 'shop', 'settings')])":                                                      "get v1 configmaps shop/settings; generate shop [map[data:map[tier:gold] metadata:map[name:settings namespace:shop]]]",
		"false && resource.Get('v1', 'pods', 'a', 'b') == null || true":                                                                        "",
		"variables.unused == 1 || true":                                                                                                        "get v1 pods a/b",
		"time.now() == time.now() && string(time.now()) == '2025-03-04T05:06:07Z'":                                                             "",
		"random().size() == 8 && random.random('a{3}') == 'aaa' && random('') == ''":                                                           "",
	} {
		world := shop()
		world.objects["apps/v1 deployments shop/front"] = map[string]any{"kind": "Deployment"}
		object := map[string]any{"spec": map[string]any{"a": 1.0}}
		src := withVariables(kyverno(expression), "unused", "resource.Get('v1', 'pods', 'a', 'b') == null ? 2 : 1")
		r := mustCompile(t, src).Evaluate(t.Context(), &Input{Object: object, World: world})
		same(t, expression, line(r), "pass")
		same(t, "asked by "+expression, strings.Join(world.asked, "; "), want)
	}
}

// Functions of a namespaced policy take no namespace and go to its own (GHSA-8p9x-46gm-qfx2, GHSA-79gf-7frw-68m9).
func TestWorldOfANamespacedPolicy(t *testing.T) {
	namespaced := func(expression string) Source {
		src := kyverno(expression)
		src.Namespace = "shop"
		return src
	}
	for expression, want := range map[string]string{
		"resource.Get('v1', 'configmaps', 'settings').data.tier == 'gold'":                       "get v1 configmaps shop/settings",
		"resource.Get(resource.ToGVR('v1', 'ConfigMap'), 'settings').data.tier == 'gold'":        "get v1 configmaps shop/settings",
		"resource.List('v1', 'configmaps').items.size() == 1":                                    "list v1 configmaps shop map[]",
		"resource.List('v1', 'configmaps', {'a': 'b'}).items.size() == 1":                        "list v1 configmaps shop map[a:b]",
		"resource.List(resource.ToGVR('v1', 'ConfigMap')).items.size() == 1":                     "list v1 configmaps shop map[]",
		"resource.list(resource.toGVR('v1', 'ConfigMap'), {'a': 'b'}).items.size() == 1":         "list v1 configmaps shop map[a:b]",
		"resource.Post('v1', 'localsubjectaccessreviews', {'kind': 'X'}).status.allowed == true": "post v1 localsubjectaccessreviews shop map[kind:X]",
		"generator.Apply([{'kind': 'A', 'metadata': {'namespace': 'other', 'name': 'x'}}])":      "generate shop [map[kind:A metadata:map[name:x namespace:other]]]",
	} {
		world := shop()
		same(t, expression, line(mustCompile(t, namespaced(expression)).Evaluate(t.Context(), &Input{World: world})), "pass")
		same(t, "asked by "+expression, strings.Join(world.asked, "; "), want)
	}
	for _, expression := range []string{
		"resource.Get('v1', 'configmaps', 'other', 'settings') != null", "generator.Apply('other', [{'kind': 'A'}])",
		"resource.List('v1', 'configmaps', 'other', {'a': 'b'}) != null", "resource.Post('v1', 'pods', 'other', {'a': 'b'}) != null",
	} {
		_, err := NewCompiler().Compile(namespaced(expression))
		if err == nil || !strings.Contains(err.Error(), "found no matching overload") {
			t.Errorf("%s: got %v, want no such form", expression, err)
		}
	}
}

// asking are expressions that each ask the World one thing, and look away if that fails.
var asking1 = map[string]string{
	"resource.Get('v1', 'configmaps', 'shop', 'settings') != null || true":                 "resource.Get v1 configmaps shop/settings",
	"has(resource.Get('v1', 'configmaps', 'shop', 'settings').data) || true":               "resource.Get v1 configmaps shop/settings",
	"resource.Get('v1', 'configmaps', 'shop', 'settings').?data.orValue({}) == {} || true": "resource.Get v1 configmaps shop/settings",
	"[1].exists(x, resource.List('v1', 'nodes', '').items == []) || true":                  "resource.List v1 nodes",
	"resource.Post('v1', 'tokenreviews', {'a': 1}).a == 1 || true":                         "resource.Post v1 tokenreviews",
	"resource.ToGVR('v1', 'Pod') == resource.ToGVR('v1', 'Pod') || true":                   "resource.ToGVR v1 Pod",
	"http.Get('https://a').allowed == true || true":                                        "GET https://a",
	"http.Post('https://a', {}).?allowed.orValue(false) == true || true":                   "POST https://a",
	"globalContext.Get('limits', 'cpu') == 3 || true":                                      "globalContext.Get limits",
	"image.GetMetadata('a').config == null || true":                                        "image.GetMetadata a",
	"generator.Apply('a', [{'kind': 'A'}]) || true":                                        "generator.Apply",
	"random() == 'a' || true":                                                              "random",
	"variables.tier == 'gold' || true":                                                     "resource.Get v1 configmaps shop/settings",
	"[variables.tier, 'x'].exists(x, x == 'x') || true":                                    "resource.Get v1 configmaps shop/settings",
}

// A failed look-up is the end of the evaluation and never an answer, whatever stands around it.
func TestWorldThatFails(t *testing.T) {
	dead := errors.New("the line is dead")
	for expression, what := range asking1 {
		src := withVariables(kyverno(expression), "tier", "resource.Get('v1', 'configmaps', 'shop', 'settings').data.tier")
		rule := mustCompile(t, src)
		for want, world := range map[error]World{dead: &aWorld{err: dead}, ErrNoWorld: nil} {
			r := rule.Evaluate(t.Context(), &Input{World: world})
			same(t, expression, line(r), fmt.Sprintf("error 0: %s: %v", what, want))
			if errors.Is(r.Err, ErrExpression) || !errors.Is(r.Err, want) {
				t.Errorf("%s: %v is not told apart from an error of the expression", expression, r.Err)
			}
		}
		// nor is a condition false for it
		src.Conditions = append(src.Conditions, conditionOf(expression), conditionOf("false"))
		_, _, err := mustCompile(t, src).Match(t.Context(), &Input{World: &aWorld{err: dead}})
		if !errors.Is(err, dead) {
			t.Errorf("condition %s: got %v, want %v", expression, err, dead)
		}
	}
	r := mustCompile(t, kyverno("random('[') == ''")).Evaluate(t.Context(), &Input{World: shop()})
	same(t, "a bad pattern", line(r), "error 0: expression 'random('[') == ''': random: the pattern is no valid regular expression (missing closing ])")
	if !errors.Is(r.Err, ErrExpression) {
		t.Error("a bad pattern is not the expression's error")
	}
	r = mustCompile(t, kyverno("random() == ''")).Evaluate(t.Context(), &Input{World: &aWorld{random: iotest.ErrReader(dead)}})
	same(t, "no randomness", line(r), "error 0: random: the line is dead")
	r = mustCompile(t, kyverno("time.now() == time.now() || true")).Evaluate(t.Context(), &Input{})
	same(t, "no time", line(r), "error 0: time.now: cannot be looked up here")
}

// What the World has given, and the object, are as they were.
func TestWorldIsNotChanged(t *testing.T) {
	world := shop()
	before := text(t, []any{world.objects, world.http, world.context})
	in := &Input{Object: map[string]any{"list": []any{1.0, map[string]any{"b": 2.0}}}, World: world}
	object := text(t, in.Object)
	for _, expression := range []string{
		"http.Get('https://a').limit == 3.0", "generator.Apply('x', [resource.Get('v1', 'configmaps', 'shop', 'settings'), object])",
		"json.unmarshal(json.marshal(object)).list[1].b == 2.0", "globalContext.Get('limits').cpu == 4",
	} {
		same(t, expression, line(mustCompile(t, kyverno(expression)).Evaluate(t.Context(), in)), "pass")
	}
	for _, made := range world.generated { // the World may do with them what it wants
		clear(made)
	}
	same(t, "world", text(t, []any{world.objects, world.http, world.context}), before)
	same(t, "object", text(t, in.Object), object)
}

func TestReferencesToTheWorld(t *testing.T) {
	for expression, want := range map[string]string{
		"resource.Get('v1', 'pods', 'a', object.name) != null":                        "object resource",
		"http.Client('a').Get('b') == null":                                           "http",
		"globalContext.Get('a') == null":                                              "globalContext",
		"image.GetMetadata('a') == null && image('a').tag() == ''":                    "image",
		"image('a').tag() == '' && parseImageReference('a') == image('a')":            "",
		"generator.Apply('a', [])":                                                    "generator",
		"time.now() == time.now() && time.toCron(time.now()) == ''":                   "time",
		"time.truncate(timestamp(object.at), duration('1h')) == timestamp(object.at)": "object",
		"random() == random.random('a')":                                              "random",
		"object.images.all(i, i in exceptions.allowedImages)":                         "exceptions object",
		"json.unmarshal(object.text) == yaml.parse(object.text)":                      "object",
		"parseServiceAccount(request.userInfo.username).Name == ''":                   "request.userInfo",
		"[1].all(time, time == 1) && [1].all(resource, resource == 1)":                "",
	} {
		got := mustCompile(t, kyverno(expression)).References()
		if strings.Join(got, " ") != want || !slices.IsSorted(got) {
			t.Errorf("%s: got %v, want %s", expression, got, want)
		}
	}
}
