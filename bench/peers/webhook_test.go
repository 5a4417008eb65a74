package peers

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/go-logr/logr"
	openapi "github.com/google/gnostic-models/openapiv2"
	kyvernov1 "github.com/kyverno/kyverno/api/kyverno/v1"
	"github.com/kyverno/kyverno/pkg/client/clientset/versioned/fake"
	informers "github.com/kyverno/kyverno/pkg/client/informers/externalversions"
	"github.com/kyverno/kyverno/pkg/clients/dclient"
	"github.com/kyverno/kyverno/pkg/config"
	peer "github.com/kyverno/kyverno/pkg/engine"
	"github.com/kyverno/kyverno/pkg/engine/adapters"
	"github.com/kyverno/kyverno/pkg/engine/factories"
	"github.com/kyverno/kyverno/pkg/engine/jmespath"
	"github.com/kyverno/kyverno/pkg/event"
	"github.com/kyverno/kyverno/pkg/metrics"
	"github.com/kyverno/kyverno/pkg/policycache"
	"github.com/kyverno/kyverno/pkg/webhooks/handlers"
	"github.com/kyverno/kyverno/pkg/webhooks/resource"
	"github.com/kyverno/kyverno/pkg/webhooks/updaterequest"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	kubeinformers "k8s.io/client-go/informers"
	kubefake "k8s.io/client-go/kubernetes/fake"
	"sigs.k8s.io/yaml"

	"github.com/holdfast-io/holdfast/bench/traffic"
)

// peerWebhook puts Kyverno's handler of validating reviews together as its own program does, from the bytes of the
// review to those of the answer, with its caches of policies and namespaces, and without a cluster. What it would leave
// to others costs nothing here: no log is written, no Event, no report, there is no RoleBinding to look through and no
// exception, and metrics go to nowhere. So this is less than what it costs in a cluster.
func peerWebhook() (http.Handler, error) {
	reviews, err := traffic.Reviews()
	if err != nil {
		return nil, err
	}
	policies, err := traffic.Policies()
	if err != nil {
		return nil, err
	}
	cache := policycache.NewCache()
	for _, text := range policies {
		policy := &kyvernov1.ClusterPolicy{}
		if err := yaml.Unmarshal(text, policy); err != nil {
			return nil, err
		}
		if err := cache.Set(policy.Name, policy, served{}); err != nil {
			return nil, fmt.Errorf("policy %s: %w", policy.Name, err)
		}
	}
	kube := kubeinformers.NewSharedInformerFactory(kubefake.NewSimpleClientset(), 0)
	namespaces, err := traffic.Namespaces(reviews)
	if err != nil {
		return nil, err
	}
	for _, name := range namespaces {
		namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"kubernetes.io/metadata.name": name}}}
		if err := kube.Core().V1().Namespaces().Informer().GetIndexer().Add(namespace); err != nil {
			return nil, err
		}
	}
	cfg := config.NewDefaultConfiguration(false)
	jp := jmespath.New(cfg)
	client := dclient.NewEmptyFakeClient()
	clientset := fake.NewSimpleClientset()
	own := informers.NewSharedInformerFactory(clientset, 0)
	e := peer.NewEngine(cfg, jp, adapters.Client(client), nil, nil, factories.DefaultContextLoaderFactory(nil), nil, nil)
	const workers, queue = 8, 1000 // its defaults
	h := resource.NewHandlers(
		e, client, clientset, cfg, metrics.NewFakeMetricsConfig(), cache, kube.Core().V1().Namespaces().Lister(),
		own.Kyverno().V2().UpdateRequests().Lister().UpdateRequests(config.KyvernoNamespace()),
		own.Kyverno().V1().ClusterPolicies(), own.Kyverno().V1().Policies(), updaterequest.NewFake(), event.NewFake(),
		false, "", "", jp, workers, queue,
	)
	validate := func(ctx context.Context, logger logr.Logger, request handlers.AdmissionRequest, started time.Time) handlers.AdmissionResponse {
		return h.Validate(ctx, logger, request, "all", started)
	}
	return handlers.FromAdmissionFunc("VALIDATE", validate).
		WithFilter(cfg).
		WithProtection(false).
		WithDump(false).
		WithRoles(kube.Rbac().V1().RoleBindings().Lister(), kube.Rbac().V1().ClusterRoleBindings().Lister()).
		WithMetrics(logr.Discard(), metrics.WebhookValidating).
		WithTopLevelGVK(served{}).
		WithAdmission(logr.Discard()).
		ToHandlerFunc("VALIDATE"), nil
}

// served is what the API server serves, as far as the policies and objects go.
type served struct{}

var servedResources = []struct {
	schema.GroupVersionKind
	plural string
}{
	{schema.GroupVersionKind{Version: "v1", Kind: "Pod"}, "pods"},
	{schema.GroupVersionKind{Version: "v1", Kind: "Service"}, "services"},
	{schema.GroupVersionKind{Version: "v1", Kind: "Namespace"}, "namespaces"},
	{schema.GroupVersionKind{Version: "v1", Kind: "ConfigMap"}, "configmaps"},
	{schema.GroupVersionKind{Version: "v1", Kind: "PersistentVolumeClaim"}, "persistentvolumeclaims"},
	{schema.GroupVersionKind{Version: "v1", Kind: "ReplicationController"}, "replicationcontrollers"},
	{schema.GroupVersionKind{Group: "apps", Version: "v1", Kind: "Deployment"}, "deployments"},
	{schema.GroupVersionKind{Group: "apps", Version: "v1", Kind: "DaemonSet"}, "daemonsets"},
	{schema.GroupVersionKind{Group: "apps", Version: "v1", Kind: "StatefulSet"}, "statefulsets"},
	{schema.GroupVersionKind{Group: "apps", Version: "v1", Kind: "ReplicaSet"}, "replicasets"},
	{schema.GroupVersionKind{Group: "batch", Version: "v1", Kind: "Job"}, "jobs"},
	{schema.GroupVersionKind{Group: "batch", Version: "v1", Kind: "CronJob"}, "cronjobs"},
	{schema.GroupVersionKind{Group: "networking.k8s.io", Version: "v1", Kind: "Ingress"}, "ingresses"},
	{schema.GroupVersionKind{Group: "policy", Version: "v1", Kind: "PodDisruptionBudget"}, "poddisruptionbudgets"},
}

func (served) FindResources(group, version, kind, subresource string) (map[dclient.TopLevelApiDescription]metav1.APIResource, error) {
	for _, r := range servedResources {
		if r.Kind == kind && slices.Contains([]string{"*", r.Group}, group) && slices.Contains([]string{"*", r.Version}, version) {
			key := dclient.TopLevelApiDescription{GroupVersion: r.GroupVersion(), Kind: kind, Resource: r.plural, SubResource: subresource}
			return map[dclient.TopLevelApiDescription]metav1.APIResource{key: {Name: r.plural, Kind: kind}}, nil
		}
	}
	return nil, fmt.Errorf("%s/%s/%s is not served", group, version, kind)
}

func (served) GetGVKFromGVR(gvr schema.GroupVersionResource) (schema.GroupVersionKind, error) {
	for _, r := range servedResources {
		if r.plural == gvr.Resource && r.GroupVersion() == gvr.GroupVersion() {
			return r.GroupVersionKind, nil
		}
	}
	return schema.GroupVersionKind{}, fmt.Errorf("%s is not served", gvr)
}

func (served) GetGVRFromGVK(gvk schema.GroupVersionKind) (schema.GroupVersionResource, error) {
	for _, r := range servedResources {
		if r.GroupVersionKind == gvk {
			return gvk.GroupVersion().WithResource(r.plural), nil
		}
	}
	return schema.GroupVersionResource{}, fmt.Errorf("%s is not served", gvk)
}

func (served) OpenAPISchema() (*openapi.Document, error)                    { return nil, nil }
func (served) CachedDiscoveryInterface() discovery.CachedDiscoveryInterface { return nil }
func (served) OnChanged(func())                                             {}
