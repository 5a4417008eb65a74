package report

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"flag"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/holdfast-io/holdfast/engine"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares with a file of testdata.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs:\n%s", path, got)
	}
}

// result is a result of a Deployment.
func result(s Status, policy, severity, name string) Result {
	return Result{
		Source: Source, Policy: policy, Rule: "rule", Result: s, Severity: severity, Category: "Tests", Scored: true,
		Resources: []Resource{{APIVersion: "apps/v1", Kind: "Deployment", Namespace: "team", Name: name}},
	}
}

func sample() *Document {
	long := result(Fail, "run-as-non-root", "high", "web")
	long.Message = "A container may run as root, which makes an escape from it an escape to root on the node. Set runAsNonRoot: true.\nSecond line; failed at /spec/template/spec/containers/0/securityContext/"
	long.Place(Origin{"deploy/web app.yaml", 12, 40, 9})
	patched := result(Fail, "add-labels", "", "web")
	patched.Message = "the object differs from what the rule wants at /metadata/labels"
	patched.Place(Origin{"deploy/web app.yaml", 12, 12, 1})
	patched.set(PropertyPatch, `[{"op":"add","path":"/metadata/labels","value":{"a":"<b>"}}]`)
	warn := result(Warn, "readiness", "low", "api")
	warn.Message, warn.Scored = "no probe \x1b[31m\u202e", false
	broken := result(Error, "team/own", "medium", "api")
	broken.Message = "could not be evaluated: nothing at request.object.spec"
	role := result(Fail, "no-stars", "critical", "all")
	role.Resources[0] = Resource{APIVersion: "rbac.authorization.k8s.io/v1", Kind: "ClusterRole", Name: "all", UID: "7a"}
	role.Message = "a role may do everything"
	pass := result(Pass, "readiness", "low", "web")
	pass.Place(Origin{"deploy/web app.yaml", 12, 12, 1})
	skip := result(Skip, "only-bob", "", "web")
	skip.Message = "not auditable: needs request.userInfo"
	skip.Place(Origin{"deploy/web app.yaml", 12, 12, 1})
	d := &Document{
		Bundle:  Bundle{Digest: "7e7723826460aaf8cad314403fd80e89e26ee9994da6bf0858f45a7211033ef5", Policies: 6},
		Results: []Result{long, patched, warn, broken, role, pass, skip},
		Coverage: []Coverage{
			{Source: "deploy/web app.yaml", APIVersion: "apps/v1", Kind: "Deployment", Objects: 1},
			{Source: "deploy/x.yaml", Line: 3, Column: 7, Error: "broken YAML: while parsing a flow sequence: did not find expected ',' or ']'"},
			{Source: "cluster", APIVersion: "apps/v1", Kind: "Deployment", Objects: 1, Error: "deployments.apps is forbidden"},
			{Source: "values.yaml", Skipped: "has no apiVersion and kind"},
		},
	}
	d.Summary = Summarize(d.Results)
	Sort(d.Results)
	SortCoverage(d.Coverage)
	return d
}

func samplePolicies() []*engine.Policy {
	p := &engine.Policy{
		Kind: "ClusterPolicy", Name: "run-as-non-root", Title: "Run as non-root", Category: "Pod Security", Severity: "High",
		Annotations: map[string]string{annotationDescription: "Root in a container\n  is root on the node.", annotationPatch: "None."},
	}
	p.Rules = []*engine.Rule{{Policy: p, Name: "rule"}, {Policy: p, Name: "autogen-rule"}}
	q := &engine.Policy{Kind: "ClusterPolicy", Name: "add-labels"}
	q.Rules = []*engine.Rule{{Policy: q, Name: "rule", Kind: engine.Mutate}}
	return []*engine.Policy{p, q}
}

func TestFormats(t *testing.T) {
	for name, write := range map[string]func(io.Writer, *Document) error{
		"document.json": WriteJSON,
		"document.yaml": WriteYAML,
		"junit.xml":     WriteJUnit,
		"github.txt":    WriteGitHub,
		"gitlab.json":   WriteGitLab,
		"sarif.json": func(w io.Writer, d *Document) error {
			return WriteSARIF(w, d, SARIFOptions{Version: "v1.2.3", Policies: samplePolicies()})
		},
		"table.txt": func(w io.Writer, d *Document) error { return WriteTable(w, d, TableOptions{}) },
		"table-all-narrow.txt": func(w io.Writer, d *Document) error {
			return WriteTable(w, d, TableOptions{Width: 60, All: true})
		},
		"table-coloured.txt": func(w io.Writer, d *Document) error {
			return WriteTable(w, d, TableOptions{Colour: Coloured, All: true})
		},
	} {
		t.Run(name, func(t *testing.T) {
			var b bytes.Buffer
			if err := write(&b, sample()); err != nil {
				t.Fatal(err)
			}
			golden(t, name, b.Bytes())
		})
	}
}

func TestEmptyDocumentsAreComplete(t *testing.T) {
	var b bytes.Buffer
	if err := WriteJSON(&b, &Document{}); err != nil {
		t.Fatal(err)
	}
	const want = `{"bundle":{"digest":"","policies":0},"results":[],"summary":{"pass":0,"fail":0,"warn":0,"error":0,"skip":0},"coverage":[]}`
	var compact bytes.Buffer
	if err := json.Compact(&compact, b.Bytes()); err != nil {
		t.Fatal(err)
	}
	if compact.String() != want {
		t.Errorf("got %s", compact.String())
	}
	b.Reset()
	if err := WriteTable(&b, &Document{}, TableOptions{}); err != nil {
		t.Fatal(err)
	}
	if got, want := b.String(), "0 objects judged by 0 policies (bundle ): 0 failed, 0 warnings, 0 errors, 0 passed, 0 skipped\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestSortHasAFullTieBreak(t *testing.T) {
	want := sample().Results
	for i := range want {
		twin := want[i]
		twin.Properties = map[string]string{"other": "property"}
		want = append(want, twin)
	}
	Sort(want)
	random := rand.New(rand.NewPCG(1, 2))
	for range 50 {
		got := slices.Clone(want)
		random.Shuffle(len(got), func(i, j int) { got[i], got[j] = got[j], got[i] })
		Sort(got)
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("got %+v, want %+v", got, want)
		}
	}
}

func TestJUnitIsWellFormedWhateverTheMessages(t *testing.T) {
	r := result(Fail, "p", "", "a]]>\x00\xff")
	r.Message = "<script>&\x1b ]]> \ufffe"
	var b bytes.Buffer
	if err := WriteJUnit(&b, &Document{Results: []Result{r}}); err != nil {
		t.Fatal(err)
	}
	dec := xml.NewDecoder(&b)
	for {
		if _, err := dec.Token(); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			t.Fatal(err)
		}
	}
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

func TestWritersTellThatTheyCannotWrite(t *testing.T) {
	for name, write := range map[string]func(io.Writer) error{
		"writing JSON: io: read/write on closed pipe":                  func(w io.Writer) error { return WriteJSON(w, sample()) },
		"writing YAML: io: read/write on closed pipe":                  func(w io.Writer) error { return WriteYAML(w, sample()) },
		"writing JUnit XML: io: read/write on closed pipe":             func(w io.Writer) error { return WriteJUnit(w, sample()) },
		"writing SARIF: io: read/write on closed pipe":                 func(w io.Writer) error { return WriteSARIF(w, sample(), SARIFOptions{}) },
		"writing annotations: io: read/write on closed pipe":           func(w io.Writer) error { return WriteGitHub(w, sample()) },
		"writing a Code Quality report: io: read/write on closed pipe": func(w io.Writer) error { return WriteGitLab(w, sample()) },
		"writing the table: io: read/write on closed pipe":             func(w io.Writer) error { return WriteTable(w, sample(), TableOptions{}) },
	} {
		if err := write(brokenWriter{}); err == nil || err.Error() != name {
			t.Errorf("got %v, want %s", err, name)
		}
	}
}

func TestWrap(t *testing.T) {
	for name, tc := range map[string]struct {
		text string
		want []string
	}{
		"nothing":                           {"", nil},
		"what fits stays":                   {"one two", []string{"one two"}},
		"lines break at spaces":             {"one two three", []string{"one two", "three"}},
		"a long word has a line":            {"a incomprehensible b", []string{"a", "incomprehensible", "b"}},
		"breaks of the text stay":           {"one\ntwo", []string{"one", "two"}},
		"blank space is one space":          {" one \t two ", []string{"one two"}},
		"characters count, not their bytes": {"äöü äöü äö", []string{"äöü äöü äö"}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := wrap(tc.text, 10); !slices.Equal(got, tc.want) {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

func TestSeverity(t *testing.T) {
	for written, want := range map[string]string{"High": "high", " medium ": "medium", "": "", "moderate": "", "CRITICAL": "critical"} {
		if got := severity(written); got != want {
			t.Errorf("severity(%q) = %q, want %q", written, got, want)
		}
	}
}

func TestLongMessagesAreCut(t *testing.T) {
	got := shorten(strings.Repeat("ä", maxMessage))
	if want := strings.Repeat("ä", maxMessage/2) + "... (4096 more bytes)"; got != want {
		t.Errorf("got %d bytes ending in %q", len(got), got[len(got)-30:])
	}
}
