// Package fieldpath writes the path to a place in a document as Kubernetes does. Keys and indexes come in;
// text goes out.
package fieldpath

import (
	"strconv"
	"strings"
)

// Text writes keys (string) and indexes (int) from the top of a document as spec.rules[0].validate; it is ""
// for the document itself.
func Text(path []any) string {
	var b strings.Builder
	for _, step := range path {
		switch step := step.(type) {
		case int:
			b.WriteString("[" + strconv.Itoa(step) + "]")
		case string:
			if b.Len() > 0 {
				b.WriteByte('.')
			}
			b.WriteString(step)
		}
	}
	return b.String()
}
