package cel

import (
	"slices"

	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/types"
)

// Made is a sort of objects that generations make, as far as their text tells: of an expression that spells out an object,
// its apiVersion and kind; of one that looks up what it copies, the apiVersion and plural name; of a template, also the
// namespace and name, each empty where it has placeholders.
type Made struct{ APIVersion, Kind, Plural, Namespace, Name string }

// Makes lists what the generations make. Open says that there may be more: only values tell.
func (r *Rule) Makes() (made []Made, open bool) { return r.makes, r.makesMore }

// findMade looks through the generations, and the variables that they may read.
func (s *session) findMade() {
	if len(s.src.Generations) == 0 {
		return
	}
	for _, v := range s.src.Variables {
		s.findMadeBy(v.Expression)
	}
	for i := range s.src.Generations {
		if text := s.src.Generations[i].Expression; text != "" {
			s.rule.makesMore = true // the objects may come from anywhere
			s.findMadeBy(text)
		}
	}
	for i := range s.rule.generations {
		if t := s.rule.generations[i].template; t != nil {
			for _, document := range t.documents {
				s.findMadeOf(document)
			}
		}
	}
}

func (s *session) findMadeOf(document node) {
	apiVersion, known := plainText(field(document, "apiVersion"))
	kind, knownKind := plainText(field(document, "kind"))
	if !known || !knownKind {
		s.rule.makesMore = true
		return
	}
	metadata := field(document, "metadata")
	namespace, _ := plainText(field(metadata, "namespace"))
	name, _ := plainText(field(metadata, "name"))
	s.makes(Made{APIVersion: apiVersion, Kind: kind, Namespace: namespace, Name: name})
}

func (s *session) makes(m Made) {
	if !slices.Contains(s.rule.makes, m) {
		s.rule.makes = append(s.rule.makes, m)
	}
}

// findMadeBy finds the objects that an expression spells out, and those that it looks up.
func (s *session) findMadeBy(text string) {
	parsed, issues := s.env.Parse(text)
	if issues.Err() != nil {
		return // it is told where the expression is compiled
	}
	ast.PreOrderVisit(parsed.NativeRep().Expr(), ast.NewExprVisitor(func(e ast.Expr) {
		switch e.Kind() {
		case ast.MapKind:
			fields := map[string]ast.Expr{}
			for _, entry := range e.AsMap().Entries() {
				if key, ok := literal(entry.AsMapEntry().Key()); ok {
					fields[key] = entry.AsMapEntry().Value()
				}
			}
			apiVersion, known := literal(fields["apiVersion"])
			kind, knownKind := literal(fields["kind"])
			if known && knownKind && fields["metadata"] != nil {
				s.makes(Made{APIVersion: apiVersion, Kind: kind})
			}
		case ast.CallKind:
			c := e.AsCall()
			if !c.IsMemberFunction() || c.Target().Kind() != ast.IdentKind || c.Target().AsIdent() != varResource || len(c.Args()) < 2 {
				return
			}
			apiVersion, known := literal(c.Args()[0])
			plural, knownPlural := literal(c.Args()[1])
			if known && knownPlural {
				s.makes(Made{APIVersion: apiVersion, Plural: plural})
			}
		}
	}))
}

// literal gives a text that is written out, or dyn or string of one.
func literal(e ast.Expr) (string, bool) {
	if e == nil {
		return "", false
	}
	switch e.Kind() {
	case ast.LiteralKind:
		text, ok := e.AsLiteral().(types.String)
		return string(text), ok
	case ast.CallKind:
		c := e.AsCall()
		if name := c.FunctionName(); !c.IsMemberFunction() && len(c.Args()) == 1 && (name == "dyn" || name == "string") {
			return literal(c.Args()[0])
		}
	}
	return "", false
}
