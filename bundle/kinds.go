package bundle

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	kyvernov1 "github.com/kyverno/kyverno/api/kyverno/v1"
	kyvernov2 "github.com/kyverno/kyverno/api/kyverno/v2"
	kyvernov2alpha1 "github.com/kyverno/kyverno/api/kyverno/v2alpha1"
	kyvernov2beta1 "github.com/kyverno/kyverno/api/kyverno/v2beta1"
)

// Group is the API group of what is built.
const Group = "kyverno.io"

// The kinds that are built.
const (
	clusterPolicy        = "ClusterPolicy"
	policy               = "Policy"
	policyException      = "PolicyException"
	clusterCleanupPolicy = "ClusterCleanupPolicy"
	cleanupPolicy        = "CleanupPolicy"
	globalContextEntry   = "GlobalContextEntry"
)

var builtKinds = [...]string{clusterPolicy, policy, policyException, clusterCleanupPolicy, cleanupPolicy, globalContextEntry}

// version is a version in which a kind may be written, with the type that says what may stand in it. Every
// field of that type means the same in the version that is compiled, which is the first.
type version struct {
	name  string
	shape reflect.Type
}

// versionsOf lists the versions of a kind, the one that is compiled first; none for a kind that is not built.
// The types of v2alpha1 are gone from Kyverno but for one kind; its fields were those of v2beta1.
func versionsOf(kind string) []version {
	switch kind {
	case clusterPolicy:
		return []version{{"v1", reflect.TypeFor[kyvernov1.ClusterPolicy]()}, {"v2beta1", reflect.TypeFor[kyvernov2beta1.ClusterPolicy]()}}
	case policy:
		return []version{{"v1", reflect.TypeFor[kyvernov1.Policy]()}, {"v2beta1", reflect.TypeFor[kyvernov2beta1.Policy]()}}
	case policyException:
		old := reflect.TypeFor[kyvernov2beta1.PolicyException]()
		return []version{{"v2", reflect.TypeFor[kyvernov2.PolicyException]()}, {"v2beta1", old}, {"v2alpha1", old}}
	case clusterCleanupPolicy:
		old := reflect.TypeFor[kyvernov2beta1.ClusterCleanupPolicy]()
		return []version{{"v2", reflect.TypeFor[kyvernov2.ClusterCleanupPolicy]()}, {"v2beta1", old}, {"v2alpha1", old}}
	case cleanupPolicy:
		old := reflect.TypeFor[kyvernov2beta1.CleanupPolicy]()
		return []version{{"v2", reflect.TypeFor[kyvernov2.CleanupPolicy]()}, {"v2beta1", old}, {"v2alpha1", old}}
	case globalContextEntry:
		return []version{
			{"v2", reflect.TypeFor[kyvernov2.GlobalContextEntry]()}, {"v2beta1", reflect.TypeFor[kyvernov2beta1.GlobalContextEntry]()},
			{"v2alpha1", reflect.TypeFor[kyvernov2alpha1.GlobalContextEntry]()},
		}
	default:
		return nil
	}
}

// Versions lists the versions of Group in which a kind may be written, the one that is compiled first; none for
// a kind that is not built.
func Versions(kind string) []string {
	versions := versionsOf(kind)
	names := make([]string, len(versions))
	for i, v := range versions {
		names[i] = v.name
	}
	return names
}

// clusterScoped reports whether objects of the kind are in no namespace.
func clusterScoped(kind string) bool {
	return kind == clusterPolicy || kind == clusterCleanupPolicy || kind == globalContextEntry
}

// notPolicies are the kinds of the group kyverno.io that a cluster holds beside policies: requests and
// reports, which do nothing here.
var notPolicies = [...]string{
	"AdmissionReport", "BackgroundScanReport", "ClusterAdmissionReport", "ClusterBackgroundScanReport",
	"ClusterEphemeralReport", "EphemeralReport", "GenerateRequest", "UpdateRequest",
}

// admissionPolicies are the API server's own.
var admissionPolicies = [...]string{
	"MutatingAdmissionPolicy", "MutatingAdmissionPolicyBinding",
	"ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding",
}

// class is what a document is to a bundle: something to compile, as the shape says; with a problem at a key, a
// mistake or a kind that is not built; or else something to leave out.
type class struct {
	shape        reflect.Type
	key, problem string
}

func classify(apiVersion, kind string) class {
	group, name, _ := strings.Cut(apiVersion, "/")
	versions := versionsOf(kind)
	unbuilt := apiVersion + " " + kind + " is not built yet"
	switch {
	case group == Group && versions != nil:
		for _, v := range versions {
			if v.name == name {
				return class{shape: v.shape}
			}
		}
		return class{key: "apiVersion", problem: unbuilt + ": expected " + expectedVersions(versions)}
	case group == Group && !slices.Contains(notPolicies[:], kind):
		return class{key: "kind", problem: fmt.Sprintf("unknown kind %q of %s: expected one of %s", kind, apiVersion, strings.Join(builtKinds[:], ", "))}
	case group == "policies.kyverno.io":
		return class{key: "apiVersion", problem: unbuilt}
	case group == "admissionregistration.k8s.io" && slices.Contains(admissionPolicies[:], kind):
		return class{key: "apiVersion", problem: unbuilt}
	case apiVersion == "" && versions != nil:
		return class{key: "apiVersion", problem: "apiVersion is missing: expected " + expectedVersions(versions)}
	default:
		return class{}
	}
}

func expectedVersions(versions []version) string {
	names := make([]string, len(versions))
	for i, v := range versions {
		names[i] = Group + "/" + v.name
	}
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + " or " + names[last]
}
