package engine

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"maps"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Scoper is what Lookups know beside where they know the scopes of kinds. An ErrNoLookup means that they do not know it of
// this one.
type Scoper interface {
	// Namespaced reports whether objects of the kind are in namespaces.
	Namespaced(ctx context.Context, kind schema.GroupVersionKind) (bool, error)
}

// generatorWorld takes up what expressions generate. What an object rests on beside the trigger, such as the time, is noted.
type generatorWorld struct {
	*celWorld
	g *generator
}

// Now is the time of the evaluation.
func (w *generatorWorld) Now() time.Time {
	*w.g.chance = true
	return w.celWorld.Now()
}

// Random reads random bytes.
func (w *generatorWorld) Random(p []byte) (int, error) {
	*w.g.chance = true
	return w.celWorld.Random(p)
}

// Generate takes up objects, and lists of objects. What is wrong with one does not keep the others from being made.
func (w *generatorWorld) Generate(namespace string, objects []map[string]any) error {
	for _, object := range objects {
		items, err := itemsOf(object)
		w.g.try(err)
		for _, item := range items {
			err := w.g.want(namespace, item)
			if errors.Is(err, errTooMany) {
				return err
			}
			w.g.try(err)
		}
	}
	return nil
}

// itemsOf gives the items of a list of an API server, and any other object itself.
func itemsOf(object map[string]any) ([]map[string]any, error) {
	list, ok := object["items"].([]any)
	if !ok {
		return []map[string]any{object}, nil
	}
	kind, _ := object["kind"].(string)
	kind, isList := strings.CutSuffix(kind, "List")
	out := make([]map[string]any, len(list))
	for i, item := range list {
		m, ok := item.(map[string]any)
		if !ok {
			return nil, fmt.Errorf("generating: item %d of the list is %s: expected an object", i, describe(item))
		}
		if m["kind"] == nil && isList { // an API server leaves both out of lists
			m["kind"] = kind
			if m["apiVersion"] == nil {
				m["apiVersion"] = object["apiVersion"]
			}
		}
		out[i] = m
	}
	return out, nil
}

// produce evaluates the generations for the trigger in hand.
func (c *celGeneration) produce(g *generator, x *scope) {
	in := g.e.celInput(x.object, c.reads)
	in.World = &generatorWorld{g.e.world(g.rule.Policy), g}
	g.errs = append(g.errs, c.rule.Generate(g.e.ctx, in)...)
}

// keeps stands for the names of all that is wanted, and for errors, as what stood in the way is not among them.
func (g *generator) keeps() string {
	if !g.rule.generate.synchronize {
		return ""
	}
	sum := fnv.New64a()
	for _, d := range g.wanted {
		name := d.name
		if d.chance { // it may be another each time
			name = ""
		}
		_, _ = io.WriteString(sum, d.kind.String()+"\x00"+d.namespace+"\x00"+name+"\x00") // a hash does not fail
	}
	return fmt.Sprintf("%x with %d errors", sum.Sum64(), len(g.errs))
}

// annotate adds the policy's annotations to the result, as its properties.
func (c *celGeneration) annotate(g *generator, x *scope, d *Decision) *Decision {
	if !c.annotates || d.Status == Error || d.Status == Skip {
		return d
	}
	in := g.e.celInput(x.object, c.reads)
	notes, err := c.rule.Annotate(g.e.ctx, in)
	if err != nil {
		return g.rule.failed(err)
	}
	if len(notes) > 0 {
		d.Properties = notes
	}
	return d
}

// want takes up one object that is to exist in the namespace. What comes from a cluster is a copy: it is to be as its
// source in every field.
func (g *generator) want(namespace string, object map[string]any) error {
	d, err := g.identify(object)
	if err != nil {
		return err
	}
	if d.namespace, err = g.place(d.kind, namespace); err != nil {
		return fmt.Errorf("generating %s: %w", objectText(d.kind, namespace, d.name), err)
	}
	from, _ := metadata(object)["namespace"].(string)
	if from != "" {
		if err := g.rule.Policy.reaches(from); err != nil { // a tenant's policy that names another namespace is not moved into its own
			return fmt.Errorf("generating %s: metadata.namespace: %w", d, err)
		}
	}
	if version, _ := metadata(object)["resourceVersion"].(string); version != "" {
		if g.isSource(d, from, object) {
			g.notes = append(g.notes, fmt.Sprintf("%s is its own source", d))
			return nil
		}
		return g.copy(d, object, from)
	}
	if from != "" && from != d.namespace {
		delete(metadata(object), "ownerReferences") // an owner is in the namespace of what it owns
	}
	return g.spell(d, object, "")
}

// isSource reports whether the object is the very one that it would be a copy of.
func (g *generator) isSource(d *downstream, from string, object map[string]any) bool {
	if from != d.namespace || uid(object) == "" {
		return false
	}
	current, err := g.e.get(g.rule.Policy, d.kind, d.namespace, d.name)
	return err == nil && uid(current) == uid(object)
}

// identify reads what the object is.
func (g *generator) identify(object map[string]any) (*downstream, error) {
	version, _ := object["apiVersion"].(string)
	kind, _ := object["kind"].(string)
	name, _ := metadata(object)["name"].(string)
	for _, field := range []struct{ name, text string }{{"apiVersion", version}, {"kind", kind}, {"metadata.name", name}} {
		if field.text == "" {
			return nil, fmt.Errorf("generating %s: %s is missing", strings.TrimSpace(kind+" "+name), field.name)
		}
	}
	gv, err := schema.ParseGroupVersion(version)
	if err != nil {
		return nil, fmt.Errorf("generating %s %s: apiVersion: %w", kind, name, err)
	}
	return &downstream{kind: gv.WithKind(kind), name: name}, nil
}

// place gives the namespace of an object of the kind: the one that is asked for, or none if the kind lives in none.
func (g *generator) place(kind schema.GroupVersionKind, namespace string) (string, error) {
	p := g.rule.Policy
	if err := p.reaches(namespace); err != nil {
		return "", err
	}
	scoper, ok := g.e.in.Lookups.(Scoper)
	if !ok {
		return namespace, nil
	}
	namespaced, err := scoper.Namespaced(g.e.ctx, kind)
	switch {
	case errors.Is(err, ErrNoLookup):
		return namespace, nil
	case err != nil:
		return "", err
	case !namespaced:
		return "", p.reaches("")
	case namespace == "":
		return "", errors.New("the namespace is empty: objects of this kind are in one")
	}
	return namespace, nil
}

// mayMake reports whether the generations can have made the object, as far as their text tells.
func (c *celGeneration) mayMake(o *Change) bool {
	fits := func(want, is string) bool { return want == "" || want == is }
	for _, m := range c.makes {
		gv, err := schema.ParseGroupVersion(m.APIVersion)
		if err != nil || gv.Group != o.Kind.Group {
			continue
		}
		if m.Kind == "" {
			plural, _ := meta.UnsafeGuessKindToResource(o.Kind)
			if plural.Resource == m.Plural {
				return true
			}
		} else if m.Kind == o.Kind.Kind && fits(m.Namespace, o.Namespace) && fits(m.Name, o.Name) {
			return true
		}
	}
	return len(c.makes) == 0 // then only values tell
}

// ownMetadata gives the metadata of what a rule spells out, without what belongs to the server.
func ownMetadata(given map[string]any) map[string]any {
	out := maps.Clone(given)
	if out == nil {
		out = map[string]any{}
	}
	for _, field := range serverFields {
		delete(out, field)
	}
	return out
}
