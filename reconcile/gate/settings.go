package gate

import (
	"errors"
	"fmt"
	"time"

	"github.com/holdfast-io/holdfast/api/bounds"
	"github.com/holdfast-io/holdfast/api/v1alpha1"
)

// Settings say how far and how fast objects are changed.
type Settings struct {
	// Windows are the times in which changes are made, by the place that says so. Each place can stop. Default: none, at any
	// time.
	Windows []Place
	// MaxShare is how many per cent of the objects that a rule matches it may change. Default 50: a rule that finds most of
	// what it matches at fault is new, or wrong, and both are for people.
	MaxShare int
	// ShareFloor is how many objects may be changed whatever their share. Default 5: of two objects, one is half.
	ShareFloor int
	// Budgets are how many objects may be changed in an hour.
	Budgets Budgets
	// MaxAttempts is how often a change of an object may fail, in a day, before the object is left alone. Default 3: more
	// than a restart of an API server brings about.
	MaxAttempts int
	// MaxFights is how often an object may be found adrift, in a day, after it was mended. Default 3: less is a person who
	// tries again, more a machine.
	MaxFights int
	Breaker   Breaker
	// After are the policies whose plans come before those of a policy, by the key of the policy: NAME, or NAMESPACE/NAME.
	After map[string][]string
}

// Budgets are how many objects may be changed in an hour. Defaults 50, 20 and 200: in a cluster of ten thousand objects that
// is a day's work for a policy which finds a tenth of them at fault, and somebody sees the first hour of it.
type Budgets struct{ Policy, Namespace, Cluster int }

// Breaker stops a policy whose changes fail.
type Breaker struct {
	// Failures is how many per cent of the changes of the last Period may fail. Default 50.
	Failures int
	// Least is how many changes there must be before their share counts. Default 4.
	Least int
	// Period is what counts. Default 1h, at most a day (Remembered).
	Period time.Duration
	// Open is how long no change is made after the failure that opened it, before one is tried at a time. Default 15m.
	Open time.Duration
}

// Place is where windows are said.
type Place struct {
	Name    string // "the option --reconcile-windows"
	Windows bounds.Windows
}

// DefaultSettings gives the defaults.
func DefaultSettings() Settings {
	return Settings{
		MaxShare: 50, ShareFloor: 5, Budgets: Budgets{Policy: 50, Namespace: 20, Cluster: 200}, MaxAttempts: 3, MaxFights: 3,
		Breaker: Breaker{Failures: 50, Least: 4, Period: time.Hour, Open: 15 * time.Minute},
	}
}

// Validate names the first setting that cannot be used.
func (s *Settings) Validate() error {
	for _, n := range []struct {
		name  string
		value int
		most  int
	}{
		{"MaxShare", s.MaxShare, 100}, {"ShareFloor", s.ShareFloor, 1 << 20}, {"Budgets.Policy", s.Budgets.Policy, 1 << 20},
		{"Budgets.Namespace", s.Budgets.Namespace, 1 << 20}, {"Budgets.Cluster", s.Budgets.Cluster, 1 << 20}, {"MaxAttempts", s.MaxAttempts, 100},
		{"MaxFights", s.MaxFights, 100}, {"Breaker.Failures", s.Breaker.Failures, 100}, {"Breaker.Least", s.Breaker.Least, 1 << 20},
	} {
		if n.value < 0 || n.value > n.most {
			return fmt.Errorf("gate settings: %s %d: expected 0 to %d", n.name, n.value, n.most)
		}
	}
	if s.Breaker.Period <= 0 || s.Breaker.Period > Remembered {
		return fmt.Errorf("gate settings: Breaker.Period %s: expected more than 0, and 24h at most", s.Breaker.Period)
	}
	if s.Breaker.Open < 0 || s.Breaker.Open > Remembered {
		return fmt.Errorf("gate settings: Breaker.Open %s: expected 0 to 24h", s.Breaker.Open)
	}
	return nil
}

// Effective gives the settings for an object: those of the options, narrowed by the annotations of the policy and of the
// object's Namespace, of which none can widen anything. What cannot be read of them narrows nothing, and is the error: it
// belongs to the Facts, where it stops. Of a policy the bundle's load refuses it.
func Effective(options Settings, policy, namespace map[string]string) (Settings, error) {
	out := options
	out.Windows = append([]Place(nil), options.Windows...)
	var errs []error
	narrow := func(name string, annotations map[string]string, budget *int) {
		if text, ok := annotations[v1alpha1.AnnotationWindows]; ok {
			ws, err := bounds.ParseWindows(text)
			errs = append(errs, place(err, name, v1alpha1.AnnotationWindows))
			out.Windows = append(out.Windows, Place{name, ws})
		}
		if text, ok := annotations[v1alpha1.AnnotationLimits]; ok {
			l, err := bounds.ParseLimits(text)
			errs = append(errs, place(err, name, v1alpha1.AnnotationLimits))
			least(&out.MaxShare, l.Share)
			least(budget, l.Budget)
			least(&out.MaxAttempts, l.Attempts)
			least(&out.MaxFights, l.Fights)
			least(&out.Breaker.Failures, l.Failures)
		}
	}
	narrow("the policy", policy, &out.Budgets.Policy)
	narrow("the Namespace", namespace, &out.Budgets.Namespace)
	return out, errors.Join(errs...)
}

func place(err error, name, annotation string) error {
	if err != nil {
		return fmt.Errorf("%s says what cannot be read in %s: %w", name, annotation, err)
	}
	return nil
}

func least(to, said *int) {
	if said != nil {
		*to = min(*to, *said)
	}
}
