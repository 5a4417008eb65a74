package jmesfn

import (
	"errors"
	"strings"

	"github.com/blang/semver/v4"
)

// semverFunctions compare semantic versions.
var semverFunctions = []function{
	{Spec: Spec{
		Name:    "semver_compare",
		Args:    []Arg{arg("version", String), {Name: "range", Type: String, compile: compileRange}},
		Returns: Boolean,
		Doc: "Tells whether a semantic version lies in a range: >=1.2.0, !1.3.x, \">1.0.0 <2.0.0\" (both), \"<1.0.0 || >=2.0.0\" (either). " +
			"Text that is no version (a leading v, two numbers) counts as 0.0.0, as it does in Kyverno.",
		Examples: []Example{{Expr: "semver_compare('1.8.6', '>1.0.0 <2.0.0')", Result: "true"}},
	}, impl: func(c *call) (any, error) {
		version, err := semver.Parse(c.string(0))
		if err != nil {
			version = semver.Version{}
		}
		for _, alternative := range c.args[1].(versionRange) {
			if alternative(version) {
				return true, nil
			}
		}
		return false, nil
	}},
}

// versionRange is the alternatives of a range. They are kept apart because the library, given an empty
// alternative ("<1.0.0 || || >2.0.0"), makes a range that panics when it is asked.
type versionRange []semver.Range

func (versionRange) isPrepared() {}

func compileRange(text string) (prepared, error) {
	if len(text) > MaxPattern {
		return nil, errors.New("is too long for a version range")
	}
	var alternatives versionRange
	for part := range strings.SplitSeq(text, " || ") {
		alternative, err := semver.ParseRange(part)
		if err != nil {
			return nil, errors.New("is no valid version range")
		}
		alternatives = append(alternatives, alternative)
	}
	return alternatives, nil
}
