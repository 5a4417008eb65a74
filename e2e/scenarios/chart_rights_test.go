package scenarios

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"

	"github.com/holdfast-io/holdfast/e2e/controlplane"
)

// The rights that the chart gives are enough for what serve does in a cluster, from its certificates to its reports,
// with the configuration that the chart writes. The API server does not reach the webhook by its Service here.
func TestChartGivesServeTheRightsThatItNeeds(t *testing.T) {
	binary, err := controlplane.Builder{Progress: t.Output()}.Holdfast(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	c := newChart(t)
	for name, test := range map[string]struct {
		values string
		// webhook is the name of the configurations.
		webhook string
		// kept is a kind that may not be read: its coverage must say so.
		kept string
		// used says that each right is to be used, but for unusedRights.
		used bool
	}{
		"with everything to be read":             {"{}", "holdfast", "", false},
		"with what the shipped bundle needs":     {"{audit: {readAll: false}, findings: {settle: 1s}}", "holdfast", "", true},
		"with names of its own for the webhooks": {"webhook: {name: night}", "night", "", false},
		"without a right to read Services": {`audit: {readAll: false, resources: [
			{apiGroups: [""], resources: [configmaps, persistentvolumeclaims, pods, serviceaccounts, replicationcontrollers]},
			{apiGroups: [apps, batch, networking.k8s.io, rbac.authorization.k8s.io], resources: ["*"]}]}`, "holdfast", "Service", false},
	} {
		t.Run(name, func(t *testing.T) {
			cp := startForChartWith(t, controlplane.Options{AuditPolicy: controlplane.AuditRequests})
			client, err := kubernetes.NewForConfig(cp.RESTConfig())
			if err != nil {
				t.Fatal(err)
			}
			rendered := c.render(t, test.values, "--include-crds")
			applyTo(t, cp, rendered)
			applyTo(t, cp, strings.Join(slices.Concat(policyTypes(t), kyvernoDefinitions(t, "policies.kyverno.io", celTypes)), "\n---\n"))
			established := []string{
				"wait", "--for=condition=Established", "--timeout=60s", "customresourcedefinitions",
				"policyreports.wgpolicyk8s.io", "clusterpolicies.kyverno.io", "policies.kyverno.io", "policyexceptions.kyverno.io",
				"clustercleanuppolicies.kyverno.io", "cleanuppolicies.kyverno.io", "globalcontextentries.kyverno.io",
			}
			for _, name := range celTypes {
				established = append(established, name+".policies.kyverno.io")
			}
			kubectl(t.Context(), t, cp, "", established...)
			live := needsLabel("ClusterPolicy", "needs-team", "team")
			policy, err := live.MarshalJSON()
			if err != nil {
				t.Fatal(err)
			}
			applyTo(t, cp, string(policy))
			applyTo(t, cp, looksFromTheChart)
			applyTo(t, cp, asksFromTheChart)
			pod := &corev1.Pod{
				ObjectMeta: metav1.ObjectMeta{Name: "before", Namespace: metav1.NamespaceDefault},
				Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Image: "nginx:latest"}}},
			}
			// No controller makes the account that a Pod runs as.
			account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "default", Namespace: metav1.NamespaceDefault}}
			_, err = client.CoreV1().ServiceAccounts(metav1.NamespaceDefault).Create(t.Context(), account, metav1.CreateOptions{})
			if err != nil && !apierrors.IsAlreadyExists(err) {
				t.Fatal(err)
			}
			if pod, err = client.CoreV1().Pods(metav1.NamespaceDefault).Create(t.Context(), pod, metav1.CreateOptions{}); err != nil {
				t.Fatal(err)
			}

			s := startAsChart(t, cp, binary, rendered)
			s.waitFor(t, "readiness", s.ready)
			viewer, err := dynamic.NewForConfig(cp.RESTConfig())
			if err != nil {
				t.Fatal(err)
			}
			resource := schema.GroupVersionResource{Group: "wgpolicyk8s.io", Version: "v1alpha2", Resource: "policyreports"}
			s.waitFor(t, "the report on the Pod", func(ctx context.Context) error {
				_, err := viewer.Resource(resource).Namespace(metav1.NamespaceDefault).Get(ctx, "holdfast-"+string(pod.UID), metav1.GetOptions{})
				return err
			})
			s.waitFor(t, "all kinds to be audited", func(ctx context.Context) error { return s.covered(ctx, test.kept) })
			s.waitFor(t, "the status of the policy of the cluster", func(ctx context.Context) error {
				if problem := ready(viewer.Resource(clusterPolicies), live.GetName(), "True", "Ready")(ctx); problem != "" {
					return errors.New(problem)
				}
				return nil
			})
			inCEL := parsed(t, looksFromTheChart)
			s.waitFor(t, "the status of the policy in CEL", func(ctx context.Context) error {
				if problem := celReady(viewer, inCEL, true, "")(ctx); problem != "" {
					return errors.New(problem)
				}
				return nil
			})
			s.waitFor(t, "what the policy in CEL looks up", func(ctx context.Context) error {
				if problem := found(ctx, viewer, pod, inCEL.GetKind(), inCEL.GetName()); problem != "" {
					return errors.New(problem)
				}
				return nil
			})
			s.waitFor(t, "what the policy asks the authorizer", func(ctx context.Context) error {
				asks := parsed(t, asksFromTheChart)
				if problem := found(ctx, viewer, pod, asks.GetKind(), asks.GetName()); problem != "" {
					return errors.New(problem)
				}
				return nil
			})
			registered := client.AdmissionregistrationV1().ValidatingWebhookConfigurations()
			if _, err := registered.Get(t.Context(), test.webhook, metav1.GetOptions{}); err != nil {
				t.Error(err)
			}
			if test.used {
				s.actsOnWhatIsFound(t, client, viewer, pod)
			}
			s.switchesFailOn(t, client, test.webhook)
			s.stamps(t)
			if _, err := client.CoreV1().Secrets("holdfast").Get(t.Context(), "holdfast-approval-key", metav1.GetOptions{}); err != nil {
				t.Error(err)
			}
			if _, err := client.CoreV1().Secrets("holdfast").Get(t.Context(), "holdfast-webhook-certs", metav1.GetOptions{}); err != nil {
				t.Error(err)
			}
			s.stop(t)
			if test.used {
				checkRights(t, cp, rendered)
			}
			for line := range strings.Lines(s.log(t)) {
				if strings.Contains(line, "forbidden") && test.kept == "" {
					t.Errorf("a right is missing: %s", line)
				}
			}
		})
	}
}

// looksFromTheChart is a policy in CEL that reads a ConfigMap which is there in every cluster: the chart's rights have to
// suffice for that.
const looksFromTheChart = `
apiVersion: policies.kyverno.io/v1
kind: ValidatingPolicy
metadata: {name: looks}
spec:
  validationActions: [Audit]
  autogen: {podControllers: {controllers: []}}
  matchConstraints: {resourceRules: [{apiGroups: [""], apiVersions: [v1], resources: [pods], operations: [CREATE]}]}
  validations:
  - expression: "!('client-ca-file' in resource.Get('v1', 'configmaps', 'kube-system', 'extension-apiserver-authentication').data)"
    message: it was found
`

// asksFromTheChart is a policy that asks what an account may do, which is nothing: a right to ask has to be there.
const asksFromTheChart = `
apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {name: asks, annotations: {pod-policies.kyverno.io/autogen-controllers: none}}
spec:
  rules:
  - name: asks
    match: {any: [{resources: {kinds: [Pod]}}]}
    validate:
      message: it was asked
      cel: {expressions: [{expression: "authorizer.serviceAccount('default', 'default').group('').resource('secrets').namespace('default').check('list').allowed()"}]}
`

// served is a `holdfast serve` that acts as the chart's ServiceAccount.
type served struct {
	cmd   *exec.Cmd
	file  string
	url   string
	door  string // where the API server would ask
	ended chan error
}

// startAsChart starts serve with the chart's configuration, on ports that are free. It logs all, or a watch that is
// refused would not show. Arguments go before the configuration.
func startAsChart(t *testing.T, cp *controlplane.ControlPlane, binary, rendered string, args ...string) *served {
	t.Helper()
	const account = "system:serviceaccount:holdfast:holdfast"
	kubeconfig, err := cp.KubeconfigFor(account, "system:serviceaccounts", "system:serviceaccounts:holdfast", "system:authenticated")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	config := must[corev1.ConfigMap](t, rendered, "ConfigMap", "holdfast").Data["holdfast.yaml"]
	for name, text := range map[string]string{"kubeconfig": string(kubeconfig), "holdfast.yaml": config} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var ports [2]int
	for i := range ports {
		if ports[i], err = cp.FreePort(); err != nil {
			t.Fatal(err)
		}
	}
	s := &served{file: filepath.Join(dir, "log"), url: fmt.Sprintf("http://127.0.0.1:%d", ports[1]), door: fmt.Sprintf("https://127.0.0.1:%d", ports[0]), ended: make(chan error, 1)}
	log, err := os.Create(s.file)
	if err != nil {
		t.Fatal(err)
	}
	s.cmd = exec.CommandContext(t.Context(), binary, append([]string{
		"serve", "--config", "holdfast.yaml", "--log-level", "debug", "--kubeconfig", "kubeconfig",
		"--listen", fmt.Sprintf("127.0.0.1:%d", ports[0]), "--metrics-listen", fmt.Sprintf("127.0.0.1:%d", ports[1]),
	}, args...)...)
	s.cmd.Dir = dir
	s.cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "HOLDFAST_") })
	s.cmd.Stdout, s.cmd.Stderr = log, log
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		s.ended <- s.cmd.Wait()
		close(s.ended)
	}()
	t.Cleanup(func() { // the context of the test has ended by now, and with it the process
		for range s.ended { // until it is closed
		}
		_ = log.Close() // it was written by the child
		if t.Failed() {
			t.Log(s.log(t))
		}
	})
	return s
}

// waitFor waits until check has no error, for a minute at most.
func (s *served) waitFor(t *testing.T, what string, check func(context.Context) error) {
	t.Helper()
	t.Logf("waiting for %s", what)
	var last error
	err := wait.PollUntilContextTimeout(t.Context(), 100*time.Millisecond, time.Minute, true, func(ctx context.Context) (bool, error) {
		select {
		case err := <-s.ended:
			return false, fmt.Errorf("holdfast ended: %w", err)
		default:
		}
		last = check(ctx)
		return last == nil, nil
	})
	if err != nil {
		t.Fatalf("waiting for %s: %v; last seen: %v", what, err, last)
	}
}

// switchesFailOn plays the controller of the Deployment, whose replicas are not ready at first.
func (s *served) switchesFailOn(t *testing.T, client kubernetes.Interface, name string) {
	t.Helper()
	const missing = `"failNotYetOn": "the Deployment holdfast/holdfast has changed, which its status does not show yet"`
	s.waitFor(t, "failurePolicy Fail to wait for the replicas", func(ctx context.Context) error {
		answer, err := s.get(ctx, "/status")
		if err == nil && !strings.Contains(string(answer), missing) {
			err = fmt.Errorf("no %s in %s", missing, answer)
		}
		return err
	})
	strict := func(ctx context.Context) (bool, error) {
		v, err := client.AdmissionregistrationV1().ValidatingWebhookConfigurations().Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return false, err
		}
		return slices.ContainsFunc(v.Webhooks, func(w admissionregistrationv1.ValidatingWebhook) bool {
			return *w.FailurePolicy == admissionregistrationv1.Fail
		}), nil
	}
	if on, err := strict(t.Context()); on || err != nil {
		t.Errorf("Fail is on too early: %t, %v", on, err)
	}
	d, err := client.AppsV1().Deployments("holdfast").Get(t.Context(), "holdfast", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	n := *d.Spec.Replicas
	d.Status = appsv1.DeploymentStatus{ObservedGeneration: d.Generation, Replicas: n, UpdatedReplicas: n, ReadyReplicas: n}
	if _, err := client.AppsV1().Deployments("holdfast").UpdateStatus(t.Context(), d, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	s.waitFor(t, "failurePolicy Fail to be switched on", func(ctx context.Context) error {
		on, err := strict(ctx)
		if err == nil && !on {
			err = errors.New("no entry has it")
		}
		return err
	})
}

// actsOnWhatIsFound waits for what is proposed and told, and deletes what it is about. It writes, which nobody can once
// failurePolicy Fail is on.
func (s *served) actsOnWhatIsFound(t *testing.T, client kubernetes.Interface, viewer dynamic.Interface, pod *corev1.Pod) {
	t.Helper()
	later := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "later"}, Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Image: "nginx:latest"}}}}
	later, err := client.CoreV1().Pods(pod.Namespace).Create(t.Context(), later, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	s.waitFor(t, "an Event on a Pod that is new", func(ctx context.Context) error {
		list, err := client.CoreV1().Events(pod.Namespace).List(ctx, metav1.ListOptions{FieldSelector: "involvedObject.uid=" + string(later.UID)})
		if err == nil && len(list.Items) == 0 {
			err = errors.New("there is none")
		}
		return err
	})
	s.waitFor(t, "a Remediation with a status", func(ctx context.Context) error {
		list, err := viewer.Resource(remediationResource).List(ctx, metav1.ListOptions{})
		if err == nil && !slices.ContainsFunc(list.Items, func(u unstructured.Unstructured) bool { return u.Object["status"] != nil }) {
			err = fmt.Errorf("there are %d without", len(list.Items))
		}
		return err
	})
	if err := client.CoreV1().Pods(pod.Namespace).Delete(t.Context(), pod.Name, *metav1.NewDeleteOptions(0)); err != nil {
		t.Fatal(err)
	}
	reports := viewer.Resource(schema.GroupVersionResource{Group: "wgpolicyk8s.io", Version: "v1alpha2", Resource: "policyreports"}).Namespace(pod.Namespace)
	s.waitFor(t, "the report to go with the Pod", func(ctx context.Context) error {
		_, err := reports.Get(ctx, "holdfast-"+string(pod.UID), metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return nil
		}
		return errors.Join(errors.New("it is there still"), err)
	})
}

// ready asks whether reviews can be answered.
func (s *served) ready(ctx context.Context) error {
	_, err := s.get(ctx, "/readyz")
	return err
}

// covered asks whether all kinds that the bundle matches have been listed, and the one that is kept from it has not.
func (s *served) covered(ctx context.Context, kept string) error {
	answer, err := s.get(ctx, "/status")
	if err != nil {
		return err
	}
	var status struct {
		Coverage []struct {
			Kind   string
			Listed string
			Error  string
		}
	}
	if err := json.Unmarshal(answer, &status); err != nil {
		return err
	}
	const few = 10 // the shipped bundle matches more kinds
	if len(status.Coverage) < few {
		return fmt.Errorf("only %d kinds in %s", len(status.Coverage), answer)
	}
	for _, c := range status.Coverage {
		if refused := strings.Contains(c.Error, "forbidden"); refused != (c.Kind == kept) || (c.Listed == "") != refused {
			return fmt.Errorf("%s was listed at %q with the error %q", c.Kind, c.Listed, c.Error)
		}
	}
	return nil
}

// get asks for a path beside /metrics.
func (s *served) get(ctx context.Context, path string) ([]byte, error) {
	answer, status, err := fetch(ctx, s.url+path)
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("%s answers %d: %s", path, status, answer)
	}
	return answer, err
}

// stop ends the process as a kubelet does.
// stamps asks for the stamp of somebody's wish to go on, as the API server would: what the user may is asked of the API server,
// and the key is made in a Secret.
func (s *served) stamps(t *testing.T) {
	t.Helper()
	const review = `{"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {"uid": "u", "operation": "UPDATE", "name": "r",
		"userInfo": {"username": "ana", "groups": ["system:masters"]},
		"oldObject": {"metadata": {"name": "r", "uid": "u"}, "spec": {"paused": true}}, "object": {"metadata": {"name": "r", "uid": "u"}, "spec": {"paused": false}}}}`
	// The certificate is for the Service's name; whom it is asked of is not what is tried here.
	client := http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}, Timeout: patience} //nolint:gosec // see above
	defer client.CloseIdleConnections()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.door+"/remediations/stamp", strings.NewReader(review))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if body, err := io.ReadAll(resp.Body); err != nil || !strings.Contains(string(body), `"allowed":true,"patch":`) {
		t.Errorf("no stamp: %v, %s", err, body)
	}
}

func (s *served) stop(t *testing.T) {
	t.Helper()
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := <-s.ended; err != nil {
		t.Errorf("holdfast ended with %v", err)
	}
}

func (s *served) log(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(s.file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
