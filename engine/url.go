package engine

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/holdfast-io/holdfast/engine/expr"
)

// urlTemplate is an address with variables. A value cannot change where the address leads: in the path it
// may hold slashes, for an apiVersion, and all else is escaped; in the query all is.
type urlTemplate struct {
	whole *expr.Template // the address is nothing but one variable, or has none
	parts []urlPart
}

type urlPart struct {
	text    string
	value   *expr.Template // nil: the text
	inQuery bool
}

// compileURL reads an address with variables; it gives what the variables read.
func compileURL(src string) (*urlTemplate, []string, error) {
	src = strings.TrimSpace(src)
	spans := expr.Spans(src)
	if len(spans) == 0 || (len(spans) == 1 && spans[0].Start == 0 && spans[0].End == len(src)) {
		whole, err := expr.CompileTemplate(src, expr.TemplateOptions{})
		if err != nil {
			return nil, nil, err
		}
		return &urlTemplate{whole: whole}, whole.References(), nil
	}
	out := &urlTemplate{}
	var refs []string
	inQuery, done := false, 0
	literal := func(text string) {
		inQuery = inQuery || strings.Contains(text, "?")
		if text != "" {
			out.parts = append(out.parts, urlPart{text: text})
		}
	}
	for _, span := range spans {
		literal(src[done:span.Start])
		value, err := expr.CompileTemplate(src[span.Start:span.End], expr.TemplateOptions{})
		if err != nil {
			return nil, nil, err
		}
		refs = append(refs, value.References()...)
		out.parts = append(out.parts, urlPart{value: value, inQuery: inQuery})
		done = span.End
	}
	literal(src[done:])
	return out, refs, nil
}

// errVariableHost refuses an address whose host text from a request could choose
// (GHSA-qr4g-8hrp-c4rw, GHSA-fmqp-4wfc-w3v7).
var errVariableHost = errors.New("the host of a service is constant: variables may stand in the path and the query only")

// checkHost refuses an address whose scheme, user or host is not plain text.
func checkHost(src string) error {
	src = strings.TrimSpace(src)
	constant := src
	if spans := expr.Spans(src); len(spans) > 0 {
		constant = src[:spans[0].Start]
	}
	u, err := url.Parse(constant)
	if err != nil {
		return fmt.Errorf("%q is not an address: %w", src, err)
	}
	if u.Host == "" || (constant != src && u.Path == "" && u.RawQuery == "") {
		if constant != src {
			return errVariableHost
		}
		return fmt.Errorf("%q is not an address: expected https://HOST/PATH", src)
	}
	if u.Scheme != "https" && u.Scheme != "http" {
		return fmt.Errorf("%q is not an address: expected https:// or http://", src)
	}
	return nil
}

func (t *urlTemplate) render(env *expr.Env) (string, error) {
	if t.whole != nil {
		return t.whole.RenderText(env)
	}
	var b strings.Builder
	for i := range t.parts {
		p := &t.parts[i]
		if p.value == nil {
			b.WriteString(p.text)
			continue
		}
		value, err := p.value.RenderText(env)
		if err != nil {
			return "", err
		}
		if p.inQuery {
			b.WriteString(url.QueryEscape(value))
			continue
		}
		for j, segment := range strings.Split(value, "/") {
			if j > 0 {
				b.WriteByte('/')
			}
			b.WriteString(url.PathEscape(segment))
		}
	}
	return b.String(), nil
}
