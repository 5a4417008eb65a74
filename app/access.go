package app

import (
	"context"
	"fmt"

	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes"
)

// ownAccess asks the API server what we may do. Everybody may ask that of oneself.
type ownAccess struct{ client kubernetes.Interface }

// Allowed reports whether we may do so in all namespaces.
func (a ownAccess) Allowed(ctx context.Context, verb string, resource schema.GroupResource) (bool, error) {
	review, err := a.client.AuthorizationV1().SelfSubjectAccessReviews().Create(ctx, &authorizationv1.SelfSubjectAccessReview{
		Spec: authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: &authorizationv1.ResourceAttributes{
			Verb: verb, Group: resource.Group, Resource: resource.Resource,
		}},
	}, metav1.CreateOptions{})
	if err != nil {
		return false, fmt.Errorf("reviewing our own access: %w", err)
	}
	return review.Status.Allowed, nil
}
