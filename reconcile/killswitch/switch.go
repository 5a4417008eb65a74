package killswitch

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	coreclient "k8s.io/client-go/kubernetes/typed/core/v1"
)

// Stop stops everything, for a reason. If it is stopped already it stays so, for the reason that there is: already is true then.
func Stop(ctx context.Context, client coreclient.ConfigMapInterface, by, reason string) (already bool, err error) {
	_, err = client.Create(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: Name}, Data: map[string]string{keyBy: by, keyReason: reason}}, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		return true, nil
	}
	if err != nil {
		return false, fmt.Errorf("stopping everything: %w", err)
	}
	return false, nil
}

// Resume lets everything go on. If nothing was stopped, already is true.
func Resume(ctx context.Context, client coreclient.ConfigMapInterface) (already bool, err error) {
	err = client.Delete(ctx, Name, metav1.DeleteOptions{})
	if apierrors.IsNotFound(err) {
		return true, nil
	}
	if err != nil {
		return false, fmt.Errorf("letting everything go on: %w", err)
	}
	return false, nil
}
