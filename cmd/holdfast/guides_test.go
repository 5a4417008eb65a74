package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/holdfast-io/holdfast/docs/doctest"
)

// TestDocumentsRunAsWritten runs the plain blocks of all documents, each document in a folder of its own. The runbooks are
// run by the scenarios, on what they are about.
func TestDocumentsRunAsWritten(t *testing.T) {
	var documents []string
	for _, pattern := range []string{"../../README.md", "../../docs/*.md", "../../policies/README.md"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		documents = append(documents, found...)
	}
	for _, path := range documents {
		if filepath.Base(path) == "cli.md" { // written by the commands: its examples name files that are not there
			continue
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		steps, err := doctest.Steps(string(text), doctest.Plain)
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		if len(steps) == 0 {
			continue
		}
		t.Run(strings.TrimPrefix(path, "../../"), func(t *testing.T) {
			t.Parallel()
			shell := doctest.Shell{Dir: t.TempDir(), Findings: doctest.Findings}
			for i := range steps {
				if err := shell.Run(t.Context(), &steps[i]); err != nil {
					t.Error(err)
				}
			}
		})
	}
}
