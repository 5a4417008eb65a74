package main

import (
	"fmt"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// report is what `holdfast test -o json` says.
type report struct {
	Files []struct {
		Path  string      `json:"path"`
		Cases []*testCase `json:"cases"`
	} `json:"files"`
}

// testCase is one case of a test file.
type testCase struct {
	Policy   string `json:"policy"`
	Rule     string `json:"rule"`
	Kind     string `json:"kind"`
	Resource string `json:"resource"`
	Want     string `json:"want"`
	Got      string `json:"got"`
	Status   string `json:"status"`
	Reason   string `json:"reason"`

	file     string // relative to the suite
	features features
	mustFail bool
}

// mustFail are tests of Kyverno's suite that are made to fail: its own checks run them so.
var mustFail = regexp.MustCompile(`^test-fail/missing-`)

// outcome is the status as it counts: a case that must fail passes by failing.
func (c *testCase) outcome() string {
	switch {
	case !c.mustFail:
		return c.Status
	case c.Status == "fail":
		return "pass"
	default:
		return "fail"
	}
}

func (c *testCase) failed() bool { return c.outcome() == "fail" || c.outcome() == "error" }

// String says where and why a case failed.
func (c *testCase) String() string {
	reason := c.Reason
	if c.mustFail {
		reason = "has to fail, but its status is " + c.Status
	} else if c.Got != "" && c.Got != c.Want {
		reason = fmt.Sprintf("wanted %s, got %s: %s", c.Want, c.Got, c.Reason)
	}
	return fmt.Sprintf("%s: %s/%s, %s %s: %s", path.Dir(c.file), c.Policy, c.Rule, c.Kind, c.Resource, reason)
}

// suite is what was run of one folder.
type suite struct {
	name  string
	files int
	cases []*testCase
	took  time.Duration
}

func newSuite(name, folder string, r *report, took time.Duration) *suite {
	s := &suite{name: name, files: len(r.Files), took: took}
	for _, f := range r.Files {
		policies := readPolicies(f.Path)
		relative, err := filepath.Rel(folder, f.Path)
		if err != nil {
			relative = f.Path
		}
		for _, c := range f.Cases {
			c.file = filepath.ToSlash(relative)
			c.mustFail = mustFail.MatchString(c.file)
			c.features = policies.features(c)
			// A reason may name files: only what is below the suite's folder is the same everywhere.
			c.Reason = strings.Join(strings.Fields(strings.ReplaceAll(c.Reason, filepath.ToSlash(folder)+"/", "")), " ")
			s.cases = append(s.cases, c)
		}
	}
	return s
}

// count counts outcomes.
type count struct{ pass, fail, skip int }

func (n *count) add(c *testCase) {
	switch c.outcome() {
	case "pass":
		n.pass++
	case "skip":
		n.skip++
	default:
		n.fail++
	}
}

// rate is what passed of what was judged, in per cent.
func (n count) rate() string {
	if n.pass+n.fail == 0 {
		return ""
	}
	return fmt.Sprintf("%.1f %%", 100*float64(n.pass)/float64(n.pass+n.fail))
}

func (n count) String() string {
	return fmt.Sprintf("%d passed, %d failed, %d skipped", n.pass, n.fail, n.skip)
}

func (s *suite) total() count {
	var n count
	for _, c := range s.cases {
		n.add(c)
	}
	return n
}
