package pattern_test

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/holdfast-io/holdfast/engine/expr"
	"github.com/holdfast-io/holdfast/engine/pattern"
)

// drawValue draws JSON with few keys and values, so that patterns and objects often meet.
func drawValue(depth int) *rapid.Generator[any] {
	leaf := rapid.SampledFrom([]any{nil, true, false, 0.0, 1.0, 5.0, 0.5, "", "x", "xy", "5", "1Gi", "10s"})
	if depth == 0 {
		return leaf
	}
	below := rapid.Deferred(func() *rapid.Generator[any] { return drawValue(depth - 1) })
	keys := rapid.SampledFrom([]string{"a", "b", "metadata", "labels"})
	return rapid.OneOf(leaf,
		rapid.Map(rapid.MapOfN(keys, below, 0, 3), func(m map[string]any) any { return m }),
		rapid.Map(rapid.SliceOfN(below, 0, 3), func(l []any) any { return append([]any{}, l...) }))
}

func drawPattern(depth int) *rapid.Generator[any] {
	leaf := rapid.SampledFrom([]any{nil, true, false, 0.0, 5.0, 0.5, "*", "?*", "x*", "!x", ">1", "<=5", "1-5", "1Gi", "x | y", "<1h & !0s"})
	if depth == 0 {
		return leaf
	}
	below := rapid.Deferred(func() *rapid.Generator[any] { return drawPattern(depth - 1) })
	keys := rapid.SampledFrom([]string{"a", "b", "(a)", "=(a)", "=(b)", "X(b)", "<(a)", "metadata", "=(labels)", "a*", "(?)"})
	object := rapid.MapOfN(keys, below, 0, 4)
	exists := rapid.Map(object, func(m map[string]any) any { return map[string]any{"^(a)": []any{m}} })
	return rapid.OneOf(leaf, exists,
		rapid.Map(object, func(m map[string]any) any { return m }),
		rapid.Map(rapid.SliceOfN(below, 0, 2), func(l []any) any { return append([]any{}, l...) }))
}

func copyOf(t *rapid.T, v any) any {
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var out any
	if err := json.Unmarshal(raw, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestMatchChangesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tree, value := drawPattern(4).Draw(t, "pattern"), drawValue(4).Draw(t, "object")
		treeBefore, valueBefore := copyOf(t, tree), copyOf(t, value)
		p, err := pattern.Compile(tree, pattern.Options{})
		if err != nil {
			t.Fatal(err)
		}
		first := p.Match(nil, value)
		second := p.Match(nil, value)
		if !reflect.DeepEqual(first, second) {
			t.Fatalf("got %+v, then %+v", first, second)
		}
		if !reflect.DeepEqual(tree, treeBefore) || !reflect.DeepEqual(value, valueBefore) {
			t.Fatal("the pattern or the object changed")
		}
	})
}

// The place that a failure names is in the object as far as the object goes.
func TestPathsLeadIntoTheObject(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, err := pattern.Compile(drawPattern(4).Draw(t, "pattern"), pattern.Options{})
		if err != nil {
			t.Fatal(err)
		}
		value := drawValue(4).Draw(t, "object")
		got := p.Match(nil, value)
		if got.Outcome == pattern.Pass {
			return
		}
		if !strings.HasPrefix(got.Path, "/") || !strings.HasSuffix(got.Path, "/") || got.Message == "" {
			t.Fatalf("got %+v", got)
		}
		steps := strings.Split(strings.Trim(got.Path, "/"), "/")
		for i, step := range steps {
			m, isMap := value.(map[string]any)
			if !isMap {
				break
			}
			next, ok := m[step]
			if !ok && i < len(steps)-1 {
				t.Fatalf("%s leads nowhere at %s", got.Path, step)
			}
			value = next
		}
	})
}

func TestAValueMatchesItself(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		// Without the characters of operators and wildcards.
		text := rapid.StringMatching(`[A-Za-z0-9._:/ -]*`)
		value := rapid.OneOf(
			rapid.Map(text, func(s string) any { return s }),
			rapid.Map(rapid.Float64Range(-1e18, 1e18), func(f float64) any { return f }),
			rapid.Map(rapid.Int64(), func(i int64) any { return i }),
			rapid.Map(rapid.Bool(), func(b bool) any { return b }),
			rapid.Just[any](nil),
		).Draw(t, "value")
		s, err := pattern.CompileScalar(value)
		if err != nil {
			t.Fatal(err)
		}
		if !s.Match(value) {
			t.Fatalf("%#v does not match itself", value)
		}
	})
}

// Whole numbers compare as numbers do, whatever Go type they come in.
func TestNumbersHaveAnOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := rapid.Int64Range(-1<<53, 1<<53).Draw(t, "a")
		b := rapid.Int64Range(-1<<53, 1<<53).Draw(t, "b")
		number := json.Number(jsonText(t, b))
		for op, want := range map[string]bool{">": b > a, ">=": b >= a, "<": b < a, "<=": b <= a, "!": b != a, "": b == a} {
			s, err := pattern.CompileScalar(op + jsonText(t, a))
			if err != nil {
				t.Fatal(err)
			}
			for _, v := range []any{b, int(b), float64(b), number, jsonText(t, b)} {
				if got := s.Match(v); got != want {
					t.Fatalf("%s%d on %#v: got %v", op, a, v, got)
				}
			}
		}
	})
}

func jsonText(t *rapid.T, v any) string {
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// A pattern is shared by all requests: run with -race.
func TestMatchIsSafeForConcurrentUse(t *testing.T) {
	p := compile(t, `{"l":[{"(a)":">0.0000000000001","b":"1Mi-1Gi","c":"<1h"}]}`)
	value := parse(t, `{"l":[{"a":"123456789012345678901234567890","b":"0.00001Gi","c":"5m"},{"a":1,"b":"0.5Gi","c":0}]}`)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 100 {
				if got := p.Match(nil, value); got.Outcome != pattern.Fail || got.Path != "/l/0/b/" {
					t.Errorf("got %v at %s", got.Outcome, got.Path)
				}
			}
		})
	}
	wg.Wait()
}

// hide puts some leaves, branches and keys of a pattern behind variables, whose values it adds to root.
func hide(t *rapid.T, tree any, root map[string]any) any {
	behind := func(v any) string {
		name := "v" + strconv.Itoa(len(root))
		root[name] = v
		return "{{ " + name + " }}"
	}
	if rapid.IntRange(0, 5).Draw(t, "hide") == 0 {
		return behind(tree)
	}
	switch v := tree.(type) {
	case map[string]any:
		out := map[string]any{}
		for _, key := range slices.Sorted(maps.Keys(v)) {
			value, name := v[key], key
			if elements, ok := value.([]any); ok && strings.HasPrefix(key, "^") {
				value = []any{hide(t, elements[0], root)}
			} else {
				value = hide(t, value, root)
			}
			if rapid.IntRange(0, 9).Draw(t, "hide the key") == 0 {
				name = behind(key)
			}
			out[name] = value
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = hide(t, v[i], root)
		}
		return out
	default:
		return tree
	}
}

func TestVariablesStandForTheirValues(t *testing.T) {
	functions := expr.NewFunctions()
	rapid.Check(t, func(t *rapid.T) {
		tree, value := drawPattern(4).Draw(t, "pattern"), drawValue(4).Draw(t, "object")
		root := map[string]any{}
		hidden := hide(t, tree, root)
		static, err := pattern.Compile(tree, pattern.Options{})
		if err != nil {
			t.Fatal(err)
		}
		dynamic, err := pattern.Compile(hidden, pattern.Options{})
		if err != nil {
			t.Fatal(err)
		}
		want, got := static.Match(nil, value), dynamic.Match(&expr.Env{Root: root, Functions: functions}, value)
		if got.Outcome != want.Outcome || got.Path != want.Path {
			t.Fatalf("%s with %s: got %v at %s, want %v at %s", jsonText(t, hidden), jsonText(t, root), got.Outcome, got.Path, want.Outcome, want.Path)
		}
	})
}
