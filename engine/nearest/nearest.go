// Package nearest finds the name that a slip of the pen was meant to be, for errors that say "did you
// mean". A written word and the known names come in; one of them, or nothing, goes out.
package nearest

import "strings"

// Name gives the name that is spelled most like the written one, case aside; of several the first. It is
// "" if more than a third of the letters would have to change.
func Name(written string, names []string) string {
	const longest = 64 // a slip is in a short word, and the cost grows with the length
	if len(written) > longest {
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
