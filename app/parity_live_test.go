//go:build e2e

package app

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/holdfast-io/holdfast/bundle"
	"github.com/holdfast-io/holdfast/bundle/manifest"
	"github.com/holdfast-io/holdfast/engine"
	"github.com/holdfast-io/holdfast/lookup"
)

// This test runs against the API server of $KUBECONFIG, which the test in e2e/scenarios starts and stops. All policies of
// parityCases and mutatingParityCases are installed there, and loaded here; then each request is sent as a dry run, and both
// must give the same answer, and the same object. A policy sees only what bears the label of its case: the namespaces of the case, and the objects in none.

const (
	parityLabel    = "parity"
	parityPatience = 30 * time.Second
)

// parity is the API server and Holdfast side by side.
type parity struct {
	clients  *cluster
	config   *rest.Config
	dynamic  dynamic.Interface // tells warnings
	lookups  *lookup.Cluster
	user     *authenticationv1.UserInfo
	snapshot *engine.Snapshot
	warns    map[string]bool // bindings with Warn among their actions
}

// warnings gathers those of one request.
type warnings struct {
	mu   sync.Mutex
	list []string
}

type warningsKey struct{}

func (parity) HandleWarningHeaderWithContext(ctx context.Context, _ int, _, text string) {
	if w, ok := ctx.Value(warningsKey{}).(*warnings); ok {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.list = append(w.list, text)
	}
}

// prepared is a request whose answer is to be compared.
type prepared struct {
	what   string
	client dynamic.ResourceInterface
	req    *engine.Request
	sent   *unstructured.Unstructured
	// mutated says that the object is to be compared, and not what validation says.
	mutated bool
}

func TestParityWithTheAPIServer(t *testing.T) {
	p := newParity(t)
	cases, mutating := parityCases(), mutatingParityCases()
	maps.Copy(cases, mutating)
	var requests []prepared
	var policies []*unstructured.Unstructured
	for _, name := range slices.Sorted(maps.Keys(cases)) {
		c := cases[name]
		_, mutates := mutating[name]
		key := "case-" + fmt.Sprint(len(policies))
		p.namespace(t, key)
		for _, text := range documents(c.params) {
			p.make(t, parsed(t, text, key))
		}
		for i, r := range c.requests {
			request := p.prepare(t, name+": "+r.what, key, &c.requests[i])
			request.mutated = mutates
			requests = append(requests, request)
		}
		for _, text := range documents(c.policies) {
			policies = append(policies, parsed(t, text, key))
		}
	}
	p.install(t, policies)
	for i := range requests {
		t.Run(requests[i].what, func(t *testing.T) {
			if requests[i].mutated {
				p.compareObjects(t, &requests[i])
			} else {
				p.compare(t, &requests[i])
			}
		})
	}
}

func newParity(t *testing.T) *parity {
	log := slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	clients, err := connect(os.Getenv("KUBECONFIG"), "test", log)
	must(t, err)
	t.Cleanup(clients.close)
	p := &parity{clients: clients, warns: map[string]bool{}}
	config, err := clientcmd.BuildConfigFromFlags("", os.Getenv("KUBECONFIG"))
	must(t, err)
	config.QPS, config.Burst, config.WarningHandlerWithContext = 500, 500, p
	p.config = config
	p.dynamic, err = dynamic.NewForConfig(config)
	must(t, err)
	options := DefaultLookupOptions()
	p.lookups, err = lookup.New(options.on(clients, ownNamespace, log, nil))
	must(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- p.lookups.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		must(t, <-ended)
	})
	must(t, p.lookups.WaitForSync(t.Context()))
	self, err := clients.kube.AuthenticationV1().SelfSubjectReviews().Create(t.Context(), &authenticationv1.SelfSubjectReview{}, metav1.CreateOptions{})
	must(t, err)
	p.user = &self.Status.UserInfo
	return p
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func documents(text string) []string {
	return slices.DeleteFunc(strings.Split(text, "\n---\n"), func(s string) bool { return strings.TrimSpace(s) == "" })
}

// parsed reads a document of a case. $NS is the namespace of the case.
func parsed(t *testing.T, text, key string) *unstructured.Unstructured {
	t.Helper()
	found, errs := manifest.Parse("case", []byte(strings.ReplaceAll(text, "$NS", key)))
	if len(errs) > 0 || len(found) != 1 {
		t.Fatalf("%v, %d documents in:\n%s", errs, len(found), text)
	}
	u := &unstructured.Unstructured{Object: found[0].Object}
	labelled := func(path ...string) {
		if _, has, _ := unstructured.NestedMap(u.Object, path...); has {
			selector, _, _ := unstructured.NestedMap(u.Object, append(path, "namespaceSelector")...)
			if selector == nil {
				selector = map[string]any{}
			}
			labels, _ := selector["matchLabels"].(map[string]any)
			labels = maps.Clone(labels)
			if labels == nil {
				labels = map[string]any{}
			}
			labels[parityLabel] = key
			selector["matchLabels"] = labels
			must(t, unstructured.SetNestedMap(u.Object, selector, append(path, "namespaceSelector")...))
		}
	}
	switch kind := u.GetKind(); kind {
	case "ValidatingAdmissionPolicy", "MutatingAdmissionPolicy":
		labelled("spec", "matchConstraints")
		u.SetName(key + "-" + u.GetName())
	case "ValidatingAdmissionPolicyBinding", "MutatingAdmissionPolicyBinding":
		u.SetName(key + "-" + u.GetName())
		name, _, _ := unstructured.NestedString(u.Object, "spec", "policyName")
		must(t, unstructured.SetNestedField(u.Object, key+"-"+name, "spec", "policyName"))
	case "Namespace":
		u.SetLabels(map[string]string{parityLabel: key})
	}
	return u
}

// client gives the way to objects of a kind, and the name of its resource.
func (p *parity) client(t *testing.T, u *unstructured.Unstructured) (dynamic.ResourceInterface, schema.GroupVersionResource) {
	t.Helper()
	_, resource, err := p.lookups.Map(t.Context(), u.GroupVersionKind())
	must(t, err)
	if u.GetNamespace() == "" {
		return p.dynamic.Resource(resource), resource
	}
	return p.dynamic.Resource(resource).Namespace(u.GetNamespace()), resource
}

func (p *parity) make(t *testing.T, u *unstructured.Unstructured) *unstructured.Unstructured {
	t.Helper()
	client, _ := p.client(t, u)
	made, err := client.Create(t.Context(), u, metav1.CreateOptions{})
	if err != nil {
		t.Fatalf("create %s %s: %v", u.GetKind(), u.GetName(), err)
	}
	return made
}

func (p *parity) namespace(t *testing.T, key string) {
	u := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "Namespace",
		"metadata": map[string]any{"name": key, "labels": map[string]any{parityLabel: key, "env": "dev"}},
	}}
	p.make(t, u)
}

var dryRun = []string{metav1.DryRunAll}

// prepare finds out, before there are policies, what the server makes of the request: the objects with their defaults.
func (p *parity) prepare(t *testing.T, what, key string, r *parityRequest) prepared {
	t.Helper()
	sent := parsed(t, r.object, key)
	client, resource := p.client(t, sent)
	out := prepared{what: what, client: client, sent: sent}
	out.req = &engine.Request{
		UID: "parity", Operation: engine.Create, Kind: sent.GroupVersionKind(), Resource: resource,
		Namespace: sent.GetNamespace(), Name: sent.GetName(), DryRun: true, User: p.user,
		Options: map[string]any{"apiVersion": "meta.k8s.io/v1", "kind": "CreateOptions", "dryRun": []any{metav1.DryRunAll}},
	}
	switch {
	case r.old != "":
		old := p.make(t, parsed(t, r.old, key))
		sent.SetResourceVersion(old.GetResourceVersion())
		out.req.Operation, out.req.OldObject = engine.Update, values(old)
		out.req.Options["kind"] = "UpdateOptions"
		kept, err := client.Update(t.Context(), sent, metav1.UpdateOptions{DryRun: dryRun})
		must(t, err)
		out.req.Object = values(kept)
	case r.remove:
		out.req.Operation, out.req.OldObject = engine.Delete, values(p.make(t, sent))
		out.req.Options["kind"] = "DeleteOptions"
	default:
		kept, err := client.Create(t.Context(), sent, metav1.CreateOptions{DryRun: dryRun})
		must(t, err)
		out.req.Object = values(kept)
	}
	if r.as != "" {
		p.impersonate(t, &out, resource, r.as)
	}
	return out
}

// impersonate makes a request that of somebody else.
func (p *parity) impersonate(t *testing.T, r *prepared, resource schema.GroupVersionResource, name string) {
	t.Helper()
	config := rest.CopyConfig(p.config)
	config.Impersonate = rest.ImpersonationConfig{UserName: name}
	client, err := dynamic.NewForConfig(config)
	must(t, err)
	r.client = client.Resource(resource).Namespace(r.sent.GetNamespace())
	r.req.User = &authenticationv1.UserInfo{Username: name, Groups: []string{"system:authenticated"}}
}

// values gives the object as JSON values.
func values(u *unstructured.Unstructured) map[string]any {
	return engine.Normalize(u.DeepCopy().Object)
}

// install puts the policies in force at the API server and in a snapshot.
func (p *parity) install(t *testing.T, policies []*unstructured.Unstructured) {
	compiler, err := engine.NewCompiler()
	must(t, err)
	var contents engine.Contents
	for _, u := range policies {
		compiled, problems := bundle.CompileObject(compiler, u.DeepCopy().Object)
		if len(problems) > 0 {
			t.Fatalf("%s %s: %v", u.GetKind(), u.GetName(), problems)
		}
		if compiled.Policy != nil {
			compiled.Policy.Admission = true // to be asked what the server is asked
			contents.Policies = append(contents.Policies, compiled.Policy)
		}
		if compiled.Binding != nil {
			contents.Bindings = append(contents.Bindings, compiled.Binding)
			actions, _, _ := unstructured.NestedStringSlice(u.Object, "spec", "validationActions")
			p.warns[u.GetName()] = slices.Contains(actions, "Warn")
		}
		p.make(t, u)
	}
	p.snapshot, err = engine.Assemble(contents)
	must(t, err)
	p.awaitPolicies(t)
}

// awaitPolicies waits until the server enforces what was created last, and with it all that was created before.
func (p *parity) awaitPolicies(t *testing.T) {
	p.namespace(t, "last")
	for _, text := range documents(lastPolicies) {
		p.make(t, parsed(t, text, "last"))
	}
	marker := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": "last", "namespace": "last"},
	}}
	client, _ := p.client(t, marker)
	err := wait.PollUntilContextTimeout(t.Context(), 50*time.Millisecond, parityPatience, true, func(ctx context.Context) (bool, error) {
		_, err := client.Create(ctx, marker, metav1.CreateOptions{DryRun: dryRun})
		switch {
		case apierrors.IsInvalid(err):
			return true, nil
		case err != nil:
			return false, err
		default:
			return false, nil
		}
	})
	if err != nil {
		t.Fatalf("waiting for the API server to enforce the policies: %v", err)
	}
}

// lastPolicies wait for each other: the validation refuses what the mutation has been at.
const lastPolicies = `
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: last}
spec:
  matchConstraints: {resourceRules: [{apiGroups: [''], apiVersions: [v1], operations: [CREATE], resources: [configmaps], resourceNames: [last]}]}
  validations: [{expression: '!has(object.data)', message: enforced}]
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: last}
spec: {policyName: last, validationActions: [Deny]}
---
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingAdmissionPolicy
metadata: {name: last}
spec:
  matchConstraints: {resourceRules: [{apiGroups: [''], apiVersions: [v1], operations: [CREATE], resources: [configmaps], resourceNames: [last]}]}
  reinvocationPolicy: Never
  mutations: [{patchType: ApplyConfiguration, applyConfiguration: {expression: "Object{data: {'mutated': 'yes'}}"}}]
---
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingAdmissionPolicyBinding
metadata: {name: last}
spec: {policyName: last}
`

// answer is what became of a request.
type answer struct {
	allowed bool
	// denials and warnings are, for each binding, what is said. An error is said in words of one's own: *.
	denial   string
	warnings []string
}

// compare waits for the server to answer as Holdfast does: its view of parameters may lag behind for a moment.
func (p *parity) compare(t *testing.T, r *prepared) {
	ours, denials := p.judge(r.req)
	var theirs answer
	err := wait.PollUntilContextTimeout(t.Context(), 100*time.Millisecond, 3*time.Second, true, func(context.Context) (bool, error) {
		theirs, _ = p.ask(t.Context(), r) // not with the end of the patience, which would be the last answer
		return theirs.allowed == ours.allowed && (ours.allowed || slices.ContainsFunc(denials, func(d string) bool { return says(d, theirs.denial) })) &&
			slices.EqualFunc(ours.warnings, theirs.warnings, says), nil
	})
	if err != nil {
		t.Errorf("the API server: allowed %v, %q, warnings %q\nHoldfast: allowed %v, %q, warnings %q", theirs.allowed, theirs.denial, theirs.warnings, ours.allowed, denials, ours.warnings)
	}
}

// says reports whether the server's text is ours, of which a * at the end stands for anything.
func says(ours, theirs string) bool {
	start, any := strings.CutSuffix(ours, "*")
	return ours == theirs || any && strings.HasPrefix(theirs, start)
}

// judge asks the snapshot, and sums up what the decisions would do to the request.
func (p *parity) judge(req *engine.Request) (a answer, denials []string) {
	in := &engine.Inputs{Lookups: p.lookups, Now: time.Now, Rand: rand.Reader}
	a.allowed = true
	for _, d := range p.snapshot.Validate(context.Background(), req, in) {
		binding := d.Rule.Binding()
		what := "*"
		errs := d.Status == engine.Error && d.Policy.FailurePolicy == engine.FailOnError
		if d.Status == engine.Fail {
			what = d.Message
		}
		if d.Denies() || errs && d.Action == engine.Enforce {
			a.allowed = false
			denials = append(denials, fmt.Sprintf("ValidatingAdmissionPolicy '%s' with binding '%s' denied request: %s", d.Policy.Name, binding, what))
			if errs { // an error of the policy is of no binding to the server
				denials = append(denials, fmt.Sprintf("ValidatingAdmissionPolicy '%s' denied request: *", d.Policy.Name))
			}
		}
		if (d.Status == engine.Fail || errs && d.Action == engine.Audit) && p.warns[binding] {
			a.warnings = append(a.warnings, fmt.Sprintf("Validation failed for ValidatingAdmissionPolicy '%s' with binding '%s': %s", d.Policy.Name, binding, what))
		}
	}
	slices.Sort(a.warnings)
	return a, denials
}

// ask sends the request. It gives the object that was made of it, if any was.
func (p *parity) ask(ctx context.Context, r *prepared) (answer, *unstructured.Unstructured) {
	var heard warnings
	ctx = context.WithValue(ctx, warningsKey{}, &heard)
	var err error
	var made *unstructured.Unstructured
	switch r.req.Operation {
	case engine.Update:
		made, err = r.client.Update(ctx, r.sent, metav1.UpdateOptions{DryRun: dryRun})
	case engine.Delete:
		err = r.client.Delete(ctx, r.req.Name, metav1.DeleteOptions{DryRun: dryRun})
	default:
		made, err = r.client.Create(ctx, r.sent, metav1.CreateOptions{DryRun: dryRun})
	}
	out := answer{allowed: err == nil}
	var status apierrors.APIStatus
	if errors.As(err, &status) && status.Status().Details != nil && len(status.Status().Details.Causes) > 0 {
		out.denial = status.Status().Details.Causes[0].Message
	} else if err != nil {
		out.denial = err.Error()
	}
	out.warnings = firstOfEach(heard.list)
	return out, made
}

// firstOfEach keeps the first warning of each binding: the server gives one for each validation that fails.
func firstOfEach(list []string) []string {
	seen := map[string]bool{}
	var out []string
	for _, w := range list {
		binding, _, _ := strings.Cut(w, "': ")
		if !seen[binding] {
			seen[binding] = true
			out = append(out, w)
		}
	}
	slices.Sort(out)
	return out
}
