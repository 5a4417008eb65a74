package events

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/goleak"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// bench is a recorder at work on a fake API server.
type bench struct {
	*Recorder
	client *fake.Clientset
	stop   func()
}

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{client: fake.NewClientset()}
	var err error
	if b.Recorder, err = New(Options{Client: b.client, Logger: slog.New(slog.DiscardHandler)}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() {
		if err := b.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	b.stop = func() { cancel(); running.Wait() }
	synctest.Wait()
	return b
}

// told lists the Events that the server has.
func (b *bench) told(t *testing.T) []string {
	t.Helper()
	synctest.Wait()
	list, err := b.client.CoreV1().Events("").List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range list.Items {
		o := e.InvolvedObject
		out = append(out, fmt.Sprintf("%s: %s %s/%s %s %s by %s x%d: %s", e.Namespace, o.Kind, o.Namespace, o.Name, e.Type, e.Reason, e.Source.Component, e.Count, e.Message))
	}
	slices.Sort(out)
	return out
}

func pod(name string) corev1.ObjectReference {
	return corev1.ObjectReference{APIVersion: "v1", Kind: "Pod", Namespace: "web", Name: name}
}

func TestEventsAreWhereTheirObjectsAre(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.Tell(Event{pod("a"), Denied, "policy p: no"})
		b.Tell(Event{corev1.ObjectReference{APIVersion: "v1", Kind: "Namespace", Name: "n"}, Violation, "policy q: no"})
		b.Tell(Event{corev1.ObjectReference{APIVersion: "v1", Kind: "Event", Namespace: "web", Name: "e"}, Denied, "an Event about an Event"})
		b.Tell(Event{corev1.ObjectReference{APIVersion: "events.k8s.io/v1", Kind: "Event", Namespace: "web", Name: "e"}, Denied, "and another one"})
		want := []string{
			"default: Namespace /n Warning PolicyViolation by holdfast x1: policy q: no",
			"web: Pod web/a Warning PolicyDenied by holdfast x1: policy p: no",
		}
		if got := b.told(t); !slices.Equal(got, want) {
			t.Errorf("told %q, want %q", got, want)
		}
		b.stop()
		b.Tell(Event{pod("b"), Denied, "after the end"})
		if got := b.told(t); len(got) != 2 {
			t.Errorf("told after the end: %q", got)
		}
	})
}

func TestTheSameIsCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		for range 5 {
			b.Tell(Event{pod("a"), Denied, "policy p: no"})
			time.Sleep(time.Second)
		}
		want := []string{"web: Pod web/a Warning PolicyDenied by holdfast x5: policy p: no"}
		if got := b.told(t); !slices.Equal(got, want) {
			t.Errorf("told %q, want %q", got, want)
		}
		b.stop()
	})
}

func TestAFloodIsCutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		for i := range 5000 {
			b.Tell(Event{pod(fmt.Sprint("p", i)), Denied, "policy p: no"})
		}
		if got := len(b.told(t)); got != 50 {
			t.Errorf("%d are told at once, want the burst of 50", got)
		}
		if got := testutil.ToFloat64(b.metrics.events.WithLabelValues("PolicyDenied", "dropped")); got != 4950 {
			t.Errorf("%v are counted as dropped, want 4950", got)
		}
		if got := testutil.ToFloat64(b.metrics.events.WithLabelValues("PolicyDenied", "written")); got != 50 {
			t.Errorf("%v are counted as written, want 50", got)
		}
		b.stop()
	})
}

func TestALongMessageIsCut(t *testing.T) {
	got := shorten(strings.Repeat("ä", maxMessage))
	if len(got) > maxMessage || !strings.HasSuffix(got, "ä…") {
		t.Errorf("it is cut to %d bytes that end in %q", len(got), got[len(got)-5:])
	}
	if got := shorten("short"); got != "short" {
		t.Errorf("cut to %q", got)
	}
}

func TestNobodyIsNoTrouble(t *testing.T) {
	var none *Recorder
	none.Tell(Event{pod("a"), Denied, "no"})
	idle, err := New(Options{Client: fake.NewClientset(), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	idle.Tell(Event{pod("a"), Denied, "before it runs"})
}

func TestOptionsAreChecked(t *testing.T) {
	good := Options{Client: fake.NewClientset(), Logger: slog.New(slog.DiscardHandler)}
	for want, spoil := range map[string]func(*Options){
		"events options: Client is missing":                    func(o *Options) { o.Client = nil },
		"events options: Logger is missing":                    func(o *Options) { o.Logger = nil },
		"events options: PerSecond and Burst must be positive": func(o *Options) { o.PerSecond = -1 },
	} {
		o := good
		spoil(&o)
		if _, err := New(o); err == nil || err.Error() != want {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}
