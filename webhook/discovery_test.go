package webhook

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	metadatafake "k8s.io/client-go/metadata/fake"
)

// lister answers what a test puts there.
type lister struct {
	mu    sync.Mutex
	lists []*metav1.APIResourceList
	err   error
	calls int
}

func (l *lister) ServerGroupsAndResources() ([]*metav1.APIGroup, []*metav1.APIResourceList, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.calls++
	return nil, l.lists, l.err
}

func (l *lister) asked() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.calls
}

func (l *lister) set(err error, lists ...*metav1.APIResourceList) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lists, l.err = lists, err
}

var (
	coreList = &metav1.APIResourceList{GroupVersion: "v1", APIResources: []metav1.APIResource{
		{Name: "pods", Kind: "Pod", Namespaced: true, Verbs: metav1.Verbs{"create", "update"}},
		{Name: "pods/exec", Kind: "PodExecOptions", Namespaced: true, Verbs: metav1.Verbs{"create"}},
		{Name: "orphans/status", Kind: "Orphan"},
	}}
	squidList = &metav1.APIResourceList{GroupVersion: "example.com/v1", APIResources: []metav1.APIResource{
		{Name: "squids", Kind: "Squid", Verbs: metav1.Verbs{"create"}},
		{Name: "squids/scale", Kind: "Scale", Group: "autoscaling", Version: "v1", Verbs: metav1.Verbs{"update"}},
	}}
)

func newTestDiscovery(t *testing.T, l *lister, logger *slog.Logger) *Discovery {
	t.Helper()
	d, err := NewDiscovery(DiscoveryOptions{Client: l, Logger: logger})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestASubresourceHasItsParentsKind(t *testing.T) {
	l := &lister{}
	l.set(nil, squidList, coreList)
	d := newTestDiscovery(t, l, nil)
	if err := d.Refresh(); err != nil {
		t.Fatal(err)
	}
	same(t, d.Resources(), []Resource{
		{Version: "v1", Name: "pods", Kind: "Pod", Namespaced: true, Verbs: []string{"create", "update"}},
		{Version: "v1", Name: "pods", SubResource: "exec", Kind: "Pod", Namespaced: true, Verbs: []string{"create"}},
		{Group: "example.com", Version: "v1", Name: "squids", Kind: "Squid", Verbs: []string{"create"}},
		{Group: "example.com", Version: "v1", Name: "squids", SubResource: "scale", Kind: "Squid", Verbs: []string{"update"}},
	})
	squids := schema.GroupVersionResource{Group: "example.com", Version: "v1", Resource: "squids"}
	if k, ok := d.KindOf(squids); !ok || k != (schema.GroupVersionKind{Group: "example.com", Version: "v1", Kind: "Squid"}) {
		t.Errorf("squids are %v, %t", k, ok)
	}
	if _, ok := d.KindOf(schema.GroupVersionResource{Resource: "whales"}); ok {
		t.Error("whales are known")
	}
}

// An aggregated API that is down stays known; one that is gone does not.
func TestWhatCannotBeAskedStaysKnown(t *testing.T) {
	l := &lister{}
	l.set(nil, coreList, squidList)
	d := newTestDiscovery(t, l, nil)
	if err := d.Refresh(); err != nil {
		t.Fatal(err)
	}
	<-d.Changed()
	changed := func() bool {
		select {
		case <-d.Changed():
			return true
		default:
			return false
		}
	}
	reader := d.Subscribe()
	squid := schema.GroupVersion{Group: "example.com", Version: "v1"}
	l.set(&discovery.ErrGroupDiscoveryFailed{Groups: map[schema.GroupVersion]error{squid: errors.New("it is down")}}, coreList)
	want := "asking the API server what it serves: unable to retrieve the complete list of server APIs: example.com/v1: it is down"
	if err := d.Refresh(); err == nil || err.Error() != want {
		t.Errorf("got %v, expected %s", err, want)
	}
	if len(d.Resources()) != 4 || changed() {
		t.Errorf("a group that is down was forgotten: %v", d.Resources())
	}
	l.set(errors.New("nobody answers"))
	if err := d.Refresh(); err == nil || err.Error() != "asking the API server what it serves: nobody answers" {
		t.Errorf("got %v", err)
	}
	if len(d.Resources()) != 4 || changed() {
		t.Error("everything was forgotten")
	}
	l.set(nil, coreList)
	if err := d.Refresh(); err != nil {
		t.Fatal(err)
	}
	if len(d.Resources()) != 2 || !changed() {
		t.Error("a group that is gone is still known, or nobody is told")
	}
	select {
	case <-reader:
	default:
		t.Error("another reader was not told")
	}
}

func TestDiscoveryKeepsUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		l := &lister{}
		l.set(errors.New("nobody answers"))
		d := newTestDiscovery(t, l, slog.New(slog.NewTextHandler(&log, nil)))
		var running sync.WaitGroup
		stop := make(chan struct{})
		ctx := contextUntil(t, stop)
		running.Go(func() {
			if err := d.Run(ctx); err != nil {
				t.Error(err)
			}
		})
		synctest.Wait()
		if !strings.Contains(log.String(), "nobody answers") {
			t.Errorf("the log says %s", log.String())
		}
		l.set(nil, coreList)
		start := time.Now()
		<-d.Changed()
		if took := time.Since(start); took != 30*time.Second {
			t.Errorf("what came by itself took %s", took)
		}
		// After a poke it looks again soon, because the API server takes a while.
		d.Poke()
		synctest.Wait()
		l.set(nil, coreList, squidList)
		start = time.Now()
		<-d.Changed()
		if took := time.Since(start); took != 500*time.Millisecond {
			t.Errorf("what came after a poke took %s", took)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		before := l.asked()
		time.Sleep(time.Minute)
		synctest.Wait()
		if l.asked()-before != 2 {
			t.Errorf("a minute of peace costs %d calls", l.asked()-before)
		}
		close(stop)
		running.Wait()
	})
}

func TestADefinitionIsHeardOf(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		scheme := metadatafake.NewTestScheme()
		if err := metav1.AddMetaToScheme(scheme); err != nil {
			t.Fatal(err)
		}
		definitions := metadatafake.NewSimpleMetadataClient(scheme)
		l := &lister{}
		l.set(nil, coreList)
		d, err := NewDiscovery(DiscoveryOptions{Client: l, Definitions: definitions})
		if err != nil {
			t.Fatal(err)
		}
		stop := make(chan struct{})
		ctx := contextUntil(t, stop)
		var running sync.WaitGroup
		running.Go(func() { _ = d.Run(ctx) })
		<-d.Changed()
		synctest.Wait()
		crds := schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"}
		err = definitions.Tracker().Create(crds, &metav1.PartialObjectMetadata{
			TypeMeta: metav1.TypeMeta{APIVersion: "apiextensions.k8s.io/v1", Kind: "CustomResourceDefinition"}, ObjectMeta: metav1.ObjectMeta{Name: "squids.example.com"},
		}, "")
		if err != nil {
			t.Fatal(err)
		}
		l.set(nil, coreList, squidList) // as an API server does, a little later
		start := time.Now()
		<-d.Changed()
		if took := time.Since(start); took > 2*time.Second {
			t.Errorf("it took %s", took)
		}
		close(stop)
		running.Wait()
	})
}
