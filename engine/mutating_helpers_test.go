package engine

import (
	"encoding/json"
	"strconv"
	"testing"

	policiesv1beta1 "github.com/kyverno/api/api/policies.kyverno.io/v1beta1"
	"sigs.k8s.io/yaml"
)

// mutatingSource is a MutatingPolicy, or a NamespacedMutatingPolicy if there is a namespace, with a spec in YAML.
func mutatingSource(t testing.TB, namespace, name, spec string) policiesv1beta1.MutatingPolicyLike {
	t.Helper()
	document := map[string]any{"metadata": map[string]any{"name": name}, "spec": object(t, spec)}
	var src policiesv1beta1.MutatingPolicyLike = &policiesv1beta1.MutatingPolicy{}
	if namespace != "" {
		src = &policiesv1beta1.NamespacedMutatingPolicy{}
		document["metadata"].(map[string]any)["namespace"] = namespace
	}
	raw, err := yaml.Marshal(document)
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.UnmarshalStrict(raw, src); err != nil {
		t.Fatal(err)
	}
	return src
}

func tryMutating(t testing.TB, namespace, name, spec string) (*Policy, error) {
	t.Helper()
	cc, err := NewCompiler()
	if err != nil {
		t.Fatal(err)
	}
	return cc.CompileMutating(mutatingSource(t, namespace, name, spec))
}

// mutatingSnapshot is a snapshot of MutatingPolicies a, b, c and so on, with these specs.
func mutatingSnapshot(t testing.TB, namespace string, specs ...string) *Snapshot {
	t.Helper()
	var policies []*Policy
	for i, spec := range specs {
		p, err := tryMutating(t, namespace, string(rune('a'+i)), spec)
		if err != nil {
			t.Fatal(err)
		}
		policies = append(policies, p)
	}
	s, err := NewSnapshot(policies)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// onResources selects what is written of the named resources of a group's v1.
func onResources(group, resources string) string {
	return "matchConstraints: {resourceRules: [{apiGroups: ['" + group + "'], apiVersions: [v1], operations: ['*'], resources: [" + resources + "]}]}\n"
}

// applying is a list of mutations, each an ApplyConfiguration.
func applying(expressions ...string) string {
	out := "mutations:\n"
	for _, e := range expressions {
		out += "- {patchType: ApplyConfiguration, applyConfiguration: {expression: " + strconv.Quote(e) + "}}\n"
	}
	return out
}

// patching is a list of mutations, each a JSONPatch.
func patching(expressions ...string) string {
	out := "mutations:\n"
	for _, e := range expressions {
		out += "- {patchType: JSONPatch, jsonPatch: {expression: " + strconv.Quote(e) + "}}\n"
	}
	return out
}

// mutationText writes the decisions and the patch of a mutation.
func mutationText(t testing.TB, m Mutation) string {
	t.Helper()
	out := ""
	for i := range m.Decisions {
		d := &m.Decisions[i]
		out += d.Policy.Name + line(d) + "\n"
	}
	return out + patchText(t, m.Patch)
}

func jsonText(t testing.TB, v any) string {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}
