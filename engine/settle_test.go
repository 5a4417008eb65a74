package engine

import (
	"strings"
	"testing"
	"time"
)

func TestThePolicySaysHowLongItsFindingsSettle(t *testing.T) {
	policy := func(annotations string) string {
		return strings.Replace(clusterPolicy("p", "{rules: [{name: r"+rest+"validate: {deny: {}}}]}"), "name: p", "name: p, annotations: {"+annotations+"}", 1)
	}
	for annotations, want := range map[string]time.Duration{
		"":                             -1, // nothing
		"holdfast.dev/settle: 1m30s":   90 * time.Second,
		"holdfast.dev/settle: '0'":     0,
		"holdfast.dev/settle: 24h":     24 * time.Hour,
		"holdfast.dev/settle: 24h0m1s": -2, // refused
		"holdfast.dev/settle: -1s":     -2,
		"holdfast.dev/settle: '10'":    -2,
	} {
		p, err := tryCompile(t, policy(annotations))
		got := time.Duration(-1)
		switch {
		case err != nil:
			got = -2
		case p.Settle != nil:
			got = *p.Settle
		}
		if got != want {
			t.Errorf("%q: got %d, want %d (error: %v)", annotations, got, want, err)
		}
	}
}
