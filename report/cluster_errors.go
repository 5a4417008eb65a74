package report

import (
	"errors"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

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
func (w *Writer) troubled(j *job, result outcome, err error) {
	if result == outcomeError && isAboutReport(err) {
		if text := err.Error(); w.complaints[j.key] != text {
			w.complaints[j.key] = text
			w.opts.Logger.Error("A report could not be written; it is tried again", "report", j.String(), "error", err)
		}
		return
	}
	if w.trouble == string(result) {
		return
	}
	w.trouble = string(result)
	if result == outcomeNoCRD {
		w.opts.Logger.Error("The cluster does not serve policy reports: install their CustomResourceDefinitions; writing is tried again until then", "resource", w.opts.API.resource(j.namespace).String())
		return
	}
	w.opts.Logger.Warn("Reports cannot be written; they are kept and tried again", "error", err)
}

// isAboutReport reports whether the server refused this one report.
func isAboutReport(err error) bool {
	return errors.Is(err, errForeign) || apierrors.IsInvalid(err) || apierrors.IsBadRequest(err) || apierrors.IsConflict(err) || apierrors.IsRequestEntityTooLargeError(err)
}

func (w *Writer) recovered() {
	if w.trouble != "" {
		w.trouble = ""
		w.opts.Logger.Info("Reports are written again")
	}
}
