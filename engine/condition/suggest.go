package condition

import "strings"

// closest gives the name that is nearest to what was written, case aside, or "" when none is near
// enough to be a slip: about a third of the letters may differ.
func closest(written string, names []string) string {
	if len(written) > 64 { // nothing that long is a slip, and the cost grows with the length
		return ""
	}
	best, least := "", (len(written)+2)/3+1
	for _, name := range names {
		if d := distance(strings.ToLower(written), strings.ToLower(name)); d < least {
			best, least = name, d
		}
	}
	return best
}

// distance counts the insertions, deletions and replacements that turn a into b (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost = 1 + min(diagonal, row[j], row[j+1])
			}
			diagonal, row[j+1] = row[j+1], cost
		}
	}
	return row[len(b)]
}
