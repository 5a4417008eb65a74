package pattern_test

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-io/holdfast/engine/pattern"
)

type list = []any

type object = map[string]any

func TestScalar(t *testing.T) {
	tests := map[string]struct {
		pattern any
		value   any
		want    bool
	}{
		"text matches itself":                              {"Always", "Always", true},
		"text matches the whole value only":                {"Always", "AlwaysOn", false},
		"text is not folded":                               {"always", "Always", false},
		"the empty text matches the empty text":            {"", "", true},
		"the empty text matches nothing else":              {"", "a", false},
		"the empty text does not match a missing value":    {"", nil, false},
		"white space around text does not count":           {" x ", "x", true},
		"white space in the value counts":                  {"x", " x", false},
		"a star matches any text":                          {"*", "anything", true},
		"a star matches the empty text":                    {"*", "", true},
		"a star by itself does not match a missing value":  {"*", nil, false},
		"a star does not match an object":                  {"*", object{}, false},
		"a star does not match a list":                     {"*", list{}, false},
		"a star in front":                                  {"*:latest", "web:latest", true},
		"a star at the end":                                {"kube-*", "default", false},
		"one character":                                    {"v?", "v1", true},
		"one character is not two":                         {"v?", "v10", false},
		"one character or more":                            {"?*", "a", true},
		"one character or more is not none":                {"?*", "", false},
		"one character or more needs a value":              {"?*", nil, false},
		"one character or more takes a number":             {"?*", float64(7), true},
		"one character or more takes a boolean":            {"?*", false, true},
		"not":                                              {"!root", "web", true},
		"not, and it is":                                   {"!root", "root", false},
		"not with a wildcard":                              {"!*:latest", "web:latest", false},
		"not with white space":                             {"! root", "root", false},
		"not does not hold for a missing value":            {"!root", nil, false},
		"not does not hold for an object":                  {"!root", object{"a": 1.0}, false},
		"not nothing":                                      {"!?*", "", true},
		"a lone exclamation mark is text":                  {"!", "!", true},
		"not an exclamation mark":                          {"!!", "!", false},
		"the text of the pattern itself matches":           {"!5.10.84-1", "!5.10.84-1", true},
		"a version with not is no range":                   {"!5.10.84-1", "5.10.84-1", false},
		"a version is no range":                            {"5.10.84-1", "5.10.84-1", true},
		"either":                                           {"ClusterIP | NodePort", "NodePort", true},
		"either, and neither":                              {"ClusterIP | NodePort", "LoadBalancer", false},
		"either without spaces":                            {"a|b", "b", true},
		"either over lines":                                {"a\n  |b\n  |c", "b", true},
		"either may be empty":                              {"a|", "", true},
		"both":                                             {"!*:latest & *:*", "web:1", true},
		"both, and only one":                               {"!*:latest & *:*", "web", false},
		"both binds closer than either, left":              {">1 & <20 | >31 & <33", "10", true},
		"both binds closer than either, right":             {">1 & <20 | >31 & <33", "32", true},
		"both binds closer than either, between":           {">1 & <20 | >31 & <33", "21", false},
		"an address or a prefix of one":                    {"192.168.88.1 | 10.100.11.*", "10.100.11.54", true},
		"more":                                             {">3", float64(4), true},
		"more, and it is the same":                         {">3", float64(3), false},
		"more with text that is a number":                  {">3", "4", true},
		"more with a space":                                {"> 3", float64(4), true},
		"more with a negative number":                      {">-1", float64(0), true},
		"less":                                             {"<3", float64(2), true},
		"less, and it is the same":                         {"<3", float64(3), false},
		"less holds for a missing value, which is 0":       {"<3", nil, true},
		"more does not hold for a missing value":           {">3", nil, false},
		"at least":                                         {">=3", float64(3), true},
		"at least, and less":                               {">=3", float64(2), false},
		"at most":                                          {"<=3", float64(3), true},
		"at most, and more":                                {"<=3", float64(4), false},
		"more does not compare text":                       {">3", "abc", false},
		"more does not compare booleans":                   {">0", true, false},
		"more of text never holds":                         {">abc", "b", false},
		"one character is no operator":                     {">", ">", true},
		"an operator behind a line break is text":          {"\n>5", float64(6), false},
		"a zero is a missing value":                        {"0", nil, true},
		"not zero, and missing":                            {"!0", nil, false},
		"not five, and missing":                            {"!5", nil, true},
		"a number written as text":                         {"8", float64(8), true},
		"a number written as text, with a fraction":        {"0.5", 0.5, true},
		"a number has no trailing zeros":                   {"8.0", float64(8), true},
		"a number in a range":                              {"0-2", float64(1), true},
		"the bounds of a range belong to it, below":        {"0-2", float64(0), true},
		"the bounds of a range belong to it, above":        {"0-2", float64(2), true},
		"a number above a range":                           {"0-2", float64(3), false},
		"a range of one number":                            {"2-2", float64(2), true},
		"outside a range, below":                           {"10!-20", float64(9), true},
		"outside a range, at its bound":                    {"10!-20", float64(10), false},
		"outside a range, above":                           {"10!-20", float64(25), true},
		"outside a range, within":                          {"10!-20", float64(15), false},
		"a missing value is 0 in a range":                  {"0-2", nil, true},
		"a range with fractions":                           {"2.99998-3", 2.99999, true},
		"a range with fractions, below":                    {"0.00001-2.00001", float64(0), false},
		"a range from below zero":                          {"-10-8", float64(-9), true},
		"a range below zero":                               {"-10--8", float64(9), false},
		"outside a range below zero":                       {"-10!--8", float64(9), true},
		"a range with signs":                               {"-10-+8", float64(0), true},
		"a range of quantities":                            {"128Mi-512Mi", "256Mi", true},
		"a range of quantities, in other units":            {"128Mi-512Mi", "0.25Gi", true},
		"a range of quantities, below":                     {"128Mi-512Mi", "64Mi", false},
		"outside a range of quantities":                    {"128Mi!-512Mi", "1Gi", true},
		"a range of durations":                             {"1h-2h", "90m", true},
		"a range of durations, above":                      {"1h-2h", "150m", false},
		"a range of what has no order never holds":         {"12ab-34cd", "20xy", false},
		"a text that looks like one matches itself":        {"12ab-34cd", "12ab-34cd", true},
		"a range must be all of the text":                  {"v1-2", "v1-2", true},
		"a range must not have a bound too many":           {"1-2-3", float64(2), false},
		"a quantity in other units":                        {"1Gi", "1024Mi", true},
		"a quantity in milli":                              {"0.2", "200m", true},
		"a quantity of another size":                       {"1Gi", "1G", false},
		"not a quantity, in other units":                   {"!1Gi", "1024Mi", false},
		"less than a quantity":                             {"<1Gi", "1000Mi", true},
		"at least half a core":                             {">=0.5", "500m", true},
		"a number against a quantity":                      {"<1Ki", float64(1000), true},
		"a large number against a quantity":                {"4Ei", "4611686018427387904", true},
		"text that is no quantity":                         {"1024Gi", "gii", false},
		"no text is no quantity":                           {"1024Gi", "", false},
		"a duration":                                       {"90s", "1m30s", true},
		"not a duration":                                   {"!12s", "15s", true},
		"less than a duration":                             {"<15s", "12s", true},
		"less than a duration, and it is more":             {"<12s", "15s", false},
		"at least a duration":                              {">=12s", "12s", true},
		"ten minutes or ten milli: minutes":                {"10m", "600s", true},
		"ten minutes or ten milli: milli":                  {"10m", "0.01", true},
		"the number 0 is a duration":                       {"<1s", float64(0), true},
		"a number other than 0 is none":                    {">1s", float64(5), false},
		"a boolean written as text":                        {"true", true, true},
		"not a boolean written as text":                    {"!true", false, true},
		"whole numbers are written without a fraction":     {"7*", float64(70), true},
		"fractions are written with an exponent":           {"5E-0?", 0.5, true},
		"a boolean":                                        {true, true, true},
		"a boolean, and the other":                         {true, false, false},
		"a boolean does not match its text":                {true, "true", false},
		"false does not match a missing value":             {false, nil, false},
		"a number":                                         {float64(8), float64(8), true},
		"a number, and another":                            {float64(8), 8.1, false},
		"a number and its text":                            {float64(8), "8", true},
		"a number and its text with a sign":                {float64(8), "+8", true},
		"a whole number and text with a fraction":          {float64(8), "8.0", false},
		"a number and other text":                          {float64(8), "abc", false},
		"a number and no text":                             {float64(8), "", false},
		"a number and a boolean":                           {float64(1), true, false},
		"0 does not match a missing value":                 {float64(0), nil, false},
		"a fraction and its text":                          {8.5, "8.50", true},
		"a fraction and a whole number":                    {8.5, float64(8), false},
		"a fraction and other text":                        {8.5, "abc", false},
		"numbers of all Go types match":                    {int64(8), 8, true},
		"a json.Number matches":                            {float64(8), json.Number("8"), true},
		"a json.Number as a pattern":                       {json.Number("8.5"), 8.5, true},
		"a json.Number of a fraction":                      {">8.25", json.Number("8.5"), true},
		"a json.Number that is none":                       {"*", json.Number("x"), false},
		"large numbers do not fall together":               {int64(math.MaxInt64), int64(math.MaxInt64 - 1), false},
		"large numbers do not fall together in a quantity": {"9223372036854775807", int64(math.MaxInt64 - 1), false},
		"beyond the whole numbers":                         {float64(1e19), float64(1e19), true},
		"beyond the whole numbers, as text":                {float64(1 << 63), "9223372036854775808", true},
		"beyond the whole numbers, compared":               {">1", 1e300, true},
		"small fractions are not rounded away":             {">0", 1e-9, true},
		"no number at all":                                 {">0", math.NaN(), false},
		"null matches a missing value":                     {nil, nil, true},
		"null matches no text":                             {nil, "", true},
		"null matches 0":                                   {nil, float64(0), true},
		"null matches false":                               {nil, false, true},
		"null does not match text":                         {nil, "a", false},
		"null does not match a number":                     {nil, float64(1), false},
		"null does not match true":                         {nil, true, false},
		"null does not match an empty object":              {nil, object{}, false},
		"null does not match an empty list":                {nil, list{}, false},
		"a type that JSON does not have matches nothing":   {"*", struct{}{}, false},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			s, err := pattern.CompileScalar(tc.pattern)
			if err != nil {
				t.Fatal(err)
			}
			if got := s.Match(tc.value); got != tc.want {
				t.Errorf("%#v on %#v: got %v, want %v", tc.pattern, tc.value, got, tc.want)
			}
		})
	}
}

func TestScalarMatchEach(t *testing.T) {
	s, err := pattern.CompileScalar("a*")
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		value any
		want  bool
	}{
		"every element matches":        {list{"a", "ab"}, true},
		"one does not":                 {list{"a", "b"}, false},
		"none is there":                {list{}, true},
		"a list in a list":             {list{list{"a"}}, false},
		"no list is matched as itself": {"ab", true},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			if got := s.MatchEach(tc.value); got != tc.want {
				t.Errorf("got %v, want %v", got, tc.want)
			}
		})
	}
	if s.Match(list{"a"}) {
		t.Error("Match takes a list")
	}
}

func TestCompileScalarRefuses(t *testing.T) {
	tests := map[string]struct {
		pattern any
		want    string
	}{
		"an object":            {object{}, "compiling a pattern: a map[string]interface {} is no scalar"},
		"a list":               {list{}, "compiling a pattern: a []interface {} is no scalar"},
		"a number that is not": {json.Number("x"), "compiling a pattern: x is no number"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			if _, err := pattern.CompileScalar(tc.pattern); err == nil || err.Error() != tc.want {
				t.Errorf("got %v, want %s", err, tc.want)
			}
		})
	}
}

func TestScalarCheck(t *testing.T) {
	tests := map[string]string{
		">5":           "",
		"<= 1Gi":       "",
		">=10s & <1h":  "",
		"!abc | 1-5":   "",
		"12ab-34cd":    "",
		">":            "",
		">abc":         `the operator > needs a number, a quantity or a duration, not "abc"`,
		"5 | >=":       `the operator >= needs a number, a quantity or a duration, not ""`,
		"a & <5 bytes": `the operator < needs a number, a quantity or a duration, not "5 bytes"`,
		"<=*":          `the operator <= needs a number, a quantity or a duration, not "*"`,
		"!=abc":        `there is no operator !=: write "!abc"`,
		"!= abc":       `there is no operator !=: write "!abc"`,
	}
	for text, want := range tests {
		t.Run(text, func(t *testing.T) {
			s, err := pattern.CompileScalar(text)
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			if err := s.Check(); err != nil {
				got = err.Error()
			}
			if got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}

// A quantity is written out in full by the library that compares it: an exponent of ten digits in an
// annotation would hold up admission for good.
func TestQuantitiesAreBounded(t *testing.T) {
	s, err := pattern.CompileScalar("<10")
	if err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat("9", 1<<20)
	done := make(chan bool)
	go func() {
		defer close(done)
		for _, v := range []string{"1e2147483647", "1E-2147483647", "1e+1000000000", "-1e99999999999999999999", "1e0001000000000", long, "0." + long} {
			done <- s.Match(v)
		}
	}()
	deadline := time.After(10 * time.Second)
	for {
		select {
		case got, open := <-done:
			if !open {
				return
			}
			if got {
				t.Error("a quantity beyond the bounds matches <10")
			}
		case <-deadline:
			t.Fatal("comparing does not end")
		}
	}
}
