package report

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kyverno/kyverno/api/policyreport/v1alpha2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/goleak"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/dynamic/fake"
	"k8s.io/client-go/metadata"
	metadatafake "k8s.io/client-go/metadata/fake"
	clienttesting "k8s.io/client-go/testing"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// server keeps reports as an API server would, and fails as a test says.
type server struct {
	mu      sync.Mutex
	reports map[string]*unstructured.Unstructured // by short names
	version int
	// did are the changes: verb and short name.
	did []string
	// read is the number of reports that were read as a whole.
	read int
	fail func(verb, name string) error
}

// short names a report: without what the names of all of ours begin with, and with the namespace or the API where there
// are several.
func short(resource schema.GroupVersionResource, namespace, name string) string {
	out := strings.TrimPrefix(name, namePrefix)
	if strings.HasPrefix(out, "part-") {
		out = namespace + "/" + out
	}
	if resource.Group == string(OpenReports) {
		out = "open:" + out
	}
	return out
}

func (s *server) clients() (dynamic.Interface, metadata.Interface) {
	kinds := map[schema.GroupVersionResource]string{}
	for _, api := range APIs() {
		for _, namespace := range []string{"any", ""} {
			kinds[api.resource(namespace)] = api.kind(namespace).Kind + "List"
		}
	}
	react := func(a clienttesting.Action) (bool, runtime.Object, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.react(a)
	}
	whole := fake.NewSimpleDynamicClientWithCustomListKinds(runtime.NewScheme(), kinds)
	whole.PrependReactor("*", "*", react)
	scheme := runtime.NewScheme()
	if err := metav1.AddMetaToScheme(scheme); err != nil {
		panic(err)
	}
	brief := metadatafake.NewSimpleMetadataClient(scheme)
	brief.PrependReactor("*", "*", func(a clienttesting.Action) (bool, runtime.Object, error) {
		handled, out, err := react(a)
		if r, ok := out.(*unstructured.Unstructured); ok {
			out = briefly(r)
		}
		return handled, out, err
	})
	return whole, brief
}

// briefly gives the metadata of a report.
func briefly(r *unstructured.Unstructured) *metav1.PartialObjectMetadata {
	return &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{
		Name: r.GetName(), Namespace: r.GetNamespace(), Labels: r.GetLabels(), Annotations: r.GetAnnotations(), OwnerReferences: r.GetOwnerReferences(),
	}}
}

func (s *server) react(a clienttesting.Action) (bool, runtime.Object, error) {
	name := ""
	if named, ok := a.(interface{ GetName() string }); ok {
		name = short(a.GetResource(), a.GetNamespace(), named.GetName())
	}
	if s.fail != nil {
		if err := s.fail(a.GetVerb(), name); err != nil {
			return true, nil, err
		}
	}
	switch a := a.(type) {
	case clienttesting.ListAction:
		list := &metav1.List{}
		for _, r := range s.reports {
			if gvk := r.GroupVersionKind(); strings.ToLower(gvk.Kind)+"s" != a.GetResource().Resource || gvk.Group != a.GetResource().Group {
				continue
			}
			list.Items = append(list.Items, runtime.RawExtension{Object: briefly(r)})
		}
		return true, list, nil
	case clienttesting.PatchAction:
		u := &unstructured.Unstructured{}
		if err := json.Unmarshal(a.GetPatch(), &u.Object); err != nil {
			return true, nil, err
		}
		if old := s.reports[name]; old != nil && u.GetResourceVersion() != "" && u.GetResourceVersion() != old.GetResourceVersion() {
			return true, nil, apierrors.NewConflict(a.GetResource().GroupResource(), name, errors.New("it has changed"))
		}
		s.version++
		u.SetResourceVersion(fmt.Sprint(s.version))
		s.reports[name] = u
		s.did = append(s.did, "apply "+name)
		return true, u.DeepCopy(), nil
	case clienttesting.DeleteAction:
		if s.reports[name] == nil {
			return true, nil, apierrors.NewNotFound(a.GetResource().GroupResource(), name)
		}
		delete(s.reports, name)
		s.did = append(s.did, "delete "+name)
		return true, nil, nil
	default: // get
		if s.reports[name] == nil {
			return true, nil, apierrors.NewNotFound(a.GetResource().GroupResource(), name)
		}
		s.read++
		return true, s.reports[name].DeepCopy(), nil
	}
}

// changes gives what was done since the last call.
func (s *server) changes() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := strings.Join(s.did, ", ")
	s.did = nil
	return out
}

func (s *server) failing(f func(verb, name string) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail = f
}

func (s *server) report(t *testing.T, name string) *v1alpha2.PolicyReport {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.reports[name]
	if u == nil {
		t.Fatalf("there is no report %s", name)
	}
	r := &v1alpha2.PolicyReport{}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, r); err != nil {
		t.Fatal(err)
	}
	return r
}

// bench is a writer at work on a server.
type bench struct {
	*server
	*Writer
	log     *bytes.Buffer
	metrics *prometheus.Registry
	stop    func()
}

func newServer() *server { return &server{reports: map[string]*unstructured.Unstructured{}} }

func newBench(t *testing.T, s *server) *bench {
	t.Helper()
	return newBenchOf(t, s, WriterOptions{Results: Statuses()})
}

// newBenchOf makes a writer as the options say, on the server.
func newBenchOf(t *testing.T, s *server, o WriterOptions) *bench {
	t.Helper()
	b := &bench{server: s, log: &bytes.Buffer{}, metrics: prometheus.NewPedanticRegistry()}
	var err error
	o.Client, o.Metadata = s.clients()
	o.Logger, o.Metrics, o.Workers = slog.New(slog.NewTextHandler(b.log, nil)), b.metrics, 1
	b.Writer, err = NewWriter(o)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// run starts the writer and waits until it has nothing to do but wait.
func (b *bench) run(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- b.Run(ctx) }()
	b.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	synctest.Wait()
}

func pod(uid string) Target {
	return Target{APIVersion: "v1", Kind: "Pod", Namespace: "n", Name: "name-" + uid, UID: uid}
}

func found(statuses ...Status) []Result {
	var out []Result
	for i, s := range statuses {
		out = append(out, Result{Source: Source, Policy: "p", Rule: fmt.Sprintf("r%d", i), Result: s, Message: "m"})
	}
	return out
}

func (b *bench) expect(t *testing.T, when, want string) {
	t.Helper()
	synctest.Wait()
	if got := b.changes(); got != want {
		t.Errorf("%s: did %q, want %q", when, got, want)
	}
}

func TestOnlyWhatChangedIsWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, newServer())
		b.run(t)
		b.Put(pod("a"), "d1", found(Pass))
		b.expect(t, "a new finding", "apply a")
		b.Put(pod("a"), "d2", found(Pass))
		b.expect(t, "the same finding by another bundle", "")
		b.Put(pod("a"), "d2", found(Pass, Fail))
		b.expect(t, "another finding", "apply a")
		b.Retain("v1", "Pod", func(uid string) bool { return uid == "a" })
		b.Retain("v1", "Service", func(string) bool { return false })
		b.expect(t, "a complete list that has it, and one of another type", "")
		b.Put(pod("a"), "d3", nil)
		b.expect(t, "no findings", "delete a")
		b.Put(pod("b"), "d3", found(Fail))
		b.expect(t, "another object", "apply b")
		b.Remove(pod("b"))
		b.Remove(pod("c"))
		b.expect(t, "objects that are gone", "delete b")
		b.Put(pod("d"), "d3", found(Fail))
		b.expect(t, "a last object", "apply d")
		b.Retain("v1", "Pod", func(string) bool { return false })
		b.expect(t, "a complete list without it", "delete d")
		if n := len(b.entries); n != 0 {
			t.Errorf("%d entries are kept of objects without findings", n)
		}
		b.stop()
	})
}

func TestAReportSaysWhatItIsAbout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, newServer())
		b.run(t)
		results := found(Pass, Fail, Warn, Error, Skip)
		results[0].Message = strings.Repeat("x", maxMessage+1)
		b.Put(pod("a"), "d", results)
		b.Put(Target{APIVersion: "v1", Kind: "Namespace", Name: "n", UID: "b"}, "d", found(Fail))
		synctest.Wait()
		r := b.report(t, "a")
		if want := (v1alpha2.PolicyReportSummary{Pass: 1, Fail: 1, Warn: 1, Error: 1, Skip: 1}); r.Summary != want {
			t.Errorf("summary %+v, want %+v", r.Summary, want)
		}
		var order []string
		for _, result := range r.Results {
			order = append(order, string(result.Result))
			if result.Source != "holdfast" || result.Timestamp.Seconds != time.Now().Unix() {
				t.Errorf("a result has the source %q and the time %v", result.Source, result.Timestamp)
			}
			if len(result.Message) > maxMessage+30 {
				t.Errorf("a message has %d bytes", len(result.Message))
			}
		}
		if got := strings.Join(order, " "); got != "pass fail warn error skip" { // as the rules stand in their policies
			t.Errorf("order of results: %s", got)
		}
		owner := r.OwnerReferences
		if len(owner) != 1 || owner[0].Name != "name-a" || owner[0].UID != "a" || owner[0].Controller != nil || owner[0].BlockOwnerDeletion != nil {
			t.Errorf("owners: %+v", owner)
		}
		if r.Kind != "PolicyReport" || r.Namespace != "n" || r.Labels[LabelManagedBy] != "holdfast" || r.Scope.Name != "name-a" || r.Scope.UID != "a" {
			t.Errorf("report: %+v", r)
		}
		if c := b.report(t, "b"); c.Kind != "ClusterPolicyReport" || c.Namespace != "" {
			t.Errorf("the report on a cluster-scoped object: %+v", c)
		}
		b.stop()
	})
}

func TestARestartWritesNothingAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer()
		b := newBench(t, s)
		b.run(t)
		for _, uid := range []string{"a", "b", "c", "d", "e"} {
			b.Put(pod(uid), "d", found(Fail))
		}
		synctest.Wait()
		b.stop()
		s.changes()
		s.reports["e"].SetAnnotations(nil)

		b = newBench(t, s)
		b.Put(pod("a"), "d", found(Fail))                                         // as before
		b.Put(pod("b"), "d", found(Pass))                                         // changed
		b.Remove(pod("c"))                                                        // gone
		b.Retain("v1", "Pod", func(uid string) bool { return uid != "d" })        // d vanished unseen
		b.Retain("apps/v1", "Deployment", func(uid string) bool { return false }) // none of those
		b.run(t)
		got := map[string]bool{}
		for _, c := range strings.Split(s.changes(), ", ") {
			got[c] = true
		}
		if len(got) != 3 || !got["apply b"] || !got["delete c"] || !got["delete d"] {
			t.Errorf("did %v; the reports on a, and on e which nobody judged, must stand", got)
		}
		b.Put(pod("e"), "d", found(Fail))
		b.expect(t, "a report whose annotation somebody removed", "apply e")
		b.stop()

		b.run(t) // the same writer, elected again
		b.Put(pod("a"), "d", found(Fail))
		b.expect(t, "the same finding in a new term", "")
		b.stop()

		delete(s.reports, "a") // by another leader
		b.run(t)
		b.Put(pod("a"), "d", found(Fail))
		b.expect(t, "a report that another leader deleted", "apply a")
		b.stop()
	})
}

func TestFailuresAreWrittenFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, newServer())
		b.Put(pod("a"), "d", found(Pass))
		b.Put(pod("b"), "d", found(Pass))
		b.Put(pod("c"), "d", found(Pass, Fail))
		b.run(t)
		if got := b.changes(); !strings.HasPrefix(got, "apply c, ") {
			t.Errorf("did %q, want c first", got)
		}
		b.stop()
	})
}

func TestWhatJustHappenedIsWrittenBeforeWhatASweepFound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, newServer())
		b.Put(pod("a"), "d", found(Fail))
		b.Put(pod("b"), "d", found(Pass))
		b.PutNews(pod("c"), "d", found(Pass))
		b.run(t)
		if got := b.changes(); got != "apply c, apply a, apply b" {
			t.Errorf("did %q", got)
		}
		b.stop()
	})
}

func TestAnItemThatBecomesUrgentOvertakes(t *testing.T) {
	l := newLanes()
	for _, item := range []string{"a", "b", "c", "d"} {
		l.mark(item, last)
		l.Push(item)
	}
	for _, step := range []struct {
		item string
		to   lane
	}{{"b", failing}, {"c", last}, {"d", failing}, {"d", news}, {"b", last}} {
		l.mark(step.item, step.to)
		l.Touch(step.item)
	}
	var got []string
	for l.Len() > 0 {
		got = append(got, l.Pop())
	}
	if strings.Join(got, "") != "dbac" {
		t.Errorf("order %v, want d b a c", got)
	}
}

func TestAnObjectInTwoVersionsHasOneReport(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, newServer())
		b.run(t)
		old := pod("a")
		old.APIVersion = "v1beta1"
		b.Put(pod("a"), "d", found(Pass))
		synctest.Wait()
		b.Put(old, "d", found(Fail)) // the first part is in the cluster only by now
		b.expect(t, "two versions", "apply a, apply a")
		r := b.report(t, "a")
		if len(r.Results) != 2 || r.Results[0].Resources[0].APIVersion != "v1beta1" || r.Results[1].Resources[0].APIVersion != "v1" || r.Scope.APIVersion != "v1" {
			t.Errorf("report: %+v", r)
		}
		b.Retain("v1beta1", "Pod", func(string) bool { return false })
		b.expect(t, "the second version is no longer audited", "apply a")
		if r := b.report(t, "a"); len(r.Results) != 1 || r.Results[0].Result != "pass" {
			t.Errorf("report: %+v", r.Results)
		}

		b.server.mu.Lock()
		delete(b.reports, "a") // by hand
		b.server.mu.Unlock()
		b.Put(old, "d", found(Fail))
		time.Sleep(time.Second) // of the bubble
		b.expect(t, "what is lost is left out until it is found again", "apply a")
		b.Put(pod("a"), "d", found(Pass))
		b.expect(t, "found again", "apply a")
		if r := b.report(t, "a"); len(r.Results) != 2 {
			t.Errorf("report: %+v", r.Results)
		}
		b.stop()
	})
}

func TestWhatDoesNotFitIsCountedAndLeftOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, newServer())
		b.run(t)
		var results []Result
		for i := range 10 {
			results = append(results, Result{Policy: "p", Rule: fmt.Sprint(i), Result: Pass, Properties: map[string]string{"patch": strings.Repeat("x", 128<<10)}})
		}
		results = append(results, Result{Policy: "q", Rule: "last", Result: Fail})
		b.Put(pod("a"), "d", results)
		synctest.Wait()
		r := b.report(t, "a")
		raw, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		if len(r.Results) != 8 || len(raw) > 1<<20 || r.Summary.Pass != 10 || r.Annotations[AnnotationOmitted] != "3" {
			t.Errorf("%d results in %d bytes, summary %+v, annotations %v", len(r.Results), len(raw), r.Summary, r.Annotations)
		}
		if last := r.Results[len(r.Results)-1]; last.Result != "fail" || last.Policy != "q" {
			t.Errorf("the failure is not kept, or not in its place: the last result is of %s: %s", last.Policy, last.Result)
		}
		if n := testutil.ToFloat64(b.Writer.metrics.omitted); n != 3 {
			t.Errorf("%v results are counted that are left out", n)
		}
		if got := r.Results[0].Properties[PropertyOmitted]; got != "3 of 11 results do not fit into the report" {
			t.Errorf("the first result says %q", got)
		}
		b.stop()
	})
}

func notServed() error {
	return apierrors.NewGenericServerResponse(404, "patch", PolicyReports.resource("n").GroupResource(), "a", "404 page not found", 0, true)
}

func TestErrorsOfTheServer(t *testing.T) {
	terminating := apierrors.NewForbidden(PolicyReports.resource("n").GroupResource(), "a", errors.New("being deleted"))
	terminating.ErrStatus.Details.Causes = []metav1.StatusCause{{Type: "NamespaceTerminating"}}
	for name, tc := range map[string]struct {
		err     error
		retried bool
		log     string // how the only line of the log begins
		metric  string
	}{
		"a namespace that is being deleted needs no report": {terminating, false, "", "gone"},
		"a namespace that is gone needs no report":          {apierrors.NewNotFound(schema.GroupResource{Resource: "namespaces"}, "n"), false, "", "gone"},
		"without the definitions the report waits":          {notServed(), true, "The cluster does not serve policy reports", "no_crd"},
		"while the server is away the report waits":         {errors.New("connection refused"), true, "Reports cannot be written", "error"},
		"a report that is refused is named once":            {apierrors.NewBadRequest("no"), true, "A report could not be written", "error"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, newServer())
				b.failing(func(verb, _ string) error {
					if verb == "patch" {
						return tc.err
					}
					return nil
				})
				b.run(t)
				b.Put(pod("a"), "d", found(Fail))
				time.Sleep(time.Minute) // of the bubble: several tries
				b.expect(t, "while it fails", "")
				if lines := strings.Count(b.log.String(), "\n"); (tc.log != "") != (lines == 1) || !strings.Contains(b.log.String(), tc.log) {
					t.Errorf("log:\n%s", b.log)
				}
				tries := testutil.ToFloat64(b.Writer.metrics.writes.WithLabelValues("apply", tc.metric))
				if tc.retried != (tries > 5) || tries == 0 || tries > 12 {
					t.Errorf("%v tries", tries)
				}
				if got := b.pending(); (got == 1) != tc.retried {
					t.Errorf("%v pending", got)
				}
				b.failing(nil)
				b.Put(pod("a"), "d", found(Fail, Fail)) // the latest state is written
				time.Sleep(time.Minute)
				b.expect(t, "when it works again", "apply a")
				if n := len(b.report(t, "a").Results); n != 2 {
					t.Errorf("%d results, want the latest 2", n)
				}
				if got := b.pending(); got != 0 {
					t.Errorf("%v pending", got)
				}
				b.stop()
			})
		})
	}
}

func TestAWriteWithoutAnAnswerIsNotTrusted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, newServer())
		b.run(t)
		b.Put(pod("a"), "d", found(Pass))
		b.expect(t, "at first", "apply a")
		b.failing(func(string, string) error { return context.DeadlineExceeded })
		b.Put(pod("a"), "d", found(Fail)) // may or may not have arrived
		synctest.Wait()
		b.Put(pod("a"), "d", found(Pass))
		synctest.Wait()
		b.failing(nil)
		time.Sleep(time.Minute)
		b.expect(t, "back to the first state", "apply a")
		b.stop()
	})
}

func TestWhatChangesBackWhileItIsWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, newServer())
		b.run(t)
		b.Put(pod("a"), "d", found(Pass))
		b.expect(t, "at first", "apply a")
		answer := make(chan struct{})
		b.failing(func(string, string) error {
			<-answer
			return nil
		})
		b.Put(pod("a"), "d", found(Fail))
		synctest.Wait() // the writer waits for the answer
		b.Put(pod("a"), "d", found(Pass))
		close(answer)
		b.expect(t, "there and back", "apply a, apply a")
		if r := b.report(t, "a").Results; len(r) != 1 || r[0].Result != "pass" {
			t.Errorf("results: %+v", r)
		}
		b.stop()
	})
}

func TestNothingIsWrittenBeforeWhatExistsIsKnown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, newServer())
		b.failing(func(verb, _ string) error {
			if verb == "list" {
				return errors.New("connection refused")
			}
			return nil
		})
		b.Put(pod("a"), "d", found(Fail))
		b.run(t)
		time.Sleep(10 * time.Minute)
		b.expect(t, "while reports cannot be listed", "")
		b.failing(nil)
		time.Sleep(time.Minute)
		b.expect(t, "when they can", "apply a")
		b.stop()

		b.failing(func(string, string) error { return errors.New("connection refused") })
		b.run(t)
		b.stop() // ends although it never came to know
	})
}

func TestWhatWaitsIsWrittenAtShutdown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, newServer())
		b.run(t)
		for i := range 50 {
			b.Put(pod(fmt.Sprint(i)), "d", found(Fail))
		}
		b.stop()
		if n := len(b.reports); n != 50 {
			t.Errorf("%d reports, want 50", n)
		}
	})
}

func TestWriterOptions(t *testing.T) {
	logger := slog.New(slog.DiscardHandler)
	client, metadata := newServer().clients()
	for want, o := range map[string]WriterOptions{
		"report writer options: Client is missing":                                                {Metadata: metadata, Logger: logger},
		"report writer options: Logger is missing":                                                {Client: client, Metadata: metadata},
		"report writer options: Metadata is missing":                                              {Client: client, Logger: logger},
		`report writer options: API "x" is not known`:                                             {Client: client, Metadata: metadata, Logger: logger, API: "x"},
		`report writer options: Layout "x" is not known`:                                          {Client: client, Metadata: metadata, Logger: logger, Layout: "x"},
		"report writer options: Workers and times must be positive, and RetryMax not below Retry": {Client: client, Metadata: metadata, Logger: logger, Workers: -1},
	} {
		if _, err := NewWriter(o); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	reg := prometheus.NewRegistry()
	o := WriterOptions{Client: client, Metadata: metadata, Logger: logger, Metrics: reg}
	if _, err := NewWriter(o); err != nil {
		t.Fatal(err)
	}
	if _, err := NewWriter(o); err == nil || !strings.HasPrefix(err.Error(), "registering the report writer's metrics: ") {
		t.Errorf("the same metrics twice: %v", err)
	}
}
