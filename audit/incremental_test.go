package audit

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/holdfast-io/holdfast/engine"
)

func TestWhatNoRuleReadsIsNotJudged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, policyFor("p", "Pod"))
		c.create(t, podType, "n", "a", nil)
		c.run(t)
		c.expect(t, "the first list", "a fail, pods.v1: 1")
		first := c.object(podType, "n", "a", nil)
		first.SetAnnotations(map[string]string{"beat": "0"})
		c.stream().Modify(first)
		c.expect(t, "annotations that there were none of", "a fail")
		for i := range 5 {
			u := c.object(podType, "n", "a", nil)
			u.Object["status"] = map[string]any{"phase": "Running", "beat": int64(i)}
			u.SetManagedFields(nil)
			u.SetAnnotations(map[string]string{"beat": fmt.Sprint(i)})
			c.stream().Modify(u)
		}
		c.expect(t, "heartbeats", "")
		if judged, unchanged := testutil.ToFloat64(c.metrics.judged), testutil.ToFloat64(c.metrics.unchanged); judged != 2 || unchanged != 5 {
			t.Errorf("%v objects judged and %v unchanged, want 2 and 5", judged, unchanged)
		}
		c.stream().Modify(c.object(podType, "n", "a", team))
		c.expect(t, "the label", "a pass")
		c.stop()
	})
}

func TestAnotherBundleListsOnlyWhatItIsAbout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, policyFor("p", "Pod"), policyFor("s", "Secret"))
		c.create(t, podType, "n", "a", nil)
		c.create(t, secret, "n", "s", nil)
		c.run(t)
		c.expect(t, "the first list", "a fail, pods.v1: 1, s fail, secrets.v1: 1")
		c.asked()
		for _, step := range []struct {
			when     string
			policies []string
			told     string
			asked    string
		}{
			{"the same policies in another order", []string{policyFor("s", "Secret"), policyFor("p", "Pod")}, "", ""},
			{"another policy for one type", []string{policyFor("s", "Secret"), policyFor("p", "Pod"), policyFor("q", "Pod")}, "a fail fail, pods.v1: 1", "list"},
			{"one less for it", []string{policyFor("s", "Secret"), policyFor("p", "Pod")}, "a fail, pods.v1: 1", "list"},
			{"one for a type that nobody has", []string{policyFor("s", "Secret"), policyFor("p", "Pod"), policyFor("w", "Whale")}, "", ""},
		} {
			c.snapshots.Store(compile(t, step.policies...))
			c.BundleChanged()
			time.Sleep(2 * bundleGap)
			c.expect(t, step.when, step.told)
			if got := c.asked(); got != step.asked {
				t.Errorf("%s: asked %q, want %q", step.when, got, step.asked)
			}
		}
		c.stop()
	})
}

// 200 changes in a minute count once a second, and the last of them soon.
func TestAStormOfPolicies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, policyFor("p", "Pod"))
		c.create(t, podType, "n", "a", nil)
		c.run(t)
		c.asked()
		for i := range 200 {
			c.snapshots.Store(compile(t, policyFor("p", "Pod"), policyFor(fmt.Sprint("q", i), "Pod")))
			c.BundleChanged()
			time.Sleep(300 * time.Millisecond)
			c.told()
		}
		c.snapshots.Store(compile(t, policyFor("p", "Pod"), policyFor("q", "Pod"), policyFor("r", "Pod")))
		c.BundleChanged()
		time.Sleep(bundleGap)
		synctest.Wait()
		if got := c.known["a"]; got != "fail fail fail" {
			t.Errorf("a second after the last change: %q", got)
		}
		if n := strings.Count(c.asked(), "list"); n < 40 || n > 70 {
			t.Errorf("%d lists, want about one a second", n)
		}
		c.stop()
	})
}

// Each object is judged in exactly one of several shards, and told gone there alone.
func TestShards(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const shards, objects = 3, 60
		var all []*cluster
		for i := range shards {
			c := newCluster(t, policyFor("p", "Pod"))
			c.opts.Mine = func(_, uid string) bool { return len(uid)%shards == i }
			for o := range objects {
				c.create(t, podType, "n", strings.Repeat("a", o+1), nil)
			}
			c.run(t)
			all = append(all, c)
		}
		synctest.Wait()
		judgedBy := map[string]int{}
		for _, c := range all {
			for uid := range c.known {
				judgedBy[uid]++
			}
			if got := c.Coverage()[0].Objects; got != objects/shards {
				t.Errorf("a shard knows %d objects, want %d", got, objects/shards)
			}
			c.told()
		}
		for o := range objects {
			if uid := strings.Repeat("a", o+1); judgedBy[uid] != 1 {
				t.Errorf("%s is judged by %d shards", uid, judgedBy[uid])
			}
		}
		for i, c := range all {
			c.stream().Delete(c.object(podType, "n", "aaa", nil))
			want := ""
			if i == 0 {
				want = "aaa gone"
			}
			c.expect(t, "an object that is deleted", want)
			c.snapshots.Store(compile(t))
			c.BundleChanged()
			c.expect(t, "no policy any more, and the objects of others are still theirs", "pods.v1: 0")
			c.stop()
		}
	})
}

// panicking makes the evaluation of an object panic, as a defect of a function would.
type panicking struct {
	noLookups
	on *atomic.Bool
}

func (p panicking) Get(context.Context, schema.GroupVersionKind, string, string) (map[string]any, error) {
	if p.on.Load() {
		panic("a defect")
	}
	return map[string]any{}, nil
}

func TestAnObjectThatCannotBeJudged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, policyFor("p", "Pod"), `
apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {name: looks, annotations: {pod-policies.kyverno.io/autogen-controllers: none}}
spec:
  rules:
  - name: r
    match: {any: [{resources: {kinds: [Pod], names: [b]}}]}
    context: [{name: c, configMap: {name: settings, namespace: "n"}}]
    validate: {deny: {conditions: {any: [{key: "{{ c.data.x || '' }}", operator: Equals, value: "y"}]}}}
`)
		on := &atomic.Bool{}
		c.opts.Inputs = func() *engine.Inputs { return &engine.Inputs{Lookups: panicking{on: on}, Now: time.Now} }
		c.create(t, podType, "n", "a", nil)
		c.create(t, podType, "n", "b", nil)
		c.run(t)
		c.expect(t, "at first", "a fail, b pass fail, pods.v1: 2")
		on.Store(true)
		c.stream().Modify(c.object(podType, "n", "b", team))
		c.expect(t, "what is known of it stands", "")
		if got := c.Coverage()[0]; got.Objects != 2 || got.Failed != 1 {
			t.Errorf("coverage: %+v", got)
		}
		if !strings.Contains(c.log.String(), "An object could not be judged; its report stays as it is") || !strings.Contains(c.log.String(), "a defect") {
			t.Errorf("log: %s", c.log)
		}
		on.Store(false)
		c.stream().Modify(c.object(podType, "n", "b", team))
		c.expect(t, "when it can be judged again", "b pass pass")
		if got := c.Coverage()[0]; got.Failed != 0 {
			t.Errorf("coverage: %+v", got)
		}
		c.stop()
	})
}

// An auditor that ends in the middle of a sweep tells nobody that the list was complete.
func TestTheEndInTheMiddleOfASweep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, policyFor("p", "Pod"))
		for i := range 10 * queued {
			c.create(t, podType, "n", fmt.Sprint("o", i), nil)
		}
		judged := 0
		inputs := c.opts.Inputs
		c.opts.Workers = 1
		c.opts.Inputs = func() *engine.Inputs {
			if judged++; judged == 5 {
				time.Sleep(time.Second)
			}
			return inputs()
		}
		c.run(t)
		c.stop()
		if got := c.told(); strings.Contains(got, "pods.v1") || len(c.known) > 5 {
			t.Errorf("told %q", got)
		}
	})
}

func TestUIDs(t *testing.T) {
	known := map[uid]string{}
	for _, s := range []string{
		"6b1f0c1e-8f6e-4f0e-9a5c-1d2e3f405162", "6b1f0c1e-8f6e-4f0e-9a5c-1d2e3f405163", "", "a", "6B1F0C1E-8F6E-4F0E-9A5C-1D2E3F405162",
		"6b1f0c1e-8f6e-4f0e-9a5c-1d2e3f40516x", "6b1f0c1e08f6e04f0e09a5c01d2e3f405162", "6b1f0c1e-8f6e-4f0e-9a5c-1d2e3f4051620",
	} {
		if other, ok := known[uidOf(s)]; ok {
			t.Errorf("%q and %q are taken for one", s, other)
		}
		known[uidOf(s)] = s
	}
	if got := uidOf("6b1f0c1e-8f6e-4f0e-9a5c-1d2e3f405162"); got != (uid{0x6b, 0x1f, 0x0c, 0x1e, 0x8f, 0x6e, 0x4f, 0x0e, 0x9a, 0x5c, 0x1d, 0x2e, 0x3f, 0x40, 0x51, 0x62}) {
		t.Errorf("a UID is kept as %x", got)
	}
}
