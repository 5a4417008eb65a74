package reconcile

import (
	"context"

	"github.com/holdfast-io/holdfast/engine"
)

// Journal keeps the record of what is done to objects.
type Journal interface {
	// Begin records what is about to be written, and returns when that is on disk. With an error, nothing is written. ended
	// is called with what became of it, and returns at once.
	Begin(ctx context.Context, act Act) (ended func(error), err error)
}

// Act is one write of an object, as it is about to be made.
type Act struct {
	Change  *engine.Change
	Rule    *engine.Rule
	Trigger Trigger
	// Bundle is the digest of the bundle in force.
	Bundle string
}

// intend records an act, if anybody keeps a record.
func (k *Keeper) intend(ctx context.Context, c *engine.Change, r *engine.Rule, t Trigger) (ended func(error), err error) {
	if k.opts.Journal == nil {
		return func(error) {}, nil
	}
	return k.opts.Journal.Begin(ctx, Act{Change: c, Rule: r, Trigger: t, Bundle: k.opts.Snapshots.Current().Digest()})
}
