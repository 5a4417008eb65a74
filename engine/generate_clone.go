package engine

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/labels"
)

// lastApplied is what kubectl applied to the source, and says nothing of the copy.
const lastApplied = "kubectl.kubernetes.io/last-applied-configuration"

// copy makes a copy of the source: all of it but its status, what belongs to the one object alone, and the
// labels that say how the source itself was generated.
func (g *generator) copy(d *downstream, source map[string]any, from string) error {
	object := maps.Clone(source)
	delete(object, "status")
	given := metadata(source)
	meta := map[string]any{}
	for _, field := range []string{"labels", "annotations"} {
		m, _ := given[field].(map[string]any)
		kept := maps.Clone(m)
		maps.DeleteFunc(kept, func(k string, _ any) bool { return k == lastApplied || strings.HasPrefix(k, labelPrefix) })
		if len(kept) > 0 {
			meta[field] = kept
		}
	}
	if owners := given["ownerReferences"]; owners != nil && from == d.namespace {
		meta["ownerReferences"] = owners // an owner is in the namespace of what it owns
	}
	object["metadata"] = meta
	g.finish(d, object)
	set := meta["labels"].(map[string]any)
	labelSource(set, d.kind, from, source)
	d.copied = true
	return g.add(d)
}

// produce copies the objects of the list. Their order is that of kinds, then of names.
func (l *cloneList) produce(g *generator, x *scope, namespace string) error {
	from, err := fieldText(l.namespace, x.env, "cloneList.namespace")
	if err != nil {
		return err
	}
	var selector labels.Selector
	if l.selector != nil {
		doc, err := l.selector.Render(x.env)
		if err == nil {
			selector, err = labelSelector(doc)
		}
		if err != nil {
			return fmt.Errorf("generating: cloneList.selector: %w", err)
		}
	}
	for i, kind := range l.kinds {
		text, err := fieldText(kind, x.env, fmt.Sprintf("cloneList.kinds[%d]", i))
		if err != nil {
			return err
		}
		gvk, err := parseGVK(text)
		if err != nil {
			return fmt.Errorf("generating: cloneList.kinds[%d]: %w", i, err)
		}
		if from == namespace {
			g.notes = append(g.notes, fmt.Sprintf("each %s of %s is its own source", gvk.Kind, cmp.Or(namespace, "the cluster")))
			continue
		}
		sources, err := g.e.list(g.rule.Policy, gvk, from, selector)
		if err != nil {
			return fmt.Errorf("listing the sources of kind %s: %w", gvk.Kind, err)
		}
		sources = slices.Clone(sources)
		slices.SortStableFunc(sources, func(a, b map[string]any) int { return strings.Compare(objectName(a), objectName(b)) })
		for _, source := range sources {
			d := &downstream{kind: gvk, namespace: namespace, name: objectName(source)}
			if err := g.copy(d, source, from); err != nil {
				return err
			}
		}
	}
	return nil
}

func objectName(object map[string]any) string {
	name, _ := metadata(object)["name"].(string)
	return name
}
