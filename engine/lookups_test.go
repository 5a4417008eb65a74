package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	authorizationv1 "k8s.io/api/authorization/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// archive answers look-ups from what it holds, and notes what it was asked.
type archive struct {
	world
	objects map[string]map[string]any // by kind/namespace/name
	answers map[string]any            // of calls by address, of entries and images by name; an error is one
	asked   []string

	allowed   map[string]bool // what users may do
	accessErr error
}

func (a *archive) inputs() *Inputs {
	in := a.world.inputs()
	in.Lookups = a
	return in
}

func (a *archive) Get(_ context.Context, kind schema.GroupVersionKind, namespace, name string) (map[string]any, error) {
	key := kind.Kind + "/" + namespace + "/" + name
	a.asked = append(a.asked, "get "+key)
	if o, ok := a.objects[key]; ok {
		return o, nil
	}
	return nil, ErrNotFound
}

func (a *archive) List(_ context.Context, kind schema.GroupVersionKind, namespace string, _ labels.Selector) ([]map[string]any, error) {
	a.asked = append(a.asked, "list "+kind.Kind+"/"+namespace)
	var out []map[string]any
	for _, name := range []string{"a", "b", "c"} {
		for _, ns := range []string{"shop", "bank"} {
			if o, ok := a.objects[kind.Kind+"/"+ns+"/"+name]; ok && (namespace == "" || namespace == ns) {
				out = append(out, o)
			}
		}
	}
	return out, nil
}

// AccessReview allows what is in allowed, by user, verb and resource, and takes note of what it was asked.
func (a *archive) AccessReview(_ context.Context, q *authorizationv1.SubjectAccessReviewSpec) (authorizationv1.SubjectAccessReviewStatus, error) {
	key := q.User + " "
	if r := q.ResourceAttributes; r != nil {
		key += r.Verb + " " + r.Namespace + "/" + r.Resource
	} else {
		key += q.NonResourceAttributes.Verb + " " + q.NonResourceAttributes.Path
	}
	a.asked = append(a.asked, key)
	return authorizationv1.SubjectAccessReviewStatus{Allowed: a.allowed[key]}, a.accessErr
}

func (a *archive) answer(key string) (any, error) {
	a.asked = append(a.asked, key)
	switch v := a.answers[key].(type) {
	case error:
		return nil, v
	case nil:
		return nil, ErrNotFound
	default:
		return v, nil
	}
}

func (a *archive) Call(_ context.Context, call *Call) (any, error) {
	key := call.Method + " " + call.Path + call.URL
	for _, h := range call.Headers {
		key += " " + h.Name + "=" + h.Value
	}
	if call.Body != nil {
		key += fmt.Sprintf(" %v", call.Body)
	}
	return a.answer(key)
}

func (a *archive) GlobalContext(_ context.Context, name string) (any, error) {
	return a.answer("global " + name)
}

func (a *archive) Image(_ context.Context, image *ImageCall) (map[string]any, error) {
	v, err := a.answer("image " + image.Reference + strings.Join(append([]string{image.Namespace}, image.Secrets...), " "))
	m, _ := v.(map[string]any)
	return m, err
}

// looking is a rule that shows a context variable x in its message.
func looking(entries string) string {
	return withoutAutogen("p", "{rules: [{name: r, "+onPods+"context: ["+entries+"], validate: {message: 'x is {{ x }}', deny: {conditions: {all: [{key: '{{ x }}', operator: NotEquals, value: none}]}}}}]}")
}

func TestContext(t *testing.T) {
	config := map[string]any{"metadata": map[string]any{"name": "c"}, "data": map[string]any{"team": "blue"}}
	items := map[string]any{"items": []any{"a", "b"}}
	for name, c := range map[string]struct {
		entries string
		answers map[string]any
		want    string
		asked   string
	}{
		"a ConfigMap":                      {"{name: c, configMap: {name: c, namespace: shop}}, {name: x, variable: {jmesPath: c.data.team}}", nil, "r fail: x is blue", "get ConfigMap/shop/c"},
		"a ConfigMap named by variables":   {"{name: c, configMap: {name: 'c', namespace: '{{ request.namespace }}'}}, {name: x, variable: {jmesPath: c.metadata.name}}", nil, "r fail: x is c", "get ConfigMap/shop/c"},
		"a ConfigMap that is not there":    {"{name: x, configMap: {name: nothing}}", nil, "r error: could not be evaluated: context variable x: reading ConfigMap default/nothing: does not exist", "get ConfigMap/default/nothing"},
		"a call":                           {"{name: x, apiCall: {urlPath: '/api/v1/namespaces/{{ request.namespace }}/pods', jmesPath: 'items | length(@)'}}", map[string]any{"GET /api/v1/namespaces/shop/pods": items}, "r fail: x is 2", "GET /api/v1/namespaces/shop/pods"},
		"a value cannot change the path":   {"{name: v, variable: {value: '../../secrets?x='}}, {name: x, apiCall: {urlPath: '/api/v1/{{ v }}/pods'}}", nil, `r error: could not be evaluated: context variable x: GET /api/v1/../../secrets%3Fx=/pods: out of the policy's reach: path "/api/v1/../../secrets%3Fx=/pods" has an empty, . or .. segment`, ""},
		"nor the query":                    {"{name: v, variable: {value: 'a&b=c'}}, {name: x, apiCall: {urlPath: '/api/v1/pods?labelSelector={{ v }}', jmesPath: 'length(items)'}}", map[string]any{"GET /api/v1/pods?labelSelector=a%26b%3Dc": items}, "r fail: x is 2", "GET /api/v1/pods?labelSelector=a%26b%3Dc"},
		"an apiVersion in the path":        {"{name: v, variable: {value: apps/v1}}, {name: x, apiCall: {urlPath: '/apis/{{ v }}/deployments', jmesPath: 'length(items)'}}", map[string]any{"GET /apis/apps/v1/deployments": items}, "r fail: x is 2", "GET /apis/apps/v1/deployments"},
		"a call that fails":                {"{name: x, apiCall: {urlPath: /api/v1/pods}}", map[string]any{"GET /api/v1/pods": errors.New("500 Internal Server Error")}, "r error: could not be evaluated: context variable x: GET /api/v1/pods: 500 Internal Server Error", "GET /api/v1/pods"},
		"a call that fails, with default":  {"{name: x, apiCall: {urlPath: /api/v1/pods, default: few}}", map[string]any{"GET /api/v1/pods": errors.New("500 Internal Server Error")}, "r fail: x is few", "GET /api/v1/pods"},
		"a service, with what to send":     {"{name: x, apiCall: {method: POST, data: [{key: image, value: '{{ request.object.spec.containers[0].image }}'}], service: {url: 'https://checks.example.com/v1/{{ request.namespace }}', headers: [{key: X-Team, value: '{{ request.name }}'}]}}}", map[string]any{"POST https://checks.example.com/v1/shop X-Team=web map[image:nginx:1]": "ok"}, "r fail: x is ok", "POST https://checks.example.com/v1/shop X-Team=web map[image:nginx:1]"},
		"an entry of the global context":   {"{name: x, globalReference: {name: teams, jmesPath: '[0]'}}", map[string]any{"global teams": []any{"blue"}}, "r fail: x is blue", "global teams"},
		"what a registry knows":            {"{name: x, imageRegistry: {reference: '{{ request.object.spec.containers[0].image }}', jmesPath: 'configData.config.User'}}", map[string]any{"image nginx:1": map[string]any{"configData": map[string]any{"config": map[string]any{"User": "root"}}}}, "r fail: x is root", "image nginx:1"},
		"the same thing is asked once":     {"{name: a, globalReference: {name: teams}}, {name: b, globalReference: {name: teams}}, {name: x, variable: {value: '{{ a[0] }}{{ b[0] }}'}}", map[string]any{"global teams": []any{"blue"}}, "r fail: x is blueblue", "global teams"},
		"what nothing reads is not asked":  {"{name: a, globalReference: {name: teams}}, {name: x, variable: {value: plain}}", nil, "r fail: x is plain", ""},
		"a default of a variable on it":    {"{name: a, globalReference: {name: teams}}, {name: x, variable: {jmesPath: 'a[7].name', default: nobody}}", map[string]any{"global teams": []any{"blue"}}, "r fail: x is nobody", "global teams"},
		"an answer that is far too long":   {"{name: x, globalReference: {name: teams}}", map[string]any{"global teams": strings.Repeat("x", 5<<20)}, "r error: could not be evaluated: context variable x: its value is longer than 2097152 bytes: too large", "global teams"},
		"a variable inside of a variable":  {"{name: k, variable: {value: team}}, {name: c, configMap: {name: c, namespace: shop}}, {name: x, variable: {value: '{{ c.data.{{ k }} }}'}}", nil, "r fail: x is blue", "get ConfigMap/shop/c"},
		"one that reads itself is no loop": {"{name: x, variable: {value: '{{ x }}'}}", nil, `r error: could not be evaluated: context variable x: x: not found: unknown key "x"`, ""},
		"a variable that comes to null":    {"{name: x, variable: {jmesPath: 'request.object.spec.containers[7].name'}}", nil, "r error: could not be evaluated: context variable x: it is null, and has no default", ""},
		"two that read one another":        {"{name: x, variable: {value: '{{ y }}'}}, {name: y, variable: {value: '{{ x }}'}}", nil, `r error: could not be evaluated: context variable x: y: not found: unknown key "y"`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			a := &archive{answers: c.answers, objects: map[string]map[string]any{"ConfigMap/shop/c": config}}
			s := snapshot(t, looking(c.entries))
			same(t, "decisions", lines(s.Validate(t.Context(), asking(t, twoContainers), a.inputs())), c.want)
			same(t, "asked", strings.Join(a.asked, "; "), c.asked)
		})
	}
}

func TestNothingIsLookedUpForARuleWhosePreconditionsDoNotHold(t *testing.T) {
	a := &archive{}
	s := snapshot(t, withoutAutogen("p", "{rules: [{name: r, "+onPods+"context: [{name: x, globalReference: {name: teams}}], preconditions: {all: [{key: '{{ request.name }}', operator: Equals, value: other}]}, validate: {deny: {conditions: {all: [{key: '{{ x }}', operator: Equals, value: y}]}}}}]}"))
	same(t, "decisions", lines(s.Validate(t.Context(), asking(t, twoContainers), a.inputs())), "r skip: preconditions not met")
	same(t, "asked", strings.Join(a.asked, "; "), "")
}

func TestGivenValuesStandInForLookUps(t *testing.T) {
	for name, c := range map[string]struct {
		entries string
		given   map[string]any
		want    string
	}{
		"of a look-up":              {"{name: c, configMap: {name: c}}, {name: x, variable: {jmesPath: c.data.team}}", map[string]any{"c.data.team": "red", "c.data.mail": "m"}, "r fail: x is red"},
		"with a dot in the name":    {"{name: c, configMap: {name: c}}, {name: x, variable: {jmesPath: 'c.data.\"a.b\"'}}", map[string]any{`c.data."a.b"`: "red"}, "r fail: x is red"},
		"not of a variable":         {"{name: x, variable: {value: own}}", map[string]any{"x": "red"}, "r fail: x is own"},
		"of the request, untouched": {"{name: x, variable: {jmesPath: request.mode}}", map[string]any{"request.mode": "red"}, "r fail: x is red"},
		"a broken path":             {"{name: x, variable: {value: own}}", map[string]any{`a"b`: "red"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			in := (&archive{}).inputs()
			in.Given = func(*Rule, int) map[string]any { return c.given }
			req := asking(t, twoContainers)
			got := snapshot(t, looking(c.entries)).Validate(t.Context(), req, in)
			if c.want == "" {
				if got[0].Status != Error {
					t.Errorf("got %s, want an error", lines(got))
				}
				return
			}
			same(t, "decisions", lines(got), c.want)
		})
	}
}

func TestWrongLookUpsAreRefusedAtLoad(t *testing.T) {
	for name, c := range map[string]struct{ entry, want string }{
		"a host from a request (GHSA-qr4g-8hrp-c4rw)":        {"{name: x, apiCall: {service: {url: 'https://{{ request.object.metadata.labels.host }}/x'}}}", "spec.rules[0].context[0].apiCall.service.url: the host of a service is constant: variables may stand in the path and the query only"},
		"a port from a request (GHSA-fmqp-4wfc-w3v7)":        {"{name: x, apiCall: {service: {url: 'https://good.example.com:{{ request.name }}/'}}}", "spec.rules[0].context[0].apiCall.service.url: the host of a service is constant: variables may stand in the path and the query only"},
		"a host that goes on in a variable (GHSA-qr4g-8hrp)": {"{name: x, apiCall: {service: {url: 'https://good.example.com{{ request.name }}'}}}", "spec.rules[0].context[0].apiCall.service.url: the host of a service is constant: variables may stand in the path and the query only"},
		"an address that is all variable":                    {"{name: x, apiCall: {service: {url: '{{ request.name }}'}}}", "spec.rules[0].context[0].apiCall.service.url: the host of a service is constant: variables may stand in the path and the query only"},
		"another scheme":                                     {"{name: x, apiCall: {service: {url: 'file:///etc/passwd'}}}", `spec.rules[0].context[0].apiCall.service.url: "file:///etc/passwd" is not an address: expected https://HOST/PATH`},
		"a scheme that is no web":                            {"{name: x, apiCall: {service: {url: 'gopher://example.com/x'}}}", `spec.rules[0].context[0].apiCall.service.url: "gopher://example.com/x" is not an address: expected https:// or http://`},
		"no address":                                         {"{name: x, apiCall: {}}", "spec.rules[0].context[0].apiCall: has no address: expected urlPath or service"},
		"two addresses":                                      {"{name: x, apiCall: {urlPath: /api, service: {url: 'https://example.com'}}}", "spec.rules[0].context[0].apiCall: has both urlPath and service: expected one of them"},
		"a method":                                           {"{name: x, apiCall: {urlPath: /api, method: DELETE}}", `spec.rules[0].context[0].apiCall.method: unknown method "DELETE": expected GET or POST`},
		"data with GET":                                      {"{name: x, apiCall: {urlPath: /api, data: [{key: a, value: b}]}}", "spec.rules[0].context[0].apiCall.data: belongs to method POST only"},
		"a query that is none":                               {"{name: x, apiCall: {urlPath: /api, jmesPath: 'a['}}", `spec.rules[0].context[0].apiCall.jmesPath: expression "a[": at character 3: Expected tStar, received: tEOF`},
	} {
		t.Run(name, func(t *testing.T) {
			refused(t, "{rules: [{name: r"+rest+"context: ["+c.entry+"], validate: {deny: {}}}]}", c.want)
		})
	}
}
