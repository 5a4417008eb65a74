package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Remediation is what would be done to bring objects back to what one rule wants: proposed by Holdfast, approved by
// people, carried out and undone by Holdfast. What is proposed cannot be changed: when the world changes, another
// Remediation takes its place and this one is superseded.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:scope=Cluster,shortName=rem,categories=holdfast
// +kubebuilder:subresource:status
// +kubebuilder:selectablefield:JSONPath=`.spec.plan.policy.name`
// +kubebuilder:selectablefield:JSONPath=`.spec.plan.policy.rule`
// +kubebuilder:selectablefield:JSONPath=`.status.phase`
// +kubebuilder:printcolumn:name="Policy",type=string,JSONPath=`.spec.plan.policy.name`
// +kubebuilder:printcolumn:name="Rule",type=string,JSONPath=`.spec.plan.policy.rule`
// +kubebuilder:printcolumn:name="Targets",type=integer,JSONPath=`.status.targets.total`
// +kubebuilder:printcolumn:name="Blocked",type=integer,JSONPath=`.status.targets.blocked`
// +kubebuilder:printcolumn:name="Risk",type=string,JSONPath=`.spec.plan.risk.level`
// +kubebuilder:printcolumn:name="Mode",type=string,JSONPath=`.status.mode`
// +kubebuilder:printcolumn:name="Phase",type=string,JSONPath=`.status.phase`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Rationale",type=string,priority=1,JSONPath=`.spec.plan.rationale`
// +kubebuilder:printcolumn:name="Approver",type=string,priority=1,JSONPath=`.spec.approval.approver`
type Remediation struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// +required
	Spec   RemediationSpec   `json:"spec"`
	Status RemediationStatus `json:"status,omitempty"`
}

// RemediationList is a list of Remediations.
// +kubebuilder:object:root=true
type RemediationList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	Items []Remediation `json:"items"`
}

// RemediationSpec is the plan, which stays as it was proposed, and what people ask for. Plan is a field of its own so that
// one rule keeps it and one digest names it.
type RemediationSpec struct {
	// Plan is what would be done. It cannot be changed.
	// +required
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="a plan stays as it was proposed: when it no longer fits, Holdfast proposes another"
	Plan Plan `json:"plan"`
	// PlanDigest names the plan: sha256 in hex, over what is to be done.
	// +required
	// +kubebuilder:validation:Pattern=`^[0-9a-f]{64}$`
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="a plan stays as it was proposed, and its digest with it"
	PlanDigest string `json:"planDigest"`
	// Approval is what somebody decided about the plan.
	Approval *Approval `json:"approval,omitempty"`
	// Paused stops between two targets; nothing further is done until it is false again.
	Paused bool `json:"paused,omitempty"`
	// PausedBy is who paused it, or let it go on, last. Holdfast's webhook writes it.
	PausedBy *Asked `json:"pausedBy,omitempty"`
	// Rollback asks for what was done to be undone.
	Rollback *Rollback `json:"rollback,omitempty"`
}

// Approval is a decision about a plan. Holdfast's webhook writes who decided and when, from the request.
type Approval struct {
	// PlanDigest is the digest of the plan that was decided about.
	// +required
	// +kubebuilder:validation:MaxLength=64
	PlanDigest string `json:"planDigest"`
	// +required
	Decision ApprovalDecision `json:"decision"`
	// Reason is for those who read it later.
	// +kubebuilder:validation:MaxLength=1024
	Reason string `json:"reason,omitempty"`
	// Approver is the user of the request that decided.
	// +kubebuilder:validation:MaxLength=1024
	Approver string `json:"approver,omitempty"`
	// Groups are those of the user.
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MaxLength=256
	Groups []string `json:"groups,omitempty"`
	// Time is when it was decided.
	Time *metav1.Time `json:"time,omitempty"`
	// Expires is until when the approval counts.
	Expires *metav1.Time `json:"expires,omitempty"`
	// Stamp is the webhook's proof that the fields above are its own.
	// +kubebuilder:validation:MaxLength=256
	Stamp string `json:"stamp,omitempty"`
}

// ApprovalDecision is yes or no.
// +kubebuilder:validation:Enum=Approve;Reject
type ApprovalDecision string

// The decisions.
const (
	DecisionApprove ApprovalDecision = "Approve"
	DecisionReject  ApprovalDecision = "Reject"
)

// Rollback asks for what was done to be undone.
type Rollback struct {
	// Targets are the UIDs of the objects; none means all.
	// +kubebuilder:validation:MaxItems=200
	// +kubebuilder:validation:items:MaxLength=64
	Targets []string `json:"targets,omitempty"`
	// Reason is for those who read it later.
	// +kubebuilder:validation:MaxLength=1024
	Reason string `json:"reason,omitempty"`
	// AskedBy is who asked. Holdfast's webhook writes it, and nothing is undone without.
	AskedBy *Asked `json:"askedBy,omitempty"`
}

// Asked is who asked for something, and when, from the request that did. Holdfast's webhook writes it.
type Asked struct {
	// User of the request.
	// +kubebuilder:validation:MaxLength=1024
	User string `json:"user,omitempty"`
	// Time of the request.
	Time *metav1.Time `json:"time,omitempty"`
	// Stamp is the webhook's proof that the fields above are its own.
	// +kubebuilder:validation:MaxLength=256
	Stamp string `json:"stamp,omitempty"`
}
