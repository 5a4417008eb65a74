package plan

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/yaml"

	"github.com/holdfast-io/holdfast/engine"
	"github.com/holdfast-io/holdfast/engine/mutate"
)

// object reads YAML as encoding/json would read the same document.
func object(t testing.TB, text string) map[string]any {
	t.Helper()
	var m map[string]any
	if err := yaml.UnmarshalStrict([]byte(text), &m); err != nil {
		t.Fatalf("%v in:\n%s", err, text)
	}
	return m
}

// policy writes a ClusterPolicy with one rule r, in flow style; annotations is like "a: b, c: d".
func policy(name, annotations, kind, rule string) string {
	return fmt.Sprintf(`apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {name: %s, annotations: {%s}}
spec: {rules: [{name: r, match: {any: [{resources: {kinds: [%s]}}]}, %s}]}
`, name, annotations, kind, rule)
}

// validate is a rule with a pattern, mutate one with a patch.
func validating(pattern string) string {
	return "validate: {message: is refused, pattern: " + pattern + "}"
}
func mutating(patch string) string { return "mutate: {patchStrategicMerge: " + patch + "}" }

func subject(t testing.TB, text string) Subject {
	o := object(t, text)
	apiVersion, _ := o["apiVersion"].(string)
	kind, _ := o["kind"].(string)
	return Subject{Kind: schema.FromAPIVersionAndKind(apiVersion, kind), Object: o}
}

// world has nothing in it, and knows it.
type world struct{ engine.NoLookups }

func (world) Get(context.Context, schema.GroupVersionKind, string, string) (map[string]any, error) {
	return nil, engine.ErrNotFound
}

func (world) Namespaced(context.Context, schema.GroupVersionKind) (bool, error) { return true, nil }

func planner(t testing.TB, opts Options) *Planner {
	t.Helper()
	if opts.Inputs == nil {
		opts.Inputs = &engine.Inputs{Lookups: world{}, Now: func() time.Time { return time.Unix(1_800_000_000, 0) }}
	}
	p, err := New(opts)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func planned(t testing.TB, opts Options, s Subject) []Item {
	t.Helper()
	items, err := planner(t, opts).Object(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	return items
}

// lines writes items as "POLICY/RULE KIND/NAME: PATCH [OBSTACLE: MESSAGE]".
func lines(items []Item) string {
	var out []string
	for i := range items {
		it := &items[i]
		line := fmt.Sprintf("%s/%s %s/%s", it.Policy.Key(), it.Rule, it.Target.Kind, it.Target.Name)
		if it.Target.Patch != "" {
			line += ": " + it.Target.Patch
		}
		if o := it.Target.Obstacle; o != nil {
			line += " [" + string(o.Reason) + ": " + o.Message + "]"
		}
		out = append(out, line)
	}
	return strings.Join(out, "\n")
}

// server holds objects by KIND/NAME, and stores what it is asked to try as edit says.
type server struct {
	objects map[string]map[string]any
	err     error
	edit    func(map[string]any) map[string]any
	tried   int
}

func (s *server) Get(_ context.Context, kind schema.GroupVersionKind, _, name string) (map[string]any, error) {
	o, ok := s.objects[kind.Kind+"/"+name]
	if !ok {
		return nil, fmt.Errorf("%s %s: %w", kind.Kind, name, engine.ErrNotFound)
	}
	return o, nil
}

func (s *server) Try(_ context.Context, c *Change) (map[string]any, error) {
	s.tried++
	if s.err != nil {
		return nil, s.err
	}
	if s.edit != nil {
		return s.edit(c.Object), nil
	}
	return c.Object, nil
}

// applied applies a patch that is written as text.
func applied(t interface{ Fatal(...any) }, o map[string]any, patch string) map[string]any {
	var ops []struct {
		Op, Path string
		Value    any
	}
	if err := json.Unmarshal([]byte(patch), &ops); err != nil {
		t.Fatal(err)
	}
	list := make([]mutate.Operation, len(ops))
	for i, op := range ops {
		list[i] = mutate.Operation{Op: op.Op, Path: op.Path, Value: op.Value}
	}
	out, err := mutate.ApplyPatch(o, list)
	if err != nil {
		t.Fatal(err)
	}
	return out
}
