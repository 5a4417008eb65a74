package bundle

import (
	"fmt"
	"time"

	"github.com/holdfast-io/holdfast/engine"
)

// WarnOfExpired adds to the warnings those of exceptions whose time is over at that moment. One of policies.kyverno.io has an end of its own, and
// excuses nothing after it. Any may bear the label that has objects deleted at a time: past it the object is not to be
// found any more, but as long as it is there it goes on to excuse.
func (s *Summary) WarnOfExpired(now time.Time) {
	out := s.Warnings
	for i := range s.Exceptions {
		l := &s.Exceptions[i]
		if until := l.Exception.Until(); !until.IsZero() && now.After(until) {
			out = append(out, l.warning([]any{"spec", "expiresAt"},
				fmt.Sprintf("the exception expired at %s: it excuses nothing any more", until.UTC().Format(time.RFC3339))))
		}
		if end, known := engine.EndOfLife(l.Document); known && now.After(end) {
			out = append(out, l.warning([]any{"metadata", "labels", "cleanup.kyverno.io/ttl"},
				fmt.Sprintf("the exception was to be deleted at %s: it still excuses while it is here", end.UTC().Format(time.RFC3339))))
		}
	}
	s.Warnings = sortProblems(out)
}
