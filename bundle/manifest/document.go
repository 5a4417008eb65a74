package manifest

import (
	"sync"

	"go.yaml.in/yaml/v4"
)

// Document is one object of a manifest.
type Document struct {
	// File is the name of the file that the object stands in, as the source gave it.
	File string
	// Object is the object, in the values of encoding/json. It belongs to the caller.
	Object map[string]any
	// Size is the length of the object's text in bytes; for an item of a list, of its JSON.
	Size int

	text *text
	path []any // of an item: where in the text's value it stands
}

// APIVersion is the object's apiVersion, or empty.
func (d *Document) APIVersion() string { return stringAt(d.Object, "apiVersion") }

// Kind is the object's kind, or empty.
func (d *Document) Kind() string { return stringAt(d.Object, "kind") }

// Start is where the object begins.
func (d *Document) Start() Position { return d.text.position(d.path) }

// Position is where the path of keys (string) and list indexes (int) leads: the key for an entry of an
// object, the value for an item of a list. A path that leads beyond what is written means the nearest part
// that is.
func (d *Document) Position(path []any) Position {
	full := make([]any, 0, len(d.path)+len(path))
	return d.text.position(append(append(full, d.path...), path...))
}

// Value is one document of any JSON value.
type Value struct {
	// File is the name of the file that the value stands in, as the source gave it.
	File string
	// Value is in the values of encoding/json. It belongs to the caller.
	Value any
	// Size is the length of the value's text in bytes.
	Size int

	text *text
}

// Start is where the value begins.
func (v *Value) Start() Position { return v.text.position(nil) }

func stringAt(object map[string]any, key string) string {
	s, _ := object[key].(string)
	return s
}

// text is the text of one document of a stream. Its nodes are parsed when a position is asked for, which
// is seldom: most documents are fine.
type text struct {
	file string
	line int // of the stream, 0-based, on which data begins
	data []byte

	once sync.Once
	root *yaml.Node // nil when there is none
}

// nodes gives the root of the document's tree, or nil.
func (t *text) nodes() *yaml.Node {
	t.once.Do(func() {
		if t.root != nil {
			return // JSON is parsed into nodes at once
		}
		var doc yaml.Node
		if yaml.Unmarshal(t.data, &doc) == nil && len(doc.Content) > 0 {
			t.root = doc.Content[0]
		}
	})
	return t.root
}

func (t *text) at(n *yaml.Node) Position {
	return Position{File: t.file, Line: t.line + n.Line, Column: n.Column}
}

func (t *text) position(path []any) Position {
	node := t.nodes()
	if node == nil {
		return Position{File: t.file, Line: t.line + 1, Column: 1}
	}
	where := node
	for _, part := range path {
		if node.Kind == yaml.AliasNode {
			node = node.Alias
		}
		key, value := child(node, part)
		if value == nil {
			break
		}
		where, node = key, value
	}
	return t.at(where)
}

// child finds an entry of a mapping (its key and value) or an item of a list (twice the item).
func child(node *yaml.Node, part any) (key, value *yaml.Node) {
	switch part := part.(type) {
	case string:
		if node.Kind != yaml.MappingNode {
			return nil, nil
		}
		for i := 0; i+1 < len(node.Content); i += 2 {
			if node.Content[i].Value == part {
				return node.Content[i], node.Content[i+1]
			}
		}
	case int:
		if node.Kind == yaml.SequenceNode && part >= 0 && part < len(node.Content) {
			return node.Content[part], node.Content[part]
		}
	}
	return nil, nil
}

// duplicates finds the keys that stand twice in a mapping. Aliases are not followed: their content is
// checked where it stands.
func (t *text) duplicates() []*Error {
	var found []*Error
	var walk func(*yaml.Node)
	walk = func(n *yaml.Node) {
		if n.Kind == yaml.MappingNode {
			first := make(map[string]*yaml.Node, len(n.Content)/2)
			for i := 0; i+1 < len(n.Content); i += 2 {
				key := n.Content[i]
				if key.Kind != yaml.ScalarNode {
					continue
				}
				if earlier, ok := first[key.Value]; ok {
					found = append(found, &Error{t.at(key), "the key " + quote(key.Value) + " stands twice, first at " + t.at(earlier).String()})
					continue
				}
				first[key.Value] = key
			}
		}
		for _, c := range n.Content {
			walk(c)
		}
	}
	if root := t.nodes(); root != nil {
		walk(root)
	}
	return found
}
