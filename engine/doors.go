package engine

import "slices"

// doors are the rules of an index as they are asked: about objects at rest, and about requests by their operation.
type doors struct {
	all      *index
	atRest   racks // for objects as if they were created
	requests map[Operation]*racks
}

func (ix *index) doors(use usage) doors {
	d := doors{all: ix, requests: map[Operation]*racks{}}
	last := racks{}
	for _, op := range allOperations.list() {
		at := ix.racks(operationBit(op), use, &last)
		d.requests[op], last = &at, at
	}
	use.atRest = true
	d.atRest = ix.racks(allOperations, use, d.requests[Create])
	return d
}

// rules lists those that may match, in order. What is left out matches not, and has nothing to say about it.
func (d *doors) rules(e *evaluation) []*Rule {
	if e.unasked() && e.req.Operation == Create {
		return d.atRest.rules(e)
	}
	if e.unasked() {
		return d.all.rules(&e.resource) // nearly all have to say that they cannot judge
	}
	if at, known := d.requests[e.req.Operation]; known {
		return at.rules(e)
	}
	return nil
}

// racks hold the rules of an index for some operations.
type racks struct{ byKind, byPlural namedRacks }

// namedRacks are by the names that rules have, and one for all others.
type namedRacks struct {
	lists    map[string]*rack
	wildcard *rack
}

// racks gives those for some operations. Where they are of the same rules as those of others, which is nearly everywhere,
// they are the same racks.
func (ix *index) racks(ops operations, use usage, others *racks) racks {
	return racks{ix.byKind.racks(ops, use, &others.byKind), ix.byPlural.racks(ops, use, &others.byPlural)}
}

func (ix *names) racks(ops operations, use usage, others *namedRacks) namedRacks {
	fill := func(list []*Rule, other *rack) *rack {
		kept := slices.DeleteFunc(slices.Clone(list), func(r *Rule) bool { return !use.atRest && r.operations&ops == 0 })
		if other != nil && slices.Equal(kept, other.from) {
			return other
		}
		return newRack(kept, use)
	}
	out := namedRacks{lists: make(map[string]*rack, len(ix.lists)), wildcard: fill(ix.wildcard, others.wildcard)}
	for name, list := range ix.lists {
		out.lists[name] = fill(list, others.lists[name])
	}
	return out
}

func (s *racks) rules(e *evaluation) []*Rule {
	byKind := s.byKind.rack(e.resource.Kind.Kind).rules(e)
	if s.byPlural.empty() {
		return byKind
	}
	return joined(byKind, s.byPlural.rack(e.resource.plural()).rules(e))
}

func (s *namedRacks) rack(name string) *rack {
	if found, ok := s.lists[name]; ok {
		return found
	}
	return s.wildcard
}

func (s *namedRacks) empty() bool { return len(s.lists) == 0 && s.wildcard.empty() }
