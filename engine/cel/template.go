package cel

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Template is a YAML text of one or several documents, each an object to be generated.
type Template struct {
	Value string
	// Interpolate says whether (( expression )) is a placeholder. One that is all of a value may give anything; one within
	// a text gives text, a number or a boolean.
	Interpolate Interpolation
}

// Interpolation says how the placeholders of a template are read.
type Interpolation bool

// A template is plain, or its placeholders are CEL.
const (
	PlainTemplate Interpolation = false
	CELTemplate   Interpolation = true
)

// template is a compiled Template.
type template struct{ documents []node }

// node is a part of a document.
type node interface {
	render(e *evaluation, budget *int) (any, error)
}

type (
	// constant is a JSON value.
	constant struct{ value any }
	mapping  []mappingEntry
	nodes    []node
	// splice is a value that is one placeholder.
	splice struct{ program }
	// mixture is a text with placeholders in it.
	mixture []fragment

	mappingEntry struct {
		key   string
		value node
	}
	fragment struct {
		text    string
		program *program // nil: the text
	}
)

// maxNodes bounds a template: aliases may name the same part over and over.
const maxNodes = 20_000

// templateCompiler reads one template.
type templateCompiler struct {
	*session
	path   []any
	celled bool
	nodes  int
	marked map[*yaml.Node]bool // whether there are placeholders below
}

// compileTemplate compiles a template; what is wrong with it is noted, with the line and column in its text.
func (s *session) compileTemplate(t *Template, path []any) template {
	c := &templateCompiler{session: s, path: at(path, "value"), celled: bool(t.Interpolate), marked: map[*yaml.Node]bool{}}
	decoder := yaml.NewDecoder(strings.NewReader(t.Value))
	var out template
	for {
		var document yaml.Node
		err := decoder.Decode(&document)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			c.problem(c.path, "is no YAML: "+yamlText(err))
			return template{}
		}
		root := &document
		if root.Kind == yaml.DocumentNode && len(root.Content) > 0 {
			root = root.Content[0]
		}
		if root.Kind == 0 || root.Kind == yaml.ScalarNode && root.Tag == "!!null" {
			continue
		}
		if n, ok := c.node(root); ok {
			c.checkDocument(root, n)
			out.documents = append(out.documents, n)
		}
	}
	if len(out.documents) == 0 && len(c.problems) == 0 {
		c.problem(c.path, "is empty: expected at least one object in YAML")
	}
	return out
}

// yamlText gives the words of an error of the YAML library: line 3: did not find expected key.
func yamlText(err error) string {
	return strings.ReplaceAll(strings.TrimPrefix(err.Error(), "yaml: "), "unmarshal errors:\n  ", "")
}

func (c *templateCompiler) wrong(n *yaml.Node, message string) {
	c.problem(c.path, fmt.Sprintf("YAML at %d:%d: %s", n.Line, n.Column, message))
}

// checkDocument finds what no object can be generated from, as far as the text tells.
func (c *templateCompiler) checkDocument(root *yaml.Node, n node) {
	switch n := n.(type) {
	case splice:
	case constant, mapping:
		if root.Kind != yaml.MappingNode {
			c.wrong(root, "is no mapping: expected an object")
			return
		}
		for _, key := range []string{"apiVersion", "kind"} {
			if text, known := plainText(field(n, key)); known && text == "" {
				c.wrong(root, key+" is missing")
			}
		}
		metadata := field(n, "metadata")
		if text, known := plainText(field(metadata, "name")); known && text == "" {
			c.wrong(root, "metadata.name is missing")
		}
		if text, known := plainText(field(metadata, "namespace")); known && text != "" && c.src.Namespace != "" && text != c.src.Namespace {
			c.wrong(root, fmt.Sprintf("metadata.namespace is %q: a policy of namespace %s generates there only", text, c.src.Namespace))
		}
	default:
		c.wrong(root, "is no mapping: expected an object")
	}
}

// field gives a field of a node; nil if it has none. A splice has any.
func field(n node, key string) node {
	switch n := n.(type) {
	case constant:
		m, _ := n.value.(map[string]any)
		if v, ok := m[key]; ok {
			return constant{v}
		}
		return nil
	case mapping:
		for _, entry := range n {
			if entry.key == key {
				return entry.value
			}
		}
		return nil
	default:
		return n
	}
}

// plainText gives the text of a node that no placeholder has a part in.
func plainText(n node) (text string, known bool) {
	switch n := n.(type) {
	case nil:
		return "", true
	case constant:
		text, _ = n.value.(string)
		return text, true
	default:
		return "", false
	}
}

func (c *templateCompiler) node(n *yaml.Node) (node, bool) {
	if c.nodes++; c.nodes > maxNodes {
		if c.nodes == maxNodes+1 {
			c.problem(c.path, fmt.Sprintf("holds more than %d values", maxNodes))
		}
		return nil, false
	}
	if n.Kind == yaml.AliasNode {
		return c.node(n.Alias)
	}
	if !c.celled || !c.hasPlaceholders(n) {
		var v any
		if err := n.Decode(&v); err != nil {
			c.wrong(n, yamlText(err))
			return nil, false
		}
		plain, err := jsonOf(v)
		if err != nil {
			c.wrong(n, err.Error())
			return nil, false
		}
		return constant{plain}, true
	}
	switch n.Kind {
	case yaml.MappingNode:
		return c.mapping(n)
	case yaml.SequenceNode:
		out := make(nodes, 0, len(n.Content))
		for _, item := range n.Content {
			v, ok := c.node(item)
			if !ok {
				return nil, false
			}
			out = append(out, v)
		}
		return out, true
	default:
		return c.scalar(n)
	}
}

func (c *templateCompiler) mapping(n *yaml.Node) (node, bool) {
	out := make(mapping, 0, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		switch {
		case key.Kind != yaml.ScalarNode:
			c.wrong(key, "is no key: expected text")
			return nil, false
		case hasPlaceholder(key.Value):
			c.wrong(key, "a key has no placeholders: expected one for the whole mapping, such as labels: (( variables.labels ))")
			return nil, false
		case key.Tag == "!!merge":
			c.wrong(key, "<< and placeholders do not go together")
			return nil, false
		case slices.ContainsFunc(out, func(e mappingEntry) bool { return e.key == key.Value }):
			c.wrong(key, strconv.Quote(key.Value)+" stands twice")
			return nil, false
		}
		v, ok := c.node(n.Content[i+1])
		if !ok {
			return nil, false
		}
		out = append(out, mappingEntry{key.Value, v})
	}
	return out, true
}

func (c *templateCompiler) scalar(n *yaml.Node) (node, bool) {
	segments, err := scanPlaceholders(n.Value)
	if err != nil {
		c.wrong(n, err.Error())
		return nil, false
	}
	out := make(mixture, 0, len(segments))
	text := true
	for _, s := range segments {
		f := fragment{text: s.text}
		if s.expr {
			p, ok := c.placeholder(n, s.text)
			if !ok {
				return nil, false
			}
			f.program, text = p, false
		}
		out = append(out, f)
	}
	switch {
	case text:
		return constant{out[0].text}, true
	case len(out) == 1:
		return splice{*out[0].program}, true
	default:
		return out, true
	}
}

// placeholder compiles an expression. What is wrong with it is told with the place of the text that it stands in.
func (c *templateCompiler) placeholder(n *yaml.Node, text string) (*program, bool) {
	before := len(c.problems)
	e, ok := c.compile(text, c.path)
	if !ok {
		for i := before; i < len(c.problems); i++ {
			p := &c.problems[i]
			*p = Problem{Path: p.Path, Message: fmt.Sprintf("YAML at %d:%d: the placeholder (( %s )): %s", n.Line, n.Column, text, p.Text())}
		}
		return nil, false
	}
	c.use(e.reading)
	return &e.program, true
}

func (c *templateCompiler) hasPlaceholders(n *yaml.Node) bool {
	if known, ok := c.marked[n]; ok {
		return known
	}
	c.marked[n] = false // an alias may lead back here
	found := n.Kind == yaml.ScalarNode && hasPlaceholder(n.Value) ||
		n.Kind == yaml.AliasNode && c.hasPlaceholders(n.Alias) ||
		slices.ContainsFunc(n.Content, c.hasPlaceholders)
	c.marked[n] = found
	return found
}
