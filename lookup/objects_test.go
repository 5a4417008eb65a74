package lookup

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	watchapi "k8s.io/apimachinery/pkg/watch"
	clienttesting "k8s.io/client-go/testing"

	"github.com/holdfast-io/holdfast/engine"
)

var resourceOfConfigMaps = schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}

// refuse makes the API server answer a verb with Forbidden, until the right is granted.
func (w *world) refuse(verb, resource string) *atomic.Bool {
	return w.fail(verb, resource, forbidden(resource))
}

// fail makes the API server answer a verb, and with list the watch, with an error, until it is told not to.
func (w *world) fail(verb, resource string, err error) (over *atomic.Bool) {
	over = &atomic.Bool{}
	w.dynamic.PrependReactor(verb, resource, func(clienttesting.Action) (bool, runtime.Object, error) { return !over.Load(), nil, err })
	if verb == "list" {
		w.dynamic.PrependWatchReactor(resource, func(clienttesting.Action) (bool, watchapi.Interface, error) { return !over.Load(), nil, err })
	}
	return over
}

func forbidden(resource string) error {
	return apierrors.NewForbidden(schema.GroupResource{Resource: resource}, "x", errors.New("no right"))
}

func TestAnObjectIsAnsweredFromAWatch(t *testing.T) {
	bubble(t, func(t *testing.T) {
		settings := object("ConfigMap", "a", "settings", map[string]any{"data": map[string]any{"env": "prod"}, "count": int64(3), "list": []any{int64(1), "x"}})
		settings.SetManagedFields([]metav1.ManagedFieldsEntry{{Manager: "kubectl"}})
		w := newWorld(t, settings).start(t)
		got, err := w.Get(t.Context(), configMaps, "a", "settings")
		says(t, err, "")
		want := map[string]any{
			"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"namespace": "a", "name": "settings"},
			"data": map[string]any{"env": "prod"}, "count": 3.0, "list": []any{1.0, "x"},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		w.dynamic.ClearActions()

		settings.Object["data"] = map[string]any{"env": "test"}
		if _, err := w.dynamic.Resource(resourceOfConfigMaps).Namespace("a").Update(t.Context(), settings, metav1.UpdateOptions{}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		got, err = w.Get(t.Context(), schema.GroupVersionKind{Version: "v1", Kind: "configmaps"}, "a", "settings")
		says(t, err, "")
		if diff := cmp.Diff(map[string]any{"env": "test"}, got["data"]); diff != "" {
			t.Errorf("after a change (-want +got):\n%s", diff)
		}
		if n := w.count("get") + w.count("list"); n != 0 {
			t.Errorf("%d requests for what is watched", n)
		}
	})
}

func TestWhatAWatchDoesNotHaveIsAskedFor(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t).start(t)
		_, err := w.Get(t.Context(), configMaps, "a", "none")
		says(t, err, "ConfigMap a/none does not exist")
		if !errors.Is(err, engine.ErrNotFound) {
			t.Error("what does not exist is not ErrNotFound")
		}
		w.dynamic.PrependReactor("get", "configmaps", func(clienttesting.Action) (bool, runtime.Object, error) {
			return true, object("ConfigMap", "a", "new", nil), nil
		})
		if got, err := w.Get(t.Context(), configMaps, "a", "new"); err != nil || got["kind"] != "ConfigMap" {
			t.Errorf("what the watch has not brought: %v, %v", got, err)
		}
	})
}

func TestWithoutTheRightToWatchObjectsAreRead(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, object("ConfigMap", "a", "settings", nil)).start(t)
		w.refuse("list", "configmaps")
		if got, err := w.Get(t.Context(), configMaps, "a", "settings"); err != nil || got["kind"] != "ConfigMap" {
			t.Errorf("got %v, %v", got, err)
		}
		_, err := w.List(t.Context(), configMaps, "a", nil)
		says(t, err, `listing ConfigMap: the right to list configmaps is missing: configmaps "x" is forbidden: no right`)
		w.refuse("get", "configmaps")
		_, err = w.Get(t.Context(), configMaps, "a", "settings")
		says(t, err, `looking up ConfigMap a/settings: the right to get configmaps is missing: configmaps "x" is forbidden: no right`)
		if outcome(err) != "forbidden" {
			t.Errorf("the outcome is %s", outcome(err))
		}
		if errors.Is(err, engine.ErrNotFound) {
			t.Error("what may not be read passes for what does not exist")
		}
	})
}

// A right that is taken away ends the answers, and one that is granted is noticed.
func TestAWatchThatFailedIsTriedAgainLater(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, object("ConfigMap", "a", "settings", nil)).start(t)
		granted := w.refuse("list", "configmaps")
		lists := func() int {
			w.dynamic.ClearActions()
			if _, err := w.Get(t.Context(), configMaps, "a", "settings"); err != nil {
				t.Fatal(err)
			}
			return w.count("list") + w.count("watch")
		}
		if lists() == 0 {
			t.Fatal("no watch was tried")
		}
		granted.Store(true)
		if n := lists(); n != 0 {
			t.Errorf("it was tried again at once: %d requests", n)
		}
		time.Sleep(retryAfter)
		if lists() == 0 {
			t.Error("it was not tried again")
		}
		if lists(); w.count("get") != 0 {
			t.Error("the watch does not answer")
		}
	})
}

func TestASecretIsNeverWatched(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, object("Secret", "a", "token", map[string]any{"data": map[string]any{"t": "eHg="}})).start(t)
		if got, err := w.Get(t.Context(), secretKind, "a", "token"); err != nil || got["kind"] != "Secret" {
			t.Errorf("got %v, %v", got, err)
		}
		if got, err := w.List(t.Context(), secretKind, "a", nil); err != nil || len(got) != 1 {
			t.Errorf("got %v, %v", got, err)
		}
		w.SetEntries([]*engine.GlobalContext{watching("tokens", schema.GroupVersionResource{Version: "v1", Resource: "secrets"}, "")})
		if got, err := w.GlobalContext(t.Context(), "tokens"); err != nil || len(got.([]any)) != 1 {
			t.Errorf("got %v, %v", got, err)
		}
		synctest.Wait()
		if n := w.count("watch"); n != 0 {
			t.Errorf("%d watches of Secrets", n)
		}
	})
}

func TestLists(t *testing.T) {
	bubble(t, func(t *testing.T) {
		labeledMap := func(namespace, name, tier string) *unstructured.Unstructured {
			o := object("ConfigMap", namespace, name, nil)
			o.SetLabels(map[string]string{"tier": tier})
			return o
		}
		w := newWorld(t, labeledMap("b", "1", "web"), labeledMap("a", "2", "db"), labeledMap("a", "1", "web"), object("Node", "", "n1", nil)).start(t)
		for name, test := range map[string]struct {
			kind      schema.GroupVersionKind
			namespace string
			selector  labels.Selector
			want      []string
		}{
			"all, by namespace and name":  {configMaps, "", nil, []string{"a/1", "a/2", "b/1"}},
			"of a namespace":              {configMaps, "a", nil, []string{"a/1", "a/2"}},
			"by labels":                   {configMaps, "", labels.SelectorFromSet(labels.Set{"tier": "web"}), []string{"a/1", "b/1"}},
			"of a namespace that is none": {configMaps, "c", nil, []string{}},
			"of the cluster":              {nodes, "", nil, []string{"/n1"}},
		} {
			r, err := w.objects.mapper.find(t.Context(), test.kind)
			says(t, err, "")
			for _, path := range []string{"watched", "read"} {
				list, err := w.List(t.Context(), test.kind, test.namespace, test.selector)
				if path == "read" {
					list, err = w.objects.listLive(t.Context(), &r, test.namespace, test.selector)
				}
				says(t, err, "")
				got := []string{}
				for _, o := range list {
					u := unstructured.Unstructured{Object: o}
					got = append(got, u.GetNamespace()+"/"+u.GetName())
				}
				if diff := cmp.Diff(test.want, got); diff != "" {
					t.Errorf("%s, %s (-want +got):\n%s", name, path, diff)
				}
			}
		}
	})
}

func TestLookupsOfObjectsThatCannotBe(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t).start(t)
		for name, test := range map[string]struct {
			kind            schema.GroupVersionKind
			namespace, name string
			want            string
		}{
			"a kind that is not served":    {schema.GroupVersionKind{Version: "v1", Kind: "Widget"}, "a", "x", "looking up Widget a/x: the cluster does not serve the kind Widget of v1"},
			"a group that is not served":   {schema.GroupVersionKind{Group: "x.y", Version: "v1", Kind: "Widget"}, "a", "x", "looking up Widget a/x: the cluster does not serve the kind Widget of x.y/v1"},
			"no name":                      {configMaps, "a", "", "looking up a ConfigMap: its name is empty"},
			"no namespace":                 {configMaps, "", "x", "looking up ConfigMap x: its namespace is empty"},
			"a name that leads elsewhere":  {configMaps, "a", "../../secrets/x", `looking up ConfigMap a/../../secrets/x: "../../secrets/x" is no name: it may not contain '/'`},
			"a namespace that does":        {configMaps, "..", "x", `looking up ConfigMap ../x: ".." is no name: it may not be '..'`},
			"a subresource instead":        {schema.GroupVersionKind{Version: "v1", Kind: "configmaps/status"}, "a", "x", "looking up configmaps/status a/x: the cluster does not serve the kind configmaps/status of v1"},
			"a name with an escape in it":  {configMaps, "a", "x%2f", `looking up ConfigMap a/x%2f: "x%2f" is no name: it may not contain '%'`},
			"a node that does not exist":   {nodes, "", "x", "Node x does not exist"},
			"a kind that cannot be listed": {schema.GroupVersionKind{Version: "v1", Kind: "ComponentStatus"}, "", "x", "ComponentStatus x does not exist"},
		} {
			if _, err := w.Get(t.Context(), test.kind, test.namespace, test.name); err == nil || err.Error() != test.want {
				t.Errorf("%s: got %v, want %s", name, err, test.want)
			}
		}
		_, err := w.List(t.Context(), configMaps, "../x", nil)
		says(t, err, `listing ConfigMap: "../x" is no name: it may not contain '/'`)
	})
}

func TestAKindThatIsDefinedLaterIsFound(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t).start(t)
		kind := schema.GroupVersionKind{Version: "v1", Kind: "Pod"}
		asked := func() string {
			w.discovery.Fake.ClearActions()
			_, err := w.objects.mapper.find(t.Context(), kind)
			if err != nil {
				return fmt.Sprint(len(w.discovery.Fake.Actions()), " ", err)
			}
			return fmt.Sprint(len(w.discovery.Fake.Actions()))
		}
		const none = "the cluster does not serve the kind Pod of v1"
		if got := asked(); got != "1 "+none {
			t.Errorf("first: %s", got)
		}
		w.discovery.Resources[0].APIResources = append(w.discovery.Resources[0].APIResources, metav1.APIResource{Name: "pods", Kind: "Pod", Namespaced: true})
		time.Sleep(rereadAfter + 1)
		if got := asked(); got != "1" {
			t.Errorf("later: %s", got)
		}
		kind.Kind = "Widget"
		if got := asked(); got != "0 the cluster does not serve the kind Widget of v1" {
			t.Errorf("another one at once: %s", got)
		}
	})
}

func TestAnObjectThatIsTooLargeIsAnError(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, object("ConfigMap", "a", "huge", map[string]any{"data": map[string]any{"x": strings.Repeat("x", 5_000_000)}})).start(t)
		const want = "ConfigMap a/huge is 5.0 MB long: the limit of a look-up is 2.1 MB"
		_, err := w.Get(t.Context(), configMaps, "a", "huge")
		says(t, err, want)
		_, err = w.List(t.Context(), configMaps, "a", nil)
		says(t, err, want)
		if _, _, held := w.objects.watches.held(); held != 0 {
			t.Errorf("%d bytes are held", held)
		}
		w.refuse("list", "configmaps")
		w.objects.watches.byKind = map[schema.GroupVersionResource]*watch{}
		_, err = w.Get(t.Context(), configMaps, "a", "huge")
		says(t, err, want)
		if outcome(err) != "too_large" {
			t.Errorf("the outcome is %s", outcome(err))
		}
	})
}

// A kind and the name of its resource lead to one another.
func TestKindsAndResources(t *testing.T) {
	w := newWorld(t, object("ConfigMap", "a", "settings", nil))
	w.start(t)
	for _, name := range []string{"ConfigMap", "configmaps"} {
		kind, resource, err := w.Map(t.Context(), schema.GroupVersionKind{Version: "v1", Kind: name})
		says(t, err, "")
		if kind != configMaps || resource != (schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}) {
			t.Errorf("%s: got %v, %v", name, kind, resource)
		}
	}
	_, _, err := w.Map(t.Context(), schema.GroupVersionKind{Version: "v1", Kind: "mermaids"})
	says(t, err, "the cluster does not serve the kind mermaids of v1")
	if errors.Is(err, engine.ErrNoLookup) || errors.Is(err, engine.ErrNotFound) {
		t.Errorf("%v says more than that nobody knows", err)
	}
}
