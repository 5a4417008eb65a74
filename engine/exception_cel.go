package engine

import (
	"errors"
	"slices"
	"time"

	"github.com/holdfast-io/holdfast/engine/cel"
)

// celExcuse is what an exception of policies.kyverno.io says beside the policies that it names.
type celExcuse struct {
	conditions *celConditions // nil: it is about every object
	// fact is the first fact of a request that the conditions read, and atRest are those of them that read none.
	fact   string
	atRest *celConditions
	// allowed is for the expressions of the policies. With any of it the objects are judged all the same; without, they
	// are excused as a whole.
	allowed  cel.Exceptions
	until    time.Time // the zero time: for ever
	mode     evaluationMode
	passes   bool // what is excused is reported as passed, not as skipped
	priority int  // of several exceptions, those of the highest say how it is reported
}

// isFor reports whether the exception is for policies that are evaluated in this way.
func (x *celExcuse) isFor(p *Policy) bool {
	return x.mode == "" || x.mode == p.mode || (x.mode == modeKubernetes && p.mode == "")
}

// allows reports whether the objects are judged all the same, with what it allows.
func (x *celExcuse) allows() bool {
	return x != nil && (len(x.allowed.AllowedImages) > 0 || len(x.allowed.AllowedValues) > 0)
}

// Until is the time after which the exception does not count: the zero time for one that counts for ever.
func (x *Exception) Until() time.Time {
	if x.inCEL == nil {
		return time.Time{}
	}
	return x.inCEL.until
}

// expires reports whether there is a time after which the exception does not count.
func (x *Exception) expires() bool { return !x.Until().IsZero() }

// expired reports whether that time is past. The last moment still counts.
func (x *Exception) expired(e *evaluation) bool {
	return x.expires() && e.in.Now().After(x.inCEL.until)
}

// covers reports whether the object in hand meets the conditions. Where only a request could tell, it says what is
// missing: the conditions that read none of it may still rule the object out.
func (x *celExcuse) covers(e *evaluation) (verdict, string, error) {
	if x.conditions == nil {
		return yes, "", nil
	}
	conditions, known := x.conditions, yes
	if x.fact != "" && e.unasked() {
		conditions, known = x.atRest, unknown
	}
	if conditions != nil {
		met, err := e.holds(conditions)
		switch {
		case errors.Is(err, cel.ErrExpression) && conditions.reads.oldObject && e.unasked():
			return unknown, "needs oldObject", nil
		case err != nil || !met:
			return no, "", err
		}
	}
	if known == unknown {
		return unknown, "needs " + x.fact, nil
	}
	return yes, "", nil
}

// reportedAs says how an object is reported that these exceptions excuse: of those with the highest priority each must say
// pass, so that their order does not matter.
func reportedAs(by []*Exception) Status {
	priority := func(x *Exception) int {
		if x.inCEL == nil {
			return 0
		}
		return x.inCEL.priority
	}
	highest := slices.MaxFunc(by, func(a, b *Exception) int { return priority(a) - priority(b) })
	for _, x := range by {
		if priority(x) == priority(highest) && (x.inCEL == nil || !x.inCEL.passes) {
			return Skip
		}
	}
	return Pass
}
