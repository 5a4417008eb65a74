package scenarios

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/holdfast-io/holdfast/e2e/controlplane"
	"github.com/holdfast-io/holdfast/e2e/serving"
)

// owned is a bundle of one policy on what is cheap to make many of. It enforces nothing.
const owned = `apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata:
  name: owned
spec:
  rules:
    - name: owner
      match:
        any:
          - resources:
              kinds: [ConfigMap]
              names: ["made-*"]
      validate:
        failureAction: Audit
        message: Somebody has to own it.
        pattern:
          metadata:
            labels:
              owner: "?*"
`

var policyReports = schema.GroupVersionResource{Group: "wgpolicyk8s.io", Version: "v1alpha2", Resource: "policyreports"}

// made names the n-th ConfigMap that the policy is about.
func made(n int) string { return fmt.Sprintf("made-%05d", n) }

// owner is the verdict on the n-th ConfigMap.
func owner(namespace string, n int) string {
	return verdictKey("ConfigMap", namespace, made(n), "owned", "owner")
}

// make creates ConfigMaps that the policy is against, several at a time, from the first up to before the last.
func (c *cluster) make(ctx context.Context, namespace string, first, last int) error {
	var group sync.WaitGroup
	errs := make(chan error, 16)
	for worker := range cap(errs) {
		group.Go(func() {
			for n := first + worker; n < last; n += cap(errs) {
				_, err := c.kube.CoreV1().ConfigMaps(namespace).Create(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: made(n)}}, metav1.CreateOptions{})
				if err != nil && !apierrors.IsAlreadyExists(err) {
					errs <- fmt.Errorf("create %s: %w", made(n), err)
					return
				}
			}
		})
	}
	group.Wait()
	select {
	case err := <-errs:
		return err
	default:
		return nil
	}
}

// disowned gives an empty string when the reports are against exactly the ConfigMaps from the first up to before the
// last of the namespace.
func (c *cluster) disowned(namespace string, first, last int) func(context.Context) string {
	return func(ctx context.Context) string {
		have, err := c.reported(ctx)
		if err != nil {
			return err.Error()
		}
		var wrong []string
		for n := first; n < last; n++ {
			if have[owner(namespace, n)] != "fail" {
				wrong = append(wrong, made(n)+" is not reported")
			}
			delete(have, owner(namespace, n))
		}
		for key, outcome := range have {
			if outcome == "fail" {
				wrong = append(wrong, key+" is reported")
			}
		}
		slices.Sort(wrong)
		return strings.Join(wrong[:min(len(wrong), 5)], "\n")
	}
}

// goroutines is how many the process has.
func goroutines(t *testing.T, o *serving.Options) int {
	t.Helper()
	n, err := metric(t.Context(), o, "go_goroutines")
	if err != nil {
		t.Fatal(err)
	}
	return int(n)
}

// metric reads a metric without labels.
func metric(ctx context.Context, o *serving.Options, name string) (float64, error) {
	body, _, err := fetch(ctx, fmt.Sprintf("http://127.0.0.1:%d/metrics", o.MetricsPort))
	if err != nil {
		return 0, fmt.Errorf("read the metrics: %w", err)
	}
	for line := range strings.Lines(string(body)) {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			return strconv.ParseFloat(strings.TrimSpace(value), 64)
		}
	}
	return 0, fmt.Errorf("/metrics has no %s", name)
}

// leakless checks, at the end of a fault, that no goroutine has stayed behind.
func leakless(t *testing.T, o *serving.Options, before int) {
	t.Helper()
	// What serves an idle connection ends by itself, and a few come and go.
	const slack = 15
	eventually(t, "goroutines to end", func(ctx context.Context) string {
		n, err := metric(ctx, o, "go_goroutines")
		if err != nil {
			return err.Error()
		}
		if int(n) > before+slack {
			return fmt.Sprintf("%d goroutines, %d before", int(n), before)
		}
		return ""
	})
}

func TestTheReportsAreRightAfterAMinuteWithoutAnAPIServer(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	const n = 50
	if err := c.make(t.Context(), "default", 0, n); err != nil {
		t.Fatal(err)
	}
	o := c.options(t, "holdfast", c.writeBundle(t, "bundle", owned))
	p := c.serve(t, o)
	eventually(t, "the first reports", c.disowned("default", 0, n))
	before := goroutines(t, &o)

	c.StopAPIServer()
	eventually(t, "the audit to say that it sees nothing", shows(&o, `holdfast_audit_stale{resource="configmaps.v1"} 1`))
	time.Sleep(time.Minute) // this long it is away: there is nothing to wait for
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := c.StartAPIServer(ctx); err != nil {
		t.Fatal(err)
	}
	if err := c.make(t.Context(), "default", n, n+10); err != nil {
		t.Fatal(err)
	}
	if err := c.kube.CoreV1().ConfigMaps("default").Delete(t.Context(), made(0), metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the reports on what came and went", c.disowned("default", 1, n+10))
	eventually(t, "the audit to see again", shows(&o, `holdfast_audit_stale{resource="configmaps.v1"} 0`))
	leakless(t, &o, before)
	stop(t, p)
}

func TestTheReportsAreRightAfterASlowEtcd(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	o := c.options(t, "holdfast", c.writeBundle(t, "bundle", owned))
	p := c.serve(t, o)
	before := goroutines(t, &o)
	ctx, cancel := context.WithCancel(t.Context())
	limped := make(chan error, 1)
	go func() { // four fifths of the time etcd stands still
		defer close(limped)
		for ctx.Err() == nil {
			if err := c.Pause(controlplane.Etcd); err != nil {
				limped <- err
				return
			}
			time.Sleep(800 * time.Millisecond)
			if err := c.Resume(controlplane.Etcd); err != nil {
				limped <- err
				return
			}
			time.Sleep(200 * time.Millisecond)
		}
	}()
	const n = 60
	made := c.make(t.Context(), "default", 0, n)
	eventually(t, "the reports, with an etcd that limps", c.disowned("default", 0, n))
	cancel()
	if err := <-limped; err != nil {
		t.Fatal(err)
	}
	if made != nil {
		t.Fatal(made)
	}
	leakless(t, &o, before)
	stop(t, p)
}

func TestAnAuditorKilledInTheMiddleGoesOnWhereItWas(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	const n = 800
	if err := c.make(t.Context(), "default", 0, n); err != nil {
		t.Fatal(err)
	}
	o := c.options(t, "holdfast", c.writeBundle(t, "bundle", owned))
	o.Args = append(o.Args, "--settle", "0s") // a finding that settles has its report written once more
	p := c.serve(t, o)
	versions := func() map[string]string {
		list, err := c.dynamic.Resource(policyReports).List(t.Context(), metav1.ListOptions{})
		if err != nil {
			t.Fatal(err)
		}
		out := map[string]string{}
		for i := range list.Items {
			out[list.Items[i].GetName()] = list.Items[i].GetResourceVersion()
		}
		return out
	}
	eventually(t, "some of the reports", func(context.Context) string {
		if len(versions()) < 20 {
			return "there are fewer than 20"
		}
		return ""
	})
	p.Kill()
	written := versions()
	if len(written) >= n {
		t.Fatalf("all %d reports were written before it could be killed: this shows nothing", n)
	}
	t.Logf("killed after %d of %d reports", len(written), n)
	p = c.serve(t, o)
	eventually(t, "all reports", c.disowned("default", 0, n))
	for name, version := range versions() {
		if was, ok := written[name]; ok && was != version {
			t.Errorf("report %s was written again, although nothing had changed", name)
		}
	}
	stop(t, p)
}

func TestAStormOfPoliciesEndsWithTheLastOne(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.installPolicyTypes(t)
	const objects, changes = 200, 200
	if err := c.make(t.Context(), "default", 0, objects); err != nil {
		t.Fatal(err)
	}
	o := c.options(t, "holdfast", c.emptyBundle(t))
	p := c.serve(t, o)
	policy := parsed(t, owned)
	policies := c.dynamic.Resource(clusterPolicies)
	live, err := policies.Create(t.Context(), policy, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the reports of the first state", c.disowned("default", 0, objects))
	before := goroutines(t, &o)
	swept, err := metric(t.Context(), &o, `holdfast_audit_sweep_duration_seconds_count{resource="configmaps.v1"}`)
	if err != nil {
		t.Fatal(err)
	}
	tick := time.NewTicker(time.Minute / changes)
	defer tick.Stop()
	for i := range changes {
		<-tick.C
		patch := fmt.Sprintf(`[{"op":"replace","path":"/spec/rules/0/validate/message","value":"Change %d."}]`, i+1)
		if live, err = policies.Patch(t.Context(), live.GetName(), types.JSONPatchType, []byte(patch), metav1.PatchOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	last := fmt.Sprintf("Change %d.", changes)
	eventually(t, "the reports of the last state", func(ctx context.Context) string {
		list, err := c.dynamic.Resource(policyReports).List(ctx, metav1.ListOptions{})
		if err != nil {
			return err.Error()
		}
		right := 0
		for i := range list.Items {
			results, _, err := unstructured.NestedSlice(list.Items[i].Object, "results")
			if err != nil {
				return err.Error()
			}
			for _, r := range results {
				if message, _ := r.(map[string]any)["message"].(string); strings.Contains(message, last) {
					right++
				}
			}
		}
		if right != objects {
			return fmt.Sprintf("%d of %d reports say %q", right, objects, last)
		}
		return ""
	})
	now, err := metric(t.Context(), &o, `holdfast_audit_sweep_duration_seconds_count{resource="configmaps.v1"}`)
	if err != nil {
		t.Fatal(err)
	}
	if sweeps := now - swept; sweeps < 1 || sweeps > changes+1 {
		t.Errorf("%v sweeps for %d changes", sweeps, changes)
	} else {
		t.Logf("%v sweeps for %d changes", sweeps, changes)
	}
	leakless(t, &o, before)
	stop(t, p)
}

// crowd is how many objects there are where it is to be many; HOLDFAST_CROWD sets another number, such as 10000. Few do for
// every day: the namespace controller of a small machine takes away a few in a second.
func crowd(t *testing.T) int {
	t.Helper()
	text := os.Getenv("HOLDFAST_CROWD")
	if text == "" {
		return 300
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("HOLDFAST_CROWD: %v", err)
	}
	return n
}

func TestTheReportsOfADeletedNamespaceGo(t *testing.T) {
	t.Parallel()
	c := newClusterOf(t, controlplane.Options{Progress: t.Output(), Components: []controlplane.Component{controlplane.ControllerManager}})
	n := crowd(t)
	if _, err := c.kube.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "crowd"}}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	o := c.options(t, "holdfast", c.writeBundle(t, "bundle", owned))
	p := c.serve(t, o)
	if err := c.make(t.Context(), "default", 0, 10); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the reports of another namespace", c.disowned("default", 0, 10))
	before := goroutines(t, &o)
	if err := c.make(t.Context(), "crowd", 0, n); err != nil {
		t.Fatal(err)
	}
	count := func(ctx context.Context) (int, error) {
		list, err := c.dynamic.Resource(policyReports).Namespace("crowd").List(ctx, metav1.ListOptions{Limit: 1})
		if err != nil {
			return 0, err
		}
		total := len(list.Items)
		if list.GetRemainingItemCount() != nil {
			total += int(*list.GetRemainingItemCount())
		}
		return total, nil
	}
	for reported := 0; reported < n; { // as long as there is progress, whatever the machine takes for it
		eventually(t, fmt.Sprintf("more than %d of %d reports", reported, n), func(ctx context.Context) string {
			now, err := count(ctx)
			if err != nil {
				return err.Error()
			}
			if now <= reported {
				return "there are no more"
			}
			reported = now
			return ""
		})
	}
	if err := c.kube.CoreV1().Namespaces().Delete(t.Context(), "crowd", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	for left := n + 1; left > 0; {
		eventually(t, fmt.Sprintf("fewer than %d reports", left), func(ctx context.Context) string {
			now, err := count(ctx)
			if err != nil {
				return err.Error()
			}
			if now >= left {
				return "there are as many"
			}
			left = now
			return ""
		})
	}
	eventually(t, "the namespace to be gone", func(ctx context.Context) string {
		_, err := c.kube.CoreV1().Namespaces().Get(ctx, "crowd", metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return ""
		}
		return fmt.Sprintf("it is there: %v", err)
	})
	eventually(t, "the audit to forget its objects", shows(&o, `holdfast_audit_objects{resource="configmaps.v1"}`))
	if problem := c.disowned("default", 0, 10)(t.Context()); problem != "" {
		t.Errorf("the other namespace: %s", problem)
	}
	leakless(t, &o, before)
	stop(t, p)
}
