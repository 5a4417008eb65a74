package bundle

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	policiesv1beta1 "github.com/kyverno/api/api/policies.kyverno.io/v1beta1"
	kyvernov1 "github.com/kyverno/kyverno/api/kyverno/v1"
	kyvernov2 "github.com/kyverno/kyverno/api/kyverno/v2"
	kyvernov2alpha1 "github.com/kyverno/kyverno/api/kyverno/v2alpha1"
	kyvernov2beta1 "github.com/kyverno/kyverno/api/kyverno/v2beta1"
)

// The API groups of policies.
const (
	Group         = "kyverno.io"
	PoliciesGroup = "policies.kyverno.io" // of those in CEL
)

// The kinds that are built.
const (
	clusterPolicy        = "ClusterPolicy"
	policy               = "Policy"
	policyException      = "PolicyException"
	clusterCleanupPolicy = "ClusterCleanupPolicy"
	cleanupPolicy        = "CleanupPolicy"
	globalContextEntry   = "GlobalContextEntry"

	validatingPolicy           = "ValidatingPolicy"
	namespacedValidatingPolicy = "NamespacedValidatingPolicy"
	mutatingPolicy             = "MutatingPolicy"
	namespacedMutatingPolicy   = "NamespacedMutatingPolicy"
	deletingPolicy             = "DeletingPolicy"
	namespacedDeletingPolicy   = "NamespacedDeletingPolicy"
	generatingPolicy           = "GeneratingPolicy"
	namespacedGeneratingPolicy = "NamespacedGeneratingPolicy"

	imageValidatingPolicy           = "ImageValidatingPolicy"
	namespacedImageValidatingPolicy = "NamespacedImageValidatingPolicy"
)

// builtKinds lists the kinds of a group that are built.
func builtKinds(group string) []string {
	switch group {
	case Group:
		return []string{clusterPolicy, policy, policyException, clusterCleanupPolicy, cleanupPolicy, globalContextEntry}
	case PoliciesGroup:
		return []string{
			validatingPolicy, namespacedValidatingPolicy, mutatingPolicy, namespacedMutatingPolicy, generatingPolicy, namespacedGeneratingPolicy,
			deletingPolicy, namespacedDeletingPolicy, imageValidatingPolicy, namespacedImageValidatingPolicy, policyException,
		}
	case AdmissionGroup:
		return admissionKinds()
	default:
		return nil
	}
}

// version is a version in which a kind may be written, with the type that says what may stand in it. Every
// field of that type means the same in the version that is compiled, which is the first.
type version struct {
	name  string
	shape reflect.Type
}

// versionsOf lists the versions of a kind, the one that is compiled first; none for a kind that is not built.
func versionsOf(group, kind string) []version {
	switch group {
	case Group:
		return kyvernoVersions(kind)
	case PoliciesGroup:
		return policiesVersions(kind)
	case AdmissionGroup:
		return admissionVersions(kind)
	default:
		return nil
	}
}

// policiesVersions are those of PoliciesGroup. The versions share the types of their specs.
func policiesVersions(kind string) []version {
	var shape reflect.Type
	switch kind {
	case validatingPolicy:
		shape = reflect.TypeFor[policiesv1beta1.ValidatingPolicy]()
	case namespacedValidatingPolicy:
		shape = reflect.TypeFor[policiesv1beta1.NamespacedValidatingPolicy]()
	case mutatingPolicy:
		shape = reflect.TypeFor[policiesv1beta1.MutatingPolicy]()
	case namespacedMutatingPolicy:
		shape = reflect.TypeFor[policiesv1beta1.NamespacedMutatingPolicy]()
	case policyException:
		shape = reflect.TypeFor[policiesv1beta1.PolicyException]()
	case generatingPolicy:
		shape = reflect.TypeFor[policiesv1beta1.GeneratingPolicy]()
	case namespacedGeneratingPolicy:
		shape = reflect.TypeFor[policiesv1beta1.NamespacedGeneratingPolicy]()
	case deletingPolicy:
		shape = reflect.TypeFor[policiesv1beta1.DeletingPolicy]()
	case namespacedDeletingPolicy:
		shape = reflect.TypeFor[policiesv1beta1.NamespacedDeletingPolicy]()
	case imageValidatingPolicy:
		shape = reflect.TypeFor[policiesv1beta1.ImageValidatingPolicy]()
	case namespacedImageValidatingPolicy:
		shape = reflect.TypeFor[policiesv1beta1.NamespacedImageValidatingPolicy]()
	default:
		return nil
	}
	return []version{{"v1", shape}, {"v1beta1", shape}, {"v1alpha1", shape}}
}

// kyvernoVersions are those of Group. The types of v2alpha1 are gone from Kyverno but for one kind; its fields were
// those of v2beta1.
func kyvernoVersions(kind string) []version {
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

// Versions lists the versions of a group in which a kind may be written, the one that is compiled first; none for
// a kind that is not built.
func Versions(group, kind string) []string {
	versions := versionsOf(group, kind)
	names := make([]string, len(versions))
	for i, v := range versions {
		names[i] = v.name
	}
	return names
}

// clusterScoped reports whether objects of the kind are in no namespace.
func clusterScoped(kind string) bool {
	return slices.Contains([]string{clusterPolicy, clusterCleanupPolicy, globalContextEntry, validatingPolicy, mutatingPolicy, generatingPolicy, deletingPolicy, imageValidatingPolicy}, kind) ||
		slices.Contains(admissionPolicies[:], kind)
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
	versions := versionsOf(group, kind)
	unbuilt := apiVersion + " " + kind + " is not built yet"
	switch {
	case versions != nil:
		for _, v := range versions {
			if v.name == name {
				return class{shape: v.shape}
			}
		}
		return class{key: "apiVersion", problem: unbuilt + ": expected " + expectedVersions(group, versions)}
	case group == Group && !slices.Contains(notPolicies[:], kind):
		return class{key: "kind", problem: fmt.Sprintf("unknown kind %q of %s: expected one of %s", kind, apiVersion, strings.Join(builtKinds(group), ", "))}
	case group == PoliciesGroup:
		return class{key: "apiVersion", problem: unbuilt}
	case group == AdmissionGroup && slices.Contains(admissionPolicies[:], kind):
		return class{key: "apiVersion", problem: unbuilt}
	case apiVersion == "":
		for _, group := range []string{Group, PoliciesGroup, AdmissionGroup} {
			if versions := versionsOf(group, kind); versions != nil {
				return class{key: "apiVersion", problem: "apiVersion is missing: expected " + expectedVersions(group, versions)}
			}
		}
		return class{}
	default:
		return class{}
	}
}

func expectedVersions(group string, versions []version) string {
	names := make([]string, len(versions))
	for i, v := range versions {
		names[i] = group + "/" + v.name
	}
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + " or " + names[last]
}
