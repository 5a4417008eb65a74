package bundle

import "strings"

// Nearest gives the name that is spelled most like the given one, case aside, or "" if a third of its
// letters would have to change.
func Nearest(written string, names []string) string {
	const longest = 64 // a slip of the pen is in a short word, and the cost grows with the length
	if len(written) > longest {
		return ""
	}
	best, least := "", (len(written)+2)/3+1
	for _, name := range names {
		if d := editDistance(strings.ToLower(written), strings.ToLower(name)); d < least {
			best, least = name, d
		}
	}
	return best
}

// editDistance is Levenshtein's.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		corner := row[0]
		row[0]++
		for j := range len(b) {
			change := corner
			if a[i] != b[j] {
				change++
			}
			corner = row[j+1]
			row[j+1] = min(change, corner+1, row[j]+1)
		}
	}
	return row[len(b)]
}
