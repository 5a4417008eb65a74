package lookup

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	informers "k8s.io/client-go/informers/rbac/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/metadata/metadatainformer"
	"k8s.io/client-go/tools/cache"

	"github.com/holdfast-io/holdfast/engine"
)

// bindings answers the questions that nearly every request brings from watches that run from the start: of the
// metadata of namespaces, and of the role bindings of each subject. It holds no other part of an object, and asks the
// API server within a request only about a namespace that is so new that the watch has not brought it.
type bindings struct {
	metadata            metadata.Interface
	namespaces          cache.SharedIndexInformer
	roleBindings        cache.SharedIndexInformer
	clusterRoleBindings cache.SharedIndexInformer
}

// bySubject is the index of bindings by whom they bind.
const bySubject = "subject"

func newBindings(client kubernetes.Interface, meta metadata.Interface, trouble func(error)) *bindings {
	l := &bindings{
		metadata: meta,
		namespaces: metadatainformer.NewFilteredMetadataInformer(meta, corev1.SchemeGroupVersion.WithResource("namespaces"),
			metav1.NamespaceAll, 0, cache.Indexers{}, nil).Informer(),
		roleBindings:        informers.NewRoleBindingInformer(client, metav1.NamespaceAll, 0, cache.Indexers{bySubject: indexSubjects}),
		clusterRoleBindings: informers.NewClusterRoleBindingInformer(client, 0, cache.Indexers{bySubject: indexSubjects}),
	}
	for _, informer := range l.informers() {
		// Both calls fail on an informer that runs already, which these do not.
		_ = informer.SetTransform(onlyWhatIsAsked)
		_ = informer.SetWatchErrorHandlerWithContext(func(_ context.Context, _ *cache.Reflector, err error) { trouble(err) })
	}
	return l
}

func (l *bindings) informers() []cache.SharedIndexInformer {
	return []cache.SharedIndexInformer{l.namespaces, l.roleBindings, l.clusterRoleBindings}
}

// onlyWhatIsAsked leaves out of a watched object what no look-up reads.
func onlyWhatIsAsked(object any) (any, error) {
	name := func(m metav1.Object) metav1.ObjectMeta {
		return metav1.ObjectMeta{Namespace: m.GetNamespace(), Name: m.GetName(), ResourceVersion: m.GetResourceVersion()}
	}
	switch o := object.(type) {
	case *metav1.PartialObjectMetadata:
		out := &metav1.PartialObjectMetadata{ObjectMeta: name(o)}
		out.Labels = o.Labels
		return out, nil
	case *rbacv1.RoleBinding:
		return &rbacv1.RoleBinding{ObjectMeta: name(o), Subjects: o.Subjects, RoleRef: o.RoleRef}, nil
	case *rbacv1.ClusterRoleBinding:
		return &rbacv1.ClusterRoleBinding{ObjectMeta: name(o), Subjects: o.Subjects, RoleRef: o.RoleRef}, nil
	default:
		return object, nil
	}
}

// run watches until ctx ends.
func (l *bindings) run(ctx context.Context) {
	var running sync.WaitGroup
	for _, informer := range l.informers() {
		running.Go(func() { informer.RunWithContext(ctx) })
	}
	running.Wait()
}

// synced says whether everything has been read once. Before that, look-ups are errors.
func (l *bindings) synced() bool {
	return !slices.ContainsFunc(l.informers(), func(i cache.SharedIndexInformer) bool { return !i.HasSynced() })
}

// wait waits until synced.
func (l *bindings) wait(ctx context.Context) error {
	for _, informer := range l.informers() {
		if !cache.WaitForCacheSync(ctx.Done(), informer.HasSynced) {
			return fmt.Errorf("reading namespaces and role bindings: %w", ctx.Err())
		}
	}
	return nil
}

// namespaceLabels gives the labels of a namespace. They are not to be changed.
func (l *bindings) namespaceLabels(ctx context.Context, namespace string) (map[string]string, error) {
	if !l.namespaces.HasSynced() {
		return nil, errNamespacesUnread
	}
	if labels, found := l.namespaceLabelsAtHand(namespace); found {
		return labels, nil
	}
	live, err := l.metadata.Resource(corev1.SchemeGroupVersion.WithResource("namespaces")).Get(ctx, namespace, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return nil, fmt.Errorf("namespace %s %w", namespace, engine.ErrNotFound)
	case err != nil:
		return nil, fmt.Errorf("looking up the labels of namespace %s: %w", namespace, err)
	}
	return live.Labels, nil
}

// namespaceLabelsAtHand gives those that are watched.
func (l *bindings) namespaceLabelsAtHand(namespace string) (map[string]string, bool) {
	if !l.namespaces.HasSynced() {
		return nil, false
	}
	object, found, err := l.namespaces.GetStore().GetByKey(namespace)
	if err != nil || !found {
		return nil, false
	}
	return object.(*metav1.PartialObjectMetadata).Labels, true
}

// roles gives the Roles (namespace:name) and ClusterRoles that are bound to the user, to one of the user's
// groups, or to the ServiceAccount that the user is; sorted, each once.
// Source: k8s.io/kubernetes/plugin/pkg/auth/authorizer/rbac, which authorizes by the same bindings.
func (l *bindings) roles(user *authenticationv1.UserInfo) (roles, clusterRoles []string, err error) {
	if !l.roleBindings.HasSynced() || !l.clusterRoleBindings.HasSynced() {
		return nil, nil, errRoleBindingsUnread
	}
	add := func(namespace string, ref rbacv1.RoleRef) {
		switch ref.Kind {
		case "Role":
			roles = append(roles, namespace+":"+ref.Name)
		case "ClusterRole":
			clusterRoles = append(clusterRoles, ref.Name)
		}
	}
	for _, key := range userKeys(user) {
		bound, err := l.roleBindings.GetIndexer().ByIndex(bySubject, key)
		if err != nil {
			return nil, nil, err
		}
		for _, object := range bound {
			binding := object.(*rbacv1.RoleBinding)
			add(binding.Namespace, binding.RoleRef)
		}
		if bound, err = l.clusterRoleBindings.GetIndexer().ByIndex(bySubject, key); err != nil {
			return nil, nil, err
		}
		for _, object := range bound {
			add("", object.(*rbacv1.ClusterRoleBinding).RoleRef)
		}
	}
	slices.Sort(roles)
	slices.Sort(clusterRoles)
	return slices.Compact(roles), slices.Compact(clusterRoles), nil
}

// userKeys are the keys under which the bindings of a user are found.
func userKeys(user *authenticationv1.UserInfo) []string {
	keys := make([]string, 0, len(user.Groups)+2)
	keys = append(keys, rbacv1.UserKind+"/"+user.Username)
	if account, ok := strings.CutPrefix(user.Username, "system:serviceaccount:"); ok {
		keys = append(keys, rbacv1.ServiceAccountKind+"/"+account)
	}
	for _, group := range user.Groups {
		keys = append(keys, rbacv1.GroupKind+"/"+group)
	}
	return keys
}

// indexSubjects gives the keys of a binding's subjects. A ServiceAccount without a namespace is one of the
// binding's own.
func indexSubjects(object any) ([]string, error) {
	var subjects []rbacv1.Subject
	namespace := ""
	switch binding := object.(type) {
	case *rbacv1.RoleBinding:
		subjects, namespace = binding.Subjects, binding.Namespace
	case *rbacv1.ClusterRoleBinding:
		subjects = binding.Subjects
	}
	keys := make([]string, 0, len(subjects))
	for _, s := range subjects {
		name := s.Name
		if s.Kind == rbacv1.ServiceAccountKind {
			if s.Namespace == "" {
				s.Namespace = namespace
			}
			name = s.Namespace + ":" + s.Name
		}
		keys = append(keys, s.Kind+"/"+name)
	}
	return keys, nil
}
