package plan

import (
	"encoding/json"
	"fmt"

	"github.com/holdfast-io/holdfast/api/v1alpha1"
	"github.com/holdfast-io/holdfast/engine/mutate"
)

// item makes of a finding what is proposed.
func (f *finding) item(o *planning) (Item, error) {
	r := f.decision.Rule
	c := f.change(o)
	before := o.subject.Object
	if f.other != nil {
		before = f.other.Current
	}
	apiVersion, kind := c.Kind.ToAPIVersionAndKind()
	meta := metadata(before)
	t := v1alpha1.Target{
		APIVersion: cut(apiVersion, 253), Kind: cut(kind, 64), Namespace: c.Namespace, Name: c.Name,
		UID: text(meta, "uid"), ResourceVersion: text(meta, "resourceVersion"),
		Rule: cut(r.Name, 253), Repairs: limited(f.repairs, 16, 512), Action: c.Action, Source: f.source,
		ManagedBy: f.managed(before), Proof: f.proof, Obstacle: f.obstacle,
	}
	if g, ok := meta["generation"].(float64); ok {
		t.Generation = int64(g)
	}
	if origin, ok := o.subject.Origins[RuleKey(r)]; ok {
		t.DriftedBy = &origin
	}
	if f.after != nil || c.Action == v1alpha1.ActionDelete {
		if err := describe(&t, c, before); err != nil {
			return Item{}, fmt.Errorf("the patch of %s: %w", name(r), err)
		}
	}
	return Item{Policy: r.Policy, Rule: AuthorsRule(r), Mode: f.mode, Target: t, Planned: f.after}, nil
}

// describe writes what is done with a target: the patch and its inverse, unless they are withheld, and what people read.
func describe(t *v1alpha1.Target, c *Change, before map[string]any) error {
	ops, inverse, err := operations(c, before)
	if err != nil {
		return err
	}
	secret := t.APIVersion == "v1" && t.Kind == "Secret"
	t.Diff = diff(ops, before, secret)
	if secret && (tellsSecret(ops) || tellsSecret(inverse)) {
		t.Withheld = v1alpha1.WithheldSecret
		return nil
	}
	there, err := json.Marshal(ops)
	if err != nil {
		return fmt.Errorf("writing it: %w", err)
	}
	back, err := json.Marshal(inverse)
	if err != nil {
		return fmt.Errorf("writing its inverse: %w", err)
	}
	if len(there) > v1alpha1.MaxPatchBytes || len(back) > v1alpha1.MaxPatchBytes {
		t.Withheld = v1alpha1.WithheldTooLong
		return nil
	}
	t.Patch, t.Inverse = string(there), string(back)
	return nil
}

// operations are those of a change, and those that lead back. To create an object is to put it where nothing is, and to
// delete it is to leave nothing there.
func operations(c *Change, before map[string]any) (ops, inverse []mutate.Operation, err error) {
	switch c.Action {
	case v1alpha1.ActionCreate:
		return []mutate.Operation{{Op: "add", Path: "", Value: c.Object}}, []mutate.Operation{{Op: "remove", Path: ""}}, nil
	case v1alpha1.ActionDelete:
		return []mutate.Operation{{Op: "remove", Path: ""}}, []mutate.Operation{{Op: "add", Path: "", Value: before}}, nil
	}
	inverse, err = mutate.Diff(c.Object, before)
	if err != nil {
		return nil, nil, fmt.Errorf("computing the way back: %w", err)
	}
	return c.Patch, inverse, nil
}
