package bundle

import (
	"fmt"
	"slices"
	"strings"

	"github.com/holdfast-io/holdfast/api/bounds"
	"github.com/holdfast-io/holdfast/api/v1alpha1"
	"github.com/holdfast-io/holdfast/bundle/manifest"
	"github.com/holdfast-io/holdfast/engine"
)

// checkReconcile reads what a policy says of reconciling what it finds. A mode with a slip would else be taken for the least
// one, and nothing would be mended that was meant to be.
func checkReconcile(d *manifest.Document) []engine.Problem {
	meta, _ := d.Object["metadata"].(map[string]any)
	annotations, _ := meta["annotations"].(map[string]any)
	var problems []engine.Problem
	check := func(key string, wrong func(string) error) {
		value, ok := annotations[key].(string)
		if !ok {
			return
		}
		if err := wrong(value); err != nil {
			problems = append(problems, engine.Problem{Path: []any{"metadata", "annotations", key}, Message: err.Error()})
		}
	}
	check(v1alpha1.AnnotationReconcile, func(value string) error {
		_, err := v1alpha1.ParseMode(value)
		return err
	})
	check(v1alpha1.AnnotationManaged, func(value string) error {
		if value != "propose" && value != "patch" {
			return fmt.Errorf("unknown value %q: expected propose or patch", value)
		}
		return nil
	})
	check(v1alpha1.AnnotationWindows, reads(bounds.ParseWindows))
	check(v1alpha1.AnnotationLimits, reads(bounds.ParseLimits))
	check(v1alpha1.AnnotationStrategy, reads(bounds.ParseStrategy))
	check(v1alpha1.AnnotationAfter, reads(bounds.ParseNames))
	return problems
}

// reads makes of a parser what says only what is wrong.
func reads[T any](parse func(string) (T, error)) func(string) error {
	return func(value string) error {
		_, err := parse(value)
		return err
	}
}

// danglingRemedies warns of policies that name a remedy which the bundle does not hold: it may come from elsewhere.
func danglingRemedies(s *Summary) []Problem {
	var out []Problem
	for i := range s.Policies {
		l := &s.Policies[i]
		named := l.Policy.Annotations[v1alpha1.AnnotationRemediateWith]
		if named == "" || slices.ContainsFunc(s.Policies, func(other Loaded) bool { return isRemedy(other.Policy, named) }) {
			continue
		}
		path := []any{"metadata", "annotations", v1alpha1.AnnotationRemediateWith}
		out = append(out, l.warning(path, fmt.Sprintf("names %q, and no mutate rule of the bundle is that", named)))
	}
	return out
}

// isRemedy reports whether a policy has a mutate rule that goes by that name: NAME, NAMESPACE/NAME, and /RULE behind.
func isRemedy(p *engine.Policy, named string) bool {
	rule, one := strings.CutPrefix(named, p.Key()+"/")
	return (one || named == p.Key()) && slices.ContainsFunc(p.Rules, func(r *engine.Rule) bool {
		return r.Kind == engine.Mutate && !r.ChangesOthers() && (!one || r.Name == rule)
	})
}
