package webhook

import "sync/atomic"

// limiter bounds the reviews in hand, by number and by length. It never makes anybody wait: a review that
// waits here would be late for its API server, and its body is memory.
type limiter struct {
	maxCount, maxBytes int64
	count, bytes       atomic.Int64
}

// take gets a place for a review of n bytes; false means that there is none.
func (l *limiter) take(n int64) bool {
	if l.count.Add(1) > l.maxCount {
		l.count.Add(-1)
		return false
	}
	if l.bytes.Add(n) > l.maxBytes {
		l.give(n)
		return false
	}
	return true
}

// give puts the place of a review of n bytes back.
func (l *limiter) give(n int64) {
	l.count.Add(-1)
	l.bytes.Add(-n)
}
