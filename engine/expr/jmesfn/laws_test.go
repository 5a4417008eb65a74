package jmesfn

import (
	"math"
	"math/rand/v2"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
	"pgregory.net/rapid"
)

// run calls one function with JSON values.
func run(t rapid.TB, name string, args ...any) any {
	t.Helper()
	got, err := NewCaller(testEnv()).CallFunction(name, args, nil)
	if err != nil {
		t.Fatalf("%s(%v): %v", name, args, err)
	}
	return got
}

// drawValue makes any JSON value.
func drawValue(depth int) *rapid.Generator[any] {
	return rapid.Custom(func(t *rapid.T) any {
		kinds := 6
		if depth == 0 {
			kinds = 4
		}
		switch rapid.IntRange(0, kinds-1).Draw(t, "kind") {
		case 0:
			return nil
		case 1:
			return rapid.Bool().Draw(t, "boolean")
		case 2:
			return rapid.Float64Range(-1e15, 1e15).Draw(t, "number")
		case 3:
			return rapid.StringMatching(`[a-z0-9 äöü:#\-\[\]{}"'*&!|>%@\\]{0,8}`).Draw(t, "string")
		case 4:
			return rapid.SliceOfN(drawValue(depth-1), 0, 4).Draw(t, "array")
		default:
			return rapid.MapOfN(rapid.StringMatching(`[a-z0-9 .:/-]{0,6}`), drawValue(depth-1), 0, 4).Draw(t, "object")
		}
	})
}

func TestBase64RoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.String().Draw(t, "text")
		if got := run(t, "base64_decode", run(t, "base64_encode", text)); got != text {
			t.Fatalf("got %q", got)
		}
	})
}

func TestParseUndoesToString(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		value := drawValue(3).Draw(t, "value")
		if text, ok := value.(string); ok {
			value = []any{text} // a string is not quoted
		}
		text := run(t, "to_string", value)
		if got := run(t, "parse_json", text); !reflect.DeepEqual(got, value) {
			t.Fatalf("parse_json(%s) gives %v", text, got)
		}
		if got := run(t, "parse_yaml", text); !reflect.DeepEqual(got, value) { // JSON is YAML
			t.Fatalf("parse_yaml(%s) gives %v", text, got)
		}
	})
}

func TestJoinUndoesSplit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringMatching(`[ab,]{0,20}`).Draw(t, "text")
		separator := rapid.SampledFrom([]string{",", "a", "ab", ",,", ""}).Draw(t, "separator")
		if got := run(t, "join", separator, run(t, "split", text, separator)); got != text {
			t.Fatalf("got %q", got)
		}
	})
}

func TestReverseUndoesItself(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		value := rapid.OneOf(rapid.String().AsAny(), rapid.SliceOf(drawValue(1)).AsAny()).Draw(t, "value")
		if got := run(t, "reverse", run(t, "reverse", value)); !reflect.DeepEqual(got, value) {
			t.Fatalf("got %v", got)
		}
	})
}

func TestSubtractUndoesAdd(t *testing.T) {
	number := rapid.Map(rapid.IntRange(-1<<40, 1<<40), func(n int) any { return float64(n) })
	quantity := rapid.Custom(func(t *rapid.T) any {
		n := rapid.IntRange(-99999, 99999).Draw(t, "n")
		return strconv.Itoa(n) + rapid.SampledFrom([]string{"", "m", "k", "Ki", "Mi", "Gi", "G", "e3"}).Draw(t, "suffix")
	})
	duration := rapid.Map(rapid.Int64Range(-1<<60, 1<<60), func(n int64) any { return time.Duration(n).String() })
	same := func(a, b any) bool {
		x, ok := a.(string)
		if !ok {
			return a == b
		}
		y := b.(string)
		if q, err := resource.ParseQuantity(x); err == nil {
			return q.Cmp(resource.MustParse(y)) == 0
		}
		d, err := time.ParseDuration(x)
		e, err2 := time.ParseDuration(y)
		return err == nil && err2 == nil && d == e
	}
	for name, gen := range map[string]*rapid.Generator[any]{"numbers": number, "quantities": quantity, "durations": duration} {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				a, b := gen.Draw(t, "a"), gen.Draw(t, "b")
				if got := run(t, "subtract", run(t, "add", a, b), b); !same(got, a) {
					t.Fatalf("got %v", got)
				}
				if got, turned := run(t, "add", a, b), run(t, "add", b, a); !same(got, turned) {
					t.Fatalf("a+b is %v, b+a is %v", got, turned)
				}
			})
		})
	}
}

func TestDivisionAndRemainder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := float64(rapid.IntRange(-1<<30, 1<<30).Draw(t, "a"))
		b := float64(rapid.IntRange(1, 1<<20).Draw(t, "b"))
		quotient := math.Trunc(run(t, "divide", a, b).(float64))
		if got := run(t, "add", run(t, "multiply", quotient, b), run(t, "modulo", a, b)); got != a {
			t.Fatalf("got %v", got)
		}
	})
}

func TestTimeAddUndoesItself(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		start := time.Unix(rapid.Int64Range(0, 1<<33).Draw(t, "start"), 0).UTC().Format(time.RFC3339)
		d := time.Duration(rapid.Int64Range(0, 1<<31).Draw(t, "seconds")) * time.Second
		later := run(t, "time_add", start, d.String())
		if got := run(t, "time_add", later, "-"+d.String()); got != start {
			t.Fatalf("got %v", got)
		}
		if got := run(t, "time_diff", start, later); got != d.String() {
			t.Fatalf("time_diff gives %v, want %v", got, d)
		}
	})
}

func TestSortedOutput(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		list := rapid.SliceOf(rapid.Map(rapid.StringN(0, 3, -1), func(s string) any { return s })).Draw(t, "list")
		before := slices.Clone(list)
		sorted := run(t, "sort", list).([]any)
		if !reflect.DeepEqual(list, before) {
			t.Fatal("the argument was changed")
		}
		for i := 1; i < len(sorted); i++ {
			if sorted[i-1].(string) > sorted[i].(string) {
				t.Fatalf("not sorted: %q", sorted)
			}
		}
		slices.SortFunc(before, func(a, b any) int { return int(run(t, "compare", a, b).(float64)) })
		if !reflect.DeepEqual(sorted, before) {
			t.Fatalf("got %q, want %q", sorted, before)
		}
	})
}

func TestObjectsComeApartAndTogether(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		object := rapid.MapOf(rapid.String(), drawValue(1)).Draw(t, "object")
		keys, values := run(t, "keys", object), run(t, "values", object)
		if got := run(t, "object_from_lists", keys, values); !reflect.DeepEqual(got, object) {
			t.Fatalf("got %v", got)
		}
		if got := run(t, SortedValues, object); !reflect.DeepEqual(got, values) {
			t.Fatalf("projection gives %v, values %v", got, values)
		}
		for i, item := range run(t, "items", object, "k", "v").([]any) {
			if want := map[string]any{"k": keys.([]any)[i], "v": values.([]any)[i]}; !reflect.DeepEqual(item, want) {
				t.Fatalf("item %d is %v, want %v", i, item, want)
			}
		}
		if got := run(t, "label_match", object, run(t, "merge", map[string]any{"x": 1.0}, object)); got != true {
			t.Fatal("an object does not match itself")
		}
	})
}

func TestRandomMatchesItsPattern(t *testing.T) {
	seed := rand.NewChaCha8([32]byte{1})
	caller := NewCaller(Env{Rand: seed})
	rapid.Check(t, func(t *rapid.T) {
		pattern := rapid.SampledFrom([]string{
			"[a-z0-9]{8}", "(a|bc|[x-z]{2,5})*", "[^a-f]?[0-9]+", "x{3,}", ".", "[[:alpha:]]{4}", "(())*", "a||b", "[^a]", "[é-ü]{3}",
		}).Draw(t, "pattern")
		got, err := caller.CallFunction("random", []any{pattern}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if text := got.(string); !regexp.MustCompilePOSIX("^(" + pattern + ")$").MatchString(text) {
			t.Fatalf("%s made %q", pattern, text)
		}
	})
}

func TestTruncateIsAPrefix(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text, n := rapid.String().Draw(t, "text"), rapid.IntRange(-2, 20).Draw(t, "n")
		cut := run(t, "truncate", text, float64(n))
		if run(t, "starts_with", text, cut) != true || run(t, "length", cut).(float64) > math.Max(0, float64(n)) {
			t.Fatalf("got %q", cut)
		}
	})
}
