package jsontree

import (
	"slices"
	"strings"
)

// Cut takes values out of a text without decoding them: those of these names in the object that stands under the key
// inside. It gives the text with a null in place of each, and them by their names. What is no JSON may be cut too, and is
// found out when the parts are decoded. Nothing is cut out of what is not plain.
func Cut(text, inside string, names ...string) (rest string, parts map[string]string) {
	c := cutter{scanner: scanner{text: text}, inside: inside, names: names, parts: make(map[string]string, len(names))}
	if c.members(c.outer) && c.ended() {
		c.rest.WriteString(text[c.done:])
		return c.rest.String(), c.parts
	}
	return text, nil
}

type cutter struct {
	scanner
	inside string
	names  []string
	rest   strings.Builder
	done   int // what stands before is in rest
	parts  map[string]string
}

// members goes through those of the object at hand.
func (c *cutter) members(visit func(key string) bool) bool {
	if c.space(); !c.next('{') {
		return false
	}
	if c.space(); c.next('}') {
		return true
	}
	for {
		key, ok := c.key()
		if !ok || !visit(key) {
			return false
		}
		if c.space(); !c.next(',') {
			return c.next('}')
		}
		c.space()
	}
}

func (c *cutter) outer(key string) bool {
	if key == c.inside && c.peek() == '{' {
		return c.members(c.inner)
	}
	return c.skip()
}

func (c *cutter) inner(key string) bool {
	start := c.at
	if !c.skip() || c.at == start {
		return false
	}
	if slices.Contains(c.names, key) {
		c.parts[key] = c.text[start:c.at]
		c.rest.WriteString(c.text[c.done:start])
		c.rest.WriteString("null")
		c.done = c.at
	}
	return true
}
