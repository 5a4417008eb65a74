package condition_test

import "testing"

func TestEquals(t *testing.T) {
	tests := map[string]struct {
		key, value any
		want       bool
	}{
		"the same text":                                   {"prod", "prod", true},
		"another text":                                    {"prod", "test", false},
		"text is compared with its case":                  {"Prod", "prod", false},
		"the empty text equals itself":                    {"", "", true},
		"the empty text equals nothing else":              {"", "a", false},
		"a value may hold a star":                         {"registry.local/app:v2", "registry.local/*", true},
		"a value may hold a question mark":                {"web-1", "web-?", true},
		"wildcards in the key are plain text":             {"web-*", "web-1", false},
		"a star that does not fit":                        {"docker.io/app", "registry.local/*", false},
		"booleans":                                        {true, true, true},
		"opposite booleans":                               {true, false, false},
		"a boolean is not its text":                       {true, "true", false},
		"text is not the boolean it spells":               {"true", true, false},
		"numbers":                                         {3.0, 3.0, true},
		"different numbers":                               {3.0, 4.0, false},
		"Go integers are numbers":                         {int64(3), 3.0, true},
		"Go ints are too":                                 {3, int64(3), true},
		"a number equals the text that spells it":         {8080.0, "8080", true},
		"however it spells it":                            {1000.0, "1e3", true},
		"a number equals no text with a unit":             {1024.0, "1Ki", false},
		"a number is not the duration of as many seconds": {3600.0, "1h", false},
		"a text is not the number it spells":              {"8080", 8080.0, false},
		"a number is not a boolean":                       {1.0, true, false},
		"a fraction":                                      {0.5, "0.5", true},
		"durations by their length":                       {"90m", "1h30m", true},
		"durations of different length":                   {"90m", "1h", false},
		"a duration equals a number of seconds":           {"2m", 120.0, true},
		"a number of seconds is read as a whole":          {"2m", 120.9, true},
		"another number of seconds":                       {"2m", 121.0, false},
		"a duration is no text with a wildcard":           {"2m", "?m", false},
		"the text 0 is no duration":                       {"0", 0.0, false},
		"0s is one":                                       {"0s", 0.0, true},
		"quantities by their size":                        {"1Gi", "1024Mi", true},
		"a quantity and a plain number in text":           {"1024", "1Ki", true},
		"milli and fraction":                              {"250m", "0.25", true},
		"quantities of different size":                    {"1Gi", "1G", false},
		"a quantity does not match wildcards":             {"10", "1*", false},
		"nor does it equal text":                          {"10", "ten", false},
		"letters alone are no quantity":                   {"M", "G", false},
		"letters alone match wildcards":                   {"M", "?", true},
		"an exponent out of bounds is text":               {"1e1000000000", "1e1000000000", true},
		"and matches wildcards":                           {"9e123456", "9e*", true},
		"and is not expanded":                             {"1e1000000000", "10", false},
		"nor is the value's":                              {"10", "1e1000000000", false},
		"versions are text":                               {"1.27.3", "1.27.*", true},
		"equal lists":                                     {list{"a", 1.0}, list{"a", 1.0}, true},
		"lists have an order":                             {list{"a", "b"}, list{"b", "a"}, false},
		"a longer list":                                   {list{"a"}, list{"a", "b"}, false},
		"empty lists":                                     {list{}, list{}, true},
		"a list is not its only item":                     {list{"a"}, "a", false},
		"items hold no wildcards":                         {list{"a"}, list{"*"}, false},
		"numbers in lists whatever their Go type":         {list{int64(1)}, list{1.0}, true},
		"equal maps":                                      {object{"a": list{1.0}}, object{"a": list{1.0}}, true},
		"maps with another value":                         {object{"a": 1.0}, object{"a": 2.0}, false},
		"maps with another key":                           {object{"a": nil}, object{"b": nil}, false},
		"a map is not a list":                             {object{}, list{}, false},
		"null in a list equals null":                      {list{nil}, list{nil}, true},
		"null in a list is not false":                     {list{nil}, list{false}, false},
		"a null value equals nothing":                     {"a", nil, false},
		"not even the empty text":                         {"", nil, false},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			check(t, tc.key, "Equals", tc.value, tc.want)
			check(t, tc.key, "Equal", tc.value, tc.want)
			check(t, tc.key, "NotEquals", tc.value, !tc.want)
			check(t, tc.key, "NotEqual", tc.value, !tc.want)
		})
	}
}

// A null key is a key that nothing can be said of.
func TestNullKey(t *testing.T) {
	for _, operator := range operators {
		for _, value := range []any{nil, "", "a", "*", 0.0, false, list{}, list{nil}, list{"<nil>"}, object{}} {
			check(t, nil, operator, value, false)
		}
	}
}

var operators = []string{
	"Equals", "NotEquals", "AnyIn", "AllIn", "AnyNotIn", "AllNotIn", "In", "NotIn",
	"GreaterThan", "GreaterThanOrEquals", "LessThan", "LessThanOrEquals",
	"DurationGreaterThan", "DurationGreaterThanOrEquals", "DurationLessThan", "DurationLessThanOrEquals",
}
