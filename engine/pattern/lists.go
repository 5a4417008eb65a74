package pattern

func (m *matcher) list(written, n *node, list []any, depth int) verdict {
	if len(n.items) == 0 {
		return m.fail(emptyList, written, list, depth)
	}
	first := m.resolve(&n.items[0])
	switch first.kind {
	case objectNode:
		return m.objects(&n.items[0], list, depth)
	case scalarNode:
		return m.scalars(&n.items[0], &first.scalar, list, depth)
	default:
		return m.tuple(written, n, list, depth)
	}
}

// objects matches each element with the one object of the pattern. Elements that its conditions leave out
// do not count, unless they are all.
func (m *matcher) objects(item *node, list []any, depth int) verdict {
	applied, left := 0, 0
	for i, element := range list {
		v := m.node(item, element, depth+1)
		if v == matched {
			applied++
			continue
		}
		m.at(depth, step{position: i + 1})
		if !v.skips() {
			return v
		}
		left++
	}
	if applied == 0 && left > 0 {
		return skipped
	}
	return matched
}

func (m *matcher) scalars(item *node, s *Scalar, list []any, depth int) verdict {
	for _, element := range list {
		if !s.match(element) {
			return m.fail(notEqualTo, item, element, depth)
		}
	}
	return matched
}

// tuple matches element by element, for patterns whose first element is a list.
func (m *matcher) tuple(written, n *node, list []any, depth int) verdict {
	if len(list) < len(n.items) {
		return m.fail(tooShort, written, list, depth)
	}
	applied, left := 0, 0
	for i := range n.items {
		v := m.node(&n.items[i], list[i], depth+1)
		if v == matched {
			applied++
			continue
		}
		m.at(depth, step{position: i + 1})
		if !v.skips() {
			return v
		}
		left++
	}
	if applied == 0 && left > 0 {
		return skipped
	}
	return matched
}
