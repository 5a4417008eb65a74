package engine

import (
	"errors"
	"fmt"
	"maps"
	"reflect"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/holdfast-io/holdfast/engine/expr"
)

// downstream is one object that the rule wants to exist.
type downstream struct {
	kind            schema.GroupVersionKind
	namespace, name string
	object          map[string]any
	// copied objects are to be as their source in every field; of others only what the rule sets counts.
	copied bool
	// chance is whether the clock or randomness had a part in it.
	chance bool
}

func (d *downstream) String() string { return objectText(d.kind, d.namespace, d.name) }

func objectText(kind schema.GroupVersionKind, namespace, name string) string {
	return (&Change{Kind: kind, Namespace: namespace, Name: name}).String()
}

// maxDownstreams bounds what one trigger generates: each object is looked up in every audit. The largest
// rules that people publish make a dozen.
const maxDownstreams = 1000

var errTooMany = fmt.Errorf("the rule generates more than %d objects for one trigger", maxDownstreams)

// produce evaluates what the rule wants. Errors are gathered: what stands in the way of one object does not
// keep the others from being made.
func (g *generator) produce(x *scope) {
	if c := g.rule.generate.cel; c != nil {
		c.produce(g, x)
		return
	}
	for i := range g.rule.generate.parts {
		part := &g.rule.generate.parts[i]
		if part.loop == nil {
			g.try(part.make.produce(g, x))
			continue
		}
		elements, err := part.loop.elements(x)
		if errors.Is(err, expr.ErrNotFound) {
			continue // without the list there is nothing to generate
		}
		if err != nil {
			g.errs = append(g.errs, err)
			continue
		}
		for index, element := range elements {
			if element == nil {
				continue
			}
			in, err := part.loop.enter(x, element, index)
			if err == nil && in != nil {
				err = part.make.produce(g, in)
			}
			if g.try(err); errors.Is(err, errTooMany) || g.e.ctx.Err() != nil {
				return
			}
		}
	}
}

func (g *generator) try(err error) {
	if err != nil {
		g.errs = append(g.errs, err)
	}
}

// add takes up one object. Two that want different things of the same one would be at odds for ever.
func (g *generator) add(d *downstream) error {
	if g.isTrigger(d) {
		return fmt.Errorf("%s is the object that triggers the rule: it would trigger itself", d)
	}
	if err := g.rule.Policy.writes(d.kind); err != nil {
		return fmt.Errorf("generating: %w", err)
	}
	for _, other := range g.wanted {
		if other.kind == d.kind && other.namespace == d.namespace && other.name == d.name {
			if !reflect.DeepEqual(other.object, d.object) {
				return fmt.Errorf("%s is generated twice, with different content", d)
			}
			return nil
		}
	}
	if len(g.wanted) == maxDownstreams {
		return errTooMany
	}
	d.chance = *g.chance
	g.wanted = append(g.wanted, d)
	return nil
}

func (g *generator) isTrigger(d *downstream) bool {
	req := g.e.req
	if d.kind.GroupKind() != req.Kind.GroupKind() || d.name != g.e.name || req.SubResource != "" {
		return false
	}
	// A Namespace comes with its own name for a namespace in a request, and with none at rest.
	return d.namespace == req.Namespace || (d.namespace == "" && d.kind.Kind == "Namespace")
}

// produce evaluates one of data, clone and cloneList.
func (p *production) produce(g *generator, x *scope) error {
	namespace, err := fieldText(p.namespace, x.env, "namespace")
	if err != nil {
		return err
	}
	if err := g.rule.Policy.reaches(namespace); err != nil {
		return fmt.Errorf("generating: %w", err)
	}
	if p.list != nil {
		return p.list.produce(g, x, namespace)
	}
	var texts [3]string
	for i, field := range []struct {
		name string
		text *expr.Template
	}{{"apiVersion", p.apiVersion}, {"kind", p.kind}, {"name", p.name}} {
		if texts[i], err = fieldText(field.text, x.env, field.name); err != nil {
			return err
		}
		if texts[i] == "" {
			return fmt.Errorf("generating: %s is empty", field.name)
		}
	}
	version, err := schema.ParseGroupVersion(texts[0])
	if err != nil {
		return fmt.Errorf("generating: apiVersion: %w", err)
	}
	d := &downstream{kind: version.WithKind(texts[1]), namespace: namespace, name: texts[2]}
	if p.source == nil {
		return p.fromData(g, x, d)
	}
	source, err := fieldText(p.source.namespace, x.env, "clone.namespace")
	if err != nil {
		return err
	}
	name, err := fieldText(p.source.name, x.env, "clone.name")
	if err != nil {
		return err
	}
	if source == d.namespace && name == d.name {
		g.notes = append(g.notes, fmt.Sprintf("%s is its own source", d))
		return nil
	}
	object, err := g.e.get(g.rule.Policy, d.kind, source, name)
	if err != nil {
		return fmt.Errorf("the source %s: %w", objectText(d.kind, source, name), err)
	}
	return g.copy(d, object, source)
}

// fieldText evaluates a field that is text. A null is an empty one.
func fieldText(t *expr.Template, env *expr.Env, field string) (string, error) {
	if t == nil {
		return "", nil
	}
	v, err := t.Render(env)
	if err != nil {
		return "", fmt.Errorf("generating: %s: %w", field, err)
	}
	switch v := v.(type) {
	case nil:
		return "", nil
	case string:
		return v, nil
	default:
		return "", fmt.Errorf("generating: %s is %s: expected text", field, describe(v))
	}
}

// serverFields of metadata are the API server's own to set; finalizers belong to whoever clears them, who
// knows of the one object alone.
var serverFields = [...]string{
	"uid", "resourceVersion", "generation", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds",
	"managedFields", "selfLink", "generateName",
}

// fromData makes the object that the rule spells out.
func (p *production) fromData(g *generator, x *scope, d *downstream) error {
	object := map[string]any{}
	if p.data != nil {
		v, err := p.data.Render(x.env)
		if err != nil {
			return fmt.Errorf("generating %s: data: %w", d, err)
		}
		values, ok := v.(map[string]any)
		if !ok && v != nil {
			return fmt.Errorf("generating %s: data is %s: expected an object", d, describe(v))
		}
		maps.Copy(object, values)
	}
	return g.spell(d, object, "data.")
}

// spell takes up an object that the rule spells out. The map is the generator's own; messages call its fields what
// they are called below the prefix.
func (g *generator) spell(d *downstream, object map[string]any, prefix string) error {
	given, ok := object["metadata"].(map[string]any)
	if !ok && object["metadata"] != nil {
		return fmt.Errorf("generating %s: %smetadata is %s: expected an object", d, prefix, describe(object["metadata"]))
	}
	meta := ownMetadata(given)
	for _, field := range []string{"labels", "annotations"} {
		texts, err := textMap(meta[field])
		if err != nil {
			return fmt.Errorf("generating %s: %smetadata.%s: %w", d, prefix, field, err)
		}
		if texts != nil {
			meta[field] = texts
		}
	}
	object["metadata"] = meta
	g.finish(d, object)
	return g.add(d)
}

// textMap gives labels or annotations as text; nil when there are none.
func textMap(v any) (map[string]any, error) {
	if v == nil {
		return nil, nil
	}
	m, ok := v.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("is %s: expected an object", describe(v))
	}
	out := make(map[string]any, len(m))
	for _, k := range sortedNames(m) {
		text, err := labelText(m[k])
		if err != nil {
			return nil, fmt.Errorf("%s: %w", k, err)
		}
		out[k] = text
	}
	return out, nil
}

// finish names and labels an object whose metadata is the generator's own.
func (g *generator) finish(d *downstream, object map[string]any) {
	object["apiVersion"], object["kind"] = d.kind.GroupVersion().String(), d.kind.Kind
	meta := object["metadata"].(map[string]any)
	meta["name"] = d.name
	delete(meta, "namespace")
	if d.namespace != "" {
		meta["namespace"] = d.namespace
	}
	given, _ := meta["labels"].(map[string]any)
	set := make(map[string]any, len(given)+8)
	maps.Copy(set, given)
	g.label(set)
	meta["labels"] = set
	d.object = object
}
