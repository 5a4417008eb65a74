package audit

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	clienttesting "k8s.io/client-go/testing"

	"github.com/holdfast-io/holdfast/engine"
)

// enforced is policyFor, enforced.
func enforced(name string, kinds ...string) string {
	return strings.Replace(policyFor(name, kinds...), "spec:\n", "spec:\n  validationFailureAction: Enforce\n", 1)
}

// origins is a Sink that writes down the origins of what it is told.
type origins struct {
	discard
	mu    sync.Mutex
	lines []string
	found []Finding
}

func (o *origins) Found(f Finding) {
	o.mu.Lock()
	defer o.mu.Unlock()
	var words []string
	for i := range f.Result.Decisions {
		if f.Origins == nil || f.Origins[i].Slip == "" {
			words = append(words, f.Result.Decisions[i].Status.String())
			continue
		}
		origin := &f.Origins[i]
		words = append(words, strings.Join(strings.Fields(fmt.Sprintf("%s %s by %s %s", origin.State(), origin.Slip, origin.Write.User, origin.Write.Manager)), " "))
	}
	o.lines = append(o.lines, f.Object.UID+" "+strings.Join(words, " and "))
	o.found = append(o.found, f)
}

func (o *origins) tells(t *testing.T, when, want string) {
	t.Helper()
	synctest.Wait()
	o.mu.Lock()
	defer o.mu.Unlock()
	if got := strings.Join(o.lines, ", "); got != want {
		t.Errorf("%s: found %q, want %q", when, got, want)
	}
	o.lines = nil
}

func (o *origins) last() Finding {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.found[len(o.found)-1]
}

// remembered answers with what a test says.
type remembered struct {
	mu         sync.Mutex
	by         map[string]*Admitted // by Stamp, or Newest
	complete   bool
	registered time.Time
}

func (r *remembered) Of(_ context.Context, t Trace) (*Admitted, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if t.Stamp != "" {
		return r.by[t.Stamp], r.complete
	}
	return r.by[t.Newest], r.complete
}

func (r *remembered) Registered() time.Time { return r.registered }

func (r *remembered) pass(at time.Time, a *Admitted) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.by[at.UTC().Format(time.RFC3339)] = a
}

// watched is a cluster whose findings are told with their origins.
type watched struct {
	*cluster
	*origins
	*remembered
}

func newWatched(t *testing.T, policies ...string) *watched {
	t.Helper()
	w := &watched{newCluster(t, policies...), &origins{}, &remembered{by: map[string]*Admitted{}}}
	w.cluster.opts.Sink, w.cluster.opts.Writes, w.cluster.opts.Metrics = w.origins, w.remembered, prometheus.NewPedanticRegistry()
	w.cluster.opts.Settle = Settle{}
	var err error
	if w.cluster.Auditor, err = New(w.cluster.opts); err != nil {
		t.Fatal(err)
	}
	// What is read again is what was last written.
	w.client.PrependReactor("get", "*", func(a clienttesting.Action) (bool, runtime.Object, error) { return false, nil, w.ask("get") })
	return w
}

// write puts a new state of the object on the watch, written by a manager now.
func (w *watched) write(t *testing.T, uid, manager string, labels map[string]string, change ...func(*unstructured.Unstructured)) {
	t.Helper()
	u := w.object(podType, "n", uid, labels)
	fields := map[string]any{"f:metadata": map[string]any{"f:labels": map[string]any{".": map[string]any{}}}}
	u.Object["metadata"].(map[string]any)["managedFields"] = []any{map[string]any{
		"manager": manager, "operation": "Update", "time": time.Now().UTC().Format(time.RFC3339), "fieldsV1": fields,
	}}
	for _, c := range change {
		c(u)
	}
	resource := w.client.Resource(podType.Resource).Namespace("n")
	if _, err := resource.Update(t.Context(), u.DeepCopy(), metav1.UpdateOptions{}); err != nil {
		if _, err := resource.Create(t.Context(), u.DeepCopy(), metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	w.stream().Modify(u)
}

func TestWhoAndHow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWatched(t, enforced("p", "Pod"))
		w.run(t)
		time.Sleep(time.Minute)
		w.complete = true
		w.write(t, "a", "kubectl", nil)
		w.tells(t, "a write that nobody was asked about", "a transient not-asked by kubectl")
		w.pass(time.Now(), &Admitted{Write: Write{User: "ana", Manager: "edit", Operation: engine.Update, Time: time.Now()}, NotEvaluated: []string{"p/team"}})
		w.write(t, "b", "edit", nil)
		w.tells(t, "a write that admission could not judge", "b transient not-evaluated by ana edit")
		time.Sleep(2 * time.Second)
		w.write(t, "a", "other", nil, func(u *unstructured.Unstructured) { u.SetAnnotations(map[string]string{"a": "b"}) })
		w.tells(t, "another write of an object that fails already", "a transient not-asked by kubectl")
		w.write(t, "a", "other", team)
		w.tells(t, "a write that mends it", "a pass")
		time.Sleep(2 * time.Second)
		w.pass(time.Now(), &Admitted{Write: Write{User: "ana", Manager: "edit", Operation: engine.Update, Time: time.Now()}})
		w.write(t, "c", "edit", team)
		w.tells(t, "a write that passes", "c pass")
		time.Sleep(time.Minute)
		stale := w.object(podType, "n", "c", nil)
		stale.SetManagedFields([]metav1.ManagedFieldsEntry{{Manager: "edit", Operation: "Update", Time: &metav1.Time{Time: time.Now().Add(-time.Minute)}}})
		w.stream().Modify(stale)
		w.tells(t, "a label taken away past admission, of which no field tells", "b settled not-evaluated by ana edit, c transient not-asked by")
		w.stop()
	})
}

func TestFindingsSettle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := strings.Replace(policyFor("slow", "Pod"), "annotations: {", "annotations: {holdfast.dev/settle: 1m, ", 1)
		w := newWatched(t, policyFor("p", "Pod"), slow)
		w.run(t)
		time.Sleep(time.Minute)
		start := time.Now()
		w.write(t, "a", "kubectl", nil)
		w.tells(t, "at once", "a transient not-enforced by kubectl and transient not-enforced by kubectl")
		if f := w.last(); !f.Settles.Equal(start.Add(time.Minute)) || !f.Origins[0].Settles.Equal(start.Add(10*time.Second)) {
			t.Errorf("it settles at %v, its first part at %v", f.Settles, f.Origins[0].Settles)
		}
		if got := testutil.CollectAndCount(findingCollector{w.history}); got != 12 {
			t.Errorf("%d series, want two policies and a namespace with two states each, two pairs, three of what is unnamed, and how many settle", got)
		}
		if got := w.Findings(); got[Transient] != 2 || got[Settled] != 0 {
			t.Errorf("counted %v, want two that are transient", got)
		}
		w.asked()
		time.Sleep(9 * time.Second)
		w.tells(t, "before its time", "")
		time.Sleep(2 * time.Second)
		w.tells(t, "when the first has had its time", "a settled not-enforced by kubectl and transient not-enforced by kubectl")
		time.Sleep(time.Minute)
		w.tells(t, "when both have", "a settled not-enforced by kubectl and settled not-enforced by kubectl")
		if f := w.last(); !f.Settles.IsZero() || !f.Origins[1].First.Equal(start) {
			t.Errorf("settled at %v, first seen at %v", f.Settles, f.Origins[1].First)
		}
		if got := w.asked(); got != "get get" {
			t.Errorf("asked %q, want one look at the object each time", got)
		}
		time.Sleep(10 * time.Minute)
		w.tells(t, "from then on", "")
		w.write(t, "b", "kubectl", nil)
		time.Sleep(time.Second)
		w.write(t, "b", "kubectl", team)
		time.Sleep(2 * time.Minute)
		w.tells(t, "a state that passes", "b transient not-enforced by kubectl and transient not-enforced by kubectl, b pass and pass")
		w.stop()
	})
}

func TestAStateThatTheControllerHasSeenIsSettled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWatched(t, policyFor("p", "Pod"))
		w.run(t)
		generation := func(of, seen int64) func(*unstructured.Unstructured) {
			return func(u *unstructured.Unstructured) {
				u.SetGeneration(of)
				u.Object["status"] = map[string]any{"observedGeneration": seen}
			}
		}
		w.write(t, "a", "kubectl", nil, generation(3, 2))
		w.tells(t, "before the controller has seen it", "a transient not-enforced by kubectl")
		w.write(t, "a", "kubectl", nil, generation(3, 3))
		w.tells(t, "once it has", "a settled not-enforced by kubectl")
		w.write(t, "a", "kubectl", nil, generation(3, 3))
		w.tells(t, "the next change of the status", "")
		w.stop()
	})
}

// Where the controller has acted on the very state that is found, there is nothing to wait for, and no report to write twice: but
// what is no part of the spec it has not been asked about.
func TestWhatTheControllerHasSeenAlreadyIsSettledAtFirstSight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWatched(t, policyFor("p", "Pod"), strings.Replace(policyFor("q", "Pod"), "metadata: {labels: {team", "spec: {nodeSelector: {team", 1))
		w.run(t)
		seen := func(by int64) func(*unstructured.Unstructured) {
			return func(u *unstructured.Unstructured) {
				u.SetGeneration(3)
				u.Object["status"] = map[string]any{"observedGeneration": by}
			}
		}
		w.write(t, "a", "kubectl", nil, seen(3))
		w.tells(t, "a spec that was seen, with a label that is missing", "a transient not-enforced by kubectl and settled not-enforced by kubectl")
		w.write(t, "b", "kubectl", team, seen(3))
		w.tells(t, "a spec that was seen", "b pass and settled not-enforced by kubectl")
		w.write(t, "c", "kubectl", team, seen(2))
		w.tells(t, "a spec that was not", "c pass and transient not-enforced by kubectl")
		w.stop()
	})
}

func TestWhatHasStoodLongIsSettledAtFirstSight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWatched(t, policyFor("p", "Pod"))
		u := w.object(podType, "n", "old", nil)
		u.SetManagedFields([]metav1.ManagedFieldsEntry{{Manager: "kubectl", Operation: "Update", Time: &metav1.Time{Time: time.Now().Add(-time.Hour)}}})
		if _, err := w.client.Resource(podType.Resource).Namespace("n").Create(t.Context(), u, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
		w.run(t)
		w.tells(t, "the first list", "old settled not-enforced by kubectl")
		if f := w.last(); f.Origins[0].Detected != 0 {
			t.Errorf("it is said to be detected after %v, when nobody watched", f.Origins[0].Detected)
		}
		w.snapshots.Store(compile(t, policyFor("p", "Pod"), enforced("q", "Pod")))
		w.BundleChanged()
		time.Sleep(2 * bundleGap)
		w.tells(t, "a policy that is newer", "old settled not-enforced by kubectl and settled policy-newer by kubectl")
		w.stop()
	})
}

func TestAQueueThatIsFullSettlesAtOnce(t *testing.T) {
	s := newSettling()
	for i := range maxSettling {
		s.put(subject{id: uidOf(fmt.Sprint(i))}, time.Unix(int64(i), 0))
	}
	if s.room(subject{}) || !s.room(subject{id: uidOf("7")}) {
		t.Error("a full queue has room for another one, or none for one that waits")
	}
	s.put(subject{id: uidOf("7")}, time.Time{})
	if !s.room(subject{}) {
		t.Error("there is no room when one has left")
	}
}

func TestMostFindingsAreCountedByName(t *testing.T) {
	in := tally{}
	for i := range maxNamed + 5 {
		in.change(pair{policy: fmt.Sprintf("n%05d", i)}, 1, i+1)
	}
	out, unnamed := most(in.list(), maxNamed, pair{policy: others})
	if last := out[len(out)-1]; len(out) != maxNamed+1 || unnamed != 5 || last.of.policy != others || last.by[1] != 1+2+3+4+5 {
		t.Errorf("%d names and %d others, the last %+v", len(out), unnamed, last)
	}
	in.change(pair{policy: "n00000"}, 1, -1)
	if in[pair{policy: "n00000"}] != nil {
		t.Error("a name without findings is kept")
	}
}
