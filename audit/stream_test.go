package audit

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/dynamic"
	clienttesting "k8s.io/client-go/testing"
)

// streaming hides that the client is a fake, and so answers as a real one.
type streaming struct{ dynamic.Interface }

// newStreamingCluster is a cluster whose server sends what initial says to who asks for initial events. Other watches it
// answers as newCluster does.
func newStreamingCluster(t *testing.T, initial func(*watch.FakeWatcher) error, policies ...string) *cluster {
	c := newCluster(t, policies...)
	c.opts.Client = streaming{c.client}
	c.client.PrependWatchReactor("*", func(a clienttesting.Action) (bool, watch.Interface, error) {
		asked := a.(clienttesting.WatchActionImpl).ListOptions
		if asked.SendInitialEvents == nil {
			return false, nil, nil
		}
		stream := watch.NewFakeWithChanSize(100, false)
		c.mu.Lock()
		c.verbs = append(c.verbs, "stream")
		c.streams = append(c.streams, stream)
		c.mu.Unlock()
		if asked.ResourceVersion != "" || asked.ResourceVersionMatch != metav1.ResourceVersionMatchNotOlderThan || !asked.AllowWatchBookmarks || asked.TimeoutSeconds != nil {
			t.Errorf("asked for initial events by %+v", asked)
		}
		return true, stream, initial(stream)
	})
	return c
}

// newClusterOfThree is one whose server tells of the Pods a, b and c, with these labels, to who asks first. To who asks later
// the test sends what is to be told.
func newClusterOfThree(t *testing.T, labels map[string]string) *cluster {
	var c *cluster
	first := true
	c = newStreamingCluster(t, func(stream *watch.FakeWatcher) error {
		if !first {
			return nil
		}
		first = false
		for _, uid := range []string{"a", "b", "c"} {
			stream.Add(c.object(podType, "n", uid, labels))
		}
		stream.Action(watch.Bookmark, bookmark("7", true))
		return nil
	}, policyFor("p", "Pod"))
	return c
}

func bookmark(version string, last bool) *unstructured.Unstructured {
	u := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "Pod"}}
	u.SetResourceVersion(version)
	if last {
		u.SetAnnotations(map[string]string{metav1.InitialEventsAnnotationKey: "true"})
	}
	return u
}

func TestObjectsAsEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c *cluster
		uids := []string{"a", "b"}
		c = newStreamingCluster(t, func(stream *watch.FakeWatcher) error {
			c.mu.Lock()
			there := slices.Clone(uids)
			c.mu.Unlock()
			for _, uid := range there {
				stream.Add(c.object(podType, "n", uid, nil))
			}
			stream.Action(watch.Bookmark, bookmark("5", false))
			stream.Action(watch.Bookmark, bookmark("7", true))
			return nil
		}, policyFor("p", "Pod"))
		c.run(t)
		c.expect(t, "the first events", "a fail, b fail, pods.v1: 2")
		stream := c.stream()
		c.stream().Add(c.object(podType, "n", "c", team))
		c.expect(t, "an event that follows", "c pass")
		if got := c.asked(); got != "stream" || c.stream() != stream {
			t.Errorf("asked %q, want one watch for all", got)
		}
		c.mu.Lock()
		uids = []string{"b", "c"}
		c.mu.Unlock()
		time.Sleep(time.Hour + time.Minute)
		c.expect(t, "at the next sweep", "c fail, pods.v1: 2")
		if got := c.asked(); strings.Count(got, "stream") != 1 || strings.Contains(got, "list") {
			t.Errorf("asked %q", got)
		}
		if coverage := c.Coverage()[0]; coverage.Objects != 2 || !coverage.Watching || coverage.Listed.IsZero() {
			t.Errorf("coverage: %+v", coverage)
		}
		c.stop()
	})
}

func TestObjectsInPagesWhereEventsDoNotCome(t *testing.T) {
	invalid := apierrors.NewInvalid(schema.GroupKind{Group: "meta.k8s.io", Kind: "ListOptions"}, "", nil)
	for name, test := range map[string]struct {
		initial func(c *cluster, stream *watch.FakeWatcher) error
		wait    time.Duration
		again   string // what the next sweep asks for
	}{
		"a server that forbids it":        {func(*cluster, *watch.FakeWatcher) error { return invalid }, 0, "list"},
		"a server that says so by events": {func(_ *cluster, s *watch.FakeWatcher) error { s.Error(&invalid.ErrStatus); return nil }, 0, "list"},
		"a server that knows nothing of it": {func(c *cluster, s *watch.FakeWatcher) error {
			s.Add(c.object(podType, "n", "a", nil))
			return nil
		}, quiet, "list"},
		"a server that ends the watch too soon": {func(c *cluster, s *watch.FakeWatcher) error {
			s.Add(c.object(podType, "n", "gone", nil))
			s.Stop()
			return nil
		}, 0, "stream list"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var c *cluster
				c = newStreamingCluster(t, func(stream *watch.FakeWatcher) error { return test.initial(c, stream) }, policyFor("p", "Pod"))
				c.create(t, podType, "n", "a", nil)
				c.run(t)
				time.Sleep(test.wait)
				synctest.Wait()
				if got := c.asked(); got != "stream list watch" {
					t.Errorf("asked %q", got)
				}
				if got := fmt.Sprint(c.known); !strings.Contains(got, "a:fail") || c.Coverage()[0].Objects != 1+strings.Count(got, "gone") && c.Coverage()[0].Stale {
					t.Errorf("known: %s, coverage %+v", got, c.Coverage()[0])
				}
				c.snapshots.Store(compile(t, policyFor("p", "Pod"), policyFor("q", "Pod")))
				c.BundleChanged()
				synctest.Wait()
				if got := c.asked(); got != test.again {
					t.Errorf("for another bundle: asked %q, want %q", got, test.again)
				}
				c.stop()
			})
		})
	}
}

// A watch that nobody answers any more is given up soon after it should have ended.
func TestAWatchThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, policyFor("p", "Pod"))
		c.create(t, podType, "n", "a", nil)
		c.run(t)
		c.told()
		c.asked()
		time.Sleep(2 * time.Minute)
		c.stream().Action(watch.Bookmark, bookmark("9", false))
		synctest.Wait()
		if heard := c.Coverage()[0].Heard; !heard.Equal(time.Now()) {
			t.Errorf("heard at %s, want now, %s", heard, time.Now())
		}
		if got := c.asked(); got != "" {
			t.Errorf("asked %q", got)
		}
		time.Sleep(4 * time.Minute)
		synctest.Wait()
		if got := c.asked(); got != "watch" {
			t.Errorf("half a minute after the time of the watch: asked %q", got)
		}
		c.stream().Add(c.object(podType, "n", "b", nil))
		c.expect(t, "an event of the new watch", "b fail")
		if coverage := c.Coverage()[0]; coverage.Stale || !coverage.Watching {
			t.Errorf("coverage: %+v", coverage)
		}
		c.stop()
	})
}

// What may not be read shows as a gap, by name, until it may be.
func TestATypeThatIsForbidden(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, policyFor("p", "Pod", "Secret"))
		forbidden := true
		c.client.PrependReactor("list", "secrets", func(clienttesting.Action) (bool, runtime.Object, error) {
			c.mu.Lock()
			defer c.mu.Unlock()
			if forbidden {
				return true, nil, apierrors.NewForbidden(secret.Resource.GroupResource(), "", errors.New("no RBAC policy matched"))
			}
			return false, nil, nil
		})
		c.create(t, secret, "n", "s", nil)
		c.run(t)
		c.expect(t, "at first", "pods.v1: 0")
		coverage := c.Coverage()
		want := `listing secrets.v1: secrets is forbidden: no RBAC policy matched`
		if len(coverage) != 2 || coverage[1].Type.Resource.Resource != "secrets" || !coverage[1].Stale || coverage[1].Error != want || !coverage[1].Listed.IsZero() || coverage[0].Stale {
			t.Errorf("coverage: %+v", coverage)
		}
		c.mu.Lock()
		forbidden = false
		c.mu.Unlock()
		time.Sleep(time.Minute)
		c.expect(t, "when it may be read", "s fail, secrets.v1: 1")
		if coverage := c.Coverage(); coverage[1].Stale || coverage[1].Judged != 1 {
			t.Errorf("coverage: %+v", coverage)
		}
		c.stop()
	})
}
