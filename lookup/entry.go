package lookup

import (
	"context"
	"crypto/rand"
	"fmt"
	"time"

	"github.com/holdfast-io/holdfast/engine"
	"github.com/holdfast-io/holdfast/engine/expr"
)

// EntryStatus says how an entry is.
type EntryStatus struct {
	Name string
	// Refreshed is when the value was read last: zero for never, and for a watch, which is always fresh.
	Refreshed time.Time
	// Error is why the last attempt failed, or "".
	Error string
}

// projected is the value of an entry with those of its projections.
type projected struct {
	value  any
	byName map[string]projection
}

type projection struct {
	value any
	err   error
}

// project makes the projections of an entry's value.
func project(e *engine.GlobalContext, value any, functions *expr.Functions) *projected {
	out := &projected{value: value, byName: make(map[string]projection, len(e.Projections))}
	for _, p := range e.Projections {
		result, err := p.Query.SearchIn(&expr.Env{Functions: functions, Now: time.Now, Rand: rand.Reader}, value)
		if err != nil {
			err = fmt.Errorf("projection %s: %w", p.Name, err)
		}
		out.byName[p.Name] = projection{result, err}
	}
	return out
}

func (p *projected) get(entry, name string) (any, error) {
	if name == "" {
		return p.value, nil
	}
	found, ok := p.byName[name]
	if !ok {
		return nil, fmt.Errorf("projection %s of global context entry %s %w", name, entry, engine.ErrNotFound)
	}
	return found.value, found.err
}

// source keeps the value of one entry.
type source interface {
	// wait waits until there is a value, or a reason why not.
	wait(ctx context.Context) error
	settled() bool
	get(ctx context.Context) (*projected, error)
	status() EntryStatus
	held() (objects int, bytes int64)
	stop()
}
