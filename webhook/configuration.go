package webhook

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/holdfast-io/holdfast/engine"
)

// Endpoint is where API servers reach the handler: one of the two.
type Endpoint struct {
	// URL is https://HOST:PORT, for a process outside the cluster. A path goes before the handler's.
	URL string
	// Service is the one in front of the replicas in the cluster. Its Path is not used; Port 0 is 443.
	Service *admissionregistrationv1.ServiceReference
}

// Validate says what is wrong with the endpoint.
func (e Endpoint) Validate() error {
	if (e.URL == "") == (e.Service == nil) {
		return errors.New("an endpoint has either a URL or a Service")
	}
	if s := e.Service; s != nil {
		if s.Name == "" || s.Namespace == "" {
			return errors.New("the Service of an endpoint has a name and a namespace")
		}
		return nil
	}
	u, err := url.Parse(e.URL)
	if err != nil {
		return fmt.Errorf("reading the URL of an endpoint: %w", err)
	}
	if u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return fmt.Errorf("%q is not the URL of an endpoint: expected https://HOST:PORT, without user, query and fragment", e.URL)
	}
	return nil
}

// client gives the API's form of the endpoint, with the API's defaults filled in.
func (e Endpoint) client(path string, bundle []byte) (admissionregistrationv1.WebhookClientConfig, error) {
	out := admissionregistrationv1.WebhookClientConfig{CABundle: bundle}
	if e.Service != nil {
		port := int32(443)
		if e.Service.Port != nil && *e.Service.Port != 0 {
			port = *e.Service.Port
		}
		out.Service = &admissionregistrationv1.ServiceReference{
			Namespace: e.Service.Namespace, Name: e.Service.Name, Path: &path, Port: &port,
		}
		return out, nil
	}
	full, err := url.JoinPath(e.URL, path)
	if err != nil {
		return out, fmt.Errorf("building the URL of %s: %w", path, err)
	}
	out.URL = &full
	return out, nil
}

// is reports whether a webhook's entry points to the endpoint, at whatever path.
func (e Endpoint) is(c *admissionregistrationv1.WebhookClientConfig) bool {
	if e.Service != nil {
		return c.Service != nil && c.Service.Namespace == e.Service.Namespace && c.Service.Name == e.Service.Name
	}
	return c.URL != nil && strings.HasPrefix(*c.URL, strings.TrimSuffix(e.URL, "/")+"/")
}

// Wanted is all that the webhook configurations are made of.
type Wanted struct {
	// Name of both configurations.
	Name     string
	Snapshot *engine.Snapshot
	// Resources are what the API server serves.
	Resources []Resource
	Endpoint  Endpoint
	// CABundle verifies the certificate of the endpoint, as PEM.
	CABundle []byte
	// Spared is never asked about.
	Spared Spared
	// Owners are the objects with which the configurations go.
	Owners []metav1.OwnerReference
	// Forgiving has the API server ignore failures whatever the policies say, because not all who are to answer it do.
	Forgiving bool
	// Policies are the types of policies to be asked about when they are written, if they are served.
	Policies []schema.GroupVersionResource
	// Guards are asked about writes of a resource of our own, if it is served.
	Guards []Guard
}

// Configurations are the webhook configurations that a bundle needs, with all fields as the API server
// would default them. One is nil where no rule needs it.
type Configurations struct {
	Validating *admissionregistrationv1.ValidatingWebhookConfiguration
	Mutating   *admissionregistrationv1.MutatingWebhookConfiguration
	// Unserved lists what policies select and the API server does not serve.
	Unserved []Unserved
	// Forgiving says that failures are ignored for all entries, and Forgiven for how many of policies with failurePolicy
	// Fail.
	Forgiving bool
	Forgiven  int
}

// managedBy marks what Holdfast writes. It is a label, so that one can list it.
var managedBy = [2]string{"app.kubernetes.io/managed-by", "holdfast"}

// Configure builds the configurations. The same input gives the same output, whatever its order.
func Configure(w Wanted) (Configurations, error) {
	out := Configurations{Forgiving: w.Forgiving}
	missing := unserved{}
	asked := [2]map[Group]demands{{}, {}} // by Hook
	served := newServedResources(w.Resources)
	for _, p := range w.Snapshot.Policies() {
		if !p.Admission {
			continue
		}
		for _, r := range p.Rules {
			hook := Validate
			switch {
			case r.FollowsRequests(): // reviews tell what it has to follow
			case r.Kind == engine.Generate, r.ChangesOthers():
				continue // what it wants of other objects is no answer to a review, and found by the audit
			case r.Kind == engine.Mutate:
				hook = Mutate
			}
			g := GroupOf(p)
			if asked[hook][g] == nil {
				asked[hook][g] = demands{}
			}
			asked[hook][g].add(r, served, missing)
		}
	}
	out.Unserved = missing.list()
	meta := metav1.ObjectMeta{Name: w.Name, Labels: map[string]string{managedBy[0]: managedBy[1]}, OwnerReferences: w.Owners}
	for _, hook := range []Hook{Validate, Mutate} {
		entries, err := w.entries(hook, asked[hook])
		if err != nil {
			return out, err
		}
		if w.Forgiving {
			out.Forgiven += forgive(entries)
		}
		if hook == Validate {
			entry, err := w.policies()
			if err != nil {
				return out, err
			}
			entries = append(entries, entry...)
		}
		if hook == Mutate {
			guards, err := w.guards()
			if err != nil {
				return out, err
			}
			entries = append(entries, guards...)
		}
		switch {
		case len(entries) == 0:
		case hook == Validate:
			out.Validating = &admissionregistrationv1.ValidatingWebhookConfiguration{ObjectMeta: meta, Webhooks: validating(entries)}
		default:
			out.Mutating = &admissionregistrationv1.MutatingWebhookConfiguration{ObjectMeta: meta, Webhooks: entries}
		}
	}
	return out, nil
}

// entries makes the entries of each group that has something to be asked about. They come in the form for
// mutation, which has one field more.
func (w *Wanted) entries(hook Hook, asked map[Group]demands) ([]admissionregistrationv1.MutatingWebhook, error) {
	var out []admissionregistrationv1.MutatingWebhook
	for _, g := range slices.SortedFunc(maps.Keys(asked), compareGroups) {
		client, err := w.Endpoint.client(hook.Path(g), w.CABundle)
		if err != nil {
			return nil, err
		}
		for _, p := range asked[g].parts(sieve{hook: hook, group: g}, w.Spared.namespaces()) {
			rules := p.places.rules()
			if len(rules) == 0 {
				continue
			}
			out = append(out, admissionregistrationv1.MutatingWebhook{
				Name:                    g.String() + p.suffix + "." + hook.String() + ".holdfast.dev",
				ClientConfig:            client,
				Rules:                   rules,
				FailurePolicy:           ptr(admissionregistrationv1.FailurePolicyType(g.FailurePolicy)),
				MatchPolicy:             ptr(admissionregistrationv1.Equivalent),
				NamespaceSelector:       p.namespaces,
				ObjectSelector:          joined(nil, p.objects),
				SideEffects:             ptr(admissionregistrationv1.SideEffectClassNone),
				TimeoutSeconds:          ptr(g.TimeoutSeconds),
				AdmissionReviewVersions: []string{"v1"},
				// A rule may depend on what webhooks after this one add, such as a sidecar.
				ReinvocationPolicy: ptr(admissionregistrationv1.IfNeededReinvocationPolicy),
				MatchConditions:    p.conditions(w.Spared),
			})
		}
	}
	return out, nil
}

// forgive has failures ignored, and gives the number of entries for which they were not.
func forgive(entries []admissionregistrationv1.MutatingWebhook) int {
	n := 0
	for i := range entries {
		if p := &entries[i].FailurePolicy; **p == admissionregistrationv1.Fail {
			*p = ptr(admissionregistrationv1.Ignore)
			n++
		}
	}
	return n
}

// policies is the entry about policies themselves, if any are served. It is asked in all namespaces, its own
// among them, and ignores failures: that nobody answers must not keep policies from being applied, and those
// that are broken nevertheless are found when they are loaded.
func (w *Wanted) policies() ([]admissionregistrationv1.MutatingWebhook, error) {
	wanted := places{}
	for i := range w.Resources {
		r := &w.Resources[i]
		if r.SubResource != "" || !slices.Contains(w.Policies, schema.GroupVersionResource{Group: r.Group, Version: r.Version, Resource: r.Name}) {
			continue
		}
		wanted[r.place()] = setOf([]engine.Operation{engine.Create, engine.Update})
	}
	if len(wanted) == 0 {
		return nil, nil
	}
	client, err := w.Endpoint.client(PoliciesPath, w.CABundle)
	if err != nil {
		return nil, err
	}
	entry := everywhere(client, wanted)
	entry.Name = "policies.validate.holdfast.dev"
	entry.FailurePolicy = ptr(admissionregistrationv1.Ignore)
	entry.MatchConditions = w.Spared.conditions(wanted)
	return []admissionregistrationv1.MutatingWebhook{entry}, nil
}

// everywhere is an entry about objects of our own, in all namespaces.
func everywhere(client admissionregistrationv1.WebhookClientConfig, of places) admissionregistrationv1.MutatingWebhook {
	return admissionregistrationv1.MutatingWebhook{
		ClientConfig:            client,
		Rules:                   of.rules(),
		MatchPolicy:             ptr(admissionregistrationv1.Equivalent),
		NamespaceSelector:       &metav1.LabelSelector{},
		ObjectSelector:          &metav1.LabelSelector{},
		SideEffects:             ptr(admissionregistrationv1.SideEffectClassNone),
		TimeoutSeconds:          ptr(int32(DefaultTimeoutSeconds)),
		AdmissionReviewVersions: []string{"v1"},
	}
}

func validating(entries []admissionregistrationv1.MutatingWebhook) []admissionregistrationv1.ValidatingWebhook {
	out := make([]admissionregistrationv1.ValidatingWebhook, len(entries))
	for i, e := range entries {
		out[i] = admissionregistrationv1.ValidatingWebhook{
			Name: e.Name, ClientConfig: e.ClientConfig, Rules: e.Rules, FailurePolicy: e.FailurePolicy,
			MatchPolicy: e.MatchPolicy, NamespaceSelector: e.NamespaceSelector, ObjectSelector: e.ObjectSelector,
			SideEffects: e.SideEffects, TimeoutSeconds: e.TimeoutSeconds,
			AdmissionReviewVersions: e.AdmissionReviewVersions, MatchConditions: e.MatchConditions,
		}
	}
	return out
}

func ptr[T any](v T) *T { return &v }
