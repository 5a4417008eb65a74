package gate

import "fmt"

// window stops outside of the times in which changes are made. Every place that says times is asked: what the option denies no
// policy allows.
func window(f *Facts) Verdict {
	for _, p := range f.Settings.Windows {
		by, again, closed := p.Windows.Closed(f.Now)
		if !closed {
			continue
		}
		message := fmt.Sprintf("%s makes no changes now: %q", p.Name, by.String())
		if !again.IsZero() {
			message += ", until " + moment(again)
		}
		return stop(WindowClosed, message).until(again)
	}
	return pass()
}

// share stops a rule that would change most of what it matches: it is new, or wrong.
func share(f *Facts) Verdict {
	s := f.Share
	if s == nil {
		return stop(NotKnown, "it is not known how many objects the rule matches")
	}
	if s.Changed <= f.Settings.ShareFloor || s.Changed*100 <= f.Settings.MaxShare*s.Matched {
		return pass()
	}
	return stop(ShareTooLarge, fmt.Sprintf("it would change %d of the %d objects that the rule matches, and no more than %d%% may be", s.Changed, s.Matched, f.Settings.MaxShare))
}

// budget stops when enough was changed in the last hour.
func budget(f *Facts) Verdict {
	if f.Memory == nil {
		return stop(NotKnown, "it is not known what was done before")
	}
	b, own := &f.Settings.Budgets, f.own()
	policy := f.Memory.policy(&f.Remediation.Spec.Plan.Policy)
	for _, of := range []struct {
		what  string
		most  int
		count []write
	}{
		{"policy " + f.Remediation.Spec.Plan.Policy.Key(), b.Policy, policy.writes},
		{"Namespace " + f.Target.Namespace, b.Namespace, f.Memory.namespaces[f.Target.Namespace]},
		{"the cluster", b.Cluster, f.Memory.writes},
	} {
		if of.what == "Namespace " {
			continue // it is in none
		}
		used, first := 0, f.Now
		for _, w := range of.count {
			if w.own != own && f.Now.Sub(w.at) < budgetPeriod {
				used++
				if w.at.Before(first) {
					first = w.at
				}
			}
		}
		if used >= of.most {
			v := stop(BudgetUsed, fmt.Sprintf("the budget of %s is used up: %d of %d changes in an hour", of.what, used, of.most))
			if used > 0 {
				v.Until = first.Add(budgetPeriod)
			}
			return v
		}
	}
	return pass()
}
