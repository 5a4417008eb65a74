package mutate

// ObjectPaths lists what the operations read and change of the object: for each place the keys that lead to it, as far
// as two of them do, and none where that is known at evaluation only.
func (p *JSON6902) ObjectPaths() [][]string {
	if p.late != nil {
		return [][]string{nil}
	}
	var out [][]string
	for i := range p.ops {
		o := &p.ops[i]
		if o.whole != nil || o.pathVars != nil || o.fromVars != nil {
			return [][]string{nil}
		}
		for _, place := range []pointer{o.known.to, o.known.from} {
			if len(place) > 0 {
				out = append(out, place[:min(len(place), 2)])
			}
		}
	}
	return out
}
