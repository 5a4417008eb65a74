package doctest

import (
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

const sample = "# A\n```sh\necho a\nexit 1\n```\nwhich prints\n```\na\n```\n## B\n- in a list\n  ```sh cluster\n  kubectl get nodes\n    indented\n\n  ```\n```yaml\na: b\n```\n````sh by-hand\n```\n````\n"

func TestBlocks(t *testing.T) {
	got, err := Blocks(sample)
	want := []Block{
		{2, "A", "sh", Plain, "echo a\nexit 1\n"},
		{7, "A", "", "", "a\n"},
		{12, "B", "sh", Cluster, "kubectl get nodes\n  indented\n\n"},
		{17, "B", "yaml", "", "a: b\n"},
		{20, "B", "sh", ByHand, "```\n"},
	}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("got %+v, %v\nwant %+v", got, err, want)
	}
	for text, want := range map[string]string{
		"\n```sh\nx":              "line 2: the block has no end",
		"```sh sometimes\nx\n```": `line 1: "sh sometimes": expected sh, and behind it cluster, by-hand or nothing`,
	} {
		if _, err := Blocks(text); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func TestStepsAreRun(t *testing.T) {
	for name, tc := range map[string]struct {
		document string
		findings Tolerance
		want     string
	}{
		"what is printed is as it says":              {"```sh\necho a; echo b >&2; false\n```\n```\na\nb\n```", Strict, ""},
		"what is printed is not":                     {"```sh\necho a\n```\n```\nb\n```", Strict, "line 1: echo a\n\nprints\na\n\nand not\nb\n"},
		"dots stand for any lines":                   {"```sh\nseq 5\n```\n```\n1\n...\n5\n```", Strict, ""},
		"dots do not stand for another end":          {"```sh\nseq 2\n```\n```\n1\n...\n5\n```", Strict, "line 1: seq 2\n\nprints\n1\n2\n\nand not\n1\n...\n5\n"},
		"dots in a line stand for part of it":        {"```sh\necho 'a [b] c'\n```\n```\na ... c\n```", Strict, ""},
		"a failure":                                  {"```sh\nfalse\ntrue\n```", Strict, "line 1: false\ntrue\n\nexit status 1: "},
		"findings are none":                          {"```sh\nfalse\ntrue\nfalse\n```", Findings, ""},
		"a failure where there are findings":         {"```sh\nfalse\n(exit 2)\ntrue\n```", Findings, "line 1: false\n(exit 2)\ntrue\n\nexit status 2: "},
		"a block below another heading is no output": {"```sh\ntrue\n```\n# B\n```\nb\n```", Strict, ""},
	} {
		t.Run(name, func(t *testing.T) {
			steps, err := Steps(tc.document, Plain)
			if err != nil || len(steps) != 1 {
				t.Fatal(steps, err)
			}
			shell := Shell{Dir: t.TempDir(), Findings: tc.findings}
			got := ""
			if err := shell.Run(t.Context(), &steps[0]); err != nil {
				got = err.Error()
			}
			if got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

func TestLinksThatLeadNowhereAreFound(t *testing.T) {
	tree := fstest.MapFS{
		"README.md":   {Data: []byte("[a](docs/a.md) [b](docs/a.md#two-words) [c](#here)\n## Here\n[d](https://example.com/x) `[e](nowhere)`\n```\n[f](nowhere)\n```\n" + strings.Join(bad, "\n"))},
		"docs/a.md":   {Data: []byte("# Two, `words`!\n[back](../README.md#here) [x](#two-words-1)\n## Two words\n")},
		"docs/b.yaml": {},
	}
	got, err := Links(tree, "README.md")
	want := []string{
		"README.md:7: nowhere.md: there is no such file",
		"README.md:8: docs/a.md#three: there is no such heading",
		"README.md:9: docs/b.yaml#a: only a document has headings",
		"README.md:10: http://example.com: expected https",
	}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("got %q, %v\nwant %q", got, err, want)
	}
	if got, err := Links(tree, "docs/a.md"); err != nil || got != nil {
		t.Errorf("got %q, %v, want none", got, err)
	}
}

var bad = []string{"[x](nowhere.md)", "[x](docs/a.md#three)", "[x](docs/b.yaml#a)", "[x](http://example.com)"}
