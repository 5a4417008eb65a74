package pattern

// verdict is the outcome for a part of a pattern. What a parent makes of it depends on all of these.
type verdict uint8

const (
	matched  verdict = iota
	unmet            // a condition of this very map does not hold, or a global one below it
	skipped          // a condition further below does not hold
	mismatch         // the object does not match
	short            // the same, in a list too short for a list of lists
	banned           // a key is there that X(k) forbids
)

func (v verdict) skips() bool { return v == unmet || v == skipped }

// matcher walks one object beside one pattern. While it goes down it records nothing; on the way up from
// what did not match each step adds its part of the path, so that a match costs no more than the looking.
type matcher struct {
	slots []node // the values of variables
	// blended says that values of variables stand in the nodes themselves, so that messages must not show
	// leaves.
	blended bool

	// The last failure: reason holds what was asked for and found, trail the path to it.
	reason reason
	length int      // steps in the path
	trail  [12]step // its first steps: most patterns are not deeper
	beyond []step   // the others

	// seen and there, when set, note by number the anchored keys that were looked at, and those that the
	// object has.
	seen, there []bool
}

// step is one part of a path: a key, or the position in a list, counted from 1.
type step struct {
	key      string
	position int
}

func (m *matcher) resolve(n *node) *node {
	if n.kind == slotNode {
		return &m.slots[n.slot]
	}
	return n
}

// fail records a failure at the path of that many steps.
func (m *matcher) fail(why cause, n *node, found any, depth int) verdict {
	m.reason = reason{why: why, want: n, found: found}
	m.length = depth
	if why == tooShort {
		return short
	}
	return mismatch
}

// at notes the step that leads down from a depth.
func (m *matcher) at(depth int, s step) {
	if depth < len(m.trail) {
		m.trail[depth] = s
		return
	}
	for depth -= len(m.trail); len(m.beyond) <= depth; {
		m.beyond = append(m.beyond, step{})
	}
	m.beyond[depth] = s
}

func (m *matcher) step(depth int) step {
	if depth < len(m.trail) {
		return m.trail[depth]
	}
	return m.beyond[depth-len(m.trail)]
}

func (m *matcher) node(written *node, value any, depth int) verdict {
	n := m.resolve(written)
	switch n.kind {
	case objectNode:
		object, ok := value.(map[string]any)
		if !ok {
			return m.fail(notObject, written, value, depth)
		}
		return m.object(n.object, object, depth)
	case listNode:
		list, ok := value.([]any)
		if !ok {
			return m.fail(notList, written, value, depth)
		}
		return m.list(written, n, list, depth)
	default:
		if !n.scalar.matchEach(value) {
			return m.fail(notEqualTo, written, value, depth)
		}
		return matched
	}
}

func (m *matcher) object(o *object, object map[string]any, depth int) verdict {
	m.note(o.anchors, object)
	applied, far, near := 0, false, false
	for i := range o.anchors {
		switch v := m.anchor(&o.anchors[i], object, depth); v {
		case matched:
			applied++
		case unmet:
			near = true
			if m.seen == nil {
				return skipped // nothing that follows can change this
			}
		case skipped:
			far = true
		default:
			if !near {
				return v
			}
		}
	}
	if near || far && applied == 0 {
		return skipped
	}
	for i := range o.rest {
		if v := m.plain(&o.rest[i], object, depth); v != matched {
			return v
		}
	}
	return matched
}

// note marks the anchored keys of a map as looked at, and those that the object has as there.
func (m *matcher) note(anchors []field, object map[string]any) {
	if m.seen == nil {
		return
	}
	for i := range anchors {
		f := &anchors[i]
		if f.mark == 0 {
			continue
		}
		m.seen[f.mark] = true
		if _, _, ok := f.find(object); ok {
			m.there[f.mark] = true
		}
	}
}

func (m *matcher) anchor(f *field, object map[string]any, depth int) verdict {
	key, value, present := f.find(object)
	if !present {
		if f.anchor != Condition {
			return matched
		}
		m.at(depth, step{key: key})
		m.fail(missing, &f.value, nil, depth+1)
		return unmet
	}
	var v verdict
	switch f.anchor {
	case Negation:
		m.fail(forbidden, &f.value, value, depth+1)
		v = banned
	case Existence:
		v = m.existence(&f.value, value, depth+1)
	default:
		v = m.node(&f.value, value, depth+1)
	}
	if v == matched {
		return matched
	}
	m.at(depth, step{key: key})
	if f.anchor == Condition {
		return unmet
	}
	return v
}

// existence asks for each element of the pattern that some element of the list match it.
func (m *matcher) existence(written *node, value any, depth int) verdict {
	list, ok := value.([]any)
	if !ok {
		return m.fail(notList, written, value, depth)
	}
	n := m.resolve(written)
	if n.kind != listNode {
		return m.fail(badExistence, written, value, depth)
	}
	for i := range n.items {
		item := m.resolve(&n.items[i])
		if item.kind != objectNode {
			return m.fail(badExistence, written, value, depth)
		}
		found := false
		for j := 0; j < len(list) && !found; j++ {
			found = m.node(item, list[j], depth+1) == matched
		}
		if !found {
			return m.fail(noneMatches, written, value, depth)
		}
	}
	return matched
}

// plain handles the keys that are looked at once the anchors have had their say: those without an
// anchor, and global conditions.
func (m *matcher) plain(f *field, object map[string]any, depth int) verdict {
	key, value, present := f.find(object)
	if f.anchor == Global {
		if !present || m.node(&f.value, value, depth+1) == matched {
			return matched
		}
		m.at(depth, step{key: key})
		return unmet
	}
	if m.resolve(&f.value).star {
		if value != nil {
			return matched
		}
		m.at(depth, step{key: key})
		return m.fail(notSet, &f.value, nil, depth)
	}
	v := m.node(&f.value, value, depth+1)
	if v != matched {
		m.at(depth, step{key: key})
		if !present {
			m.reason.absent = true
		}
	}
	return v
}
