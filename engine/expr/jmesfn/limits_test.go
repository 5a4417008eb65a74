package jmesfn

import (
	"errors"
	"strings"
	"testing"
	"time"
)

// A row each for GHSA-r2rj-wwm5-x6mq: whatever can grow stops at a bound, with an error that says so.
func TestGrowthIsBounded(t *testing.T) {
	long := strings.Repeat("x", MaxString/2+1)
	list := make([]any, MaxItems+1)
	for i := range list {
		list[i] = "k"
	}
	object := make(map[string]any, len(list))
	for i := range list {
		object[formatNumber(float64(i))] = "v"
	}
	in := map[string]any{"s": long, "ss": long + long, "list": list, "object": object, "parts": []any{long, long}, "grows": strings.Repeat("ɐ", MaxString/2), "one": map[string]any{"k": "v"}}

	const tooLong = "the result would be longer than 2097152 bytes: too large"
	const tooMany = "the result would have more than 100000 elements: too large"
	for expr, want := range map[string]string{
		"join('', parts)":                                     "function join: " + tooLong,
		"join(s, ['a', 'b', 'c'])":                            "function join: " + tooLong,
		"replace_all(s, 'x', 'xx')":                           "function replace_all: " + tooLong,
		"replace(s, 'x', 'xx', `-1`)":                         "function replace: " + tooLong,
		"replace_all(s, '', 'x')":                             "function replace_all: " + tooLong,
		"to_upper(grows)":                                     "function to_upper: " + tooLong,
		"base64_encode(ss)":                                   "function base64_encode: " + tooLong,
		"to_string(parts)":                                    "function to_string: " + tooLong,
		"to_string([s, `\"<<<<<<<<\"`, s])":                   "function to_string: " + tooLong,
		"to_string([replace_all(s, 'x', '<')])":               "function to_string: " + tooLong,
		"regex_replace_all_literal('x{8}', s, s)":             "function regex_replace_all_literal: a text of 1048577 bytes matches this regular expression more than 100000 times: too large",
		"regex_replace_all('(x{30})', s, '$1$1$1')":           "function regex_replace_all: " + tooLong,
		"regex_replace_all_literal('x{60}', s, ss)":           "function regex_replace_all_literal: " + tooLong,
		"random('((a{1000})+)+')":                             "function random: " + tooLong,
		"split(s, 'x')":                                       "function split: " + tooMany,
		"split(s, '')":                                        "function split: " + tooMany,
		"items(list, 'k', 'v')":                               "function items: " + tooMany,
		"items(object, 'k', 'v')":                             "function items: " + tooMany,
		"keys(object)":                                        "function keys: " + tooMany,
		"values(object)":                                      "function values: " + tooMany,
		"merge(one, object)":                                  "function merge: " + tooMany,
		"object_from_lists(list, list)":                       "function object_from_lists: " + tooMany,
		"map(&@, list)":                                       "function map: " + tooMany,
		"sort(list)":                                          "function sort: " + tooMany,
		"sort_by(list, &@)":                                   "function sort_by: " + tooMany,
		"reverse(list)":                                       "function reverse: " + tooMany,
		"parse_json(join('', [ss, 'x']) || 'x')":              "function join: " + tooLong,
		"regex_match('" + strings.Repeat("a", 8193) + "', s)": "function regex_match: argument 1 is a regular expression longer than 8192 bytes: too large",
		"regex_match('[a-z]{1,300}[0-9]', s)":                 "function regex_match: a text of 1048577 bytes is too long for this regular expression: too large",
		"regex_replace_all('x.*y|x', s, '')":                  "function regex_replace_all: a text of 1048577 bytes matches this regular expression more than 9 times: too large",
		"pattern_match(s, ss)":                                "function pattern_match: a pattern and a text of more than 8192 bytes each: too large",
	} {
		t.Run(expr[:min(40, len(expr))], func(t *testing.T) {
			_, err := search(t, expr, in)
			if errorText(err) != want {
				t.Fatalf("got error %.200q, want %q", errorText(err), want)
			}
			if !errors.Is(err, ErrTooLarge) {
				t.Fatal("the error does not wrap ErrTooLarge")
			}
		})
	}
}

func TestParsersRefuseLongText(t *testing.T) {
	for _, name := range []string{"parse_json", "parse_yaml"} {
		_, err := search(t, name+"(@)", strings.Repeat(" ", MaxString+1))
		if want := "function " + name + ": argument 1 is longer than 2097152 bytes: too large"; errorText(err) != want {
			t.Errorf("got error %q, want %q", errorText(err), want)
		}
	}
}

// One long string under many names, and ten lists of ten lists of ten lists...
func TestParseYAMLBoundsAliases(t *testing.T) {
	var strs, lists strings.Builder
	strs.WriteString("a: &a " + strings.Repeat("x", 50_000) + "\nb: [")
	strs.WriteString(strings.Repeat("*a, ", 100) + "]\n")
	lists.WriteString("l0: &l0 [" + strings.Repeat("x, ", 10) + "]\n")
	for i := range 9 {
		name, next := formatNumber(float64(i)), formatNumber(float64(i+1))
		lists.WriteString("l" + next + ": &l" + next + " [" + strings.Repeat("*l"+name+", ", 10) + "]\n")
	}
	_, err := search(t, "parse_yaml(@)", strs.String())
	if want := "function parse_yaml: argument 1 is YAML whose aliases make more than 2097152 bytes: too large"; errorText(err) != want {
		t.Errorf("got error %q, want %q", errorText(err), want)
	}
	start := time.Now()
	if _, err = search(t, "parse_yaml(@)", lists.String()); err == nil {
		t.Error("ten to the tenth elements were accepted")
	}
	if spent := time.Since(start); spent > 10*time.Second {
		t.Errorf("refusing took %v", spent)
	}
}

// The worst regular expressions that are allowed end within seconds, on a busy machine too.
func TestRegularExpressionsEnd(t *testing.T) {
	for name, c := range map[string]struct {
		expr string
		text string
	}{
		"nested repetition":         {"regex_match('(x+x+)+y', @)", strings.Repeat("x", MaxString)},
		"optional rows":             {"regex_match('(a?){99}a{99}b', @)", strings.Repeat("a", 1<<16)},
		"overlapping windows":       {"regex_match('(.{1,90}){1,10}z', @)", strings.Repeat("a", 1<<15)},
		"a search for every letter": {"regex_replace_all('a.*b|a', @, '')", strings.Repeat("a", 2500)},
	} {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			_, err := search(t, c.expr, c.text)
			if err != nil && !errors.Is(err, ErrTooLarge) {
				t.Fatal(err)
			}
			if spent := time.Since(start); spent > 20*time.Second {
				t.Errorf("took %v", spent)
			}
		})
	}
}

// A value that is small in memory and huge when written: each of its lists holds the next one twice.
func TestToStringOfSharedValues(t *testing.T) {
	shared := any("xx")
	for range 64 {
		shared = []any{shared, shared}
	}
	_, err := search(t, "to_string(@)", shared)
	if want := "function to_string: the result would be longer than 2097152 bytes: too large"; errorText(err) != want {
		t.Errorf("got error %q, want %q", errorText(err), want)
	}
}

func TestSizeWithin(t *testing.T) {
	shared := any("xx")
	for range 64 {
		shared = []any{shared, shared}
	}
	for name, c := range map[string]struct {
		value any
		limit int
		want  bool
	}{
		"a string fits exactly":                  {"abc", 5, true},
		"a string is one too long":               {"abc", 4, false},
		"an object counts keys":                  {map[string]any{"abc": "d"}, 8, false},
		"an object fits":                         {map[string]any{"abc": "d"}, 12, true},
		"a list counts elements":                 {[]any{1.0, 2.0, 3.0}, 4, false},
		"a value shared 2^64 times is looked at": {shared, MaxString, false},
		"null fits":                              {nil, 1, true},
	} {
		t.Run(name, func(t *testing.T) {
			if got := SizeWithin(c.value, c.limit); got != c.want {
				t.Errorf("got %v", got)
			}
		})
	}
}
