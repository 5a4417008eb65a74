// Command dashboards writes the Grafana dashboards of the chart. The list of panels here flows in, one JSON file for each
// dashboard flows out, the same bytes for the same list. It asks nothing of Grafana or Prometheus: the tests in e2e run
// each query against a real one.
package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	dir := flag.String("o", ".", "folder to write to")
	flag.Parse()
	if err := write(*dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func write(dir string) error {
	for _, d := range all() {
		text, err := render(d)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, d.file()), text, 0o644); err != nil { //nolint:gosec // the chart is public
			return fmt.Errorf("writing a dashboard: %w", err)
		}
	}
	return nil
}

func render(d dashboard) ([]byte, error) {
	var text bytes.Buffer
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false) // queries compare
	e.SetIndent("", "  ")
	if err := e.Encode(d.grafana()); err != nil {
		return nil, fmt.Errorf("writing dashboard %s: %w", d.name, err)
	}
	return text.Bytes(), nil
}
