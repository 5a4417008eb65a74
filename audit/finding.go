package audit

import (
	"context"
	"time"

	"github.com/holdfast-io/holdfast/engine"
)

// Finding is what the rules say of one object at one time.
type Finding struct {
	Object Object
	// Digest names the bundle that judged.
	Digest string
	// Result holds the decisions, and the patch to the state that the mutate rules want.
	Result engine.Mutation
	// Seen is when the auditor received the object in this state.
	Seen time.Time
	// News says that something happened to the object, or to what its verdict rests on, just now. What a sweep finds has
	// been so for some time, or is as it was.
	News bool
	// Origins say how the object came to what Result.Decisions found, one each in the same order; nil if nothing was
	// found that needs somebody.
	Origins []Origin
	// Settles is when the finding is to be taken for drift: until then the state may be one that passes. Zero when it is
	// settled already.
	Settles time.Time
}

// Origin is how an object came to fail a rule. It is told as it was when the rule was first seen to fail.
type Origin struct {
	// Write is the write that brought the object into this state.
	Write Write
	// Slip is how it got past admission.
	Slip Slip
}

// Write is a write of an object. What is not known is zero.
type Write struct {
	// User and Groups are those of the request, as admission saw it.
	User   string
	Groups []string
	// Manager is the field manager, from the request or from the object's managedFields.
	Manager string
	// Subresource is what was written of the object, such as status; empty for the object itself.
	Subresource string
	// Time is when: to the second where managedFields tell it.
	Time time.Time
}

// Slip is how a write got past admission, although a rule is against what it brought.
type Slip string

// Writes remembers the writes that admission let pass.
type Writes interface {
	// Of gives the write that brought the object to the generation; false when it was not seen or is forgotten. It
	// answers at once.
	Of(ctx context.Context, uid string, generation int64) (Write, bool)
}
