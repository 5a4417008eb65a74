package mutate

// pair is an element of one list with its counterpart in another.
type pair struct{ a, b int }

// maxAligned bounds the table of align, in cells: lists of 250 elements of which neither the first nor the
// last are the same.
const maxAligned = 1 << 16

// align pairs counterparts in order and ends with the ends of both lists. Long lists, of which the ends
// differ, are paired from both ends as far as counterparts go.
func align(a, b []any) []pair {
	w := window{a: a, b: b, endA: len(a), endB: len(b)}
	w.narrow(equal)
	if w.cells() > maxAligned {
		w.narrow(func(x, y any) bool { return likeness(x, y) > 0 })
	}
	pairs := make([]pair, 0, len(a)-w.endA+w.from+1)
	for i := range w.from {
		pairs = append(pairs, pair{i, i})
	}
	if w.cells() <= maxAligned {
		pairs = append(pairs, w.pairs()...)
	}
	for i, j := w.endA, w.endB; i <= len(a); i, j = i+1, j+1 {
		pairs = append(pairs, pair{i, j})
	}
	return pairs
}

// window is the part of two lists between what they have in common at their ends.
type window struct {
	a, b             []any
	from, endA, endB int
}

func (w *window) cells() int { return (w.endA - w.from) * (w.endB - w.from) }

func (w *window) narrow(alike func(x, y any) bool) {
	for w.from < w.endA && w.from < w.endB && alike(w.a[w.from], w.b[w.from]) {
		w.from++
	}
	for w.endA > w.from && w.endB > w.from && alike(w.a[w.endA-1], w.b[w.endB-1]) {
		w.endA, w.endB = w.endA-1, w.endB-1
	}
}

// pairs finds the pairs in the window that are most alike in sum, in order: the longest common subsequence,
// with weights.
func (w *window) pairs() []pair {
	a, b := w.a[w.from:w.endA], w.b[w.from:w.endB]
	if len(a) == 0 || len(b) == 0 {
		return nil
	}
	// best[i*width+j] is the sum for a[i:] and b[j:].
	width := len(b) + 1
	best := make([]int32, (len(a)+1)*width)
	alike := make([]int8, len(a)*len(b))
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			sum := max(best[(i+1)*width+j], best[i*width+j+1])
			if n := likeness(a[i], b[j]); n > 0 {
				alike[i*len(b)+j] = n
				sum = max(sum, best[(i+1)*width+j+1]+int32(n))
			}
			best[i*width+j] = sum
		}
	}
	var pairs []pair
	for i, j := 0, 0; i < len(a) && j < len(b); {
		n := alike[i*len(b)+j]
		switch here := best[i*width+j]; {
		case n > 0 && here == best[(i+1)*width+j+1]+int32(n):
			pairs = append(pairs, pair{i + w.from, j + w.from})
			i, j = i+1, j+1
		case here == best[(i+1)*width+j]:
			i++
		default:
			j++
		}
	}
	return pairs
}

// likeness is 2 for elements that are the same, 1 for objects that go by the same name, else 0.
func likeness(a, b any) int8 {
	if equal(a, b) {
		return 2
	}
	x, isObject := a.(map[string]any)
	y, both := b.(map[string]any)
	if !isObject || !both {
		return 0
	}
	// What the elements of Kubernetes' lists go by, the most telling first.
	for _, key := range [...]string{"name", "uid", "containerPort", "port", "mountPath", "devicePath", "ip", "topologyKey", "key", "type"} {
		v, ok := x[key]
		if !ok {
			continue
		}
		if !isContainer(v) && equal(v, y[key]) {
			return 1
		}
		return 0
	}
	return 0
}
