package scenarios

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/holdfast-io/holdfast/e2e/serving"
)

// reportObject is what tests read of a report of either API.
type reportObject struct {
	Metadata struct{ Namespace, Name, ResourceVersion string }
	Source   string
	Summary  struct{ Pass, Fail int }
	Results  []result
}

// reportObjects reads the reports of a resource, of whichever API it is.
func (c *cluster) reportObjects(ctx context.Context, resource string) ([]reportObject, error) {
	of := schema.GroupVersionResource{Group: "wgpolicyk8s.io", Version: "v1alpha2", Resource: resource}
	if !strings.Contains(resource, "policy") {
		of.Group, of.Version = "openreports.io", "v1alpha1"
	}
	list, err := c.dynamic.Resource(of).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", resource, err)
	}
	out := make([]reportObject, len(list.Items))
	for i := range list.Items {
		raw, err := list.Items[i].MarshalJSON()
		if err == nil {
			err = json.Unmarshal(raw, &out[i])
		}
		if err != nil {
			return nil, fmt.Errorf("read the report %s: %w", list.Items[i].GetName(), err)
		}
	}
	return out, nil
}

// replicaStatus is what tests read of /status.
type replicaStatus struct {
	Leader   bool
	Shard    struct{ Ordinal, Of int }
	Coverage []struct {
		Kind, Listed, Error string
		Objects             int
		Watching, Stale     bool
	}
}

// status asks a replica how it is.
func (c *cluster) status(ctx context.Context, port int) (*replicaStatus, error) {
	raw, _, err := fetch(ctx, fmt.Sprintf("http://127.0.0.1:%d/status", port))
	if err != nil {
		return nil, err
	}
	s := &replicaStatus{}
	return s, json.Unmarshal(raw, s)
}

// Another API, layout and choice of results take the place of those before, and what passes is counted.
func TestReportsTakeAnotherForm(t *testing.T) {
	c := newCluster(t)
	c.addDrift(t)
	if _, err := c.create(t.Context(), pod("fine", false)); err != nil {
		t.Fatal(err)
	}
	o := c.options(t, "holdfast", c.writeBundle(t, "bundle", noPrivileged))
	o.Args = nil // the defaults
	p := c.serve(t, o)
	eventually(t, "a report on each of two Pods", func(ctx context.Context) string {
		reports, err := c.reportObjects(ctx, "policyreports")
		if err != nil {
			return err.Error()
		}
		passed, failed, spelled := 0, 0, 0
		for i := range reports {
			passed, failed, spelled = passed+reports[i].Summary.Pass, failed+reports[i].Summary.Fail, spelled+len(reports[i].Results)
		}
		if len(reports) != 2 || passed != 1 || failed != 1 || spelled != 1 {
			return fmt.Sprintf("%d reports with %d passes and %d fails, %d results spelled out", len(reports), passed, failed, spelled)
		}
		return ""
	})
	stop(t, p)

	o.Args = []string{"--report-api", "openreports.io", "--report-layout", "namespace", "--report-results", "all", "--settle", "0s"} // what settles is written again
	p = c.serve(t, o)
	together := func(ctx context.Context) string {
		reports, err := c.reportObjects(ctx, "reports")
		if err != nil {
			return err.Error()
		}
		if len(reports) != 1 || reports[0].Metadata.Name != "holdfast-part-1" || reports[0].Summary.Pass != 1 || reports[0].Summary.Fail != 1 || len(reports[0].Results) != 2 {
			return fmt.Sprintf("the reports are %+v", reports)
		}
		return ""
	}
	eventually(t, "one report on both of them", together)
	eventually(t, "the reports of the form before to go", func(ctx context.Context) string {
		reports, err := c.reportObjects(ctx, "policyreports")
		if err != nil || len(reports) > 0 {
			return fmt.Sprintf("%d reports, %v", len(reports), err)
		}
		return ""
	})
	stop(t, p)
	before, err := c.reportObjects(t.Context(), "reports")
	if err != nil {
		t.Fatal(err)
	}
	if len(before) != 1 {
		t.Fatalf("there are %d reports", len(before))
	}
	c.serve(t, o)
	eventually(t, "all to be judged after a restart", func(ctx context.Context) string {
		s, err := c.status(ctx, o.MetricsPort)
		if err != nil || !s.Leader || len(s.Coverage) == 0 {
			return fmt.Sprintf("%+v, %v", s, err)
		}
		for _, c := range s.Coverage {
			if c.Listed == "" {
				return c.Kind + " is not listed"
			}
		}
		return ""
	})
	if _, err := c.create(t.Context(), pod("later", false)); err != nil {
		t.Fatal(err)
	}
	eventually(t, "one that came later to be put beside them", func(ctx context.Context) string {
		reports, err := c.reportObjects(ctx, "reports")
		if err != nil || len(reports) != 1 || len(reports[0].Results) != 3 {
			return fmt.Sprintf("the reports are %+v, %v", reports, err)
		}
		return ""
	})
	const writes = `holdfast_report_writes_total{operation="apply",outcome="done"} 1`
	if problem := shows(&o, writes)(t.Context()); problem != "" {
		t.Errorf("more was written after the restart than that: %s", problem)
	}
}

// readsNoSecrets are the rights of an account that may do all that serve does, but read Secrets.
func readsNoSecrets() []rbacv1.PolicyRule {
	all := []string{"*"}
	return []rbacv1.PolicyRule{
		{APIGroups: []string{""}, Resources: []string{"namespaces", "configmaps", "pods", "nodes", "serviceaccounts"}, Verbs: all},
		{APIGroups: []string{
			"wgpolicyk8s.io", "openreports.io", "coordination.k8s.io", "admissionregistration.k8s.io", "apiextensions.k8s.io", "rbac.authorization.k8s.io",
			"authentication.k8s.io", "authorization.k8s.io",
		}, Resources: all, Verbs: all},
	}
}

// A type that may not be read is a gap, by its name, and the reports on it stand as they were.
func TestATypeThatMayNotBeReadIsAGap(t *testing.T) {
	c := newCluster(t)
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: metav1.NamespaceDefault, Name: "s"}, StringData: map[string]string{"password": "correct-horse"}}
	if _, err := c.kube.CoreV1().Secrets(metav1.NamespaceDefault).Create(t.Context(), secret, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	o := c.options(t, "holdfast", c.writeBundle(t, "bundle", strings.NewReplacer("[ConfigMap]", "[ConfigMap, Secret]", `, names: ["of-*"]`, "").Replace(labelled)))
	o.Args = append(o.Args, "--live-policies=false", "--admission=false")
	reported := c.reports(verdicts{verdictKey("Secret", "default", "s", "labelled", "team"): "fail"})
	p := c.serve(t, o)
	eventually(t, "the report on the Secret", reported)
	stop(t, p)

	const user = "system:serviceaccount:default:narrow"
	role := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "narrow"}, Rules: readsNoSecrets()}
	if _, err := c.kube.RbacV1().ClusterRoles().Create(t.Context(), role, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	binding := &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "narrow"}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "narrow"},
		Subjects: []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: metav1.NamespaceDefault, Name: "narrow"}},
	}
	if _, err := c.kube.RbacV1().ClusterRoleBindings().Create(t.Context(), binding, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	kubeconfig, err := c.KubeconfigFor(user, "system:serviceaccounts", "system:authenticated")
	if err != nil {
		t.Fatal(err)
	}
	o.Kubeconfig = filepath.Join(c.dir, "narrow.kubeconfig")
	if err := os.WriteFile(o.Kubeconfig, kubeconfig, 0o600); err != nil {
		t.Fatal(err)
	}
	c.serve(t, o)
	eventually(t, "the gap in /status, and no other", c.gap(o, "Secret"))
	eventually(t, "the gap in the metrics", shows(&o, `holdfast_audit_stale{resource="secrets.v1"} 1`))
	if missing := reported(t.Context()); missing != "" {
		t.Errorf("the report on what may not be read any more: %s", missing)
	}
	status := exec.CommandContext(t.Context(), c.binary, "status", "--url", fmt.Sprintf("http://127.0.0.1:%d", o.MetricsPort))
	said, err := status.CombinedOutput()
	if code := status.ProcessState.ExitCode(); code != 1 || !strings.Contains(string(said), "gap: v1 Secret: ") || !strings.Contains(string(said), `cannot list resource "secrets"`) {
		t.Errorf("holdfast status ends with %d, %v:\n%s", code, err, said)
	}

	// The right is given again.
	role.Rules = append(role.Rules, rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"secrets"}, Verbs: []string{"*"}})
	if _, err := c.kube.RbacV1().ClusterRoles().Update(t.Context(), role, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "no gap any more", c.gap(o, ""))
	if missing := reported(t.Context()); missing != "" {
		t.Errorf("the report on the Secret: %s", missing)
	}
}

// gap gives an empty string when the type, and it alone, is stale; all types are listed when it is empty.
func (c *cluster) gap(o serving.Options, kind string) func(context.Context) string {
	return func(ctx context.Context) string {
		s, err := c.status(ctx, o.MetricsPort)
		if err != nil {
			return err.Error()
		}
		if len(s.Coverage) != 2 {
			return fmt.Sprintf("%d types are covered", len(s.Coverage))
		}
		for _, t := range s.Coverage {
			if t.Stale != (t.Kind == kind) || t.Stale != strings.Contains(t.Error, "forbidden") || t.Stale == (t.Listed != "") {
				return fmt.Sprintf("%+v", t)
			}
		}
		return ""
	}
}
