package config

import (
	"fmt"
	"io"
	"strings"

	"sigs.k8s.io/yaml"
)

// Print writes the values as a configuration file, with where each comes from as a comment.
func Print(w io.Writer, values []Value) error {
	for _, v := range values {
		raw, err := yaml.Marshal(map[string]any{v.Key: v.Value})
		if err != nil {
			return fmt.Errorf("writing the key %s: %w", v.Key, err)
		}
		from := string(v.From)
		if v.Name != "" {
			from += " " + v.Name
		}
		first, rest, _ := strings.Cut(string(raw), "\n")
		if _, err := fmt.Fprintf(w, "%s # %s\n%s", first, from, rest); err != nil {
			return fmt.Errorf("writing the configuration: %w", err)
		}
	}
	return nil
}
