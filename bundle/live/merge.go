package live

import (
	"github.com/holdfast-io/holdfast/bundle"
	"github.com/holdfast-io/holdfast/engine"
)

// content is one thing in a snapshot: one of its fields is set.
type content struct {
	policy        *engine.Policy
	exception     *engine.Exception
	binding       *engine.Binding
	globalContext *engine.GlobalContext
}

func (c content) addTo(all *engine.Contents) {
	switch {
	case c.policy != nil:
		all.Policies = append(all.Policies, c.policy)
	case c.exception != nil:
		all.Exceptions = append(all.Exceptions, c.exception)
	case c.binding != nil:
		all.Bindings = append(all.Bindings, c.binding)
	case c.globalContext != nil:
		all.GlobalContexts = append(all.GlobalContexts, c.globalContext)
	}
}

func contentOfObject(o *bundle.Object) content {
	return content{o.Policy, o.Exception, o.Binding, o.GlobalContext}
}

// contentOfSnapshot takes a snapshot apart.
func contentOfSnapshot(s *engine.Snapshot) map[key]content {
	out := map[key]content{}
	for _, p := range s.Policies() {
		out[key{p.Kind, p.Namespace, p.Name}] = content{policy: p}
	}
	for _, x := range s.Exceptions() {
		out[key{x.Kind(), x.Namespace, x.Name}] = content{exception: x}
	}
	for _, b := range s.Bindings() {
		out[key{b.Kind, "", b.Name}] = content{binding: b}
	}
	for _, g := range s.GlobalContexts() {
		out[key{globalContextEntry, "", g.Name}] = content{globalContext: g}
	}
	return out
}

// keeps says why an object of the cluster is not in force however good it is, or nothing.
//
// What is in no namespace takes the place of what the bundle's files have under its name: who may write it
// rules the cluster. What is in a namespace does not: a tenant would lift what the operator has laid on that
// namespace.
func (s *Source) keeps(k key) State {
	_, taken := s.base[k]
	switch {
	case taken && k.namespace != "":
		return Hidden
	case isException(k.kind) && !s.opts.ExceptionNamespaces.Count(k.namespace):
		return Uncounted
	default:
		return ""
	}
}

// merge lists all that is in force.
func (s *Source) merge(entries map[key]*entry) engine.Contents {
	var all engine.Contents
	for k, c := range s.base {
		if e := entries[k]; e == nil || !e.counts() {
			c.addTo(&all)
		}
	}
	for _, e := range entries {
		if e.counts() {
			contentOfObject(e.good).addTo(&all)
		}
	}
	return all
}
