package webhook

import (
	"encoding/json"
	"fmt"
	"net/http"

	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/holdfast-io/holdfast/engine/mutate"
)

// Notes go with an answer, whatever it is.
type Notes struct {
	// Warnings are shown to the user. The API server cuts long ones.
	Warnings []string
	// Annotations are written to the audit log, by keys without the webhook's name.
	Annotations map[string]string
}

// Allowed lets the write pass.
func Allowed(uid string, notes Notes) *admissionv1.AdmissionResponse {
	return &admissionv1.AdmissionResponse{
		UID: types.UID(uid), Allowed: true, Warnings: notes.Warnings, AuditAnnotations: notes.Annotations,
	}
}

// Patched lets the write pass, changed by the patch. An error means that a value of the patch is not JSON.
func Patched(uid string, patch []mutate.Operation, notes Notes) (*admissionv1.AdmissionResponse, error) {
	raw, err := json.Marshal(patch)
	if err != nil {
		return nil, fmt.Errorf("encoding the patch: %w", err)
	}
	resp := Allowed(uid, notes)
	kind := admissionv1.PatchTypeJSONPatch
	resp.Patch, resp.PatchType = raw, &kind
	return resp, nil
}

// Denied refuses the write, because rules say so. The user sees the message, and a client the causes.
func Denied(uid, message string, causes []metav1.StatusCause, notes Notes) *admissionv1.AdmissionResponse {
	resp := refusal(uid, http.StatusForbidden, message, notes)
	if len(causes) > 0 {
		resp.Result.Details = &metav1.StatusDetails{Causes: causes}
	}
	return resp
}

// Errored refuses the write, because it could not be told whether it may pass. code is an HTTP status of
// 400 or above. TooManyRequests asks the client to try again.
func Errored(uid string, code int, err error, notes Notes) *admissionv1.AdmissionResponse {
	resp := refusal(uid, code, err.Error(), notes)
	if code == http.StatusTooManyRequests || code == http.StatusServiceUnavailable {
		resp.Result.Details = &metav1.StatusDetails{RetryAfterSeconds: 1}
	}
	return resp
}

func refusal(uid string, code int, message string, notes Notes) *admissionv1.AdmissionResponse {
	resp := Allowed(uid, notes)
	resp.Allowed = false
	resp.Result = &metav1.Status{
		Status: metav1.StatusFailure, Code: int32(code), Reason: statusReason(code), Message: message,
	}
	return resp
}

// statusReason gives the API's word for an HTTP status, by which clients tell errors apart.
func statusReason(code int) metav1.StatusReason {
	switch code {
	case http.StatusBadRequest:
		return metav1.StatusReasonBadRequest
	case http.StatusForbidden:
		return metav1.StatusReasonForbidden
	case http.StatusMethodNotAllowed:
		return metav1.StatusReasonMethodNotAllowed
	case http.StatusRequestEntityTooLarge:
		return metav1.StatusReasonRequestEntityTooLarge
	case http.StatusUnsupportedMediaType:
		return metav1.StatusReasonUnsupportedMediaType
	case http.StatusUnprocessableEntity:
		return metav1.StatusReasonInvalid
	case http.StatusTooManyRequests:
		return metav1.StatusReasonTooManyRequests
	case http.StatusServiceUnavailable:
		return metav1.StatusReasonServiceUnavailable
	case http.StatusGatewayTimeout:
		return metav1.StatusReasonTimeout
	default:
		return metav1.StatusReasonInternalError
	}
}
