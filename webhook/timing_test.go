package webhook

import (
	"fmt"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

func TestOneReviewOfEightIsMeasured(t *testing.T) {
	d := newDoor(t, requireTeam)
	for range 2 * timedEvery {
		d.ask(t, "/validate", reviewOf(obj{"team": "shop"}))
	}
	const name = "holdfast_admission_policy_duration_seconds{policy=require-team,webhook=validate}"
	if got := d.metric(t, name); got != 2 {
		t.Errorf("%v times in %d reviews: want 2", got, 2*timedEvery)
	}
}

func TestTimesOfPoliciesAreBounded(t *testing.T) {
	reg := prometheus.NewRegistry()
	timing, err := newTiming(reg)
	check(t, err)
	many := make([]string, maxTimed+2)
	for i := range many {
		many[i] = strings.ReplaceAll(requireTeam, "require-team", fmt.Sprintf("p%03d", i))
	}
	const unnamed = "holdfast_admission_policies_unnamed{}"
	for _, step := range []struct {
		name     string
		policies []string
		series   int
		unnamed  float64
	}{
		{"all of them", many, maxTimed + 1 + 1, 2},
		{"those that remain", many[:3], 3 + 1, 0},
	} {
		timing.follow(compile(t, strings.Join(step.policies, "\n---\n")).Policies())
		got := gathered(t, reg)
		if len(got) != step.series || got[unnamed] != step.unnamed {
			t.Errorf("%s: %d series, %v policies unnamed: want %d, %v", step.name, len(got), got[unnamed], step.series, step.unnamed)
		}
	}
}
