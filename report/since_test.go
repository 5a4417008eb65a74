package report

import (
	"reflect"
	"testing"
	"testing/synctest"
	"time"
)

// since is as a finding of that time has it.
func since(first time.Time, writer string) *Since {
	return &Since{First: first, Writer: writer, Manager: "kubectl", Written: first.Add(-time.Second), Detected: time.Second, Slipped: "not-asked"}
}

func TestAReportTellsHowAFindingCameAbout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer()
		b := newBench(t, s)
		b.run(t)
		first := time.Date(2026, 11, 30, 12, 0, 0, 123e6, time.UTC)
		results := found(Pass, Fail)
		results[1].Since = since(first, "ana")
		results[1].Settle(Transient)
		b.Put(pod("a"), "d", results)
		b.expect(t, "a finding", "apply a")
		want := map[string]string{
			"state": "transient", "first-seen": "2026-11-30T12:00:00.123Z", "written-by": "ana", "field-manager": "kubectl",
			"written-at": "2026-11-30T11:59:59.123Z", "detected-after": "1s", "slipped-past": "not-asked",
		}
		if got := b.report(t, "a").Results[1].Properties; !reflect.DeepEqual(got, want) {
			t.Errorf("properties %v, want %v", got, want)
		}
		if got := b.report(t, "a").Results[0].Properties; got != nil {
			t.Errorf("what passed has the properties %v", got)
		}
		settled := found(Pass, Fail)
		settled[1].Since = since(first, "ana")
		settled[1].Settle(Settled)
		b.Put(pod("a"), "d", settled)
		b.expect(t, "the finding when it has settled", "apply a")
		later := found(Pass, Fail)
		later[1].Since = since(first.Add(time.Hour), "bob")
		later[1].Settle(Settled)
		b.Put(pod("a"), "d", later)
		b.expect(t, "the same with another beginning", "")
		b.stop()
	})
}

func TestARestartKeepsSinceWhenARuleFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer()
		b := newBench(t, s)
		b.run(t)
		first := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
		later := first.Add(24 * time.Hour)
		put := func(statuses []Status, at time.Time, writer string) {
			results := found(statuses...)
			for i := range results {
				if results[i].Result == Fail {
					results[i].Since = since(at, writer)
				}
			}
			b.Put(pod("a"), "d", results)
		}
		told := func(when string, want ...string) {
			t.Helper()
			synctest.Wait()
			var got []string
			for _, r := range b.report(t, "a").Results {
				got = append(got, r.Properties[PropertyFirstSeen]+" "+r.Properties[PropertyWrittenBy])
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("%s: %q, want %q", when, got, want)
			}
		}
		const old, young = "2026-11-30T12:00:00.000Z ana", "2026-12-01T12:00:00.000Z bob"
		put([]Status{Fail, Pass}, first, "ana")
		told("at first", old, " ")
		b.stop()

		b = newBench(t, s)
		put([]Status{Fail, Fail}, later, "bob") // before the reports have been read
		b.run(t)
		told("another failure after a restart", old, young)
		put([]Status{Fail, Pass}, later, "bob")
		told("one failure less", old, " ")
		b.stop()

		b = newBench(t, s)
		b.run(t)
		put([]Status{Pass, Fail}, later, "bob")
		told("the other failure", " ", young)
		put([]Status{Fail, Fail}, later, "bob")
		told("what failed before has passed in between", young, young)
		b.stop()
	})
}

func TestWhatSomebodyWroteIntoAReportIsNotKnown(t *testing.T) {
	for name, properties := range map[string]map[string]string{
		"nothing":           nil,
		"no time":           {PropertyFirstSeen: "yesterday"},
		"no time to detect": {PropertyFirstSeen: "2026-11-30T12:00:00.000Z", PropertyDetectedAfter: "soon", PropertyWrittenAt: "long ago"},
	} {
		t.Run(name, func(t *testing.T) {
			got := sinceOf(properties)
			if known := properties[PropertyDetectedAfter] != ""; known != (got != nil) || known && (got.Detected != 0 || !got.Written.IsZero()) {
				t.Errorf("read as %+v", got)
			}
		})
	}
}
