package manifest

import (
	"bytes"
	"fmt"
)

// Parse reads all documents of a stream. Errors are in the order of the text; each stands for a document, or
// an item of a list, that is missing from the answer.
func Parse(file string, data []byte) ([]*Document, []*Error) {
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf")) // a byte order mark says nothing in UTF-8
	p := &parser{file: file}
	for _, part := range split(data) {
		p.part(part)
	}
	return p.documents, p.errors
}

// ParseValues reads a stream of any JSON values: objects, lists and scalars, each a document of its own. A document
// without content, or that is null, is none. A file that is called .json is JSON alone. Errors are in the order of the text.
func ParseValues(file string, data []byte) ([]*Value, []*Error) {
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	p := &parser{file: file, takes: values}
	for _, part := range split(data) {
		p.part(part)
	}
	return p.values, p.errors
}

// takes says what a parser takes for a document.
type takes uint8

const (
	objects takes = iota
	values
)

type parser struct {
	file      string
	takes     takes
	documents []*Document
	values    []*Value
	errors    []*Error
}

// part is a piece of a stream between document markers.
type part struct {
	line int // 0-based, on which it begins
	data []byte
}

// split cuts a stream before each line that begins with the marker ---, and after each line with the marker
// "...", as YAML has it. The cut is made on the text, so that a broken document ends at the next marker.
func split(data []byte) []part {
	var parts []part
	start, startLine := 0, 0
	pos, line := 0, 0
	cut := func() {
		if pos > start && !onlyDirectives(data[start:pos]) {
			parts = append(parts, part{startLine, data[start:pos]})
			start, startLine = pos, line
		}
	}
	for text := range bytes.Lines(data) {
		if isMarker(text) {
			cut()
		}
		pos, line = pos+len(text), line+1
		if string(bytes.TrimRight(text, " \t\r\n")) == "..." {
			cut()
		}
	}
	cut()
	return parts
}

func isMarker(line []byte) bool {
	if !bytes.HasPrefix(line, []byte("---")) {
		return false
	}
	return len(line) == 3 || bytes.IndexByte([]byte(" \t\r\n"), line[3]) >= 0
}

// onlyDirectives reports whether the text holds nothing but blank lines, comments and % directives: it then
// belongs to the document that the next marker begins.
func onlyDirectives(data []byte) bool {
	for line := range bytes.Lines(data) {
		line = bytes.TrimSpace(line)
		if len(line) > 0 && line[0] != '#' && line[0] != '%' {
			return false
		}
	}
	return true
}

func (p *parser) part(s part) {
	if first := bytes.TrimLeft(s.data, " \t\r\n"); len(first) > 0 && (first[0] == '{' || first[0] == '[') {
		if p.json(s) {
			return
		}
	}
	p.yaml(s)
}

func (p *parser) fail(at Position, format string, args ...any) {
	p.errors = append(p.errors, &Error{at, fmt.Sprintf(format, args...)})
}

// add takes a document's value apart: an object, or a list of objects.
func (p *parser) add(t *text, value any, path []any, size int) {
	if p.takes == values {
		p.values = append(p.values, &Value{File: p.file, Value: value, Size: size, text: t})
		return
	}
	object, ok := value.(map[string]any)
	if !ok {
		p.fail(t.position(path), "is %s: expected an object with apiVersion and kind", Describe(value))
		return
	}
	d := &Document{File: p.file, Object: object, Size: size, text: t, path: path}
	items, ok := d.items()
	if !ok {
		p.documents = append(p.documents, d)
		return
	}
	for i, item := range items {
		p.add(t, item, append(path[:len(path):len(path)], "items", i), jsonSize(item))
	}
}

// Describe names the JSON type of a value with its article: a string, a list, an object, nothing.
func Describe(value any) string {
	switch value.(type) {
	case nil:
		return "nothing"
	case string:
		return "a string"
	case bool:
		return "a boolean"
	case []any:
		return "a list"
	case map[string]any:
		return "an object"
	default:
		return "a number"
	}
}
