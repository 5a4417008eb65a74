package scenarios

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

// judgesConfigMaps are policies whose findings come about in as many ways.
const judgesConfigMaps = `
apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {name: needs-team}
spec:
  rules:
  - name: team
    match: {any: [{resources: {kinds: [ConfigMap], names: ["f-*"]}}]}
    validate:
      failureAction: Enforce
      message: who is called at night?
      pattern: {metadata: {labels: {team: "?*"}}}
---
apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {name: wants-colour}
spec:
  rules:
  - name: colour
    match: {any: [{resources: {kinds: [ConfigMap], names: ["f-*"]}}]}
    validate:
      failureAction: Audit
      message: anything but grey
      pattern: {data: {colour: "!grey"}}
---
apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {name: wants-shape}
spec:
  rules:
  - name: shape
    match: {any: [{resources: {kinds: [ConfigMap], names: ["f-*"]}}]}
    validate:
      failureAction: Audit
      message: something of any shape
      pattern: {data: {shape: "?*"}}
---
apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {name: no-evictions, annotations: {pod-policies.kyverno.io/autogen-controllers: none}}
spec:
  rules:
  - name: evicted
    match: {any: [{resources: {kinds: [Pod]}}]}
    validate:
      failureAction: Enforce
      message: it was evicted
      pattern: {=(status): {=(reason): "!Evicted"}}
`

// as is a client of another user.
func (c *cluster) as(t *testing.T, user string) kubernetes.Interface {
	t.Helper()
	config := c.RESTConfig()
	config.WarningHandler = rest.NoWarnings{}
	config.Impersonate = rest.ImpersonationConfig{UserName: user, Groups: []string{"system:masters"}}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// told is what reports say of the object and the policy, as the properties of the result; nil for no failure.
func (c *cluster) told(ctx context.Context, kind, name, policy string) (map[string]string, error) {
	list, err := c.dynamic.Resource(schema.GroupVersionResource{Group: "wgpolicyk8s.io", Version: "v1alpha2", Resource: "policyreports"}).
		List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	for i := range list.Items {
		var report struct {
			Results []struct {
				result
				Properties map[string]string
			}
		}
		raw, err := list.Items[i].MarshalJSON()
		if err == nil {
			err = json.Unmarshal(raw, &report)
		}
		if err != nil {
			return nil, err
		}
		for _, r := range report.Results {
			if len(r.Resources) == 1 && r.Resources[0].Kind == kind && r.Resources[0].Name == name && r.Policy == policy && r.Result == "fail" {
				return r.Properties, nil
			}
		}
	}
	return nil, nil
}

// tells waits until a finding has these properties, and gives all of them.
func (c *cluster) tells(t *testing.T, kind, name, policy string, want map[string]string) map[string]string {
	t.Helper()
	var got map[string]string
	eventually(t, fmt.Sprintf("the finding of %s on %s %s", policy, kind, name), func(ctx context.Context) string {
		var err error
		if got, err = c.told(ctx, kind, name, policy); err != nil {
			return err.Error()
		}
		for key, value := range want {
			if got[key] != value {
				return fmt.Sprintf("%s is %q, want %q, of %v", key, got[key], value, got)
			}
		}
		return ""
	})
	return got
}

// configMap is one of the namespace, with a label team unless that is empty.
func configMap(namespace, name, team string, data map[string]string) *corev1.ConfigMap {
	m := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}, Data: data}
	if team != "" {
		m.Labels = map[string]string{"team": team}
	}
	return m
}

// events lists what Events say, as REASON KIND/NAME: MESSAGE.
func (c *cluster) events(ctx context.Context) ([]string, error) {
	list, err := c.kube.CoreV1().Events("").List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	var out []string
	for _, e := range list.Items {
		out = append(out, fmt.Sprintf("%s %s %s/%s: %s", e.Namespace, e.Reason, e.InvolvedObject.Kind, e.InvolvedObject.Name, e.Message))
	}
	slices.Sort(out)
	return out, nil
}

func (c *cluster) tellsEvent(t *testing.T, want string) {
	t.Helper()
	eventually(t, "the Event "+want, func(ctx context.Context) string {
		all, err := c.events(ctx)
		if err != nil {
			return err.Error()
		}
		if !slices.ContainsFunc(all, func(e string) bool { return strings.HasPrefix(e, want) }) {
			return strings.Join(all, "\n")
		}
		return ""
	})
}

// Findings say who, when and how, on a real API server: what it tells admission of a write, and what of it stays in the
// object, is what they rest on.
func TestFindingsSayWhoWhenAndHow(t *testing.T) {
	c := newCluster(t)
	const ns = metav1.NamespaceDefault
	bundle := c.writeBundle(t, "findings", judgesConfigMaps)
	as := func(manager string) metav1.CreateOptions { return metav1.CreateOptions{FieldManager: manager} }
	green := map[string]string{"colour": "green", "shape": "round"}
	grey := map[string]string{"colour": "grey", "shape": "round"}
	ana, bob := c.as(t, "ana").CoreV1(), c.as(t, "bob").CoreV1()

	older, err := ana.ConfigMaps(ns).Create(t.Context(), configMap(ns, "f-older", "", green), as("editor"))
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the next second, in which managedFields count", func(context.Context) string {
		if time.Since(older.CreationTimestamp.Time) < 2*time.Second {
			return "not yet"
		}
		return ""
	})
	options := c.options(t, "holdfast", bundle)
	options.Args = append(options.Args, "--settle", "2s")
	first := c.serve(t, options)

	c.tells(t, "ConfigMap", "f-older", "needs-team", map[string]string{
		"state": "settled", "field-manager": "editor", "slipped-past": "before-webhook", "written-by": "", "detected-after": "",
	})

	// What passed with a warning.
	if _, err := ana.ConfigMaps(ns).Create(t.Context(), configMap(ns, "f-grey", "a", grey), as("editor")); err != nil {
		t.Fatal(err)
	}
	told := c.tells(t, "ConfigMap", "f-grey", "wants-colour", map[string]string{
		"written-by": "ana", "field-manager": "editor", "slipped-past": "not-enforced", "state": "settled",
	})
	if d, err := time.ParseDuration(told["detected-after"]); err != nil || d > 30*time.Second {
		t.Errorf("it was detected after %q", told["detected-after"])
	}
	c.tellsEvent(t, "default PolicyViolation ConfigMap/f-grey: policy wants-colour, rule colour: ")

	// A write without a change of the generation, which takes something away, so that no field tells of it.
	if _, err := ana.ConfigMaps(ns).Create(t.Context(), configMap(ns, "f-round", "a", green), as("editor")); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the report on f-round", func(ctx context.Context) string {
		have, err := c.reported(ctx)
		if err != nil || have[verdictKey("ConfigMap", ns, "f-round", "wants-shape", "shape")] != "pass" {
			return fmt.Sprint(have, err)
		}
		return ""
	})
	flat := configMap(ns, "f-round", "a", map[string]string{"colour": "green"})
	if _, err := bob.ConfigMaps(ns).Update(t.Context(), flat, metav1.UpdateOptions{FieldManager: "remover"}); err != nil {
		t.Fatal(err)
	}
	c.tells(t, "ConfigMap", "f-round", "wants-shape", map[string]string{"written-by": "bob", "field-manager": "remover", "slipped-past": "not-enforced"})

	// Somebody else writes something else: ana's failure stays hers.
	other := configMap(ns, "f-grey", "a", map[string]string{"colour": "grey", "shape": "square", "more": "x"})
	if _, err := bob.ConfigMaps(ns).Update(t.Context(), other, metav1.UpdateOptions{FieldManager: "remover"}); err != nil {
		t.Fatal(err)
	}

	// What admission is never asked about.
	if _, err := bob.ConfigMaps("holdfast").Create(t.Context(), configMap("holdfast", "f-own", "", green), as("editor")); err != nil {
		t.Fatal(err)
	}
	c.tells(t, "ConfigMap", "f-own", "needs-team", map[string]string{"written-by": "", "field-manager": "editor", "slipped-past": "not-asked"})

	// The status.
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "default", Namespace: ns}}
	if _, err := c.kube.CoreV1().ServiceAccounts(ns).Create(t.Context(), account, metav1.CreateOptions{}); err != nil && !apierrors.IsAlreadyExists(err) {
		t.Fatal(err)
	}
	p, err := c.kube.CoreV1().Pods(ns).Create(t.Context(), &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "evicted", Namespace: ns}, Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Image: "app:v1"}}},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	p.Status.Phase, p.Status.Reason = corev1.PodFailed, "Evicted"
	if _, err := c.kube.CoreV1().Pods(ns).UpdateStatus(t.Context(), p, metav1.UpdateOptions{FieldManager: "kubelet"}); err != nil {
		t.Fatal(err)
	}
	c.tells(t, "Pod", "evicted", "no-evictions", map[string]string{"field-manager": "kubelet", "slipped-past": "status-writer"})

	// What is refused is told; what is tried is not.
	for name, dryRun := range map[string][]string{"f-tried": {metav1.DryRunAll}, "f-refused": nil} {
		_, err := ana.ConfigMaps(ns).Create(t.Context(), configMap(ns, name, "", green), metav1.CreateOptions{DryRun: dryRun})
		if !apierrors.IsForbidden(err) {
			t.Fatalf("%s: %v", name, err)
		}
	}
	c.tellsEvent(t, "default PolicyDenied ConfigMap/f-refused: create refused: policy needs-team, rule team: ")
	all, err := c.events(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range all {
		if strings.Contains(e, "f-tried") {
			t.Errorf("a dry run has left the Event %s", e)
		}
	}

	// A restart forgets who wrote, and keeps what the reports say.
	before := c.tells(t, "ConfigMap", "f-grey", "wants-colour", map[string]string{"written-by": "ana"})
	stop(t, first)
	c.serve(t, options)
	last := configMap(ns, "f-grey", "a", map[string]string{"colour": "grey"})
	if _, err := bob.ConfigMaps(ns).Update(t.Context(), last, metav1.UpdateOptions{FieldManager: "remover"}); err != nil {
		t.Fatal(err)
	}
	c.tells(t, "ConfigMap", "f-grey", "wants-shape", map[string]string{"written-by": "bob"})
	after, err := c.told(t.Context(), "ConfigMap", "f-grey", "wants-colour")
	if err != nil || !maps.Equal(after, before) {
		t.Errorf("after a restart the finding has %v (error: %v), want %v", after, err, before)
	}
}
