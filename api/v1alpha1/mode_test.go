package v1alpha1

import (
	"testing"

	"pgregory.net/rapid"
)

func TestAModeIsReadStrictly(t *testing.T) {
	for _, m := range Modes() {
		if got, err := ParseMode(string(m)); err != nil || got != m {
			t.Errorf("%s: got %q, %v", m, got, err)
		}
	}
	for _, s := range []string{"", "Propose", "off", "enforced"} {
		got, err := ParseMode(s)
		want := `unknown mode "` + s + `": expected report, propose, approve or enforce`
		if got != Report || err == nil || err.Error() != want {
			t.Errorf("%q: got %q, %v; want %q and %s", s, got, err, Report, want)
		}
	}
}

// A further mode, and a stricter one in the place of another, never let more through.
func TestAStricterModeNeverLetsMoreThrough(t *testing.T) {
	any := rapid.SampledFrom(append(Modes(), "nonsense"))
	rapid.Check(t, func(t *rapid.T) {
		first, more := any.Draw(t, "first"), rapid.SliceOfN(any, 0, 3).Draw(t, "more")
		was := Strictest(first, more...)
		if now := Strictest(first, append(more, any.Draw(t, "further"))...); !was.Allows(now) {
			t.Errorf("with one more it goes from %s to %s", was, now)
		}
		for _, m := range append(more, first) {
			if m != "nonsense" && !m.Allows(was) {
				t.Errorf("%s goes further than %s", was, m)
			}
			if m == "nonsense" && was != Report {
				t.Errorf("with a mode that is none it is %s", was)
			}
		}
	})
}

func TestModesAreInTheirOrder(t *testing.T) {
	if !Enforce.Allows(Approve) || !Approve.Allows(Propose) || !Propose.Allows(Report) || Report.Allows(Propose) || Mode("").Allows(Report) {
		t.Error("a mode does not allow what those below it do, or allows more")
	}
}
