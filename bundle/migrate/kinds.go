package migrate

import (
	"reflect"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	batchv1 "k8s.io/api/batch/v1"
	certificatesv1 "k8s.io/api/certificates/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// known is a kind of Kubernetes itself.
type known struct {
	group, version, kind, plural string
	namespaced                   bool
	typ                          reflect.Type
}

func namespaced[T any](group, version, plural string) known {
	t := reflect.TypeFor[T]()
	return known{group, version, t.Name(), plural, true, t}
}

func clusterWide[T any](group, version, plural string) known {
	t := reflect.TypeFor[T]()
	return known{group, version, t.Name(), plural, false, t}
}

// knownKinds are the kinds of Kubernetes that policies speak of, with the types of the versions that are served.
func knownKinds() []known {
	return []known{
		namespaced[corev1.ConfigMap]("", "v1", "configmaps"),
		namespaced[corev1.Endpoints]("", "v1", "endpoints"), //nolint:staticcheck // deprecated, and served: policies speak of it
		namespaced[corev1.LimitRange]("", "v1", "limitranges"),
		clusterWide[corev1.Namespace]("", "v1", "namespaces"),
		clusterWide[corev1.Node]("", "v1", "nodes"),
		clusterWide[corev1.PersistentVolume]("", "v1", "persistentvolumes"),
		namespaced[corev1.PersistentVolumeClaim]("", "v1", "persistentvolumeclaims"),
		namespaced[corev1.Pod]("", "v1", "pods"),
		namespaced[corev1.PodTemplate]("", "v1", "podtemplates"),
		namespaced[corev1.ReplicationController]("", "v1", "replicationcontrollers"),
		namespaced[corev1.ResourceQuota]("", "v1", "resourcequotas"),
		namespaced[corev1.Secret]("", "v1", "secrets"),
		namespaced[corev1.Service]("", "v1", "services"),
		namespaced[corev1.ServiceAccount]("", "v1", "serviceaccounts"),
		namespaced[appsv1.ControllerRevision]("apps", "v1", "controllerrevisions"),
		namespaced[appsv1.DaemonSet]("apps", "v1", "daemonsets"),
		namespaced[appsv1.Deployment]("apps", "v1", "deployments"),
		namespaced[appsv1.ReplicaSet]("apps", "v1", "replicasets"),
		namespaced[appsv1.StatefulSet]("apps", "v1", "statefulsets"),
		namespaced[autoscalingv2.HorizontalPodAutoscaler]("autoscaling", "v2", "horizontalpodautoscalers"),
		namespaced[batchv1.CronJob]("batch", "v1", "cronjobs"),
		namespaced[batchv1.Job]("batch", "v1", "jobs"),
		clusterWide[certificatesv1.CertificateSigningRequest]("certificates.k8s.io", "v1", "certificatesigningrequests"),
		namespaced[coordinationv1.Lease]("coordination.k8s.io", "v1", "leases"),
		namespaced[discoveryv1.EndpointSlice]("discovery.k8s.io", "v1", "endpointslices"),
		namespaced[networkingv1.Ingress]("networking.k8s.io", "v1", "ingresses"),
		clusterWide[networkingv1.IngressClass]("networking.k8s.io", "v1", "ingressclasses"),
		namespaced[networkingv1.NetworkPolicy]("networking.k8s.io", "v1", "networkpolicies"),
		namespaced[policyv1.PodDisruptionBudget]("policy", "v1", "poddisruptionbudgets"),
		clusterWide[rbacv1.ClusterRole]("rbac.authorization.k8s.io", "v1", "clusterroles"),
		clusterWide[rbacv1.ClusterRoleBinding]("rbac.authorization.k8s.io", "v1", "clusterrolebindings"),
		namespaced[rbacv1.Role]("rbac.authorization.k8s.io", "v1", "roles"),
		namespaced[rbacv1.RoleBinding]("rbac.authorization.k8s.io", "v1", "rolebindings"),
		clusterWide[schedulingv1.PriorityClass]("scheduling.k8s.io", "v1", "priorityclasses"),
		clusterWide[storagev1.StorageClass]("storage.k8s.io", "v1", "storageclasses"),
		clusterWide[admissionregistrationv1.ValidatingWebhookConfiguration]("admissionregistration.k8s.io", "v1", "validatingwebhookconfigurations"),
		clusterWide[admissionregistrationv1.MutatingWebhookConfiguration]("admissionregistration.k8s.io", "v1", "mutatingwebhookconfigurations"),
	}
}

// custom is what is known of an object of any other kind: its metadata.
type custom struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
}

func customType() *fieldType { return objectType(reflect.TypeFor[custom]()) }
