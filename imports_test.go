// Package holdfast_test holds the whole module to the import rules of its design.
package holdfast_test

import (
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
)

const (
	module  = "github.com/holdfast-io/holdfast/"
	kyverno = "github.com/kyverno/kyverno/"
)

// mayImport says which of the module's parts (folders of its root) the code of each part may import,
// apart from itself. A part that is not here may not exist.
var mayImport = map[string][]string{
	"cmd":       {"app"},
	"app":       {"api", "audit", "bundle", "certs", "charts", "clitest", "diagnose", "engine", "events", "ledger", "lookup", "policies", "reconcile", "report", "traces", "webhook"},
	"webhook":   {"api", "engine"},
	"audit":     {"api", "engine"},
	"reconcile": {"api", "engine"},
	"bundle":    {"api", "engine"},
	"clitest":   {"api", "bundle", "engine", "report"},
	"report":    {"api", "engine"},
	"ledger":    {"api", "engine"},
	"lookup":    {"api", "engine"},
	"engine":    {},
	"events":    {},
	"certs":     {},
	"api":       {},
	"policies":  {},
	"docs":      {},
	"diagnose":  {},
	"traces":    {},
	"charts":    {},
	"bench":     {"bundle", "engine", "policies", "webhook"},
}

// doors decide at different times and must not lean on one another, nor on what writes down what they decided: not even
// in a test, where other imports are free.
var (
	doors   = []string{"webhook", "audit", "reconcile"}
	writers = []string{"report", "ledger"}
)

// offEngine is what would let the engine act.
var offEngine = []string{"k8s.io/client-go", "sigs.k8s.io/controller-runtime", "net/http"}

// engineMay are parts of those that it may import all the same: data about Kubernetes' kinds, of which nothing acts.
var engineMay = []string{"k8s.io/client-go/applyconfigurations"}

// noNames are folder names that say nothing about what is in them.
var noNames = []string{"utils", "util", "common", "helpers", "helper", "pkg", "misc"}

func TestPackagesImportOnlyWhatTheDesignAllows(t *testing.T) {
	files, problems, err := checkImports(os.DirFS("."))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Error(p)
	}
	const fewest = 200 // fewer, and the walk went wrong
	if files < fewest {
		t.Errorf("only %d files were looked at: expected %d at least", files, fewest)
	}
}

func TestBadImportsAreFound(t *testing.T) {
	tests := map[string]struct {
		file    string
		imports []string
		want    string // "" for no problem
	}{
		"a command reaches past app":              {"cmd/holdfast/a.go", []string{module + "engine"}, "cmd/holdfast/a.go: cmd must not import engine"},
		"a command imports app":                   {"cmd/holdfast/a.go", []string{module + "app", module + "app/config"}, ""},
		"the webhook imports the auditor":         {"webhook/a.go", []string{module + "audit"}, "webhook/a.go: webhook must not import audit"},
		"a test of a door imports another door":   {"webhook/a_test.go", []string{module + "audit"}, "webhook/a_test.go: webhook must not import audit"},
		"a test of a door imports reports":        {"audit/a_test.go", []string{module + "report"}, "audit/a_test.go: audit must not import report"},
		"a test imports what its scene needs":     {"webhook/a_test.go", []string{module + "certs"}, ""},
		"a door imports the same outside of test": {"webhook/a.go", []string{module + "certs"}, "webhook/a.go: webhook must not import certs"},
		"the bundle imports a door":               {"bundle/a.go", []string{module + "webhook"}, "bundle/a.go: bundle must not import webhook"},
		"the engine imports the bundle":           {"engine/a.go", []string{module + "bundle"}, "engine/a.go: engine must not import bundle"},
		"the engine imports its parts":            {"engine/a.go", []string{module + "engine/pattern"}, ""},
		"the engine imports client-go":            {"engine/pattern/a.go", []string{"k8s.io/client-go/rest"}, "engine/pattern/a.go: engine must not import k8s.io/client-go/rest"},
		"the engine imports schemas of kinds":     {"engine/a.go", []string{"k8s.io/client-go/applyconfigurations"}, ""},
		"the engine imports what is below them":   {"engine/a.go", []string{"k8s.io/client-go/applyconfigurations/core/v1"}, "engine/a.go: engine must not import k8s.io/client-go/applyconfigurations/core/v1"},
		"a test of the engine does":               {"engine/a_test.go", []string{"sigs.k8s.io/controller-runtime"}, "engine/a_test.go: engine must not import sigs.k8s.io/controller-runtime"},
		"the engine imports apimachinery":         {"engine/a.go", []string{"k8s.io/apimachinery/pkg/labels"}, ""},
		"a module whose name begins alike":        {"engine/a.go", []string{"k8s.io/client-gone"}, ""},
		"Kyverno's types":                         {"bundle/a.go", []string{kyverno + "api/kyverno/v1"}, ""},
		"Kyverno's engine":                        {"app/a.go", []string{kyverno + "pkg/engine"}, "app/a.go: of Kyverno only api/ may be imported, not pkg/engine"},
		"Kyverno's engine in a test":              {"app/a_test.go", []string{kyverno + "ext/wildcard"}, "app/a_test.go: of Kyverno only api/ may be imported, not ext/wildcard"},
		"a part without a meaning":                {"misc/a.go", nil, "misc: a folder's name must say what is in it"},
		"a new part":                              {"magic/a.go", nil, "magic/a.go: magic is not a part that mayImport knows"},
		"a folder without a meaning":              {"engine/utils/a.go", nil, "engine/utils: a folder's name must say what is in it"},
		"a nested module":                         {"e2e/a.go", []string{module + "engine"}, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var source strings.Builder
			source.WriteString("package x\n")
			for _, i := range test.imports {
				fmt.Fprintf(&source, "import _ %q\n", i)
			}
			tree := fstest.MapFS{test.file: {Data: []byte(source.String())}, "e2e/go.mod": {Data: []byte("module x\n")}}
			_, problems, err := checkImports(tree)
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(problems, "\n"); got != test.want {
				t.Errorf("got  %q\nwant %q", got, test.want)
			}
		})
	}
}

// checkImports reads the imports of every Go file of the module in tree, nested modules apart. It gives the number of
// files and what is wrong with them, in the order of their paths.
func checkImports(tree fs.FS) (files int, problems []string, err error) {
	err = fs.WalkDir(tree, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			base := path.Base(name)
			if slices.Contains(noNames, base) {
				problems = append(problems, name+": a folder's name must say what is in it")
				return fs.SkipDir
			}
			_, notNested := fs.Stat(tree, path.Join(name, "go.mod"))
			if name != "." && (notNested == nil || base == "testdata" || strings.HasPrefix(base, ".")) {
				return fs.SkipDir
			}
			return nil
		}
		if path.Ext(name) != ".go" || path.Dir(name) == "." {
			return nil
		}
		files++
		found, err := checkFile(tree, name)
		problems = append(problems, found...)
		return err
	})
	return files, problems, err
}

func checkFile(tree fs.FS, name string) (problems []string, err error) {
	source, err := fs.ReadFile(tree, name)
	if err != nil {
		return nil, err
	}
	file, err := parser.ParseFile(token.NewFileSet(), name, source, parser.ImportsOnly)
	if err != nil {
		return nil, fmt.Errorf("reading imports: %w", err)
	}
	part, _, _ := strings.Cut(name, "/")
	if _, known := mayImport[part]; !known {
		return []string{fmt.Sprintf("%s: %s is not a part that mayImport knows", name, part)}, nil
	}
	for _, spec := range file.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return nil, fmt.Errorf("reading imports of %s: %w", name, err)
		}
		if problem := checkImport(part, imported, strings.HasSuffix(name, "_test.go")); problem != "" {
			problems = append(problems, name+": "+problem)
		}
	}
	return problems, nil
}

// checkImport says what is wrong with an import in a part of the module, or "".
func checkImport(part, imported string, test bool) string {
	if rest, ok := strings.CutPrefix(imported, kyverno); ok && !strings.HasPrefix(rest, "api/") {
		return "of Kyverno only api/ may be imported, not " + rest
	}
	if part == "engine" && !slices.Contains(engineMay, imported) && slices.ContainsFunc(offEngine, func(off string) bool { return imported == off || strings.HasPrefix(imported, off+"/") }) {
		return "engine must not import " + imported
	}
	rest, ours := strings.CutPrefix(imported, module)
	if !ours {
		return ""
	}
	other, _, _ := strings.Cut(rest, "/")
	switch {
	case other == part:
		return ""
	case test && (!slices.Contains(doors, part) || !slices.Contains(doors, other) && !slices.Contains(writers, other)):
		return ""
	case !slices.Contains(mayImport[part], other):
		return part + " must not import " + other
	}
	return ""
}
