package scenarios

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// generating is a bundle of rules that want something of other objects than the one that they match.
const generating = `apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {name: for-teams}
spec:
  rules:
    - name: deny-all
      match: {any: [{resources: {kinds: [Namespace], names: ["team-*"]}}]}
      generate:
        synchronize: true
        apiVersion: networking.k8s.io/v1
        kind: NetworkPolicy
        name: deny-all
        namespace: "{{ request.object.metadata.name }}"
        data: {spec: {podSelector: {}, policyTypes: [Ingress, Egress]}}
    - name: settings
      match: {any: [{resources: {kinds: [Namespace], names: ["team-*"]}}]}
      generate:
        synchronize: true
        apiVersion: v1
        kind: ConfigMap
        name: settings
        namespace: "{{ request.object.metadata.name }}"
        clone: {namespace: default, name: settings}
    - name: starter
      match: {any: [{resources: {kinds: [Namespace], names: ["team-*"]}}]}
      generate:
        apiVersion: v1
        kind: ConfigMap
        name: starter
        namespace: "{{ request.object.metadata.name }}"
        data: {data: {hello: "{{ request.object.metadata.name }}"}}
---
apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {name: for-apps}
spec:
  rules:
    - name: twin
      match: {any: [{resources: {kinds: [ConfigMap], selector: {matchLabels: {app: web}}}}]}
      generate:
        synchronize: true
        apiVersion: v1
        kind: ConfigMap
        name: "{{ request.object.metadata.name }}-twin"
        namespace: "{{ request.object.metadata.namespace }}"
        data: {data: {of: "{{ request.object.metadata.name }}"}}
    - name: mark
      match: {any: [{resources: {kinds: [ConfigMap], selector: {matchLabels: {app: web}}}}]}
      mutate:
        targets: [{apiVersion: v1, kind: ConfigMap, namespace: default, name: "marked-*"}]
        patchStrategicMerge: {metadata: {labels: {web: "{{ request.object.metadata.name }}"}}}
---
apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {name: for-owners}
spec:
  background: false
  rules:
    - name: owner
      match: {any: [{resources: {kinds: [ConfigMap], names: ["asked-*"]}}]}
      generate:
        apiVersion: v1
        kind: ConfigMap
        name: "owner-of-{{ request.object.metadata.name }}"
        namespace: "{{ request.object.metadata.namespace }}"
        data: {data: {owner: "{{ request.userInfo.username }}"}}
`

func (c *cluster) configMap(namespace, name string, labels, data map[string]string) *corev1.ConfigMap {
	return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: labels}, Data: data}
}

// What rules generate is made, kept, and taken away again; what they do once is done once.
func TestServeKeepsWhatRulesGenerate(t *testing.T) {
	c := newCluster(t)
	ctx := t.Context()
	maps := c.kube.CoreV1().ConfigMaps
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	create := func(m *corev1.ConfigMap) {
		t.Helper()
		_, err := maps(m.Namespace).Create(ctx, m, metav1.CreateOptions{})
		must(err)
	}
	create(c.configMap("default", "settings", nil, map[string]string{"log": "info"}))
	create(c.configMap("default", "marked-a", nil, nil))
	create(c.configMap("default", "unmarked", nil, nil))
	options := c.options(t, "keeper", c.writeBundle(t, "bundle", generating))
	p := c.serve(t, options)

	_, err := c.kube.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "team-a"}}, metav1.CreateOptions{})
	must(err)
	written := time.Now()
	policies := c.kube.NetworkingV1().NetworkPolicies("team-a")
	denied := func(ctx context.Context) string {
		made, err := policies.Get(ctx, "deny-all", metav1.GetOptions{})
		if err != nil {
			return err.Error()
		}
		if len(made.Spec.PolicyTypes) != 2 || made.Labels["generate.kyverno.io/policy-name"] != "for-teams" {
			return fmt.Sprintf("it is %v, with labels %v", made.Spec, made.Labels)
		}
		return ""
	}
	holds := func(namespace, name, key, value string) func(context.Context) string {
		return func(ctx context.Context) string {
			m, err := maps(namespace).Get(ctx, name, metav1.GetOptions{})
			if err != nil {
				return err.Error()
			}
			if m.Data[key] != value {
				return fmt.Sprintf("%s of %s is %q", key, name, m.Data[key])
			}
			return ""
		}
	}
	eventually(t, "what is generated from data", denied)
	t.Logf("generated %s after the namespace was written", time.Since(written).Round(time.Millisecond))
	eventually(t, "the copy of what is in another namespace", holds("team-a", "settings", "log", "info"))
	eventually(t, "what is generated once", holds("team-a", "starter", "hello", "team-a"))

	// What a rule keeps comes back, and is put right.
	must(policies.Delete(ctx, "deny-all", metav1.DeleteOptions{}))
	deleted := time.Now()
	eventually(t, "what was deleted to come back", denied)
	t.Logf("back %s after it was deleted", time.Since(deleted).Round(time.Millisecond))
	_, err = policies.Patch(ctx, "deny-all", types.MergePatchType, []byte(`{"spec":{"policyTypes":["Ingress"]}}`), metav1.PatchOptions{})
	must(err)
	eventually(t, "what was changed to be put right", denied)
	_, err = maps("default").Patch(ctx, "settings", types.MergePatchType, []byte(`{"data":{"log":"debug"}}`), metav1.PatchOptions{})
	must(err)
	eventually(t, "the copy to follow its source", holds("team-a", "settings", "log", "debug"))

	// What a rule makes once stays away: the trigger has been judged again since, as what it keeps shows.
	must(maps("team-a").Delete(ctx, "starter", metav1.DeleteOptions{}))
	must(policies.Delete(ctx, "deny-all", metav1.DeleteOptions{}))
	eventually(t, "what is kept to come back", denied)
	if _, err := maps("team-a").Get(ctx, "starter", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("what is generated once was made again: %v", err)
	}

	// A trigger that goes takes what was generated for it with it; targets are changed when it comes.
	create(c.configMap("default", "shop", map[string]string{"app": "web"}, nil))
	eventually(t, "the twin", holds("default", "shop-twin", "of", "shop"))
	eventually(t, "the mark", func(ctx context.Context) string {
		m, err := maps("default").Get(ctx, "marked-a", metav1.GetOptions{})
		if err != nil {
			return err.Error()
		}
		if m.Labels["web"] != "shop" {
			return fmt.Sprintf("labels are %v", m.Labels)
		}
		return ""
	})
	other, err := maps("default").Get(ctx, "unmarked", metav1.GetOptions{})
	must(err)
	if len(other.Labels) > 0 {
		t.Errorf("what is no target has labels %v", other.Labels)
	}
	must(maps("default").Delete(ctx, "shop", metav1.DeleteOptions{}))
	eventually(t, "the twin to go", func(ctx context.Context) string {
		if _, err := maps("default").Get(ctx, "shop-twin", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
			return fmt.Sprintf("%v", err)
		}
		return ""
	})
	// What only a request can tell follows from the request, and not from a dry run.
	if _, err := maps("default").Create(ctx, c.configMap("default", "asked-dry", nil, nil), metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}}); err != nil {
		t.Fatal(err)
	}
	create(c.configMap("default", "asked-a", nil, nil))
	eventually(t, "what says who asked", holds("default", "owner-of-asked-a", "owner", "admin"))
	if _, err := maps("default").Get(ctx, "owner-of-asked-dry", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("a dry run had a consequence: %v", err)
	}
	// What is held is left as it is, and everything while the kill switch is thrown.
	annotate := func(patch string) {
		t.Helper()
		_, err := policies.Patch(ctx, "deny-all", types.MergePatchType, []byte(patch), metav1.PatchOptions{})
		must(err)
	}
	kept := func(what string, others func(context.Context) string) {
		t.Helper()
		eventually(t, "what comes after it", others) // it was looked at meanwhile
		if now := denied(ctx); !strings.Contains(now, "Ingress") || strings.Contains(now, "Egress") {
			t.Errorf("%s: %s", what, now)
		}
	}
	annotate(`{"metadata":{"annotations":{"holdfast.dev/hold":"always testing"}},"spec":{"policyTypes":["Ingress"]}}`)
	must(maps("team-a").Delete(ctx, "settings", metav1.DeleteOptions{}))
	kept("it is held", holds("team-a", "settings", "log", "debug"))
	halt := c.configMap("holdfast", "holdfast-stop", nil, map[string]string{"reason": "testing"})
	create(halt)
	eventually(t, "the kill switch to be told", func(ctx context.Context) string {
		status, err := c.statusText(ctx, options.MetricsPort)
		if err != nil || !strings.Contains(status, "testing") {
			return fmt.Sprintf("%s, %v", status, err)
		}
		return ""
	})
	must(maps("team-a").Delete(ctx, "settings", metav1.DeleteOptions{}))
	annotate(`{"metadata":{"annotations":{"holdfast.dev/hold":null}}}`)
	eventually(t, "what is to be done to wait", func(ctx context.Context) string {
		n, err := metric(ctx, &options, "holdfast_reconcile_waiting")
		if err != nil || n == 0 {
			return fmt.Sprintf("%v wait, %v", n, err)
		}
		return ""
	})
	if _, err := maps("team-a").Get(ctx, "settings", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("it is made while everything is stopped: %v", err)
	}
	must(maps("holdfast").Delete(ctx, halt.Name, metav1.DeleteOptions{}))
	eventually(t, "what was deleted while everything was stopped", holds("team-a", "settings", "log", "debug"))
	eventually(t, "what is held no more", denied)
	stop(t, p)
	eventually(t, "what was generated to stay when nobody keeps it", denied)
}
