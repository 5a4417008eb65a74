package app

import (
	"io/fs"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// docs/metrics.md names every metric in the code, and the code has every metric that it names.
func TestEveryMetricIsDocumented(t *testing.T) {
	declared := regexp.MustCompile(`(?:Name: +|NewDesc\(|gauge\()"(holdfast_\w+)"`)
	root := os.DirFS("..")
	var code []string
	for _, part := range []string{"app", "audit", "bundle/live", "certs", "events", "ledger", "lookup", "reconcile", "reconcile/propose", "report", "webhook"} {
		files, err := fs.Glob(root, part+"/*.go")
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			text, err := fs.ReadFile(root, file)
			if err != nil {
				t.Fatal(err)
			}
			for _, match := range declared.FindAllStringSubmatch(string(text), -1) {
				code = append(code, match[1])
			}
		}
	}
	text, err := fs.ReadFile(root, "docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	var documented []string
	for _, match := range regexp.MustCompile("(?m)^\\| `(holdfast_\\w+)`").FindAllStringSubmatch(string(text), -1) {
		documented = append(documented, match[1])
	}
	// What an alert asks for must be there too.
	for _, match := range regexp.MustCompile(`expr:.*?(holdfast_\w+)`).FindAllStringSubmatch(string(text), -1) {
		if !slices.Contains(code, strings.TrimSuffix(match[1], "_bucket")) {
			t.Errorf("an alert asks for %s, which no code has", match[1])
		}
	}
	slices.Sort(code)
	slices.Sort(documented)
	if !slices.Equal(code, documented) {
		t.Errorf("in the code\n%s\nin docs/metrics.md\n%s", strings.Join(code, "\n"), strings.Join(documented, "\n"))
	}
}
