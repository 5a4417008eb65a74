// Package v1alpha1 holds Holdfast's own custom resources, of the group holdfast.dev: a Remediation, which says what would
// be done to bring objects back to what a rule wants, who allowed it, and what became of it.
//
// They are types and constants alone: nothing flows through here, and nothing is decided. The definitions that a cluster is
// given are made from these types (see package charts), with the rules that keep a plan from being changed once it is
// proposed.
//
// +kubebuilder:object:generate=true
// +groupName=holdfast.dev
package v1alpha1

//go:generate go run sigs.k8s.io/controller-tools/cmd/controller-gen@v0.21.0 object paths=.

import "k8s.io/apimachinery/pkg/runtime/schema"

// Group, Version and the names of a Remediation.
const (
	Group                = "holdfast.dev"
	Version              = "v1alpha1"
	KindRemediation      = "Remediation"
	ResourceRemediations = "remediations"
)

// GroupVersion is what apiVersion says.
func GroupVersion() schema.GroupVersion { return schema.GroupVersion{Group: Group, Version: Version} }

// Remediations is the resource as a dynamic client asks for it.
func Remediations() schema.GroupVersionResource {
	return GroupVersion().WithResource(ResourceRemediations)
}

// Annotations and labels that outsiders write or read.
const (
	// AnnotationReconcile on a policy is the mode in which what it finds is dealt with; on a Namespace it narrows that for
	// the objects in it.
	AnnotationReconcile = Group + "/reconcile"
	// AnnotationRemediateWith on a policy names the mutate policy that mends what its validate rules find: NAME, or
	// NAMESPACE/NAME, and /RULE behind if it has several rules and one is meant.
	AnnotationRemediateWith = Group + "/remediate-with"
	// AnnotationHold on an object, or on a Namespace for all in it, keeps it from being changed: the time until when, or
	// "always", and behind a blank the reason.
	AnnotationHold = Group + "/hold"
	// AnnotationManaged on a policy or on an object says what is done with objects that another tool keeps by a source of
	// its own: "propose", the default, or "patch".
	AnnotationManaged = Group + "/managed-objects"
	// AnnotationWindows on a policy, or on a Namespace, says at which times objects may be changed, and at which not.
	AnnotationWindows = Group + "/windows"
	// AnnotationLimits on a policy, or on a Namespace, says how much may be changed.
	AnnotationLimits = Group + "/limits"
	// AnnotationStrategy on a policy says in which steps its plans are carried out.
	AnnotationStrategy = Group + "/strategy"
	// AnnotationAfter on a policy names the policies whose plans come first.
	AnnotationAfter = Group + "/after"
	// AnnotationTraceparent on a Remediation names its trace, as the HTTP header traceparent does.
	AnnotationTraceparent = Group + "/traceparent"
	// LabelGroup on a Remediation is the same for all of one policy and rule.
	LabelGroup = Group + "/group"
)
