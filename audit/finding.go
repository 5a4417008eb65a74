package audit

import (
	"context"
	"time"

	"github.com/holdfast-io/holdfast/engine"
)

// Finding is what the rules say of one object at one time.
type Finding struct {
	Object Object
	// Digest names the bundle that judged.
	Digest string
	// Result holds the decisions, and the patch to the state that the mutate rules want.
	Result engine.Mutation
	// Seen is when the auditor received the object in this state.
	Seen time.Time
	// News says that something happened to the object, or to what its verdict rests on, just now. What a sweep finds has
	// been so for some time, or is as it was.
	News bool
	// Origins say how the object came to what Result.Decisions found, one each in the same order; nil if nothing was
	// found that needs somebody. The origin of a decision that is neither Fail nor Warn is zero.
	Origins []Origin
	// Settles is when all of the finding is to be taken for drift: until then the state may be one that passes. Zero when
	// it is settled already. Each Origin has a time of its own.
	Settles time.Time
}

// Origin is how an object came to fail a rule. It is told as it was when the rule was first seen to fail, for as long as
// the rule fails.
type Origin struct {
	// First is when the rule was first seen to fail, by this auditor.
	First time.Time
	// Detected is how long that was after the drift began: after the write, or after the policy that is newer. Zero where
	// nobody watched at the time.
	Detected time.Duration
	// Write is the write that brought the object into this state.
	Write Write
	// Slip is how it got past admission; empty for what is no finding.
	Slip Slip
	// Settles is when the finding is to be taken for drift; zero when it is.
	Settles time.Time
	// JustSettled says that the finding is told as settled for the first time, and came about while this auditor watched.
	JustSettled bool
	// awaits is a generation that the object's controller had not seen. Once it has, and the rule fails still, the finding
	// is settled.
	awaits int64
}

// State says whether a finding is to be taken for drift.
type State string

// The states. A transient finding may pass by itself; a settled one has not.
const (
	Transient State = "transient"
	Settled   State = "settled"
)

// State of the finding that has this origin.
func (o *Origin) State() State {
	if o.Settles.IsZero() {
		return Settled
	}
	return Transient
}

// Write is a write of an object. What is not known is zero.
type Write struct {
	// User and Groups are those of the request, as admission saw it.
	User   string
	Groups []string
	// Manager is the field manager, from the request or from the object's managedFields.
	Manager string
	// Subresource is what was written of the object, such as status; empty for the object itself.
	Subresource string
	// Operation is Create or Update.
	Operation engine.Operation
	// Time is when: to the second where managedFields tell it.
	Time time.Time
}

// Trace is what an object tells of the write that is asked for. Times are as managedFields write them, to the second.
type Trace struct {
	UID        string
	Generation int64
	// Manager and Stamp are of the entry of managedFields that owns what is asked about; empty where none does.
	Manager, Stamp string
	// Newest is the newest time in managedFields, apart from those of status.
	Newest string
}

// Admitted is a write that admission let pass.
type Admitted struct {
	Write
	// NotEnforced, NotEvaluated and Excepted are the IDs of rules that it passed although they had something to say:
	// because their action is Audit, because they could not be evaluated, because of an exception.
	NotEnforced, NotEvaluated, Excepted []string
}

// Writes remembers the writes that admission let pass.
type Writes interface {
	// Of gives the write that left the trace, nil if it is not known. complete says that one of that time would be known
	// if admission had been asked about it. It answers soon, whatever happens.
	Of(ctx context.Context, t Trace) (w *Admitted, complete bool)
	// Registered is since when admission is asked about writes; zero when that is not known.
	Registered() time.Time
}
