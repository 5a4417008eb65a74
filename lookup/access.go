package lookup

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/holdfast-io/holdfast/engine"
)

// accessReviews is where the API server is asked what others may do.
const accessReviews = "/apis/authorization.k8s.io/v1/subjectaccessreviews"

// accessReview asks the API server whether a user may do something. That we may not ask is an error like any other.
func (a *apiServer) accessReview(ctx context.Context, question *authorizationv1.SubjectAccessReviewSpec) (authorizationv1.SubjectAccessReviewStatus, error) {
	var status authorizationv1.SubjectAccessReviewStatus
	answer, err := a.call(ctx, &engine.Call{Method: http.MethodPost, Path: accessReviews, Body: &authorizationv1.SubjectAccessReview{
		TypeMeta: metav1.TypeMeta{APIVersion: authorizationv1.SchemeGroupVersion.String(), Kind: "SubjectAccessReview"},
		Spec:     *question,
	}})
	if err != nil {
		return status, err
	}
	review, _ := answer.(map[string]any)
	said, ok := review["status"].(map[string]any)
	if !ok {
		return status, errors.New("the API server answers a SubjectAccessReview without a status")
	}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(said, &status); err != nil {
		return authorizationv1.SubjectAccessReviewStatus{}, fmt.Errorf("reading the status of a SubjectAccessReview: %w", err)
	}
	return status, nil
}
