package peers

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/go-logr/logr"
	peer "github.com/kyverno/kyverno/pkg/engine/mutate/patch"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/holdfast-io/holdfast/engine/mutate"
)

// How many patches are generated for each seed. The peer takes a millisecond and more for a strategic one.
const (
	strategicOfEach = 4_000
	jsonOfEach      = 50_000
)

func patched(raw []byte, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	var out any
	err = json.Unmarshal(raw, &out)
	return out, err
}

func result(r mutate.Result) (any, error) {
	if r.Outcome == mutate.Error {
		return nil, r.Err
	}
	return r.Object, nil
}

func TestStrategicPatches(t *testing.T) {
	kinds, err := mutate.NewSchema()
	if err != nil {
		t.Fatal(err)
	}
	b := open(strategicDifferences)
	for _, seed := range seeds {
		g := &mutationGenerator{r: random(seed)}
		for range strategicOfEach {
			on := plain(g.pod()).(object)
			tree := plain(g.patch(on))
			compiled, err := mutate.CompileStrategic(tree, mutate.Options{Schema: kinds})
			if err != nil {
				t.Fatalf("%s: %v", written(tree), err)
			}
			kind := schema.FromAPIVersionAndKind(on["apiVersion"].(string), on["kind"].(string))
			b.enter(t, &pair{
				subject: "patchStrategicMerge", args: []any{tree, on},
				theirs: guarded(func() (any, error) {
					return patched(peer.NewPatchStrategicMerge(plain(tree)).Patch(logr.Discard(), []byte(written(on))))
				}),
				ours: guarded(func() (any, error) { return result(compiled.Apply(nil, mutate.Target{Object: on, GVK: kind})) }),
			})
		}
	}
	b.close(t)
}

func TestJSONPatches(t *testing.T) {
	b := open(jsonPatchDifferences)
	for _, seed := range seeds {
		g := &mutationGenerator{r: random(seed)}
		for range jsonOfEach {
			on := object{}
			for _, k := range g.perm("a", "b", "c") {
				on[k] = g.value(2)
			}
			ops := g.operations()
			text := written(ops)
			compiled, err := mutate.CompileJSON6902(text, mutate.Options{})
			if err != nil {
				t.Fatalf("%s: %v", text, err)
			}
			b.enter(t, &pair{
				subject: "patchesJson6902", args: []any{ops, on},
				theirs: guarded(func() (any, error) {
					return patched(peer.NewPatchesJSON6902(text).Patch(logr.Discard(), []byte(written(on))))
				}),
				ours: guarded(func() (any, error) { return result(compiled.Apply(nil, mutate.Target{Object: on})) }),
			})
		}
	}
	b.close(t)
}

// strategicDifferences is where strategic patches part from Kyverno 1.19's.
var strategicDifferences = []difference{
	{
		when: func(p *pair) bool {
			return p.theirs.err == nil && p.ours.err == nil && written(sorted(p.theirs.value)) == written(sorted(p.ours.value))
		},
		why: "What a patch adds to a list stands in the order of the patch; the peer's order is that of its merge library. Lists with a merge key have none that counts.",
	},
}

// jsonPatchDifferences is where JSON patches part from Kyverno 1.19's.
var jsonPatchDifferences = []difference{
	{
		when: func(p *pair) bool {
			return p.theirs.err != nil && strings.Contains(p.theirs.err.Error(), "invalid state detected")
		},
		why: "A null that an operation has added can be walked through by the next one, as one that was there before; the peer's library loses its state.",
	},
	{
		when: func(p *pair) bool {
			return p.theirs.err != nil && strings.Contains(p.theirs.err.Error(), "test failed") && has(p.args[0], nil)
		},
		why: "A null that an operation has added equals null.",
	},
	{
		when: func(p *pair) bool {
			return p.theirs.err == nil && p.ours.err == nil && has(p.args, nil) && len(written(p.theirs.value)) > len(written(p.ours.value))
		},
		why: "A list that is made where an element is null takes its place; the peer's is put in beside it, and the null stays.",
	},
}

// sorted gives a value with its lists in the order of their elements' text.
func sorted(v any) any {
	switch v := v.(type) {
	case object:
		out := object{}
		for k, item := range v {
			out[k] = sorted(item)
		}
		return out
	case list:
		out := make(list, len(v))
		for i, item := range v {
			out[i] = sorted(item)
		}
		slices.SortFunc(out, func(a, b any) int { return strings.Compare(written(a), written(b)) })
		return out
	}
	return v
}
