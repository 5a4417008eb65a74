package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// The bounds of one Remediation. etcd takes a request of 1.5 MiB. A plan gets 900 KiB of it; its status needs up to 300 KiB:
// 200 targets of 1.5 KiB, with messages cut to 512 bytes; the rest is for what the API server itself adds.
const (
	MaxTargets   = 200
	MaxPlanBytes = 900 << 10
	// MaxPatchBytes bounds a patch, and an inverse, that is kept. A longer one is withheld and computed again when it is
	// needed: 64 KiB is longer than any patch of a fixed number of fields, and 6 of these still fit into one plan.
	MaxPatchBytes = 64 << 10
	// MaxDiffBytes bounds what people read of one target; what is longer is cut.
	MaxDiffBytes = 8 << 10
	// MaxMessageBytes bounds every sentence.
	MaxMessageBytes = 512
)

// Plan is what would be done for one rule of one policy.
type Plan struct {
	// Policy and the rule whose findings are mended.
	// +required
	Policy PolicyReference `json:"policy"`
	// BundleDigest names the bundle that the plan was proved by.
	// +kubebuilder:validation:MaxLength=64
	BundleDigest string `json:"bundleDigest,omitempty"`
	// Rationale says why, in the policy's words.
	// +kubebuilder:validation:MaxLength=512
	Rationale string `json:"rationale,omitempty"`
	// +required
	Risk Risk `json:"risk"`
	// +required
	Strategy Strategy `json:"strategy"`
	// Targets are the objects, in the order of their namespaces, kinds and names.
	// +required
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=200
	// +listType=atomic
	Targets []Target `json:"targets"`
}

// PolicyReference names a policy and one rule as its author wrote it: those that were made from it for pod controllers count
// as the same.
type PolicyReference struct {
	// +required
	// +kubebuilder:validation:MaxLength=64
	Kind string `json:"kind"`
	// +kubebuilder:validation:MaxLength=253
	Namespace string `json:"namespace,omitempty"`
	// +required
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
	// +kubebuilder:validation:MaxLength=253
	Rule string `json:"rule,omitempty"`
	// Digest of the policy's content.
	// +kubebuilder:validation:MaxLength=64
	Digest string `json:"digest,omitempty"`
}

// Key is how people call a policy: NAME, or NAMESPACE/NAME.
func (p *PolicyReference) Key() string {
	if p.Namespace == "" {
		return p.Name
	}
	return p.Namespace + "/" + p.Name
}

// RiskLevel is how much could go wrong.
// +kubebuilder:validation:Enum=low;medium;high
type RiskLevel string

// The levels.
const (
	RiskLow    RiskLevel = "low"
	RiskMedium RiskLevel = "medium"
	RiskHigh   RiskLevel = "high"
)

// Risk is how much could go wrong, and why.
type Risk struct {
	// +required
	Level RiskLevel `json:"level"`
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MaxLength=256
	// +listType=atomic
	Reasons []string `json:"reasons,omitempty"`
}

// Strategy is in which steps a plan is carried out: some targets first, then the others in waves, each only if the one
// before went well.
type Strategy struct {
	// Canary is how many targets come first, alone.
	// +kubebuilder:validation:Minimum=0
	Canary int32 `json:"canary"`
	// Wave is how many targets come at a time after that: a number, or a share of all in per cent.
	// +kubebuilder:validation:XIntOrString
	// +kubebuilder:validation:MaxLength=16
	Wave intstr.IntOrString `json:"wave"`
	// MaxFailures is how many targets may fail before all stops: a number, or a share of all in per cent.
	// +kubebuilder:validation:XIntOrString
	// +kubebuilder:validation:MaxLength=16
	MaxFailures intstr.IntOrString `json:"maxFailures"`
	// Pause is the time between two waves.
	Pause metav1.Duration `json:"pause"`
	// HealthTimeout is how long a target may take to be healthy after its change.
	HealthTimeout metav1.Duration `json:"healthTimeout"`
}

// Action is what is done with a target.
// +kubebuilder:validation:Enum=Patch;Create;Delete
type Action string

// The actions.
const (
	ActionPatch  Action = "Patch"
	ActionCreate Action = "Create"
	ActionDelete Action = "Delete"
)

// Target is one object and what would be done with it.
type Target struct {
	// +required
	// +kubebuilder:validation:MaxLength=253
	APIVersion string `json:"apiVersion"`
	// +required
	// +kubebuilder:validation:MaxLength=64
	Kind string `json:"kind"`
	// +kubebuilder:validation:MaxLength=253
	Namespace string `json:"namespace,omitempty"`
	// +required
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
	// UID of the object; none where it is to be created.
	// +kubebuilder:validation:MaxLength=64
	UID string `json:"uid,omitempty"`
	// Generation and ResourceVersion are those that the plan was made on.
	Generation int64 `json:"generation,omitempty"`
	// +kubebuilder:validation:MaxLength=64
	ResourceVersion string `json:"resourceVersion,omitempty"`
	// Rule is the very rule that failed, with the name that it has for this kind.
	// +kubebuilder:validation:MaxLength=253
	Rule string `json:"rule,omitempty"`
	// Repairs are further findings that the same change clears, as POLICY/RULE.
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MaxLength=512
	// +listType=atomic
	Repairs []string `json:"repairs,omitempty"`

	// +required
	Action Action `json:"action"`
	// Patch is a JSON Patch (RFC 6902) as text; of an object that is to be created it adds the whole at the path "". Empty
	// when it is withheld, or when there is none because of the obstacle.
	// +kubebuilder:validation:MaxLength=65536
	Patch string `json:"patch,omitempty"`
	// Inverse leads back.
	// +kubebuilder:validation:MaxLength=65536
	Inverse string `json:"inverse,omitempty"`
	// Withheld says why the patch is not here: it is computed again when it is carried out, on this resourceVersion alone.
	Withheld Withheld `json:"withheld,omitempty"`
	// Diff is for people: a line for each field, without values of Secrets.
	// +kubebuilder:validation:MaxLength=8192
	Diff string `json:"diff,omitempty"`
	// Source is where the patch comes from.
	Source PatchSource `json:"source,omitempty"`

	// DriftedBy is who brought the object into this state, as far as anybody saw.
	DriftedBy *Origin `json:"driftedBy,omitempty"`
	// ManagedBy is the tool that keeps the object by a source of its own, where the change belongs.
	ManagedBy *Manager `json:"managedBy,omitempty"`
	// Proof is what was tried before the change was proposed.
	// +required
	Proof Proof `json:"proof"`
	// Obstacle is why nothing is done with this target, whatever is approved.
	Obstacle *Obstacle `json:"obstacle,omitempty"`
}

// String names a target in a sentence: Deployment shop/web.
func (t *Target) String() string {
	if t.Namespace == "" {
		return t.Kind + " " + t.Name
	}
	return t.Kind + " " + t.Namespace + "/" + t.Name
}

// Withheld is why a patch is not kept.
// +kubebuilder:validation:Enum=Secret;TooLong
type Withheld string

// The reasons.
const (
	WithheldSecret  Withheld = "Secret"
	WithheldTooLong Withheld = "TooLong"
)

// PatchSource is where a patch comes from.
// +kubebuilder:validation:Enum=Mutate;Generate;Pattern;RemediateWith
type PatchSource string

// The sources.
const (
	SourceMutate        PatchSource = "Mutate"
	SourceGenerate      PatchSource = "Generate"
	SourcePattern       PatchSource = "Pattern"
	SourceRemediateWith PatchSource = "RemediateWith"
)

// Origin is who wrote an object.
type Origin struct {
	// User of the request, as admission saw it.
	// +kubebuilder:validation:MaxLength=1024
	User string `json:"user,omitempty"`
	// Manager is the field manager.
	// +kubebuilder:validation:MaxLength=253
	Manager string       `json:"manager,omitempty"`
	Time    *metav1.Time `json:"time,omitempty"`
	// Slip is how it got past admission.
	// +kubebuilder:validation:MaxLength=64
	Slip string `json:"slip,omitempty"`
}

// Manager is a tool that keeps an object by a source of its own.
type Manager struct {
	// Tool is ArgoCD, Flux, Helm, or the kind of a controller.
	// +required
	// +kubebuilder:validation:MaxLength=64
	Tool string `json:"tool"`
	// Source is where the change belongs, in the tool's own words.
	// +kubebuilder:validation:MaxLength=600
	Source string `json:"source,omitempty"`
}

// DryRun is what the API server said of a change that it was asked to try.
// +kubebuilder:validation:Enum=Accepted;Refused;Forbidden;NotAsked
type DryRun string

// The answers.
const (
	DryRunAccepted DryRun = "Accepted"
	DryRunRefused  DryRun = "Refused"
	// DryRunForbidden: Holdfast may not try, so that nothing is proved.
	DryRunForbidden DryRun = "Forbidden"
	// DryRunNotAsked: there is no server, or there is nothing to try.
	DryRunNotAsked DryRun = "NotAsked"
)

// Proof is what was tried before a change was proposed. The whole bundle has judged the changed object where Evaluated is
// set: it repairs the finding, and no other rule fails that did not fail before.
type Proof struct {
	Evaluated bool `json:"evaluated,omitempty"`
	// +required
	DryRun DryRun `json:"dryRun"`
	// Message is what the API server said.
	// +kubebuilder:validation:MaxLength=512
	Message string `json:"message,omitempty"`
}

// ObstacleReason is a word for an obstacle.
// +kubebuilder:validation:MaxLength=64
type ObstacleReason string

// The obstacles.
const (
	// NoFix: nothing is known that repairs the finding.
	NoFix ObstacleReason = "NoFix"
	// Conflict: another rule wants the opposite.
	Conflict ObstacleReason = "Conflict"
	// NeedsRecreate: a field is immutable.
	NeedsRecreate ObstacleReason = "NeedsRecreate"
	// Refused: the API server does not take the change.
	Refused ObstacleReason = "Refused"
	// Undone: the API server, or a webhook, takes the change and undoes it.
	Undone ObstacleReason = "Undone"
	// DefaultsOnly: the object is stored as the rule wants it already, written in another way.
	DefaultsOnly ObstacleReason = "DefaultsOnly"
	// NotProved: the API server did not let us try.
	NotProved ObstacleReason = "NotProved"
	// ManagedElsewhere: the object is kept by another tool, where the change belongs.
	ManagedElsewhere ObstacleReason = "ManagedElsewhere"
	// Owned: the object is made by a controller, from a template that no rule finds at fault.
	Owned ObstacleReason = "Owned"
	// NotCarriedOut: it is what a rule wants of another object, and no Remediation makes that.
	NotCarriedOut ObstacleReason = "NotCarriedOut"
)

// Obstacle is why nothing is done with a target.
type Obstacle struct {
	// +required
	Reason ObstacleReason `json:"reason"`
	// +kubebuilder:validation:MaxLength=512
	Message string `json:"message,omitempty"`
	// With are the rules that want the opposite, as POLICY/RULE.
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MaxLength=512
	// +listType=atomic
	With []string `json:"with,omitempty"`
}
