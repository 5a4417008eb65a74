package reconcile

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/holdfast-io/holdfast/api/v1alpha1"
	"github.com/holdfast-io/holdfast/engine"
)

// halts lets a test stop everything.
func (s *site) halts() *atomic.Bool {
	stopped := &atomic.Bool{}
	s.opts.Stopped = func() string {
		if stopped.Load() {
			return "everything is stopped by jane"
		}
		return ""
	}
	return stopped
}

func TestTheKillSwitchStopsTheKeeper(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, "synchronize: true")
		stopped := s.halts()
		trigger := s.trigger(t, "1", 0)
		stopped.Store(true)
		defer s.run(t)()
		s.Found(trigger, wanting(s))
		time.Sleep(time.Hour)
		expect(t, "writes while everything is stopped", s.wrote(), "")
		if got := testutil.ToFloat64(s.metrics.failures); got != 0 {
			t.Errorf("%v failures are counted, want none", got)
		}
		stopped.Store(false)
		time.Sleep(glance)
		expect(t, "writes as soon as it goes on", s.wrote(), "create")
	})
}

// Between the intent and the write time may pass: the record waits for its disk.
func TestTheKillSwitchStopsWhatIsOnRecordAlready(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, "synchronize: true")
		stopped := s.halts()
		j := &journal{}
		s.opts.Journal = halting{j, stopped}
		trigger := s.trigger(t, "1", 0)
		defer s.run(t)()
		s.Found(trigger, wanting(s))
		expect(t, "writes", s.wrote(), "")
		const intent = "intent: create twin for ConfigMap/shop/web by r, bundle true"
		expect(t, "the record", strings.Join(j.record, "; "), intent+"; outcome: not done: everything is stopped by jane")
	})
}

// halting stops everything while an intent is written.
type halting struct {
	*journal
	stopped *atomic.Bool
}

func (h halting) Begin(ctx context.Context, act Act) (func(error), error) {
	ended, err := h.journal.Begin(ctx, act)
	h.stopped.Store(true)
	return ended, err
}

func TestWhatFollowsFromARequestIsGivenUpWhileEverythingIsStopped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, "synchronize: true")
		s.halts().Store(true)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- s.Follow(ctx) }()
		s.Admitted(s.opts.Snapshots.Current(), &engine.Request{Operation: engine.Connect, Kind: mapsKind, Namespace: "shop", Name: "web", Object: map[string]any{}})
		time.Sleep(time.Minute)
		expect(t, "writes", s.wrote(), "")
		if got := testutil.ToFloat64(s.metrics.dropped); got != 1 {
			t.Errorf("%v are counted as given up, want 1", got)
		}
		if !strings.Contains(s.log.String(), "everything is stopped by jane") {
			t.Errorf("the log does not say why:\n%s", s.log)
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// What is held, and what a policy or a Namespace wants to have less of, is left alone, and made as soon as it may be.
func TestWhatIsHeldOrWantedLessIsLeftAlone(t *testing.T) {
	hold := func(value string) map[string]string { return map[string]string{v1alpha1.AnnotationHold: value} }
	mode := func(value string) map[string]string {
		return map[string]string{v1alpha1.AnnotationReconcile: value}
	}
	for name, test := range map[string]struct {
		policy, namespace, twin map[string]string
		err                     error
		want, later             string // the writes at once, and within two hours
		failures                float64
	}{
		"nothing is said":                     {nil, nil, nil, nil, "update", "", 0},
		"a policy that enforces":              {mode("enforce"), nil, nil, nil, "update", "", 0},
		"a policy that only proposes":         {mode("propose"), nil, nil, nil, "", "", 0},
		"a policy that has things approved":   {mode("approve"), nil, nil, nil, "", "", 0},
		"a policy with a mode that is none":   {mode("enforced"), nil, nil, nil, "", "", 0},
		"a Namespace that only reports":       {nil, mode("report"), nil, nil, "", "", 0},
		"a Namespace that enforces":           {nil, mode("enforce"), nil, nil, "update", "", 0},
		"a Namespace that is held":            {nil, hold("always frozen"), nil, nil, "", "", 0},
		"an object that is held":              {nil, nil, hold("always"), nil, "", "", 0},
		"an object that is held for a while":  {nil, nil, hold("2000-01-01T01:00:00Z moving"), nil, "", "update", 0},
		"a hold that has ended":               {nil, nil, hold("1999-12-31"), nil, "update", "", 0},
		"a hold that cannot be read":          {nil, nil, hold("tomorrow"), nil, "", "", 0},
		"a Namespace that nobody can look at": {nil, nil, nil, errors.New("no answer"), "", "", 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSite(t, "synchronize: true")
				s.opts.Snapshots.Current().Policies()[0].Annotations = test.policy
				s.opts.Namespace = func(_ context.Context, name string) (map[string]string, error) {
					if name != "shop" {
						return nil, fmt.Errorf("asked for %s", name)
					}
					return test.namespace, test.err
				}
				trigger := s.trigger(t, "1", 0)
				twin := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "ConfigMap", "data": map[string]any{"a": "c"}}}
				twin.SetName("twin")
				twin.SetNamespace("shop")
				twin.SetUID("t")
				twin.SetAnnotations(test.twin)
				if err := s.client.Tracker().Add(twin); err != nil {
					t.Fatal(err)
				}
				defer s.run(t)()
				s.Found(trigger, wanting(s))
				expect(t, "at once", s.wrote(), test.want)
				if got := testutil.ToFloat64(s.metrics.failures); got != test.failures {
					t.Errorf("%v failures are counted, want %v", got, test.failures)
				}
				if test.err == nil {
					time.Sleep(2 * time.Hour)
					expect(t, "later", s.wrote(), test.later)
				}
			})
		})
	}
}
