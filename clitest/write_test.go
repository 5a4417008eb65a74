package clitest

import (
	"bytes"
	"context"
	"flag"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files anew")

// mixed is a report with every status, and with text that a terminal must not see.
var mixed = Report{
	Files: []File{
		{Path: "a/kyverno-test.yaml", Cases: []Case{
			{Policy: "team", Rule: "label", Kind: "Deployment", Resource: "web/shop", Want: "pass", Got: "pass", Status: Pass},
			{Policy: "team", Rule: "label", Kind: "Deployment", Resource: "web/orphan", Want: "pass", Got: "fail", Status: Fail, Reason: "no <team> & no\n\x1b[31mowner", Line: 9},
			{Policy: "web/team", Kind: "Pod", Resource: "p", Want: "skip", Status: Fail, Reason: "the test has no such resource"},
			{Policy: "vpol", Kind: "Pod", Resource: "p", Want: "pass", Status: Skip, Reason: "policies.kyverno.io/v1 ValidatingPolicy is not built yet"},
		}},
		{Path: "b/kyverno-test.yaml", broken: true, Cases: []Case{
			{Status: Error, Reason: "the test file cannot be read: b/kyverno-test.yaml:1:1: broken YAML", Line: 1},
		}},
	},
	Summary: Summary{Pass: 1, Fail: 2, Error: 1, Skip: 1},
}

func TestFormats(t *testing.T) {
	for name, write := range map[string]func(io.Writer) error{
		"table.txt":   func(w io.Writer) error { return mixed.WriteTable(w, Plain) },
		"colours.txt": func(w io.Writer) error { return mixed.WriteTable(w, Coloured) },
		"failed.txt":  func(w io.Writer) error { return mixed.OnlyFailed().WriteTable(w, Plain) },
		"report.json": mixed.WriteJSON,
		"junit.xml":   mixed.WriteJUnit,
		"github.txt":  mixed.WriteGitHub,
		"gitlab.json": mixed.WriteGitLab,
		"sarif.json":  func(w io.Writer) error { return mixed.WriteSARIF(w, "v1.2.3") },
	} {
		t.Run(name, func(t *testing.T) {
			var got bytes.Buffer
			if err := write(&got); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join("testdata", name)
			if *update {
				if err := os.WriteFile(path, got.Bytes(), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got.Bytes(), want) {
				t.Errorf("got\n%s\nwant\n%s", got.Bytes(), want)
			}
		})
	}
}

// TestTheOrderOfResultsIsStable runs the tests of the shipped policies, which all pass, again and again.
func TestTheOrderOfResultsIsStable(t *testing.T) {
	var first []byte
	for range 4 {
		report, err := Run(t.Context(), Options{Paths: []string{"../policies"}})
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range report.OnlyFailed().Files {
			t.Errorf("%s: %+v", f.Path, f.Cases)
		}
		if report.Summary.Pass < 700 {
			t.Errorf("only %d cases passed: tests of the shipped policies are not found", report.Summary.Pass)
		}
		var now bytes.Buffer
		if err := report.WriteJSON(&now); err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first = now.Bytes()
		}
		if !bytes.Equal(first, now.Bytes()) {
			t.Fatal("two runs of the same tests differ")
		}
	}
}

func TestFind(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"b/kyverno-test.yaml", "a/.tests/kyverno-test.yaml", "a/other.yaml", ".git/kyverno-test.yaml", "a/kyverno-test.yml"} {
		if err := os.MkdirAll(filepath.Join(dir, filepath.Dir(name)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, tc := range map[string]struct {
		paths    []string
		fileName string
		want     []string
	}{
		"folders are searched, those that begin with a dot too, but for Git's": {[]string{"."}, DefaultFileName, []string{"a/.tests/kyverno-test.yaml", "b/kyverno-test.yaml"}},
		"another name":                    {[]string{"."}, "other.yaml", []string{"a/other.yaml"}},
		"a file as it is":                 {[]string{"a/other.yaml"}, DefaultFileName, []string{"a/other.yaml"}},
		"a file that is found twice once": {[]string{"b", "b/kyverno-test.yaml", "."}, DefaultFileName, []string{"b/kyverno-test.yaml", "a/.tests/kyverno-test.yaml"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Chdir(dir)
			got, err := Find(tc.paths, tc.fileName)
			if err != nil || !slices.Equal(got, tc.want) {
				t.Errorf("got %q, %v, want %q", got, err, tc.want)
			}
		})
	}
	t.Run("a path that is not there is an error", func(t *testing.T) {
		t.Chdir(dir)
		_, err := Find([]string{"c"}, DefaultFileName)
		if want := "finding test files: stat c: no such file or directory"; err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	})
	t.Run("no test file is an error", func(t *testing.T) {
		t.Chdir(dir)
		_, err := Run(t.Context(), Options{Paths: []string{"a"}, FileName: "none.yaml"})
		if want := "no none.yaml in [a]"; err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	})
}

func TestReadListsWhatTheTestsAreMadeOf(t *testing.T) {
	report, err := Run(t.Context(), Options{Paths: []string{"../policies/require-ingress-tls"}})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"../policies/require-ingress-tls/policy.yaml",
		"../policies/require-ingress-tls/test/kyverno-test.yaml",
		"../policies/require-ingress-tls/test/resources.yaml",
	}
	if got := report.Read(); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// FuzzTestFile holds the reader and runner to two laws: they end without a panic, and every case has one of
// the four statuses and, unless it passed, a reason.
func FuzzTestFile(f *testing.F) {
	f.Add([]byte(head + "results: [{policy: require-ingress-tls, kind: Ingress, resources: [a/b], resourceSpecs: [{name: x}], result: pass}]"))
	f.Add([]byte("policies: [policy.yaml]\nresources: [test/resources.yaml]\nresults: [{policy: require-ingress-tls, rule: tls-for-every-host, resource: no-tls, status: fail, patchedResource: test/resources.yaml}]"))
	f.Add([]byte(head + `values: {globalValues: {request.object.a."b.c": {d: 1}, x: [1]}, subresources: [{subresource: {name: a/b}}]}` + "\nresults: [{}]"))
	f.Add([]byte(head + "apiCallResponses: [{urlPath: /a, response: {body: 1}}]\nglobalContextEntries: [{name: a, data: {b: c}, fieldPath: b, projections: [{name: x, path: '@'}]}]\nresults: [{}]"))
	lib, err := newLibrary(nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		dir := &folder{dir: "../policies/require-ingress-tls", read: map[string]bool{}}
		out := runText(context.Background(), "kyverno-test.yaml", data, dir, lib, nil)
		for _, c := range out.Cases {
			switch c.Status {
			case Pass:
			case Fail, Error, Skip:
				if c.Reason == "" {
					t.Errorf("no reason: %+v", c)
				}
			default:
				t.Errorf("no status: %+v", c)
			}
		}
	})
}
