package report

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/kyverno/kyverno/api/policyreport/v1alpha2"
	openreports "github.com/openreports/reports-api/apis/openreports.io/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
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
	encoded json.RawMessage // by fit
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
		out[i] = row{PolicyReportResult: v1alpha2.PolicyReportResult{
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

// document is a report as server-side apply takes it. The types of both APIs would do, but for the results, which are encoded
// already when they are weighed.
type document struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
	Source            string                       `json:"source,omitempty"`
	Configuration     *reportConfiguration         `json:"configuration,omitempty"`
	Scope             *corev1.ObjectReference      `json:"scope,omitempty"`
	Summary           v1alpha2.PolicyReportSummary `json:"summary"`
	Results           []json.RawMessage            `json:"results,omitempty"`
}

// reportConfiguration says to readers of an openreports report which results are spelled out in it. The API's own type would
// say of how many results, too: none.
type reportConfiguration struct {
	Limits struct {
		StatusFilter []openreports.StatusFilter `json:"statusFilter"`
	} `json:"limits"`
}

// document gives a report in the place of the version that was read, if one was, and how many results had no room in it.
func (o *WriterOptions) document(j *job, c *content, version string) (_ *document, omitted int, _ error) {
	kept, err := fit(c.rows, c.spelled)
	if err != nil {
		return nil, 0, err
	}
	kind := o.API.kind(j.namespace)
	d := &document{
		TypeMeta: metav1.TypeMeta{APIVersion: kind.GroupVersion().String(), Kind: kind.Kind},
		ObjectMeta: metav1.ObjectMeta{
			Name: j.name, Namespace: j.namespace, ResourceVersion: version,
			Labels:      map[string]string{LabelManagedBy: ManagedBy},
			Annotations: map[string]string{AnnotationIndex: writeIndex(c.index)},
		},
		Summary: summaryOf(c.counts), Results: make([]json.RawMessage, len(kept)),
	}
	for i := range kept {
		d.Results[i] = kept[i].encoded
	}
	if omitted = c.spelled - len(kept); omitted > 0 {
		d.Annotations[AnnotationOmitted] = strconv.Itoa(omitted)
	}
	if o.Layout == PerResource {
		// One version names the object, always the same one.
		t := j.parts[0].entry.target()
		apiVersion := c.index[0].apiVersion
		d.Scope = &corev1.ObjectReference{APIVersion: apiVersion, Kind: t.Kind, Namespace: t.Namespace, Name: t.Name, UID: types.UID(t.UID)}
		d.OwnerReferences = []metav1.OwnerReference{{APIVersion: apiVersion, Kind: t.Kind, Name: t.Name, UID: types.UID(t.UID)}}
	}
	if o.API == OpenReports {
		d.Source = Source
		if len(o.Results) < len(Statuses()) {
			d.Configuration = &reportConfiguration{}
			for _, s := range o.Results {
				d.Configuration.Limits.StatusFilter = append(d.Configuration.Limits.StatusFilter, openreports.StatusFilter(s))
			}
		}
	}
	return d, omitted, nil
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
		if err := rows[i].encode(); err != nil {
			return nil, err
		}
		if size+len(rows[i].encoded)+1 <= maxResults {
			size += len(rows[i].encoded) + 1
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
		if err := kept[0].encode(); err != nil {
			return nil, err
		}
	}
	return kept, nil
}

func (r *row) encode() (err error) {
	if r.encoded, err = json.Marshal(&r.PolicyReportResult); err != nil {
		return fmt.Errorf("writing a result of policy %s, rule %s: %w", r.Policy, r.Rule, err)
	}
	return nil
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
