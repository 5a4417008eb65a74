package app

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-io/holdfast/api/v1alpha1"
	"github.com/holdfast-io/holdfast/ledger"
	"github.com/holdfast-io/holdfast/reconcile/gate"
)

// told writes entries as "POLICY OUTCOME: MESSAGE", one in a line.
func told(entries []ledger.Entry) string {
	var out []string
	for i := range entries {
		e := &entries[i]
		out = append(out, strings.TrimSpace(fmt.Sprintf("%s %s: %s", e.Policy.Name, e.Outcome, e.Message)))
	}
	return strings.Join(out, "\n")
}

// A breaker is recorded when it opens, half opens and closes, once each, whoever looks and however often; and what changed while
// nobody looked, by who looks next.
func TestBreakersAreRecordedOnceForEachChange(t *testing.T) {
	r := newRecorded(t)
	limits := gate.DefaultSettings().Breaker
	until := time.Date(2026, 5, 4, 12, 15, 0, 0, time.UTC)
	var list []breaker
	known := true
	replica := func() *stopRecord {
		return &stopRecord{ledger: r.Recorder, stopped: func() *gate.Switch { return nil }, breakers: func() ([]breaker, bool) { return list, known }, log: slog.New(slog.DiscardHandler)}
	}
	first := replica()
	stand := func(by *stopRecord, states ...gate.BreakerState) {
		t.Helper()
		list = nil
		for i, state := range states {
			s := gate.Standing{State: state, Changes: 4, Failed: 3, Remediation: "r"}
			if state == gate.Open {
				s.Until = until
			}
			list = append(list, breaker{policy: v1alpha1.PolicyReference{Kind: "Policy", Namespace: "web", Name: fmt.Sprintf("p%d", i), Digest: "d"}, limits: limits, Standing: s})
		}
		for range 2 {
			if err := by.record(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	stand(first, gate.Closed)
	stand(first, gate.Open, gate.Closed)
	stand(replica(), gate.Open, gate.Closed) // another one leads
	stand(first, gate.HalfOpen)
	stand(first, gate.Open)
	second := replica()
	known = false
	stand(second) // it does not know yet, which closes nothing
	known = true
	stand(second) // all Remediations of the policy are gone
	stand(second, gate.Closed)
	const (
		figures = "3 of 4 changes failed in the last 60m, and no more than 50% may: "
		opened  = "web/p0 opened: " + figures + "none is made until 2026-05-04 12:15 UTC"
	)
	want := strings.Join([]string{
		opened, "web/p0 half-opened: " + figures + "changes are made one at a time", opened,
		"web/p0 closed: no more of the last changes have failed than may: changes are made again",
	}, "\n")
	if got := told(r.entries(t, ledger.BreakerChanged)); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestTheKillSwitchIsRecordedOnceForEachChange(t *testing.T) {
	r := newRecorded(t)
	now := time.Now().Truncate(time.Second)
	var s *gate.Switch
	replica := func() *stopRecord {
		return &stopRecord{ledger: r.Recorder, stopped: func() *gate.Switch { return s }, breakers: func() ([]breaker, bool) { return nil, false }, log: slog.New(slog.DiscardHandler)}
	}
	first := replica()
	stand := func(by *stopRecord, as *gate.Switch) {
		t.Helper()
		s = as
		for range 2 {
			if err := by.record(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	stand(first, nil)
	stand(first, &gate.Switch{}) // it never was thrown
	stand(first, &gate.Switch{Stopped: true, By: "jane", Reason: "an outage", Since: now})
	stand(first, nil)
	stand(replica(), &gate.Switch{Stopped: true, By: "jane", Reason: "an outage", Since: now}) // after a restart
	// It was released and thrown again while nobody looked.
	stand(replica(), &gate.Switch{Stopped: true, By: "jane", Reason: "another", Since: now.Add(time.Minute)})
	stand(replica(), &gate.Switch{})
	const want = "stopped: an outage\nstopped: another\nreleased: changes are made again"
	if got := told(r.entries(t, ledger.SwitchChanged)); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
