package audit

import (
	"testing"
	"testing/synctest"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/watch"
)

// While a sweep reads thousands of objects, what happens is seen by the watch, and not undone by what the sweep read before.
func TestWhatHappensDuringASweep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClusterOfThree(t, nil)
		c.run(t)
		c.expect(t, "the first sweep", "a fail, b fail, c fail, pods.v1: 3")
		following := c.stream()

		c.snapshots.Store(compile(t, policyFor("p", "Pod"), policyFor("q", "Pod")))
		c.BundleChanged()
		synctest.Wait()
		sweeping := c.stream()
		read := map[string]func(){}
		for _, uid := range []string{"a", "b", "c"} {
			u := c.object(podType, "n", uid, nil)
			read[uid] = func() { sweeping.Add(u) }
		}
		following.Modify(c.object(podType, "n", "a", team))
		c.expect(t, "a change", "a pass pass")
		following.Delete(c.object(podType, "n", "b", nil))
		c.expect(t, "an end", "b gone")
		following.Add(c.object(podType, "n", "d", nil))
		c.expect(t, "a beginning", "d fail fail")
		if coverage := c.Coverage()[0]; !coverage.Watching {
			t.Errorf("coverage: %+v", coverage)
		}

		read["a"]()
		read["b"]()
		c.expect(t, "what the sweep read before", "")
		read["c"]()
		sweeping.Action(watch.Bookmark, bookmark("7", true))
		c.expect(t, "the end of the sweep", "c fail fail, pods.v1: 3")
		if coverage := c.Coverage()[0]; coverage.Objects != 3 || !coverage.Watching || coverage.Stale {
			t.Errorf("coverage: %+v", coverage)
		}
		following.Add(c.object(podType, "n", "e", team))
		c.expect(t, "the watch goes on", "e pass pass")
		if got := c.asked(); got != "stream stream" {
			t.Errorf("asked %q", got)
		}
		c.stop()
	})
}

// A watch that loses its place takes the sweep beside it along: the next one begins anew.
func TestAWatchThatEndsDuringASweep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c *cluster
		n := 0
		c = newStreamingCluster(t, func(stream *watch.FakeWatcher) error {
			if n++; n == 2 {
				return nil // it never ends
			}
			stream.Add(c.object(podType, "n", "a", nil))
			stream.Action(watch.Bookmark, bookmark("7", true))
			return nil
		}, policyFor("p", "Pod"))
		c.run(t)
		c.expect(t, "the first sweep", "a fail, pods.v1: 1")
		following := c.stream()
		c.snapshots.Store(compile(t, policyFor("p", "Pod"), policyFor("q", "Pod")))
		c.BundleChanged()
		synctest.Wait()
		following.Error(&apierrors.NewResourceExpired("too old resource version").ErrStatus)
		c.expect(t, "the watch has ended", "")
		time.Sleep(time.Second)
		c.expect(t, "the sweep after that", "a fail fail, pods.v1: 1")
		c.stop()
	})
}
