package report

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/kyverno/kyverno/api/policyreport/v1alpha2"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/holdfast-io/holdfast/engine"
)

const (
	// FieldManager owns the fields of reports in the cluster.
	FieldManager = "holdfast"
	// LabelManagedBy, with the value ManagedBy, marks the reports that a Writer keeps.
	LabelManagedBy = "app.kubernetes.io/managed-by"
	ManagedBy      = "holdfast"
	// AnnotationHash tells which results the report has, so that they are not written again.
	AnnotationHash = "holdfast.dev/report-hash"
	// AnnotationOmitted is the number of results that did not fit into the report.
	AnnotationOmitted = "holdfast.dev/results-omitted"
	// PropertyOmitted is the same, in the first result.
	PropertyOmitted = "results-omitted"
)

// maxResults bounds the results of a report in bytes of JSON: with its metadata and the copy of its field
// names that the server keeps, a report has to fit into etcd's 1.5 MiB.
const maxResults = 960 << 10

// reportResource is the resource of the report on an object in the namespace, or on a cluster-scoped one.
func reportResource(namespace string) schema.GroupVersionResource {
	resource := "policyreports"
	if namespace == "" {
		resource = "clusterpolicyreports"
	}
	return schema.GroupVersionResource{Group: v1alpha2.GroupName, Version: v1alpha2.GroupVersion.Version, Resource: resource}
}

// buildReport writes a report as server-side apply takes it. results are those of all parts, in order.
func buildReport(t Target, hash string, results []v1alpha2.PolicyReportResult) (*unstructured.Unstructured, error) {
	scope := &corev1.ObjectReference{
		APIVersion: t.APIVersion, Kind: t.Kind, Namespace: t.Namespace, Name: t.Name, UID: types.UID(t.UID),
	}
	meta := metav1.ObjectMeta{
		Name: t.UID, Namespace: t.Namespace,
		Labels:      map[string]string{LabelManagedBy: ManagedBy},
		Annotations: map[string]string{AnnotationHash: hash},
		OwnerReferences: []metav1.OwnerReference{{
			APIVersion: t.APIVersion, Kind: t.Kind, Name: t.Name, UID: types.UID(t.UID),
		}},
	}
	summary := summarizeReport(results)
	kept, omitted, err := fit(results)
	if err != nil {
		return nil, err
	}
	if omitted > 0 {
		meta.Annotations[AnnotationOmitted] = fmt.Sprint(omitted)
	}
	version := v1alpha2.GroupVersion.String()
	var object any = &v1alpha2.PolicyReport{
		TypeMeta: metav1.TypeMeta{APIVersion: version, Kind: "PolicyReport"}, ObjectMeta: meta, Scope: scope, Summary: summary, Results: kept,
	}
	if t.Namespace == "" {
		object = &v1alpha2.ClusterPolicyReport{
			TypeMeta: metav1.TypeMeta{APIVersion: version, Kind: "ClusterPolicyReport"}, ObjectMeta: meta, Scope: scope, Summary: summary, Results: kept,
		}
	}
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
	if err != nil {
		return nil, fmt.Errorf("writing the report: %w", err)
	}
	unstructured.RemoveNestedField(content, "metadata", "creationTimestamp")
	return &unstructured.Unstructured{Object: content}, nil
}

// policyResults are the results of one part in PolicyReport's type. Each names the object in the version
// that was judged, without which a reader could not tell the parts of a report from one another.
func policyResults(t Target, apiVersion string, p *part) []v1alpha2.PolicyReportResult {
	out := make([]v1alpha2.PolicyReportResult, len(p.results))
	stamp := metav1.Timestamp{Seconds: p.at.Unix(), Nanos: int32(p.at.Nanosecond())}
	for i, r := range p.results {
		out[i] = v1alpha2.PolicyReportResult{
			Source: r.Source, Policy: r.Policy, Rule: r.Rule, Message: shorten(r.Message),
			Result: v1alpha2.PolicyResult(r.Result), Scored: r.Scored, Properties: r.Since.with(r.Properties),
			Timestamp: stamp, Category: r.Category, Severity: v1alpha2.PolicySeverity(r.Severity),
			Resources: []corev1.ObjectReference{{
				APIVersion: apiVersion, Kind: t.Kind, Namespace: t.Namespace, Name: t.Name, UID: types.UID(t.UID),
			}},
		}
	}
	return out
}

func summarizeReport(results []v1alpha2.PolicyReportResult) v1alpha2.PolicyReportSummary {
	short := make([]Result, len(results))
	for i := range results {
		short[i].Result = Status(results[i].Result)
	}
	s := Summarize(short)
	return v1alpha2.PolicyReportSummary{Pass: s.Pass, Fail: s.Fail, Warn: s.Warn, Error: s.Error, Skip: s.Skip}
}

// fit keeps the results that a report has room for, what comes first before the rest, and puts them in the
// order of policies and rules, in which people and tests look for them. The first says how many are not kept.
func fit(results []v1alpha2.PolicyReportResult) (kept []v1alpha2.PolicyReportResult, omitted int, err error) {
	size := 0
	for i := range results {
		raw, err := json.Marshal(&results[i])
		if err != nil {
			return nil, 0, fmt.Errorf("writing a result of %s: %w", engine.RuleID(results[i].Properties[PropertyPolicyKind], results[i].Policy, results[i].Rule), err)
		}
		if size+len(raw)+1 > maxResults {
			omitted++
			continue
		}
		size += len(raw) + 1
		kept = append(kept, results[i])
	}
	slices.SortStableFunc(kept, func(a, b v1alpha2.PolicyReportResult) int {
		return cmp.Or(strings.Compare(a.Policy, b.Policy), strings.Compare(a.Rule, b.Rule),
			strings.Compare(a.Properties[PropertyPolicyKind], b.Properties[PropertyPolicyKind]))
	})
	if omitted > 0 && len(kept) > 0 {
		properties := maps.Clone(kept[0].Properties)
		if properties == nil {
			properties = map[string]string{}
		}
		properties[PropertyOmitted] = fmt.Sprintf("%d of %d results do not fit into the report", omitted, len(results))
		kept[0].Properties = properties
	}
	return kept, omitted, nil
}

// sortPolicyResults puts what needs somebody first, across the parts of a report.
func sortPolicyResults(results []v1alpha2.PolicyReportResult) {
	slices.SortStableFunc(results, func(a, b v1alpha2.PolicyReportResult) int {
		if c := rank(Status(a.Result)) - rank(Status(b.Result)); c != 0 {
			return c
		}
		return severityRank(string(a.Severity)) - severityRank(string(b.Severity))
	})
}
