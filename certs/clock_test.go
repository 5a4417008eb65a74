package certs

import (
	"testing"
	"time"
)

// A clock that is set an hour forward, or back, at whatever time, and later right again, breaks nothing: no new CA is made,
// which nobody would trust yet, what is served can be verified by either time, and it comes to rest.
func TestAClockThatIsSetForwardAndBackMakesNoNewCA(t *testing.T) {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	lifetimes := Lifetimes{}.withDefaults()
	i := &issuer{lifetimes: lifetimes, names: []string{host}}
	settle := func(t *testing.T, s *state, now time.Time) *state {
		t.Helper()
		for range 10 {
			what, next := i.plan(s, now)
			if what == rest {
				if !next.After(now) {
					t.Fatalf("at %s it rests for %s: it would go round and round", now, next.Sub(now))
				}
				return s
			}
			if what == found && s != nil {
				t.Fatalf("at %s it makes a new CA", now)
			}
			var err error
			if s, err = i.perform(what, s, now); err != nil {
				t.Fatal(err)
			}
		}
		t.Fatalf("at %s it does not come to rest", now)
		return nil
	}
	// The days on which something changes, and one on which nothing does.
	for _, day := range []time.Duration{0, 1, 59, 60, 61, 5*365 - 181, 5*365 - 180, 5*365 - 179} {
		for _, by := range []time.Duration{time.Hour, -time.Hour} {
			s := settle(t, nil, start)
			now := start
			for end := start.Add(day * 24 * time.Hour); now.Before(end); now = now.Add(min(end.Sub(now), 20*24*time.Hour)) {
				s = settle(t, s, now)
			}
			for _, at := range []time.Time{now, now.Add(by + time.Second), now.Add(2 * time.Second), now.Add(time.Hour), now.Add(2 * time.Hour)} {
				s = settle(t, s, at)
				served := s.served()
				for _, clock := range []time.Time{at, now.Add(2 * time.Second)} {
					if err := verify(served.leaf, served.cas, clock); err != nil {
						t.Errorf("on day %d, set by %s: %v", day, by, err)
					}
				}
			}
		}
	}
}
