package report

import (
	"cmp"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
)

// The annotation AnnotationIndex says which objects a report is about, and what it says of them, so that after a restart
// nothing is written again that has not changed. For each type of object it has a line: apiVersion and kind, and for each
// object its UID with the hash, the counts by outcome and the length of what is said of it.

// indexed is one object in one version on a report.
type indexed struct {
	apiVersion, kind, uid string
	part                  part
}

func compareIndexed(a, b indexed) int {
	return cmp.Or(strings.Compare(a.apiVersion, b.apiVersion), strings.Compare(a.kind, b.kind), strings.Compare(a.uid, b.uid))
}

func writeIndex(list []indexed) string {
	var out strings.Builder
	apiVersion, kind := "", ""
	for i := range list {
		x := &list[i]
		if x.apiVersion != apiVersion || x.kind != kind {
			apiVersion, kind = x.apiVersion, x.kind
			if out.Len() > 0 {
				out.WriteByte('\n')
			}
			out.WriteString(apiVersion + " " + kind)
		}
		out.WriteString(" " + x.uid + "=" + base64.RawURLEncoding.EncodeToString(x.part.want[:]))
		for _, n := range x.part.counts {
			out.WriteString("," + strconv.Itoa(int(n)))
		}
		out.WriteString("," + strconv.Itoa(int(x.part.size)))
	}
	return out.String()
}

// parseIndex reads what writeIndex wrote. What is not of its form is an error: somebody has changed it, and nobody knows
// what else.
func parseIndex(text string) ([]indexed, error) {
	var out []indexed
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if len(words) < 3 {
			return nil, fmt.Errorf("the line %q names no objects", line)
		}
		for _, word := range words[2:] {
			x := indexed{apiVersion: words[0], kind: words[1]}
			uid, rest, ok := strings.Cut(word, "=")
			numbers := strings.Split(rest, ",")
			if !ok || uid == "" || len(numbers) != len(x.part.counts)+2 {
				return nil, fmt.Errorf("%q is of another form", word)
			}
			sum, err := base64.RawURLEncoding.DecodeString(numbers[0])
			if err != nil || len(sum) != len(x.part.want) {
				return nil, fmt.Errorf("%q has no hash", word)
			}
			x.uid, x.part.apiVersion, x.part.want = uid, x.apiVersion, hash(sum)
			for i := range x.part.counts {
				n, err := strconv.ParseUint(numbers[i+1], 10, 16)
				if err != nil {
					return nil, fmt.Errorf("%q has no counts", word)
				}
				x.part.counts[i] = uint16(n)
			}
			size, err := strconv.ParseInt(numbers[len(numbers)-1], 10, 32)
			if err != nil || size < 0 {
				return nil, fmt.Errorf("%q has no length", word)
			}
			x.part.size = int32(size)
			out = append(out, x)
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("it names no objects")
	}
	return out, nil
}
