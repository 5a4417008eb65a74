package jmesfn

import (
	"slices"
	"strings"
	"testing"
)

func TestSpecs(t *testing.T) {
	specs := Specs()
	if !slices.IsSortedFunc(specs, func(a, b Spec) int { return strings.Compare(a.Name, b.Name) }) {
		t.Error("not sorted by name")
	}
	for _, s := range specs {
		found, ok := Lookup(s.Name)
		if !ok || found.Signature() != s.Signature() {
			t.Errorf("%s: Lookup gives %v, %v", s.Name, found.Signature(), ok)
		}
		if s.Doc == "" || !strings.HasSuffix(s.Doc, ".") {
			t.Errorf("%s: Doc is %q, want sentences", s.Name, s.Doc)
		}
		if s.Returns == 0 || s.NeedsEnv != NeedsEnv(s.Name) {
			t.Errorf("%s: Returns %v, NeedsEnv %v", s.Name, s.Returns, s.NeedsEnv)
		}
	}
}

// The language is Kyverno 1.19's and JMESPath's: the names that policies out there use.
func TestEveryFunctionOfTheLanguage(t *testing.T) {
	const kyverno = `add base64_decode base64_encode compare divide equal_fold image_normalize is_external_url items
		label_match lookup md5 modulo multiply object_from_lists parse_json parse_yaml path_canonicalize pattern_match
		random regex_match regex_replace_all regex_replace_all_literal replace replace_all round semver_compare sha1
		sha256 split subtract time_add time_after time_before time_between time_diff time_now time_now_utc time_parse
		time_since time_to_cron time_truncate time_utc to_boolean to_lower to_upper trim trim_prefix truncate x509_decode`
	const jmespath = `abs avg ceil contains ends_with floor join keys length map max max_by merge min min_by not_null
		reverse sort sort_by starts_with sum to_array to_number to_string type values`
	var got, want []string
	for _, s := range Specs() {
		got = append(got, s.Name)
		if s.Standard != slices.Contains(strings.Fields(jmespath), s.Name) {
			t.Errorf("%s: Standard is %v", s.Name, s.Standard)
		}
	}
	want = append(strings.Fields(kyverno), strings.Fields(jmespath)...)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("got %v\nwant %v", got, want)
	}
}

func TestSignature(t *testing.T) {
	for name, want := range map[string]string{
		"split":       "split(text: string, separator: string) -> array",
		"merge":       "merge(object: object, ...) -> object",
		"join":        "join(separator: string, parts: array of string) -> string",
		"time_now":    "time_now() -> string",
		"to_string":   "to_string(value: any value) -> string",
		"regex_match": "regex_match(pattern: string, text: number or string) -> boolean",
	} {
		s, _ := Lookup(name)
		if got := s.Signature(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestHiddenFunction(t *testing.T) {
	s, ok := Lookup(SortedValues)
	if !ok || s.CheckArity(1) != nil {
		t.Error("a load-time check would refuse the function behind projections")
	}
	for _, s := range Specs() {
		if s.Name == SortedValues {
			t.Error("it is listed for authors")
		}
	}
	caller := NewCaller(Env{})
	for name, c := range map[string]struct {
		in   any
		want []any
	}{
		"an object":  {map[string]any{"b": 1.0, "a": 2.0, "c": nil}, []any{2.0, 1.0, nil}},
		"null":       {nil, nil},
		"a list":     {[]any{1.0}, nil},
		"a string":   {"a", nil},
		"no entries": {map[string]any{}, []any{}},
	} {
		got, err := caller.CallFunction(SortedValues, []any{c.in}, nil)
		list, _ := got.([]any)
		if err != nil || !slices.Equal(list, c.want) || (got == nil) != (c.want == nil) {
			t.Errorf("%s: got %v, %v, want %v", name, got, err, c.want)
		}
	}
}

func TestNeedsEnv(t *testing.T) {
	var got []string
	for _, s := range Specs() {
		if NeedsEnv(s.Name) {
			got = append(got, s.Name)
		}
	}
	if want := []string{"random", "time_now", "time_now_utc", "time_since"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if NeedsEnv("no_such_function") {
		t.Error("an unknown function needs no Env")
	}
}

func TestLookupMisses(t *testing.T) {
	if s, ok := Lookup("no_such_function"); ok {
		t.Errorf("found %v", s)
	}
}

func TestUnknownErrorIsShort(t *testing.T) {
	got := UnknownError(strings.Repeat("x", 10_000)).Error()
	if want := `unknown function "` + strings.Repeat("x", 64) + `"...`; got != want {
		t.Errorf("got %q", got)
	}
}
