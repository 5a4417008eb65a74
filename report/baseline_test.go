package report

import (
	"bytes"
	"io"
	"slices"
	"strings"
	"testing"
)

func TestSince(t *testing.T) {
	of := func(s Status, name string) Result { return result(s, "p", "", name) }
	moved := of(Fail, "a")
	moved.Place(Origin{"other.yaml", 1, 99, 1})
	moved.Message, moved.Severity = "in other words", "high"
	newer := of(Fail, "a")
	newer.Resources = []Resource{{APIVersion: "apps/v2", Kind: "Deployment", Namespace: "team", Name: "a", UID: "7"}}
	elsewhere := of(Fail, "a")
	elsewhere.Resources = []Resource{{APIVersion: "apps/v1", Kind: "Deployment", Namespace: "other", Name: "a"}}
	otherRule := of(Fail, "a")
	otherRule.Rule = "other"
	otherKind := of(Fail, "a")
	otherKind.set(PropertyPolicyKind, "ValidatingPolicy")
	for name, tc := range map[string]struct {
		before, now []Result
		want        []Result // what is left
		known, gone int
	}{
		"what was there is known":                        {[]Result{of(Fail, "a")}, []Result{of(Fail, "a")}, nil, 1, 0},
		"by another line, message and severity too":      {[]Result{of(Fail, "a")}, []Result{moved}, nil, 1, 0},
		"by another version of its API too":              {[]Result{of(Fail, "a")}, []Result{newer}, nil, 1, 0},
		"another namespace is another object":            {[]Result{of(Fail, "a")}, []Result{elsewhere}, []Result{elsewhere}, 0, 1},
		"another rule is new":                            {[]Result{of(Fail, "a")}, []Result{of(Fail, "a"), otherRule}, []Result{otherRule}, 1, 0},
		"a policy of another kind and the name is new":   {[]Result{of(Fail, "a")}, []Result{otherKind}, []Result{otherKind}, 0, 1},
		"what passed before is new":                      {[]Result{of(Pass, "a")}, []Result{of(Fail, "a")}, []Result{of(Fail, "a")}, 0, 0},
		"what is mended is gone":                         {[]Result{of(Fail, "a")}, []Result{of(Pass, "a")}, []Result{of(Pass, "a")}, 0, 1},
		"a warning that now fails is worse and not gone": {[]Result{of(Warn, "a")}, []Result{of(Fail, "a")}, []Result{of(Fail, "a")}, 0, 0},
		"a failure that now warns is known":              {[]Result{of(Fail, "a")}, []Result{of(Warn, "a")}, nil, 1, 0},
		"a rule that now cannot be evaluated is new":     {[]Result{of(Fail, "a")}, []Result{of(Error, "a")}, []Result{of(Error, "a")}, 0, 0},
		"a failure where nothing was evaluated is new":   {[]Result{of(Error, "a")}, []Result{of(Fail, "a")}, []Result{of(Fail, "a")}, 0, 0},
		"of objects without a name there is one more":    {[]Result{of(Fail, "x-"), of(Fail, "x-")}, []Result{of(Fail, "x-"), of(Fail, "x-"), of(Fail, "x-")}, []Result{of(Fail, "x-")}, 2, 0},
		"a warning takes no failure's place":             {[]Result{of(Fail, "a"), of(Warn, "a")}, []Result{of(Warn, "a"), of(Fail, "a")}, nil, 2, 0},
		"what passes and what is skipped stays":          {nil, []Result{of(Pass, "a"), of(Skip, "b")}, []Result{of(Pass, "a"), of(Skip, "b")}, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			d := &Document{Results: tc.now, Summary: Summarize(tc.now)}
			d.Since(&Document{Bundle: Bundle{Digest: "then"}, Results: tc.before})
			if !slices.EqualFunc(d.Results, tc.want, func(a, b Result) bool { return compare(a, b) == 0 }) {
				t.Errorf("left is %+v, want %+v", d.Results, tc.want)
			}
			if want := (Baseline{"then", tc.known, tc.gone}); *d.Baseline != want {
				t.Errorf("got %+v, want %+v", *d.Baseline, want)
			}
			if want := Summarize(tc.want); d.Summary != want {
				t.Errorf("summed up as %+v, want %+v", d.Summary, want)
			}
		})
	}
}

func TestABaselineIsReadAsItWasWritten(t *testing.T) {
	var b bytes.Buffer
	if err := WriteJSON(&b, sample()); err != nil {
		t.Fatal(err)
	}
	base, err := ReadBaseline(&b)
	if err != nil {
		t.Fatal(err)
	}
	d := sample()
	d.Since(base)
	if want := (Baseline{sample().Bundle.Digest, 5, 0}); *d.Baseline != want || len(d.Results) != 2 {
		t.Errorf("got %+v and %d results, want %+v and 2 that no one has to look at", *d.Baseline, len(d.Results), want)
	}
}

func TestWhatIsNoBaselineIsRefused(t *testing.T) {
	for text, want := range map[string]string{
		"":               "expected what audit writes with -o json: EOF",
		"- a":            "expected what audit writes with -o json: invalid character ' ' in numeric literal",
		"{}":             "expected what audit writes with -o json: it has no results or no summary",
		`{"results":[]}`: "expected what audit writes with -o json: it has no results or no summary",
		`{"results":7}`:  "expected what audit writes with -o json: json: cannot unmarshal number into Go struct field .results of type []report.Result",
		`{"results":[],"summary":{},"baseline":{}}`: "was itself written with a baseline, and lacks what that one has: expected one of a whole audit",
	} {
		if _, err := ReadBaseline(strings.NewReader(text)); err == nil || err.Error() != want {
			t.Errorf("%s: got %v, want %s", text, err, want)
		}
	}
}

// worse is the sample after a change: one finding more, one gone, and a bundle of today.
func worse() *Document {
	base := sample()
	base.Bundle.Digest = strings.Repeat("0", 64)
	base.Results[0].Resources = []Resource{{APIVersion: "v1", Kind: "Service", Name: "gone"}}
	d := sample()
	d.Since(base)
	return d
}

func TestFormatsSayWhatIsKnown(t *testing.T) {
	for name, write := range map[string]func(io.Writer, *Document) error{
		"table-baseline.txt":     func(w io.Writer, d *Document) error { return WriteTable(w, d, TableOptions{}) },
		"document-baseline.json": WriteJSON,
		"github-baseline.txt":    WriteGitHub,
		"sarif-baseline.json": func(w io.Writer, d *Document) error {
			return WriteSARIF(w, d, SARIFOptions{Version: "v1.2.3", Policies: samplePolicies()})
		},
	} {
		t.Run(name, func(t *testing.T) {
			var b bytes.Buffer
			if err := write(&b, worse()); err != nil {
				t.Fatal(err)
			}
			golden(t, name, b.Bytes())
		})
	}
}
