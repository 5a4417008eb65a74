package manifest

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"

	"go.yaml.in/yaml/v4"
	kyaml "sigs.k8s.io/yaml"
)

// yaml reads one document of YAML. sigs.k8s.io/yaml gives the values, because it is what kubectl reads
// with; only when it refuses the text is it parsed again, to say where.
func (p *parser) yaml(s part) {
	if onlyDirectives(bytes.TrimPrefix(s.data, []byte("---"))) {
		return
	}
	t := &text{file: p.file, line: s.line, data: s.data}
	raw, err := kyaml.YAMLToJSONStrict(s.data)
	if err != nil {
		// A key that overrides one of a merge counts as a duplicate there. It is none.
		if raw, err = kyaml.YAMLToJSON(s.data); err != nil {
			p.refused(t, err)
			return
		}
		if found := t.duplicates(); len(found) > 0 {
			p.errors = append(p.errors, found...)
			return
		}
	}
	var value any
	if err := json.Unmarshal(raw, &value); err != nil {
		p.fail(t.position(nil), "cannot be written as JSON: %s", err)
		return
	}
	if value != nil {
		p.add(t, value, nil, len(s.data))
	}
}

// refused says where and why a document cannot be read.
func (p *parser) refused(t *text, cause error) {
	var doc yaml.Node
	err := yaml.Unmarshal(t.data, &doc)
	var syntax *yaml.LoadError
	if errors.As(err, &syntax) {
		at := Position{File: t.file, Line: t.line + 1, Column: 1}
		if syntax.Mark.Line > 0 {
			at.Line, at.Column = t.line+syntax.Mark.Line, max(1, syntax.Mark.Column)
		}
		p.fail(at, "broken YAML: %s", withContext(syntax.ContextMsg, syntax.Message))
		return
	}
	if n := t.nodes(); n != nil {
		if key := oddKey(n); key != nil {
			p.fail(t.at(key), "the key of a mapping is a list or a mapping: expected text (a template's braces need quotes)")
			return
		}
	}
	p.fail(t.position(nil), "broken YAML: %s", strings.TrimPrefix(cause.Error(), "yaml: "))
}

// oddKey finds a key that JSON cannot have.
func oddKey(n *yaml.Node) *yaml.Node {
	for i, c := range n.Content {
		if n.Kind == yaml.MappingNode && i%2 == 0 && c.Kind != yaml.ScalarNode && c.Kind != yaml.AliasNode {
			return c
		}
		if found := oddKey(c); found != nil {
			return found
		}
	}
	return nil
}

func withContext(context, message string) string {
	if context == "" {
		return message
	}
	return context + ": " + message
}
