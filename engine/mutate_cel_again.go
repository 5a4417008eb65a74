package engine

// reinvocation says whether a mutate rule is asked again when rules behind it have changed the object.
type reinvocation uint8

const (
	never reinvocation = iota
	ifNeeded
)

// reinvoke asks the rules once more that want it, if the object is no longer as it was when they were asked; one of an
// API server's own policies, as there, if any has changed it, itself included. Each is asked once more at most, in their
// order, so that two rules cannot drive one another on for ever.
func (e *evaluation) reinvoke(rules []*Rule, at func(*Policy) bool, decisions []Decision) []Decision {
	first := e.version // 0: nothing was changed
	for _, r := range rules {
		if left, asked := e.seen[r]; !asked || left == e.version && (r.bound == nil || first == 0) {
			continue
		}
		delete(e.met, r.conditions)
		for _, again := range e.each([]*Rule{r}, at, func(r *Rule) *Decision { return r.change(e) }) {
			decisions = amend(decisions, again)
		}
	}
	return decisions
}

// note remembers which version of the object a rule has left behind, if it may be asked again.
func (e *evaluation) note(r *Rule) {
	if r.mutate.reinvoke != ifNeeded {
		return
	}
	if e.seen == nil {
		e.seen = map[*Rule]int{}
	}
	e.seen[r] = e.version
}

// take remembers that a rule of an API server's own policies has mutated by a parameter, if it may be asked again: only by
// those it is. A MutatingPolicy stands behind a webhook, which is called again with all its policies.
func (e *evaluation) take(r *Rule, parameter string) {
	if r.mutate.reinvoke != ifNeeded {
		return
	}
	if e.took == nil {
		e.took = map[*Rule][]string{}
	}
	e.took[r] = append(e.took[r], parameter)
}

// parameterName names a parameter among those of one binding, which are all in one namespace or in none. That there is no
// parameter is a name too.
func parameterName(param map[string]any) string {
	name, _ := metadata(param)["name"].(string)
	return name
}

// amend puts a second decision of a rule in the place of the first, where there is more to it: a change, or an error.
func amend(decisions []Decision, again Decision) []Decision {
	for i := range decisions {
		if decisions[i].Rule != again.Rule {
			continue
		}
		if again.Status == Error || again.changes() && !decisions[i].changes() {
			decisions[i] = again
		}
		return decisions
	}
	return append(decisions, again)
}

// changes reports whether the decision of a mutate rule is that the object is to be changed.
func (d *Decision) changes() bool {
	return d.Status == Fail || d.Status == Warn || d.Status == Pass && d.Message == mutated
}
