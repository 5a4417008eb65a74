package engine

import (
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/holdfast-io/holdfast/engine/mutate"
)

// Status is the outcome of one rule on one object, in PolicyReport's words.
type Status uint8

// The outcomes. Warn is a failure of a policy that is not scored.
const (
	Pass Status = iota
	Fail
	Warn
	Error
	Skip
)

func (s Status) String() string {
	switch s {
	case Pass:
		return "pass"
	case Fail:
		return "fail"
	case Warn:
		return "warn"
	case Error:
		return "error"
	default:
		return "skip"
	}
}

// Action is what a failed validation means for a write.
type Action uint8

// Audit lets the write pass and reports it; Enforce denies it.
const (
	Audit Action = iota
	Enforce
)

func (a Action) String() string {
	if a == Enforce {
		return "Enforce"
	}
	return "Audit"
}

// Decision is the verdict of one rule on one object. A denial is a Decision with status Fail and
// action Enforce; an error is one that could not be evaluated.
type Decision struct {
	Policy *Policy
	Rule   *Rule
	Status Status
	// Action says what a Fail means. Of an Error of an API server's own policy it says whether failurePolicy Fail would
	// refuse the write.
	Action Action
	// Message is for the person who reads the denial or the report.
	Message string
	// Path is where in the object a pattern failed, like /spec/containers/0/image/. May be empty.
	Path string
	// Err is the cause of an Error, or of a Skip because the object is not auditable by this rule or a foreach
	// has no element.
	Err error
	// Patch brings the object to what a mutate rule wants; set on a failed mutate rule of an audit.
	Patch []mutate.Operation
	// Exceptions name the PolicyExceptions that excuse the object, as namespace/name.
	Exceptions []string
	// Properties are added to the report result beside the rule's own.
	Properties map[string]string
	// Annotations are for the audit log of the request, as the rule's auditAnnotations give them.
	Annotations map[string]string
	// Changes are what a rule wants of other objects than the one it judges: targets of a mutate rule,
	// downstream objects of a generate rule.
	Changes []Change
	// Keeps stands for the names of what a GeneratingPolicy keeps for the object. Where it is another than before, some of
	// it may be wanted no more.
	Keeps string
}

// ChangeAction is what is to be done with an object.
type ChangeAction string

// The actions of a change.
const (
	CreateObject ChangeAction = "create"
	UpdateObject ChangeAction = "update"
	DeleteObject ChangeAction = "delete"
)

// Change is what a rule wants of an object other than the one it judges.
type Change struct {
	Action    ChangeAction
	Kind      schema.GroupVersionKind
	Namespace string // empty for cluster-scoped objects
	Name      string
	// Object is the object as it is wanted, nil to delete it; Current as it is, nil if there is none. Neither is
	// to be changed.
	Object, Current map[string]any
	// Patch leads from Current to Object, of an update.
	Patch []mutate.Operation
	// ServerSideApply says that Object holds only the fields that the rule sets, for server-side apply.
	ServerSideApply bool
	// Synchronize says, of what a rule generates, that the rule keeps it: it is made again when somebody deletes
	// it. Without, it is made when its trigger is written, and a later deletion stands.
	Synchronize bool
	// Existing says that the rule is for objects too which were there before its policy (generateExisting,
	// mutateExistingOnPolicyUpdate).
	Existing bool
}

// Denies reports whether the decision stops a write. A policy that is not scored counts less in reports;
// what it enforces is enforced.
func (d *Decision) Denies() bool {
	return (d.Status == Fail || d.Status == Warn) && d.Action == Enforce
}

// Mutation is the outcome of the mutate rules on one object.
type Mutation struct {
	// Object is the object as the rules want it: the very map of the request when nothing changes.
	Object map[string]any
	// Patch leads from the request's object to Object; empty when nothing changes.
	Patch     []mutate.Operation
	Decisions []Decision
	// Dependencies are what else the decisions of an audit rest on. Unwatched says that some rest on what
	// cannot be watched: the answer of a call, a registry's, or the time.
	Dependencies []Dependency
	Unwatched    bool
	// Due is the last moment at which decisions of an audit that rest on the time are known to stand: the end of an
	// exception, or of an object's time to live, or the next run of a schedule. Zero if there is none. Clock says that a
	// rule has read the clock: when it will decide otherwise, nobody can tell.
	Due   time.Time
	Clock bool
}
