package pattern

import "github.com/holdfast-io/holdfast/engine/glob"

// node is a compiled part of a pattern. It is never changed once compiled.
type node struct {
	kind   nodeKind
	star   bool // the text "*", which under a plain key asks that the key be there
	marked bool // there are anchors in it
	scalar Scalar
	object *object
	items  []node // of a list
	slot   int    // of a variable: where its value is
	source string // of a variable: the text of the policy
}

type nodeKind uint8

const (
	scalarNode nodeKind = iota
	objectNode
	listNode
	slotNode
)

// object is a map of a pattern in the order of evaluation: first the anchors that decide whether and how
// the object counts, then the rest.
type object struct {
	anchors []field
	rest    []field
}

type field struct {
	key    string // as the policy has it
	name   string // without the anchor
	anchor Anchor
	wild   glob.Glob // of a label or annotation whose name has wildcards
	isWild bool
	mark   int // of a condition or an existence anchor: its number, from 1
	value  node
}

// place says where in the metadata of an object a map of the pattern stands: the keys of labels and
// annotations may hold wildcards.
type place uint8

const (
	anywhere place = iota
	inMetadata
	inLabels
)

func (p place) below(name string) place {
	switch {
	case name == "metadata":
		return inMetadata
	case p == inMetadata && (name == "labels" || name == "annotations"):
		return inLabels
	default:
		return anywhere
	}
}

// find gives the value that the field speaks of. Of several labels that a wildcard matches it is the one
// that sorts first.
func (f *field) find(m map[string]any) (key string, value any, ok bool) {
	if f.isWild {
		for k, v := range m {
			if _, isText := v.(string); isText && (!ok || k < key) && f.wild.Match(k) {
				key, value, ok = k, v, true
			}
		}
		if ok {
			return key, value, true
		}
	}
	value, ok = m[f.name]
	return f.name, value, ok
}

func (f *field) setWild() {
	if glob.HasWildcard(f.name) {
		f.wild, f.isWild = glob.Compile(f.name), true
	}
}
