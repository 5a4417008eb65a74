package report

import (
	"cmp"
	"encoding/base64"
	"reflect"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/holdfast-io/holdfast/engine/mutate"
)

// redacted stands in the place of a Secret's value.
const redacted = "[redacted]"

// lastApplied is the annotation in which kubectl keeps the whole object, values of a Secret included.
const lastApplied = "kubectl.kubernetes.io/last-applied-configuration"

// redactor takes the values of one Secret out of what is said about it. Nil, for objects of other kinds,
// changes nothing.
type redactor struct {
	values []string // the longest first, so that no part of a value is left standing
}

func newRedactor(s Subject) *redactor {
	if s.Resource.Kind != "Secret" || s.Resource.APIVersion != "v1" {
		return nil
	}
	r := &redactor{}
	data, _ := s.Object["data"].(map[string]any)
	for _, v := range data {
		encoded, _ := v.(string)
		r.add(encoded)
		if decoded, err := base64.StdEncoding.DecodeString(encoded); err == nil && utf8.Valid(decoded) {
			r.addText(string(decoded))
		}
	}
	plain, _ := s.Object["stringData"].(map[string]any)
	for _, v := range plain {
		text, _ := v.(string)
		r.addText(text)
		r.add(base64.StdEncoding.EncodeToString([]byte(text)))
	}
	slices.SortFunc(r.values, func(a, b string) int {
		return cmp.Or(cmp.Compare(len(b), len(a)), strings.Compare(a, b))
	})
	r.values = slices.Compact(r.values)
	return r
}

func (r *redactor) add(value string) {
	if value != "" {
		r.values = append(r.values, value)
	}
}

// addText adds a value and, if it has several lines, its lines: a message may show one of them.
func (r *redactor) addText(value string) {
	r.add(value)
	r.add(strings.TrimSpace(value))
	for line := range strings.Lines(value) {
		if line = strings.TrimSpace(line); len(line) >= wordLength {
			r.add(line)
		}
	}
}

// wordLength is how long a value must be to be taken out wherever it stands. A shorter one is taken out
// where it stands as a word: the value "a" must not turn every a of a message into a mark.
const wordLength = 4

// text takes the values out of a text.
func (r *redactor) text(s string) string {
	if r == nil {
		return s
	}
	for _, v := range r.values {
		if len(v) >= wordLength {
			s = strings.ReplaceAll(s, v, redacted)
		} else {
			s = replaceWord(s, v)
		}
	}
	return s
}

// replaceWord replaces the value where neither a letter nor a digit stands beside it.
func replaceWord(s, value string) string {
	var out strings.Builder
	for pos := 0; ; {
		i := strings.Index(s[pos:], value)
		if i < 0 {
			out.WriteString(s[pos:])
			return out.String()
		}
		start, end := pos+i, pos+i+len(value)
		before, _ := utf8.DecodeLastRuneInString(s[:start])
		after, _ := utf8.DecodeRuneInString(s[end:])
		out.WriteString(s[pos:start])
		if isWord(before) || isWord(after) {
			out.WriteString(value)
		} else {
			out.WriteString(redacted)
		}
		pos = end
	}
}

func isWord(r rune) bool { return r != utf8.RuneError && (unicode.IsLetter(r) || unicode.IsDigit(r)) }

// patch gives the operations without the Secret's values, old and new. Applying them would break the
// Secret: they are for reading.
func (r *redactor) patch(ops []mutate.Operation) []mutate.Operation {
	if r == nil {
		return ops
	}
	out := slices.Clone(ops)
	for i := range out {
		out[i].Value = r.value(strings.Split(strings.TrimPrefix(out[i].Path, "/"), "/"), out[i].Value)
	}
	return out
}

// SecretPatch reports whether a patch of the subject holds values of a Secret, so that it must not be
// written down as it is.
func SecretPatch(s Subject, ops []mutate.Operation) bool {
	r := newRedactor(s)
	return r != nil && !reflect.DeepEqual(r.patch(ops), ops)
}

// value redacts a value that stands at the path in a Secret.
func (r *redactor) value(path []string, v any) any {
	top := path[0]
	last := strings.ReplaceAll(path[len(path)-1], "~1", "/")
	hide := top == "data" || top == "stringData" || last == lastApplied
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, item := range v {
			at := append(slices.Clone(path), k)
			if top == "" {
				at = at[1:]
			}
			out[k] = r.value(at, item)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, item := range v {
			out[i] = r.value(path, item)
		}
		return out
	case nil:
		return nil
	case string:
		if hide {
			return redacted
		}
		return r.text(v)
	default:
		if hide {
			return redacted
		}
		return v
	}
}
