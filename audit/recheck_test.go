package audit

import (
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	clienttesting "k8s.io/client-go/testing"
)

// slowReads has single objects read when the test lets them: each read takes what was sent.
func slowReads(c *cluster) chan<- *unstructured.Unstructured {
	answers := make(chan *unstructured.Unstructured)
	c.client.PrependReactor("get", "*", func(clienttesting.Action) (bool, runtime.Object, error) {
		return true, <-answers, nil
	})
	return answers
}

// Objects that are read once more, because their findings settle or something else has changed, do not hold up what the
// watch tells meanwhile; and what was read before that does not undo it.
func TestWhatHappensWhileObjectsAreReadOnceMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, policyFor("p", "Pod"))
		answers := slowReads(c)
		c.create(t, podType, "n", "a", nil)
		c.create(t, podType, "n", "b", nil)
		c.run(t)
		c.expect(t, "the first list", "a fail, b fail, pods.v1: 2")
		oldA, oldB := c.object(podType, "n", "a", nil), c.object(podType, "n", "b", nil)
		c.Recheck(podType.Kind, "b")
		time.Sleep(recheckGap)
		synctest.Wait() // it is being read
		c.stream().Modify(c.object(podType, "n", "a", team))
		c.expect(t, "a change", "a pass")
		if got := c.newsOf(); got != "a" {
			t.Errorf("news are of %q", got)
		}
		c.stream().Delete(c.object(podType, "n", "b", nil))
		c.expect(t, "an end", "b gone")
		answers <- oldB
		c.expect(t, "what was read before the end", "")

		c.Recheck(podType.Kind, "a")
		time.Sleep(recheckGap)
		answers <- oldA
		c.expect(t, "what was read before the change", "")
		c.Recheck(podType.Kind, "a")
		time.Sleep(recheckGap)
		answers <- c.object(podType, "n", "a", nil)
		c.expect(t, "what was read after it", "a fail")
		if coverage := c.Coverage()[0]; coverage.Objects != 1 || !coverage.Watching {
			t.Errorf("coverage: %+v", coverage)
		}
		c.stop()
	})
}

// What is to be read once more when a watch ends, is read beside the next one.
func TestWhatWasToBeReadIsReadBesideTheNextWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, policyFor("p", "Pod"))
		c.create(t, podType, "n", "a", nil)
		c.run(t)
		c.expect(t, "the first list", "a fail, pods.v1: 1")
		time.Sleep(time.Minute)
		c.Recheck(podType.Kind, "a")
		synctest.Wait()
		c.stream().Stop()
		synctest.Wait()
		time.Sleep(recheckGap)
		c.expect(t, "it is read", "a fail")
		c.stop()
	})
}

// A sweep may find an object changed before the watch tells of it, and is then the one to tell that something has just
// happened: what the watch tells after it is known.
func TestASweepThatIsAheadOfTheWatchTellsNews(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClusterOfThree(t, team)
		c.run(t)
		c.expect(t, "the first sweep", "a pass, b pass, c pass, pods.v1: 3")
		if got := c.newsOf(); got != "" {
			t.Errorf("the first sweep tells news of %q", got)
		}
		following := c.stream()
		c.snapshots.Store(compile(t, policyFor("p", "Pod"), policyFor("q", "Pod")))
		c.BundleChanged()
		synctest.Wait()
		sweeping := c.stream()
		unchanged := c.object(podType, "n", "a", team)
		unchanged.SetResourceVersion("1")
		drifted, made := c.object(podType, "n", "b", nil), c.object(podType, "n", "d", nil)
		sweeping.Add(unchanged)
		sweeping.Add(drifted.DeepCopy())
		sweeping.Add(made.DeepCopy())
		c.expect(t, "the sweep", "a pass pass, b fail fail, d fail fail")
		following.Modify(drifted)
		following.Add(made)
		c.expect(t, "the watch", "")
		if got := c.newsOf(); got != "b d" {
			t.Errorf("news are of %q, want those that changed", got)
		}
		c.stop()
	})
}
