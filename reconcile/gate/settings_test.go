package gate

import (
	"testing"
	"time"

	"github.com/holdfast-io/holdfast/api/v1alpha1"
)

func TestAnnotationsNarrowTheOptions(t *testing.T) {
	options := DefaultSettings()
	options.Windows = windows(t, "deny @daily for 1h")
	got, err := Effective(options,
		map[string]string{v1alpha1.AnnotationLimits: "share=80%, budget=10, attempts=2", v1alpha1.AnnotationWindows: "allow @daily for 2h"},
		map[string]string{v1alpha1.AnnotationLimits: "share=20%, budget=3, failures=0%"})
	if err != nil {
		t.Fatal(err)
	}
	if got.MaxShare != 20 || got.Budgets != (Budgets{10, 3, 200}) || got.MaxAttempts != 2 || got.MaxFights != 3 || got.Breaker.Failures != 0 || len(got.Windows) != 2 {
		t.Errorf("got %+v", got)
	}
	if len(options.Windows) != 1 || options.MaxShare != 50 {
		t.Errorf("the options are changed: %+v", options)
	}
}

func TestWhatCannotBeReadIsAnErrorAndNarrowsTheRest(t *testing.T) {
	got, err := Effective(DefaultSettings(), map[string]string{v1alpha1.AnnotationLimits: "budget=1"}, map[string]string{v1alpha1.AnnotationLimits: "budget=-1", v1alpha1.AnnotationWindows: "never"})
	want := `the Namespace says what cannot be read in holdfast.dev/windows: "never": expected "allow" or "deny", a cron expression of five fields, "for" and a duration, and if need be "in" and a time zone: "allow 0 22 * * 1-5 for 6h in Europe/Zurich"
the Namespace says what cannot be read in holdfast.dev/limits: budget: "-1" is no number from 0 to 100000`
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
	if got.Budgets.Policy != 1 {
		t.Errorf("the policy's budget is %d, want 1", got.Budgets.Policy)
	}
}

func TestSettingsThatCannotBeUsedAreNamed(t *testing.T) {
	if s := DefaultSettings(); s.Validate() != nil {
		t.Fatal(s.Validate())
	}
	for want, change := range map[string]func(*Settings){
		"gate settings: MaxShare 101: expected 0 to 100":                               func(s *Settings) { s.MaxShare = 101 },
		"gate settings: Budgets.Namespace -1: expected 0 to 1048576":                   func(s *Settings) { s.Budgets.Namespace = -1 },
		"gate settings: Breaker.Period 0s: expected more than 0, and 24h at most":      func(s *Settings) { s.Breaker.Period = 0 },
		"gate settings: Breaker.Open 25h0m0s: expected 0 to 24h":                       func(s *Settings) { s.Breaker.Open = 25 * time.Hour },
		"gate settings: Breaker.Period 48h0m0s: expected more than 0, and 24h at most": func(s *Settings) { s.Breaker.Period = 48 * time.Hour },
	} {
		s := DefaultSettings()
		change(&s)
		if err := s.Validate(); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

// A breaker opens by failures, is half open when it has been left alone for long enough, opens again when a change fails then,
// and closes by successes or when all is long ago.
func TestABreakerOpensHalfOpensAndCloses(t *testing.T) {
	s := Breaker{Failures: 50, Least: 4, Period: time.Hour, Open: 15 * time.Minute}
	p := &v1alpha1.PolicyReference{Kind: "ClusterPolicy", Name: "p", Rule: "r"}
	failures := ended("old", v1alpha1.TargetFailed, 40*time.Minute, 40*time.Minute, 39*time.Minute, 38*time.Minute)
	probe := func(state v1alpha1.TargetState, times ...time.Duration) []v1alpha1.Remediation {
		return append(failures[:len(failures):len(failures)], ended("probe", state, times...)...)
	}
	for name, test := range map[string]struct {
		past  []v1alpha1.Remediation
		at    time.Duration // before now
		state BreakerState
		until string
	}{
		"nothing was done":            {nil, 0, Closed, ""},
		"three failures are too few":  {failures[:3], 35 * time.Minute, Closed, ""},
		"four failures":               {failures, 35 * time.Minute, Open, "11:37"},
		"a quarter of an hour later":  {failures, 20 * time.Minute, HalfOpen, ""},
		"a probe that fails":          {probe(v1alpha1.TargetFailed, 5*time.Minute), 0, Open, "12:10"},
		"a probe that goes well":      {probe(v1alpha1.TargetSucceeded, 5*time.Minute), 0, HalfOpen, ""},
		"as many that go well":        {probe(v1alpha1.TargetSucceeded, 5*time.Minute, 4*time.Minute, 3*time.Minute, 2*time.Minute), 0, Closed, ""},
		"an hour after the failures":  {failures, -23 * time.Minute, Closed, ""},
		"a failure among many others": {append(ended("good", v1alpha1.TargetSucceeded, 9*time.Minute, 8*time.Minute, 7*time.Minute), ended("bad", v1alpha1.TargetFailed, time.Minute)...), 0, Closed, ""},
	} {
		t.Run(name, func(t *testing.T) {
			state, until := Remember(test.past, now).Breaker(p, s, now.Add(-test.at))
			got := ""
			if !until.IsZero() {
				got = until.Format("15:04")
			}
			if state != test.state || got != test.until {
				t.Errorf("got %s until %q, want %s until %q", state, got, test.state, test.until)
			}
		})
	}
}

func TestARemediationEditedByHandIsNoTrouble(t *testing.T) {
	r := remediation("r", deployment("shop"))
	r.Status.Results = []v1alpha1.TargetResult{{Index: 7, State: v1alpha1.TargetFailed}, {Index: -1}, {Index: 0, State: "nonsense"}}
	f := clear()
	f.Memory = Remember([]v1alpha1.Remediation{r, {}}, now)
	if v, stopped := First(f); stopped {
		t.Errorf("%s stops: %s", v.Gate, v.Message)
	}
}
