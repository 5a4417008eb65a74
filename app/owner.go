package app

import (
	"context"
	"fmt"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// clusterRole gives the ClusterRole of an installation as the owner of what it leaves in the cluster. Whoever removes the
// installation deletes the ClusterRole, and Kubernetes collects the rest: without that, an API server would go on asking
// webhooks that nobody answers. It is looked for each time, because one that was made anew is another owner.
func clusterRole(client kubernetes.Interface, name string) func(context.Context) ([]metav1.OwnerReference, error) {
	return func(ctx context.Context) ([]metav1.OwnerReference, error) {
		role, err := client.RbacV1().ClusterRoles().Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return nil, fmt.Errorf("reading ClusterRole %s: %w", name, err)
		}
		return []metav1.OwnerReference{{APIVersion: rbacv1.SchemeGroupVersion.String(), Kind: "ClusterRole", Name: name, UID: role.UID}}, nil
	}
}
