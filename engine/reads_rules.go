package engine

import (
	"crypto/sha256"
	"io"

	"github.com/holdfast-io/holdfast/engine/cel"
)

// Reads gives what the audit reads of objects of the resource, over all its rules for it and the exceptions from them.
func (s *Snapshot) Reads(resource *Resource) *Reads {
	out := &Reads{}
	// What an object is called never changes; that it is being deleted is looked at in many places.
	for _, key := range []string{"name", "generateName", "namespace", "uid", "creationTimestamp", "deletionTimestamp"} {
		out.add("metadata", key)
	}
	if s.ttl != nil {
		out.add("metadata", "labels", labelTTL)
		out.add("metadata", "annotations", annotationPropagation)
	}
	for _, r := range s.auditedRules(resource) {
		r.reads(out)
		for i := range s.excused[r] {
			s.excused[r][i].reads(out)
		}
	}
	return out
}

// auditedRules lists the rules that an audit asks about objects of the resource.
func (s *Snapshot) auditedRules(resource *Resource) []*Rule {
	var out []*Rule
	for kind := range s.index {
		for _, r := range s.index[kind].rules(resource) {
			if r.Policy.Background && r.Selects(resource) {
				out = append(out, r)
			}
		}
	}
	return out
}

// reads takes up what the rule reads.
func (r *Rule) reads(out *Reads) {
	r.match.reads(out)
	r.exclude.reads(out)
	if r.bound != nil && r.bound.scope != nil {
		r.bound.scope.match.reads(out)
		r.bound.scope.exclude.reads(out)
	}
	r.conditions.paths(out)
	out.addReferences(r.needs.refs)
	out.addReferences(r.needs.shown)
	switch {
	case r.validate != nil:
		readsOfCheck(out, r.validate.body)
	case r.mutate != nil:
		r.mutate.reads(out)
	case r.generate != nil:
		out.add("metadata", "labels") // whether some rule has generated the object itself
		if r.generate.cel != nil {
			readsOfCEL(out, r.generate.cel.rule)
		}
	case r.cleanup != nil:
		// to its conditions the object is the target
		if r.needs.has("target") {
			out.whole()
		}
		if c := r.cleanup.cel; c != nil {
			c.paths(out)
			if c.reads.namespace { // a Namespace is its own
				out.whole()
			}
		}
	default: // verifyImages, which has no verdict yet
	}
}

// reads takes up what the block reads. That it reads the namespace, or its labels, is noted when it does.
func (m *matcher) reads(out *Reads) {
	for i := range m.filters {
		f := &m.filters[i]
		if len(f.annotations) > 0 {
			out.add("metadata", "annotations")
		}
		// a Namespace is selected by its own labels
		if f.selector != nil || f.constraints != nil && (f.constraints.objects != nil || f.constraints.namespaces != nil) {
			out.add("metadata", "labels")
		}
	}
}

// reads takes up what the exception reads.
func (x *excuse) reads(out *Reads) {
	x.match.reads(out)
	out.addReferences(x.needs.refs)
	if x.inCEL != nil {
		x.inCEL.conditions.paths(out)
	}
}

// paths takes up what the conditions read.
func (c *celConditions) paths(out *Reads) {
	if c != nil {
		readsOfCEL(out, c.rule)
	}
}

func readsOfCEL(out *Reads, rule *cel.Rule) { out.addAll(rule.ObjectPaths()) }

// readsOfCheck takes up what a check reads beside what its expressions of JMESPath do, which count for the rule.
func readsOfCheck(out *Reads, body checker) {
	switch k := body.(type) {
	case *denyCheck, imageCheck, *assertCheck:
	case *patternCheck:
		out.addAll(k.paths)
	case *anyPatternCheck:
		out.addAll(k.paths)
	case *forEachCheck:
		for i := range k.loops { // a pattern may judge the object as a whole, and does where an element is no object
			readsOfCheck(out, k.loops[i].body)
		}
	case *celCheck:
		readsOfCEL(out, k.rule)
	case *admissionCheck:
		k.conditions.paths(out)
		readsOfCEL(out, k.rule)
	case *podSecurityCheck:
		out.add("spec")
		out.add("metadata", "annotations")
	case *templatesCheck: // what it makes Pods of
		out.add("spec")
	default:
		out.whole()
	}
}

// reads takes up what a change reads and writes. One of targets does so on other objects.
func (m *mutation) reads(out *Reads) {
	if m.targets != nil {
		switch t := m.targets.(type) {
		case targetList, *selectedTargets:
		case *expressedTargets:
			readsOfCEL(out, t.rule)
		default:
			out.whole()
		}
		return
	}
	readsOfChange(out, m.change)
}

func readsOfChange(out *Reads, change changer) {
	switch k := change.(type) {
	case patch:
		out.addAll(k.paths)
	case *forEachChange:
		for i := range k.loops {
			readsOfChange(out, k.loops[i].change)
		}
	default: // what expressions make of an object is compared with all of it
		out.whole()
	}
}

// refGlobalContext stands among what a rule reads of the request for global context entries. No name is like it.
const refGlobalContext = "\x00globalContext"

// AuditDigest names the rules that an audit asks about objects of the resource, with the exceptions and the global context
// entries that they may read: as long as it is the same in two snapshots, so are the decisions on the same object. It is a
// sha256.
func (s *Snapshot) AuditDigest(resource *Resource) [sha256.Size]byte {
	sum := sha256.New()
	write := func(parts ...string) {
		for _, part := range parts {
			_, _ = io.WriteString(sum, part+"\x00") // a hash does not fail
		}
	}
	if s.ttl != nil {
		write(s.ttl.Name)
	}
	globals := false
	for _, r := range s.auditedRules(resource) {
		write(r.Policy.Kind, r.Policy.Key(), r.Policy.Digest, r.Name, r.Binding())
		for _, x := range s.excused[r] {
			write(x.Kind(), x.Key(), x.Digest)
		}
		globals = globals || r.needs.has(refGlobalContext)
	}
	if globals {
		for _, g := range s.contents.GlobalContexts {
			write(g.Name, g.Digest)
		}
	}
	return [sha256.Size]byte(sum.Sum(nil))
}
