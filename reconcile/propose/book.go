package propose

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"

	"github.com/holdfast-io/holdfast/api/v1alpha1"
	"github.com/holdfast-io/holdfast/reconcile/gate"
	"github.com/holdfast-io/holdfast/reconcile/plan"
)

// LabelPart on a Remediation says which part of the objects it is about, where several share them.
const LabelPart = v1alpha1.Group + "/part"

// kept is how many Remediations of one policy and rule stay when they have ended, the newest: somebody may ask what was
// done. Those of the last day stay longer, because the gates remember by them what was tried: 200, which is one in seven
// minutes. Of those that were superseded before anything was done, a few are enough to see why.
const (
	kept           = 20
	keptOfLate     = 200
	keptSuperseded = 3
)

// book knows the Remediations of the cluster, and writes them.
type book struct {
	opts    *Options
	metrics *metrics
	client  dynamic.ResourceInterface
	// times says when the objects of a Remediation were found and planned for.
	times func(*v1alpha1.Remediation) map[string]times
}

// entry is a Remediation as far as it counts here.
type entry struct {
	name, uid, version, group, digest string
	phase                             v1alpha1.Phase
	mode                              v1alpha1.Mode
	generation                        int64
	created                           metav1.Time
	ended                             time.Time // zero for one that has not, or says no time
	annotations                       map[string]string
}

// newBook makes a book.
func newBook(opts *Options, m *metrics) *book {
	return &book{opts: opts, metrics: m, client: opts.Server.Client.Resource(v1alpha1.Remediations())}
}

// entries lists the Remediations of our part, the oldest first.
func (b *book) entries() []entry {
	var out []entry
	for _, u := range b.opts.Remediations.List() {
		if u.GetLabels()[LabelPart] != b.opts.Part || u.GetLabels()[v1alpha1.LabelGroup] == "" {
			continue // of another part, or somebody's own
		}
		e := entry{
			name: u.GetName(), uid: string(u.GetUID()), version: u.GetResourceVersion(), group: u.GetLabels()[v1alpha1.LabelGroup],
			generation: u.GetGeneration(), created: u.GetCreationTimestamp(), annotations: u.GetAnnotations(),
		}
		e.digest, _, _ = unstructured.NestedString(u.Object, "spec", "planDigest")
		phase, _, _ := unstructured.NestedString(u.Object, "status", "phase")
		mode, _, _ := unstructured.NestedString(u.Object, "status", "mode")
		e.phase, e.mode = v1alpha1.Phase(phase), v1alpha1.Mode(mode)
		ended, _, _ := unstructured.NestedString(u.Object, "status", "ended")
		e.ended, _ = time.Parse(time.RFC3339, ended) // zero counts as long ago
		out = append(out, e)
	}
	slices.SortFunc(out, func(a, b entry) int {
		if c := a.created.Compare(b.created.Time); c != 0 {
			return c
		}
		return strings.Compare(a.name, b.name)
	})
	return out
}

// write makes the Remediations of the cluster those of the items. A plan that somebody has rejected is not proposed again as
// long as that Remediation is there.
func (b *book) write(ctx context.Context, items []plan.Item, digest string) error {
	wanted, err := plan.Remediations(idle(items, b.busy()), digest, b.opts.Strategy)
	if err != nil {
		return err
	}
	existing := b.entries()
	names := map[string][]string{} // of those that are open, by group
	open := map[string]*entry{}    // by digest
	rejected := map[string]*entry{}
	taken := map[string]bool{}
	for i := range existing {
		e := &existing[i]
		taken[e.name] = true
		switch {
		case !e.phase.Ended():
			open[e.digest] = e
		case e.phase == v1alpha1.PhaseRejected:
			rejected[e.digest] = e
		}
	}
	var errs []error
	var pending []plan.Proposal
	standing := map[string]bool{} // digests of what somebody has rejected and is still wanted
	for i := range wanted {
		w := &wanted[i]
		r := &w.Remediation
		if e := open[r.Spec.PlanDigest]; e != nil {
			names[e.group] = append(names[e.group], e.name)
			if e.phase == "" || e.mode != w.Mode {
				errs = append(errs, b.status(ctx, e.name, e.version, initial(w, e)))
			}
			delete(open, r.Spec.PlanDigest)
			pending = append(pending, *w)
			continue
		}
		if e := rejected[r.Spec.PlanDigest]; e != nil { // no is no, until something else is to be done
			names[e.group] = append(names[e.group], e.name)
			standing[e.digest] = true
			continue
		}
		pending = append(pending, *w)
		r.Name = free(r.Name, taken)
		names[r.Labels[v1alpha1.LabelGroup]] = append(names[r.Labels[v1alpha1.LabelGroup]], r.Name)
		errs = append(errs, b.create(ctx, w))
	}
	for i := range existing {
		if e := &existing[i]; open[e.digest] == e && !e.phase.Acting() {
			errs = append(errs, b.supersede(ctx, e, names[e.group]))
		}
	}
	errs = append(errs, b.tidy(ctx, existing, standing))
	b.metrics.count(pending)
	return errors.Join(errs...)
}

// free gives the name, or the next that nobody has: what has ended keeps its own.
func free(name string, taken map[string]bool) string {
	out := name
	for n := 2; taken[out]; n++ {
		out = name + "-" + strconv.Itoa(n)
	}
	taken[out] = true
	return out
}

func (b *book) create(ctx context.Context, w *plan.Proposal) error {
	r := w.Remediation
	if b.opts.Part != "" {
		r.Labels[LabelPart] = b.opts.Part
	}
	told := b.begin(ctx, &r)
	object, err := runtime.DefaultUnstructuredConverter.ToUnstructured(&r)
	if err != nil {
		return fmt.Errorf("writing Remediation %s: %w", r.Name, err)
	}
	delete(object, "status")
	made, err := b.client.Create(ctx, &unstructured.Unstructured{Object: object}, metav1.CreateOptions{FieldManager: fieldManager})
	if apierrors.IsAlreadyExists(err) {
		return nil // we have made it just now, and the watch has not told yet
	}
	if err != nil {
		return fmt.Errorf("creating Remediation %s: %w", r.Name, err)
	}
	told.made()
	b.metrics.plans.WithLabelValues("proposed").Inc()
	b.opts.Logger.Info("proposed a remediation", "name", r.Name, "policy", r.Spec.Plan.Policy.Name, "rule", r.Spec.Plan.Policy.Rule, "targets", len(r.Spec.Plan.Targets))
	return b.status(ctx, r.Name, made.GetResourceVersion(), initial(w, &entry{generation: made.GetGeneration()}))
}

// initial is the status of what has just been proposed, or is now for another mode.
func initial(w *plan.Proposal, e *entry) map[string]any {
	out := map[string]any{"mode": string(w.Mode), "observedGeneration": e.generation}
	if e.phase != "" {
		return out // whoever carries it out says where it stands
	}
	phase, message, counts := plan.State(&w.Remediation.Spec.Plan)
	out["phase"], out["message"] = string(phase), message
	out["targets"] = map[string]any{"total": int64(counts.Total), "blocked": int64(counts.Blocked), "done": int64(0), "failed": int64(0)}
	out["conditions"] = []any{condition(metav1.ConditionTrue, "Fits", "the plan fits what is there")}
	return out
}

func condition(status metav1.ConditionStatus, reason, message string) map[string]any {
	return map[string]any{
		"type": v1alpha1.ConditionPlanned, "status": string(status), "reason": reason, "message": message,
		"lastTransitionTime": metav1.Now().UTC().Format("2006-01-02T15:04:05Z"),
	}
}

// supersede ends a Remediation whose plan no longer fits.
func (b *book) supersede(ctx context.Context, e *entry, by []string) error {
	message := "nothing is left to be done"
	if len(by) > 0 {
		message = "the world has changed: another plan fits now"
	}
	names := make([]any, 0, min(len(by), 16))
	for _, name := range by[:min(len(by), 16)] {
		names = append(names, name)
	}
	err := b.status(ctx, e.name, e.version, map[string]any{
		"phase": string(v1alpha1.PhaseSuperseded), "message": message, "supersededBy": names,
		"conditions": []any{condition(metav1.ConditionFalse, "Changed", message)},
	})
	if err == nil {
		b.superseded(ctx, e)
		b.metrics.plans.WithLabelValues("superseded").Inc()
		b.opts.Logger.Info("a remediation no longer fits", "name", e.name, "reason", message)
	}
	return err
}

// status writes parts of the status over the very state that was read.
func (b *book) status(ctx context.Context, name, version string, status map[string]any) error {
	u := &unstructured.Unstructured{Object: map[string]any{"metadata": map[string]any{"resourceVersion": version}, "status": status}}
	raw, err := u.MarshalJSON()
	if err != nil {
		return fmt.Errorf("writing the status of Remediation %s: %w", name, err)
	}
	_, err = b.client.Patch(ctx, name, types.MergePatchType, raw, metav1.PatchOptions{FieldManager: fieldManager}, "status")
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("writing the status of Remediation %s: %w", name, err)
	}
	return nil
}

// tidy deletes what has ended and is old, by policy and rule; but no rejection that stands, which would be proposed anew.
func (b *book) tidy(ctx context.Context, existing []entry, standing map[string]bool) error {
	type class struct {
		group      string
		superseded bool
	}
	ended := map[class][]*entry{}
	for i := range existing {
		if e := &existing[i]; e.phase.Ended() && !(e.phase == v1alpha1.PhaseRejected && standing[e.digest]) {
			c := class{e.group, e.phase == v1alpha1.PhaseSuperseded}
			ended[c] = append(ended[c], e)
		}
	}
	var errs []error
	for c, list := range ended {
		most := kept
		if c.superseded {
			most = keptSuperseded
		}
		for i, e := range list[:max(0, len(list)-most)] {
			if !c.superseded && i >= len(list)-keptOfLate && b.opts.Inputs().Now().Sub(e.ended) < gate.Remembered {
				continue
			}
			err := b.client.Delete(ctx, e.name, metav1.DeleteOptions{Preconditions: metav1.NewUIDPreconditions(e.uid)})
			if err != nil && !apierrors.IsNotFound(err) {
				errs = append(errs, fmt.Errorf("deleting Remediation %s, which has ended: %w", e.name, err))
			}
		}
	}
	return errors.Join(errs...)
}
