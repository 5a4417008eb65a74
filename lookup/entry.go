package lookup

import (
	"context"
	"crypto/rand"
	"fmt"
	"reflect"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/holdfast-io/holdfast/engine"
	"github.com/holdfast-io/holdfast/engine/expr"
)

// Entry is one global context entry: a value that is kept ready for all policies. Exactly one of Resource and Call is
// set.
type Entry struct {
	Name string
	// Resource is watched, in Namespace or everywhere; the value is the list of its objects.
	Resource  schema.GroupVersionResource
	Namespace string
	// Call is made again and again; the value is its last answer.
	Call *EntryCall
	// Projections are values made from that value.
	Projections []Projection
}

// EntryCall is the call of an entry.
type EntryCall struct {
	engine.Call
	// Refresh is how long an answer is good. Less than a second counts as a second.
	Refresh time.Duration
	// Retries is how often one refresh is attempted, at least once.
	Retries int
}

// Projection is a named query on the value of an entry.
type Projection struct {
	Name  string
	Query *expr.Query
}

// EntryStatus says how an entry is.
type EntryStatus struct {
	Name string
	// Refreshed is when the value was read last: zero for never, and for a watch, which is always fresh.
	Refreshed time.Time
	// Error is why the last attempt failed, or "".
	Error string
}

// same says whether an entry asks for the same as another.
func (e *Entry) same(other *Entry) bool {
	if e.Name != other.Name || e.Resource != other.Resource || e.Namespace != other.Namespace || !reflect.DeepEqual(e.Call, other.Call) ||
		len(e.Projections) != len(other.Projections) {
		return false
	}
	for i, p := range e.Projections {
		if p.Name != other.Projections[i].Name || p.Query.String() != other.Projections[i].Query.String() {
			return false
		}
	}
	return true
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

// project makes the projections of a value.
func (e *Entry) project(value any, functions *expr.Functions) *projected {
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
