package audit

import (
	"slices"
	"strings"
	"time"

	"github.com/holdfast-io/holdfast/engine"
)

// Slip is how a write got past admission, although a rule is against what it brought.
type Slip string

// How writes get past admission.
const (
	// SlipPolicyNewer: the object was as it is before the policy was.
	SlipPolicyNewer Slip = "policy-newer"
	// SlipNotRegistered: it was as it is before the API server was told of the webhook.
	SlipNotRegistered Slip = "before-webhook"
	// SlipNotEnforced: the rule only warns, or its policy takes no part in admission.
	SlipNotEnforced Slip = "not-enforced"
	// SlipNotEvaluated: the rule ended in an error at admission, and its failurePolicy let the write pass.
	SlipNotEvaluated Slip = "not-evaluated"
	// SlipException: an exception that excused the object has expired or is gone.
	SlipException Slip = "exception-ended"
	// SlipStatus: it is in the status, which its writers do not ask admission about.
	SlipStatus Slip = "status-writer"
	// SlipOperation: the rule is not for the operation that brought it.
	SlipOperation Slip = "other-operation"
	// SlipSurroundings: the object is as it was; what the rule looks up, or the time, has changed.
	SlipSurroundings Slip = "surroundings-changed"
	// SlipElsewhere: what is wrong is another object than the one that the rule matches.
	SlipElsewhere Slip = "other-object"
	// SlipNotAsked: admission was not asked about the write: the webhook was away, or the user, the namespace or the
	// object is left out.
	SlipNotAsked Slip = "not-asked"
	// SlipUnknown: nothing tells, because the write is older than what admission remembers.
	SlipUnknown Slip = "unknown"
)

func (s Slip) String() string { return string(s) }

// evidence is what is known when an object is seen to fail a rule that it was not seen to fail before.
type evidence struct {
	decision *engine.Decision
	// past is what was known of the object; nil for the first look at it. unchanged says that it is as it was then, rules
	// and all.
	past      *past
	unchanged bool
	// policySince is when the policy came to be as it is; zero if that was before anybody can tell.
	policySince time.Time
	// write is the one that owns what fails, as far as managedFields tell; admitted is what admission says of it.
	write      Write
	admitted   *Admitted
	complete   bool
	registered time.Time
}

// slip finds out how it came to that. What is certain comes before what is likely.
func (e *evidence) slip() Slip {
	d := e.decision
	switch {
	case strings.HasPrefix(d.Path, "/status/") || e.write.Subresource == "status":
		return SlipStatus
	case len(d.Changes) > 0 && len(d.Patch) == 0:
		return SlipElsewhere
	case e.past.excuses(d.Rule.ID()):
		return SlipException
	case e.unchanged:
		return SlipSurroundings
	}
	if e.admitted != nil {
		if s := e.passed(); s != "" {
			return s
		}
	}
	switch {
	case e.older(e.policySince):
		return SlipPolicyNewer
	case !d.Policy.Admission || d.Rule.Kind == engine.Validate && d.Action != engine.Enforce:
		return SlipNotEnforced
	case e.write.Operation != "" && !slices.Contains(d.Rule.Operations(), e.write.Operation):
		return SlipOperation
	case e.older(e.registered):
		return SlipNotRegistered
	case e.admitted == nil && e.complete:
		return SlipNotAsked
	default:
		return SlipUnknown
	}
}

// passed tells by what admission remembers of the write.
func (e *evidence) passed() Slip {
	id := e.decision.Rule.ID()
	switch {
	case slices.Contains(e.admitted.NotEnforced, id):
		return SlipNotEnforced
	case slices.Contains(e.admitted.NotEvaluated, id):
		return SlipNotEvaluated
	case slices.Contains(e.admitted.Excepted, id):
		return SlipException
	default:
		return ""
	}
}

// older reports whether the write is known to have come before then. Field managers have their times cut to the second.
func (e *evidence) older(then time.Time) bool {
	return !e.write.Time.IsZero() && !then.IsZero() && e.write.Time.Before(then.Truncate(time.Second))
}

// contradicts reports whether the write that admission remembers cannot be the one: its rule was asked about it, enforced,
// and had nothing to say. Then somebody wrote after it without leaving a trace.
func (e *evidence) contradicts(rests bool) bool {
	d := e.decision
	return e.admitted != nil && !rests && !e.unchanged && e.passed() == "" && !e.older(e.policySince) &&
		d.Policy.Admission && d.Action == engine.Enforce && d.Rule.Kind == engine.Validate &&
		slices.Contains(d.Rule.Operations(), e.admitted.Operation)
}
