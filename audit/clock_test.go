package audit

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/holdfast-io/holdfast/engine"
)

// set is a clock that somebody sets: it shows no more than the time of day, so that whoever takes it for a measure of time that
// passes is found out. Time itself, as timers have it, goes on as it did.
type set struct{ by atomic.Int64 }

func (s *set) now() time.Time { return time.Now().Round(0).Add(time.Duration(s.by.Load())) }

func (s *set) jump(by time.Duration) { s.by.Store(int64(by)) }

// setClock has the auditor go by a clock of its own.
func (c *cluster) setClock(t *testing.T) *set {
	t.Helper()
	clock := &set{}
	c.opts.Inputs = func() *engine.Inputs { return &engine.Inputs{Lookups: noLookups{}, Now: clock.now} }
	c.opts.Metrics = nil
	var err error
	if c.Auditor, err = New(c.opts); err != nil {
		t.Fatal(err)
	}
	return clock
}

// What rests on the time follows the clock, within a minute, wherever it is set. All else goes on as if nothing had happened.
func TestAClockThatIsSetForwardAndBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, fmt.Sprintf(refusing, "false"), byTheClock)
		c.snapshots.Store(withException(t, expiring, fmt.Sprintf(refusing, "false"), byTheClock))
		clock := c.setClock(t)
		c.create(t, podType, "n", "a", nil)
		c.create(t, podType, "n", "b", team)
		c.run(t)
		c.expect(t, "the first list", "a pass skip, b fail, pods.v1: 2")

		clock.jump(time.Hour)
		time.Sleep(longestAlarm + 2*recheckGap)
		c.expect(t, "an hour forward, at which the exception is over and the rule that reads the clock fails", "a fail fail")

		clock.jump(0)
		time.Sleep(longestAlarm + 2*recheckGap)
		c.expect(t, "and back: the exception is in force again, and what was judged by the other time is judged anew", "a pass skip, b fail, pods.v1: 2")

		judged := testutil.ToFloat64(c.metrics.judged.WithLabelValues("pods.v1"))
		c.asked()
		time.Sleep(4 * time.Minute)
		synctest.Wait()
		if got := strings.Trim(strings.ReplaceAll(c.told(), "a pass skip", ""), ", "); got != "" {
			t.Errorf("afterwards it told %q", got)
		}
		if n := testutil.ToFloat64(c.metrics.judged.WithLabelValues("pods.v1")) - judged; n > 1 {
			t.Errorf("afterwards %v evaluations, want one at most, of the rule that reads the clock", n)
		}
		if got := c.asked(); strings.Contains(got, "list") {
			t.Errorf("afterwards it asked %q", got)
		}
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if got := c.known["a"]; got != "fail fail" {
			t.Errorf("when the time has really come: %q", got)
		}
		c.stop()
	})
}

// How long a finding is transient does not depend on what the clock shows meanwhile.
func TestFindingsSettleInTheirTimeWhereverTheClockIsSet(t *testing.T) {
	for name, by := range map[string][2]time.Duration{
		"forward":              {time.Hour, time.Hour},
		"back":                 {-time.Hour, -time.Hour},
		"forward and back":     {time.Hour, 0},
		"back and forward":     {-time.Hour, 0},
		"forward before it":    {time.Hour, 2 * time.Hour},
		"back, and back again": {-time.Hour, -2 * time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWatched(t, policyFor("p", "Pod"))
				clock := w.cluster.setClock(t)
				w.run(t)
				time.Sleep(time.Minute)
				clock.jump(by[0])
				w.write(t, "a", "kubectl", nil)
				w.tells(t, "at once", "a transient not-enforced by kubectl")
				clock.jump(by[1])
				time.Sleep(9 * time.Second)
				w.tells(t, "before its time", "")
				time.Sleep(2 * time.Second)
				w.tells(t, "when it has had its time", "a settled not-enforced by kubectl")
				time.Sleep(3 * time.Hour)
				if got := w.Findings(); got[Transient] != 0 || got[Settled] != 1 {
					t.Errorf("in the end %v findings", got)
				}
				w.write(t, "a", "kubectl", team)
				synctest.Wait()
				if got := w.Findings(); got[Transient]+got[Settled] != 0 {
					t.Errorf("once it is mended there are %v", got)
				}
				w.stop()
			})
		})
	}
}

// The safety net, the watches' ends and the wait after a failure are measured by time that passes.
func TestIntervalsDoNotFollowTheClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, policyFor("p", "Pod"))
		clock := c.setClock(t)
		c.create(t, podType, "n", "a", team)
		c.run(t)
		c.asked()
		start := time.Now()
		for time.Since(start) < 58*time.Minute { // every minute another way
			clock.jump(time.Duration(time.Since(start).Minutes()) * time.Hour)
			time.Sleep(time.Minute)
		}
		synctest.Wait()
		if got := c.asked(); strings.Contains(got, "list") {
			t.Errorf("with a clock that runs ahead it listed before its time: %q", got)
		}
		time.Sleep(4 * time.Minute)
		synctest.Wait()
		if got := strings.Count(c.asked(), "list"); got != 1 {
			t.Errorf("%d lists when it was time for one", got)
		}
		c.stop()
	})
}
