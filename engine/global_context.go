package engine

import (
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/holdfast-io/holdfast/engine/expr"
)

// GlobalContext is a compiled GlobalContextEntry: data that many rules read, and that somebody outside of the
// engine keeps at hand. Exactly one of Resource and Call is set. It is immutable.
type GlobalContext struct {
	Name string
	// Digest names the entry's content: sha256 in hex over its canonical JSON.
	Digest string
	// Resource is what to watch; the value is the list of its objects.
	Resource *WatchedResource
	// Call is what to ask for again and again; the value is the answer.
	Call *RepeatedCall

	// Projections are values made from that value. Rules read one as entry.projection.
	Projections []Projection
}

const kindGlobalContext = "GlobalContextEntry"

// WatchedResource is a type of object, in one namespace or, if that is empty, in all.
type WatchedResource struct {
	Resource  schema.GroupVersionResource
	Namespace string
}

// RepeatedCall is a call without variables.
type RepeatedCall struct {
	Call Call
	// Refresh is the time between two calls.
	Refresh time.Duration
	// Retries is how often a call that fails is tried before the entry is in error.
	Retries int
}

// Projection is a named query on the value of an entry.
type Projection struct {
	Name  string
	Query *expr.Query
}
