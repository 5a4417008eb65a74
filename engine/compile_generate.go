package engine

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	kyvernov1 "github.com/kyverno/kyverno/api/kyverno/v1"

	"github.com/holdfast-io/holdfast/engine/expr"
	"github.com/holdfast-io/holdfast/engine/mutate"
)

// generation is the generate part of a rule: what is to exist besides the object that the rule matches, its
// trigger.
type generation struct {
	parts []generationPart
	cel   *celGeneration // of a GeneratingPolicy, which has no parts
	// synchronize keeps what was generated as the rule wants it, and deletes it with its trigger or source;
	// orphan leaves it when the rule itself goes.
	synchronize, orphan bool
	// existing makes triggers count that are older than the policy.
	existing        bool
	serverSideApply bool
	// created is when the policy was, if it came from a cluster; version its resourceVersion then.
	created time.Time
	version uint64
	schema  *mutate.Schema
}

// generationPart makes objects: once, or for each element of a list.
type generationPart struct {
	loop *loop // nil: once
	make *production
}

// production is one of data, clone and cloneList.
type production struct {
	apiVersion, kind, namespace, name *expr.Template
	data                              *expr.Template // nil: none
	source                            *cloneSource   // nil: none
	list                              *cloneList     // nil: none
}

// cloneSource is an object that is copied.
type cloneSource struct{ namespace, name *expr.Template }

// cloneList are objects that are copied, under their own names.
type cloneList struct {
	namespace *expr.Template
	kinds     []*expr.Template
	selector  *expr.Template // of a label selector as a JSON value; nil: none
}

// compileGeneration reads the generate part of a rule.
func (c *compiler) compileGeneration(r *kyvernov1.Rule, spec *kyvernov1.Spec, path []any) *generation {
	g := r.Generation
	out := &generation{
		synchronize: g.Synchronize, orphan: g.OrphanDownstreamOnPolicyDelete,
		existing:        spec.GenerateExisting,
		serverSideApply: spec.UseServerSideApply,
		created:         creationTime(c.document),
		version:         resourceVersion(c.document),
		schema:          c.schema,
	}
	if g.GenerateExisting != nil {
		out.existing = *g.GenerateExisting
	}
	if len(c.policy.Name) > maxLabel {
		c.problem([]any{"metadata", "name"}, fmt.Sprintf("is longer than %d characters: what the policy generates is labelled with it", maxLabel))
	}
	// The peer refuses this form alone; with any and all the same is found when it happens.
	if slices.Contains(r.MatchResources.Kinds, g.Kind) {
		c.problem(at(path, "kind"), fmt.Sprintf("%s is what the rule matches: it would trigger itself", g.Kind))
	}
	if len(g.ForEachGeneration) == 0 {
		out.parts = []generationPart{{make: c.compileProduction(&g.GeneratePattern, path)}}
		return out
	}
	if n := forms(&g.GeneratePattern); n > 0 {
		c.problem(path, fmt.Sprintf("has foreach and %d of data, clone and cloneList beside it: expected one of the four", n))
	}
	for i := range g.ForEachGeneration {
		f, where := &g.ForEachGeneration[i], at(path, "foreach", i)
		var part generationPart
		l, _ := c.compileLoop(f.List, f.Context, f.AnyAllConditions, where, func() []string {
			part.make = c.compileProduction(&f.GeneratePattern, where)
			return nil
		})
		part.loop = &l
		out.parts = append(out.parts, part)
	}
	return out
}

// maxLabel is the length of a label's value.
const maxLabel = 63

func creationTime(object map[string]any) time.Time {
	text, _ := metadata(object)["creationTimestamp"].(string)
	t, _ := time.Parse(time.RFC3339, text) // zero when there is none
	return t
}

// resourceVersion is zero when there is none, or one that is no number.
func resourceVersion(object map[string]any) uint64 {
	text, _ := metadata(object)["resourceVersion"].(string)
	n, _ := strconv.ParseUint(text, 10, 64)
	return n
}

func forms(g *kyvernov1.GeneratePattern) int {
	n := 0
	for _, used := range []bool{g.RawData != nil, g.Clone != kyvernov1.CloneFrom{}, g.CloneList.Kinds != nil} {
		if used {
			n++
		}
	}
	return n
}

func (c *compiler) compileProduction(g *kyvernov1.GeneratePattern, path []any) *production {
	if n := forms(g); n > 1 {
		c.problem(path, fmt.Sprintf("has %d of data, clone and cloneList: expected at most one", n))
		return nil
	}
	if g.UID != "" {
		c.warn(at(path, "uid"), "has no effect")
	}
	out := &production{namespace: c.compileTemplate(g.Namespace, at(path, "namespace"))}
	c.ownNamespace(out.namespace, at(path, "namespace"), "generates")
	if g.CloneList.Kinds != nil {
		out.list = c.compileCloneList(&g.CloneList, at(path, "cloneList"))
		target, ok := constant(out.namespace)
		if source, fixed := constant(out.list.namespace); ok && fixed && target == source {
			// The peer takes it, and generates nothing: the only cloneList that a namespaced policy can have.
			c.warn(at(path, "namespace"), "is the namespace that is cloned from: every object is its own source, and nothing is generated")
		}
		return out
	}
	for _, field := range []struct {
		name, value string
		into        **expr.Template
	}{{"apiVersion", g.APIVersion, &out.apiVersion}, {"kind", g.Kind, &out.kind}, {"name", g.Name, &out.name}} {
		if field.value == "" {
			c.problem(at(path, field.name), "is missing")
			continue
		}
		*field.into = c.compileTemplate(field.value, at(path, field.name))
	}
	if kind, ok := constant(out.kind); ok && strings.Contains(kind, "/") {
		c.unbuilt(at(path, "kind"), "generating a subresource, "+kind+",")
	}
	if g.Clone != (kyvernov1.CloneFrom{}) {
		out.source = c.compileClone(&g.Clone, at(path, "clone"))
		if sameText(out.namespace, out.source.namespace) && sameText(out.name, out.source.name) {
			c.problem(at(path, "clone"), "is the very object that is generated: it cannot be its own source")
		}
	}
	if g.RawData != nil {
		out.data = c.compileData(g.RawData.Raw, at(path, "data"))
	}
	return out
}

func (c *compiler) warn(path []any, message string) {
	c.policy.Warnings = append(c.policy.Warnings, Problem{Path: path}.PathString()+": "+message)
}

// ownNamespace refuses a plain namespace that is not a namespaced policy's own. One with variables is looked
// at when they are known.
func (c *compiler) ownNamespace(namespace *expr.Template, path []any, does string) {
	if name, ok := constant(namespace); ok && c.policy.reaches(name) != nil {
		c.problem(path, fmt.Sprintf("is %q: a policy of namespace %s %s there only", name, c.policy.Namespace, does))
	}
}

// anchor is a key that is a condition in a pattern, and nothing in an object.
var anchor = regexp.MustCompile(`^[\^=+X<]?\(.*\)$`)

func (c *compiler) compileData(raw []byte, path []any) *expr.Template {
	var doc any
	if err := json.Unmarshal(raw, &doc); err != nil {
		c.problem(path, err.Error())
		return nil
	}
	c.refuseAnchors(doc, path)
	t := c.compileTemplate(doc, path)
	if _, ok := doc.(map[string]any); !ok && t != nil && t.Static() {
		c.problem(path, "is not an object: expected the fields of what is to be generated")
	}
	return t
}

func (c *compiler) refuseAnchors(doc any, path []any) {
	switch doc := doc.(type) {
	case map[string]any:
		for _, key := range sortedNames(doc) {
			if anchor.MatchString(key) {
				c.problem(at(path, key), "is an anchor: it has no meaning in an object that is generated")
			}
			c.refuseAnchors(doc[key], at(path, key))
		}
	case []any:
		for i := range doc {
			c.refuseAnchors(doc[i], at(path, i))
		}
	}
}

func sortedNames(m map[string]any) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// constant gives the text of a template without variables.
func constant(t *expr.Template) (string, bool) {
	if t == nil || !t.Static() {
		return "", false
	}
	text, err := t.RenderText(nil)
	return text, err == nil
}

// sameText reports whether two texts, variables and all, are written alike.
func sameText(a, b *expr.Template) bool { return a != nil && b != nil && a.Source() == b.Source() }
