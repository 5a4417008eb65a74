package engine

import (
	"maps"
	"slices"
	"strings"

	"github.com/holdfast-io/holdfast/engine/glob"
	"github.com/holdfast-io/holdfast/engine/pattern"
)

// Reads is what the audit's rules for a resource read of an object, as paths of maxRead keys at most. Two objects that
// have the same there get the same decisions, as long as what else the decisions rest on is the same. It says too much
// rather than too little: what cannot be told from a rule counts as read.
//
// Of metadata.managedFields and metadata.resourceVersion, which every write changes, only a rule counts that names them.
type Reads struct {
	root readNode
	// fields and version say that a rule names managedFields, or the resourceVersion.
	fields, version bool
}

// maxRead is how many keys a path has: enough to tell a label from another, and the containers from the rest of a
// template.
const maxRead = 3

// readNode is a place of an object. What is below it counts as a whole, or by the keys that are read.
type readNode struct {
	whole bool
	keys  []string // sorted
	below []readNode
}

// whole is the path of the object as a whole.
func (r *Reads) whole() { r.add() }

// add takes up what is below a path.
func (r *Reads) add(path ...string) {
	if len(path) >= 2 && path[0] == "metadata" {
		r.fields = r.fields || path[1] == "managedFields"
		r.version = r.version || path[1] == "resourceVersion"
	}
	n := &r.root
	for _, key := range path[:min(len(path), maxRead)] {
		if n.whole {
			return
		}
		i, found := slices.BinarySearch(n.keys, key)
		if !found {
			n.keys = slices.Insert(n.keys, i, key)
			n.below = slices.Insert(n.below, i, readNode{})
		}
		n = &n.below[i]
	}
	*n = readNode{whole: true}
}

func (r *Reads) addAll(paths [][]string) {
	for _, path := range paths {
		r.add(path...)
	}
}

// addReferences takes up what expressions of JMESPath read, as expr.Query's References has it. What comes of a variable
// of the context, or of an element of a list, is read where the variable or the list is.
func (r *Reads) addReferences(refs []string) {
	for _, ref := range refs {
		rest, ofObject := strings.CutPrefix(ref, "request.object")
		switch {
		case ref == "@", ref == "request", ofObject && rest == "":
			r.whole()
		case ofObject && rest[0] == '.':
			r.add(strings.Split(rest[1:], ".")...)
		case ref == "images":
			r.add("spec")
		}
	}
}

// Paths lists what is read, each path with its keys: none for the object as a whole.
func (r *Reads) Paths() [][]string {
	var out [][]string
	var walk func(n *readNode, path []string)
	walk = func(n *readNode, path []string) {
		if n.whole {
			out = append(out, slices.Clone(path))
		}
		for i := range n.keys {
			walk(&n.below[i], append(path[:len(path):len(path)], n.keys[i]))
		}
	}
	walk(&r.root, nil)
	return out
}

// Covers reports whether what is at the path, or below it, or the way to it, is read.
func (r *Reads) Covers(path ...string) bool {
	if len(path) >= 2 && path[0] == "metadata" {
		switch path[1] {
		case "managedFields":
			return r.fields
		case "resourceVersion":
			return r.version
		}
	}
	n := &r.root
	for _, key := range path {
		if n.whole {
			return true
		}
		i, found := slices.BinarySearch(n.keys, key)
		if !found {
			return false
		}
		n = &n.below[i]
	}
	return true
}

// documentPaths lists what a pattern, or a patch that is merged, looks at of an object: the keys that are written out in
// it. One with a variable or a wildcard stands for all its neighbours.
func documentPaths(doc any) [][]string {
	m, ok := doc.(map[string]any)
	if !ok {
		return [][]string{nil}
	}
	return appendPaths(nil, m, nil)
}

func appendPaths(out [][]string, m map[string]any, at []string) [][]string {
	for _, raw := range slices.Sorted(maps.Keys(m)) {
		_, key, _ := pattern.MatchAnchor(raw)
		if key == "" || glob.HasWildcard(key) || strings.HasPrefix(key, "$") || strings.ContainsAny(key, "{(") {
			return append(out, at)
		}
	}
	for _, raw := range slices.Sorted(maps.Keys(m)) {
		_, key, _ := pattern.MatchAnchor(raw)
		path := append(at[:len(at):len(at)], key)
		if below, ok := m[raw].(map[string]any); ok && len(below) > 0 && len(path) < maxRead {
			out = appendPaths(out, below, path)
		} else {
			out = append(out, path)
		}
	}
	return out
}
