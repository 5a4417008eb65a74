package engine

import (
	"fmt"
	"path"
	"regexp"
	"strconv"
	"strings"

	"github.com/holdfast-io/holdfast/engine/expr"
	"github.com/holdfast-io/holdfast/engine/pattern"
)

// A pattern or patch may point to another leaf of itself: $(./../limits/memory) is what stands there, and
// $(>=./../limits/memory) the same behind an operator. Paths are relative to the leaf, or begin with a slash
// at the top. They are resolved once, at load.
// Source: https://kyverno.io/docs/policy-types/cluster-policy/variables/ (references)

// referenceForm is a $(path) at the start of a text or behind anything but a backslash.
var referenceForm = regexp.MustCompile(`(^|[^\\])\$\(([^\s)]+)\)`)

// resolveReferences gives the document with its references resolved. Errors are *expr.TemplateError.
func resolveReferences(doc any) (any, error) {
	if !hasReference(doc) {
		return doc, nil
	}
	r := &referrer{leaves: map[string]any{}}
	r.gather(doc, "/")
	return r.resolve(doc, nil, "/")
}

func hasReference(doc any) bool {
	switch v := doc.(type) {
	case string:
		return referenceForm.MatchString(v)
	case []any:
		for _, item := range v {
			if hasReference(item) {
				return true
			}
		}
	case map[string]any:
		for _, item := range v {
			if hasReference(item) {
				return true
			}
		}
	}
	return false
}

// referrer knows the leaves of a document by their paths, without anchors.
type referrer struct{ leaves map[string]any }

func (r *referrer) gather(doc any, at string) {
	switch v := doc.(type) {
	case map[string]any:
		for k, item := range v {
			r.gather(item, path.Join(at, plainKey(k)))
		}
	case []any:
		for i, item := range v {
			r.gather(item, path.Join(at, strconv.Itoa(i)))
		}
	default:
		r.leaves[at] = doc
	}
}

func plainKey(key string) string {
	if _, name, ok := pattern.MatchAnchor(key); ok {
		return name
	}
	return key
}

func (r *referrer) resolve(doc any, where []any, at string) (any, error) {
	switch v := doc.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for _, k := range sortedNames(v) { // the first error is always the same one
			resolved, err := r.resolve(v[k], append(where[:len(where):len(where)], k), path.Join(at, plainKey(k)))
			if err != nil {
				return nil, err
			}
			out[k] = resolved
		}
		return out, nil
	case []any:
		out := make([]any, len(v))
		for i, item := range v {
			resolved, err := r.resolve(item, append(where[:len(where):len(where)], i), path.Join(at, strconv.Itoa(i)))
			if err != nil {
				return nil, err
			}
			out[i] = resolved
		}
		return out, nil
	case string:
		resolved, err := r.text(v, at)
		if err != nil {
			return nil, &expr.TemplateError{Path: where, Err: err}
		}
		return resolved, nil
	default:
		return doc, nil
	}
}

func (r *referrer) text(text, at string) (any, error) {
	var b strings.Builder
	done := 0
	for _, m := range referenceForm.FindAllStringSubmatchIndex(text, -1) {
		start, target := m[3], text[m[4]:m[5]] // behind what stands before the dollar
		value, err := r.value(target, at)
		if err != nil {
			return nil, fmt.Errorf("reference %s: %w", text[start:m[1]], err)
		}
		s, isText := value.(string)
		if !isText {
			if start == 0 && m[1] == len(text) {
				return value, nil
			}
			s = fmt.Sprint(value)
		}
		b.WriteString(text[done:start])
		b.WriteString(s)
		done = m[1]
	}
	b.WriteString(text[done:])
	return b.String(), nil
}

// value gives what a reference points to, with the reference's operator before it.
func (r *referrer) value(target, at string) (any, error) {
	bare := strings.TrimLeft(target, "<>=!")
	operator := target[:len(target)-len(bare)]
	if bare == "" {
		return nil, fmt.Errorf("names no path: expected a path like ./../key")
	}
	if !path.IsAbs(bare) {
		bare = path.Join(at, bare)
	}
	value, ok := r.leaves[path.Clean(bare)]
	if !ok {
		return nil, fmt.Errorf("there is no value at %s", path.Clean(bare))
	}
	if s, isText := value.(string); isText && referenceForm.MatchString(s) {
		return nil, fmt.Errorf("%s is a reference itself", path.Clean(bare))
	}
	if operator == "" {
		return value, nil
	}
	switch value.(type) {
	case string, float64:
		return operator + fmt.Sprint(value), nil
	default:
		return nil, fmt.Errorf("operator %s does not go with %v", operator, value)
	}
}
