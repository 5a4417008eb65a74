package act

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"

	"github.com/holdfast-io/holdfast/engine/mutate"
	"github.com/holdfast-io/holdfast/reconcile/propose"
)

// answers is an API server that answers patches as it is told, one after the other, and has one object.
type answers struct {
	patches []int
	object  map[string]any
}

func (a *answers) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	code := http.StatusOK
	if r.Method == http.MethodPatch {
		code, a.patches = a.patches[0], a.patches[1:]
	} else if a.object == nil {
		code = http.StatusNotFound
	}
	w.Header().Set("Content-Type", "application/json")
	if code == http.StatusInternalServerError {
		w.Header().Set("Retry-After", "0") // upon which the client asks again by itself
	}
	w.WriteHeader(code)
	body := any(a.object)
	if code != http.StatusOK {
		reasons := map[int]string{409: "Conflict", 404: "NotFound", 422: "Invalid", 500: "InternalError", 503: "ServiceUnavailable"}
		body = map[string]any{"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reasons[code], "message": "no"}
	}
	_ = json.NewEncoder(w).Encode(body) // the client tells
}

// stored is an object in a version, with who wrote it when.
func stored(uid, version, manager, at string) map[string]any {
	return map[string]any{"apiVersion": "example.com/v1", "kind": "Thing", "metadata": map[string]any{
		"name": "a", "namespace": "web", "uid": uid, "resourceVersion": version,
		"managedFields": []any{map[string]any{"manager": manager, "operation": "Update", "time": at}},
	}}
}

func TestWhatAWriteSaysOfWhatBecameOfIt(t *testing.T) {
	const before, since = "2026-05-01T10:00:00Z", "2026-05-01T10:00:07Z"
	read := stored("u", "1", FieldManager, before)
	for name, test := range map[string]struct {
		server answers
		want   error // nil for none of those that say that nothing was written by it
		text   string
	}{
		"somebody else has written it":             {answers{[]int{409}, stored("u", "2", "kubectl", since)}, ErrChanged, "the object has changed meanwhile: no"},
		"somebody else has, and we did before":     {answers{[]int{409}, stored("u", "2", FieldManager, before)}, ErrChanged, "the object has changed meanwhile: no"},
		"we have, with what was asked first":       {answers{[]int{500, 409}, stored("u", "2", FieldManager, since)}, nil, "it may be written already: no"},
		"another replica has":                      {answers{[]int{409}, stored("u", "2", FieldManager, since)}, nil, "it may be written already: no"},
		"we have written another of the same name": {answers{[]int{409}, stored("v", "9", FieldManager, since)}, ErrChanged, "the object has changed meanwhile: no"},
		"it is gone":                               {answers{[]int{404}, nil}, ErrChanged, "the object has changed meanwhile: no"},
		"it is refused":                            {answers{[]int{422}, read}, ErrRefused, `the API server refuses the change: no`},
		"it is refused, for it is another":         {answers{[]int{422}, stored("v", "9", "kubectl", since)}, ErrChanged, `the object has changed meanwhile: no`},
		"it is refused, for it is another of ours": {answers{[]int{422}, stored("u", "2", FieldManager, since)}, nil, `it may be written already: no`},
		"the server cannot tell":                   {answers{[]int{503}, read}, nil, "no"},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(&test.server)
			defer server.Close()
			client, err := dynamic.NewForConfig(&rest.Config{Host: server.URL})
			if err != nil {
				t.Fatal(err)
			}
			s := NewServer(propose.ServerOptions{
				Client:     client,
				Namespaced: func(schema.GroupVersionKind) bool { return true },
				Resource: func(schema.GroupVersionKind) (schema.GroupVersionResource, bool) {
					return schema.GroupVersionResource{Group: "example.com", Version: "v1", Resource: "things"}, true
				},
			})
			_, err = s.Write(context.Background(), &Write{
				Kind: thingKind, Namespace: "web", Name: "a", Object: read, Manager: FieldManager,
				Patch: []mutate.Operation{{Op: "add", Path: "/spec", Value: map[string]any{}}},
			})
			if err == nil || errors.Is(err, ErrChanged) != (test.want == ErrChanged) || errors.Is(err, ErrRefused) != (test.want == ErrRefused) { //nolint:errorlint // of the table
				t.Fatalf("got %v, want %v", err, test.want)
			}
			expect(t, "the error", err.Error(), test.text)
		})
	}
}
