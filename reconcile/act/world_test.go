package act

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/trace"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/holdfast-io/holdfast/api/v1alpha1"
	"github.com/holdfast-io/holdfast/engine"
	"github.com/holdfast-io/holdfast/engine/enginetest"
	"github.com/holdfast-io/holdfast/engine/mutate"
	"github.com/holdfast-io/holdfast/reconcile/plan"
)

// crash is the death of the process.
type crash struct{ at string }

// death is what happens at a call.
type death uint8

const (
	dieBefore death = iota
	dieAfter
	failBefore // the call fails, and did nothing
	failAfter  // the call fails, and did what it was to do
)

var errLost = errors.New("the connection is lost")

// world is a cluster, the Remediations in it, the gates and the ledger. Every call counts; before or after one of them, the
// process may die.
type world struct {
	now      time.Time
	tracer   trace.Tracer
	real     bool // the clock is the bubble's
	snapshot *engine.Snapshot
	version  int
	objects  map[string]map[string]any
	writes   map[string]int // of us, by object
	rems     map[string]*v1alpha1.Remediation
	ledger   []string

	calls int
	dieAt int // the call; 0 for never
	how   death

	stopped string
	gates   func(r *v1alpha1.Remediation, target int) Verdict
	undo    Verdict
	// onWrite is called before an object is written; its error is that of the write.
	onWrite func(name string) error
	// status gives an object the status that its controller would, after each write.
	status func(object map[string]any)
	// unrecorded is why nothing can be recorded.
	unrecorded error
	// told are the events on objects, as NAME EVENT.
	told []string
	// leads says whether the process still leads; nil for yes.
	leads func() bool
}

// call is a call of the process to the world: done is what it does there.
func (w *world) call(what string, done func() error) error {
	w.calls++
	if w.calls != w.dieAt {
		return done()
	}
	w.dieAt = 0
	switch w.how {
	case dieBefore:
		panic(crash{"before " + what})
	case failBefore:
		return errLost
	}
	err := done()
	if w.how == dieAfter {
		panic(crash{"after " + what})
	}
	return errors.Join(err, errLost)
}

const bundleText = `
apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {name: tier}
spec:
  rules:
  - name: gold
    match: {any: [{resources: {kinds: [Thing]}}]}
    validate: {message: gold, pattern: {spec: {tier: gold}}}
`

// thing is an object with a tier, which is to be gold.
func thing(name, tier string) map[string]any {
	return map[string]any{
		"apiVersion": "example.com/v1", "kind": "Thing",
		"metadata": map[string]any{"name": name, "namespace": "web", "uid": "u-" + name, "resourceVersion": "1", "generation": 1.0},
		"spec":     map[string]any{"tier": tier, "size": 3.0},
	}
}

// newWorld has things of tier lead, and a Remediation for all of them.
func newWorld(t testing.TB, names ...string) *world {
	t.Helper()
	return newWorldUnder(t, enginetest.Snapshot(t, bundleText), names...)
}

func newWorldUnder(t testing.TB, snapshot *engine.Snapshot, names ...string) *world {
	t.Helper()
	w := &world{
		now: time.Unix(1_800_000_000, 0).UTC(), snapshot: snapshot, version: 1,
		objects: map[string]map[string]any{}, writes: map[string]int{}, rems: map[string]*v1alpha1.Remediation{},
		undo: Verdict{Way: Go}, status: func(map[string]any) {},
		gates: func(*v1alpha1.Remediation, int) Verdict { return Verdict{Way: Go} },
	}
	for _, name := range names {
		w.objects[name] = thing(name, "lead")
	}
	w.propose(t, "r")
	return w
}

// propose plans for all objects.
func (w *world) propose(t testing.TB, name string) *v1alpha1.Remediation {
	t.Helper()
	planner, err := plan.New(plan.Options{Snapshot: w.snapshot, Inputs: w.inputs(), Server: w, Mode: v1alpha1.Enforce})
	if err != nil {
		t.Fatal(err)
	}
	var items []plan.Item
	for _, object := range w.objects {
		found, err := planner.Object(context.Background(), plan.Subject{Kind: thingKind, Object: object})
		if err != nil {
			t.Fatal(err)
		}
		for i := range found {
			found[i].Mode = v1alpha1.Enforce
		}
		items = append(items, found...)
	}
	proposals, err := plan.Remediations(items, "bundle", plan.DefaultStrategy())
	if err != nil || len(proposals) != 1 {
		t.Fatal(len(proposals), err)
	}
	r := &proposals[0].Remediation
	r.Name, r.UID, r.ResourceVersion, r.Generation = name, types.UID("rem-"+name), "1", 1
	r.CreationTimestamp = metav1.NewTime(w.now)
	r.Spec.Plan.Strategy = v1alpha1.Strategy{
		Canary: 1, Wave: intstr.FromInt32(2), MaxFailures: intstr.FromInt32(0),
		Pause: metav1.Duration{Duration: time.Minute}, HealthTimeout: metav1.Duration{Duration: 5 * time.Minute},
	}
	r.Status.Phase, r.Status.Mode = v1alpha1.PhaseProposed, v1alpha1.Enforce
	w.rems[name] = r
	return r
}

var thingKind = schema.GroupVersionKind{Group: "example.com", Version: "v1", Kind: "Thing"}

func (w *world) inputs() *engine.Inputs {
	return &engine.Inputs{Lookups: engine.NoLookups{}, Now: func() time.Time {
		if w.real {
			return time.Now()
		}
		return w.now
	}}
}

func (w *world) Current() *engine.Snapshot { return w.snapshot }

func (w *world) executor(t testing.TB) *Executor {
	t.Helper()
	e, err := New(Options{
		Objects: w, Book: book{w}, Gates: w, Journal: w, Snapshots: w, Inputs: w.inputs, Logger: slog.New(slog.DiscardHandler), Tracer: w.tracer, Leads: w.leads,
		Tell: func(t *v1alpha1.Target, what Event, _ string) { w.told = append(w.told, fmt.Sprint(t.Name, " ", what)) },
		Resource: func(schema.GroupVersionKind) (schema.GroupVersionResource, bool) {
			return schema.GroupVersionResource{Group: "example.com", Version: "v1", Resource: "things"}, true
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// run works on a Remediation until nothing more is to be done, or for a time of the world's. A process that dies is followed
// by another.
func (w *world) run(t testing.TB, name string, most time.Duration) {
	t.Helper()
	e := w.executor(t)
	for until, n := w.now.Add(most), 0; w.now.Before(until); n++ {
		if n > 1000 {
			t.Fatalf("there is no end to it: %s", w.stand(name))
		}
		after, err, died := w.work(e, name)
		switch {
		case died:
			e = w.executor(t)
		case err != nil:
			w.now = w.now.Add(time.Second)
		case after == 0:
			return
		default:
			w.now = w.now.Add(after)
		}
	}
}

func (w *world) work(e *Executor, name string) (after time.Duration, err error, died bool) { //nolint:revive // as it happens
	defer func() {
		if r := recover(); r != nil {
			if _, died = r.(crash); !died {
				panic(r)
			}
		}
	}()
	after, err = e.work(context.Background(), name)
	return after, err, false
}

// stand writes a Remediation as "PHASE: MESSAGE; NAME STATE: MESSAGE, ...".
func (w *world) stand(name string) string {
	r := w.rems[name]
	out := string(r.Status.Phase) + ": " + r.Status.Message
	for i := range r.Status.Results {
		res := &r.Status.Results[i]
		out += fmt.Sprintf("\n%s %s", r.Spec.Plan.Targets[res.Index].Name, res.State)
		if res.Message != "" {
			out += ": " + res.Message
		}
	}
	return out
}

// tiers writes the objects as "NAME TIER".
func (w *world) tiers() string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(w.objects)) {
		spec := w.objects[name]["spec"].(map[string]any)
		out = append(out, fmt.Sprintf("%s %v", name, spec["tier"]))
	}
	return strings.Join(out, ", ")
}

func (w *world) bump(object map[string]any) map[string]any {
	w.version++
	out := maps.Clone(object)
	meta := maps.Clone(out["metadata"].(map[string]any))
	meta["resourceVersion"] = strconv.Itoa(w.version)
	out["metadata"] = meta
	return out
}

// edit changes an object as somebody else would.
func (w *world) edit(t testing.TB, name string, ops ...mutate.Operation) {
	t.Helper()
	out, err := mutate.ApplyPatch(w.objects[name], ops)
	if err != nil {
		t.Fatal(err)
	}
	w.objects[name] = w.bump(out)
}

func (w *world) Get(_ context.Context, _ schema.GroupVersionKind, _, name string) (out map[string]any, err error) {
	err = w.call("reading "+name, func() error {
		object, ok := w.objects[name]
		if !ok {
			return engine.ErrNotFound
		}
		out = object
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// defaulted is what the server stores of an object: it adds a field.
func defaulted(object map[string]any) map[string]any {
	out := maps.Clone(object)
	spec := maps.Clone(out["spec"].(map[string]any))
	spec["class"] = "standard"
	out["spec"] = spec
	return out
}

func (w *world) Try(_ context.Context, c *plan.Change) (out map[string]any, err error) {
	err = w.call("trying "+c.Name, func() error {
		out, err = mutate.ApplyPatch(w.objects[c.Name], c.Patch)
		return err
	})
	if err != nil {
		return nil, err
	}
	return defaulted(out), nil
}

func (w *world) Write(_ context.Context, c *Write) (out map[string]any, err error) {
	err = w.call("writing "+c.Name, func() error {
		if w.onWrite != nil {
			if err := w.onWrite(c.Name); err != nil {
				return err
			}
		}
		object, ok := w.objects[c.Name]
		if !ok || metaText(object, "uid") != metaText(c.Object, "uid") || metaText(object, "resourceVersion") != metaText(c.Object, "resourceVersion") {
			return ErrChanged
		}
		if out, err = mutate.ApplyPatch(object, c.Patch); err != nil {
			return err
		}
		out = w.bump(defaulted(out))
		w.status(out)
		w.objects[c.Name] = out
		w.writes[c.Name]++
		return nil
	})
	return out, err
}

// book keeps the Remediations of a world.
type book struct{ *world }

func (b book) Follow(ctx context.Context, look func(string)) {
	for name := range b.rems {
		look(name)
	}
	<-ctx.Done()
}

func (b book) Read(_ context.Context, name string) (out *v1alpha1.Remediation, err error) {
	err = b.call("reading the remediation", func() error {
		r, ok := b.rems[name]
		if !ok {
			return engine.ErrNotFound
		}
		out = r.DeepCopy()
		return nil
	})
	return out, err
}

func (b book) Write(_ context.Context, r *v1alpha1.Remediation) error {
	return b.call("writing the status", func() error {
		now := b.rems[r.Name]
		if now.ResourceVersion != r.ResourceVersion {
			return ErrChanged
		}
		b.version++
		now.Status = *r.Status.DeepCopy()
		now.ResourceVersion = strconv.Itoa(b.version)
		r.ResourceVersion = now.ResourceVersion
		return nil
	})
}

func (b book) Generation(name string) int64 { return b.rems[name].Generation }

// ask changes the spec of a Remediation as somebody would.
func (w *world) ask(name string, change func(*v1alpha1.RemediationSpec)) {
	r := w.rems[name]
	change(&r.Spec)
	w.version++
	r.ResourceVersion = strconv.Itoa(w.version)
	r.Generation++
}

func (w *world) Apply(_ context.Context, r *v1alpha1.Remediation, target int, _ map[string]any) (Verdict, error) {
	return w.gates(r, target), nil
}

func (w *world) Undo(context.Context, *v1alpha1.Remediation, Why) (Verdict, error) {
	return w.undo, nil
}

func (w *world) Stopped() string { return w.stopped }

// deed is how an entry names one.
func deed(d *Deed) string {
	way := "there"
	if d.Back {
		way = "back"
	}
	return fmt.Sprintf("%s %s %d", d.Target.Name, way, d.Number)
}

func (w *world) Intend(_ context.Context, deeds []Deed) error {
	return w.call("recording intents", func() error {
		if w.unrecorded != nil {
			return w.unrecorded
		}
		for i := range deeds {
			w.ledger = append(w.ledger, "intended "+deed(&deeds[i]))
		}
		return nil
	})
}

func (w *world) Settle(_ context.Context, outcomes []Outcome) error {
	return w.call("recording outcomes", func() error {
		if w.unrecorded != nil && len(outcomes) > 0 {
			return w.unrecorded
		}
		for i := range outcomes {
			how := "done "
			if outcomes[i].Err != nil {
				how = "failed "
			}
			w.ledger = append(w.ledger, how+deed(&outcomes[i].Deed))
		}
		return nil
	})
}

func (w *world) Recall(_ context.Context, d Deed) (out Record, err error) {
	err = w.call("recalling", func() error {
		what := deed(&d)
		out.Intended = slices.Contains(w.ledger, "intended "+what)
		out.Settled = slices.Contains(w.ledger, "done "+what) || slices.Contains(w.ledger, "failed "+what)
		return nil
	})
	return out, err
}

func (w *world) Conclude(_ context.Context, r *v1alpha1.Remediation) error {
	return w.call("recording the end", func() error {
		if entry := "concluded " + string(r.Status.Phase); !slices.Contains(w.ledger, entry) {
			w.ledger = append(w.ledger, entry)
		}
		return nil
	})
}

// agree holds the ledger to the cluster: every intent has one outcome, what is recorded as done was done, and nothing else.
func (w *world) agree() error {
	done := map[string]int{}
	var errs []error
	for _, entry := range w.ledger {
		word, what, _ := strings.Cut(entry, " ")
		switch word {
		case "intended":
			outcomes := 0
			for _, other := range w.ledger {
				if other == "done "+what || other == "failed "+what {
					outcomes++
				}
			}
			if outcomes != 1 {
				errs = append(errs, fmt.Errorf("%s has %d outcomes", entry, outcomes))
			}
		case "done":
			name, _, _ := strings.Cut(what, " ")
			done[name]++
		}
	}
	if !maps.Equal(done, w.writes) {
		errs = append(errs, fmt.Errorf("recorded as done are %v, written were %v", done, w.writes))
	}
	if len(errs) > 0 {
		errs = append(errs, errors.New(strings.Join(w.ledger, "\n")))
	}
	return errors.Join(errs...)
}
