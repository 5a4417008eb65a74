package bundle

import (
	"fmt"
	"slices"
	"strings"
)

// The policies that are built.
const (
	builtVersion  = "kyverno.io/v1"
	betaVersion   = "kyverno.io/v2beta1" // the same fields, without the old ways to write them
	clusterPolicy = "ClusterPolicy"
	policy        = "Policy"
	exception     = "PolicyException"
)

// notPolicies are the kinds of the group kyverno.io that a cluster holds beside policies: requests and
// reports, which do nothing here.
var notPolicies = [...]string{
	"AdmissionReport", "BackgroundScanReport", "ClusterAdmissionReport", "ClusterBackgroundScanReport",
	"ClusterEphemeralReport", "EphemeralReport", "GenerateRequest", "UpdateRequest",
}

// unbuiltPolicies are the kinds of the group kyverno.io that decide or act and are not built.
var unbuiltPolicies = [...]string{
	"CleanupPolicy", "ClusterCleanupPolicy", "GlobalContextEntry", "PolicyException",
}

// admissionPolicies are the API server's own.
var admissionPolicies = [...]string{
	"MutatingAdmissionPolicy", "MutatingAdmissionPolicyBinding",
	"ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding",
}

// classify tells what a document is to a bundle: a policy to build, something else to leave out, or, with
// a message, a mistake or a policy that is not built.
func classify(apiVersion, kind string) (isPolicy bool, problem string) {
	group, _, _ := strings.Cut(apiVersion, "/")
	named := apiVersion + " " + kind
	switch {
	case group == "kyverno.io" && (kind == clusterPolicy || kind == policy):
		if apiVersion == builtVersion || apiVersion == betaVersion {
			return true, ""
		}
		return false, named + " is not built yet: expected " + builtVersion
	case group == "kyverno.io" && slices.Contains(unbuiltPolicies[:], kind):
		return false, named + " is not built yet"
	case group == "kyverno.io" && !slices.Contains(notPolicies[:], kind):
		return false, fmt.Sprintf("unknown kind %q of %s: expected ClusterPolicy or Policy", kind, apiVersion)
	case group == "policies.kyverno.io":
		return false, named + " is not built yet"
	case group == "admissionregistration.k8s.io" && slices.Contains(admissionPolicies[:], kind):
		return false, named + " is not built yet"
	case apiVersion == "" && (kind == clusterPolicy || kind == policy):
		return false, "apiVersion is missing: expected " + builtVersion
	default:
		return false, ""
	}
}
