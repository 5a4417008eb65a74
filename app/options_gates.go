package app

import (
	"fmt"

	"github.com/holdfast-io/holdfast/api/bounds"
	"github.com/holdfast-io/holdfast/reconcile/gate"
)

// GateOptions say how far and how fast objects are changed. Policies and Namespaces can only narrow it.
type GateOptions struct {
	// Windows are the times in which changes are made, as in the annotation holdfast.dev/windows. Default: any time.
	Windows string
	// Limits are as in the annotation holdfast.dev/limits, with the budget of one policy, and take the place of the defaults
	// that they name: share=50%, budget=50, attempts=3, fights=3, failures=50% (see gate.DefaultSettings).
	Limits string
	// NamespaceBudget and ClusterBudget are how many objects may be changed in an hour in one Namespace, and in the cluster.
	// Defaults 20 and 200.
	NamespaceBudget, ClusterBudget int
}

// DefaultGateOptions gives the defaults.
func DefaultGateOptions() GateOptions {
	budgets := gate.DefaultSettings().Budgets
	return GateOptions{NamespaceBudget: budgets.Namespace, ClusterBudget: budgets.Cluster}
}

// Validate names the first option that cannot be used, by its flag.
func (o *GateOptions) Validate() error {
	_, err := o.settings()
	return err
}

// settings gives the gates' form of the options.
func (o *GateOptions) settings() (gate.Settings, error) {
	s := gate.DefaultSettings()
	if o.Windows != "" {
		windows, err := bounds.ParseWindows(o.Windows)
		if err != nil {
			return s, fmt.Errorf("--reconcile-windows: %w", err)
		}
		s.Windows = []gate.Place{{Name: "the option --reconcile-windows", Windows: windows}}
	}
	if o.Limits != "" {
		limits, err := bounds.ParseLimits(o.Limits)
		if err != nil {
			return s, fmt.Errorf("--reconcile-limits: %w", err)
		}
		for _, l := range []struct{ said, to *int }{
			{limits.Share, &s.MaxShare}, {limits.Budget, &s.Budgets.Policy}, {limits.Attempts, &s.MaxAttempts},
			{limits.Fights, &s.MaxFights}, {limits.Failures, &s.Breaker.Failures},
		} {
			if l.said != nil {
				*l.to = *l.said
			}
		}
	}
	for _, b := range []struct {
		flag  string
		value int
		to    *int
	}{{"namespace", o.NamespaceBudget, &s.Budgets.Namespace}, {"cluster", o.ClusterBudget, &s.Budgets.Cluster}} {
		const most = 100000 // as of a policy
		if b.value < 0 || b.value > most {
			return s, fmt.Errorf("--reconcile-budget-%s %d: expected 0 to %d", b.flag, b.value, most)
		}
		*b.to = b.value
	}
	return s, nil
}
