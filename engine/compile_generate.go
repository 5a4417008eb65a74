package engine

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	kyvernov1 "github.com/kyverno/kyverno/api/kyverno/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/holdfast-io/holdfast/engine/expr"
	"github.com/holdfast-io/holdfast/engine/glob"
	"github.com/holdfast-io/holdfast/engine/mutate"
)

// generation is the generate part of a rule: what is to exist besides the object that the rule matches, its
// trigger.
type generation struct {
	parts []generationPart
	// synchronize keeps what was generated as the rule wants it, and deletes it with its trigger or source;
	// orphan leaves it when the rule itself goes.
	synchronize, orphan bool
	// existing makes triggers count that are older than the policy.
	existing bool
	// generated makes triggers count that were generated themselves (skipBackgroundRequests: false).
	generated       bool
	serverSideApply bool
	// created is when the policy was, if it came from a cluster.
	created time.Time
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
		generated:       r.SkipBackgroundRequests != nil && !*r.SkipBackgroundRequests,
		serverSideApply: spec.UseServerSideApply,
		created:         creationTime(c.document),
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
	meta, _ := object["metadata"].(map[string]any)
	text, _ := meta["creationTimestamp"].(string)
	t, _ := time.Parse(time.RFC3339, text) // zero when there is none
	return t
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

func (c *compiler) compileClone(src *kyvernov1.CloneFrom, path []any) *cloneSource {
	if src.Name == "" {
		c.problem(at(path, "name"), "is missing")
	}
	out := &cloneSource{
		namespace: c.compileTemplate(src.Namespace, at(path, "namespace")),
		name:      c.compileTemplate(src.Name, at(path, "name")),
	}
	c.ownNamespace(out.namespace, at(path, "namespace"), "clones from")
	return out
}

func (c *compiler) compileCloneList(src *kyvernov1.CloneList, path []any) *cloneList {
	out := &cloneList{namespace: c.compileTemplate(src.Namespace, at(path, "namespace"))}
	c.ownNamespace(out.namespace, at(path, "namespace"), "clones from")
	if len(src.Kinds) == 0 {
		c.problem(at(path, "kinds"), "is empty: expected at least one kind")
	}
	for i, kind := range src.Kinds {
		t := c.compileTemplate(kind, at(path, "kinds", i))
		if text, ok := constant(t); ok {
			if _, err := parseGVK(text); err != nil {
				c.problem(at(path, "kinds", i), err.Error())
			}
		}
		out.kinds = append(out.kinds, t)
	}
	if src.Selector != nil {
		doc, err := jsonValue(src.Selector)
		if err != nil {
			c.problem(at(path, "selector"), err.Error())
			return out
		}
		out.selector = c.compileTemplate(doc, at(path, "selector"))
		if out.selector != nil && out.selector.Static() {
			if _, err := labelSelector(doc); err != nil {
				c.problem(at(path, "selector"), err.Error())
			}
		}
	}
	return out
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

// parseGVK reads version/Kind and group/version/Kind.
func parseGVK(text string) (schema.GroupVersionKind, error) {
	kind, err := ParseKind(text)
	if err != nil {
		return schema.GroupVersionKind{}, err
	}
	gvk := schema.GroupVersionKind{Group: kind.Group.String(), Version: kind.Version.String(), Kind: kind.Kind.String()}
	if first, _, _ := strings.Cut(text, "/"); gvk.Group == "*" && first == gvk.Version {
		gvk.Group = "" // v1/Secret is one of the core group
	}
	if kind.SubResource.String() != "" {
		return gvk, fmt.Errorf("%q is a subresource: expected the kind of an object", text)
	}
	for _, part := range []string{gvk.Group, gvk.Version, gvk.Kind} {
		if !glob.Compile(part).Literal() {
			return gvk, fmt.Errorf("%q is not one kind: expected version/Kind or group/version/Kind, without wildcards", text)
		}
	}
	return gvk, nil
}

// labelSelector reads a label selector from JSON values.
func labelSelector(doc any) (labels.Selector, error) {
	raw, err := json.Marshal(doc)
	if err != nil {
		return nil, fmt.Errorf("reading the selector: %w", err)
	}
	if strings.ContainsAny(string(raw), "*?") {
		return nil, fmt.Errorf("a selector of cloneList takes no wildcards")
	}
	var selector metav1.LabelSelector
	if err := json.Unmarshal(raw, &selector); err != nil {
		return nil, fmt.Errorf("not a label selector: %w", err)
	}
	out, err := metav1.LabelSelectorAsSelector(&selector)
	if err != nil {
		return nil, fmt.Errorf("not a label selector: %w", err)
	}
	return out, nil
}
