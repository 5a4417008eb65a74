package lookup

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
	authenticationv1 "k8s.io/api/authentication/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	metadatafake "k8s.io/client-go/metadata/fake"
	clienttesting "k8s.io/client-go/testing"

	"github.com/holdfast-io/holdfast/engine"
)

var _ engine.Lookups = (*Cluster)(nil)

func namespaceObject(name string, labels map[string]string) *metav1.PartialObjectMetadata {
	return &metav1.PartialObjectMetadata{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Namespace"},
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels},
	}
}

func metadataClient(t *testing.T, objects ...runtime.Object) *metadatafake.FakeMetadataClient {
	t.Helper()
	scheme := metadatafake.NewTestScheme()
	if err := metav1.AddMetaToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	return metadatafake.NewSimpleMetadataClient(scheme, objects...)
}

// started gives look-ups that have read everything, and run until the test ends.
func started(t *testing.T, client *fake.Clientset, meta *metadatafake.FakeMetadataClient) *bindings {
	t.Helper()
	l := newBindings(client, meta, func(error) {})
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { l.run(ctx) })
	t.Cleanup(func() { cancel(); running.Wait() })
	if err := l.wait(ctx); err != nil {
		t.Fatal(err)
	}
	synctest.Wait()
	return l
}

func TestRolesAreThoseThatAreBound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		role := func(kind, name string) rbacv1.RoleRef { return rbacv1.RoleRef{Kind: kind, Name: name} }
		subject := func(kind, namespace, name string) rbacv1.Subject {
			return rbacv1.Subject{Kind: kind, Namespace: namespace, Name: name}
		}
		meta := func(namespace, name string) metav1.ObjectMeta {
			return metav1.ObjectMeta{Namespace: namespace, Name: name}
		}
		client := fake.NewClientset(
			&rbacv1.RoleBinding{ObjectMeta: meta("a", "1"), RoleRef: role("Role", "editor"), Subjects: []rbacv1.Subject{subject("User", "", "alice"), subject("Group", "", "sea")}},
			&rbacv1.RoleBinding{ObjectMeta: meta("b", "1"), RoleRef: role("Role", "editor"), Subjects: []rbacv1.Subject{subject("User", "", "alice")}},
			&rbacv1.RoleBinding{ObjectMeta: meta("b", "2"), RoleRef: role("ClusterRole", "view"), Subjects: []rbacv1.Subject{subject("Group", "", "sea")}},
			&rbacv1.RoleBinding{ObjectMeta: meta("b", "3"), RoleRef: role("Role", "robot"), Subjects: []rbacv1.Subject{subject("ServiceAccount", "", "bot")}},
			&rbacv1.ClusterRoleBinding{ObjectMeta: meta("", "1"), RoleRef: role("ClusterRole", "admin"), Subjects: []rbacv1.Subject{subject("User", "", "root")}},
			&rbacv1.ClusterRoleBinding{ObjectMeta: meta("", "2"), RoleRef: role("ClusterRole", "view"), Subjects: []rbacv1.Subject{subject("User", "", "alice"), subject("ServiceAccount", "b", "bot")}},
		)
		l := started(t, client, metadataClient(t))
		for name, c := range map[string]struct {
			user   authenticationv1.UserInfo
			roles  []string
			croles []string
		}{
			"a user":                             {authenticationv1.UserInfo{Username: "alice"}, []string{"a:editor", "b:editor"}, []string{"view"}},
			"a user and a group: each role once": {authenticationv1.UserInfo{Username: "alice", Groups: []string{"sea"}}, []string{"a:editor", "b:editor"}, []string{"view"}},
			"a group":                            {authenticationv1.UserInfo{Username: "bob", Groups: []string{"land", "sea"}}, []string{"a:editor"}, []string{"view"}},
			"a ServiceAccount":                   {authenticationv1.UserInfo{Username: "system:serviceaccount:b:bot"}, []string{"b:robot"}, []string{"view"}},
			"one of the same name elsewhere":     {authenticationv1.UserInfo{Username: "system:serviceaccount:a:bot"}, nil, nil},
			"a user named like a group":          {authenticationv1.UserInfo{Username: "sea"}, nil, nil},
			"a cluster role":                     {authenticationv1.UserInfo{Username: "root"}, nil, []string{"admin"}},
			"nobody":                             {authenticationv1.UserInfo{}, nil, nil},
		} {
			roles, croles, err := l.roles(&c.user)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.roles, roles); diff != "" {
				t.Errorf("%s: roles (-want +got):\n%s", name, diff)
			}
			if diff := cmp.Diff(c.croles, croles); diff != "" {
				t.Errorf("%s: cluster roles (-want +got):\n%s", name, diff)
			}
		}

		if err := client.RbacV1().ClusterRoleBindings().Delete(t.Context(), "1", metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if _, croles, err := l.roles(&authenticationv1.UserInfo{Username: "root"}); err != nil || croles != nil {
			t.Errorf("a binding that is gone still counts: %v, %v", croles, err)
		}
		for _, action := range client.Actions() {
			if action.GetVerb() == "get" {
				t.Errorf("the API server was asked within a request: %v", action)
			}
		}
	})
}

func TestNamespaceLabels(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		meta := metadataClient(t, namespaceObject("known", map[string]string{"team": "sea"}))
		l := started(t, fake.NewClientset(), meta)
		meta.ClearActions()
		if got, err := l.namespaceLabels(t.Context(), "known"); err != nil || got["team"] != "sea" {
			t.Errorf("known: %v, %v", got, err)
		}
		if n := len(meta.Actions()); n != 0 {
			t.Errorf("%d requests for what is watched", n)
		}

		// The watch has not brought it yet.
		meta.PrependReactor("get", "namespaces", func(action clienttesting.Action) (bool, runtime.Object, error) {
			switch action.(clienttesting.GetAction).GetName() {
			case "new":
				return true, namespaceObject("new", map[string]string{"team": "land"}), nil
			case "broken":
				return true, nil, errors.New("nobody answers")
			}
			return false, nil, nil
		})
		if got, err := l.namespaceLabels(t.Context(), "new"); err != nil || got["team"] != "land" {
			t.Errorf("new: %v, %v", got, err)
		}
		for name, want := range map[string]string{"broken": "looking up the labels of namespace broken: nobody answers", "none": "namespace none does not exist"} {
			if got, err := l.namespaceLabels(t.Context(), name); err == nil || err.Error() != want || got != nil {
				t.Errorf("%s: %v, %v; expected %s", name, got, err, want)
			}
		}
	})
}

// What has not been read is an error. It must not pass for a namespace without labels or a user without roles.
func TestLookupsBeforeTheWatchesAreThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := fake.NewClientset()
		client.PrependReactor("list", "rolebindings", func(clienttesting.Action) (bool, runtime.Object, error) {
			return true, nil, errors.New("forbidden")
		})
		l := newBindings(client, metadataClient(t), func(error) {})
		if _, err := l.namespaceLabels(t.Context(), "x"); !errors.Is(err, errNamespacesUnread) {
			t.Errorf("labels: %v", err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { l.run(ctx) })
		synctest.Wait()
		if _, _, err := l.roles(&authenticationv1.UserInfo{Username: "x"}); !errors.Is(err, errRoleBindingsUnread) {
			t.Errorf("roles: %v", err)
		}
		if l.synced() {
			t.Error("synced, though the role bindings cannot be read")
		}
		cancel()
		if err := l.wait(ctx); err == nil || err.Error() != "reading namespaces and role bindings: context canceled" {
			t.Errorf("waiting: %v", err)
		}
		running.Wait()
	})
}
