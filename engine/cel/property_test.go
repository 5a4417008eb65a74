package cel

import (
	"math"
	"testing"

	"github.com/google/cel-go/cel"
	"k8s.io/apimachinery/pkg/util/version"
	"k8s.io/apiserver/pkg/cel/environment"
	"pgregory.net/rapid"
)

func jsonValues() *rapid.Generator[any] {
	scalar := rapid.OneOf(
		rapid.Just[any](nil),
		rapid.Map(rapid.Bool(), func(b bool) any { return b }),
		rapid.Map(rapid.SampledFrom([]string{"", "a", "b", "1"}), func(s string) any { return s }),
		rapid.Map(rapid.SampledFrom([]float64{0, 1, 2, -1, 0.5, 1e18, 1e19, -math.MaxInt64}), func(f float64) any { return f }),
	)
	deep := scalar
	for range 3 {
		inner := deep
		deep = rapid.OneOf(scalar,
			rapid.Map(rapid.SliceOfN(inner, 0, 3), func(l []any) any { return l }),
			rapid.Map(rapid.MapOfN(rapid.SampledFrom([]string{"a", "b", "c"}), inner, 0, 3), func(m map[string]any) any { return m }))
	}
	return deep
}

// asServer decodes the same value as an API server does: whole numbers are int64.
func asServer(v any) any {
	switch v := v.(type) {
	case float64:
		if v == math.Trunc(v) && v >= -(1<<63) && v < 1<<63 {
			return int64(v)
		}
		return v
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, item := range v {
			out[k] = asServer(item)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, item := range v {
			out[i] = asServer(item)
		}
		return out
	default:
		return v
	}
}

// Values that are read in place mean the same to an expression as values that were converted for it. What depends on the
// order of a map is left out: a server has none.
func TestValuesAreTheServers(t *testing.T) {
	server, err := environment.MustBaseEnvSet(version.MajorMinor(1, 0)).StoredExpressionsEnv().
		Extend(cel.Variable("object", cel.DynType), cel.Variable("oldObject", cel.DynType))
	if err != nil {
		t.Fatal(err)
	}
	type pair struct {
		ours   *Rule
		theirs cel.Program
	}
	expressions := []string{
		"object.v == oldObject.v", "object.v in oldObject.v", "object.v < oldObject.v", "object.v + object.v == oldObject.v",
		"(object.v + oldObject.v).size() == 2", "(object.v + oldObject.v)[1] == object.v[0]", "object.v in object.v + oldObject.v",
		"object.v.a == oldObject.v", "object.v[0] == oldObject.v", "object.v['a'] == oldObject.v[oldObject.v]", "has(object.v.a)",
		"object.v.exists(x, x == oldObject.v)", "object.v.all(k, v, v == oldObject.v)", "object.v.all(x, x == oldObject.v)",
		"object.v.?a.hasValue()", "object.v[?0].hasValue()", "optional.ofNonZeroValue(object.v).hasValue()",
		"type(object.v) == int", "type(object.v) == double", "type(object.v) == type(oldObject.v)", "dyn(object.v) == 1.0", "{'a': object.v} == oldObject.v",
		"[object.v] == oldObject.v", "[object.v] + object.v == oldObject.v", "object.v.isSorted()", "object.v.distinct().size() == 1",
		"object.v.join(',') == 'a,b'", "string(object.v) == '1'", "'%s'.format([object.v]) == '1'", "double(object.v) == 1.0", "sets.contains(object.v, oldObject.v)",
	}
	programs := make([]pair, len(expressions))
	for i, expression := range expressions {
		checked, issues := server.Compile(expression)
		if issues.Err() != nil {
			t.Fatalf("%s: %v", expression, issues.Err())
		}
		program, err := server.Program(checked)
		if err != nil {
			t.Fatal(err)
		}
		programs[i] = pair{mustCompile(t, one(expression)), program}
	}
	values := jsonValues()
	rapid.Check(t, func(t *rapid.T) {
		object := map[string]any{"v": values.Draw(t, "object")}
		old := map[string]any{"v": values.Draw(t, "oldObject")}
		i := rapid.IntRange(0, len(programs)-1).Draw(t, "expression")
		ours := programs[i].ours.Evaluate(t.Context(), &Input{Object: object, OldObject: was(old)})
		want := Error
		if v, _, err := programs[i].theirs.Eval(map[string]any{"object": asServer(object), "oldObject": asServer(old)}); err == nil {
			want = Fail
			if v.Value() == true {
				want = Pass
			}
		}
		if ours.Outcome != want {
			t.Errorf("%s with %v and %v: got %s, want %s", expressions[i], object, old, line(ours), want)
		}
	})
}
