package engine

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	kyvernov2 "github.com/kyverno/kyverno/api/kyverno/v2"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/holdfast-io/holdfast/engine/expr"
)

// What an entry's call does when the entry does not say: as the peer's CRD defaults have it.
const (
	defaultRefresh = 10 * time.Minute
	defaultRetries = 3
)

// CompileGlobalContext compiles a kyverno.io GlobalContextEntry. All that is wrong with it comes back in one
// *CompileError.
// Source: https://kyverno.io/docs/policy-types/cluster-policy/external-data-sources/#global-context
func (cc *Compiler) CompileGlobalContext(src *kyvernov2.GlobalContextEntry) (*GlobalContext, error) {
	c := &compiler{schema: cc.schema, policy: &Policy{Kind: kindGlobalContext, Name: src.Name}}
	g := &GlobalContext{Name: src.Name}
	switch {
	case g.Name == "":
		c.problem([]any{"metadata", "name"}, "is missing")
	case strings.Contains(g.Name, "."):
		c.problem([]any{"metadata", "name"}, fmt.Sprintf("%q has a dot: rules could not read it, since what stands behind the dot is a projection", g.Name))
	}
	spec := &src.Spec
	switch {
	case spec.KubernetesResource != nil && spec.APICall != nil:
		c.problem([]any{"spec"}, "has both kubernetesResource and apiCall: expected one of them")
	case spec.KubernetesResource != nil:
		g.Resource = c.compileWatched(spec.KubernetesResource, []any{"spec", "kubernetesResource"})
	case spec.APICall != nil:
		g.Call = c.compileRepeated(spec.APICall, []any{"spec", "apiCall"})
	default:
		c.problem([]any{"spec"}, "has no source: expected kubernetesResource or apiCall")
	}
	c.compileProjections(g, spec.Projections)
	if len(c.problems) > 0 {
		return nil, c.error()
	}
	var err error
	if g.Digest, err = c.digest(spec); err != nil {
		return nil, err
	}
	return g, nil
}

func (c *compiler) compileWatched(r *kyvernov2.KubernetesResource, path []any) *WatchedResource {
	if r.Version == "" {
		c.problem(at(path, "version"), "is missing")
	}
	if r.Group == "" && r.Version != "" && r.Version != "v1" {
		c.problem(at(path, "group"), "is missing: only the version v1 has no group")
	}
	switch {
	case r.Resource == "":
		c.problem(at(path, "resource"), "is missing")
	case r.Resource != strings.ToLower(r.Resource):
		c.problem(at(path, "resource"), fmt.Sprintf("%q is not a resource: expected a plural in lower case, such as deployments", r.Resource))
	case strings.Contains(r.Resource, "/"):
		c.problem(at(path, "resource"), fmt.Sprintf("%q is a subresource: it cannot be watched", r.Resource))
	}
	return &WatchedResource{schema.GroupVersionResource{Group: r.Group, Version: r.Version, Resource: r.Resource}, r.Namespace}
}

func (c *compiler) compileRepeated(src *kyvernov2.ExternalAPICall, path []any) *RepeatedCall {
	out := &RepeatedCall{Refresh: defaultRefresh, Retries: defaultRetries, Call: Call{Method: string(src.Method)}}
	if src.RefreshInterval != nil {
		out.Refresh = src.RefreshInterval.Duration
		if out.Refresh <= 0 {
			c.problem(at(path, "refreshInterval"), fmt.Sprintf("is %s: expected more than nothing", out.Refresh))
		}
	}
	switch {
	case src.RetryLimit < 0:
		c.problem(at(path, "retryLimit"), fmt.Sprintf("is %d: expected at least 1", src.RetryLimit))
	case src.RetryLimit > 0:
		out.Retries = src.RetryLimit
	}
	switch {
	case src.Service != nil && src.URLPath != "":
		c.problem(path, "has both urlPath and service: expected one of them")
	case src.Service != nil:
		out.Call.URL, out.Call.CABundle = src.Service.URL, src.Service.CABundle
		c.constant(src.Service.URL, at(path, "service", "url"), checkHost)
		for i, h := range src.Service.Headers {
			c.constant(h.Value, at(path, "service", "headers", i, "value"), anyText)
			out.Call.Headers = append(out.Call.Headers, Header{h.Key, h.Value})
		}
	case src.URLPath != "":
		out.Call.Path = src.URLPath
		c.constant(src.URLPath, at(path, "urlPath"), (&Policy{}).reachesPath)
	default:
		c.problem(path, "has no address: expected urlPath or service")
	}
	c.compileCallBody(out, src, path)
	return out
}

func (c *compiler) compileCallBody(out *RepeatedCall, src *kyvernov2.ExternalAPICall, path []any) {
	switch out.Call.Method {
	case "":
		out.Call.Method = "GET"
	case "GET", "POST":
	default:
		c.problem(at(path, "method"), fmt.Sprintf("unknown method %q: expected GET or POST", src.Method))
	}
	if out.Call.Method != "POST" {
		if len(src.Data) > 0 {
			c.problem(at(path, "data"), "belongs to method POST only")
		}
		return
	}
	body := make(map[string]any, len(src.Data))
	for i, d := range src.Data {
		var value any
		if d.Value != nil {
			if err := json.Unmarshal(d.Value.Raw, &value); err != nil {
				c.problem(at(path, "data", i, "value"), err.Error())
			}
			c.constant(string(d.Value.Raw), at(path, "data", i, "value"), anyText)
		}
		body[d.Key] = value
	}
	out.Call.Body = body
}

// constant refuses variables: an entry belongs to no rule and no request that could give them a value.
func (c *compiler) constant(text string, path []any, check func(string) error) {
	err := check(text)
	if len(expr.Spans(text)) > 0 {
		err = errors.New("holds a variable: an entry belongs to no request")
	}
	if err != nil {
		c.problem(path, err.Error())
	}
}

func anyText(string) error { return nil }

func (c *compiler) compileProjections(g *GlobalContext, list []kyvernov2.GlobalContextEntryProjection) {
	names := map[string]bool{}
	for i, p := range list {
		path := []any{"spec", "projections", i}
		switch {
		case p.Name == "":
			c.problem(at(path, "name"), "is missing")
		case p.Name == g.Name:
			c.problem(at(path, "name"), fmt.Sprintf("%q is the name of the entry: expected another", p.Name))
		case names[p.Name]:
			c.problem(at(path, "name"), fmt.Sprintf("%q stands twice", p.Name))
		}
		query, err := expr.Compile(p.JMESPath)
		if err != nil {
			c.problem(at(path, "jmesPath"), err.Error())
		}
		names[p.Name] = true
		g.Projections = append(g.Projections, Projection{p.Name, query})
	}
}
