package policies_test

import (
	"strings"
	"testing"

	authenticationv1 "k8s.io/api/authentication/v1"

	"github.com/holdfast-io/holdfast/bundle/pack"
	"github.com/holdfast-io/holdfast/engine"
)

// world knows the labels of the namespaces that the cases use.
func world() *loaded {
	l := &loaded{}
	for name, labels := range map[string]map[string]string{
		"guarded": {"holdfast.dev/enforce": "true"}, "excepted": {"holdfast.dev/enforce": "false"}, "shop": {"team": "shop"}, "kube-system": {"holdfast.dev/enforce": "true"},
	} {
		l.Values.NamespaceSelector = append(l.Values.NamespaceSelector, struct {
			Name   string            `json:"name"`
			Labels map[string]string `json:"labels"`
		}{name, labels})
	}
	return l
}

func pod(namespace string, spec map[string]any) map[string]any {
	spec["containers"] = []any{map[string]any{"name": "app", "image": "registry.k8s.io/pause:3.10"}}
	return map[string]any{
		"apiVersion": "v1", "kind": "Pod", "metadata": map[string]any{"name": "p", "namespace": namespace}, "spec": spec,
	}
}

func TestWhereTheWholeBundleRefuses(t *testing.T) {
	compiler, err := engine.NewCompiler()
	if err != nil {
		t.Fatalf("making a compiler: %v", err)
	}
	var compiled []*engine.Policy
	for _, p := range everyPolicy(t) {
		c, err := compiler.Compile(&p.ClusterPolicy, nil)
		if err != nil {
			t.Fatalf("compiling %s: %v", p.folder, err)
		}
		compiled = append(compiled, c)
	}
	snapshot, err := engine.NewSnapshot(compiled)
	if err != nil {
		t.Fatalf("making a snapshot: %v", err)
	}
	hostNetwork := map[string]any{"hostNetwork": true}
	hostPath := map[string]any{"volumes": []any{map[string]any{"name": "etc", "hostPath": map[string]any{"path": "/etc"}}}}
	binding := map[string]any{
		"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": map[string]any{"name": "b"},
		"roleRef":  map[string]any{"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
		"subjects": []any{map[string]any{"kind": "Group", "name": "system:unauthenticated"}},
	}
	for name, c := range map[string]struct {
		object map[string]any
		want   string // the policy that refuses; empty: it is let in
	}{
		"an ordinary Pod is let in everywhere":                 {pod("guarded", map[string]any{}), ""},
		"the node's network is refused in default":             {pod("default", hostNetwork), "disallow-host-namespaces"},
		"the node's network is refused where labelled":         {pod("guarded", hostNetwork), "disallow-host-namespaces"},
		"the node's network is reported elsewhere":             {pod("shop", hostNetwork), ""},
		"the node's network is let in where the cluster lives": {pod("kube-system", hostNetwork), ""},
		"a directory of the node is reported in default":       {pod("default", hostPath), ""},
		"a directory of the node is refused where labelled":    {pod("guarded", hostPath), "disallow-host-paths"},
		"cluster-admin for strangers is refused":               {binding, "restrict-broad-role-bindings"},
	} {
		t.Run(name, func(t *testing.T) {
			req, in := world().request(c.object)
			req.User = &authenticationv1.UserInfo{Username: "ada"}
			got := ""
			for _, d := range snapshot.Validate(t.Context(), req, in) {
				if d.Denies() {
					got += d.Policy.Name
				}
				if d.Status == engine.Error {
					t.Errorf("%s: %s", d.Rule.Name, d.Message)
				}
			}
			if got != c.want {
				t.Errorf("refused by %q, want %q", got, c.want)
			}
		})
	}
}

func TestWherePacksRefuse(t *testing.T) {
	const binding = "restrict-broad-role-bindings/cluster-wide"
	everybody := map[string]any{
		"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": map[string]any{"name": "b"},
		"roleRef":  map[string]any{"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
		"subjects": []any{map[string]any{"kind": "Group", "name": "system:unauthenticated"}},
	}
	namespace := func(labels map[string]any) map[string]any {
		return map[string]any{"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": "n", "labels": labels}}
	}
	onNode := func(namespace string) map[string]any { return pod(namespace, map[string]any{"hostNetwork": true}) }
	for name, c := range map[string]struct {
		pack   string
		mode   pack.Mode
		object map[string]any
		want   string // the rule that refuses; empty: it is let in
	}{
		"enforced, everywhere":                        {"baseline", pack.Enforce, onNode("shop"), "disallow-host-namespaces/host-namespaces"},
		"enforced, but where a label says no":         {"baseline", pack.Enforce, onNode("excepted"), ""},
		"enforced, but where the cluster lives":       {"baseline", pack.Enforce, onNode("kube-system"), ""},
		"enforced, of what is in no namespace":        {"access", pack.Enforce, everybody, binding},
		"enforced, of namespaces":                     {"access", pack.Enforce, namespace(nil), "require-pod-security-label/pod-security-level"},
		"in audit nowhere":                            {"baseline", pack.Audit, onNode("default"), ""},
		"in audit where a label asks for it":          {"baseline", pack.Audit, onNode("guarded"), "disallow-host-namespaces/host-namespaces"},
		"in audit, of what is refused from the start": {"access", pack.Audit, everybody, ""},
		"off, where a label asks for it":              {"baseline", pack.Off, onNode("guarded"), ""},
	} {
		t.Run(name, func(t *testing.T) {
			modes := map[string]pack.Mode{}
			for _, p := range packs {
				modes[p] = pack.Off
			}
			modes[c.pack] = c.mode
			by := refusedBy(t, chosen(t, pack.Choice{Packs: modes}), c.object)
			if got := strings.Join(by, ", "); got != c.want {
				t.Errorf("refused by %q, want %q", got, c.want)
			}
		})
	}
}
