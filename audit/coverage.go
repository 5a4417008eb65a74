package audit

import (
	"slices"
	"strings"
	"sync"
	"time"
)

// Coverage says what the auditor has seen of one type.
type Coverage struct {
	Type Type
	// Listed is when the last complete list ended; zero when there was none.
	Listed time.Time
	// Objects is the number of objects known.
	Objects int
	// Watching says that changes are seen as they happen.
	Watching bool
	// Stale says that what is known may be out of date since StaleSince, because of Error.
	Stale      bool
	StaleSince time.Time
	Error      string
}

// coverageBook keeps the coverage of all types for the goroutines that watch them.
type coverageBook struct {
	mu    sync.Mutex
	types map[Type]*Coverage
	// discovery is the last error of finding the types.
	discovery string
}

func (b *coverageBook) update(t Type, change func(*Coverage)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.types == nil {
		b.types = map[Type]*Coverage{}
	}
	c := b.types[t]
	if c == nil {
		c = &Coverage{Type: t}
		b.types[t] = c
	}
	change(c)
}

func (b *coverageBook) forget(t Type) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.types, t)
}

// reset forgets everything, when nobody audits any more.
func (b *coverageBook) reset() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.types, b.discovery = nil, ""
}

func (b *coverageBook) list() []Coverage {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := make([]Coverage, 0, len(b.types))
	for _, c := range b.types {
		out = append(out, *c)
	}
	slices.SortFunc(out, func(x, y Coverage) int {
		return strings.Compare(x.Type.Resource.String(), y.Type.Resource.String())
	})
	return out
}
