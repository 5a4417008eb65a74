package condition

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/holdfast-io/holdfast/engine/number"
)

// scalarText gives the text by which a scalar key is looked for among members.
func scalarText(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case bool:
		return strconv.FormatBool(v), true
	}
	if n, ok := number.Float(v); ok {
		return numberText(n), true
	}
	return "", false
}

// itemText gives the text by which a list's item is compared. Kyverno prints whatever stands there, so
// null is <nil> and a map is map[k:v].
func itemText(v any) string {
	if s, ok := scalarText(v); ok {
		return s
	}
	var b strings.Builder
	printItem(&b, v)
	return b.String()
}

func printItem(b *strings.Builder, v any) {
	switch v := v.(type) {
	case map[string]any:
		b.WriteString("map[")
		for i, k := range slices.Sorted(maps.Keys(v)) {
			if i > 0 {
				b.WriteByte(' ')
			}
			b.WriteString(k)
			b.WriteByte(':')
			printItem(b, v[k])
		}
		b.WriteByte(']')
	case []any:
		b.WriteByte('[')
		for i, item := range v {
			if i > 0 {
				b.WriteByte(' ')
			}
			printItem(b, item)
		}
		b.WriteByte(']')
	default:
		if s, ok := scalarText(v); ok {
			b.WriteString(s)
			return
		}
		fmt.Fprint(b, v)
	}
}

// numberText prints whole numbers as integers and others as Go's %v does. Kyverno prints 1000000 as that
// or as 1e+06, depending on whether the number came to it through the command line or the webhook.
func numberText(n float64) string {
	if whole := int64(n); float64(whole) == n && n < 1<<63 && n >= -1<<63 {
		return strconv.FormatInt(whole, 10)
	}
	return fmt.Sprint(n)
}

// kindOf names a JSON value's type in an error.
func kindOf(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case bool:
		return "a boolean"
	case string:
		return "a string"
	case []any:
		return "a list"
	case map[string]any:
		return "an object"
	default:
		return "a number"
	}
}
