package clitest

import (
	"context"
	"fmt"
	"reflect"
	"strings"

	"github.com/holdfast-io/holdfast/bundle/manifest"
	"github.com/holdfast-io/holdfast/engine/mutate"
)

// expected are the objects of a patchedResources or generatedResource file.
type expected struct {
	file    string
	objects []*object
}

func (f *folder) expected(ctx context.Context, name string, scopes manifest.Scopes) (*expected, error) {
	objects, err := f.objects(ctx, []string{name}, scopes)
	if err != nil {
		return nil, err
	}
	return &expected{name, objects}, nil
}

// find gives the expected form of an object, or nil.
func (x *expected) find(o *object) *object {
	for _, want := range x.objects {
		if want.kind == o.kind && want.namespace == o.namespace && want.name == o.name {
			return want
		}
	}
	return nil
}

// patched is the file of what a mutation must lead to.
func (r *result) patched() string {
	if r.PatchedResources != "" {
		return r.PatchedResources
	}
	return r.PatchedResource
}

// generated are the files of what a rule must generate.
func (r *result) generated() []string {
	if len(r.GeneratedResources) == 0 && r.GeneratedResource != "" {
		return []string{r.GeneratedResource}
	}
	return r.GeneratedResources
}

// comparePatched holds what the policy made of the object against the file.
func (t *test) comparePatched(ctx context.Context, c *Case, r *result, v *verdict, file string) bool {
	want, err := t.folder.expected(ctx, file, t.scopes)
	if err != nil {
		c.Status, c.Reason = Error, err.Error()
		return false
	}
	expected := want.find(v.object)
	if expected == nil {
		c.Status, c.Reason = Skip, fmt.Sprintf("%s holds no %s %s to compare with", file, v.object.kind.Kind, v.object)
		if r.FailOnMissingResources {
			c.Status = Fail
		}
		return false
	}
	if diff := difference(expected.value, v.object.value); diff != "" {
		c.Status, c.Reason = Fail, fmt.Sprintf("the patched %s %s %s", v.object.kind.Kind, v.object, diff)
		return false
	}
	return true
}

// compareGenerated holds all that a rule makes against the files: each object has to be as one of them has it.
func (t *test) compareGenerated(ctx context.Context, c *Case, r *result, v *verdict) bool {
	files := r.generated()
	if len(files) == 0 {
		return true
	}
	for _, made := range v.generated {
		diff := fmt.Sprintf("is in none of %s", strings.Join(files, ", "))
		for _, file := range files {
			want, err := t.folder.expected(ctx, file, t.scopes)
			if err != nil {
				c.Status, c.Reason = Error, err.Error()
				return false
			}
			if expected := want.find(made); expected != nil {
				if diff = difference(expected.value, v.shown(made.value, expected.value)); diff == "" {
					break
				}
			}
		}
		if diff != "" {
			c.Status, c.Reason = Fail, fmt.Sprintf("the generated %s %s %s", made.kind.Kind, made, diff)
			return false
		}
	}
	return true
}

// shown is what is compared of an object that a policy makes. Kyverno's CLI leaves the annotations out of what a
// GeneratingPolicy makes: a test that names none says nothing about them.
func (v *verdict) shown(made, expected map[string]any) map[string]any {
	wanted, _ := expected["metadata"].(map[string]any)
	if v.rule != "" || wanted["annotations"] != nil {
		return made
	}
	meta, _ := made["metadata"].(map[string]any)
	return with(made, "metadata", with(meta, "annotations", nil))
}

// difference says where got is not as it is wanted, or is empty. Empty values count as missing ones, and the
// labels by which generated objects are known count for nothing.
func difference(want, got map[string]any) string {
	wanted, _ := tidy(compared(want)).(map[string]any)
	is, _ := tidy(compared(got)).(map[string]any)
	if reflect.DeepEqual(wanted, is) {
		return ""
	}
	ops, err := mutate.Diff(is, wanted)
	if err != nil || len(ops) == 0 {
		return "differs"
	}
	const most = 3
	var parts []string
	for i, op := range ops {
		if i == most {
			parts = append(parts, fmt.Sprintf("and %d more", len(ops)-most))
			break
		}
		parts = append(parts, fmt.Sprintf("%s %s", op.Op, op.Path))
	}
	return "differs; to be as expected it would need " + strings.Join(parts, ", ")
}

// managedBy is the label that Kyverno puts on what it generates.
const managedBy = "app.kubernetes.io/managed-by"

// compared is the object with its labels as they are compared.
func compared(value map[string]any) map[string]any {
	labels := map[string]any{managedBy: "kyverno"}
	meta, _ := value["metadata"].(map[string]any)
	own, _ := meta["labels"].(map[string]any)
	for k, v := range own {
		if !strings.HasPrefix(k, "generate.kyverno.io/") {
			labels[k] = v
		}
	}
	return with(value, "metadata", with(meta, "labels", labels))
}

// with is a shallow copy of the map with one entry set.
func with(m map[string]any, key string, value any) map[string]any {
	out := make(map[string]any, len(m)+1)
	for k, v := range m {
		out[k] = v
	}
	out[key] = value
	return out
}

// tidy is the value without nulls, empty maps and empty lists; nil if nothing is left.
func tidy(value any) any {
	switch value := value.(type) {
	case map[string]any:
		out := map[string]any{}
		for k, v := range value {
			if v = tidy(v); v != nil {
				out[k] = v
			}
		}
		if len(out) > 0 {
			return out
		}
		return nil
	case []any:
		var out []any
		for _, v := range value {
			if v = tidy(v); v != nil {
				out = append(out, v)
			}
		}
		if len(out) > 0 {
			return out
		}
		return nil
	default:
		return value
	}
}
