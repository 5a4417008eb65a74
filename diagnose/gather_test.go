package diagnose

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
)

var now = time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)

// authority is a CA that expires then.
func authority(t *testing.T, expires time.Time) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "holdfast CA"}, NotBefore: now.AddDate(-1, 0, 0), NotAfter: expires}
	raw, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: raw})
}

func meta(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{
		Name: name, Namespace: "holdfast", Labels: map[string]string{"app.kubernetes.io/name": "holdfast", "app.kubernetes.io/managed-by": "holdfast"},
		Annotations:   map[string]string{corev1.LastAppliedConfigAnnotation: "planted-applied"},
		ManagedFields: []metav1.ManagedFieldsEntry{{Manager: "kubectl"}},
	}
}

// well is what a chart makes where all is well.
func well(t *testing.T) []runtime.Object {
	t.Helper()
	fail := admissionv1.Fail
	template := corev1.PodTemplateSpec{Spec: corev1.PodSpec{Containers: []corev1.Container{{
		Name: "holdfast", Env: []corev1.EnvVar{{Name: "HOLDFAST_LEDGER_DSN", Value: "planted-dsn"}, {Name: "HOLDFAST_CONFIG", Value: "/etc/holdfast/config/holdfast.yaml"}},
	}}}}
	lease := meta("holdfast-audit")
	return []runtime.Object{
		&appsv1.Deployment{ObjectMeta: meta("holdfast"), Spec: appsv1.DeploymentSpec{Replicas: new(int32(1)), Template: template}, Status: appsv1.DeploymentStatus{ReadyReplicas: 1}},
		&corev1.Pod{ObjectMeta: meta("holdfast-0"), Spec: template.Spec, Status: corev1.PodStatus{Phase: corev1.PodRunning}},
		&corev1.ConfigMap{ObjectMeta: meta("holdfast"), Data: map[string]string{"holdfast.yaml": "listen: :9443\npassword: planted-in-config\n"}},
		&corev1.Secret{ObjectMeta: meta("holdfast-webhook-certs"), Data: map[string][]byte{"tls.key": []byte("planted-in-secret")}},
		&corev1.Service{ObjectMeta: meta("holdfast")},
		&discoveryv1.EndpointSlice{
			ObjectMeta: metav1.ObjectMeta{Name: "holdfast-x", Namespace: "holdfast", Labels: map[string]string{"kubernetes.io/service-name": "holdfast"}},
			Endpoints:  []discoveryv1.Endpoint{{Conditions: discoveryv1.EndpointConditions{Ready: new(true)}}},
		},
		&coordinationv1.Lease{ObjectMeta: lease, Spec: coordinationv1.LeaseSpec{HolderIdentity: new("holdfast-0_x"), LeaseDurationSeconds: new(int32(15)), RenewTime: &metav1.MicroTime{Time: now}}},
		&admissionv1.ValidatingWebhookConfiguration{ObjectMeta: meta("holdfast"), Webhooks: []admissionv1.ValidatingWebhook{{
			Name: "fail.holdfast.dev", FailurePolicy: &fail,
			ClientConfig: admissionv1.WebhookClientConfig{CABundle: authority(t, now.AddDate(1, 0, 0)), Service: &admissionv1.ServiceReference{Namespace: "holdfast", Name: "holdfast"}},
		}}},
		&admissionv1.MutatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: "somebody-else"}},
	}
}

const metricsOfOneThatIsWell = "# TYPE holdfast_admission_errors_total counter\nholdfast_admission_errors_total{webhook=\"validate\",reason=\"timeout\"} 0\n" +
	"# TYPE holdfast_policies gauge\nholdfast_policies{source=\"cluster\",state=\"in_force\"} 7\nholdfast_policies{source=\"cluster\",state=\"broken\"} 0\n" +
	"# TYPE holdfast_ledger_intact gauge\nholdfast_ledger_intact 1\n"

// gathered looks at a cluster of these objects with one replica.
func gathered(t *testing.T, metrics string, objects []runtime.Object, refuse ...string) *Archive {
	t.Helper()
	client := fake.NewClientset(objects...)
	for _, resource := range refuse {
		client.PrependReactor("list", resource, func(clienttesting.Action) (bool, runtime.Object, error) {
			return true, nil, errors.New("forbidden")
		})
	}
	a := New(now)
	Gather(t.Context(), a, Options{Client: client, Namespace: "holdfast", Now: now, Replicas: []Replica{{Name: "http://127.0.0.1:8080", Get: func(context.Context, string) ([]byte, error) {
		return []byte(metrics), nil
	}}}})
	return a
}

func TestWhereAllIsWellNothingLooksWrong(t *testing.T) {
	a := gathered(t, metricsOfOneThatIsWell, well(t))
	if len(a.Problems)+len(a.Missing) > 0 {
		t.Errorf("problems %q, missing %q", a.Problems, a.Missing)
	}
	want := []string{
		"config/holdfast/holdfast.yaml", "events-written.yaml", "events.yaml", "kubernetes.yaml", "leases.yaml", "logs/holdfast-0.log",
		"metrics/http-127.0.0.1-8080.txt", "webhooks/authorities.txt", "webhooks/others.txt", "webhooks/validating-holdfast.yaml",
		"workloads/deployments.yaml", "workloads/pods.yaml", "workloads/statefulsets.yaml",
	}
	if got := a.Files(); !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	if got := string(a.File("webhooks/others.txt")); got != "mutating somebody-else\n" {
		t.Errorf("got %q", got)
	}
	if got := string(a.File("webhooks/authorities.txt")); !strings.HasPrefix(got, "holdfast: CN=holdfast CA, valid from 2025-11-30T12:00:00Z to 2027-11-30T12:00:00Z, sha256 ") {
		t.Errorf("got %q", got)
	}
}

func TestNoSecretIsInTheArchive(t *testing.T) {
	a := gathered(t, metricsOfOneThatIsWell, well(t))
	a.Log("logs/x.log", "x", []byte("level=ERROR msg=\"asking\" url=https://planted-user:planted-password@db/\nlevel=WARN token=planted-token\n"))
	a.Missed("x", errors.New("password=planted-error"))
	var b bytes.Buffer
	if err := a.Write(&b); err != nil {
		t.Fatal(err)
	}
	for name, text := range unpacked(t, &b) {
		if strings.Contains(text, "planted") {
			t.Errorf("%s holds what is secret:\n%s", name, text)
		}
	}
	for _, said := range slices.Concat(a.Problems, a.Missing) {
		if strings.Contains(said, "planted") {
			t.Errorf("it says what is secret: %s", said)
		}
	}
	if got := string(a.File("config/holdfast/holdfast.yaml")); got != "listen: :9443\npassword: [redacted]\n" {
		t.Errorf("the configuration is %q", got)
	}
	if got := string(a.File("workloads/deployments.yaml")); !strings.Contains(got, "value: /etc/holdfast/config/holdfast.yaml") || !strings.Contains(got, "HOLDFAST_LEDGER_DSN") {
		t.Errorf("the variables are not there:\n%s", got)
	}
}

// unpacked reads an archive.
func unpacked(t *testing.T, r io.Reader) map[string]string {
	t.Helper()
	packed, err := gzip.NewReader(r)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	in := tar.NewReader(packed)
	for {
		header, err := in.Next()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(in)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(header.Name, "holdfast-diagnose-20261130-120000/") || header.Mode != 0o600 || !header.ModTime.Equal(now) {
			t.Errorf("%s has mode %o and time %s", header.Name, header.Mode, header.ModTime)
		}
		out[header.Name] = string(text)
	}
}

func TestWhatLooksWrongIsSaid(t *testing.T) {
	find := func(objects []runtime.Object, match func(runtime.Object) bool) []runtime.Object {
		return slices.DeleteFunc(objects, match)
	}
	for name, tc := range map[string]struct {
		metrics string
		change  func(objects []runtime.Object) []runtime.Object
		want    []string
	}{
		"reviews that could not be evaluated": {
			metrics: "# TYPE holdfast_admission_errors_total counter\nholdfast_admission_errors_total{reason=\"a\"} 3\nholdfast_admission_errors_total{reason=\"b\"} 4\n",
			want:    []string{"http://127.0.0.1:8080 has 7 reviews, or rules of one, that could not be evaluated (runbook admission-fails.md)"},
		},
		"policies that do not compile": {
			metrics: "# TYPE holdfast_policies gauge\nholdfast_policies{state=\"broken\"} 1\nholdfast_policies{state=\"in_force\"} 9\n",
			want:    []string{"http://127.0.0.1:8080 has 1 policies that do not compile (runbook policies.md)"},
		},
		"a ledger that is broken": {
			metrics: "# TYPE holdfast_ledger_intact gauge\nholdfast_ledger_intact 0\n",
			want:    []string{"http://127.0.0.1:8080 has 0 ledgers whose chain was whole when it was last verified (runbook ledger.md)"},
		},
		"replicas that are missing": {
			change: func(o []runtime.Object) []runtime.Object {
				o[0].(*appsv1.Deployment).Status.ReadyReplicas = 0
				return o
			},
			want: []string{"Deployment holdfast has 0 of 1 replicas ready"},
		},
		"a Pod that dies again and again": {
			change: func(o []runtime.Object) []runtime.Object {
				o[1].(*corev1.Pod).Status.ContainerStatuses = []corev1.ContainerStatus{{
					Name: "holdfast", RestartCount: 4, State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff"}},
					LastTerminationState: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 137, Reason: "OOMKilled"}},
				}}
				return o
			},
			want: []string{
				"container holdfast of Pod holdfast-0 waits: CrashLoopBackOff",
				"container holdfast of Pod holdfast-0 was started again 4 times; it last ended with code 137: OOMKilled",
			},
		},
		"a Pod without a node": {
			change: func(o []runtime.Object) []runtime.Object {
				o[1].(*corev1.Pod).Status = corev1.PodStatus{Phase: corev1.PodPending, Conditions: []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: "Unschedulable", Message: "0/3 nodes are available"}}}
				return o
			},
			want: []string{"Pod holdfast-0 is Pending", "Pod holdfast-0 has no node: Unschedulable: 0/3 nodes are available"},
		},
		"nobody behind the Service": {
			change: func(o []runtime.Object) []runtime.Object {
				o[5].(*discoveryv1.EndpointSlice).Endpoints[0].Conditions.Ready = new(false)
				return o
			},
			want: []string{"webhook configuration holdfast leads to Service holdfast/holdfast, behind which nobody is ready: the writes that it is about are refused (runbook webhook-down.md)"},
		},
		"no Service, and failures ignored": {
			change: func(o []runtime.Object) []runtime.Object {
				ignore := admissionv1.Ignore
				o[7].(*admissionv1.ValidatingWebhookConfiguration).Webhooks[0].FailurePolicy = &ignore
				return find(o, func(x runtime.Object) bool { _, ok := x.(*corev1.Service); return ok })
			},
			want: []string{"webhook configuration holdfast leads to Service holdfast/holdfast, which does not exist: writes pass unjudged"},
		},
		"a CA that has expired": {
			change: func(o []runtime.Object) []runtime.Object {
				o[7].(*admissionv1.ValidatingWebhookConfiguration).Webhooks[0].ClientConfig.CABundle = authority(t, now.Add(-time.Hour))
				return o
			},
			want: []string{"the CA of webhook configuration holdfast expired at 2026-11-30T11:00:00Z: the writes that it is about are refused (runbook webhook-down.md) (runbook certificates.md)"},
		},
		"a CA that is not renewed": {
			change: func(o []runtime.Object) []runtime.Object {
				o[7].(*admissionv1.ValidatingWebhookConfiguration).Webhooks[0].ClientConfig.CABundle = authority(t, now.AddDate(0, 0, 2))
				return o
			},
			want: []string{"the CA of webhook configuration holdfast expires at 2026-12-02T12:00:00Z, and has not been renewed (runbook certificates.md)"},
		},
		"no registration": {
			change: func(o []runtime.Object) []runtime.Object {
				return find(o, func(x runtime.Object) bool { _, ok := x.(*admissionv1.ValidatingWebhookConfiguration); return ok })
			},
			want: []string{"the cluster has no webhook configuration of holdfast: no write is judged at admission (runbook registration.md)"},
		},
		"a leader that has died": {
			change: func(o []runtime.Object) []runtime.Object {
				o[6].(*coordinationv1.Lease).Spec.RenewTime = &metav1.MicroTime{Time: now.Add(-10 * time.Minute)}
				return o
			},
			want: []string{"lease holdfast-audit was last renewed 10m0s ago by holdfast-0_x: who held it has died, and nobody has taken it since (runbook audit.md)"},
		},
		"Kubernetes warns": {
			change: func(o []runtime.Object) []runtime.Object {
				return append(o, &corev1.Event{
					ObjectMeta: meta("e"), Type: corev1.EventTypeWarning, Reason: "FailedMount", Message: `secret "x" not found`,
					InvolvedObject: corev1.ObjectReference{Kind: "Pod", Name: "holdfast-0"},
				})
			},
			want: []string{`Kubernetes warns of Pod holdfast-0: FailedMount: secret "x" not found`},
		},
	} {
		t.Run(name, func(t *testing.T) {
			objects := well(t)
			if tc.change != nil {
				objects = tc.change(objects)
			}
			a := gathered(t, tc.metrics, objects)
			if !slices.Equal(a.Problems, tc.want) {
				t.Errorf("got  %q\nwant %q", a.Problems, tc.want)
			}
		})
	}
}

func TestWhatCannotBeReadIsSaidAndTheRestIsThere(t *testing.T) {
	a := gathered(t, metricsOfOneThatIsWell, well(t), "pods", "leases", "validatingwebhookconfigurations")
	want := []string{"the Pods in namespace holdfast: forbidden", "the validating webhook configurations: forbidden", "the leases in namespace holdfast: forbidden"}
	if !slices.Equal(a.Missing, want) || len(a.Problems) > 0 {
		t.Errorf("got  %q, %q\nwant %q", a.Missing, a.Problems, want)
	}
	if a.File("config/holdfast/holdfast.yaml") == nil {
		t.Error("the configuration is missing too")
	}
}

func TestErrorsOfALogAreCounted(t *testing.T) {
	a := New(now)
	a.Log("logs/a.log", "a", []byte("level=INFO msg=x\nlevel=WARN msg=y\n{\"level\":\"ERROR\",\"msg\":\"z\"}\nlevel=ERROR msg=last\n"))
	if want := []string{"a has logged 2 errors in its last 4 lines; the last is: level=ERROR msg=last"}; !slices.Equal(a.Problems, want) {
		t.Errorf("got %q, want %q", a.Problems, want)
	}
	if got, want := string(a.File("logs/a.errors.log")), "level=WARN msg=y\n{\"level\":\"ERROR\",\"msg\":\"z\"}\nlevel=ERROR msg=last\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestTheArchiveIsBounded(t *testing.T) {
	a := New(now)
	a.Add("long", bytes.Repeat([]byte("x"), maxFile+1))
	for i := range maxFiles {
		a.Add(string(rune('0'+i%10))+strings.Repeat("x", i), nil)
	}
	want := []string{"the end of long: it has 4194305 bytes", "9" + strings.Repeat("x", maxFiles-1) + ": there are too many files"}
	if len(a.File("long")) != maxFile || !slices.Equal(a.Missing, want) {
		t.Errorf("got %d bytes, %q", len(a.File("long")), a.Missing)
	}
}

// The metrics that are looked at are those that docs/metrics.md has, and the runbooks are there.
func TestSignsAreOfMetricsThatThereAre(t *testing.T) {
	documented, err := os.ReadFile("../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range signs {
		if !strings.Contains(string(documented), "`holdfast_"+s.metric+"`") {
			t.Errorf("docs/metrics.md has no holdfast_%s", s.metric)
		}
		if _, err := os.Stat("../docs/runbooks/" + s.page); err != nil {
			t.Error(err)
		}
	}
}
