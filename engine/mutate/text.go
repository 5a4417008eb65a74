package mutate

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	yamlv3 "go.yaml.in/yaml/v3"
	"sigs.k8s.io/yaml"

	"github.com/holdfast-io/holdfast/engine/expr"
	"github.com/holdfast-io/holdfast/engine/number"
	"github.com/holdfast-io/holdfast/engine/pattern"
)

// textNode is a part of a text of operations, with its variables told apart from the syntax around them.
type textNode struct {
	kind   textKind
	value  any    // constText
	source string // quotedText, plainText and bareText: the text with its variables as written
	items  []textNode
	keys   []textNode // of mapText, with items for its values
}

type textKind uint8

const (
	constText  textKind = iota // a scalar without variables
	quotedText                 // a scalar in quotes, or in a block: always text
	plainText                  // a scalar without quotes: its type is told once it is rendered
	bareText                   // nothing but one variable, without quotes
	listText
	mapText
)

func (n *textNode) String() string {
	switch n.kind {
	case listText:
		return "a list"
	case mapText:
		return "an object"
	case constText:
		return kindOf(n.value)
	default:
		return "a string"
	}
}

// parseText parses a text with a word put in for each variable, so that no brace, quote or colon of an
// expression is taken for YAML.
func parseText(text string) (textNode, error) {
	spans := expr.Spans(text)
	if len(spans) == 0 && !strings.Contains(text, `\{{`) {
		var doc any
		if json.Unmarshal([]byte(text), &doc) == nil { // YAML is not quite a superset: it has no escape \/
			return constTree(doc), nil
		}
		if err := yaml.UnmarshalStrict([]byte(text), &doc); err != nil {
			return textNode{}, err
		}
		return constTree(doc), nil
	}
	w := newWords(text, spans)
	var doc, more yamlv3.Node
	dec := yamlv3.NewDecoder(strings.NewReader(w.text))
	if err := dec.Decode(&doc); err != nil {
		return textNode{}, err
	}
	if err := dec.Decode(&more); !errors.Is(err, io.EOF) {
		return textNode{}, errors.New("there is more than one document")
	}
	return w.node(doc.Content[0], 0)
}

// constTree takes a document without variables apart as far as operations go.
func constTree(doc any) textNode {
	switch v := doc.(type) {
	case []any:
		n := textNode{kind: listText, items: make([]textNode, len(v))}
		for i, item := range v {
			n.items[i] = constTree(item)
		}
		return n
	case map[string]any:
		n := textNode{kind: mapText}
		for _, key := range sortedKeys(v) {
			n.keys = append(n.keys, textNode{value: key})
			n.items = append(n.items, constTree(v[key]))
		}
		return n
	default:
		return textNode{value: v}
	}
}

// words stands for the variables of a text.
type words struct {
	text   string
	mark   string   // begins each word; stands nowhere in the original
	source []string // the variable of each word
}

func newWords(text string, spans []expr.Span) *words {
	w := &words{mark: "VAR"}
	for strings.Contains(text, w.mark) {
		w.mark += "R"
	}
	var b strings.Builder
	from := 0
	for i, s := range spans {
		b.WriteString(text[from:s.Start])
		b.WriteString(w.mark + strconv.Itoa(i) + "E")
		w.source = append(w.source, text[s.Start:s.End])
		from = s.End
	}
	b.WriteString(text[from:])
	w.text = b.String()
	return w
}

// restore puts the variables back. bare is set when the text is nothing but one of them.
func (w *words) restore(s string) (source string, found, bare bool) {
	var b strings.Builder
	rest := s
	for {
		before, after, ok := strings.Cut(rest, w.mark)
		b.WriteString(before)
		if !ok {
			return b.String(), found, bare
		}
		digits, tail, _ := strings.Cut(after, "E")
		i, err := strconv.Atoi(digits)
		if err != nil || i >= len(w.source) {
			b.WriteString(w.mark)
			rest = after
			continue
		}
		b.WriteString(w.source[i])
		bare = !found && before == "" && tail == ""
		found = true
		rest = tail
	}
}

func (w *words) node(n *yamlv3.Node, depth int) (textNode, error) {
	if depth > pattern.MaxDepth {
		return textNode{}, fmt.Errorf("line %d: nested more than %d deep", n.Line, pattern.MaxDepth)
	}
	switch n.Kind {
	case yamlv3.SequenceNode:
		out := textNode{kind: listText}
		for _, c := range n.Content {
			item, err := w.node(c, depth+1)
			if err != nil {
				return textNode{}, err
			}
			out.items = append(out.items, item)
		}
		return out, nil
	case yamlv3.MappingNode:
		return w.mapping(n, depth)
	case yamlv3.ScalarNode:
		return w.scalar(n)
	default:
		return textNode{}, fmt.Errorf("line %d: YAML anchors and aliases are not allowed beside variables", n.Line)
	}
}

func (w *words) mapping(n *yamlv3.Node, depth int) (textNode, error) {
	out := textNode{kind: mapText}
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k := n.Content[i]
		if k.Kind != yamlv3.ScalarNode || k.ShortTag() == "!!merge" {
			return textNode{}, fmt.Errorf("line %d: a key must be a string", k.Line)
		}
		if seen[k.Value] {
			return textNode{}, fmt.Errorf("line %d: the key %q is there twice", k.Line, k.Value)
		}
		seen[k.Value] = true
		key := textNode{value: k.Value}
		if source, found, _ := w.restore(k.Value); found || strings.Contains(source, `\{{`) {
			key = textNode{kind: quotedText, source: source}
		}
		value, err := w.node(n.Content[i+1], depth+1)
		if err != nil {
			return textNode{}, err
		}
		out.keys = append(out.keys, key)
		out.items = append(out.items, value)
	}
	return out, nil
}

func (w *words) scalar(n *yamlv3.Node) (textNode, error) {
	source, found, bare := w.restore(n.Value)
	plain := n.Style&(yamlv3.DoubleQuotedStyle|yamlv3.SingleQuotedStyle|yamlv3.LiteralStyle|yamlv3.FoldedStyle|yamlv3.TaggedStyle) == 0
	switch {
	case !found && !strings.Contains(source, `\{{`):
		if plain {
			return textNode{value: scalarType(source)}, nil
		}
		if n.Style&yamlv3.TaggedStyle == 0 {
			return textNode{value: source}, nil
		}
		var v any
		if err := n.Decode(&v); err != nil {
			return textNode{}, fmt.Errorf("line %d: %w", n.Line, err)
		}
		return textNode{value: number.Canonical(v)}, nil
	case bare && plain:
		return textNode{kind: bareText, source: source}, nil
	case plain:
		return textNode{kind: plainText, source: source}, nil
	default:
		return textNode{kind: quotedText, source: source}, nil
	}
}

// scalarType reads a scalar without quotes as Kubernetes reads YAML: by the rules of YAML 1.1. A text that
// would be more than a scalar stays a text.
func scalarType(s string) any {
	var v any
	if err := yaml.Unmarshal([]byte(s), &v); err != nil {
		return s
	}
	switch v.(type) {
	case bool, float64, nil:
		return v
	default:
		return s
	}
}
