package nearest_test

import (
	"strings"
	"testing"

	"github.com/holdfast-io/holdfast/engine/nearest"
)

func TestName(t *testing.T) {
	names := []string{"pattern", "anyPattern", "deny", "message"}
	for written, want := range map[string]string{
		"patern": "pattern", "Pattern": "pattern", "anypatern": "anyPattern", "den": "deny", "messages": "message",
		"x": "", "": "", "completely": "", strings.Repeat("pattern", 10): "",
	} {
		if got := nearest.Name(written, names); got != want {
			t.Errorf("Name(%q) = %q, want %q", written, got, want)
		}
	}
}
