package condition_test

import (
	"testing"

	"pgregory.net/rapid"
)

func scalars() *rapid.Generator[any] {
	return rapid.OneOf(
		rapid.Map(rapid.SampledFrom([]string{
			"", "0", "1", "10", "1.5", "-3", "1e3", "a", "ab", "a*", "*", "?", "1h", "60m", "0s", "1Ki", "1024", "100m",
			"1.2.3", "1.10.0", "1-10", "-5-10", "1h-2h", `["a","1"]`, `[1]`, "null", "true", "M", "1e1000000000", "inf",
		}), func(s string) any { return s }),
		rapid.Map(rapid.StringOfN(rapid.RuneFrom([]rune("a1*?-.emK")), 0, 5, -1), func(s string) any { return s }),
		rapid.Map(rapid.SampledFrom([]float64{0, 1, -1, 1.5, 10, 3600, 1e6, 1e20}), func(n float64) any { return n }),
		rapid.Map(rapid.Float64Range(-1e6, 1e6), func(n float64) any { return n }),
		rapid.Map(rapid.Bool(), func(b bool) any { return b }),
	)
}

func lists() *rapid.Generator[any] {
	return rapid.Map(rapid.SliceOfN(scalars(), 0, 12), func(items []any) any { return items })
}

func holdsOrFails(t *rapid.T, key any, operator string, value any) bool {
	env := environment(object{"k": key, "v": value})
	static, err := compileRapid(t, one(key, operator, value)).Evaluate(env)
	if err != nil {
		t.Skip("the answer is not known")
	}
	dynamic, err := compileRapid(t, one("{{ k }}", operator, "{{ v }}")).Evaluate(env)
	if err != nil || static != dynamic {
		t.Fatalf("%#v %s %#v: %+v as written, %+v (%v) by variables", key, operator, value, static, dynamic, err)
	}
	return static.Met
}

func TestNotEqualsIsTheNegation(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		key := rapid.OneOf(scalars(), lists()).Draw(t, "key")
		value := rapid.OneOf(scalars(), lists()).Draw(t, "value")
		if holdsOrFails(t, key, "Equals", value) == holdsOrFails(t, key, "NotEquals", value) {
			t.Fatalf("Equals and NotEquals agree on %#v and %#v", key, value)
		}
	})
}

func TestEverythingEqualsItself(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := rapid.OneOf(scalars(), lists()).Draw(t, "v")
		if !holdsOrFails(t, v, "Equals", v) {
			t.Fatalf("%#v does not equal itself", v)
		}
	})
}

func TestInOfAScalarKeyIsTwoFold(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		key := scalars().Draw(t, "key")
		value := rapid.OneOf(scalars(), lists()).Draw(t, "value")
		in := holdsOrFails(t, key, "AnyIn", value)
		if holdsOrFails(t, key, "AllIn", value) != in ||
			holdsOrFails(t, key, "AnyNotIn", value) == in ||
			holdsOrFails(t, key, "AllNotIn", value) == in {
			t.Fatalf("the operators disagree on %#v and %#v", key, value)
		}
	})
}

func TestInOfAListKeyIsNegatedCrosswise(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		key, value := lists().Draw(t, "key"), rapid.OneOf(scalars(), lists()).Draw(t, "value")
		anyIn, allIn := holdsOrFails(t, key, "AnyIn", value), holdsOrFails(t, key, "AllIn", value)
		if holdsOrFails(t, key, "AnyNotIn", value) == allIn || holdsOrFails(t, key, "AllNotIn", value) == anyIn {
			t.Fatalf("the negations disagree on %#v and %#v", key, value)
		}
		if allIn && !anyIn && len(key.([]any)) > 0 {
			t.Fatalf("all of %#v are in %#v and none is", key, value)
		}
	})
}

func TestOrderingsAreConsistent(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		prefix := rapid.SampledFrom([]string{"", "Duration"}).Draw(t, "prefix")
		key, value := scalars().Draw(t, "key"), scalars().Draw(t, "value")
		gt, ge := holdsOrFails(t, key, prefix+"GreaterThan", value), holdsOrFails(t, key, prefix+"GreaterThanOrEquals", value)
		lt, le := holdsOrFails(t, key, prefix+"LessThan", value), holdsOrFails(t, key, prefix+"LessThanOrEquals", value)
		if comparable := ge || le; gt != (comparable && !le) || lt != (comparable && !ge) {
			t.Fatalf("%#v and %#v: > %v, >= %v, < %v, <= %v", key, value, gt, ge, lt, le)
		}
	})
}
