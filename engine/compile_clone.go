package engine

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	kyvernov1 "github.com/kyverno/kyverno/api/kyverno/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/holdfast-io/holdfast/engine/glob"
)

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
		return nil, errors.New("a selector of cloneList takes no wildcards")
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
