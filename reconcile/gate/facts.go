package gate

import (
	"time"

	"github.com/holdfast-io/holdfast/api/v1alpha1"
)

// Facts are what is known when a change is about to be made. Those that are pointers stop where they are nil: nobody found
// out.
type Facts struct {
	Now         time.Time
	Remediation *v1alpha1.Remediation
	// Target is one of the Remediation's. Without, only the gates that are about the whole are asked.
	Target *v1alpha1.Target
	// Object is the target as it was read just now; nil if it is not there.
	Object map[string]any
	// Namespace are the annotations of the target's Namespace.
	Namespace map[string]string
	// Settings are those in effect, and Unreadable says why some could not be read (see Effective).
	Settings   Settings
	Unreadable error
	// Switch is how the kill switch stands.
	Switch *Switch
	// Mode is how far the change may go: the strictest of the policy's, its Namespace's and the option's.
	Mode v1alpha1.Mode
	// Exception is the name of the PolicyException that excuses the finding; "" for none.
	Exception string
	// Settles is until when what is wrong may pass by itself, because whoever wrote the object may not be done; zero if it
	// will not.
	Settles time.Time
	// Approval is what was decided about the plan (see package approval).
	Approval Approval
	// Share is how many of the objects that the rule matches would be changed.
	Share *Share
	// Memory is what was done before.
	Memory *Memory
}

// Switch is the kill switch.
type Switch struct {
	// Stopped: nothing is done.
	Stopped bool
	// By is who stopped it, Reason why, and Since when, as far as they said.
	By, Reason string
	Since      time.Time
}

// Share is how many of the objects that a rule matches would be changed by it.
type Share struct{ Changed, Matched int }

// Decision is what became of the question for an approval.
type Decision string

// The decisions. The zero value is none of them, and stops.
const (
	// Missing: nobody has decided.
	Missing  Decision = "Missing"
	Approved Decision = "Approved"
	Rejected Decision = "Rejected"
	// Expired: it was approved, and nobody used it in time.
	Expired Decision = "Expired"
	// OtherPlan: it was decided about another plan than this one.
	OtherPlan Decision = "OtherPlan"
	// Forged: the webhook has not written it.
	Forged Decision = "Forged"
	// Unknown: it cannot be told, because the key cannot be read.
	Unknown Decision = "Unknown"
)

// Approval is what was decided about a plan, as far as it can be proved.
type Approval struct {
	Decision Decision
	// By is the user who decided, At when.
	By string
	At time.Time
	// Message says in a sentence why it does not count.
	Message string
}

// Verdict is what a gate says.
type Verdict struct {
	// Gate is the name of the gate.
	Gate string
	// Passes: this gate does not stand in the way.
	Passes bool
	// Reason is a word for machines, and Message a sentence for people. Both are empty where it passes.
	Reason  Reason
	Message string
	// Until is when it is worth looking again, where that is known.
	Until time.Time
}

// Reason is a word for why a gate stops.
type Reason string

// The reasons.
const (
	NotKnown         Reason = "NotKnown" // a fact is missing that the gate goes by
	SwitchedOff      Reason = "SwitchedOff"
	ModeTooLow       Reason = "ModeTooLow"
	Paused           Reason = "Paused"
	Unreadable       Reason = "Unreadable"
	ApprovalMissing  Reason = "ApprovalMissing"
	ApprovalRejected Reason = "ApprovalRejected"
	ApprovalExpired  Reason = "ApprovalExpired"
	ApprovalOther    Reason = "ApprovalOfAnotherPlan"
	ApprovalForged   Reason = "ApprovalForged"
	HasObstacle      Reason = "HasObstacle"
	Gone             Reason = "Gone"
	Replaced         Reason = "Replaced"
	Deleting         Reason = "Deleting"
	Exists           Reason = "Exists"
	Held             Reason = "Held"
	Excepted         Reason = "Excepted"
	NotSettled       Reason = "NotSettled"
	NotObserved      Reason = "NotObserved"
	WindowClosed     Reason = "WindowClosed"
	ShareTooLarge    Reason = "ShareTooLarge"
	BudgetUsed       Reason = "BudgetUsed"
	AttemptsUsed     Reason = "AttemptsUsed"
	UndoneByHand     Reason = "UndoneByHand"
	Fight            Reason = "Fight"
	BreakerOpen      Reason = "BreakerOpen"
	BreakerHalfOpen  Reason = "BreakerHalfOpen"
	WaitsForAnother  Reason = "WaitsForAnother"
	Circle           Reason = "Circle"
)

func pass() Verdict { return Verdict{Passes: true} }

func stop(reason Reason, message string) Verdict {
	return Verdict{Reason: reason, Message: message}
}

func (v Verdict) until(t time.Time) Verdict {
	v.Until = t
	return v
}
