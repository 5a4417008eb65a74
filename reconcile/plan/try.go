package plan

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/holdfast-io/holdfast/api/v1alpha1"
	"github.com/holdfast-io/holdfast/engine"
	"github.com/holdfast-io/holdfast/engine/mutate"
)

// Change is one write.
type Change struct {
	Action          v1alpha1.Action
	Kind            schema.GroupVersionKind
	Namespace, Name string
	// Patch leads from the object as it was read to what it is to be; of a Patch alone.
	Patch []mutate.Operation
	// Object is what is to be; nil to delete it.
	Object map[string]any
}

// try asks the API server what would become of the change.
func (o *planning) try(f *finding) error {
	f.proof.DryRun = v1alpha1.DryRunNotAsked
	if o.opts.Server == nil || (f.obstacle != nil && (f.obstacle.Reason == v1alpha1.Conflict || f.obstacle.Reason == v1alpha1.NoFix)) {
		return nil
	}
	stored, err := o.opts.Server.Try(o.ctx, f.change(o))
	if err != nil {
		return f.refused(err)
	}
	f.proof.DryRun = v1alpha1.DryRunAccepted
	if f.other != nil {
		return nil
	}
	if sameStored(o.subject.Object, stored) {
		f.block(v1alpha1.DefaultsOnly, "the API server stores the changed object as it is now: what the rule wants is there already, written in another way or filled in by the server")
		return nil
	}
	found, err := o.judge(stored)
	if err != nil {
		return err
	}
	if !repaired(f.source, statuses(found), f.decision.Rule) {
		f.block(v1alpha1.Undone, "the API server takes the change, and what it stores fails the rule again: the server, or a webhook, undoes it")
	} else if broken := o.broken(found); len(broken) > 0 {
		f.block(v1alpha1.Conflict, "what the API server makes of the change fails "+strings.Join(broken, ", "), broken...)
	}
	return nil
}

func (f *finding) change(o *planning) *Change {
	if c := f.other; c != nil {
		return &Change{Action: actionOf(c), Kind: c.Kind, Namespace: c.Namespace, Name: c.Name, Patch: c.Patch, Object: c.Object}
	}
	meta := metadata(o.subject.Object)
	return &Change{
		Action: v1alpha1.ActionPatch, Kind: o.subject.Kind, Namespace: text(meta, "namespace"), Name: text(meta, "name"),
		Patch: f.ops, Object: f.after,
	}
}

func actionOf(c *engine.Change) v1alpha1.Action {
	switch c.Action {
	case engine.CreateObject:
		return v1alpha1.ActionCreate
	case engine.DeleteObject:
		return v1alpha1.ActionDelete
	default:
		return v1alpha1.ActionPatch
	}
}

// refused makes of an error of the API server what it means for the plan. One that says nothing about the change comes
// back: it is to be tried again.
func (f *finding) refused(err error) error {
	var status apierrors.APIStatus
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	case errors.Is(err, ErrForbidden):
		f.proof.DryRun = v1alpha1.DryRunForbidden
		f.proof.Message = cut(err.Error(), v1alpha1.MaxMessageBytes)
		f.block(v1alpha1.NotProved, "not proved by the server: forbidden ("+err.Error()+")")
		return nil
	case !errors.As(err, &status), temporary(err):
		return fmt.Errorf("trying the change: %w", err)
	}
	f.proof.DryRun = v1alpha1.DryRunRefused
	f.proof.Message = cut(status.Status().Message, v1alpha1.MaxMessageBytes)
	if field := immutable(status.Status()); field != "" {
		f.block(v1alpha1.NeedsRecreate, fmt.Sprintf("needs recreate: %s cannot be changed once the object is there", field))
		return nil
	}
	f.block(v1alpha1.Refused, "the API server refuses the change: "+status.Status().Message)
	return nil
}

// temporary reports whether the API server may say something else soon: of a change that it could not look at, and of an
// object that is another one by now, which the audit tells of.
func temporary(err error) bool {
	return apierrors.IsConflict(err) || apierrors.IsNotFound(err) || apierrors.IsServerTimeout(err) || apierrors.IsTimeout(err) ||
		apierrors.IsTooManyRequests(err) || apierrors.IsServiceUnavailable(err) || apierrors.IsInternalError(err) || apierrors.IsUnexpectedServerError(err)
}

// immutableSigns are what Kubernetes' own validation says of fields that cannot be changed. There is no code for it.
// Source: ValidateImmutableField and the update strategies of k8s.io/kubernetes/pkg/apis.
var immutableSigns = [...]string{
	"field is immutable", "is immutable", "may not change fields other than", "are forbidden", "may not be changed", "may not change once set",
	"cannot change roleRef", "must not be changed",
}

// immutable names the first field that is refused because it cannot be changed, or is empty.
func immutable(s metav1.Status) string {
	if s.Reason != metav1.StatusReasonInvalid || s.Details == nil {
		return ""
	}
	for _, cause := range s.Details.Causes {
		for _, sign := range immutableSigns {
			if strings.Contains(cause.Message, sign) {
				return cause.Field
			}
		}
	}
	return ""
}

// sameStored reports whether two states of an object differ in nothing but what every write changes.
func sameStored(a, b map[string]any) bool { return reflect.DeepEqual(unversioned(a), unversioned(b)) }

func unversioned(object map[string]any) map[string]any {
	return without(object, "status", func(out map[string]any) {
		meta, _ := out["metadata"].(map[string]any)
		out["metadata"] = without(meta, "managedFields", func(m map[string]any) {
			delete(m, "resourceVersion")
			delete(m, "generation")
		})
	})
}

// without copies the top of a map, without a key, and changes the copy further.
func without(m map[string]any, key string, change func(map[string]any)) map[string]any {
	out := make(map[string]any, len(m))
	for k, v := range m {
		if k != key {
			out[k] = v
		}
	}
	change(out)
	return out
}
