package engine

import (
	"testing"
	"time"
)

// A verdict that rests on the time has to be made anew when nothing else has changed.
func TestAnAuditTellsThatARuleReadsTheClock(t *testing.T) {
	deny := func(key, value string) string {
		return `{rules: [{name: r, match: {any: [{resources: {kinds: [Pod]}}]}, validate: {deny: {conditions: {any: [{key: "` + key + `", operator: Equals, value: "` + value + `"}]}}}}]}`
	}
	stamping := "{rules: [{name: r, match: {any: [{resources: {kinds: [Pod]}}]}, mutate: {patchStrategicMerge: {metadata: {annotations: {seen: '{{ time_now() }}'}}}}}]}"
	for name, c := range map[string]struct {
		spec string
		want bool
	}{
		"a condition that reads it":          {deny("{{ time_now_utc() }}", "x"), true},
		"a condition that compares with it":  {deny("{{ time_since('', '2020-01-01T00:00:00Z', '') }}", "x"), true},
		"a condition on two times":           {deny("{{ time_diff('2020-01-01T00:00:00Z', '2020-01-02T00:00:00Z') }}", "x"), false},
		"a condition that does without":      {deny("{{ request.object.metadata.name }}", "x"), false},
		"a mutation that writes it down":     {stamping, true},
		"one for objects of some other kind": {"{rules: [{name: r, match: {any: [{resources: {kinds: [Secret]}}]}, validate: {deny: {conditions: {any: [{key: '{{ time_now() }}', operator: Equals, value: x}]}}}}]}", false},
	} {
		m, err := snapshot(t, withoutAutogen("p", c.spec)).Audit(t.Context(), resting(t, excusedPod), world{}.inputs())
		if err != nil || m.Clock != c.want || m.Unwatched != c.want || !m.Due.Equal(time.Time{}) {
			t.Errorf("%s: clock %t, unwatched %t, due %s, %v", name, m.Clock, m.Unwatched, m.Due, err)
		}
	}
}
