package mutate

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/yaml"

	"github.com/holdfast-io/holdfast/engine/expr"
)

// newSchema builds what the code under test would be handed.
func newSchema(t testing.TB) *Schema {
	t.Helper()
	s, err := NewSchema()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// value reads YAML as encoding/json would read the same document.
func value(t testing.TB, text string) any {
	t.Helper()
	var v any
	if err := yaml.UnmarshalStrict([]byte(text), &v); err != nil {
		t.Fatalf("%v in:\n%s", err, text)
	}
	return v
}

func object(t testing.TB, text string) map[string]any {
	t.Helper()
	m, ok := value(t, text).(map[string]any)
	if !ok {
		t.Fatalf("not an object:\n%s", text)
	}
	return m
}

func text(t testing.TB, v any) string {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// deepCopy is a copy that shares nothing.
func deepCopy(t testing.TB, v any) any {
	t.Helper()
	var out any
	if err := json.Unmarshal([]byte(text(t, v)), &out); err != nil {
		t.Fatal(err)
	}
	return out
}

func target(obj map[string]any) Target {
	version, _ := obj["apiVersion"].(string)
	kind, _ := obj["kind"].(string)
	return Target{Object: obj, GVK: schema.FromAPIVersionAndKind(version, kind)}
}

type applier interface {
	Apply(env *expr.Env, target Target) Result
	References() []string
}

// run applies a patch and checks what holds for every patch: the object that went in is as it was, a
// result that is not Applied hands it back, and one that is differs from it.
func run(t testing.TB, p applier, env *expr.Env, obj map[string]any) Result {
	t.Helper()
	before := deepCopy(t, obj)
	res := p.Apply(env, target(obj))
	if !reflect.DeepEqual(any(obj), before) {
		t.Fatalf("the patch changed its input to\n%s\nfrom\n%s", text(t, obj), text(t, before))
	}
	if res.Outcome == Applied {
		if equal(obj, res.Object) {
			t.Error("applied, and nothing is different")
		}
	} else if !sameMap(obj, res.Object) {
		t.Errorf("%s, and the object is another one", res.Outcome)
	}
	if (res.Err != nil) != (res.Outcome == Error) {
		t.Errorf("outcome %s with error %v", res.Outcome, res.Err)
	}
	if (res.Message != "") != (res.Outcome == Skip) {
		t.Errorf("outcome %s with message %q", res.Outcome, res.Message)
	}
	return res
}

// envOf makes an env over a root document.
func envOf(root map[string]any) *expr.Env {
	return &expr.Env{Root: root, Functions: expr.NewFunctions()}
}

// requestEnv is an env with the object as request.object and further keys of the root in YAML.
func requestEnv(t testing.TB, obj map[string]any, more string) *expr.Env {
	t.Helper()
	root := map[string]any{"request": map[string]any{"object": obj}}
	if strings.TrimSpace(more) != "" {
		for k, v := range object(t, more) {
			root[k] = v
		}
	}
	return envOf(root)
}

var self = []string{"request", "object"}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
