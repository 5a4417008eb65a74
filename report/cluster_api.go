package report

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kyverno/kyverno/api/policyreport/v1alpha2"
	openreports "github.com/openreports/reports-api/apis/openreports.io/v1alpha1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// API is the group of the types that reports in a cluster are of.
type API string

const (
	// PolicyReports are PolicyReport and ClusterPolicyReport of wgpolicyk8s.io/v1alpha2.
	PolicyReports API = v1alpha2.GroupName
	// OpenReports are Report and ClusterReport of openreports.io/v1alpha1.
	OpenReports API = openreports.GroupName
)

// APIs are all of them, the default first.
func APIs() []API { return []API{PolicyReports, OpenReports} }

// resource is the resource of reports in the namespace, or with none of those on cluster-scoped objects.
func (a API) resource(namespace string) schema.GroupVersionResource {
	return schema.GroupVersionResource{
		Group: string(a), Version: a.kind(namespace).Version, Resource: strings.ToLower(a.kind(namespace).Kind) + "s",
	}
}

func (a API) kind(namespace string) schema.GroupVersionKind {
	k := schema.GroupVersionKind{Group: string(a), Version: v1alpha2.GroupVersion.Version, Kind: "PolicyReport"}
	if a == OpenReports {
		k.Version, k.Kind = openreports.GroupVersion.Version, "Report"
	}
	if namespace == "" {
		k.Kind = "Cluster" + k.Kind
	}
	return k
}

// Layout says how objects are put together in reports.
type Layout string

const (
	// PerResource is one report per object, which goes with it.
	PerResource Layout = "resource"
	// PerNamespace is as few reports per namespace as have room for its objects, and the same for cluster-scoped ones.
	PerNamespace Layout = "namespace"
)

// Layouts are all of them, the default first.
func Layouts() []Layout { return []Layout{PerResource, PerNamespace} }

// Statuses are all outcomes, in the order of their gravity.
func Statuses() []Status { return []Status{Fail, Error, Warn, Skip, Pass} }

// DefaultStatuses are those of which each result is written, where nothing else is said.
func DefaultStatuses() []Status { return []Status{Fail, Error, Warn, Skip} }

// AllResults stands for Statuses where they are chosen by their names.
const AllResults = "all"

// ParseStatuses reads names of outcomes, of which each result is written; "all" stands for all of them. They come back in
// the order of Statuses.
func ParseStatuses(names []string) ([]Status, error) {
	chosen := map[Status]bool{}
	for _, name := range names {
		switch s := Status(name); {
		case name == AllResults && len(names) == 1:
			return Statuses(), nil
		case !slices.Contains(Statuses(), s):
			return nil, fmt.Errorf("%q: expected some of fail, error, warn, skip and pass, or all", name)
		default:
			chosen[s] = true
		}
	}
	return slices.DeleteFunc(Statuses(), func(s Status) bool { return !chosen[s] }), nil
}
