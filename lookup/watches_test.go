package lookup

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// What does not fit into memory is read when asked, whether it is too large from the start or grows.
func TestAWatchThatHoldsTooMuchEnds(t *testing.T) {
	bubble(t, func(t *testing.T) {
		large := func(name string) *unstructured.Unstructured {
			return object("ConfigMap", "a", name, map[string]any{"data": map[string]any{"x": strings.Repeat("x", 1000)}})
		}
		w := newWorld(t, large("1"), large("2")).start(t)
		run := newTasks()
		defer run.close()
		small := watchOptions{client: w.dynamic, resource: resourceOfConfigMaps, limit: 2500, report: func(error) {}}
		one := newWatch(run, small)
		says(t, one.wait(t.Context()), "")
		if _, err := w.dynamic.Resource(resourceOfConfigMaps).Namespace("a").Create(t.Context(), large("3"), metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		says(t, one.wait(t.Context()), "the watch of configmaps holds 0.0 MB: the limit is 0.0 MB")

		w.objects.watches.byKind[resourceOfConfigMaps] = one
		list, err := w.List(t.Context(), configMaps, "", nil)
		says(t, err, "")
		if len(list) != 3 {
			t.Errorf("%d objects", len(list))
		}

		first := newWatch(run, small)
		says(t, first.wait(t.Context()), "the watch of configmaps holds 0.0 MB: the limit is 0.0 MB")
	})
}

func TestTheNumberOfWatchesIsBounded(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t).start(t)
		for i := range maxWatches {
			if w.objects.watches.of(widgets(i)) == nil {
				t.Fatalf("no watch for kind %d", i)
			}
			time.Sleep(time.Second)
		}
		if w.objects.watches.of(widgets(maxWatches)) != nil {
			t.Error("there is one more than may be")
		}
		time.Sleep(idleAfter)
		first, second := w.objects.watches.of(widgets(0)), w.objects.watches.byKind[widgets(1)]
		if w.objects.watches.of(widgets(maxWatches)) == nil {
			t.Error("what nobody asks for makes no room")
		}
		if w.objects.watches.of(widgets(0)) != first {
			t.Error("what was asked for a moment ago made room")
		}
		says(t, second.wait(t.Context()), "it was stopped")
		if kinds, _, _ := w.objects.watches.held(); kinds != maxWatches {
			t.Errorf("%d kinds are watched", kinds)
		}
	})
}

// An API server that does not answer costs a request no more than its own time.
func TestALookUpEndsWithItsTime(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		w.options.Timeout = 3 * time.Second
		w.start(t)
		w.fail("list", "configmaps", errors.New("etcd is away"))
		begun := time.Now()
		_, err := w.Get(t.Context(), configMaps, "a", "x")
		says(t, err, "looking up ConfigMap a/x: no answer in time (3s at most)")
		if took := time.Since(begun); took != 3*time.Second {
			t.Errorf("it took %s", took)
		}
		if outcome(err) != "timeout" {
			t.Errorf("the outcome is %s", outcome(err))
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err = w.List(ctx, configMaps, "a", nil)
		says(t, err, "listing ConfigMap: context canceled")
	})
}
