package killswitch

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	coreclient "k8s.io/client-go/kubernetes/typed/core/v1"
	clienttesting "k8s.io/client-go/testing"

	"github.com/holdfast-io/holdfast/reconcile/gate"
)

// post is a watcher over a cluster.
type post struct {
	*Watcher
	maps    coreclient.ConfigMapInterface
	client  *fake.Clientset
	metrics *prometheus.Registry
	heard   []string
}

func newPost(t *testing.T) *post {
	t.Helper()
	p := &post{client: fake.NewClientset(), metrics: prometheus.NewPedanticRegistry()}
	p.maps = p.client.CoreV1().ConfigMaps("holdfast")
	var err error
	p.Watcher, err = New(Options{Client: p.maps, Logger: slog.New(slog.DiscardHandler), Metrics: p.metrics, Changed: func(s gate.Switch) { p.heard = append(p.heard, stands(&s)) }})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func (p *post) run(t *testing.T) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- p.Run(ctx) }()
	synctest.Wait()
	return func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

func stands(s *gate.Switch) string {
	switch {
	case s == nil:
		return "unknown"
	case s.Stopped:
		return "stopped by " + s.By + ": " + s.Reason
	default:
		return "released"
	}
}

func (p *post) is(t *testing.T, want string) {
	t.Helper()
	synctest.Wait()
	if got := stands(p.State()); got != want {
		t.Errorf("it is %s, want %s", got, want)
	}
	metric := 1.0
	if want == "released" || !p.running.Load() {
		metric = 0
	}
	if err := testutil.GatherAndCompare(p.metrics, strings.NewReader(`# HELP holdfast_reconcile_stopped Whether everything is stopped by the kill switch: 1 if it is, or if it is not known how the switch stands; 0 where nobody follows it.
# TYPE holdfast_reconcile_stopped gauge
holdfast_reconcile_stopped `+map[float64]string{0: "0", 1: "1"}[metric]+"\n")); err != nil {
		t.Error(err)
	}
}

func TestTheSwitchIsFollowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPost(t)
		p.is(t, "unknown")
		stop := p.run(t)
		p.is(t, "released")
		if already, err := Stop(t.Context(), p.maps, "jane", "an outage"); already || err != nil {
			t.Error(already, err)
		}
		p.is(t, "stopped by jane: an outage")
		if already, err := Stop(t.Context(), p.maps, "tom", "too"); !already || err != nil {
			t.Error(already, err)
		}
		p.is(t, "stopped by jane: an outage")
		stop()
		// Whoever starts anew finds it so, and whoever was there hears of it once.
		again := newPost(t)
		again.client, again.opts.Client = p.client, p.maps
		stop = again.run(t)
		again.is(t, "stopped by jane: an outage")
		if already, err := Resume(t.Context(), p.maps); already || err != nil {
			t.Error(already, err)
		}
		again.is(t, "released")
		if already, err := Resume(t.Context(), p.maps); !already || err != nil {
			t.Error(already, err)
		}
		stop()
		if got := strings.Join(p.heard, ", ") + "; " + strings.Join(again.heard, ", "); got != "stopped by jane: an outage; stopped by jane: an outage, released" {
			t.Errorf("heard %s", got)
		}
	})
}

func TestAnyConfigMapOfTheNameStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPost(t)
		defer p.run(t)()
		if _, err := p.maps.Create(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: Name}}, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
		if _, err := p.maps.Create(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "other"}}, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
		p.is(t, "stopped by : ")
	})
	p := newPost(t) // nobody says who, but the API server knows with what
	p.set(&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: Name, ManagedFields: []metav1.ManagedFieldsEntry{{Manager: "kubectl-create"}}}})
	if got := stands(p.State()); got != "stopped by kubectl-create: " {
		t.Errorf("it is %s", got)
	}
}

func TestWhatCannotBeReadStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPost(t)
		away := true
		p.client.PrependReactor("list", "configmaps", func(clienttesting.Action) (bool, runtime.Object, error) {
			return away, nil, errors.New("the API server is away")
		})
		defer p.run(t)()
		p.is(t, "unknown")
		away = false
		time.Sleep(retry)
		p.is(t, "released")
	})
}

func TestOptionsAreChecked(t *testing.T) {
	if _, err := New(Options{}); err == nil || err.Error() != "kill switch options: Client is missing" {
		t.Errorf("got %v", err)
	}
}
