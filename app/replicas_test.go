package app

import (
	"context"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"
)

func deploymentWith(want, has, updated, ready int32) *appsv1.Deployment {
	return &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: "holdfast", Name: "holdfast", Generation: 3},
		Spec:       appsv1.DeploymentSpec{Replicas: &want},
		Status:     appsv1.DeploymentStatus{ObservedGeneration: 3, Replicas: has, UpdatedReplicas: updated, ReadyReplicas: ready},
	}
}

func TestReplicasThatAreMissing(t *testing.T) {
	unobserved := deploymentWith(2, 2, 2, 2)
	unobserved.Generation = 4
	single := deploymentWith(1, 1, 1, 1)
	single.Spec.Replicas = nil
	for name, test := range map[string]struct {
		deployment *appsv1.Deployment
		want       string
	}{
		"all are ready":                       {deploymentWith(2, 2, 2, 2), ""},
		"the only one, which nobody asks for": {single, ""},
		"none has started":                    {deploymentWith(2, 0, 0, 0), "0 of 2 replicas of the Deployment holdfast/holdfast are ready and up to date"},
		"one is not ready":                    {deploymentWith(2, 2, 2, 1), "1 of 2 replicas of the Deployment holdfast/holdfast are ready and up to date"},
		"one is of yesterday":                 {deploymentWith(2, 2, 1, 2), "1 of 2 replicas of the Deployment holdfast/holdfast are ready and up to date"},
		"one of yesterday is still there":     {deploymentWith(2, 3, 2, 2), "2 of 2 replicas of the Deployment holdfast/holdfast are ready and up to date, and 1 is to go"},
		"a change that nobody has seen":       {unobserved, "the Deployment holdfast/holdfast has changed, which its status does not show yet"},
		"none is wanted":                      {deploymentWith(0, 0, 0, 0), "the Deployment holdfast/holdfast is scaled to 0"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := missingReplicas(test.deployment); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestReplicasAreFollowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := fake.NewClientset()
		r := newReplicas(client, "holdfast", "holdfast", slog.New(slog.DiscardHandler))
		expect := func(want string) {
			t.Helper()
			synctest.Wait()
			if got := r.Missing(); got != want {
				t.Errorf("missing is %q, want %q", got, want)
			}
			select {
			case <-r.Changed():
			default:
				t.Error("nobody is told")
			}
		}
		expect("the Deployment holdfast/holdfast has not been read yet")
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- r.run(ctx) }()
		time.Sleep(time.Second) // of the bubble: the first list is looked for at intervals
		expect("there is no Deployment holdfast/holdfast")
		deployments := client.AppsV1().Deployments("holdfast")
		if _, err := deployments.Create(t.Context(), deploymentWith(2, 2, 2, 1), metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
		expect("1 of 2 replicas of the Deployment holdfast/holdfast are ready and up to date")
		if _, err := deployments.Update(t.Context(), deploymentWith(2, 2, 2, 2), metav1.UpdateOptions{}); err != nil {
			t.Fatal(err)
		}
		expect("")
		if err := deployments.Delete(t.Context(), "holdfast", metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
		expect("there is no Deployment holdfast/holdfast")
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}
