package bounds

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/holdfast-io/holdfast/api/v1alpha1"
)

// Limits say how much may be changed; nil for what they say nothing of.
type Limits struct {
	// Share is how many per cent of the objects that a rule matches may be changed by it.
	Share *int
	// Budget is how many objects may be changed in an hour: by the policy that has the annotation, or in the Namespace.
	Budget *int
	// Attempts is how often a change of an object may fail before the object is left alone.
	Attempts *int
	// Fights is how often an object may drift again after a success before it is left alone.
	Fights *int
	// Failures is how many per cent of a policy's changes may fail before the policy makes none for a time.
	Failures *int
}

// ParseLimits reads "share=20%, budget=10, attempts=2, fights=1, failures=30%", or some of it.
func ParseLimits(text string) (Limits, error) {
	var l Limits
	err := pairs(text, map[string]func(string) error{
		"share":    perCent(&l.Share),
		"budget":   number(&l.Budget, 100000),
		"attempts": number(&l.Attempts, 100),
		"fights":   number(&l.Fights, 100),
		"failures": perCent(&l.Failures),
	}, "share, budget, attempts, fights or failures")
	return l, err
}

// Strategy says in which steps a plan is carried out; nil for what it says nothing of.
type Strategy struct {
	Canary               *int
	Wave, MaxFailures    *intstr.IntOrString
	Pause, HealthTimeout *time.Duration
}

// longestStep bounds a pause, and the time that health may take: a plan is to come to an end.
const longestStep = 24 * time.Hour

// ParseStrategy reads "canary=1, wave=25%, max-failures=0, pause=30s, health-timeout=5m", or some of it.
func ParseStrategy(text string) (Strategy, error) {
	var s Strategy
	err := pairs(text, map[string]func(string) error{
		"canary":         number(&s.Canary, v1alpha1.MaxTargets),
		"wave":           share(&s.Wave, 1),
		"max-failures":   share(&s.MaxFailures, 0),
		"pause":          duration(&s.Pause, 0),
		"health-timeout": duration(&s.HealthTimeout, time.Second),
	}, "canary, wave, max-failures, pause or health-timeout")
	return s, err
}

// Over gives the strategy with what this one says in its place.
func (s Strategy) Over(out v1alpha1.Strategy) v1alpha1.Strategy {
	if s.Canary != nil {
		out.Canary = int32(*s.Canary) //nolint:gosec // at most MaxTargets
	}
	if s.Wave != nil {
		out.Wave = *s.Wave
	}
	if s.MaxFailures != nil {
		out.MaxFailures = *s.MaxFailures
	}
	if s.Pause != nil {
		out.Pause.Duration = *s.Pause
	}
	if s.HealthTimeout != nil {
		out.HealthTimeout.Duration = *s.HealthTimeout
	}
	return out
}

// Narrow gives a strategy of which no step goes further than one of the two, for so many targets: the smaller canary (none
// is the largest), wave and number of failures, and the longer pause. How long health may take is no question of more or
// less, and is the policy's own.
func (s Strategy) Narrow(by v1alpha1.Strategy, targets int) v1alpha1.Strategy {
	out := by
	if s.Canary != nil && *s.Canary > 0 && (out.Canary == 0 || *s.Canary < int(out.Canary)) {
		out.Canary = int32(*s.Canary) //nolint:gosec // at most MaxTargets
	}
	if s.Wave != nil && Of(*s.Wave, targets) < Of(out.Wave, targets) {
		out.Wave = *s.Wave
	}
	if s.MaxFailures != nil && Of(*s.MaxFailures, targets) < Of(out.MaxFailures, targets) {
		out.MaxFailures = *s.MaxFailures
	}
	if s.Pause != nil {
		out.Pause.Duration = max(out.Pause.Duration, *s.Pause)
	}
	if s.HealthTimeout != nil {
		out.HealthTimeout.Duration = *s.HealthTimeout
	}
	return out
}

// Of is a number, or so many per cent of all, rounded down.
func Of(v intstr.IntOrString, all int) int {
	n, err := intstr.GetScaledValueFromIntOrPercent(&v, all, false)
	if err != nil {
		return 0 // what cannot be read goes least far
	}
	return n
}

// ParseNames reads names of policies with commas between: NAME, or NAMESPACE/NAME.
func ParseNames(text string) ([]string, error) {
	var out []string
	for name := range strings.SplitSeq(text, ",") {
		name = strings.TrimSpace(name)
		if name == "" || strings.ContainsAny(name, " \t\n") || strings.Count(name, "/") > 1 {
			return nil, fmt.Errorf("%q: expected names of policies with commas between: NAME, or NAMESPACE/NAME", text)
		}
		out = append(out, name)
	}
	return out, nil
}

// pairs reads KEY=VALUE with commas between, each key once.
func pairs(text string, read map[string]func(string) error, known string) error {
	seen := map[string]bool{}
	for pair := range strings.SplitSeq(text, ",") {
		key, value, ok := strings.Cut(strings.TrimSpace(pair), "=")
		if !ok {
			return fmt.Errorf("%q: expected NAME=VALUE with commas between", strings.TrimSpace(pair))
		}
		set := read[key]
		if set == nil {
			return fmt.Errorf("unknown name %q: expected %s", key, known)
		}
		if seen[key] {
			return fmt.Errorf("%s is said twice", key)
		}
		seen[key] = true
		if err := set(value); err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
	}
	return nil
}

func number(to **int, most int) func(string) error {
	return func(value string) error {
		n, err := strconv.Atoi(value)
		if err != nil || n < 0 || n > most {
			return fmt.Errorf("%q is no number from 0 to %d", value, most)
		}
		*to = &n
		return nil
	}
}

func perCent(to **int) func(string) error {
	return func(value string) error {
		digits, ok := strings.CutSuffix(value, "%")
		n, err := strconv.Atoi(digits)
		if err != nil || !ok || n < 0 || n > 100 {
			return fmt.Errorf("%q is no share from 0%% to 100%%", value)
		}
		*to = &n
		return nil
	}
}

func share(to **intstr.IntOrString, least int) func(string) error {
	return func(value string) error {
		digits, part := strings.CutSuffix(value, "%")
		n, err := strconv.Atoi(digits)
		most := v1alpha1.MaxTargets
		if part {
			most = 100
		}
		if err != nil || n < least || n > most {
			return fmt.Errorf("%q is no number from %d to %d, and no share up to 100%%", value, least, v1alpha1.MaxTargets)
		}
		v := intstr.Parse(value)
		*to = &v
		return nil
	}
}

func duration(to **time.Duration, least time.Duration) func(string) error {
	return func(value string) error {
		d, err := time.ParseDuration(value)
		if err != nil || d < least || d > longestStep {
			return fmt.Errorf("%q is no duration from %s to 24h", value, least)
		}
		*to = &d
		return nil
	}
}
