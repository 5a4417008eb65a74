package condition_test

import (
	"strings"
	"testing"
)

// The four orderings follow from how key stands to value: below, level, above, or none of these.
type standing string

const (
	below standing = "below"
	level standing = "level"
	above standing = "above"
	apart standing = "apart"
)

func checkOrder(t *testing.T, prefix string, key, value any, want standing) {
	t.Helper()
	check(t, key, prefix+"GreaterThan", value, want == above)
	check(t, key, prefix+"GreaterThanOrEquals", value, want == above || want == level)
	check(t, key, prefix+"LessThan", value, want == below)
	check(t, key, prefix+"LessThanOrEquals", value, want == below || want == level)
}

func TestOrder(t *testing.T) {
	tests := map[string]struct {
		key, value any
		want       standing
	}{
		"numbers":                                      {10.0, 9.0, above},
		"numbers are not compared as text":             {9.0, 10.0, below},
		"negative numbers":                             {-5.0, -4.5, below},
		"equal numbers":                                {2.0, 2.0, level},
		"Go integers":                                  {int64(3), 2, above},
		"text that spells a number, on the left":       {"10", 9.0, above},
		"text that spells a number, on the right":      {10.0, "9.5", above},
		"numbers in text on both sides":                {"9", "10", below},
		"numbers in text by value":                     {"1e3", "1000", level},
		"quantities":                                   {"1Gi", "999Mi", above},
		"quantities of different notation":             {"1Gi", "1073741824", level},
		"milli":                                        {"100m", "0.2", below},
		"a quantity and a number have no order":        {"1Ki", 1.0, apart},
		"nor a number and a quantity":                  {1.0, "1Ki", apart},
		"durations":                                    {"90m", "1h", above},
		"durations of equal length":                    {"60s", "1m", level},
		"a duration and a number of seconds":           {"1h", 3599.0, above},
		"a number of seconds and a duration":           {3599.0, "1h", below},
		"a number in text and a duration":              {"3600", "1h", level},
		"a duration and a number in text have none":    {"1h", "3600", apart},
		"durations come before quantities":             {"5m", "4s", above},
		"more seconds than a duration holds":           {1e20, "1h", above},
		"fewer, likewise":                              {-1e20, "-1h", below},
		"versions":                                     {"1.10.0", "1.9.3", above},
		"a release is above its candidates":            {"2.0.0", "2.0.0-rc.1", above},
		"build metadata does not count":                {"2.0.0+a", "2.0.0+b", level},
		"a version without its third part is a number": {"1.10", "1.9", below},
		"a v makes it text":                            {"v1.10.0", "v1.9.0", apart},
		"a version and a number have no order":         {"1.10.0", 1.0, apart},
		"texts have no order":                          {"b", "a", apart},
		"equal texts have none either":                 {"a", "a", apart},
		"inf is a word":                                {"inf", 1.0, apart},
		"nan is a word":                                {1.0, "nan", apart},
		"M is a word":                                  {"1", "M", apart},
		"booleans":                                     {true, false, apart},
		"lists":                                        {list{2.0}, list{1.0}, apart},
		"maps":                                         {object{}, object{}, apart},
		"a null value":                                 {1.0, nil, apart},
		"a null value and text":                        {"1", nil, apart},
		"the empty text":                               {"", 0.0, apart},
		"large exponents within bounds":                {"1e300", "1e299", above},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) { checkOrder(t, "", tc.key, tc.value, tc.want) })
	}
}

func TestDurationOrder(t *testing.T) {
	tests := map[string]struct {
		key, value any
		want       standing
	}{
		"durations":                             {"2h", "90m", above},
		"durations of equal length":             {"2h", "120m", level},
		"a number is seconds":                   {59.0, "1m", below},
		"a number is whole seconds":             {60.9, "1m", level},
		"numbers on both sides":                 {60.0, 59.0, above},
		"the text 0 is a duration here":         {"0", "1ns", below},
		"a number in text is none":              {"60", "1m", apart},
		"a quantity is none":                    {"1Ki", "1s", apart},
		"a quantity on the right":               {"1s", "1Ki", apart},
		"a boolean is none":                     {true, "1s", apart},
		"a null value":                          {"1s", nil, apart},
		"nanoseconds count beyond a float64's":  {"9000000000s", "8999999999.999999999s", above},
		"more seconds than a duration holds":    {1e20, 1e9, above},
		"a list":                                {list{"1s"}, "1s", apart},
		"a value that is a list":                {"1s", list{"1s"}, apart},
		"negative durations":                    {"-2h", "-1h", below},
		"fewer seconds than a duration can say": {-1e20, "-1h", below},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) { checkOrder(t, "Duration", tc.key, tc.value, tc.want) })
	}
}

// A number that is too large to reckon with is not "not greater": the answer is unknown.
func TestOrderOfNumbersOutOfBounds(t *testing.T) {
	tests := map[string]struct {
		key, value any
		want       string
	}{
		"an exponent in the key":   {"1e1000000000", "1Ki", `[0]: comparing "1e1000000000": its exponent or its length is out of bounds`},
		"an exponent in the value": {"1Ki", "1E-1000", `[0]: comparing "1E-1000": its exponent or its length is out of bounds`},
		"very many digits":         {strings.Repeat("9", 300), "1", `[0]: comparing "` + strings.Repeat("9", 32) + `...": its exponent or its length is out of bounds`},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			met, err := ask(t, tc.key, "GreaterThan", tc.value)
			if met || err == nil || err.Error() != tc.want {
				t.Errorf("got %v, %v; want the error %s", met, err, tc.want)
			}
		})
	}
	check(t, strings.Repeat("9", 300)+" bottles", "GreaterThan", "1", false)
	check(t, "4ab5e12345", "GreaterThan", "1", false)
}
