package main

import (
	"bytes"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

const preface = `# Conformance

Written by ` + "`make conformance`" + `: what ` + "`holdfast test`" + ` says of test files that were written for Kyverno's CLI.

A case is one resource of one expected result. It passes if the verdict is the one that the file wants, and
it is skipped if it cannot be judged, for the reason that the second table gives. The rate is what passed of
what was judged. Tests of Kyverno's suite that are made to fail pass by failing.

Two things fail here that Kyverno's CLI calls a pass: a case that wants a failure of a rule which does not
apply to its resource, and a case that names a rule or a resource that is not there.
`

// write makes the document.
func write(suites []*suite) []byte {
	var b bytes.Buffer
	b.WriteString(preface)
	for _, s := range suites {
		s.write(&b)
	}
	return b.Bytes()
}

func (s *suite) write(b *bytes.Buffer) {
	total := s.total()
	fmt.Fprintf(b, "\n## %s\n\n%d test files, %d cases: %s (%s).\n", s.name, s.files, len(s.cases), total, total.rate())
	s.table(b, "what the rule does", func(c *testCase) []string { return []string{c.features.does} })
	s.table(b, "what it uses beside", func(c *testCase) []string { return c.features.uses })
	s.skips(b)
	s.failures(b)
}

// table counts the cases by what key gives of each.
func (s *suite) table(b *bytes.Buffer, title string, keys func(*testCase) []string) {
	counts := map[string]*count{}
	for _, c := range s.cases {
		for _, key := range keys(c) {
			if counts[key] == nil {
				counts[key] = &count{}
			}
			counts[key].add(c)
		}
	}
	if len(counts) == 0 {
		return
	}
	fmt.Fprintf(b, "\n| %s | passed | failed | skipped | rate |\n|---|---:|---:|---:|---:|\n", title)
	for _, key := range slices.Sorted(maps.Keys(counts)) {
		n := counts[key]
		fmt.Fprintf(b, "| %s | %d | %d | %d | %s |\n", key, n.pass, n.fail, n.skip, n.rate())
	}
}

// particular is what differs between reasons of one sort.
var particular = []struct {
	from *regexp.Regexp
	to   string
}{
	{regexp.MustCompile(`^needs an image registry for .*`), "needs an image registry"},
	{regexp.MustCompile(`^needs the network for .*`), "needs the network"},
	{regexp.MustCompile(`^.* holds no .* to compare with$`), "the file of what is expected does not hold the resource"},
	{regexp.MustCompile(`^(policies.kyverno.io|admissionregistration.k8s.io)/\S+ (\S+) is not built yet$`), "$1 $2 is not built yet"},
}

func (s *suite) skips(b *bytes.Buffer) {
	counts := map[string]int{}
	for _, c := range s.cases {
		if c.outcome() != "skip" {
			continue
		}
		reason := c.Reason
		for _, p := range particular {
			reason = p.from.ReplaceAllString(reason, p.to)
		}
		counts[reason]++
	}
	if len(counts) == 0 {
		return
	}
	fmt.Fprintf(b, "\n| skipped because | cases |\n|---|---:|\n")
	reasons := slices.SortedFunc(maps.Keys(counts), func(x, y string) int {
		if d := counts[y] - counts[x]; d != 0 {
			return d
		}
		return strings.Compare(x, y)
	})
	for _, reason := range reasons {
		fmt.Fprintf(b, "| %s | %d |\n", reason, counts[reason])
	}
}

func (s *suite) failures(b *bytes.Buffer) {
	first := true
	for _, c := range s.cases {
		if !c.failed() {
			continue
		}
		if first {
			b.WriteString("\nFailed:\n\n")
			first = false
		}
		fmt.Fprintf(b, "- %s\n", c)
	}
	if first {
		b.WriteString("\nNothing failed.\n")
	}
}
