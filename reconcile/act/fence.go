package act

import (
	"context"
	"errors"

	"github.com/holdfast-io/holdfast/api/v1alpha1"
)

// errLeadsNoMore is why nothing is done: whoever leads now finds the marks, and out what became of what they stand for. A
// process that has stood still, or is cut off, hears of that too late, and what it would put on record is on record by then.
var errLeadsNoMore = errors.New("this replica leads no more")

// fencedObjects writes nothing once this process leads no more.
type fencedObjects struct {
	Objects
	leads func() bool
}

// Write asks first.
func (f fencedObjects) Write(ctx context.Context, w *Write) (map[string]any, error) {
	if !f.leads() {
		return nil, errLeadsNoMore
	}
	return f.Objects.Write(ctx, w)
}

// fencedJournal records nothing once this process leads no more.
type fencedJournal struct {
	Journal
	leads func() bool
}

// Intend asks first.
func (f fencedJournal) Intend(ctx context.Context, deeds []Deed) error {
	if !f.leads() {
		return errLeadsNoMore
	}
	return f.Journal.Intend(ctx, deeds)
}

// Settle asks first.
func (f fencedJournal) Settle(ctx context.Context, outcomes []Outcome) error {
	if !f.leads() {
		return errLeadsNoMore
	}
	return f.Journal.Settle(ctx, outcomes)
}

// Conclude asks first.
func (f fencedJournal) Conclude(ctx context.Context, r *v1alpha1.Remediation) error {
	if !f.leads() {
		return errLeadsNoMore
	}
	return f.Journal.Conclude(ctx, r)
}
