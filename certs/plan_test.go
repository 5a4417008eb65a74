package certs

import (
	"testing"
	"time"
)

func TestPlan(t *testing.T) {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	i := &issuer{lifetimes: quick, names: []string{host}}
	// after walks through steps, each at its hour since the start.
	type at struct {
		what step
		hour int
	}
	after := func(t *testing.T, steps ...at) *state {
		t.Helper()
		var s *state
		for _, st := range steps {
			var err error
			if s, err = i.perform(st.what, s, start.Add(time.Duration(st.hour)*time.Hour)); err != nil {
				t.Fatal(err)
			}
		}
		return s
	}
	for name, c := range map[string]struct {
		steps []at
		hour  int
		want  step
		next  int // hours since the start, for rest
	}{
		"nothing there: found":                             {nil, 0, found, 0},
		"new: rests until the leaf is old":                 {[]at{{found, 0}}, 0, rest, 36},
		"leaf half a day from its end: renewed":            {[]at{{found, 0}}, 36, renew, 0},
		"leaf expired: renewed":                            {[]at{{found, 0}}, 100, renew, 0},
		"CA four days from its end: its successor staged":  {[]at{{found, 0}, {renew, 143}}, 144, stage, 0},
		"staged: rests for the overlap":                    {[]at{{found, 0}, {renew, 143}, {stage, 144}}, 144, rest, 145},
		"staged for an overlap: promoted":                  {[]at{{found, 0}, {renew, 143}, {stage, 144}}, 145, promote, 0},
		"promoted: the old CA stays for an overlap":        {[]at{{found, 0}, {renew, 143}, {stage, 144}, {promote, 145}}, 145, rest, 146},
		"promoted for an overlap: the old CA goes":         {[]at{{found, 0}, {renew, 143}, {stage, 144}, {promote, 145}}, 146, retire, 0},
		"retired: rests until the leaf is old":             {[]at{{found, 0}, {renew, 143}, {stage, 144}, {promote, 145}, {retire, 146}}, 146, rest, 181},
		"CA expired, none staged: found":                   {[]at{{found, 0}}, 241, found, 0},
		"CA expired, one staged: promoted at once":         {[]at{{found, 0}, {renew, 200}, {stage, 240}}, 240, promote, 0},
		"clock before the certificates' beginning: found":  {[]at{{found, 10}}, 0, found, 0},
		"leaf as old as its CA, next CA staged: rests":     {[]at{{found, 0}, {renew, 235}, {stage, 235}}, 235, rest, 236},
		"leaf as old as its CA, none staged: staged first": {[]at{{found, 0}, {renew, 235}}, 236, stage, 0},
	} {
		t.Run(name, func(t *testing.T) {
			s := after(t, c.steps...)
			now := start.Add(time.Duration(c.hour) * time.Hour)
			what, next := i.plan(s, now)
			if what != c.want {
				t.Fatalf("planned %s, expected %s", what, c.want)
			}
			if what == rest && !next.Equal(start.Add(time.Duration(c.next)*time.Hour)) {
				t.Errorf("rests until hour %s, expected %d", next.Sub(start), c.next)
			}
		})
	}
	t.Run("a certificate for other names: renewed", func(t *testing.T) {
		s := after(t, at{found, 0})
		other := &issuer{lifetimes: quick, names: []string{"127.0.0.1", host}}
		if what, _ := other.plan(s, start); what != renew {
			t.Errorf("planned %s, expected renew", what)
		}
	})
	t.Run("no leaf outlives its CA", func(t *testing.T) {
		s := after(t, at{found, 0}, at{renew, 235})
		if !s.leaf.cert.NotAfter.Equal(s.signing.cert.NotAfter) {
			t.Errorf("leaf ends %s, CA %s", s.leaf.cert.NotAfter, s.signing.cert.NotAfter)
		}
	})
}

// From any state, steps come to rest: a Rotator that never does would write for ever.
func TestEveryPlanComesToRest(t *testing.T) {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	i := &issuer{lifetimes: quick, names: []string{host}}
	var s *state
	for hour := 0; hour < 24*30; hour += 7 {
		now := start.Add(time.Duration(hour) * time.Hour)
		for steps := 0; ; steps++ {
			what, next := i.plan(s, now)
			if what == rest {
				if !next.After(now) {
					t.Fatalf("hour %d: rests until %s, which is not later", hour, next)
				}
				break
			}
			if steps == 5 {
				t.Fatalf("hour %d: still not at rest after 5 steps, next is %s", hour, what)
			}
			var err error
			if s, err = i.perform(what, s, now); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestLifetimesThatDoNotGoTogether(t *testing.T) {
	for want, l := range map[string]Lifetimes{
		"lifetimes are positive": {Leaf: -1},
		"LeafRenewBefore is 2160h0m0s: expected less than Leaf, 2160h0m0s":                                                                       {LeafRenewBefore: 90 * day},
		"CARenewBefore is 4320h0m0s: expected less than CA, 2400h0m0s":                                                                           {CA: 100 * day},
		"CARenewBefore is 240h0m0s: expected at least Leaf and Overlap together, 2161h0m0s, so that no leaf outlives its CA":                     {CARenewBefore: 10 * day},
		"CA is 4321h0m0s: expected more than CARenewBefore and two Overlaps together, 4322h0m0s, so that one change ends before the next begins": {CA: 180*day + time.Hour},
		"Leaf is 721h0m0s: expected more than LeafRenewBefore and Overlap together, 721h0m0s":                                                    {Leaf: 721 * time.Hour},
	} {
		t.Run(want, func(t *testing.T) {
			err := l.withDefaults().validate()
			if err == nil || err.Error() != want {
				t.Errorf("got %v, expected %s", err, want)
			}
		})
	}
	if err := (Lifetimes{}).withDefaults().validate(); err != nil {
		t.Errorf("the default: %v", err)
	}
}
