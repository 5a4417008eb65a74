package condition_test

import "testing"

// For a scalar key any and all are the same, and the negations are the opposite.
func TestInOfScalarKeys(t *testing.T) {
	tests := map[string]struct {
		key, value any
		in         bool
	}{
		"text in a list":                              {"b", list{"a", "b"}, true},
		"text not in a list":                          {"c", list{"a", "b"}, false},
		"nothing is in the empty list":                {"a", list{}, false},
		"the empty text is in a list that has it":     {"", list{""}, true},
		"an item with a wildcard":                     {"kube-system", list{"default", "kube-*"}, true},
		"a key with a wildcard":                       {"kube-*", list{"default", "kube-system"}, true},
		"a key with a wildcard that fits nothing":     {"prod-*", list{"default", "kube-system"}, false},
		"a number by its text":                        {8080.0, list{"80", "8080"}, true},
		"text in a list of numbers":                   {"8080", list{80.0, 8080.0}, true},
		"a large number by its digits":                {1000000.0, list{"1000000"}, true},
		"a number beyond int64 as Go prints it":       {1e20, list{"1e+20"}, true},
		"a fraction":                                  {0.5, list{"0.5"}, true},
		"a boolean by its text":                       {true, list{"true"}, true},
		"null in a list is written <nil>":             {"<nil>", list{nil}, true},
		"a map in a list is written map[...]":         {"map[a:[1 b] c:<nil>]", list{object{"c": nil, "a": list{1.0, "b"}}}, true},
		"a text value is a list of one":               {"a", "a", true},
		"another text value":                          {"a", "b", false},
		"a text value with a wildcard":                {"registry.local/app", "registry.local/*", true},
		"against a text a key is no pattern":          {"a*", "ab", false},
		"a number value is a list of one":             {8080.0, 8080.0, true},
		"another number value":                        {8081.0, 8080.0, false},
		"a boolean value is a list of one":            {false, false, true},
		"another boolean value":                       {false, true, false},
		"a number in text is itself":                  {"443", "8080", false},
		"a text that spells true is itself":           {"false", "true", false},
		"a JSON list in a text":                       {"b", `["a", "b"]`, true},
		"a JSON list without the key":                 {"c", `["a", "b"]`, false},
		"a JSON list holds no patterns for a scalar":  {"kube-system", `["kube-*"]`, false},
		"a JSON list of numbers":                      {443.0, ` [80, 443]`, true},
		"a JSON list of numbers without the key":      {444.0, `[80, 443]`, false},
		"a broken JSON list is a text":                {"a", `["a"`, false},
		"a JSON object in a text is a text":           {"a", `{"a": 1}`, false},
		"a number in a range":                         {5.0, "1-10", true},
		"the bounds of a range are in it":             {10.0, "1-10", true},
		"a number out of a range":                     {11.0, "1-10", false},
		"a number in text in a range":                 {"5", "1-10", true},
		"a range of fractions":                        {1.002, "1.001-10", true},
		"a negative range":                            {-7.0, "-10--5", true},
		"a range over zero":                           {3.0, "-5-10", true},
		"a quantity in a range":                       {"512Mi", "100Mi-1Gi", true},
		"a quantity out of a range":                   {"2Gi", "100Mi-1Gi", false},
		"a duration in a range":                       {"90m", "1h-2h", true},
		"text is out of a range":                      {"a", "1-10", false},
		"the text of a range is in it":                {"1-10", "1-10", true},
		"what is no range is a text":                  {"5", "a-10", false},
		"a range in a list is a text":                 {"5", list{"1-10"}, false},
		"many items are found as well":                {"i", list{"a", "b", "c", "d", "e", "f", "g", "h", "i", "j*"}, true},
		"and a pattern among them":                    {"jay", list{"a", "b", "c", "d", "e", "f", "g", "h", "i", "j*"}, true},
		"a number out of bounds is out of the range":  {"1e1000000000", "1-10", false},
		"a negative zero prints as zero":              {negativeZero(), list{"0"}, true},
		"a key that is a wildcard matches any number": {"*", 5.0, true},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			check(t, tc.key, "AnyIn", tc.value, tc.in)
			check(t, tc.key, "AllIn", tc.value, tc.in)
			check(t, tc.key, "AnyNotIn", tc.value, !tc.in)
			check(t, tc.key, "AllNotIn", tc.value, !tc.in)
		})
	}
}

func negativeZero() float64 {
	zero := 0.0
	return -zero
}

// For a list key the negations cross: some item is not in it unless all are.
func TestInOfListKeys(t *testing.T) {
	tests := map[string]struct {
		key        list
		value      any
		some, each bool
	}{
		"all in the list":                          {list{"a", "b"}, list{"a", "b", "c"}, true, true},
		"some in the list":                         {list{"a", "x"}, list{"a", "b", "c"}, true, false},
		"none in the list":                         {list{"x", "y"}, list{"a", "b", "c"}, false, false},
		"no keys at all":                           {list{}, list{"a"}, false, true},
		"no keys and a text":                       {list{}, "a", false, true},
		"no keys and a range":                      {list{}, "1-10", false, true},
		"a key twice":                              {list{"a", "a"}, list{"a"}, true, true},
		"numbers and text":                         {list{80.0, "443"}, list{"80", 443.0}, true, true},
		"items with wildcards":                     {list{"kube-system", "prod"}, list{"kube-*"}, true, false},
		"keys with wildcards":                      {list{"kube-*"}, list{"kube-system"}, true, true},
		"a text is a list of one":                  {list{"a", "b"}, "a", true, false},
		"a text with a wildcard":                   {list{"app-1", "app-2"}, "app-*", true, true},
		"against a text a list's key is a pattern": {list{"app-*"}, "app-1", true, true},
		"a number is a list of one":                {list{0.0, 8080.0}, 0.0, true, false},
		"a boolean is a list of one":               {list{true, true}, true, true, true},
		"a JSON list in a text":                    {list{"a", "x"}, `["a", "b"]`, true, false},
		"a JSON list in a text holds patterns":     {list{"kube-system"}, `["kube-*"]`, true, true},
		"a JSON list of numbers":                   {list{80.0, 81.0}, `[80, 443]`, true, false},
		"the text of a JSON list is in it":         {list{`["a"]`}, `["a"]`, true, true},
		"all in a range":                           {list{1.0, "10"}, "1-10", true, true},
		"some in a range":                          {list{1.0, 11.0}, "1-10", true, false},
		"none in a range":                          {list{0.0, 11.0}, "1-10", false, false},
		"all in a range over zero":                 {list{-5.0, 3.0}, "-5-10", true, true},
		"text is out of a range":                   {list{"a", 5.0}, "1-10", true, false},
		"null is compared as <nil>":                {list{nil}, list{nil}, true, true},
		"maps are compared as they print":          {list{object{"a": 1000000.0}}, list{object{"a": int64(1000000)}}, true, true},
		"lists in lists":                           {list{list{"a", "b"}}, list{"[a b]"}, true, true},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			check(t, tc.key, "AnyIn", tc.value, tc.some)
			check(t, tc.key, "AllIn", tc.value, tc.each)
			check(t, tc.key, "AnyNotIn", tc.value, !tc.each)
			check(t, tc.key, "AllNotIn", tc.value, !tc.some)
		})
	}
}

// What cannot be a set, or be in one, makes an operator and its negation false.
func TestInWithoutMeaning(t *testing.T) {
	for _, operator := range []string{"AnyIn", "AllIn", "AnyNotIn", "AllNotIn", "In", "NotIn"} {
		check(t, "a", operator, nil, false)
		check(t, "a", operator, object{"a": "a"}, false)
		check(t, list{"a"}, operator, nil, false)
		check(t, list{}, operator, object{}, false)
		check(t, object{"a": "a"}, operator, list{"a"}, false)
		check(t, object{}, operator, list{}, false)
	}
}
