package audit

import (
	"crypto/sha256"
	"sync"

	"github.com/holdfast-io/holdfast/engine"
)

// ruleSet is what judges the objects of one type. Bundles that differ in nothing that is about the type share one.
type ruleSet struct {
	digest [sha256.Size]byte
	reads  *engine.Reads
}

// rules knows the rule set of a type in the bundle in force.
type rules struct {
	mu       sync.Mutex
	snapshot *engine.Snapshot
	set      *ruleSet
}

// in gives the rule set of the type in the snapshot: the one of before, if the rules are the same.
func (r *rules) in(s *engine.Snapshot, t Type) *ruleSet {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.snapshot == s {
		return r.set
	}
	resource := &engine.Resource{Kind: t.Kind, Plural: t.Resource.Resource}
	r.snapshot = s
	if digest := s.AuditDigest(resource); r.set == nil || r.set.digest != digest {
		r.set = &ruleSet{digest, s.Reads(resource)}
	}
	return r.set
}
