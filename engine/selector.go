package engine

import (
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/holdfast-io/holdfast/engine/glob"
)

// pair is a key and a value, each a wildcard.
type pair struct{ key, value glob.Glob }

func compilePairs(m map[string]string) []pair {
	pairs := make([]pair, 0, len(m))
	for k, v := range m {
		pairs = append(pairs, pair{glob.Compile(k), glob.Compile(v)})
	}
	slices.SortFunc(pairs, func(a, b pair) int { return strings.Compare(a.key.String(), b.key.String()) })
	return pairs
}

// matchPairs reports whether each pair is met by one entry of m.
func matchPairs(pairs []pair, m map[string]any) bool {
	for i := range pairs {
		if !matchPair(&pairs[i], m) {
			return false
		}
	}
	return true
}

func matchPair(p *pair, m map[string]any) bool {
	if p.key.Literal() {
		v, ok := m[p.key.String()].(string)
		return ok && p.value.Match(v)
	}
	for k, v := range m {
		if s, ok := v.(string); ok && p.key.Match(k) && p.value.Match(s) {
			return true
		}
	}
	return false
}

// selector is a label selector whose matchLabels may hold wildcards.
type selector struct {
	pairs []pair
	exprs labels.Selector       // of matchExpressions, nil when there are none
	plain *metav1.LabelSelector // as written; nil when it has wildcards
}

func compileSelector(s *metav1.LabelSelector) (*selector, error) {
	if s == nil {
		return nil, nil
	}
	out := &selector{pairs: compilePairs(s.MatchLabels)}
	if len(s.MatchExpressions) > 0 {
		exprs, err := metav1.LabelSelectorAsSelector(&metav1.LabelSelector{MatchExpressions: s.MatchExpressions})
		if err != nil {
			return nil, fmt.Errorf("not a label selector: %w", err)
		}
		out.exprs = exprs
	}
	if _, err := metav1.LabelSelectorAsSelector(s); err == nil { // no label holds a wildcard
		out.plain = s
	}
	return out, nil
}

func (s *selector) match(m map[string]any) bool {
	if !matchPairs(s.pairs, m) {
		return false
	}
	return s.exprs == nil || s.exprs.Matches(labelMap(m))
}

// labelMap reads an object's labels in place, without a copy into map[string]string.
type labelMap map[string]any

func (l labelMap) Has(label string) bool { _, ok := l[label]; return ok }
func (l labelMap) Get(label string) string {
	s, _ := l[label].(string)
	return s
}
func (l labelMap) Lookup(label string) (string, bool) {
	s, ok := l[label].(string)
	return s, ok
}
