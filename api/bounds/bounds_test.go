package bounds

import (
	"strconv"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/util/intstr"
	"pgregory.net/rapid"

	"github.com/holdfast-io/holdfast/api/v1alpha1"
)

func TestWindowsOpenAndClose(t *testing.T) {
	for name, test := range map[string]struct{ windows, now, want string }{ // want: "" for open, else "WINDOW again TIME"
		"at its start":                       {"allow 0 22 * * * for 6h", "2026-05-04T22:00:00Z", ""},
		"over midnight":                      {"allow 0 22 * * * for 6h", "2026-05-05T03:59:59Z", ""},
		"at its end":                         {"allow 0 22 * * * for 6h", "2026-05-05T04:00:00Z", "allow 0 22 * * * for 6h again 2026-05-05T22:00:00Z"},
		"nothing allows, and nothing denies": {"deny 0 22 * * * for 6h", "2026-05-04T12:00:00Z", ""},
		"denied":                             {"deny 0 22 * * * for 6h", "2026-05-04T23:00:00Z", "deny 0 22 * * * for 6h again 2026-05-05T04:00:00Z"},
		"denied within what is allowed":      {"allow @daily for 24h; deny 0 12 * * * for 1h", "2026-05-04T12:30:00Z", "deny 0 12 * * * for 1h again 2026-05-04T13:00:00Z"},
		"the next of two":                    {"allow 0 22 * * * for 1h; allow 0 18 * * * for 1h", "2026-05-04T12:00:00Z", "allow 0 18 * * * for 1h again 2026-05-04T18:00:00Z"},
		"a working day elsewhere":            {"allow 0 9 * * 1-5 for 8h in Europe/Zurich", "2026-05-04T07:00:00Z", ""},
		"in winter an hour later":            {"allow 0 9 * * 1-5 for 8h in Europe/Zurich", "2026-12-07T07:00:00Z", "allow 0 9 * * 1-5 for 8h in Europe/Zurich again 2026-12-07T08:00:00Z"},
		"starts that overlap":                {"deny 0 * * * * for 3h", "2026-05-04T12:30:00Z", "deny 0 * * * * for 3h again 2026-05-04T15:00:00Z"},
	} {
		t.Run(name, func(t *testing.T) {
			ws, err := ParseWindows(test.windows)
			if err != nil {
				t.Fatal(err)
			}
			now, err := time.Parse(time.RFC3339, test.now)
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			if by, again, closed := ws.Closed(now); closed {
				got = by.String() + " again " + again.UTC().Format(time.RFC3339)
			}
			if got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}

func TestWhatIsNoWindowIsRefused(t *testing.T) {
	const form = `: expected "allow" or "deny", a cron expression of five fields, "for" and a duration, and if need be "in" and a time zone: "allow 0 22 * * 1-5 for 6h in Europe/Zurich"`
	for text, want := range map[string]string{
		"":                                     `""` + form,
		"permit @daily for 1h":                 `"permit @daily for 1h"` + form,
		"allow @daily":                         `"allow @daily"` + form,
		"allow @daily for 1h;":                 `""` + form,
		"allow 0 22 * * for 1h":                `"allow 0 22 * * for 1h": "0 22 * *" is no cron expression of five fields: minute, hour, day of month, month and day of week`,
		"allow @every 1h for 1h":               `"allow @every 1h for 1h": "@every 1h" is no cron expression of five fields: minute, hour, day of month, month and day of week`,
		"allow 0 30 * * * for 1h":              `"allow 0 30 * * * for 1h": "0 30 * * *" is no cron expression: End of range (30) above maximum (23): 30`,
		"allow 0 0 30 2 * for 1h":              `"allow 0 0 30 2 * for 1h": "0 0 30 2 *" names a time that never comes`,
		"allow @daily for ever":                `"allow @daily for ever": "ever" is no duration from 1m to 744h`,
		"allow @daily for 1000h":               `"allow @daily for 1000h": "1000h" is no duration from 1m to 744h`,
		"allow @daily for 1h in Zurich":        `"allow @daily for 1h in Zurich": "Zurich" is no time zone: expected a name of the IANA database, such as Europe/Zurich`,
		"allow @daily for 1h in Local":         `"allow @daily for 1h in Local": "Local" is no time zone: expected a name of the IANA database, such as Europe/Zurich`,
		"allow @daily for 1h in ../etc/passwd": `"allow @daily for 1h in ../etc/passwd": "../etc/passwd" is no time zone: expected a name of the IANA database, such as Europe/Zurich`,
	} {
		if _, err := ParseWindows(text); err == nil || err.Error() != want {
			t.Errorf("%q:\ngot  %v\nwant %s", text, err, want)
		}
	}
}

func TestLimitsAndStrategiesAreReadStrictly(t *testing.T) {
	limits := func(text string) error {
		_, err := ParseLimits(text)
		return err
	}
	strategy := func(text string) error {
		_, err := ParseStrategy(text)
		return err
	}
	for _, test := range []struct {
		parse      func(string) error
		text, want string
	}{
		{limits, "share=20%, budget=10,attempts=0, fights=1, failures=100%", ""},
		{limits, "share=20", `share: "20" is no share from 0% to 100%`},
		{limits, "share", `"share": expected NAME=VALUE with commas between`},
		{limits, "", `"": expected NAME=VALUE with commas between`},
		{limits, "budget=1, budget=2", "budget is said twice"},
		{limits, "attempts=101", `attempts: "101" is no number from 0 to 100`},
		{strategy, "canary=0, wave=100%, max-failures=3, pause=0s, health-timeout=1h", ""},
		{strategy, "canary=201", `canary: "201" is no number from 0 to 200`},
		{strategy, "wave=101%", `wave: "101%" is no number from 1 to 200, and no share up to 100%`},
		{strategy, "pause=25h", `pause: "25h" is no duration from 0s to 24h`},
		{strategy, "health-timeout=0s", `health-timeout: "0s" is no duration from 1s to 24h`},
		{strategy, "speed=9", `unknown name "speed": expected canary, wave, max-failures, pause or health-timeout`},
	} {
		got := ""
		if err := test.parse(test.text); err != nil {
			got = err.Error()
		}
		if got != test.want {
			t.Errorf("%q:\ngot  %s\nwant %s", test.text, got, test.want)
		}
	}
}

// Of no step of a narrowed strategy goes further than before.
func TestAStrategyOnlyNarrows(t *testing.T) {
	number := rapid.OneOf(
		rapid.Map(rapid.IntRange(0, 20), func(n int) intstr.IntOrString { return intstr.FromInt(n) }),
		rapid.Map(rapid.IntRange(0, 100), func(n int) intstr.IntOrString { return intstr.FromString(strconv.Itoa(n) + "%") }))
	rapid.Check(t, func(t *rapid.T) {
		by := v1alpha1.Strategy{Canary: int32(rapid.IntRange(0, 5).Draw(t, "canary")), Wave: number.Draw(t, "wave"), MaxFailures: number.Draw(t, "failures")}
		by.Pause.Duration = time.Duration(rapid.IntRange(0, 9).Draw(t, "pause"))
		canary, wave, failures, pause := rapid.IntRange(0, 5).Draw(t, "c"), number.Draw(t, "w"), number.Draw(t, "f"), time.Duration(rapid.IntRange(0, 9).Draw(t, "p"))
		all := rapid.IntRange(1, 200).Draw(t, "targets")
		got := Strategy{Canary: &canary, Wave: &wave, MaxFailures: &failures, Pause: &pause}.Narrow(by, all)
		if Of(got.Wave, all) > Of(by.Wave, all) || Of(got.MaxFailures, all) > Of(by.MaxFailures, all) || got.Pause.Duration < by.Pause.Duration {
			t.Errorf("%+v goes further than %+v", got, by)
		}
		if by.Canary > 0 && (got.Canary == 0 || got.Canary > by.Canary) {
			t.Errorf("a canary of %d becomes %d", by.Canary, got.Canary)
		}
	})
}

func FuzzWindows(f *testing.F) {
	f.Add("allow 0 22 * * 1-5 for 6h in Europe/Zurich; deny @daily for 1h", int64(1777896000))
	f.Fuzz(func(t *testing.T, text string, unix int64) {
		ws, err := ParseWindows(text)
		if err != nil {
			return
		}
		now := time.Unix(unix%(1<<33), 0)
		if by, again, closed := ws.Closed(now); closed && !again.IsZero() && !again.After(now) {
			t.Errorf("%s: %s stands in the way at %s, until %s", text, by, now, again)
		}
	})
}
