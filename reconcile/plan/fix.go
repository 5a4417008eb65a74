package plan

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/holdfast-io/holdfast/api/v1alpha1"
	"github.com/holdfast-io/holdfast/engine"
	"github.com/holdfast-io/holdfast/engine/mutate"
)

// finding is what one rule finds in one object, on its way to an Item.
type finding struct {
	decision *engine.Decision
	mode     v1alpha1.Mode
	// other is the object that the rule wants changed, if it is not the one that it judges.
	other *engine.Change
	// toRead says that nobody carries it out.
	toRead bool

	source v1alpha1.PatchSource
	// after is what the object would become; nil if nothing helps.
	after    map[string]any
	ops      []mutate.Operation
	judged   map[*engine.Rule]engine.Status // of after
	repairs  []string
	proof    v1alpha1.Proof
	obstacle *v1alpha1.Obstacle
}

// block notes an obstacle, unless there is one already: the first is the nearest.
func (f *finding) block(reason v1alpha1.ObstacleReason, message string, with ...string) {
	if f.obstacle == nil {
		f.obstacle = &v1alpha1.Obstacle{Reason: reason, Message: cut(message, v1alpha1.MaxMessageBytes), With: limited(with, 16, 512)}
	}
}

// candidate is what an object could become.
type candidate struct {
	after map[string]any
	ops   []mutate.Operation
	size  int
}

// fix finds the smallest change that repairs the finding and breaks nothing.
func (o *planning) fix(f *finding) error {
	if f.other != nil {
		f.source, f.after, f.ops = v1alpha1.SourceGenerate, f.other.Object, f.other.Patch
		if f.decision.Rule.Kind == engine.Mutate {
			f.source = v1alpha1.SourceMutate
		}
		return nil // it is not the object that the bundle has judged
	}
	candidates, err := o.candidates(f)
	if err != nil {
		return err
	}
	for i := range candidates {
		proved, err := o.prove(f, &candidates[i])
		if err != nil {
			return err
		}
		if proved {
			f.obstacle = nil
			return nil
		}
	}
	if len(candidates) == 0 {
		f.block(v1alpha1.NoFix, "nothing is known that repairs it: the rule's pattern has no constant for what is wrong, and no policy is named by "+v1alpha1.AnnotationRemediateWith)
	}
	return nil
}

// candidates lists what might repair the finding, the smallest first.
func (o *planning) candidates(f *finding) ([]candidate, error) {
	req := o.request(o.subject.Object)
	r := f.decision.Rule
	var objects []map[string]any
	switch remedy := r.Policy.Annotations[v1alpha1.AnnotationRemediateWith]; {
	case r.Kind == engine.Mutate:
		f.source = v1alpha1.SourceMutate
		after, err := mutate.ApplyPatch(o.subject.Object, f.decision.Patch)
		if err != nil {
			return nil, fmt.Errorf("applying the patch of %s: %w", name(r), err)
		}
		objects = append(objects, after)
	case remedy != "":
		f.source = v1alpha1.SourceRemediateWith
		rules := o.remedy(remedy)
		if len(rules) == 0 {
			f.block(v1alpha1.NoFix, fmt.Sprintf("no mutate rule %q is in force, which %s names", remedy, v1alpha1.AnnotationRemediateWith))
			return nil, nil
		}
		made, err := o.opts.Snapshot.Remedy(o.ctx, req, o.opts.Inputs, rules)
		if err != nil {
			return nil, fmt.Errorf("applying %s: %w", remedy, err)
		}
		if len(made.Patch) == 0 {
			f.block(v1alpha1.NoFix, fmt.Sprintf("%s, which %s names, changes nothing here", remedy, v1alpha1.AnnotationRemediateWith))
			return nil, nil
		}
		objects = append(objects, made.Object)
	default:
		f.source = v1alpha1.SourcePattern
		objects = o.opts.Snapshot.Fixes(o.ctx, req, o.opts.Inputs, r)
	}
	out := make([]candidate, 0, len(objects))
	for _, after := range objects {
		ops, err := mutate.Diff(o.subject.Object, after)
		if err != nil {
			return nil, fmt.Errorf("computing the patch of %s: %w", name(r), err)
		}
		raw, err := json.Marshal(ops)
		if err != nil {
			return nil, fmt.Errorf("writing the patch of %s: %w", name(r), err)
		}
		if len(ops) > 0 {
			out = append(out, candidate{after, ops, len(raw)})
		}
	}
	// Among equals the likeliest stays first.
	slices.SortStableFunc(out, func(a, b candidate) int { return cmp.Compare(len(a.ops), len(b.ops)) })
	return out, nil
}

// remedy finds the mutate rules that an annotation names: NAME, NAMESPACE/NAME, and /RULE behind.
func (o *planning) remedy(named string) []*engine.Rule {
	var out []*engine.Rule
	for _, p := range o.opts.Snapshot.Policies() {
		rule, one := strings.CutPrefix(named, p.Key()+"/")
		if named != p.Key() && !one {
			continue
		}
		for _, r := range p.Rules {
			if r.Kind == engine.Mutate && !r.ChangesOthers() && (!one || AuthorsRule(r) == rule) {
				out = append(out, r)
			}
		}
	}
	return out
}

// prove judges the changed object by the whole bundle. It takes the candidate if it repairs the finding, and notes an
// obstacle unless it breaks nothing.
func (o *planning) prove(f *finding, c *candidate) (bool, error) {
	found, err := o.judge(c.after)
	if err != nil {
		return false, err
	}
	r := f.decision.Rule
	judged := statuses(found)
	if !repaired(f.source, judged, r) {
		if f.after == nil {
			f.block(v1alpha1.NoFix, "what is known does not repair it: the rule fails on the changed object too")
		}
		return false, nil
	}
	f.after, f.ops, f.judged = c.after, c.ops, judged
	f.proof.Evaluated = true
	broken := o.broken(found)
	if len(broken) == 0 {
		return true, nil
	}
	f.obstacle = nil // nearer than that another candidate repaired nothing
	f.block(v1alpha1.Conflict, fmt.Sprintf("what %s wants makes %s fail: they pull in opposite ways", name(r), strings.Join(broken, ", ")), broken...)
	return false, nil
}

// statuses are the verdicts by rule.
func statuses(m engine.Mutation) map[*engine.Rule]engine.Status {
	out := make(map[*engine.Rule]engine.Status, len(m.Decisions))
	for i := range m.Decisions {
		out[m.Decisions[i].Rule] = m.Decisions[i].Status
	}
	return out
}

// repaired reports whether the rule is content. One whose pattern was met passes; a mutation may also leave the rule with
// nothing more to say, because its preconditions were for what is gone.
func repaired(source v1alpha1.PatchSource, judged map[*engine.Rule]engine.Status, r *engine.Rule) bool {
	status, ok := judged[r]
	return ok && (status == engine.Pass || (status == engine.Skip && source != v1alpha1.SourcePattern))
}

// broken lists the rules that fail now and did not before.
func (o *planning) broken(found engine.Mutation) []string {
	var out []string
	for i := range found.Decisions {
		if d := &found.Decisions[i]; fails(d) && !o.failing[d.Rule] {
			out = append(out, name(d.Rule))
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// clearedBy finds the planned change that repairs this finding too.
func clearedBy(planned []*finding, f *finding) *finding {
	if f.other != nil {
		return nil
	}
	for _, p := range planned {
		if p.after != nil && p.other == nil && p.obstacle == nil && p.judged[f.decision.Rule] == engine.Pass && has(p.judged, f.decision.Rule) {
			return p
		}
	}
	return nil
}

func has[K comparable, V any](m map[K]V, k K) bool {
	_, ok := m[k]
	return ok
}

// AuthorsRule is the name that the rule's author gave it: that of the rule which a rule for pod controllers was made from.
func AuthorsRule(r *engine.Rule) string {
	if !r.Autogenerated {
		return r.Name
	}
	best := ""
	for _, own := range r.Policy.Rules {
		if !own.Autogenerated && own.Kind == r.Kind && strings.HasSuffix(r.Name, own.Name) && len(own.Name) > len(best) {
			best = own.Name
		}
	}
	return best
}
