package certs

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
)

func newTestSecret(t *testing.T, client *fake.Clientset) *Rotator {
	t.Helper()
	r, err := NewSecret(SecretOptions{Client: client, Namespace: "holdfast", Names: []string{host}, Lifetimes: quick})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestReplicasShareOneSecret(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := fake.NewClientset()
		a, b := newTestSecret(t, client), newTestSecret(t, client)
		run(t, a, b)
		<-a.Ready()
		<-b.Ready()
		synctest.Wait()
		if string(a.CABundle()) != string(b.CABundle()) {
			t.Error("the replicas do not agree")
		}
		secret, err := client.CoreV1().Secrets("holdfast").Get(t.Context(), "holdfast-webhook-certs", metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		for _, key := range []string{"ca.crt", "ca.key", "tls.crt", "tls.key"} {
			if len(secret.Data[key]) == 0 {
				t.Errorf("the Secret has no %s", key)
			}
		}
		if string(secret.Data["ca.crt"]) != string(a.CABundle()) {
			t.Error("the Secret's ca.crt is not the bundle")
		}
		// Deleted by hand: it comes back as it was.
		if err := client.CoreV1().Secrets("holdfast").Delete(t.Context(), "holdfast-webhook-certs", metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		again, err := client.CoreV1().Secrets("holdfast").Get(t.Context(), "holdfast-webhook-certs", metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if string(again.Data["ca.key"]) != string(secret.Data["ca.key"]) {
			t.Error("the CA has changed")
		}
	})
}

func TestAnEmptySecretIsFilled(t *testing.T) {
	client := fake.NewClientset(&corev1.Secret{ObjectMeta: metav1.ObjectMeta{
		Namespace: "holdfast", Name: "holdfast-webhook-certs", Labels: map[string]string{"chart": "holdfast"},
	}})
	r := newTestSecret(t, client)
	if _, err := r.settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	secret, err := client.CoreV1().Secrets("holdfast").Get(t.Context(), "holdfast-webhook-certs", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if len(secret.Data) != 4 || secret.Labels["chart"] != "holdfast" {
		t.Errorf("got %d keys, labels %v", len(secret.Data), secret.Labels)
	}
}

// The loser of a race takes over what the winner has written, at once and without a complaint.
func TestTheSecondWriterTakesOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shared := &memory{}
		winner := newTestRotator(t, shared.view(), quick, nil)
		winner.issuer.names = []string{host}
		if _, err := winner.settle(t.Context()); err != nil {
			t.Fatal(err)
		}
		client := fake.NewClientset()
		raced := false
		client.PrependReactor("create", "secrets", func(clienttesting.Action) (bool, runtime.Object, error) {
			if raced {
				return false, nil, nil
			}
			raced = true
			return true, nil, errors.Join(
				client.Tracker().Add(&corev1.Secret{
					ObjectMeta: metav1.ObjectMeta{Namespace: "holdfast", Name: "holdfast-webhook-certs"}, Data: shared.data,
				}),
				apierrors.NewAlreadyExists(corev1.Resource("secrets"), "holdfast-webhook-certs"))
		})
		loser := newTestSecret(t, client)
		start := time.Now()
		run(t, loser)
		<-loser.Ready()
		if string(loser.CABundle()) != string(winner.CABundle()) {
			t.Error("the loser has a CA of its own")
		}
		if waited := time.Since(start); waited != 0 {
			t.Errorf("it took %s", waited)
		}
	})
}
