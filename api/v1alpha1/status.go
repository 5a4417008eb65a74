package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Phase is where a Remediation stands.
// +kubebuilder:validation:MaxLength=32
type Phase string

// The phases. Until it runs, a Remediation is Proposed, AwaitingApproval or Approved; it ends as one of those from Succeeded
// on, or as Superseded at any time.
const (
	// PhaseProposed: it is there to be read. The mode is not one that does more.
	PhaseProposed Phase = "Proposed"
	// PhaseBlocked: every target has an obstacle.
	PhaseBlocked Phase = "Blocked"
	// PhaseConflict: every target has an obstacle, and one of them is another rule that wants the opposite.
	PhaseConflict Phase = "Conflict"
	// PhaseAwaitingApproval: somebody has to decide.
	PhaseAwaitingApproval Phase = "AwaitingApproval"
	// PhaseApproved: it will be carried out when the gates let it pass.
	PhaseApproved    Phase = "Approved"
	PhaseRunning     Phase = "Running"
	PhasePaused      Phase = "Paused"
	PhaseRollingBack Phase = "RollingBack"

	PhaseSucceeded  Phase = "Succeeded"
	PhaseFailed     Phase = "Failed"
	PhaseRolledBack Phase = "RolledBack"
	PhaseRejected   Phase = "Rejected"
	// PhaseExpired: the approval was not used in time.
	PhaseExpired Phase = "Expired"
	// PhaseSuperseded: the world has changed, and this plan no longer fits.
	PhaseSuperseded Phase = "Superseded"
)

// Acting reports whether targets are being changed, so that the plan is not to be replaced.
func (p Phase) Acting() bool { return p == PhaseRunning || p == PhasePaused || p == PhaseRollingBack }

// Ended reports whether nothing more will become of it by itself. What succeeded or failed can still be rolled back.
func (p Phase) Ended() bool {
	switch p {
	case PhaseSucceeded, PhaseFailed, PhaseRolledBack, PhaseRejected, PhaseExpired, PhaseSuperseded:
		return true
	default:
		return false
	}
}

// The types of conditions.
const (
	// ConditionPlanned: the plan fits the world. Its reason and message say why not, when it was superseded.
	ConditionPlanned = "Planned"
	// ConditionApproved: an approval that counts is there.
	ConditionApproved = "Approved"
	// ConditionApplied: every target without an obstacle has been changed.
	ConditionApplied = "Applied"
)

// RemediationStatus is what became of a Remediation. Holdfast writes it.
type RemediationStatus struct {
	Phase Phase `json:"phase,omitempty"`
	// Message says in a sentence why the phase is what it is.
	// +kubebuilder:validation:MaxLength=512
	Message string `json:"message,omitempty"`
	// Mode is how far it goes: what the policy says, narrowed by its targets' namespaces and by the option.
	Mode Mode `json:"mode,omitempty"`
	// ObservedGeneration is the generation of the spec that this status is about.
	ObservedGeneration int64        `json:"observedGeneration,omitempty"`
	Targets            TargetCounts `json:"targets,omitempty"`
	// SupersededBy are the names of those that took its place; none if nothing is left to be done.
	// +kubebuilder:validation:MaxItems=16
	// +listType=atomic
	SupersededBy []string `json:"supersededBy,omitempty"`
	// Results say what became of each target that was begun, in the order of the plan.
	// +kubebuilder:validation:MaxItems=200
	// +listType=atomic
	Results []TargetResult `json:"results,omitempty"`
	// Started is when the first target was begun, Ended when it came to its end.
	Started *metav1.Time `json:"started,omitempty"`
	Ended   *metav1.Time `json:"ended,omitempty"`
	// Gates are those that stand in the way now, in their order; none if all let it pass.
	// +kubebuilder:validation:MaxItems=32
	// +listType=atomic
	Gates []GateStatus `json:"gates,omitempty"`
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// TargetCounts count the targets.
type TargetCounts struct {
	Total   int32 `json:"total"`
	Blocked int32 `json:"blocked"`
	Done    int32 `json:"done"`
	Failed  int32 `json:"failed"`
}

// GateStatus is a gate that stands in the way of some targets, or of all.
type GateStatus struct {
	// Gate is its name.
	// +required
	// +kubebuilder:validation:MaxLength=64
	Gate string `json:"gate"`
	// Reason is a word for why it stops.
	// +kubebuilder:validation:MaxLength=64
	Reason string `json:"reason,omitempty"`
	// Message says of the first target that it stops why.
	// +kubebuilder:validation:MaxLength=512
	Message string `json:"message,omitempty"`
	// Targets is how many it stops.
	Targets int32 `json:"targets,omitempty"`
	// Until is when it is worth looking again, where that is known.
	Until *metav1.Time `json:"until,omitempty"`
}

// TargetState is what became of a target.
// +kubebuilder:validation:MaxLength=32
type TargetState string

// The states of a target. One that is not among the results waits.
const (
	// TargetApplying: the change is being written, or was when the writer ended.
	TargetApplying TargetState = "Applying"
	// TargetVerifying: the change is written, and its health and its finding are awaited.
	TargetVerifying TargetState = "Verifying"
	// TargetWaiting: writing it came to nothing, and is tried again.
	TargetWaiting   TargetState = "Waiting"
	TargetSucceeded TargetState = "Succeeded"
	// TargetFailed: the change was refused or, where there is a ResourceVersionAfter, is there and has not done any good.
	TargetFailed  TargetState = "Failed"
	TargetSkipped TargetState = "Skipped"
	// TargetRollingBack: the change back is being written, or was when the writer ended.
	TargetRollingBack TargetState = "RollingBack"
	TargetRolledBack  TargetState = "RolledBack"
	// TargetKept: it was to be changed back, and was left as it is because others have changed it since.
	TargetKept TargetState = "Kept"
)

// TargetResult is what became of one target.
type TargetResult struct {
	// Index of the target in the plan.
	Index int32       `json:"index"`
	State TargetState `json:"state"`
	// +kubebuilder:validation:MaxLength=512
	Message string `json:"message,omitempty"`
	// ResourceVersionBefore and After the change.
	// +kubebuilder:validation:MaxLength=64
	ResourceVersionBefore string `json:"resourceVersionBefore,omitempty"`
	// +kubebuilder:validation:MaxLength=64
	ResourceVersionAfter string `json:"resourceVersionAfter,omitempty"`
	// After stands for what the change made of the places that it changed: sha256 in hex. As long as they are so, nobody has
	// changed them since, and the change can be taken back.
	// +kubebuilder:validation:MaxLength=64
	After string `json:"after,omitempty"`
	// Attempts is how often it was tried.
	Attempts int32 `json:"attempts,omitempty"`
	// Intents is how often it was about to be written, there or back: the number names the write in the ledger.
	Intents int32 `json:"intents,omitempty"`
	// Applied is when the change was written last; none if it never was. Budgets count it.
	Applied *metav1.Time `json:"applied,omitempty"`
	// Time is when the target came to this state. What is remembered of failures and successes goes by it.
	Time *metav1.Time `json:"time,omitempty"`
}
