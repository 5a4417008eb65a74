package holdfast_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// metric is one that the code declares.
type metric struct {
	// kind is Counter, Gauge, Histogram or, for those that are read when scraped, Desc.
	kind   string
	labels []string
}

// docs/metrics.md names every metric of the code with its labels, and the code has every metric that it names.
func TestEveryMetricIsDocumented(t *testing.T) {
	code := declaredMetrics(t)
	const fewest = 60 // fewer, and the walk went wrong
	if len(code) < fewest {
		t.Errorf("only %d metrics were found in the code: expected %d at least", len(code), fewest)
	}
	text, err := os.ReadFile("docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	documented := map[string]bool{}
	for _, row := range regexp.MustCompile("(?m)^\\| `(holdfast_\\w+)` \\|([^|]*)\\|(.*)\\|$").FindAllStringSubmatch(string(text), -1) {
		name, labels := row[1], strings.TrimSpace(row[2])
		if documented[name] {
			t.Errorf("docs/metrics.md has %s twice", name)
		}
		documented[name] = true
		declared, found := code[name]
		if want := strings.Join(declared.labels, ", "); found && labels != want {
			t.Errorf("docs/metrics.md gives %s the labels %q: the code has %q", name, labels, want)
		}
		if !found {
			t.Errorf("docs/metrics.md has %s, which no code has", name)
		}
		if strings.TrimSpace(row[3]) == "" {
			t.Errorf("docs/metrics.md does not say what %s counts", name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(code)) {
		if !documented[name] {
			t.Errorf("docs/metrics.md has no %s (labels: %s)", name, strings.Join(code[name].labels, ", "))
		}
		if total := strings.HasSuffix(name, "_total"); code[name].kind != "Desc" && total != (code[name].kind == "Counter") {
			t.Errorf("%s is a %s: counters end in _total, and nothing else does", name, code[name].kind)
		}
	}
}

func TestMetricsAreFoundInAllForms(t *testing.T) {
	const source = `package x
var a = prometheus.NewCounterVec(prometheus.CounterOpts{Name: "holdfast_a_total", Help: "a"}, []string{"b", "c"})
var b = prometheus.NewGauge(prometheus.GaugeOpts{Help: "b", Name: "holdfast_b"})
var c = prometheus.NewHistogram(prometheus.HistogramOpts{Name: "holdfast_c_seconds"})
var d = prometheus.NewDesc("holdfast_d", "d", []string{"e"}, nil)
var e = gauge("holdfast_e", "e", value)
var f = prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "holdfast_f"}, value)
var g = also("g", "holdfast_g")
`
	found, problems := metricsIn(t, "x.go", source)
	want := map[string]metric{
		"holdfast_a_total": {"Counter", []string{"b", "c"}}, "holdfast_b": {"Gauge", nil}, "holdfast_c_seconds": {"Histogram", nil},
		"holdfast_d": {"Desc", []string{"e"}}, "holdfast_e": {"Gauge", nil}, "holdfast_f": {"Gauge", nil},
	}
	if got, want := fmt.Sprint(found), fmt.Sprint(want); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	const problem = "x.go:8: holdfast_g is declared in a way that this test cannot read"
	if got := strings.Join(problems, "\n"); got != problem {
		t.Errorf("got  %s\nwant %s", got, problem)
	}
}

// declaredMetrics gives the metrics that the code of the module declares, by name. The engine has none,
// and charts only asks for them.
func declaredMetrics(t *testing.T) map[string]metric {
	t.Helper()
	all := map[string]metric{}
	err := fs.WalkDir(os.DirFS("."), ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (slices.Contains([]string{"bench", "charts", "e2e", "engine", "testdata"}, entry.Name()) || name != "." && strings.HasPrefix(entry.Name(), ".")):
			return fs.SkipDir
		case entry.IsDir() || path.Ext(name) != ".go" || strings.HasSuffix(name, "_test.go"):
			return nil
		}
		source, err := os.ReadFile(name)
		if err != nil || !strings.Contains(string(source), `"holdfast_`) {
			return err
		}
		found, problems := metricsIn(t, name, string(source))
		for _, p := range problems {
			t.Error(p)
		}
		for name, m := range found {
			if _, twice := all[name]; twice {
				t.Errorf("%s is declared twice", name)
			}
			all[name] = m
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

var (
	metricName   = regexp.MustCompile(`^"(holdfast_[a-z0-9_]+)"$`)
	metricMaker  = regexp.MustCompile(`^New(Counter|Gauge|Histogram)(?:Vec|Func)?$`)
	labelsOfMake = map[string]int{"NewDesc": 2} // which argument the labels are; of the others, the second
)

// metricsIn finds the metrics of one file. Any other text that looks like the name of a metric is a problem.
func metricsIn(t *testing.T, name, source string) (found map[string]metric, problems []string) {
	t.Helper()
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, name, source, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	found = map[string]metric{}
	ast.Inspect(file, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok || len(call.Args) == 0 {
			return true
		}
		kind, labels := "", []string(nil)
		switch fun := call.Fun.(type) {
		case *ast.Ident: // a helper of the file's own, which are for gauges
			kind = "Gauge"
		case *ast.SelectorExpr:
			maker := fun.Sel.Name
			at, ok := labelsOfMake[maker]
			if !ok {
				at = 1
			}
			if m := metricMaker.FindStringSubmatch(maker); m != nil {
				kind = m[1]
			} else if maker == "NewDesc" {
				kind = "Desc"
			}
			if at < len(call.Args) {
				labels = texts(call.Args[at])
			}
		}
		if name := nameOf(call.Args[0]); name != "" && kind != "" {
			found[name] = metric{kind, labels}
		}
		return true
	})
	ast.Inspect(file, func(n ast.Node) bool {
		if lit, ok := n.(*ast.BasicLit); ok {
			m := metricName.FindStringSubmatch(lit.Value)
			if m != nil && found[m[1]].kind == "" {
				problems = append(problems, fmt.Sprintf("%s:%d: %s is declared in a way that this test cannot read", name, files.Position(lit.Pos()).Line, m[1]))
			}
		}
		return true
	})
	return found, problems
}

// nameOf gives the name of a metric from a literal, or from options.
func nameOf(arg ast.Expr) string {
	switch arg := arg.(type) {
	case *ast.BasicLit:
		if m := metricName.FindStringSubmatch(arg.Value); m != nil {
			return m[1]
		}
	case *ast.CompositeLit:
		for _, e := range arg.Elts {
			if kv, ok := e.(*ast.KeyValueExpr); ok && fmt.Sprint(kv.Key) == "Name" {
				return nameOf(kv.Value)
			}
		}
	}
	return ""
}

// texts gives the elements of a list of literals.
func texts(list ast.Expr) (all []string) {
	lit, ok := list.(*ast.CompositeLit)
	if !ok {
		return nil
	}
	for _, e := range lit.Elts {
		if text, ok := e.(*ast.BasicLit); ok {
			if s, err := strconv.Unquote(text.Value); err == nil {
				all = append(all, s)
			}
		}
	}
	return all
}

// What rules, dashboards and documents ask Prometheus for, the code or a recording rule has, with these labels.
func TestWhatIsAskedForExists(t *testing.T) {
	code := declaredMetrics(t)
	rules, err := os.ReadFile("charts/holdfast/rules/holdfast.yaml")
	if err != nil {
		t.Fatal(err)
	}
	recorded := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)- record: (\S+)$`).FindAllStringSubmatch(string(rules), -1) {
		recorded[m[1]] = true
	}
	files, err := fs.Glob(os.DirFS("."), "charts/holdfast/*/*.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, pattern := range []string{"charts/holdfast/rules/*.yaml", "docs/*.md", "docs/runbooks/*.md"} {
		more, err := fs.Glob(os.DirFS("."), pattern)
		if err != nil || len(more) == 0 {
			t.Fatalf("%s: %v, %v", pattern, more, err)
		}
		files = append(files, more...)
	}
	asked := regexp.MustCompile(`\bholdfast([:_])[a-z0-9_:]+(?:\{([^}]*)\})?`)
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range asked.FindAllStringSubmatch(string(text), -1) {
			name, _, _ := strings.Cut(m[0], "{")
			if m[1] == ":" {
				if !recorded[name] && !strings.HasPrefix(name, "holdfast:holdfast") { // the names of ClusterRoles are such
					t.Errorf("%s asks for %s, which no rule records", file, name)
				}
				continue
			}
			declared, found := code[name]
			for _, part := range []string{"_bucket", "_sum", "_count"} {
				if base, ok := strings.CutSuffix(name, part); ok && !found {
					declared, found = code[base]
					declared.labels = append(slices.Clone(declared.labels), "le")
				}
			}
			if !found {
				t.Errorf("%s asks for %s, which no code has", file, name)
			}
			for _, label := range regexp.MustCompile(`(\w+) *(?:=~|!~|!=|=)`).FindAllStringSubmatch(m[2], -1) {
				if found && !slices.Contains(declared.labels, label[1]) {
					t.Errorf("%s asks %s for the label %s: it has %s", file, name, label[1], strings.Join(declared.labels, ", "))
				}
			}
		}
	}
}
