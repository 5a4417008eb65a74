package engine

import (
	"cmp"
	"slices"

	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"

	"github.com/holdfast-io/holdfast/engine/glob"
)

// rack holds rules on one kind, of which many may be for single namespaces, names or labels: each of those stands behind
// a handle, which is something that a request must have to match it, and a request takes only the handles that fit it. So
// a rule costs nothing where it does not match. The others stand in the open.
type rack struct {
	from   []*Rule
	open   []placed
	plain  []*Rule // what is in open
	behind map[handle][]placed
	// waiting are those of them that are behind labels of namespaces: they are asked where these are not at hand.
	waiting []placed
	patient []*Rule     // what is in open and waiting
	facts   [facts]bool // of the handles
	// starts are the lengths of the beginnings of names among the handles, by fact.
	starts [facts][]int
}

// placed is a rule with its place in the order of evaluation.
type placed struct {
	*Rule
	at int
}

// fact is what requests are told apart by. The labels of namespaces are taken only where they are at hand: to look them up
// before the rules would have every rule wait for them, and fail with them.
type fact uint8

const (
	ofNamespace fact = iota // the namespace of the policy, or one that the rule names
	ofName
	ofLabel
	ofEitherLabel // of the object, or of what it was before the update
	ofAnnotation
	ofNamespaceLabel // of the namespace of the object; a Namespace is in none
	ofNamespaceOrOwn // of that, or of a Namespace's own; what is in no namespace has every one of them
	facts
)

// handle is a fact that a request must have: this value, or one that begins with it. Labels and annotations have a key.
type handle struct {
	fact       fact
	key, value string
	beginning  bool
}

// usage says in what a rack's rules are looked for.
type usage struct {
	// changing is for mutate rules, each of which may change the labels that the next one looks at.
	changing bool
	// atRest is for objects without a request, of which a rule for other operations says that it cannot judge them.
	atRest bool
}

func newRack(rules []*Rule, use usage) *rack {
	s := &rack{from: rules}
	for i, r := range rules {
		handles := r.handles(use)
		if handles == nil {
			s.open, s.plain, s.patient = append(s.open, placed{r, i}), append(s.plain, r), append(s.patient, r)
			continue
		}
		if s.behind == nil {
			s.behind = map[handle][]placed{}
		}
		if slices.ContainsFunc(handles, func(h handle) bool { return h.fact.mayWait() }) {
			s.waiting, s.patient = append(s.waiting, placed{r, i}), append(s.patient, r)
		}
		for _, h := range handles {
			s.behind[h] = append(s.behind[h], placed{r, i})
			s.facts[h.fact] = true
			if h.beginning && !slices.Contains(s.starts[h.fact], len(h.value)) {
				s.starts[h.fact] = append(s.starts[h.fact], len(h.value))
			}
		}
	}
	return s
}

func (s *rack) empty() bool { return len(s.from) == 0 }

// rules lists those that may match, in their order.
func (s *rack) rules(e *evaluation) []*Rule {
	if len(s.behind) == 0 {
		return s.plain
	}
	found, wait := s.find(e)
	switch {
	case len(found) == 0 && wait:
		return s.patient
	case len(found) == 0:
		return s.plain
	case wait:
		found = append(found, s.waiting...)
	}
	found = append(found, s.open...)
	slices.SortFunc(found, func(a, b placed) int { return cmp.Compare(a.at, b.at) })
	found = slices.CompactFunc(found, func(a, b placed) bool { return a.at == b.at }) // one may have several handles that fit
	out := make([]*Rule, len(found))
	for i := range found {
		out[i] = found[i].Rule
	}
	return out
}

// find takes the handles that fit. It says to wait where those of labels of namespaces cannot be told.
func (s *rack) find(e *evaluation) (found []placed, wait bool) {
	if s.facts[ofNamespace] {
		own := e.namespace()
		found = s.named(found, ofNamespace, own)
		if own != e.req.Namespace {
			found = s.named(found, ofNamespace, e.req.Namespace)
		}
	}
	if s.facts[ofName] {
		found = s.named(found, ofName, e.name)
	}
	if s.facts[ofLabel] {
		found = s.labelled(found, ofLabel, e.metadata("labels"))
	}
	if s.facts[ofEitherLabel] {
		found = s.labelled(found, ofEitherLabel, e.metadata("labels"))
		before, _ := metadata(e.req.Old())["labels"].(map[string]any)
		found = s.labelled(found, ofEitherLabel, before)
	}
	if s.facts[ofAnnotation] {
		found = s.labelled(found, ofAnnotation, e.metadata("annotations"))
	}
	if len(s.waiting) > 0 {
		return s.inNamespace(found, e)
	}
	return found, false
}

// inNamespace finds rules by the labels of the namespace.
func (s *rack) inNamespace(found []placed, e *evaluation) (more []placed, wait bool) {
	if e.isNamespace() {
		return s.labelled(found, ofNamespaceOrOwn, e.metadata("labels")), false
	}
	labels, known := e.namespaceLabelsAtHand()
	if !known || e.req.Namespace == "" {
		return found, true
	}
	found = s.labelled(found, ofNamespaceLabel, labels)
	return s.labelled(found, ofNamespaceOrOwn, labels), false
}

func (s *rack) named(found []placed, of fact, value string) []placed {
	found = append(found, s.behind[handle{fact: of, value: value}]...)
	for _, length := range s.starts[of] {
		if length <= len(value) {
			found = append(found, s.behind[handle{fact: of, value: value[:length], beginning: true}]...)
		}
	}
	return found
}

func (s *rack) labelled(found []placed, of fact, in map[string]any) []placed {
	for key, value := range in {
		if text, ok := value.(string); ok {
			found = append(found, s.behind[handle{fact: of, key: key, value: text}]...)
		}
	}
	return found
}

// handles are those of which a request must fit one to match the rule; nil where there are none. Who does not fit is told
// no by the match block without an error, so that to leave the rule out is the same.
func (r *Rule) handles(use usage) []handle {
	if r.Policy.Namespace != "" {
		return []handle{{fact: ofNamespace, value: r.Policy.Namespace}}
	}
	if use.atRest && !r.operations.has(Create) {
		return nil
	}
	filters := r.match.filters
	if r.match.all && len(filters) > 0 {
		filters = filters[:1] // it is asked first, before any that may end in an error
	}
	var out []handle
	for i := range filters {
		handles := filters[i].handles(use)
		if handles == nil {
			return nil
		}
		out = append(out, handles...)
	}
	return out
}

// handles are those of the first part of the filter that has some, in the order in which it checks them.
func (f *filter) handles(use usage) []handle {
	if out := namesHandles(ofName, f.names); out != nil {
		return out
	}
	if out := namesHandles(ofNamespace, f.namespaces); out != nil {
		return out
	}
	if !use.changing {
		if out := pairHandle(ofAnnotation, f.annotations); out != nil {
			return out
		}
		if f.selector != nil {
			if out := pairHandle(ofLabel, f.selector.pairs); out != nil {
				return out
			}
		}
		if f.constraints != nil {
			if out := selectorHandles(ofEitherLabel, f.constraints.objects); out != nil {
				return out
			}
			if out := selectorHandles(ofNamespaceOrOwn, f.constraints.namespaces); out != nil {
				return out
			}
		}
	}
	if f.nsSelector != nil {
		if out := pairHandle(ofNamespaceLabel, f.nsSelector.pairs); out != nil {
			return out
		}
		return selectorHandles(ofNamespaceLabel, f.nsSelector.exprs)
	}
	return nil
}

// mayWait reports whether it may take a look-up to know the fact.
func (f fact) mayWait() bool { return f == ofNamespaceLabel || f == ofNamespaceOrOwn }

// namesHandles are for names of which each has a beginning.
func namesHandles(of fact, names []glob.Glob) []handle {
	var out []handle
	for _, g := range names {
		start := g.Start()
		if start == "" {
			return nil
		}
		out = append(out, handle{fact: of, value: start, beginning: !g.Literal()})
	}
	return out
}

// pairHandle is for a pair without wildcards: all have to be met, and one is enough to tell.
func pairHandle(of fact, pairs []pair) []handle {
	for i := range pairs {
		if p := &pairs[i]; p.key.Literal() && p.value.Literal() {
			return []handle{{fact: of, key: p.key.String(), value: p.value.String()}}
		}
	}
	return nil
}

// selectorHandles are for a requirement that the label has one of some values.
func selectorHandles(of fact, s labels.Selector) []handle {
	if s == nil {
		return nil
	}
	requirements, _ := s.Requirements()
	for i := range requirements {
		switch r := &requirements[i]; r.Operator() {
		case selection.In, selection.Equals, selection.DoubleEquals:
			var out []handle
			for _, value := range r.ValuesUnsorted() {
				if value == "" {
					return nil // a label that is no text counts as an empty one
				}
				out = append(out, handle{fact: of, key: r.Key(), value: value})
			}
			return out
		}
	}
	return nil
}
