package report

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/kyverno/kyverno/api/policyreport/v1alpha2"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
)

// conflicts is how often a report is read again at once that another writer has changed: while the division of the work
// among several changes, two may have one report for a moment.
const conflicts = 3

// job is one state of a report, on its way into the cluster.
type job struct {
	key, namespace, name string
	parts                []jobPart
	// recalled is what the report tells of findings that this run does not know, by UID; nil if it was not read.
	recalled map[string]recalled
}

// jobPart is one part of an entry as it was when the job began.
type jobPart struct {
	entry *entry
	part
	// has is what the cluster has of it when the job is done.
	has hash
}

// now is the part as it has come to be meanwhile; nil if nothing is left of it.
func (p *jobPart) now() *part { return p.entry.part(p.apiVersion) }

// lines are those of the parts of which there is something to say.
func (j *job) lines() []*jobPart {
	var out []*jobPart
	for i := range j.parts {
		if j.parts[i].has != (hash{}) {
			out = append(out, &j.parts[i])
		}
	}
	return out
}

func (j *job) String() string {
	if len(j.parts) > 0 && j.name == namePrefix+j.parts[0].entry.uid {
		return j.parts[0].entry.target().String()
	}
	return Resource{Kind: "report", Namespace: j.namespace, Name: j.name}.String()
}

func (t Target) String() string {
	return Resource{Kind: t.Kind, Namespace: t.Namespace, Name: t.Name}.String()
}

// digest is the bundle's, for the log.
func (j *job) digest() string {
	for i := range j.parts {
		if f := j.parts[i].fresh; f != nil {
			return f.digest
		}
	}
	return ""
}

// reportsIn is where the reports of the namespace are kept.
func (w *Writer) reportsIn(namespace string) dynamic.ResourceInterface {
	return w.opts.Client.Resource(w.opts.API.resource(namespace)).Namespace(namespace)
}

// write brings one report to its latest state.
func (w *Writer) write(ctx context.Context, key string) {
	j, ok := w.take(key)
	if !ok {
		w.queue.Forget(key)
		return
	}
	op := operationDelete
	var err error
	if len(j.lines()) > 0 {
		op = operationApply
		err = w.apply(ctx, j)
		for try := 0; try < conflicts && apierrors.IsConflict(err); try++ {
			err = w.apply(ctx, j)
		}
	} else {
		err = w.reportsIn(j.namespace).Delete(ctx, j.name, metav1.DeleteOptions{})
	}
	result := classify(op, err)
	w.metrics.count(op, result)
	w.settle(j, result, err)
}

// take gives the state that has to be written, if there is one.
func (w *Writer) take(key string) (*job, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.sheet(key)
	if s == nil {
		return nil, false
	}
	if !s.changed() {
		w.enqueue(s) // nothing to write: lets go of what need not be kept
		return nil, false
	}
	s.busy = true
	j := &job{key: key, namespace: s.namespace.Value(), name: s.name()}
	for _, e := range s.entries {
		for _, p := range e.parts {
			j.parts = append(j.parts, jobPart{entry: e, part: p, has: p.want})
		}
	}
	return j, true
}

// settle takes note of what became of a write.
func (w *Writer) settle(j *job, result outcome, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.sheet(j.key)
	s.busy = false
	switch result {
	case outcomeGone:
		// Nothing can be said of it any more. If it is still there, the next change of it says so.
		w.queue.Forget(j.key)
		for i := range j.parts {
			if p := j.parts[i].now(); p != nil {
				if p.wrote = (hash{}); p.want == j.parts[i].want {
					j.parts[i].entry.drop(p)
				}
			}
		}
	case outcomeDone:
		w.queue.Forget(j.key)
		w.recovered()
		delete(w.complaints, j.key)
		for i := range j.parts {
			w.written(&j.parts[i])
			j.parts[i].entry.remember(j)
		}
		w.opts.Logger.Debug("Wrote a report", "report", j.String(), "bundle", j.digest())
	default:
		w.troubled(j, result, err)
		for i := range j.parts {
			if p := j.parts[i].now(); p != nil {
				p.wrote = unknown() // the server may have written it all the same, with the answer lost
			}
		}
		w.lanes.mark(j.key, s.lane())
		w.queue.AddRateLimited(j.key)
		return
	}
	w.enqueue(s)
}

// written takes note of what the cluster has of a part. If that is not what was wanted, because results that are not kept
// here are not there any more either, it stays so until they are found again.
func (w *Writer) written(done *jobPart) {
	p := done.now()
	if p == nil {
		return
	}
	p.wrote = done.has
	if p.want != done.want || done.has == done.want {
		return // it has changed since, or all is well
	}
	done.entry.drop(p)
	if done.has != (hash{}) {
		p.want, p.counts, p.size = done.has, done.counts, done.size
		done.entry.sheet.size += p.size
	}
	if w.opts.Lost != nil {
		w.lost = append(w.lost, done.entry.target())
	}
}

// remember keeps what a job has read of how the findings came about, for as long as they are there.
func (e *entry) remember(j *job) {
	if !e.recall || j.recalled == nil {
		return
	}
	e.recall, e.recalled = false, j.recalled[e.uid]
	for i := range e.parts {
		e.recalled.apply(e.parts[i].apiVersion, e.parts[i].fresh.all())
	}
}

// apply writes a report. What was written before and has not changed stays as it is in the cluster.
func (w *Writer) apply(ctx context.Context, j *job) error {
	var c content
	version := ""
	for i := range j.parts {
		j.parts[i].has = j.parts[i].want
	}
	carried := slices.ContainsFunc(j.lines(), func(p *jobPart) bool { return p.fresh == nil })
	if carried || slices.ContainsFunc(j.parts, func(p jobPart) bool { return p.entry.recall }) {
		there, err := w.there(ctx, j)
		if err != nil {
			return err
		}
		c.rows, version, j.recalled = there.rows(j), there.version, there.recalled
	}
	for _, p := range j.lines() {
		if p.fresh != nil {
			j.recalled[p.entry.uid].apply(p.apiVersion, p.fresh.results)
			c.rows = append(c.rows, policyResults(p.entry.target(), p.apiVersion, p.fresh)...)
		}
		for i, n := range p.counts {
			c.counts[i] += int(n)
			if slices.Contains(w.opts.Results, Statuses()[i]) {
				c.spelled += int(n)
			}
		}
		c.index = append(c.index, indexed{p.apiVersion, p.entry.of.Value().kind, p.entry.uid, p.part})
		c.index[len(c.index)-1].part.want = p.has
	}
	if len(c.index) == 0 { // all of it was lost
		err := w.reportsIn(j.namespace).Delete(ctx, j.name, metav1.DeleteOptions{})
		if apierrors.IsNotFound(err) && !noSuchResource(err) {
			return nil
		}
		return err //nolint:wrapcheck // as in write
	}
	slices.SortFunc(c.index, compareIndexed)
	d, omitted, err := w.opts.document(j, &c, version)
	if err != nil {
		return err
	}
	w.metrics.omitted.Add(float64(omitted))
	return w.send(ctx, j, d)
}

// send applies the report. A field that somebody else has set is taken from them if the report is ours; reports of others
// are left alone, whatever their names.
func (w *Writer) send(ctx context.Context, j *job, d *document) error {
	raw, err := json.Marshal(d)
	if err != nil {
		return fmt.Errorf("writing the report on %s: %w", j, err)
	}
	// The server goes over an applied text a second time to warn of fields twice in it, which is a tenth of what a report costs
	// it. The metadata alone comes back.
	options := metav1.PatchOptions{FieldManager: FieldManager, FieldValidation: metav1.FieldValidationIgnore}
	reports := w.opts.Metadata.Resource(w.opts.API.resource(j.namespace)).Namespace(j.namespace)
	_, err = reports.Patch(ctx, j.name, types.ApplyPatchType, raw, options)
	if apierrors.HasStatusCause(err, metav1.CauseTypeFieldManagerConflict) {
		var there *metav1.PartialObjectMetadata
		if there, err = reports.Get(ctx, j.name, metav1.GetOptions{}); err == nil {
			if there.Labels[LabelManagedBy] != ManagedBy {
				return fmt.Errorf("writing %s: %w", j, errForeign)
			}
			options.Force = new(true)
			_, err = reports.Patch(ctx, j.name, types.ApplyPatchType, raw, options)
		}
	}
	if err != nil {
		return fmt.Errorf("writing the report on %s: %w", j, err)
	}
	return nil
}

// errForeign says that somebody else has a report of the name that ours is to have.
var errForeign = errors.New("a report of this name is there, and does not bear our label " + LabelManagedBy + "=" + ManagedBy)

// stored is a report as the cluster has it.
type stored struct {
	version string
	index   map[partID]*indexed
	results []v1alpha2.PolicyReportResult
	// recalled is by UID.
	recalled map[string]recalled
}

// partID names a part among those of a report.
type partID struct{ uid, apiVersion string }

// there reads the report from the cluster. One that is not there, or that nobody can read, says nothing.
func (w *Writer) there(ctx context.Context, j *job) (*stored, error) {
	object, err := w.reportsIn(j.namespace).Get(ctx, j.name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err) && !noSuchResource(err):
		return &stored{recalled: map[string]recalled{}}, nil
	case err != nil:
		return nil, fmt.Errorf("reading the report on %s: %w", j, err)
	}
	s := &stored{version: object.GetResourceVersion(), index: map[partID]*indexed{}, recalled: recall(object)}
	index, err := parseIndex(object.GetAnnotations()[AnnotationIndex])
	if err != nil {
		return s, nil //nolint:nilerr // somebody has changed it
	}
	var report v1alpha2.PolicyReport // all kinds have these fields
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, &report); err != nil {
		return s, nil //nolint:nilerr // somebody has changed it
	}
	for i := range index {
		s.index[partID{index[i].uid, index[i].apiVersion}] = &index[i]
	}
	s.results = report.Results
	return s, nil
}

// rows gives the results of the parts that are not here, and notes what the cluster has of them.
func (s *stored) rows(j *job) []row {
	wanted := map[partID]bool{}
	for _, p := range j.lines() {
		if p.fresh != nil {
			continue
		}
		id := partID{p.entry.uid, p.apiVersion}
		if x := s.index[id]; x != nil {
			p.has, p.counts, p.size = x.part.want, x.part.counts, x.part.size // as it is there, whoever wrote it
			wanted[id] = true
		} else {
			p.has = hash{}
		}
	}
	var out []row
	for i := range s.results {
		r := row{PolicyReportResult: s.results[i]}
		delete(r.Properties, PropertyOmitted)
		if o := r.object(); wanted[partID{string(o.UID), o.APIVersion}] {
			out = append(out, r)
		}
	}
	return out
}
