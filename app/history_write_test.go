package app

import (
	"bytes"
	"testing"
	"time"

	"github.com/holdfast-io/holdfast/api/v1alpha1"
	"github.com/holdfast-io/holdfast/ledger"
)

// Columns stay columns where entries have nothing to say in some of them, and a plan for several objects has its own name.
func TestTheTableOfAHistory(t *testing.T) {
	at := time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	var out bytes.Buffer
	w := newEntryWriter(Table, IO{Out: &out})
	err := w.write([]ledger.Entry{
		{Time: at, Kind: ledger.Planned, Outcome: "Proposed", Remediation: "tier-gold-1a2b3c4d5e", Policy: ledger.Policy{Name: "tier", Rule: "gold"}, Actor: ledger.Actor{Manager: "holdfast"}, Message: "Shops are gold."},
		{Time: at, Kind: ledger.SwitchChanged, Outcome: "stopped", Actor: ledger.Actor{User: "jane"}, Message: "an\noutage"},
		{Time: at, Kind: ledger.Applied, Outcome: "done", Object: ledger.Object{Kind: "ConfigMap", Namespace: "web", Name: "m"}, Policy: ledger.Policy{Name: "p"}},
		{Time: at, Kind: ledger.Denied, Outcome: "fail", Object: ledger.Object{Kind: "Namespace", Name: "web"}, Policy: ledger.Policy{Name: "p"}, Actor: ledger.Actor{User: "ana", Manager: "kubectl"}, Message: "no"},
	})
	if err != nil {
		t.Fatal(err)
	}
	const want = `TIME (UTC)           WHAT                      OBJECT                            POLICY     WHO       WHY
2026-05-04 12:00:00  planned (Proposed)        Remediation tier-gold-1a2b3c4d5e  tier/gold  holdfast  Shops are gold.
2026-05-04 12:00:00  switch-changed (stopped)                                               jane      an outage
2026-05-04 12:00:00  applied (done)            ConfigMap web/m                   p
2026-05-04 12:00:00  denied                    Namespace web                     p          ana       no
`
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
}

func TestWhoBroughtAnObjectIntoItsStateIsSaidAsFarAsItIsKnown(t *testing.T) {
	for want, o := range map[string]*v1alpha1.Origin{
		"":                                nil,
		"drifted by ana":                  {User: "ana"},
		"drifted by ana with kubectl":     {User: "ana", Manager: "kubectl"},
		"drifted by a write with kubectl": {Manager: "kubectl"},
		"drifted by a write with kubectl (not-enforced)": {Manager: "kubectl", Slip: "not-enforced"},
	} {
		if got := driftText(o); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	if got := driftText(&v1alpha1.Origin{}); got != "" {
		t.Errorf("got %q of nothing", got)
	}
}
