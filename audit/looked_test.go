package audit

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Reports on types that no policy is about any more are from before this auditor began. Those on what policies name stand,
// whether it is served now or not.
func TestTheSinkIsToldWhichTypesAreAudited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, policyFor("p", "Pod"), policyFor("w", "example.org/v1/Whale"))
		c.discovery.set(errors.New("the server is away"), podType)
		c.run(t)
		if c.looked != nil {
			t.Error("it was told although not all types are known")
		}
		c.discovery.set(nil, podType, secret)
		time.Sleep(c.opts.Rediscover)
		synctest.Wait()
		for kind, want := range map[schema.GroupVersionKind]bool{
			podType.Kind: true,
			secret.Kind:  false,
			{Group: "example.org", Version: "v1", Kind: "Whale"}: true,
			{Group: "example.com", Version: "v1", Kind: "Whale"}: false,
			{Group: "example.org", Version: "v1", Kind: "Shark"}: false,
		} {
			if got := c.looked(kind); got != want {
				t.Errorf("%s: %t", kind, got)
			}
		}
		c.stop()
	})
}

func TestAnObjectIsJudgedAnewWhenItIsAskedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, policyFor("p", "Pod", "Secret"))
		c.create(t, podType, "n", "a", nil)
		c.create(t, secret, "n", "s", nil)
		c.run(t)
		c.expect(t, "the first list", "a fail, pods.v1: 1, s fail, secrets.v1: 1")
		c.Recheck(podType.Kind, "a")
		c.Recheck(podType.Kind, "unknown")
		c.Recheck(deployV1.Kind, "a")
		time.Sleep(recheckGap)
		c.expect(t, "it is asked for", "a fail")
		c.stop()
		c.Recheck(podType.Kind, "a") // nobody is there who could
	})
}
