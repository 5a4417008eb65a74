package app

import (
	"testing"

	"github.com/holdfast-io/holdfast/reconcile/gate"
)

func TestGateOptionsTakeThePlaceOfDefaults(t *testing.T) {
	o := DefaultGateOptions()
	if s, err := o.settings(); err != nil || s.MaxShare != gate.DefaultSettings().MaxShare || s.Budgets != gate.DefaultSettings().Budgets || len(s.Windows) != 0 {
		t.Errorf("by default: %+v, %v", s, err)
	}
	o = GateOptions{Windows: "deny @daily for 1h", Limits: "share=90%, budget=7, fights=0", NamespaceBudget: 1, ClusterBudget: 2}
	s, err := o.settings()
	if err != nil || s.MaxShare != 90 || s.Budgets != (gate.Budgets{Policy: 7, Namespace: 1, Cluster: 2}) || s.MaxFights != 0 || s.MaxAttempts != 3 || len(s.Windows) != 1 || s.Validate() != nil {
		t.Errorf("got %+v, %v", s, err)
	}
	for want, o := range map[string]GateOptions{
		`--reconcile-limits: unknown name "shares": expected share, budget, attempts, fights or failures`: {Limits: "shares=1%"},
		`--reconcile-windows: "deny @daily for ever": "ever" is no duration from 1m to 744h`:              {Windows: "deny @daily for ever"},
		"--reconcile-budget-namespace -1: expected 0 to 100000":                                           {NamespaceBudget: -1},
	} {
		if err := o.Validate(); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}
