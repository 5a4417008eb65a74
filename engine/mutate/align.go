package mutate

// pair is an element of one list with its counterpart in another.
type pair struct{ a, b int }

// maxAligned bounds the table of align, in cells: lists of 250 elements that share neither their beginning
// nor their end. Longer ones are paired from the left.
const maxAligned = 1 << 16

// align pairs counterparts in order, as many as it finds, and ends with the ends of both lists.
func align(a, b []any) []pair {
	var pairs []pair
	from := 0
	for from < len(a) && from < len(b) && counterparts(a[from], b[from]) {
		pairs = append(pairs, pair{from, from})
		from++
	}
	endA, endB := len(a), len(b)
	for endA > from && endB > from && counterparts(a[endA-1], b[endB-1]) {
		endA, endB = endA-1, endB-1
	}
	pairs = append(pairs, longest(a[from:endA], b[from:endB], from)...)
	for i, j := endA, endB; i < len(a); i, j = i+1, j+1 {
		pairs = append(pairs, pair{i, j})
	}
	return append(pairs, pair{len(a), len(b)})
}

// longest is the longest common subsequence of counterparts, with offset added to the indexes.
func longest(a, b []any, offset int) []pair {
	if len(a) == 0 || len(b) == 0 || len(a)*len(b) > maxAligned {
		return nil
	}
	// length[i][j] is that of the longest common subsequence of a[i:] and b[j:].
	width := len(b) + 1
	length := make([]uint16, (len(a)+1)*width)
	match := make([]bool, len(a)*len(b))
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			best := max(length[(i+1)*width+j], length[i*width+j+1])
			if counterparts(a[i], b[j]) {
				match[i*len(b)+j] = true
				best = max(best, length[(i+1)*width+j+1]+1)
			}
			length[i*width+j] = best
		}
	}
	var pairs []pair
	for i, j := 0, 0; i < len(a) && j < len(b); {
		here := length[i*width+j]
		switch {
		case match[i*len(b)+j] && here == length[(i+1)*width+j+1]+1:
			pairs = append(pairs, pair{i + offset, j + offset})
			i, j = i+1, j+1
		case here == length[(i+1)*width+j]:
			i++
		default:
			j++
		}
	}
	return pairs
}

// counterparts reports whether two elements are the same, or objects of the same name.
func counterparts(a, b any) bool {
	x, isObject := a.(map[string]any)
	y, both := b.(map[string]any)
	if !isObject || !both {
		return equal(a, b)
	}
	if name, ok := x["name"].(string); ok {
		other, ok := y["name"].(string)
		return ok && name == other
	}
	return equal(a, b)
}
