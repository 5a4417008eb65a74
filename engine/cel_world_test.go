package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/holdfast-io/holdfast/engine/cel"
)

// celLookups answers what expressions ask, and writes it down.
type celLookups struct {
	NoLookups
	objects []map[string]any
	answer  any
	err     error
	asked   *[]string
}

func (l celLookups) note(format string, args ...any) {
	*l.asked = append(*l.asked, fmt.Sprintf(format, args...))
}

func (l celLookups) Get(_ context.Context, kind schema.GroupVersionKind, namespace, name string) (map[string]any, error) {
	l.note("get %s %s/%s", kind.Kind, namespace, name)
	if l.err != nil && !errors.Is(l.err, ErrNoLookup) {
		return nil, l.err
	}
	for _, o := range l.objects {
		if meta := metadata(o); meta["name"] == name && l.err == nil {
			return o, nil
		}
	}
	return nil, errors.Join(l.err, fmt.Errorf("%s %w", name, ErrNotFound))
}

func (l celLookups) List(_ context.Context, kind schema.GroupVersionKind, namespace string, selector labels.Selector) ([]map[string]any, error) {
	l.note("list %s %s %v", kind.Kind, namespace, selector)
	return l.objects, l.err
}

func (l celLookups) Call(_ context.Context, call *Call) (any, error) {
	l.note("%s %s%s %v %v %t", call.Method, call.Path, call.URL, call.Headers, call.Body, call.Status)
	return l.answer, l.err
}

func (l celLookups) GlobalContext(_ context.Context, name string) (any, error) {
	l.note("context %s", name)
	return l.answer, l.err
}

func (l celLookups) Image(_ context.Context, image *ImageCall) (map[string]any, error) {
	l.note("image %s %q", image.Reference, image.Namespace)
	data, _ := l.answer.(map[string]any)
	return data, l.err
}

// mapping knows one kind.
type mapping struct{ celLookups }

func (mapping) Map(_ context.Context, kind schema.GroupVersionKind) (schema.GroupVersionKind, schema.GroupVersionResource, error) {
	if kind.Kind != "Mouse" && kind.Kind != "mice" {
		return schema.GroupVersionKind{}, schema.GroupVersionResource{}, fmt.Errorf("nothing is served as %s", kind.Kind)
	}
	gv := kind.GroupVersion()
	return gv.WithKind("Mouse"), gv.WithResource("mice"), nil
}

func celWorldOf(t *testing.T, namespace string, lookups Lookups) *celWorld {
	t.Helper()
	s := validatingSnapshot(t, namespace, onPodResources+"validations: [{expression: 'true'}]")
	e := s.begin(t.Context(), &Request{Operation: Create, Object: map[string]any{}}, &Inputs{Lookups: lookups, Now: func() time.Time { return time.Unix(1_800_000_000, 0) }})
	return e.world(&Policy{Kind: "ValidatingPolicy", Namespace: namespace, Name: "p"})
}

// told writes an answer down: the value, or the error.
func told(value any, err error) string {
	if err != nil {
		return "error: " + err.Error()
	}
	return fmt.Sprint(value)
}

// Each question goes to the look-up that answers it, with a kind where one is known; what does not exist is nil.
func TestWorldOfExpressions(t *testing.T) {
	object := map[string]any{"metadata": map[string]any{"name": "a", "namespace": "shop"}}
	for name, c := range map[string]struct {
		ask         func(w *celWorld) (any, error)
		want, asked string
		answer      any
	}{
		"an object":                       {ask: func(w *celWorld) (any, error) { return w.Get("v1", "configmaps", "shop", "a") }, want: "map[metadata:map[name:a namespace:shop]]", asked: "get configmaps shop/a"},
		"an object that is not there":     {ask: func(w *celWorld) (any, error) { return w.Get("v1", "configmaps", "shop", "b") }, want: "map[]", asked: "get configmaps shop/b"},
		"a subresource":                   {ask: func(w *celWorld) (any, error) { return w.Get("apps/v1", "deployments/scale", "shop", "a") }, answer: object, want: "map[metadata:map[name:a namespace:shop]]", asked: "GET /apis/apps/v1/namespaces/shop/deployments/a/scale [] <nil> false"},
		"a subresource without namespace": {ask: func(w *celWorld) (any, error) { return w.Get("v1", "nodes/status", "", "a") }, answer: object, want: "map[metadata:map[name:a namespace:shop]]", asked: "GET /api/v1/nodes/a/status [] <nil> false"},
		"a list":                          {ask: func(w *celWorld) (any, error) { return w.List("v1", "pods", "shop", map[string]string{"a": "b"}) }, want: "[map[metadata:map[name:a namespace:shop]]]", asked: "list pods shop a=b"},
		"a list with bad labels":          {ask: func(w *celWorld) (any, error) { return w.List("v1", "pods", "shop", map[string]string{"a": "/"}) }, want: `error: the labels: values[0][a]: Invalid value: "/": a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')`},
		"a list of a subresource":         {ask: func(w *celWorld) (any, error) { return w.List("v1", "pods/log", "shop", nil) }, want: "error: pods/log: a subresource cannot be listed"},
		"a review": {ask: func(w *celWorld) (any, error) {
			return w.Post("authorization.k8s.io/v1", "subjectaccessreviews", "", map[string]any{"a": 1})
		}, answer: object, want: "map[metadata:map[name:a namespace:shop]]", asked: "POST /apis/authorization.k8s.io/v1/subjectaccessreviews [] map[a:1] false"},
		"a review in a namespace": {ask: func(w *celWorld) (any, error) {
			return w.Post("authorization.k8s.io/v1", "localsubjectaccessreviews", "shop", nil)
		}, answer: object, want: "map[metadata:map[name:a namespace:shop]]", asked: "POST /apis/authorization.k8s.io/v1/namespaces/shop/localsubjectaccessreviews [] map[] false"},
		"a resource":   {ask: func(w *celWorld) (any, error) { return w.Resource("networking.k8s.io/v1", "NetworkPolicy") }, want: "networking.k8s.io/v1, Resource=networkpolicies"},
		"an entry":     {ask: func(w *celWorld) (any, error) { return w.GlobalContext("limits", "") }, answer: 4.0, want: "4", asked: "context limits"},
		"a projection": {ask: func(w *celWorld) (any, error) { return w.GlobalContext("limits", "cpu") }, answer: 4.0, want: "4", asked: "context limits.cpu"},
		"a call that answers an object": {ask: func(w *celWorld) (any, error) {
			return w.HTTP(cel.HTTPCall{Method: "GET", URL: "https://a/b", Headers: map[string]string{"Y": "2", "X": "1"}})
		}, answer: map[string]any{"status": 201.0, "body": map[string]any{"ok": true}}, want: "map[ok:true statusCode:201]", asked: "GET https://a/b [{X 1} {Y 2}] <nil> true"},
		"a call that answers a list": {ask: func(w *celWorld) (any, error) {
			return w.HTTP(cel.HTTPCall{Method: "POST", URL: "https://a", Body: "x"})
		}, answer: map[string]any{"status": 200.0, "body": []any{1.0}}, want: "map[body:[1] statusCode:200]", asked: "POST https://a [] x true"},
		"an image":                      {ask: func(w *celWorld) (any, error) { return w.Image("web:1") }, answer: map[string]any{"image": "web:1", "resolvedImage": "r/web@sha256:ab", "identifier": "1", "manifestList": nil, "configData": "c", "manifest": "m"}, want: "map[config:c digest:sha256:ab identifier:1 image:web:1 manifest:m resolvedImage:r/web@sha256:ab tag:1]", asked: `image web:1 ""`},
		"an image by digest":            {ask: func(w *celWorld) (any, error) { return w.Image("web@sha256:ab") }, answer: map[string]any{"resolvedImage": "r/web@sha256:ab", "identifier": "sha256:ab", "manifestList": "i"}, want: "map[digest:sha256:ab identifier:sha256:ab imageIndex:i resolvedImage:r/web@sha256:ab]", asked: `image web@sha256:ab ""`},
		"a version that is none":        {ask: func(w *celWorld) (any, error) { return w.Get("", "pods", "a", "b") }, want: `error: "" is no version: expected one like v1 or apps/v1`},
		"a kind's version that is none": {ask: func(w *celWorld) (any, error) { return w.Resource("a/b/c", "Pod") }, want: `error: "a/b/c" is no version: expected one like v1 or apps/v1`},
		"a resource without a name":     {ask: func(w *celWorld) (any, error) { return w.List("v1", "", "a", nil) }, want: "error: the resource is empty: expected a plural name such as configmaps"},
		"an object without a name":      {ask: func(w *celWorld) (any, error) { return w.Get("v1", "pods", "a", "") }, want: "error: the name is empty"},
		"randomness that is not there":  {ask: func(w *celWorld) (any, error) { return w.Random(make([]byte, 1)) }, want: "error: there is no source of randomness here"},
		"the time":                      {ask: func(w *celWorld) (any, error) { return w.Now().Unix(), nil }, want: "1800000000"},
	} {
		t.Run(name, func(t *testing.T) {
			var asked []string
			got := told(c.ask(celWorldOf(t, "", celLookups{objects: []map[string]any{object}, answer: c.answer, asked: &asked})))
			same(t, "answer", got, c.want)
			same(t, "asked", strings.Join(asked, "; "), c.asked)
		})
	}
}

// Where the look-ups know the resources of kinds, decisions rest on the kind, whatever an expression calls it.
func TestWorldThatKnowsKinds(t *testing.T) {
	var asked []string
	w := celWorldOf(t, "", mapping{celLookups{asked: &asked}})
	same(t, "object", told(w.Get("v1", "mice", "shop", "a")), "map[]")
	same(t, "list", told(w.List("v1", "mice", "shop", nil)), "[]")
	same(t, "resource", told(w.Resource("v1", "Mouse")), "/v1, Resource=mice")
	same(t, "asked", strings.Join(asked, "; "), "get Mouse shop/a; list Mouse shop <nil>")
	same(t, "rests on", fmt.Sprint(w.e.asked.dependencies()), "[{/v1, Kind=Mouse shop } {/v1, Kind=Mouse shop a}]")
	same(t, "unknown", told(w.Get("v1", "rats", "shop", "a")), "error: nothing is served as rats")
	same(t, "unknown kind", told(w.Resource("v1", "Rat")), "error: nothing is served as Rat")
}

// An error is never "does not exist", and without a cluster that cannot be told, except in a test.
func TestWorldThatCannotTell(t *testing.T) {
	dead := errors.New("the line is dead")
	object := map[string]any{"metadata": map[string]any{"name": "a"}}
	w := celWorldOf(t, "", celLookups{objects: []map[string]any{object}, answer: object, err: dead, asked: new([]string)})
	for name, ask := range map[string]func() (any, error){
		"list":    func() (any, error) { return w.List("v1", "pods", "", nil) },
		"review":  func() (any, error) { return w.Post("authorization.k8s.io/v1", "subjectaccessreviews", "", nil) },
		"entry":   func() (any, error) { return w.GlobalContext("a", "") },
		"call":    func() (any, error) { return w.HTTP(cel.HTTPCall{Method: "GET", URL: "https://a"}) },
		"image":   func() (any, error) { return w.Image("a") },
		"object":  func() (any, error) { return w.Get("v1", "pods", "shop", "a") },
		"scale":   func() (any, error) { return w.Get("apps/v1", "deployments/scale", "shop", "a") },
		"nothing": func() (any, error) { return celWorldOf(t, "", NoLookups{}).Get("v1", "pods", "a", "b") },
	} {
		if value, err := ask(); !errors.Is(err, dead) && !errors.Is(err, ErrNoLookup) {
			t.Errorf("%s: got %v, %v, want an error", name, value, err)
		}
	}

	offline := celLookups{err: ErrNoLookup, asked: new([]string)}
	if value, err := celWorldOf(t, "", offline).Get("v1", "pods", "a", "b"); !errors.Is(err, ErrNoLookup) {
		t.Errorf("offline: got %v, %v", value, err)
	}
	w = celWorldOf(t, "", offline)
	w.e.in.Given = func(*Rule, int) map[string]any { return nil }
	same(t, "in a test", told(w.Get("v1", "pods", "a", "b")), "map[]")

	gone := celLookups{err: fmt.Errorf("entry %w", ErrNotFound), asked: new([]string)}
	same(t, "no entry", told(celWorldOf(t, "", gone).GlobalContext("a", "")), "<nil>")
	same(t, "no projection", told(celWorldOf(t, "", gone).GlobalContext("a", "b")), "error: entry does not exist")
}

// GHSA-8p9x-46gm-qfx2, GHSA-cvq5-hhx3-f99p and GHSA-79gf-7frw-68m9: a policy of a namespace reaches that namespace, whatever
// its expressions compute.
func TestWorldOfANamespacedPolicy(t *testing.T) {
	other := map[string]any{"metadata": map[string]any{"name": "a", "namespace": "other", "uid": "1"}}
	node := map[string]any{"metadata": map[string]any{"name": "n", "uid": "2"}}
	for name, ask := range map[string]func(w *celWorld) (any, error){
		"an object of another":         func(w *celWorld) (any, error) { return w.Get("v1", "configmaps", "other", "a") },
		"an object that is of another": func(w *celWorld) (any, error) { return w.Get("v1", "configmaps", "shop", "a") },
		"an object of the cluster":     func(w *celWorld) (any, error) { return w.Get("v1", "nodes", "shop", "n") },
		"a list of all":                func(w *celWorld) (any, error) { return w.List("v1", "configmaps", "", nil) },
		"a list of what is of others":  func(w *celWorld) (any, error) { return w.List("v1", "configmaps", "shop", nil) },
		"a subresource of another":     func(w *celWorld) (any, error) { return w.Get("v1", "pods/log", "other", "a") },
		"a subresource of the cluster": func(w *celWorld) (any, error) { return w.Get("v1", "nodes/proxy", "", "n") },
		"a proxy in it":                func(w *celWorld) (any, error) { return w.Get("v1", "services/proxy", "shop", "a") },
		"a review of the cluster": func(w *celWorld) (any, error) {
			return w.Post("authorization.k8s.io/v1", "subjectaccessreviews", "", nil)
		},
		"a review in another": func(w *celWorld) (any, error) {
			return w.Post("authorization.k8s.io/v1", "localsubjectaccessreviews", "other", nil)
		},
		"an entry": func(w *celWorld) (any, error) { return w.GlobalContext("limits", "") },
	} {
		w := celWorldOf(t, "shop", celLookups{objects: []map[string]any{other, node}, answer: node, asked: new([]string)})
		value, err := ask(w)
		if !errors.Is(err, ErrOutOfReach) {
			t.Errorf("%s: got %v, %v, want out of reach", name, value, err)
		}
	}
	var asked []string
	w := celWorldOf(t, "shop", celLookups{answer: map[string]any{}, asked: &asked})
	same(t, "a review in its own", told(w.Post("authorization.k8s.io/v1", "localsubjectaccessreviews", "shop", nil)), "map[]")
	same(t, "generated", told(nil, w.Generate("shop", []map[string]any{node})), "error: only a GeneratingPolicy generates")
	same(t, "an image with its own secrets", told(w.Image("a")), "map[]")
	same(t, "asked", strings.Join(asked, "; "), `POST /apis/authorization.k8s.io/v1/namespaces/shop/localsubjectaccessreviews [] map[] false; image a "shop"`)
}

// GHSA-rggm-jjmc-3394 and GHSA-qr4g-8hrp-c4rw: a computed URL goes to who makes calls to services, as it is: never to the API
// server with our credentials, and never through something that would read another host in it. Package lookup refuses what
// the operator has not allowed.
func TestWorldComputesNoHost(t *testing.T) {
	for _, url := range []string{"", "/api/v1/secrets", "//metadata/", "file:///etc/passwd", "gopher://a/", "https://", "http:///a", "a.example.com/b", "https://a b/"} {
		var asked []string
		got := told(celWorldOf(t, "", celLookups{answer: map[string]any{}, asked: &asked}).HTTP(cel.HTTPCall{Method: "GET", URL: url}))
		same(t, url, got, "error: the URL cannot be called: expected https://HOST/PATH")
		if asked != nil {
			t.Errorf("%s: asked %v", url, asked)
		}
	}
	var asked []string
	const tricky = "https://allowed.example.com@169.254.169.254/latest?x=https://allowed.example.com/"
	_, err := celWorldOf(t, "", celLookups{err: ErrOutOfReach, asked: &asked}).HTTP(cel.HTTPCall{Method: "GET", URL: tricky})
	if !errors.Is(err, ErrOutOfReach) {
		t.Errorf("got %v", err)
	}
	same(t, "asked", strings.Join(asked, "; "), "GET "+tricky+" [] <nil> true")
}

// An expression writes nothing: reviews are questions, everything else would be a write with our rights.
func TestWorldWritesNothing(t *testing.T) {
	for _, c := range [][2]string{
		{"v1", "pods"}, {"v1", "pods/eviction"}, {"rbac.authorization.k8s.io/v1", "clusterrolebindings"}, {"example.com/v1", "subjectaccessreviews"},
		{"authorization.k8s.io/v1", "roles"}, {"authorization.k8s.io/v1", "subjectaccessreviews/status"},
		{"authorization.k8s.io/v1/../../../api/v1", "reviews"}, {"authorization.k8s.io/..", "reviews"}, {"v1", "../reviews"},
	} {
		var asked []string
		value, err := celWorldOf(t, "", celLookups{answer: map[string]any{}, asked: &asked}).Post(c[0], c[1], "", map[string]any{})
		if err == nil || asked != nil {
			t.Errorf("%v: got %v, asked %v", c, value, asked)
		}
	}
}

// A name that an expression computes cannot lead to another path.
func TestWorldReadsNamesAsNames(t *testing.T) {
	for _, name := range []string{"..", ".", "a/b", "a%2Fb", "../secrets"} {
		for what, ask := range map[string]func(w *celWorld) (any, error){
			"name":        func(w *celWorld) (any, error) { return w.Get("v1", "pods/log", "shop", name) },
			"namespace":   func(w *celWorld) (any, error) { return w.Get("v1", "pods/log", name, "a") },
			"subresource": func(w *celWorld) (any, error) { return w.Get("v1", "pods/log/"+name, "shop", "a") },
			"listed":      func(w *celWorld) (any, error) { return w.List("v1", "pods", name, nil) },
			"posted": func(w *celWorld) (any, error) {
				return w.Post("authorization.k8s.io/v1", "localsubjectaccessreviews", name, nil)
			},
		} {
			var asked []string
			value, err := ask(celWorldOf(t, "", celLookups{answer: map[string]any{}, asked: &asked}))
			if err == nil || asked != nil {
				t.Errorf("%s %q: got %v, asked %v", what, name, value, asked)
			}
		}
	}
}

// A ValidatingPolicy's expressions look things up; what fails is an error of the decision, behind whatever it stands.
func TestValidatingPoliciesLookThingsUp(t *testing.T) {
	settings := map[string]any{"metadata": map[string]any{"name": "settings", "namespace": "shop"}, "data": map[string]any{"tier": "gold"}}
	const variable = "variables: [{name: settings, expression: \"resource.Get('v1', 'configmaps', object.metadata.namespace, 'settings')\"}], "
	for name, c := range map[string]struct {
		expression string
		err        error
		want       string
	}{
		"it is so":           {"variables.settings.data.tier == 'gold'", nil, "pass"},
		"it is not so":       {"variables.settings.data.tier == 'silver'", nil, "fail"},
		"it cannot be told":  {"variables.settings.?data.?tier.orValue('gold') == 'gold' || true", errors.New("the line is dead"), "error"},
		"it is not there":    {"variables.settings == null", fmt.Errorf("it %w", ErrNotFound), "pass"},
		"it is never looked": {"true || variables.settings.data.tier == 'gold'", errors.New("the line is dead"), "pass"},
	} {
		t.Run(name, func(t *testing.T) {
			s := validatingSnapshot(t, "", onPodResources+withoutControllers+variable+"validations: [{expression: \""+c.expression+"\", message: 'no'}]")
			var asked []string
			in := &Inputs{Lookups: celLookups{objects: []map[string]any{settings}, err: c.err, asked: &asked}, Now: func() time.Time { return time.Unix(1_800_000_000, 0) }}
			req := asking(t, "{apiVersion: v1, kind: Pod, metadata: {name: a, namespace: shop}, spec: {}}")
			got := s.Validate(t.Context(), req, in)
			if len(got) != 1 {
				t.Fatalf("got %v", lines(got))
			}
			same(t, "status", got[0].Status.String(), c.want)
			if c.want == "error" && !strings.Contains(got[0].Message, "resource.Get v1 configmaps shop/settings: the line is dead") {
				t.Errorf("the message says %q", got[0].Message)
			}
		})
	}
}
