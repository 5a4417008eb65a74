package gate

import (
	"fmt"

	"github.com/holdfast-io/holdfast/api/v1alpha1"
	"github.com/holdfast-io/holdfast/engine/number"
	"github.com/holdfast-io/holdfast/reconcile/plan"
)

// obstacle stops what the planner has found to be impossible.
func obstacle(f *Facts) Verdict {
	if o := f.Target.Obstacle; o != nil {
		return stop(HasObstacle, fmt.Sprintf("%s: %s", o.Reason, o.Message))
	}
	return pass()
}

// present stops where the object is not the one that was planned for.
func present(f *Facts) Verdict {
	t := f.Target
	switch {
	case t.Action == v1alpha1.ActionCreate && f.Object != nil:
		return stop(Exists, "somebody has made the object")
	case t.Action == v1alpha1.ActionCreate:
		return pass()
	case f.Object == nil:
		return stop(Gone, "the object is gone")
	}
	meta := metadata(f.Object)
	if uid, _ := meta["uid"].(string); uid != t.UID {
		return stop(Replaced, fmt.Sprintf("another object has the name: the plan is for the one with UID %s", t.UID))
	}
	if meta["deletionTimestamp"] != nil {
		return stop(Deleting, "the object is being deleted")
	}
	return pass()
}

// hold stops where the object, or its Namespace, is to be left alone.
func hold(f *Facts) Verdict {
	own, _ := metadata(f.Object)["annotations"].(map[string]any)
	annotations := map[string]string{}
	if value, ok := own[v1alpha1.AnnotationHold].(string); ok {
		annotations[v1alpha1.AnnotationHold] = value
	}
	if v := held(f, "the object", annotations); !v.Passes {
		return v
	}
	return held(f, "Namespace "+f.Target.Namespace, f.Namespace)
}

func held(f *Facts, what string, annotations map[string]string) Verdict {
	h, there, err := plan.HoldOf(annotations)
	switch {
	case !there || !h.Holds(f.Now):
		return pass()
	case err != nil:
		return stop(Held, fmt.Sprintf("%s is held without an end: %s", what, err))
	}
	message := what + " is held"
	if !h.Until.IsZero() {
		message += " until " + moment(h.Until)
	}
	if h.Reason != "" {
		message += ": " + h.Reason
	}
	return stop(Held, message).until(h.Until)
}

// exception stops what a PolicyException excuses by now.
func exception(f *Facts) Verdict {
	if f.Exception != "" {
		return stop(Excepted, fmt.Sprintf("PolicyException %s excuses it", f.Exception))
	}
	return pass()
}

// settled stops what may be a passing state.
func settled(f *Facts) Verdict {
	if f.Now.Before(f.Settles) {
		return stop(NotSettled, "it may be a passing state: it was written just now").until(f.Settles)
	}
	return pass()
}

// observed stops while the object's controller has not yet seen how it is: two changes at once could not be told apart.
func observed(f *Facts) Verdict {
	if seen, generation, says := Observed(f.Object); says && seen < generation {
		return stop(NotObserved, fmt.Sprintf("its controller has seen generation %.0f, and it has %.0f", seen, generation))
	}
	return pass()
}

// Observed gives the generation of an object that its controller has seen and the one that it has, if it says so.
func Observed(object map[string]any) (seen, generation float64, says bool) {
	status, _ := object["status"].(map[string]any)
	seen, says = number.Float(status["observedGeneration"])
	generation, has := number.Float(metadata(object)["generation"])
	return seen, generation, says && has
}

func metadata(object map[string]any) map[string]any {
	meta, _ := object["metadata"].(map[string]any)
	return meta
}
