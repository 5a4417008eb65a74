package fieldpath_test

import (
	"testing"

	"github.com/holdfast-io/holdfast/engine/fieldpath"
)

func TestText(t *testing.T) {
	tests := map[string]struct {
		path []any
		want string
	}{
		"the document itself":     {nil, ""},
		"a key":                   {[]any{"spec"}, "spec"},
		"a key below a key":       {[]any{"metadata", "name"}, "metadata.name"},
		"an index below a key":    {[]any{"spec", "rules", 0, "validate"}, "spec.rules[0].validate"},
		"a list at the top":       {[]any{1, "name"}, "[1].name"},
		"an index below an index": {[]any{"a", 0, 12}, "a[0][12]"},
	}
	for name, c := range tests {
		t.Run(name, func(t *testing.T) {
			if got := fieldpath.Text(c.path); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}
