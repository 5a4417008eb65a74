package manifest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"strconv"

	"go.yaml.in/yaml/v4"
)

// maxDepth is how deep JSON may nest: the limit of encoding/json and of the YAML parser.
const maxDepth = 10000

// json reads a part of JSON objects one after another. It answers false where the text is no JSON but may
// be YAML in flow style.
func (p *parser) json(s part) bool {
	b := &jsonBuilder{data: s.data, dec: json.NewDecoder(bytes.NewReader(s.data))}
	b.dec.UseNumber()
	var texts []*text
	for {
		node, err := b.next(0)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return p.brokenJSON(s, b, err)
		}
		texts = append(texts, &text{file: p.file, line: s.line, data: s.data, root: node})
	}
	for _, t := range texts {
		if found := t.duplicates(); len(found) > 0 {
			p.errors = append(p.errors, found...)
			continue
		}
		value, err := jsonValue(t.root)
		if err != nil {
			p.fail(t.position(nil), "broken JSON: %s", err)
			continue
		}
		size := len(s.data)
		if len(texts) > 1 {
			size = jsonSize(value)
		}
		p.add(t, value, nil, size)
	}
	return true
}

// brokenJSON decides whether the text was meant to be JSON: YAML may begin with a brace as well.
func (p *parser) brokenJSON(s part, b *jsonBuilder, err error) bool {
	strict := p.takes == values && path.Ext(p.file) == ".json" // what else begins so is a manifest
	var doc yaml.Node
	if !strict && yaml.Unmarshal(s.data, &doc) == nil {
		return false
	}
	if first := bytes.TrimLeft(bytes.TrimLeft(s.data, " \t\r\n")[1:], " \t\r\n"); !strict && len(first) > 0 && bytes.IndexByte([]byte(`"{[]}`), first[0]) < 0 {
		return false // {{ template }} or {a: b
	}
	offset := int(b.dec.InputOffset()) // where the token begins that cannot be read
	if errors.Is(err, io.ErrUnexpectedEOF) {
		offset = len(s.data)
	}
	line, column := b.place(offset)
	p.fail(Position{p.file, s.line + line, column}, "broken JSON: %s", err)
	return true
}

// jsonBuilder turns JSON text into nodes that know their place.
type jsonBuilder struct {
	data []byte
	dec  *json.Decoder
	// the last offset whose line was counted
	offset, line, lineStart int
}

// place gives the 1-based line and column of an offset. Offsets are asked for in rising order.
func (b *jsonBuilder) place(offset int) (line, column int) {
	for b.offset < offset {
		if b.data[b.offset] == '\n' {
			b.line, b.lineStart = b.line+1, b.offset+1
		}
		b.offset++
	}
	return b.line + 1, offset - b.lineStart + 1
}

// next reads one value.
func (b *jsonBuilder) next(depth int) (*yaml.Node, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("nested deeper than %d", maxDepth)
	}
	start := int(b.dec.InputOffset())
	for start < len(b.data) && bytes.IndexByte([]byte(" \t\r\n,:"), b.data[start]) >= 0 {
		start++
	}
	token, err := b.dec.Token()
	if err != nil {
		if errors.Is(err, io.EOF) && depth > 0 {
			err = io.ErrUnexpectedEOF
		}
		return nil, err
	}
	node := &yaml.Node{Kind: yaml.ScalarNode}
	node.Line, node.Column = b.place(start)
	switch token := token.(type) {
	case json.Delim:
		node.Kind = yaml.SequenceNode
		if token == '{' {
			node.Kind = yaml.MappingNode
		}
		for b.dec.More() {
			item, err := b.next(depth + 1)
			if err != nil {
				return nil, err
			}
			node.Content = append(node.Content, item)
		}
		if _, err := b.dec.Token(); err != nil { // the closing one
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
	case string:
		node.Tag, node.Value = "!!str", token
	case json.Number:
		node.Tag, node.Value = "!!float", token.String()
	case bool:
		node.Tag, node.Value = "!!bool", strconv.FormatBool(token)
	default:
		node.Tag = "!!null"
	}
	return node, nil
}

// jsonValue turns the nodes of JSON into values.
func jsonValue(n *yaml.Node) (any, error) {
	switch n.Kind {
	case yaml.MappingNode:
		object := make(map[string]any, len(n.Content)/2)
		for i := 0; i+1 < len(n.Content); i += 2 {
			value, err := jsonValue(n.Content[i+1])
			if err != nil {
				return nil, err
			}
			object[n.Content[i].Value] = value
		}
		return object, nil
	case yaml.SequenceNode:
		list := make([]any, len(n.Content))
		for i, c := range n.Content {
			value, err := jsonValue(c)
			if err != nil {
				return nil, err
			}
			list[i] = value
		}
		return list, nil
	}
	switch n.Tag {
	case "!!str":
		return n.Value, nil
	case "!!bool":
		return n.Value == "true", nil
	case "!!float":
		f, err := strconv.ParseFloat(n.Value, 64)
		if err != nil {
			return nil, fmt.Errorf("the number %s is out of range", n.Value)
		}
		return f, nil
	default:
		return nil, nil
	}
}
