package report

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/kyverno/kyverno/api/policyreport/v1alpha2"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// work writes entries until the queue is shut down and empty, or the context ends.
func (w *Writer) work(ctx context.Context) {
	for {
		uid, shutdown := w.queue.Get()
		if shutdown {
			return
		}
		if ctx.Err() == nil {
			w.write(ctx, uid)
		}
		w.queue.Done(uid)
	}
}

// job is one state of an entry, on its way into the cluster.
type job struct {
	target Target
	hash   string
	parts  map[string]*part
}

// write brings the report of one object to its latest state.
func (w *Writer) write(ctx context.Context, uid string) {
	j, ok := w.take(uid)
	if !ok {
		w.queue.Forget(uid)
		return
	}
	op := operationApply
	if j.hash == "" {
		op = operationDelete
	}
	var err error
	if op == operationDelete {
		err = w.opts.Client.Resource(reportResource(j.target.Namespace)).Namespace(j.target.Namespace).Delete(ctx, uid, metav1.DeleteOptions{})
	} else {
		err = w.apply(ctx, j)
	}
	result := classify(op, err)
	w.metrics.count(op, result)
	w.settle(uid, j, result, err)
}

// take gives the state that has to be written, if there is one.
func (w *Writer) take(uid string) (job, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	e := w.entries[uid]
	if e == nil {
		return job{}, false
	}
	hash := e.desired()
	if hash == e.written {
		w.enqueue(uid, e) // nothing to write: lets go of what need not be kept
		return job{}, false
	}
	e.busy = true
	j := job{target: e.target, hash: hash, parts: maps.Clone(e.parts)}
	if len(j.parts) > 0 {
		// One version names the object, always the same one.
		j.target.APIVersion = slices.Min(slices.Collect(maps.Keys(j.parts)))
	}
	return j, true
}

// settle takes note of what became of a write.
func (w *Writer) settle(uid string, j job, result outcome, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	e := w.entries[uid]
	e.busy = false
	switch result {
	case outcomeGone:
		// Nothing can be said of it any more. If it is still there, the next change of it says so.
		w.queue.Forget(uid)
		if e.desired() == j.hash {
			delete(w.entries, uid)
			return
		}
		e.written = ""
	case outcomeDone:
		w.queue.Forget(uid)
		w.recovered()
		e.written, e.logged = j.hash, ""
		w.opts.Logger.Debug("Wrote a report", "object", j.target.String(), "bundle", j.digest())
	default:
		w.troubled(e, j, result, err)
		e.dropLost(err)
		e.written = unknown // the server may have written it all the same, with the answer lost
		w.lanes.mark(uid, e.lane())
		w.queue.AddRateLimited(uid)
		return
	}
	w.enqueue(uid, e)
}

func (j job) digest() string {
	for _, p := range j.parts {
		if p.digest != "" {
			return p.digest
		}
	}
	return ""
}

func (t Target) String() string {
	return Resource{Kind: t.Kind, Namespace: t.Namespace, Name: t.Name}.String()
}

// lostError says that results which are not kept here are not in the cluster either.
type lostError struct{ apiVersions []string }

func (e *lostError) Error() string {
	return fmt.Sprintf("the report in the cluster no longer has the results of %v", e.apiVersions)
}

// dropLost forgets the parts whose results are lost, so that the rest can be written and they when they are
// found again.
func (e *entry) dropLost(err error) {
	var lost *lostError
	if !errors.As(err, &lost) {
		return
	}
	for _, v := range lost.apiVersions {
		if p := e.parts[v]; p != nil && p.results == nil {
			delete(e.parts, v)
		}
	}
}

func (w *Writer) apply(ctx context.Context, j job) error {
	client := w.opts.Client.Resource(reportResource(j.target.Namespace)).Namespace(j.target.Namespace)
	var results []v1alpha2.PolicyReportResult
	missing := map[string]bool{}
	for _, v := range slices.Sorted(maps.Keys(j.parts)) {
		if p := j.parts[v]; p.results != nil {
			results = append(results, policyResults(j.target, v, p)...)
		} else {
			missing[v] = true
		}
	}
	if len(missing) > 0 {
		// What was written before and has not changed stays as it is in the cluster.
		kept, err := w.writtenResults(ctx, j, missing)
		if err != nil {
			return err
		}
		results = append(results, kept...)
	}
	sortPolicyResults(results)
	object, err := buildReport(j.target, j.hash, results)
	if err != nil {
		return err
	}
	if _, err := client.Apply(ctx, j.target.UID, object, metav1.ApplyOptions{FieldManager: FieldManager, Force: true}); err != nil {
		return fmt.Errorf("writing the report on %s: %w", j.target, err)
	}
	return nil
}

// writtenResults reads the results of the given parts from the report in the cluster.
func (w *Writer) writtenResults(ctx context.Context, j job, parts map[string]bool) ([]v1alpha2.PolicyReportResult, error) {
	names := slices.Sorted(maps.Keys(parts))
	object, err := w.opts.Client.Resource(reportResource(j.target.Namespace)).Namespace(j.target.Namespace).Get(ctx, j.target.UID, metav1.GetOptions{})
	if err != nil {
		if apierrors.IsNotFound(err) && !noSuchResource(err) {
			return nil, &lostError{names}
		}
		return nil, fmt.Errorf("reading the report on %s: %w", j.target, err)
	}
	var report v1alpha2.PolicyReport // both kinds have the same fields
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, &report); err != nil {
		return nil, &lostError{names}
	}
	there := parseDesired(report.Annotations[AnnotationHash])
	for _, v := range names {
		if there[v] == nil || there[v].hash != j.parts[v].hash {
			return nil, &lostError{names}
		}
	}
	return slices.DeleteFunc(report.Results, func(r v1alpha2.PolicyReportResult) bool {
		return len(r.Resources) == 0 || !parts[r.Resources[0].APIVersion]
	}), nil
}

// classify tells what an error means for the report.
func classify(op operation, err error) outcome {
	switch {
	case err == nil:
		return outcomeDone
	case op == operationDelete && apierrors.IsNotFound(err):
		return outcomeDone
	case apierrors.HasStatusCause(err, "NamespaceTerminating"):
		return outcomeGone
	case noSuchNamespace(err):
		return outcomeGone
	case noSuchResource(err):
		return outcomeNoCRD
	default:
		return outcomeError
	}
}

// noSuchNamespace reports whether the API server says that the report's namespace is not there.
func noSuchNamespace(err error) bool {
	var status apierrors.APIStatus
	if !apierrors.IsNotFound(err) || !errors.As(err, &status) {
		return false
	}
	details := status.Status().Details
	return details != nil && details.Kind == "namespaces"
}

// noSuchResource reports whether the API server says that it does not serve the path at all.
func noSuchResource(err error) bool {
	return apierrors.IsNotFound(err) && apierrors.HasStatusCause(err, metav1.CauseTypeUnexpectedServerResponse)
}

// troubled logs the first of many failures of one kind: when the server is away, all writes fail alike.
func (w *Writer) troubled(e *entry, j job, result outcome, err error) {
	kind := string(result)
	if result == outcomeError && isAboutObject(err) {
		if text := err.Error(); e.logged != text {
			e.logged = text
			w.opts.Logger.Error("A report could not be written; it is tried again", "object", j.target.String(), "error", err)
		}
		return
	}
	if w.trouble == kind {
		return
	}
	w.trouble = kind
	if result == outcomeNoCRD {
		w.opts.Logger.Error("The cluster does not serve policy reports: install their CustomResourceDefinitions; writing is tried again until then", "resource", reportResource(j.target.Namespace).String())
		return
	}
	w.opts.Logger.Warn("Reports cannot be written; they are kept and tried again", "error", err)
}

// isAboutObject reports whether the server refused this one report.
func isAboutObject(err error) bool {
	var lost *lostError
	return errors.As(err, &lost) || apierrors.IsInvalid(err) || apierrors.IsBadRequest(err) || apierrors.IsConflict(err) || apierrors.IsRequestEntityTooLargeError(err)
}

func (w *Writer) recovered() {
	if w.trouble != "" {
		w.trouble = ""
		w.opts.Logger.Info("Reports are written again")
	}
}

// wait waits unless the context ends first.
func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
