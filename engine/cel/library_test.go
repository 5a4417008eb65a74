package cel

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// aWorld answers from maps, and writes down what it was asked.
type aWorld struct {
	objects   map[string]map[string]any // api resource namespace/name
	http      any
	context   map[string]any // name or name.projection
	images    map[string]map[string]any
	random    io.Reader
	err       error
	asked     []string
	generated []map[string]any
	requester Requester
	access    authorizationv1.SubjectAccessReviewStatus
}

func (w *aWorld) note(format string, args ...any) error {
	w.asked = append(w.asked, fmt.Sprintf(format, args...))
	return w.err
}

func (w *aWorld) Get(apiVersion, resource, namespace, name string) (map[string]any, error) {
	return w.objects[apiVersion+" "+resource+" "+namespace+"/"+name], w.note("get %s %s %s/%s", apiVersion, resource, namespace, name)
}

func (w *aWorld) List(apiVersion, resource, namespace string, labels map[string]string) ([]map[string]any, error) {
	var found []map[string]any
	for key, object := range w.objects {
		if strings.HasPrefix(key, apiVersion+" "+resource+" "+namespace) {
			found = append(found, object)
		}
	}
	return found, w.note("list %s %s %s %v", apiVersion, resource, namespace, labels)
}

func (w *aWorld) Post(apiVersion, resource, namespace string, object map[string]any) (map[string]any, error) {
	return map[string]any{"status": map[string]any{"allowed": true}}, w.note("post %s %s %s %v", apiVersion, resource, namespace, object)
}

func (w *aWorld) Resource(apiVersion, kind string) (schema.GroupVersionResource, error) {
	gv, err := schema.ParseGroupVersion(apiVersion)
	return gv.WithResource(strings.ToLower(kind) + "s"), errors.Join(err, w.err)
}

func (w *aWorld) GlobalContext(name, projection string) (any, error) {
	return w.context[name+"."+projection], w.note("context %s %s", name, projection)
}

func (w *aWorld) HTTP(c HTTPCall) (any, error) {
	return w.http, w.note("%s %s %v %v %q", c.Method, c.URL, c.Headers, c.Body, c.CABundle)
}

func (w *aWorld) Image(reference string) (map[string]any, error) {
	return w.images[reference], w.note("image %s", reference)
}

func (w *aWorld) Generate(namespace string, objects []map[string]any) error {
	w.generated = append(w.generated, objects...)
	return w.note("generate %s %v", namespace, objects)
}

func (w *aWorld) Requester() Requester { return w.requester }

func (w *aWorld) Authorize(question *authorizationv1.SubjectAccessReviewSpec) (authorizationv1.SubjectAccessReviewStatus, error) {
	raw, err := json.Marshal(question)
	return w.access, errors.Join(err, w.note("%s", raw))
}

func (w *aWorld) Now() time.Time { return time.Date(2025, 3, 4, 5, 6, 7, 0, time.UTC) }

func (w *aWorld) Random(p []byte) (int, error) {
	if w.random == nil {
		return copy(p, bytes.Repeat([]byte{7}, len(p))), w.err
	}
	return w.random.Read(p)
}

func shop() *aWorld {
	return &aWorld{
		objects: map[string]map[string]any{
			"v1 configmaps shop/settings": {"metadata": map[string]any{"name": "settings", "namespace": "shop"}, "data": map[string]any{"tier": "gold"}},
		},
		http:    map[string]any{"statusCode": 200.0, "allowed": true, "limit": 3.0},
		context: map[string]any{"limits.": map[string]any{"cpu": 4.0}, "limits.cpu": 4.0},
		images:  map[string]map[string]any{"registry.example.com/web:1": {"config": map[string]any{"config": map[string]any{"User": "65532"}}}},
	}
}

// Every example of the documents is true, in each spelling of its function.
func TestTheExamplesOfTheLibraries(t *testing.T) {
	in := Input{Object: map[string]any{"spec": map[string]any{"ca": aCertificate(t)}}}
	compiler := NewCompiler()
	for _, library := range libraries() {
		for _, f := range library.functions {
			for _, name := range f.names {
				expression := f.example
				// the longest first: a short name can be the end of a long one
				for _, other := range slices.SortedFunc(slices.Values(f.names), func(a, b string) int { return len(b) - len(a) }) {
					if strings.Contains(f.example, other+"(") && (f.on == nil || strings.Contains(f.example, "."+other+"(")) {
						expression = strings.ReplaceAll(f.example, other+"(", name+"(")
						break
					}
				}
				if !strings.Contains(expression, name+"(") {
					t.Errorf("the example of %s does not show it: %s", name, expression)
				}
				in.World = shop()
				rule, err := compiler.Compile(kyverno(expression + " == " + f.gives))
				if err != nil {
					t.Errorf("%s: %v", expression, err)
					continue
				}
				same(t, expression, line(rule.Evaluate(t.Context(), &in)), "pass")
			}
		}
	}
}

func TestNamesOfFunctions(t *testing.T) {
	want := "Apply Client Get GetMetadata List Post ToGVR apply client containsDigest digest get getMetadata gzip.compress gzip.decompress " +
		"hash.md5 hash.sha1 hash.sha256 identifier identifierWithSeparator image isImage list listObjToMap marshal math.round md5 parse " +
		"parseImageReference parseServiceAccount post random random.random registry repository sha1 sha256 tag time.now time.toCron time.truncate " +
		"toGVR transform.listObjToMap unmarshal user.parseServiceAccount x509.decode"
	if got := strings.Join(functionNames(), " "); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if !slices.IsSorted(functionNames()) {
		t.Error("the names are in no order")
	}
}
