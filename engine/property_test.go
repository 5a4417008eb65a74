package engine_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"
	"time"

	kyvernov1 "github.com/kyverno/kyverno/api/kyverno/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"pgregory.net/rapid"
	"sigs.k8s.io/yaml"

	"github.com/holdfast-io/holdfast/engine"
	"github.com/holdfast-io/holdfast/engine/mutate"
	"github.com/holdfast-io/holdfast/policies"
)

// shipped compiles the bundle that Holdfast ships.
func shipped(t testing.TB) *engine.Snapshot {
	t.Helper()
	files, err := fs.Glob(policies.FS(), "*/policy.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no policies: %v", err)
	}
	texts := map[string][]byte{}
	for _, file := range files {
		if texts[file], err = fs.ReadFile(policies.FS(), file); err != nil {
			t.Fatal(err)
		}
	}
	return compiled(t, texts)
}

// written compiles the policies that are written for these laws: what of the language the shipped ones leave out.
func written(t testing.TB) *engine.Snapshot {
	t.Helper()
	files, err := filepath.Glob("testdata/laws/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no policies: %v", err)
	}
	texts := map[string][]byte{}
	for _, file := range files {
		if texts[file], err = os.ReadFile(file); err != nil {
			t.Fatal(err)
		}
	}
	return compiled(t, texts)
}

// compiled makes a snapshot of policies, one in each file.
func compiled(t testing.TB, texts map[string][]byte) *engine.Snapshot {
	t.Helper()
	compiler, err := engine.NewCompiler()
	if err != nil {
		t.Fatal(err)
	}
	var compiled []*engine.Policy
	for file, text := range texts {
		var document map[string]any
		src := &kyvernov1.ClusterPolicy{}
		if err := errors.Join(yaml.UnmarshalStrict(text, &document), yaml.UnmarshalStrict(text, src)); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		p, err := compiler.Compile(src, document)
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		compiled = append(compiled, p)
	}
	s, err := engine.NewSnapshot(compiled)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// objects are those of the tests of the shipped policies: of every kind that a policy looks at, good and bad.
func objects(t testing.TB) []map[string]any {
	t.Helper()
	files, err := filepath.Glob("../policies/*/test/resources.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no objects: %v", err)
	}
	var list []map[string]any
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		reader := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(text)))
		for {
			doc, err := reader.Read()
			if errors.Is(err, io.EOF) {
				break
			}
			var object map[string]any
			if err == nil {
				err = yaml.UnmarshalStrict(doc, &object)
			}
			if err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			if object != nil {
				list = append(list, object)
			}
		}
	}
	return list
}

// hardened is a cluster whose namespaces ask for every default. What it looks up is the same value each time, which
// no evaluation may change.
type hardened struct {
	engine.NoLookups
	teams map[string]any
}

func (h hardened) GlobalContext(_ context.Context, name string) (any, error) {
	if name != "teams" {
		return nil, engine.ErrNotFound
	}
	return h.teams, nil
}

func teams() map[string]any {
	return map[string]any{"names": []any{"blue", "red"}, "lead": map[string]any{"blue": "jane"}}
}

func (hardened) NamespaceLabels(context.Context, string) (map[string]string, error) {
	return map[string]string{"holdfast.dev/harden": "true"}, nil
}

func (hardened) Roles(context.Context, *authenticationv1.UserInfo) (roles, clusterRoles []string, err error) {
	return []string{"team-a:editor"}, []string{"view"}, nil
}

func request(object map[string]any) *engine.Request {
	meta, _ := object["metadata"].(map[string]any)
	version, _ := object["apiVersion"].(string)
	kind, _ := object["kind"].(string)
	namespace, _ := meta["namespace"].(string)
	name, _ := meta["name"].(string)
	return &engine.Request{Operation: engine.Create, Kind: schema.FromAPIVersionAndKind(version, kind), Namespace: namespace, Name: name, Object: object}
}

func inputs() *engine.Inputs {
	return &engine.Inputs{Lookups: hardened{teams: teams()}, Now: func() time.Time { return time.Unix(1_800_000_000, 0) }}
}

// disturb changes one place of an object, so that it is one which no author thought of.
func disturb(t *rapid.T, v any) any {
	odd := rapid.SampledFrom([]any{nil, "", "x", 0.0, -1.0, true, []any{}, map[string]any{}, []any{nil}, "{{ request.object }}"})
	switch v := v.(type) {
	case map[string]any:
		if len(v) > 0 && rapid.IntRange(0, 9).Draw(t, "deeper") > 0 {
			keys := make([]string, 0, len(v))
			for k := range v {
				if k != "apiVersion" && k != "kind" {
					keys = append(keys, k)
				}
			}
			if len(keys) > 0 {
				k := rapid.SampledFrom(slices.Sorted(slices.Values(keys))).Draw(t, "key")
				v[k] = disturb(t, v[k])
				return v
			}
		}
	case []any:
		if len(v) > 0 && rapid.IntRange(0, 9).Draw(t, "deeper") > 0 {
			i := rapid.IntRange(0, len(v)-1).Draw(t, "index")
			v[i] = disturb(t, v[i])
			return v
		}
	}
	return odd.Draw(t, "odd")
}

func clone(t rapid.TB, object map[string]any) map[string]any {
	t.Helper()
	raw, err := json.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	var out map[string]any
	if err := json.Unmarshal(raw, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// The laws of evaluation, over the shipped policies and those written for it, and the objects of the shipped policies'
// tests: as they are, disturbed, and generated.
func TestLawsOfEvaluation(t *testing.T) {
	list := objects(t)
	for name, s := range map[string]*engine.Snapshot{"shipped": shipped(t), "written": written(t)} {
		decided := map[*engine.Rule]bool{}
		note := func(decisions []engine.Decision) {
			for i := range decisions {
				if d := &decisions[i]; d.Status == engine.Pass || d.Status == engine.Fail {
					decided[d.Rule] = true
				}
			}
		}
		t.Run(name+" policies, as written", func(t *testing.T) {
			for _, object := range list {
				note(laws(t, s, object))
			}
		})
		t.Run(name+" policies, disturbed", rapid.MakeCheck(func(t *rapid.T) {
			object := clone(t, rapid.SampledFrom(list).Draw(t, "object"))
			for range rapid.IntRange(1, 3).Draw(t, "times") {
				disturb(t, object)
			}
			note(laws(t, s, object))
		}))
		t.Run(name+" policies, generated", rapid.MakeCheck(func(t *rapid.T) { note(laws(t, s, grown(t))) }))
		if name == "shipped" {
			continue // their own tests show that they decide
		}
		for _, p := range s.Policies() {
			for _, r := range p.Rules {
				if !decided[r] && !slices.Contains(neverDecided, r.Name) && !r.Autogenerated {
					t.Errorf("%s: rule %s judged nothing: the objects say nothing about it", p.Name, r.Name)
				}
			}
		}
	}
}

// neverDecided are rules that ask for what no audit has: a value that is not there, the user.
var neverDecided = []string{"missing", "asker"}

// laws holds one object to them, and gives what the audit says of it.
func laws(t rapid.TB, s *engine.Snapshot, object map[string]any) []engine.Decision {
	t.Helper()
	before := clone(t, object)
	lookups := hardened{teams: teams()}
	in := inputs()
	in.Lookups = lookups
	audit, err := s.Audit(context.Background(), request(object), in)
	if err != nil {
		t.Fatal(err)
	}
	write := request(object)
	write.UID, write.User = "uid", &authenticationv1.UserInfo{Username: "jane"}
	admitted := s.Validate(context.Background(), write, in)
	mutated, err := s.Mutate(context.Background(), write, in)
	if err != nil {
		t.Fatal(err)
	}
	for _, op := range []engine.Operation{engine.Update, engine.Delete} {
		other := *write
		other.Operation, other.OldObject = op, object
		if op == engine.Delete {
			other.Object = nil
		}
		s.Validate(context.Background(), &other, in)
		if _, err := s.Mutate(context.Background(), &other, in); err != nil {
			t.Fatal(err)
		}
	}
	if !reflect.DeepEqual(object, before) {
		t.Fatalf("evaluation changed its input\n from %v\n to %v", before, object)
	}
	if !reflect.DeepEqual(lookups.teams, teams()) {
		t.Fatalf("evaluation changed what it looked up: %v", lookups.teams)
	}
	auditEqualsAdmission(t, audit, admitted)
	patchesMend(t, s, object, audit, mutated)
	return audit.Decisions
}

// auditEqualsAdmission: a validate rule that can be audited says of an object at rest what it says of its creation.
func auditEqualsAdmission(t rapid.TB, audit engine.Mutation, admitted []engine.Decision) {
	t.Helper()
	byRule := map[*engine.Rule]*engine.Decision{}
	for i := range admitted {
		byRule[admitted[i].Rule] = &admitted[i]
	}
	seen := 0
	for i := range audit.Decisions {
		d := &audit.Decisions[i]
		if d.Rule.Kind != engine.Validate || errors.Is(d.Err, engine.ErrNotAuditable) {
			continue
		}
		seen++
		a := byRule[d.Rule]
		if a == nil || a.Status != d.Status || a.Message != d.Message || a.Path != d.Path || a.Action != d.Action {
			t.Errorf("rule %s: the audit says %s %q, admission %+v", d.Rule.Name, d.Status, d.Message, a)
		}
	}
	for rule := range byRule {
		if auditable, _ := rule.Auditable(); !auditable || !rule.Policy.Background {
			seen++
		}
	}
	if seen < len(byRule) {
		t.Errorf("admission gave %d verdicts, the audit %d of them", len(byRule), seen)
	}
}

// patchesMend: the audit's patch leads to what admission makes of the object, and then nothing is left to do.
func patchesMend(t rapid.TB, s *engine.Snapshot, object map[string]any, audit, mutated engine.Mutation) {
	t.Helper()
	mended, err := mutate.ApplyPatch(object, audit.Patch)
	if err != nil {
		t.Fatalf("applying the audit's patch: %v", err)
	}
	if !reflect.DeepEqual(mended, audit.Object) {
		t.Errorf("the patch leads to %v\nnot to %v", mended, audit.Object)
	}
	if !reflect.DeepEqual(audit.Object, mutated.Object) {
		t.Errorf("the audit wants %v\nadmission makes %v", audit.Object, mutated.Object)
	}
	twice, err := s.Mutate(context.Background(), request(mended), inputs())
	if err != nil {
		t.Fatal(err)
	}
	if len(twice.Patch) > 0 {
		t.Errorf("a second mutation changes more: %v", twice.Patch)
	}
	again, err := s.Audit(context.Background(), request(mended), inputs())
	if err != nil {
		t.Fatal(err)
	}
	for i := range again.Decisions {
		if d := &again.Decisions[i]; d.Rule.Kind == engine.Mutate && d.Status == engine.Fail {
			t.Errorf("rule %s still finds drift after the patch: %s", d.Rule.Name, d.Message)
		}
	}
	if len(again.Patch) > 0 {
		t.Errorf("there is a second patch: %v", again.Patch)
	}
}
