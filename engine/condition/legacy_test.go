package condition_test

import "testing"

func TestLegacyIn(t *testing.T) {
	tests := map[string]struct {
		key, value any
		in, notIn  bool
	}{
		"text in a list":                           {"a", list{"a", "b"}, true, false},
		"text not in a list":                       {"c", list{"a", "b"}, false, true},
		"wildcards in a list":                      {"app-1", list{"app-*"}, true, false},
		"wildcards in the key":                     {"app-*", list{"app-1"}, true, false},
		"a number in a list":                       {80.0, list{"80", 443.0}, true, false},
		"a boolean in a list":                      {true, list{"true"}, true, false},
		"the empty list":                           {"a", list{}, false, true},
		"a text that matches":                      {"app-1", "app-*", true, false},
		"a text that does not match is neither":    {"web-1", "app-*", false, false},
		"a range is neither":                       {5.0, "1-10", false, false},
		"a number is neither":                      {5.0, 5.0, false, false},
		"a JSON list":                              {"b", `["a","b"]`, true, false},
		"a JSON list without the key":              {"c", `["a","b"]`, false, true},
		"a JSON list of numbers is neither":        {"1", `[1]`, false, false},
		"the text null is an empty list":           {"a", "null", false, true},
		"all keys in a list":                       {list{"a", "b"}, list{"a", "b", "c"}, true, false},
		"a key that is not in the list":            {list{"a", "x"}, list{"a", "b", "c"}, false, true},
		"wildcards do not count for a list key":    {list{"app-1"}, list{"app-*"}, false, true},
		"no keys":                                  {list{}, list{"a"}, true, false},
		"a list with a number is neither":          {list{"80"}, list{80.0}, false, false},
		"a list key and a JSON list":               {list{"a"}, `["a"]`, true, false},
		"a list key and a JSON list that lacks it": {list{"a", "x"}, `["a"]`, false, true},
		"a list key of one and the same text":      {list{"a"}, "a", true, false},
		"a list key of one and another text":       {list{"a"}, "b", false, false},
		"a list key of two and a text":             {list{"a", "b"}, "a", false, false},
		"a list key and a number":                  {list{"1"}, 1.0, false, false},
		"a list key and a JSON list of numbers":    {list{"1"}, `[1]`, false, false},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			check(t, tc.key, "In", tc.value, tc.in)
			check(t, tc.key, "NotIn", tc.value, tc.notIn)
		})
	}
}

func TestLegacyInOfKeysThatAreNoText(t *testing.T) {
	tests := map[string]struct {
		key      list
		operator string
		want     string
	}{
		"a number, In":    {list{"80", 443.0}, "In", "[0]: operator In compares strings, and item 1 of the key is a number: use AllIn"},
		"a number, NotIn": {list{443.0}, "NotIn", "[0]: operator NotIn compares strings, and item 0 of the key is a number: use AnyNotIn"},
		"null":            {list{nil}, "In", "[0]: operator In compares strings, and item 0 of the key is null: use AllIn"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			met, err := ask(t, tc.key, tc.operator, list{"80"})
			if met || err == nil || err.Error() != tc.want {
				t.Errorf("got %v, %v; want the error %s", met, err, tc.want)
			}
		})
	}
}
