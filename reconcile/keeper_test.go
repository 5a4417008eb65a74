package reconcile

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic/fake"
	clienttesting "k8s.io/client-go/testing"

	"github.com/holdfast-io/holdfast/engine"
	"github.com/holdfast-io/holdfast/engine/enginetest"
)

// What the API server does right is tested on a real one (e2e/scenarios); here is what it does not do at will.

var (
	maps     = schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}
	mapsKind = schema.GroupVersionKind{Version: "v1", Kind: "ConfigMap"}
)

type site struct {
	*Keeper
	client *fake.FakeDynamicClient
	log    *bytes.Buffer

	mu     sync.Mutex
	errors []error // of the next writes
	writes []string
}

type fixed struct{ snapshot *engine.Snapshot }

func (f fixed) Current() *engine.Snapshot { return f.snapshot }

// reading answers look-ups from the same client.
type reading struct {
	engine.NoLookups
	client *fake.FakeDynamicClient
}

func (r reading) Get(ctx context.Context, _ schema.GroupVersionKind, namespace, name string) (map[string]any, error) {
	u, err := r.client.Resource(maps).Namespace(namespace).Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, engine.ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	return engine.Normalize(u.Object), nil
}

func newSite(t *testing.T, generate string) *site {
	t.Helper()
	snapshot := enginetest.Snapshot(t, `
apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {name: p}
spec:
  rules:
  - name: r
    match: {any: [{resources: {kinds: [ConfigMap], names: [web]}}]}
    generate: {apiVersion: v1, kind: ConfigMap, name: twin, namespace: shop, `+generate+`, data: {data: {a: b}}}
`)
	s := &site{log: &bytes.Buffer{}}
	s.client = fake.NewSimpleDynamicClientWithCustomListKinds(runtime.NewScheme(), map[schema.GroupVersionResource]string{maps: "ConfigMapList"})
	for _, verb := range []string{"create", "update", "delete", "patch"} {
		s.client.PrependReactor(verb, "configmaps", func(a clienttesting.Action) (bool, runtime.Object, error) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.writes = append(s.writes, a.GetVerb())
			if len(s.errors) == 0 {
				return false, nil, nil
			}
			err := s.errors[0]
			s.errors = s.errors[1:]
			return true, nil, err
		})
	}
	var err error
	s.Keeper, err = New(Options{
		Client: s.client, Snapshots: fixed{snapshot}, Logger: slog.New(slog.NewTextHandler(s.log, nil)), Metrics: prometheus.NewPedanticRegistry(),
		Resource: func(k schema.GroupVersionKind) (schema.GroupVersionResource, bool) { return maps, k == mapsKind },
		Inputs:   func() *engine.Inputs { return &engine.Inputs{Lookups: reading{client: s.client}, Now: time.Now} },
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// wrote gives the writes since the last call.
func (s *site) wrote() string {
	synctest.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	out := strings.Join(s.writes, " ")
	s.writes = nil
	return out
}

func (s *site) failing(errs ...error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.errors = errs
}

func (s *site) run(t *testing.T) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- s.Run(ctx) }()
	synctest.Wait()
	return func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

// trigger writes the ConfigMap web in a state of its own, last written so long ago.
func (s *site) trigger(t *testing.T, version string, age time.Duration) Trigger {
	t.Helper()
	u := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "ConfigMap"}}
	u.SetName("web")
	u.SetNamespace("shop")
	u.SetUID("u")
	u.SetResourceVersion(version)
	u.SetCreationTimestamp(metav1.NewTime(time.Now().Add(-age)))
	err := s.client.Tracker().Add(u)
	if err != nil {
		t.Fatal(err)
	}
	return Trigger{Kind: mapsKind, Namespace: "shop", Name: "web", UID: "u"}
}

// wanting is what an audit of the trigger says.
func wanting(s *site) []engine.Decision {
	r := s.opts.Snapshots.Current().Policies()[0].Rules[0]
	return []engine.Decision{{Rule: r, Policy: r.Policy, Status: engine.Fail, Changes: []engine.Change{{}}}}
}

func expect(t *testing.T, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %q, want %q", what, got, want)
	}
}

func TestAChangeThatFailsIsMadeLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, "synchronize: true")
		trigger := s.trigger(t, "1", 0)
		defer s.run(t)()
		s.failing(apierrors.NewForbidden(maps.GroupResource(), "twin", fmt.Errorf("no")), apierrors.NewInternalError(fmt.Errorf("no")))
		s.Found(trigger, wanting(s))
		expect(t, "writes at once", s.wrote(), "create")
		if !strings.Contains(s.log.String(), "grant it to holdfast's ServiceAccount") {
			t.Errorf("the log does not say what to do:\n%s", s.log)
		}
		time.Sleep(s.opts.Retry)
		expect(t, "writes after a wait", s.wrote(), "create")
		time.Sleep(2 * s.opts.Retry)
		expect(t, "writes after a longer one", s.wrote(), "create")
		if got := testutil.ToFloat64(s.metrics.changes.WithLabelValues("create", "failed")); got != 2 {
			t.Errorf("%v failures are counted, want 2", got)
		}
		s.Found(trigger, wanting(s))
		expect(t, "writes of what is there", s.wrote(), "")
		time.Sleep(time.Hour)
		expect(t, "writes later", s.wrote(), "")
	})
}

func TestWhatSomebodyElseWasQuickerToMakeIsNoFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, "synchronize: true")
		trigger := s.trigger(t, "1", 0)
		defer s.run(t)()
		s.failing(apierrors.NewAlreadyExists(maps.GroupResource(), "twin"))
		s.Found(trigger, wanting(s))
		expect(t, "writes", s.wrote(), "create")
		if got := testutil.ToFloat64(s.metrics.failures); got != 0 {
			t.Errorf("%v failures are counted, want none", got)
		}
		time.Sleep(s.opts.Retry)
		expect(t, "writes after a wait", s.wrote(), "create")
	})
}

func TestARuleThatDoesNotKeepActsOnceOnEachState(t *testing.T) {
	remove := func(t *testing.T, s *site) {
		t.Helper()
		if err := s.client.Tracker().Delete(maps, "shop", "twin"); err != nil {
			t.Fatal(err)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, "synchronize: false")
		trigger := s.trigger(t, "1", time.Minute)
		defer s.run(t)()
		s.Found(trigger, wanting(s))
		expect(t, "a trigger that was written a minute ago", s.wrote(), "create")
		remove(t, s)
		s.Found(trigger, wanting(s))
		expect(t, "what somebody took away", s.wrote(), "")
		if err := s.client.Tracker().Delete(maps, "shop", "web"); err != nil {
			t.Fatal(err)
		}
		s.trigger(t, "2", time.Minute)
		s.Found(trigger, wanting(s))
		expect(t, "the trigger written again", s.wrote(), "create")
	})
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, "synchronize: false")
		trigger := s.trigger(t, "1", time.Hour)
		defer s.run(t)()
		s.Found(trigger, wanting(s))
		expect(t, "a trigger that was written long before we began", s.wrote(), "")
	})
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, "synchronize: true")
		trigger := s.trigger(t, "1", time.Hour)
		s.Found(trigger, wanting(s))
		defer s.run(t)()
		expect(t, "what was found just before we began, for a rule that keeps", s.wrote(), "create")
		s.Found(Trigger{Kind: mapsKind, Namespace: "shop", Name: "web", UID: "another"}, wanting(s))
		expect(t, "an object that has taken the trigger's place", s.wrote(), "")
	})
}

func TestOptionsAreChecked(t *testing.T) {
	if _, err := New(Options{}); err == nil || err.Error() != "reconcile options: Client is missing" {
		t.Errorf("got %v", err)
	}
	s := newSite(t, "synchronize: true")
	opts := s.opts
	opts.Metrics, opts.Retry, opts.RetryMax = nil, time.Hour, time.Minute
	if _, err := New(opts); err == nil || err.Error() != "reconcile options: times must be positive, and RetryMax not below Retry" {
		t.Errorf("got %v", err)
	}
}

// journal keeps a record of acts, unless it is told to refuse.
type journal struct {
	mu      sync.Mutex
	record  []string
	refuses error
}

func (j *journal) Begin(_ context.Context, act Act) (func(error), error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.refuses != nil {
		return nil, j.refuses
	}
	what := fmt.Sprintf("%s %s for %s by %s, bundle %t", act.Change.Action, act.Change.Name, act.Trigger, act.Rule.Name, act.Bundle != "")
	j.record = append(j.record, "intent: "+what)
	return func(err error) {
		j.mu.Lock()
		defer j.mu.Unlock()
		j.record = append(j.record, fmt.Sprintf("outcome: %v", err))
	}, nil
}

func TestAnActIsRecordedBeforeItIsDoneAndNotDoneWithout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, "synchronize: true")
		j := &journal{refuses: fmt.Errorf("the disk is full")}
		s.opts.Journal = j
		trigger := s.trigger(t, "1", 0)
		defer s.run(t)()
		s.Found(trigger, wanting(s))
		expect(t, "writes without a record", s.wrote(), "")
		if want := "not done, because it could not be recorded: the disk is full"; !strings.Contains(s.log.String(), want) {
			t.Errorf("the log does not say %q:\n%s", want, s.log)
		}
		j.mu.Lock()
		j.refuses = nil
		j.mu.Unlock()
		s.failing(apierrors.NewInternalError(fmt.Errorf("no")))
		time.Sleep(time.Minute)
		expect(t, "writes with one", s.wrote(), "create create")
		const intent = "intent: create twin for ConfigMap/shop/web by r, bundle true"
		want := intent + "; outcome: Internal error occurred: no; " + intent + "; outcome: <nil>"
		expect(t, "the record", strings.Join(j.record, "; "), want)
	})
}
