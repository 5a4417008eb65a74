package engine

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	kyvernov1 "github.com/kyverno/kyverno/api/kyverno/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/holdfast-io/holdfast/engine/expr"
)

// configMap is a context entry that reads a ConfigMap: {"data", "metadata"}.
type configMap struct{ namespace, name *expr.Template }

func (c *compiler) compileConfigMap(ref *kyvernov1.ConfigMapReference, path []any) source {
	if ref.Name == "" {
		c.problem(at(path, "name"), "is missing")
	}
	return &configMap{
		namespace: c.compileTemplate(ref.Namespace, at(path, "namespace")),
		name:      c.compileTemplate(ref.Name, at(path, "name")),
	}
}

func (m *configMap) value(x *scope) (any, error) {
	name, err := m.name.RenderText(x.env)
	if err != nil {
		return nil, err
	}
	namespace, err := m.namespace.RenderText(x.env)
	if err != nil {
		return nil, err
	}
	if namespace == "" {
		if namespace = x.rule.Policy.Namespace; namespace == "" {
			namespace = "default"
		}
	}
	object, err := x.e.get(x.rule.Policy, schema.GroupVersionKind{Version: "v1", Kind: "ConfigMap"}, namespace, name)
	if err != nil {
		return nil, fmt.Errorf("reading ConfigMap %s/%s: %w", namespace, name, err)
	}
	data, ok := object["data"].(map[string]any)
	if !ok {
		data = map[string]any{}
	}
	return map[string]any{"data": data, "metadata": object["metadata"]}, nil
}

// call is a context entry that asks the API server or a service.
type call struct {
	address  *urlTemplate
	service  bool
	method   string
	body     *expr.Template
	headers  []headerTemplate
	caBundle string
	query    *query
	fallback any
	has      bool // a default
}

type headerTemplate struct {
	name  string
	value *expr.Template
}

func (c *compiler) compileCall(src *kyvernov1.ContextAPICall, path []any) source {
	out := &call{method: string(src.Method)}
	address := src.URLPath
	where := at(path, "urlPath")
	switch {
	case src.Service != nil && src.URLPath != "":
		c.problem(path, "has both urlPath and service: expected one of them")
		return nil
	case src.Service != nil:
		address, where = src.Service.URL, at(path, "service", "url")
		out.service, out.caBundle = true, src.Service.CABundle
		if err := checkHost(address); err != nil {
			c.problem(where, err.Error())
		}
		for i, h := range src.Service.Headers {
			out.headers = append(out.headers, headerTemplate{h.Key, c.compileTemplate(h.Value, at(path, "service", "headers", i, "value"))})
		}
	case src.URLPath == "":
		c.problem(path, "has no address: expected urlPath or service")
		return nil
	}
	var refs []string
	var err error
	if out.address, refs, err = compileURL(address); err != nil {
		c.wrong(where, err)
	}
	c.refs = append(c.refs, refs...)
	switch out.method {
	case "":
		out.method = "GET"
	case "GET", "POST":
	default:
		c.problem(at(path, "method"), fmt.Sprintf("unknown method %q: expected GET or POST", src.Method))
	}
	if out.method == "GET" && len(src.Data) > 0 {
		c.problem(at(path, "data"), "belongs to method POST only")
	}
	if len(src.Data) > 0 {
		body := map[string]any{}
		for i, d := range src.Data {
			var value any
			if d.Value != nil {
				if err := json.Unmarshal(d.Value.Raw, &value); err != nil {
					c.problem(at(path, "data", i, "value"), err.Error())
				}
			}
			body[d.Key] = value
		}
		out.body = c.compileTemplate(body, at(path, "data"))
	}
	if src.JMESPath != "" {
		out.query = c.compileQuery(src.JMESPath, at(path, "jmesPath"), onValue)
	}
	if src.Default != nil {
		out.has = true
		if err := json.Unmarshal(src.Default.Raw, &out.fallback); err != nil {
			c.problem(at(path, "default"), err.Error())
		}
	}
	return out
}

// value makes the call. The default stands in for a call that fails; not for one that may not be made, nor
// for one whose time is up.
func (l *call) value(x *scope) (any, error) {
	request, err := l.request(x.env)
	if err != nil {
		return nil, err
	}
	value, err := x.e.call(x.rule.Policy, request)
	if err != nil {
		if l.has && !errors.Is(err, ErrOutOfReach) && x.e.ctx.Err() == nil {
			return l.fallback, nil
		}
		return nil, fmt.Errorf("%s %s%s: %w", request.Method, request.Path, request.URL, err)
	}
	return l.query.in(x.env, value)
}

func (l *call) request(env *expr.Env) (*Call, error) {
	address, err := l.address.render(env)
	if err != nil {
		return nil, err
	}
	out := &Call{Method: l.method}
	if !l.service {
		out.Path = address
	} else {
		out.URL, out.CABundle = address, l.caBundle
		for _, h := range l.headers {
			value, err := h.value.RenderText(env)
			if err != nil {
				return nil, fmt.Errorf("header %s: %w", h.name, err)
			}
			out.Headers = append(out.Headers, Header{h.name, value})
		}
	}
	if l.body != nil {
		if out.Body, err = l.body.Render(env); err != nil {
			return nil, err
		}
	} else if l.method == "POST" {
		out.Body = map[string]any{}
	}
	return out, nil
}

// globalContext is a context entry that reads a GlobalContextEntry.
type globalContext struct {
	name  string
	query *query
}

func (c *compiler) compileGlobal(ref *kyvernov1.GlobalContextEntryReference, path []any) source {
	if ref.Name == "" {
		c.problem(at(path, "name"), "is missing")
	}
	if c.policy.Namespace != "" {
		c.problem(path, "belongs to ClusterPolicies only")
	}
	c.refs = append(c.refs, refGlobalContext)
	out := &globalContext{name: ref.Name}
	if ref.JMESPath != "" {
		out.query = c.compileQuery(ref.JMESPath, at(path, "jmesPath"), onValue)
	}
	return out
}

func (g *globalContext) value(x *scope) (any, error) {
	value, err := x.e.globalContext(x.rule.Policy, g.name)
	if err != nil {
		return nil, fmt.Errorf("global context entry %s: %w", g.name, err)
	}
	return g.query.in(x.env, value)
}

// imageData is a context entry that asks a registry about an image.
type imageData struct {
	reference *expr.Template
	query     *query
	secrets   []string
	providers []string
	insecure  bool
}

func (c *compiler) compileImageData(src *kyvernov1.ImageRegistry, path []any) source {
	if src.Reference == "" {
		c.problem(at(path, "reference"), "is missing")
	}
	out := &imageData{reference: c.compileTemplate(src.Reference, at(path, "reference"))}
	if src.JMESPath != "" {
		out.query = c.compileQuery(src.JMESPath, at(path, "jmesPath"), onValue)
	}
	if from := src.ImageRegistryCredentials; from != nil {
		out.insecure = from.AllowInsecureRegistry
		out.secrets = slices.Clone(from.Secrets)
		for _, p := range from.Providers {
			out.providers = append(out.providers, string(p))
		}
	}
	return out
}

func (i *imageData) value(x *scope) (any, error) {
	reference, err := i.reference.RenderText(x.env)
	if err != nil {
		return nil, err
	}
	data, err := x.e.image(x.rule.Policy, &ImageCall{
		Reference: reference, Secrets: i.secrets, Providers: i.providers, Insecure: i.insecure,
	})
	if err != nil {
		return nil, fmt.Errorf("asking the registry about %s: %w", reference, err)
	}
	return i.query.in(x.env, data)
}
