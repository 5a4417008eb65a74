package bundle

import (
	"sync/atomic"

	"github.com/holdfast-io/holdfast/engine"
)

// Store holds the snapshot in force. It is safe for concurrent use: a reader keeps the snapshot that it
// got, whatever is stored after.
type Store struct {
	current atomic.Pointer[engine.Snapshot]
}

// NewStore puts a first snapshot in force.
func NewStore(first *engine.Snapshot) *Store {
	s := &Store{}
	s.current.Store(first)
	return s
}

// Current is the snapshot in force.
func (s *Store) Current() *engine.Snapshot { return s.current.Load() }

// Swap puts another snapshot in force and gives the one that it takes the place of.
func (s *Store) Swap(next *engine.Snapshot) *engine.Snapshot { return s.current.Swap(next) }
