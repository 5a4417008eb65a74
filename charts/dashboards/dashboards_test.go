package main

import (
	"os"
	"path/filepath"
	"testing"
)

// What stands in the chart is what this program writes.
func TestDashboardsAreUpToDate(t *testing.T) {
	const dir = "../holdfast/dashboards"
	want := map[string]bool{}
	for _, d := range all() {
		want[d.file()] = true
		text, err := render(d)
		if err != nil {
			t.Fatal(err)
		}
		if have, err := os.ReadFile(filepath.Join(dir, d.file())); err != nil || string(have) != string(text) {
			t.Errorf("%s is not what the program writes (%v): run go generate ./charts", d.file(), err)
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !want[e.Name()] {
			t.Errorf("%s is not written by the program", e.Name())
		}
	}
}
