package audit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	kyvernov1 "github.com/kyverno/kyverno/api/kyverno/v1"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"
	authenticationv1 "k8s.io/api/authentication/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/dynamic/fake"
	clienttesting "k8s.io/client-go/testing"
	"sigs.k8s.io/yaml"

	"github.com/holdfast-io/holdfast/bundle"
	"github.com/holdfast-io/holdfast/engine"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// policyFor makes a policy that wants the label team on objects of the kinds.
func policyFor(name string, kinds ...string) string {
	return fmt.Sprintf(`
apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {name: %s, annotations: {pod-policies.kyverno.io/autogen-controllers: none}}
spec:
  rules:
  - name: team
    match: {any: [{resources: {kinds: [%s]}}]}
    validate:
      message: who is called at night?
      pattern: {metadata: {labels: {team: "?*"}}}
`, name, strings.Join(kinds, ", "))
}

func compile(t testing.TB, documents ...string) *engine.Snapshot {
	t.Helper()
	compiler, err := engine.NewCompiler()
	if err != nil {
		t.Fatal(err)
	}
	var policies []*engine.Policy
	for _, text := range documents {
		if strings.Contains(text, bundle.PoliciesGroup+"/") {
			policies = append(policies, compileObject(t, compiler, text))
			continue
		}
		source := &kyvernov1.ClusterPolicy{}
		if err := yaml.UnmarshalStrict([]byte(text), source); err != nil {
			t.Fatal(err)
		}
		p, err := compiler.Compile(source, nil)
		if err != nil {
			t.Fatal(err)
		}
		policies = append(policies, p)
	}
	s, err := engine.NewSnapshot(policies)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// compileObject compiles a policy in CEL.
func compileObject(t testing.TB, compiler *engine.Compiler, text string) *engine.Policy {
	t.Helper()
	var object map[string]any
	if err := yaml.Unmarshal([]byte(text), &object); err != nil {
		t.Fatal(err)
	}
	o, problems := bundle.CompileObject(compiler, object)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	return o.Policy
}

type snapshots struct {
	atomic.Pointer[engine.Snapshot]
}

func (s *snapshots) Current() *engine.Snapshot { return s.Load() }

// discovery serves the types that a test says.
type discovery struct {
	mu    sync.Mutex
	types []Type
	err   error
}

func (d *discovery) Types(context.Context) ([]Type, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.types), d.err
}

func (d *discovery) set(err error, types ...Type) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.types, d.err = types, err
}

type noLookups struct{ engine.NoLookups }

func (noLookups) NamespaceLabels(context.Context, string) (map[string]string, error) { return nil, nil }
func (noLookups) Roles(context.Context, *authenticationv1.UserInfo) (roles, clusterRoles []string, err error) {
	return nil, nil, nil
}

// ledger is a Sink that writes down what it is told.
type ledger struct {
	mu    sync.Mutex
	lines []string
	// known is the state of each object, as reports would show it.
	known map[string]string
	// news are the UIDs of the objects to which something had happened just then.
	news []string
	// looked is what it was told of the types that are audited.
	looked func(schema.GroupVersionKind) bool
}

func (l *ledger) say(format string, args ...any) {
	l.lines = append(l.lines, fmt.Sprintf(format, args...))
}

func (l *ledger) Found(f Finding) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var words []string
	for _, d := range f.Result.Decisions {
		words = append(words, d.Status.String())
	}
	l.known[f.Object.UID] = strings.Join(words, " ")
	l.say("%s %s", f.Object.UID, l.known[f.Object.UID])
	if f.News {
		l.news = append(l.news, f.Object.UID)
	}
}

// newsOf gives the UIDs of the objects that were told of as news since the last call, in order.
func (l *ledger) newsOf() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	slices.Sort(l.news)
	out := strings.Join(l.news, " ")
	l.news = nil
	return out
}

func (l *ledger) Gone(o Object) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.known, o.UID)
	l.say("%s gone", o.UID)
}

func (l *ledger) Listed(t Type, seen func(string) bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for uid := range l.known {
		if seen(uid) {
			n++
		}
	}
	l.say("%s: %d", t.label(), n)
}

func (l *ledger) Audited(looked func(schema.GroupVersionKind) bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.looked = looked
}

// told gives what was said since the last call, in order of the alphabet.
func (l *ledger) told() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	slices.Sort(l.lines)
	out := strings.Join(l.lines, ", ")
	l.lines = nil
	return out
}

var (
	podType  = Type{Kind: schema.GroupVersionKind{Version: "v1", Kind: "Pod"}, Resource: schema.GroupVersionResource{Version: "v1", Resource: "pods"}, Namespaced: true, Preferred: true}
	secret   = Type{Kind: schema.GroupVersionKind{Version: "v1", Kind: "Secret"}, Resource: schema.GroupVersionResource{Version: "v1", Resource: "secrets"}, Namespaced: true, Preferred: true}
	deployV1 = Type{Kind: schema.GroupVersionKind{Group: "apps", Version: "v1", Kind: "Deployment"}, Resource: schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "deployments"}, Namespaced: true, Preferred: true}
	deployB1 = Type{Kind: schema.GroupVersionKind{Group: "apps", Version: "v1beta1", Kind: "Deployment"}, Resource: schema.GroupVersionResource{Group: "apps", Version: "v1beta1", Resource: "deployments"}, Namespaced: true}
)

// cluster is an auditor at work on a fake API server.
type cluster struct {
	*Auditor
	*ledger
	client    *fake.FakeDynamicClient
	discovery *discovery
	snapshots *snapshots
	log       *bytes.Buffer
	stop      func()

	mu      sync.Mutex
	version int
	fail    func(verb string) error
	verbs   []string
	streams []*watch.FakeWatcher
}

func newCluster(t *testing.T, policies ...string) *cluster {
	t.Helper()
	c := &cluster{ledger: &ledger{known: map[string]string{}}, discovery: &discovery{types: []Type{podType, secret}}, snapshots: &snapshots{}, log: &bytes.Buffer{}}
	c.snapshots.Store(compile(t, policies...))
	c.client = fake.NewSimpleDynamicClientWithCustomListKinds(runtime.NewScheme(), map[schema.GroupVersionResource]string{
		podType.Resource: "PodList", secret.Resource: "SecretList", deployV1.Resource: "DeploymentList", deployB1.Resource: "DeploymentList",
	})
	c.client.PrependReactor("list", "*", func(clienttesting.Action) (bool, runtime.Object, error) {
		err := c.ask("list")
		return err != nil, nil, err
	})
	c.client.PrependWatchReactor("*", func(a clienttesting.Action) (bool, watch.Interface, error) {
		if err := c.ask("watch"); err != nil {
			return true, nil, err
		}
		stream := watch.NewFakeWithChanSize(10, false)
		c.mu.Lock()
		c.streams = append(c.streams, stream)
		c.mu.Unlock()
		return true, stream, nil
	})
	var err error
	c.Auditor, err = New(Options{
		Client: c.client, Discovery: c.discovery, Snapshots: c.snapshots, Sink: c.ledger,
		Inputs: func() *engine.Inputs { return &engine.Inputs{Lookups: noLookups{}, Now: time.Now} },
		Logger: slog.New(slog.NewTextHandler(c.log, nil)), Metrics: prometheus.NewPedanticRegistry(), Ignore: []string{"holdfast"},
		Settle: Settle{Default: -1}, // what settles is looked at once more, which is another test's business
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// ask notes a request and fails it if the test says so.
func (c *cluster) ask(verb string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.verbs = append(c.verbs, verb)
	if c.fail != nil {
		return c.fail(verb)
	}
	return nil
}

func (c *cluster) failing(f func(verb string) error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.fail = f
}

// asked gives the requests since the last call.
func (c *cluster) asked() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := strings.Join(c.verbs, " ")
	c.verbs = nil
	return out
}

// stream is the last watch that was opened.
func (c *cluster) stream() *watch.FakeWatcher {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.streams[len(c.streams)-1]
}

func (c *cluster) run(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- c.Run(ctx) }()
	c.stop = func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	synctest.Wait()
}

// object makes a new state of the object with the UID.
func (c *cluster) object(typ Type, namespace, uid string, labels map[string]string) *unstructured.Unstructured {
	c.mu.Lock()
	c.version++
	version := fmt.Sprint(c.version)
	c.mu.Unlock()
	u := &unstructured.Unstructured{Object: map[string]any{}}
	u.SetGroupVersionKind(typ.Kind)
	u.SetNamespace(namespace)
	u.SetName(uid)
	u.SetUID(types.UID(uid))
	u.SetResourceVersion(version)
	u.SetLabels(labels)
	return u
}

func (c *cluster) create(t *testing.T, typ Type, namespace, uid string, labels map[string]string) {
	t.Helper()
	if _, err := c.client.Resource(typ.Resource).Namespace(namespace).Create(t.Context(), c.object(typ, namespace, uid, labels), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}

func (c *cluster) expect(t *testing.T, when, want string) {
	t.Helper()
	synctest.Wait()
	if got := c.told(); got != want {
		t.Errorf("%s: the sink was told %q, want %q", when, got, want)
	}
}

var team = map[string]string{"team": "a"}

func TestObjectsAreJudgedAsTheyComeAndGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, policyFor("p", "Pod"))
		c.create(t, podType, "n", "a", nil)
		c.create(t, podType, "n", "b", team)
		c.create(t, podType, "holdfast", "own", nil)
		c.create(t, secret, "n", "s", nil)
		c.run(t)
		c.expect(t, "the first list", "a fail, b pass, pods.v1: 2")
		c.stream().Add(c.object(podType, "n", "c", nil))
		c.expect(t, "an object that is created", "c fail")
		changed := c.object(podType, "n", "c", team)
		c.stream().Modify(changed)
		c.expect(t, "an object that is mended", "c pass")
		c.stream().Modify(changed)
		c.stream().Add(c.object(podType, "holdfast", "own2", nil))
		c.stream().Delete(c.object(podType, "holdfast", "own2", nil))
		c.expect(t, "the same state again, and a namespace that is ignored", "")
		c.stream().Delete(changed)
		c.expect(t, "an object that is deleted", "c gone")
		coverage := c.Coverage()
		if len(coverage) != 1 || coverage[0].Objects != 2 || !coverage[0].Watching || coverage[0].Stale || coverage[0].Listed.IsZero() {
			t.Errorf("coverage: %+v", coverage)
		}
		c.stop()
		if got := c.Coverage(); len(got) != 0 {
			t.Errorf("coverage when nobody watches: %+v", got)
		}
		c.run(t)
		c.expect(t, "run again, everything is judged anew", "a fail, b pass, pods.v1: 2")
		c.stop()
	})
}

func TestAWatchThatEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, policyFor("p", "Pod"))
		c.create(t, podType, "n", "a", nil)
		c.run(t)
		c.told()
		c.asked()
		time.Sleep(5 * time.Minute)
		c.stream().Stop()
		synctest.Wait()
		if got := c.asked(); got != "watch" {
			t.Errorf("after a watch that ran out: %q, want another watch", got)
		}
		if c.Coverage()[0].Stale {
			t.Error("a watch that ran out makes the coverage stale")
		}

		c.create(t, podType, "n", "b", nil)
		expired := apierrors.NewResourceExpired("too old resource version").Status()
		c.stream().Error(&expired)
		time.Sleep(time.Second)
		c.expect(t, "a watch that is too old", "b fail, pods.v1: 2")
		if got := c.asked(); got != "list watch" {
			t.Errorf("after a watch that is too old: %q", got)
		}
		if c.Coverage()[0].Stale || c.log.Len() > 0 {
			t.Errorf("a watch that is too old is routine; log: %s", c.log)
		}

		expiredAlways := func(verb string) error {
			if verb == "watch" {
				return &apierrors.StatusError{ErrStatus: expired}
			}
			return nil
		}
		c.failing(expiredAlways)
		c.stream().Stop()
		time.Sleep(time.Minute)
		if n := len(strings.Fields(c.asked())); n > 20 {
			t.Errorf("%d requests in a minute to a server that finds every watch too old", n)
		}
		c.failing(nil)
		c.stop()
	})
}

func TestAServerThatIsAwayLosesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, policyFor("p", "Pod"))
		c.create(t, podType, "n", "a", nil)
		c.create(t, podType, "n", "b", nil)
		c.run(t)
		c.told()
		away := time.Now().Add(5 * time.Minute)
		time.Sleep(5 * time.Minute)
		c.asked()
		c.failing(func(string) error { return errors.New("connection refused") })
		c.discovery.set(errors.New("connection refused"))
		c.stream().Stop()
		time.Sleep(10 * time.Minute)
		c.expect(t, "while it is away", "")
		coverage := c.Coverage()[0]
		if !coverage.Stale || coverage.Watching || !coverage.StaleSince.Equal(away) || coverage.Objects != 2 || !strings.Contains(coverage.Error, "connection refused") {
			t.Errorf("coverage: %+v; want stale since %s", coverage, away)
		}
		if got := c.DiscoveryError(); got != "connection refused" {
			t.Errorf("error of discovery: %q", got)
		}
		if n := len(strings.Fields(c.asked())); n < 20 || n > 40 {
			t.Errorf("%d requests in 10 minutes, want one each 30 s at last", n)
		}
		if err := c.client.Tracker().Delete(podType.Resource, "n", "b"); err != nil {
			t.Fatal(err)
		}
		c.create(t, podType, "n", "c", nil)
		c.failing(nil)
		c.discovery.set(nil, podType, secret)
		time.Sleep(time.Minute)
		c.expect(t, "when it is back", "c fail, pods.v1: 2")
		if coverage := c.Coverage()[0]; coverage.Stale || !coverage.Watching || coverage.Objects != 2 || coverage.Error != "" {
			t.Errorf("coverage: %+v", coverage)
		}
		c.stop()
	})
}

func TestAnotherBundleJudgesAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, policyFor("p", "Pod"))
		c.create(t, podType, "n", "a", nil)
		c.create(t, secret, "n", "s", nil)
		c.run(t)
		c.told()
		c.snapshots.Store(compile(t, policyFor("p", "Pod"), policyFor("q", "Pod", "Secret")))
		c.BundleChanged()
		c.BundleChanged()
		synctest.Wait()
		if want := map[string]string{"a": "fail fail", "s": "fail"}; c.known["a"] != want["a"] || c.known["s"] != want["s"] {
			t.Errorf("known: %v, want %v", c.known, want)
		}
		time.Sleep(2 * bundleGap)
		c.told()
		c.snapshots.Store(compile(t, policyFor("q", "Secret")))
		c.BundleChanged()
		synctest.Wait()
		if got := c.told(); !strings.Contains(got, "pods.v1: 0") || !strings.Contains(got, "s fail") {
			t.Errorf("when Pods are no longer matched: %q", got)
		}
		if coverage := c.Coverage(); len(coverage) != 1 || coverage[0].Type.Kind.Kind != "Secret" {
			t.Errorf("coverage: %+v", coverage)
		}
		c.stop()
	})
}

func TestTypesComeAndGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, policyFor("p", "Pod", "Deployment"))
		c.create(t, deployV1, "n", "d", nil)
		c.run(t)
		c.expect(t, "at first", "pods.v1: 0")
		c.discovery.set(nil, podType, deployV1)
		time.Sleep(31 * time.Second)
		c.expect(t, "a type that appears", "d fail, deployments.v1.apps: 1")
		c.discovery.set(errors.New("apps/v1 does not answer"), podType)
		time.Sleep(30 * time.Second)
		c.expect(t, "a type that is missing from a partial answer", "")
		preferred := deployV1
		preferred.Preferred = false
		c.discovery.set(nil, podType, preferred)
		time.Sleep(30 * time.Second)
		c.expect(t, "a type that is no longer the preferred version", "")
		c.discovery.set(nil, podType)
		time.Sleep(30 * time.Second)
		c.expect(t, "a type that vanishes while a policy names it", "")
		const why = "the cluster serves deployments.v1.apps no more"
		if coverage := c.Coverage(); len(coverage) != 3 || coverage[1].Error != why || !coverage[1].Stale || coverage[1].Watching || coverage[1].Objects != 1 || coverage[2].Skipped == "" {
			t.Errorf("coverage: %+v", coverage)
		}
		time.Sleep(time.Hour)
		c.expect(t, "a type that stays away", "pods.v1: 0")
		c.discovery.set(nil, podType, deployV1)
		time.Sleep(30 * time.Second)
		c.expect(t, "a type that comes back", "d fail, deployments.v1.apps: 1")
		if coverage := c.Coverage(); len(coverage) != 2 || coverage[1].Stale {
			t.Errorf("coverage: %+v", coverage)
		}
		c.discovery.set(nil, podType)
		time.Sleep(30 * time.Second)
		c.expect(t, "a type that vanishes again", "")
		c.snapshots.Store(compile(t, policyFor("p", "Pod")))
		c.BundleChanged()
		c.expect(t, "a type that no policy names any more", "deployments.v1.apps: 0, pods.v1: 0")
		if coverage := c.Coverage(); len(coverage) != 1 {
			t.Errorf("coverage: %+v", coverage)
		}
		c.stop()
	})
}

func TestEverythingIsListedAgainAsTheSafetyNet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, policyFor("p", "Pod"))
		c.create(t, podType, "n", "a", nil)
		c.run(t)
		c.told()
		c.create(t, podType, "n", "b", nil) // the watch does not tell
		time.Sleep(59 * time.Minute)
		c.expect(t, "before an hour", "")
		time.Sleep(2 * time.Minute)
		c.expect(t, "after an hour", "b fail, pods.v1: 2")
		c.stop()
	})
}

func TestVersionsThatAreAudited(t *testing.T) {
	for name, tc := range map[string]struct {
		kinds []string
		want  string
	}{
		"the preferred one":                            {[]string{"Deployment"}, "deployments.v1.apps"},
		"the only one that is matched":                 {[]string{"apps/v1beta1/Deployment"}, "deployments.v1beta1.apps"},
		"both if each is matched by a rule of its own": {[]string{"apps/v1beta1/Deployment", "apps/v1/Deployment"}, "deployments.v1.apps deployments.v1beta1.apps"},
	} {
		t.Run(name, func(t *testing.T) {
			var policies []string
			for i, kind := range tc.kinds {
				policies = append(policies, policyFor(fmt.Sprintf("p%d", i), kind))
			}
			var got []string
			for _, typ := range wanted([]Type{deployB1, podType, deployV1}, compile(t, policies...)) {
				got = append(got, typ.label())
			}
			if strings.Join(got, " ") != tc.want {
				t.Errorf("got %v, want %s", got, tc.want)
			}
		})
	}
}

func TestMetricsOfOneResourceInTwoVersions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, policyFor("p", "apps/v1/Deployment"), policyFor("q", "apps/v1beta1/Deployment"))
		c.discovery.set(nil, deployV1, deployB1)
		c.run(t)
		families, err := c.opts.Metrics.(*prometheus.Registry).Gather()
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for _, f := range families {
			if f.GetName() == "holdfast_audit_objects" {
				n = len(f.GetMetric())
			}
		}
		if n != 2 {
			t.Errorf("%d series of holdfast_audit_objects, want 2", n)
		}
		c.stop()
	})
}

func TestOnceTellsWhatItCouldNotSee(t *testing.T) {
	c := newCluster(t, policyFor("p", "Pod", "Secret"))
	c.create(t, podType, "n", "a", nil)
	c.client.PrependReactor("list", "secrets", func(clienttesting.Action) (bool, runtime.Object, error) {
		return true, nil, errors.New("forbidden")
	})
	c.discovery.set(errors.New("apps/v1 does not answer"), podType, secret)
	options := c.opts
	options.Sink = nil
	var got []string
	coverage, err := Once(t.Context(), options, func(f Finding) { got = append(got, f.Object.String()) })
	want := "finding the types that the cluster serves: apps/v1 does not answer\nlisting secrets.v1: forbidden"
	if err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
	if len(coverage) != 2 || coverage[0].Objects != 1 || coverage[0].Error != "" || coverage[1].Error != "listing secrets.v1: forbidden" {
		t.Errorf("coverage: %+v", coverage)
	}
	if !slices.Equal(got, []string{"Pod/n/a"}) {
		t.Errorf("found %v", got)
	}
}

func TestPagesThatExpireAreReadAgain(t *testing.T) {
	c := newCluster(t, policyFor("p", "Pod"))
	requests := 0
	c.client.PrependReactor("list", "pods", func(a clienttesting.Action) (bool, runtime.Object, error) {
		requests++
		if requests == 2 {
			return true, nil, apierrors.NewResourceExpired("the continue token is too old")
		}
		list := &unstructured.UnstructuredList{Object: map[string]any{"apiVersion": "v1", "kind": "PodList"}}
		list.SetResourceVersion("7")
		list.Items = []unstructured.Unstructured{*c.object(podType, "n", fmt.Sprint("page", requests), nil)}
		if requests < 4 {
			list.SetContinue("more")
		}
		return true, list, nil
	})
	var got []string
	version, err := list(t.Context(), c.client, podType, 1, func(u *unstructured.Unstructured) { got = append(got, u.GetName()) })
	if err != nil || version != "7" || !slices.Equal(got, []string{"page1", "page3", "page4"}) {
		t.Errorf("read %v at version %s, error %v", got, version, err)
	}
}

func TestOptions(t *testing.T) {
	c := newCluster(t)
	for want, spoil := range map[string]func(*Options){
		"audit options: Client is missing":    func(o *Options) { o.Client = nil },
		"audit options: Discovery is missing": func(o *Options) { o.Discovery = nil },
		"audit options: Snapshots is missing": func(o *Options) { o.Snapshots = nil },
		"audit options: Inputs is missing":    func(o *Options) { o.Inputs = nil },
		"audit options: Sink is missing":      func(o *Options) { o.Sink = nil },
		"audit options: Logger is missing":    func(o *Options) { o.Logger = nil },
		"audit options: workers, page size and times must be positive, Clock and WatchTimeout not below a second, and RetryMax not below Retry": func(o *Options) { o.RetryMax = 1 },
	} {
		o := c.opts
		spoil(&o)
		if _, err := New(o); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}
