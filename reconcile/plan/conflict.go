package plan

import (
	"fmt"
	"strings"

	"github.com/holdfast-io/holdfast/api/v1alpha1"
)

// conflicts finds changes of one object that cannot both be had: made one after the other, the second takes the first
// back. Neither is then carried out, and each names the other. Changes in different places are not looked into: the
// proof of each says that it breaks no rule that holds, and they do not meet.
func (o *planning) conflicts(findings []*finding) error {
	for i, a := range findings {
		for _, b := range findings[:i] {
			if a.other != nil || b.other != nil || a.after == nil || b.after == nil || !meet(a, b) {
				continue
			}
			both, err := o.opposed(a, b)
			if err != nil {
				return err
			}
			if !both {
				continue
			}
			for _, pair := range [][2]*finding{{a, b}, {b, a}} {
				one, other := pair[0], name(pair[1].decision.Rule)
				if one.obstacle == nil || one.obstacle.Reason != v1alpha1.Conflict {
					one.obstacle = nil
					one.block(v1alpha1.Conflict, fmt.Sprintf("%s and %s want the opposite of the same field: mend one of the policies", name(one.decision.Rule), other), other)
				} else if len(one.obstacle.With) < 16 {
					one.obstacle.With = append(one.obstacle.With, other)
				}
			}
		}
	}
	return nil
}

// meet reports whether two changes are about the same place, or one about a part of the other's.
func meet(a, b *finding) bool {
	for i := range a.ops {
		for j := range b.ops {
			x, y := a.ops[i].Path+"/", b.ops[j].Path+"/"
			if strings.HasPrefix(x, y) || strings.HasPrefix(y, x) {
				return true
			}
		}
	}
	return false
}

// opposed makes one change, plans anew for the other on what has become of the object, and sees whether the first rule
// fails again; and so the other way about.
func (o *planning) opposed(a, b *finding) (bool, error) {
	for _, pair := range [][2]*finding{{a, b}, {b, a}} {
		first, second := pair[0], pair[1]
		if repaired(second.source, first.judged, second.decision.Rule) {
			return false, nil // the first change is enough for both
		}
		next := &planning{Planner: o.Planner, ctx: o.ctx, subject: o.subject}
		next.subject.Object = first.after
		found, err := next.judge(first.after)
		if err != nil {
			return false, err
		}
		next.failing = failing(found)
		again := &finding{mode: second.mode}
		for i := range found.Decisions {
			if found.Decisions[i].Rule == second.decision.Rule {
				again.decision = &found.Decisions[i]
			}
		}
		if again.decision == nil {
			return false, nil
		}
		if err := next.fix(again); err != nil {
			return false, err
		}
		if again.after != nil && !repaired(first.source, again.judged, first.decision.Rule) {
			return true, nil
		}
	}
	return false, nil
}
