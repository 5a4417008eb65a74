package approval

import (
	"context"
	"fmt"

	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	authorizationclient "k8s.io/client-go/kubernetes/typed/authorization/v1"

	"github.com/holdfast-io/holdfast/api/v1alpha1"
)

// Verb is what the API server is asked for: a verb of our own on remediations.holdfast.dev.
const Verb = "approve"

// Reviews asks the API server what users may do.
type Reviews struct {
	Client authorizationclient.SubjectAccessReviewInterface
}

// MayApprove asks for the verb "approve".
func (r Reviews) MayApprove(ctx context.Context, user *authenticationv1.UserInfo, name string) (ok bool, why string, err error) {
	extra := make(map[string]authorizationv1.ExtraValue, len(user.Extra))
	for k, v := range user.Extra {
		extra[k] = authorizationv1.ExtraValue(v)
	}
	review, err := r.Client.Create(ctx, &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		User: user.Username, UID: user.UID, Groups: user.Groups, Extra: extra,
		ResourceAttributes: &authorizationv1.ResourceAttributes{
			Group: v1alpha1.Group, Version: v1alpha1.Version, Resource: v1alpha1.ResourceRemediations, Verb: Verb, Name: name,
		},
	}}, metav1.CreateOptions{})
	if err != nil {
		return false, "", fmt.Errorf("asking the API server: %w", err)
	}
	return review.Status.Allowed && !review.Status.Denied, review.Status.Reason, nil
}
