package cel

import (
	"regexp"
	"strings"
)

// Lift rewrites an expression of a mutation of Pods to one of objects with a pod template at the given path, such as
// ["spec", "template"]. What it reads of the Pod (object.spec, object.metadata.labels, object.metadata.annotations, and
// the same of oldObject) is read of the template; the types of what it makes are those of the template's place, and an
// Object that it makes of a Pod becomes one around the template. What stands inside a text constant or a comment stays as
// it is.
//
// The text that is read comes first on its line where it was first, so that an error is still found near its place.
func Lift(text string, template []string) string {
	l := lifter{
		// with or without the ? of an optional field
		spec:  "${1}.${2}" + strings.Join(template, ".${2}") + ".${2}spec",
		meta:  "${1}.${2}" + strings.Join(template, ".${2}") + ".${2}metadata.${3}${4}",
		types: "Object." + strings.Join(template, ".") + ".",
	}
	for i, field := range template {
		l.open += field + ": Object." + strings.Join(template[:i+1], ".") + "{"
	}
	l.closing = strings.Repeat("}", len(template))
	for rest := text; rest != ""; {
		n := beforeText(rest)
		raw := strings.HasSuffix(strings.TrimRight(strings.ToLower(rest[:n]), "b"), "r")
		l.code(rest[:n])
		rest = rest[n:]
		n = textLength(rest, raw)
		l.out.WriteString(rest[:n])
		rest = rest[n:]
	}
	return l.out.String()
}

var (
	readsSpec = regexp.MustCompile(`\b(object|oldObject)\.(\??)spec\b`)
	readsMeta = regexp.MustCompile(`\b(object|oldObject)\.(\??)metadata\.(\??)(labels|annotations)\b`)
	madeTypes = regexp.MustCompile(`\bObject\.(spec|metadata)\b`)
	brackets  = regexp.MustCompile(`\bObject\s*\{|[{}]`)
)

// lifter writes a lifted expression.
type lifter struct {
	spec, meta, types string // what takes the place of what is read, and of the types
	open, closing     string // of an Object
	out               strings.Builder
	depth             int
	objects           []int // depths of the Objects that are open
}

// code lifts a piece without text constants.
func (l *lifter) code(piece string) {
	piece = readsSpec.ReplaceAllString(piece, l.spec)
	piece = readsMeta.ReplaceAllString(piece, l.meta)
	piece = madeTypes.ReplaceAllString(piece, l.types+"${1}")
	from := 0
	for _, found := range brackets.FindAllStringIndex(piece, -1) {
		l.out.WriteString(piece[from:found[0]])
		bracket := piece[found[0]:found[1]]
		from = found[1]
		switch bracket {
		case "{":
			l.depth++
			l.out.WriteString(bracket)
		case "}":
			if last := len(l.objects) - 1; last >= 0 && l.objects[last] == l.depth {
				l.objects = l.objects[:last]
				l.out.WriteString(l.closing)
			}
			l.depth--
			l.out.WriteString(bracket)
		default:
			l.depth++
			l.objects = append(l.objects, l.depth)
			l.out.WriteString(bracket + l.open)
		}
	}
	l.out.WriteString(piece[from:])
}

// beforeText is the length of what comes before the next text constant or comment.
func beforeText(text string) int {
	for i := range len(text) {
		if c := text[i]; c == '\'' || c == '"' || strings.HasPrefix(text[i:], "//") {
			return i
		}
	}
	return len(text)
}

// textLength is the length of the text constant or comment that the text begins with. In a raw one a backslash hides
// nothing.
func textLength(text string, raw bool) int {
	switch {
	case text == "":
		return 0
	case strings.HasPrefix(text, "//"):
		if end := strings.IndexByte(text, '\n'); end >= 0 {
			return end
		}
		return len(text)
	}
	quote := text[:1]
	if triple := strings.Repeat(quote, 3); strings.HasPrefix(text, triple) {
		quote = triple
	}
	for i := len(quote); i < len(text); i++ {
		switch {
		case text[i] == '\\' && !raw:
			i++
		case strings.HasPrefix(text[i:], quote):
			return i + len(quote)
		}
	}
	return len(text)
}
