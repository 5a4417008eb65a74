package bundle

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/holdfast-io/holdfast/engine"
	"github.com/holdfast-io/holdfast/engine/enginetest"
)

// ordered is a ClusterPolicy that comes after others, or a Policy of a namespace.
func ordered(key, after string) string {
	kind, namespace, name := "ClusterPolicy", "", key
	if ns, n, ok := strings.Cut(key, "/"); ok {
		kind, namespace, name = "Policy", fmt.Sprintf("\n  namespace: %s", ns), n
	}
	annotations := ""
	if after != "" {
		annotations = fmt.Sprintf("\n  annotations:\n    holdfast.dev/after: %s", after)
	}
	return fmt.Sprintf(`apiVersion: kyverno.io/v1
kind: %s
metadata:
  name: %s%s%s
spec:
  rules:
  - name: r
    match: {any: [{resources: {kinds: [ConfigMap]}}]}
    validate: {pattern: {data: {a: "?*"}}}
`, kind, name, namespace, annotations)
}

func TestOrdersInACircleAreRefusedAtLoad(t *testing.T) {
	for name, test := range map[string]struct {
		policies []string // KEY or KEY>AFTER
		want     string
	}{
		"no order":                          {[]string{"a", "b"}, ""},
		"one way":                           {[]string{"a>b", "b>c", "c"}, ""},
		"two ways to one":                   {[]string{"a>b, c", "b>d", "c>d", "d"}, ""},
		"a policy that is elsewhere":        {[]string{"a>elsewhere"}, ""},
		"two":                               {[]string{"a>b", "b>a"}, "f.yaml:6:5: ClusterPolicy/a: metadata.annotations.holdfast.dev/after: the order is a circle: a after b, b after a"},
		"three, behind one that is in none": {[]string{"a>b", "b>c", "c>d", "d>b"}, "f.yaml:18:5: ClusterPolicy/b: metadata.annotations.holdfast.dev/after: the order is a circle: b after c, c after d, d after b"},
		"two that share policies, each by its shortest way": {[]string{"a>b, c", "b>c", "c>a"}, "f.yaml:6:5: ClusterPolicy/a: metadata.annotations.holdfast.dev/after: the order is a circle: a after c, c after a\nf.yaml:18:5: ClusterPolicy/b: metadata.annotations.holdfast.dev/after: the order is a circle: b after c, c after a, a after b"},
		"by way of a policy of a namespace":                 {[]string{"a>web/b", "web/b>a"}, "f.yaml:6:5: ClusterPolicy/a: metadata.annotations.holdfast.dev/after: the order is a circle: a after web/b, web/b after a"},
		"two circles":                                       {[]string{"a>b", "b>a", "c>d", "d>c"}, "f.yaml:6:5: ClusterPolicy/a: metadata.annotations.holdfast.dev/after: the order is a circle: a after b, b after a\nf.yaml:30:5: ClusterPolicy/c: metadata.annotations.holdfast.dev/after: the order is a circle: c after d, d after c"},
		"of the same name in another place":                 {[]string{"a>web/a", "web/a"}, ""},
		"itself, by its name and its own one":               {[]string{"web/a>web/a"}, "f.yaml:7:5: Policy/web/a: metadata.annotations.holdfast.dev/after: the order is a circle: web/a after web/a"},
	} {
		t.Run(name, func(t *testing.T) {
			var texts []string
			for _, p := range test.policies {
				key, after, _ := strings.Cut(p, ">")
				texts = append(texts, ordered(key, after))
			}
			_, _, err := Load(t.Context(), Sources{FS: fstest.MapFS{"f.yaml": {Data: []byte(strings.Join(texts, "---\n"))}}})
			var wrong *Error
			switch {
			case test.want == "" && err != nil:
				t.Errorf("got %v", err)
			case test.want != "" && (!errors.As(err, &wrong) || err.Error() != test.want):
				t.Errorf("got  %v\nwant %s", err, test.want)
			}
		})
	}
}

func TestACircleIsToldOfThePolicyThatClosesIt(t *testing.T) {
	policy := func(key, after string) *engine.Policy {
		return enginetest.Snapshot(t, ordered(key, after)).Policies()[0]
	}
	const closed = "metadata.annotations.holdfast.dev/after: the order is a circle: c after a, a after b, b after c"
	others := []*engine.Policy{policy("a", "b"), policy("b", "c"), policy("c", "")}
	for name, test := range map[string]struct {
		new  *engine.Policy
		want string
	}{
		"it closes it":                   {policy("c", "a"), closed},
		"it opens it":                    {policy("c", "d"), ""},
		"a new one":                      {policy("d", "a"), ""},
		"one that says nothing":          {policy("c", ""), ""},
		"one takes the place of its own": {policy("b", "a"), "metadata.annotations.holdfast.dev/after: the order is a circle: b after a, a after b"},
	} {
		t.Run(name, func(t *testing.T) {
			got := ""
			for _, p := range Circle(test.new, others) {
				got += p.String()
			}
			if got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}
