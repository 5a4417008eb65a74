package peers

import (
	"errors"
	"strings"
	"testing"

	"github.com/go-logr/logr"
	peer "github.com/kyverno/kyverno/pkg/engine/validate"
	kjson "k8s.io/apimachinery/pkg/util/json"

	"github.com/holdfast-io/holdfast/engine/pattern"
)

// matchesOfEach is how many patterns are generated for each seed.
const matchesOfEach = 30_000

// matchTheirs gives the outcome of a pattern, with the path at which it failed.
func matchTheirs(tree, object any) (any, error) {
	// The peer's webhook reads numbers without a fraction as integers.
	for _, v := range []*any{&tree, &object} {
		if err := kjson.Unmarshal([]byte(written(*v)), v); err != nil {
			return nil, err
		}
	}
	err := peer.MatchPattern(logr.Discard(), object, tree)
	var failed *peer.PatternError
	switch {
	case err == nil:
		return "pass", nil
	case !errors.As(err, &failed) || !failed.Skip && failed.Path == "":
		return nil, err
	case failed.Skip:
		return "skip", nil
	}
	return "fail at " + failed.Path, nil
}

func matchOurs(compiled *pattern.Pattern, object any) (any, error) {
	got := compiled.Match(nil, object)
	switch got.Outcome {
	case pattern.Error:
		return nil, got.Err
	case pattern.Fail:
		if got.Path == "" {
			return nil, errors.New(got.Text())
		}
		return "fail at " + got.Path, nil
	}
	return got.Outcome.String(), nil
}

func TestPatterns(t *testing.T) {
	b := open(patternDifferences)
	refused := map[string]int{}
	for _, seed := range seeds {
		g := &patternGenerator{random(seed)}
		for range matchesOfEach {
			tree := plain(g.pattern(5, outsideLists))
			if g.r.IntN(4) > 0 {
				tree = plain(g.object(5, outsideLists))
			}
			object := plain(g.mold(tree))
			if ambiguous(tree, object) {
				continue
			}
			compiled, err := pattern.Compile(tree, pattern.Options{Self: []string{"request", "object"}})
			if err != nil {
				refused[err.Error()]++
				continue
			}
			b.enter(t, &pair{
				subject: "pattern", args: []any{tree, object},
				theirs: guarded(func() (any, error) { return matchTheirs(tree, object) }),
				ours:   guarded(func() (any, error) { return matchOurs(compiled, object) }),
			})
		}
	}
	b.close(t)
	for text, n := range refused {
		t.Logf("%d patterns are refused when they are loaded: %s", n, text)
	}
}

// patternDifferences is where patterns part from Kyverno 1.19's.
var patternDifferences = []difference{
	{
		when: func(p *pair) bool {
			theirs, _ := p.theirs.value.(string)
			ours, _ := p.ours.value.(string)
			return strings.HasPrefix(theirs, "fail at ") && strings.HasPrefix(ours, "fail at ") && strings.Contains(written(p.args[0]), `"?"`)
		},
		why: "Of two keys that fail the one that the pattern names first is told, also where it is a wildcard; the peer orders them by the label that the wildcard stands for. The verdict is the same.",
	},
}
