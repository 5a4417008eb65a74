package report

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/kyverno/kyverno/api/policyreport/v1alpha2"
	openreports "github.com/openreports/reports-api/apis/openreports.io/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
)

const (
	// FieldManager owns the fields of reports in the cluster.
	FieldManager = "holdfast"
	// LabelManagedBy, with the value ManagedBy, marks the reports that a Writer keeps.
	LabelManagedBy = "app.kubernetes.io/managed-by"
	ManagedBy      = "holdfast"
	// AnnotationIndex tells which results the report has of which objects, so that they are not written again.
	AnnotationIndex = "holdfast.dev/report-index"
	// AnnotationOmitted is the number of results that did not fit into the report.
	AnnotationOmitted = "holdfast.dev/results-omitted"
	// PropertyOmitted is the same, in the first result.
	PropertyOmitted = "results-omitted"
)

// maxResults bounds the results of a report in bytes of JSON: with its metadata and the copy of its field
// names that the server keeps, a report has to fit into etcd's 1.5 MiB.
const maxResults = 960 << 10

// row is one result as a report has it, in either API: they differ in nothing that is set here.
type row struct {
	v1alpha2.PolicyReportResult
}

func (r *row) object() corev1.ObjectReference {
	if len(r.Resources) == 0 {
		return corev1.ObjectReference{}
	}
	return r.Resources[0]
}

// policyResults are the results of one part. Each names the object in the version that was judged, without which a reader
// could not tell the parts of a report from one another.
func policyResults(t Target, apiVersion string, f *fresh) []row {
	out := make([]row, len(f.results))
	stamp := metav1.Timestamp{Seconds: f.at.Unix(), Nanos: int32(f.at.Nanosecond())}
	for i := range f.results {
		r := &f.results[i]
		out[i] = row{v1alpha2.PolicyReportResult{
			Source: r.Source, Policy: r.Policy, Rule: r.Rule, Message: shorten(r.Message),
			Result: v1alpha2.PolicyResult(r.Result), Scored: r.Scored, Properties: r.Since.with(r.Properties),
			Timestamp: stamp, Category: r.Category, Severity: v1alpha2.PolicySeverity(r.Severity),
			Resources: []corev1.ObjectReference{{
				APIVersion: apiVersion, Kind: t.Kind, Namespace: t.Namespace, Name: t.Name, UID: types.UID(t.UID),
			}},
		}}
	}
	return out
}

// content is what a report is to say.
type content struct {
	rows []row
	// counts are of all results, spelled out or not, and spelled is how many are to be spelled out.
	counts  [5]int
	spelled int
	index   []indexed
}

// document writes a report as server-side apply takes it.
func (o *WriterOptions) document(j *job, c *content) (*unstructured.Unstructured, error) {
	kept, err := fit(c.rows, c.spelled)
	if err != nil {
		return nil, err
	}
	kind := o.API.kind(j.namespace)
	meta := metav1.ObjectMeta{
		Name: j.name, Namespace: j.namespace,
		Labels:      map[string]string{LabelManagedBy: ManagedBy},
		Annotations: map[string]string{AnnotationIndex: writeIndex(c.index)},
	}
	if omitted := c.spelled - len(kept); omitted > 0 {
		meta.Annotations[AnnotationOmitted] = fmt.Sprint(omitted)
	}
	var scope *corev1.ObjectReference
	if o.Layout == PerResource {
		// One version names the object, always the same one.
		t := j.parts[0].entry.target
		apiVersion := c.index[0].apiVersion
		scope = &corev1.ObjectReference{APIVersion: apiVersion, Kind: t.Kind, Namespace: t.Namespace, Name: t.Name, UID: types.UID(t.UID)}
		meta.OwnerReferences = []metav1.OwnerReference{{APIVersion: apiVersion, Kind: t.Kind, Name: t.Name, UID: types.UID(t.UID)}}
	}
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(&v1alpha2.PolicyReport{
		TypeMeta: metav1.TypeMeta{APIVersion: kind.GroupVersion().String(), Kind: kind.Kind}, ObjectMeta: meta, Scope: scope,
		Summary: summaryOf(c.counts), Results: resultsOf(kept),
	})
	if err != nil {
		return nil, fmt.Errorf("writing the report: %w", err)
	}
	unstructured.RemoveNestedField(content, "metadata", "creationTimestamp")
	if o.API == OpenReports {
		content["source"] = Source
		if len(o.Results) < len(Statuses()) {
			content["configuration"] = map[string]any{"limits": map[string]any{"statusFilter": filterOf(o.Results)}}
		}
	}
	return &unstructured.Unstructured{Object: content}, nil
}

func resultsOf(rows []row) []v1alpha2.PolicyReportResult {
	out := make([]v1alpha2.PolicyReportResult, len(rows))
	for i := range rows {
		out[i] = rows[i].PolicyReportResult
	}
	return out
}

// filterOf says to readers of an openreports report which results are spelled out in it.
func filterOf(statuses []Status) []any {
	out := make([]any, len(statuses))
	for i, s := range statuses {
		out[i] = string(openreports.StatusFilter(s))
	}
	return out
}

func summaryOf(counts [5]int) v1alpha2.PolicyReportSummary {
	return v1alpha2.PolicyReportSummary{
		Pass: counts[rank(Pass)], Fail: counts[rank(Fail)], Warn: counts[rank(Warn)], Error: counts[rank(Error)], Skip: counts[rank(Skip)],
	}
}

// fit keeps the results that a report has room for, what comes first before the rest, and puts them in the
// order of objects, policies and rules, in which people and tests look for them. The first says how many of all are not
// kept.
func fit(rows []row, all int) ([]row, error) {
	slices.SortStableFunc(rows, byGravity)
	size := 0
	kept := make([]row, 0, len(rows))
	for i := range rows {
		raw, err := json.Marshal(&rows[i].PolicyReportResult)
		if err != nil {
			return nil, fmt.Errorf("writing a result of policy %s, rule %s: %w", rows[i].Policy, rows[i].Rule, err)
		}
		if size+len(raw)+1 <= maxResults {
			size += len(raw) + 1
			kept = append(kept, rows[i])
		}
	}
	slices.SortStableFunc(kept, inOrder)
	if omitted := all - len(kept); omitted > 0 && len(kept) > 0 {
		properties := maps.Clone(kept[0].Properties)
		if properties == nil {
			properties = map[string]string{}
		}
		properties[PropertyOmitted] = fmt.Sprintf("%d of %d results do not fit into the report", omitted, all)
		kept[0].Properties = properties
	}
	return kept, nil
}

// byGravity puts what needs somebody first.
func byGravity(a, b row) int {
	return cmp.Or(
		rank(Status(a.Result))-rank(Status(b.Result)),
		severityRank(string(a.Severity))-severityRank(string(b.Severity)),
	)
}

func inOrder(a, b row) int {
	x, y := a.object(), b.object()
	return cmp.Or(
		strings.Compare(x.Kind, y.Kind), strings.Compare(x.Name, y.Name), strings.Compare(string(x.UID), string(y.UID)),
		strings.Compare(a.Policy, b.Policy), strings.Compare(a.Rule, b.Rule),
		strings.Compare(a.Properties[PropertyPolicyKind], b.Properties[PropertyPolicyKind]),
	)
}
