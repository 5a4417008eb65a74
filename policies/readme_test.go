package policies_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/holdfast-io/holdfast/bundle/pack"
)

func TestTheReadmeListsEveryPolicyAsItIs(t *testing.T) {
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatalf("reading the README: %v", err)
	}
	var got []string
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "| [") {
			cells := strings.Split(strings.TrimSpace(line), " | ")
			if len(cells) != 5 {
				t.Fatalf("a row of %d cells: %s", len(cells), line)
			}
			got = append(got, strings.Join(cells[:4], " | "))
		}
	}
	var want []string
	for _, p := range everyPolicy(t) {
		var actions []string
		for _, r := range p.Spec.Rules {
			if a := action(r); !slices.Contains(actions, a) {
				actions = append(actions, a)
			}
		}
		want = append(want, fmt.Sprintf("| [%[1]s](%[1]s/policy.yaml) | %[2]s | %[3]s | %[4]s",
			p.Name, p.Annotations[pack.PacksAnnotation], severity(p), strings.Join(actions, "; ")))
	}
	for i := range max(len(got), len(want)) {
		switch {
		case i >= len(got):
			t.Errorf("missing: %s", want[i])
		case i >= len(want):
			t.Errorf("too much: %s", got[i])
		case got[i] != want[i]:
			t.Errorf("row %d\ngot  %s\nwant %s", i+1, got[i], want[i])
		}
	}
}
