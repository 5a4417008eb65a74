package plan

import (
	"github.com/holdfast-io/holdfast/api/v1alpha1"
	"github.com/holdfast-io/holdfast/engine"
)

// PolicyMode is the mode that a policy asks for, Propose where it does not say.
func PolicyMode(p *engine.Policy) v1alpha1.Mode { return modeOf(p.Annotations, v1alpha1.Propose) }

// NamespaceMode is how far a Namespace with these annotations lets anything in it go: Enforce, which narrows nothing,
// where it does not say.
func NamespaceMode(annotations map[string]string) v1alpha1.Mode {
	return modeOf(annotations, v1alpha1.Enforce)
}

// Kept reports whether what the rules of a policy want of other objects is made at once: unless it says less than Enforce. Its
// author asked for just these objects; of what a rule finds in the object that it matches nobody did.
func Kept(p *engine.Policy) bool {
	return modeOf(p.Annotations, v1alpha1.Enforce).Allows(v1alpha1.Enforce)
}

// modeOf reads the annotation. With a value that is no mode nothing is planned: whoever wrote it meant to say something,
// and it may have been less. Of a policy the bundle's load refuses such a value.
func modeOf(annotations map[string]string, unsaid v1alpha1.Mode) v1alpha1.Mode {
	value, said := annotations[v1alpha1.AnnotationReconcile]
	if !said {
		return unsaid
	}
	mode, err := v1alpha1.ParseMode(value)
	if err != nil {
		return v1alpha1.Report
	}
	return mode
}
