package live

import (
	"strings"

	"github.com/holdfast-io/holdfast/bundle"
)

// statusForm says in which form the status of a kind is written.
type statusForm uint8

const (
	// noStatus: an exception has none, that of a cleanup policy tells of its runs, and that of the API server's own
	// policies is the API server's.
	noStatus statusForm = iota
	// readyStatus is that of kyverno.io: a condition Ready, the rules made for pod controllers, and how many there are.
	readyStatus
	// celStatus is that of policies.kyverno.io: conditionStatus, and what was made for pod controllers.
	celStatus
)

func statusOf(kind string) statusForm {
	switch {
	case kind == clusterPolicy || kind == policy:
		return readyStatus
	case judgesInCEL(kind):
		return celStatus
	default:
		return noStatus
	}
}

// judgesInCEL reports whether the kind is one of policies.kyverno.io that answers to requests or is carried out after
// them, cluster-wide or of a namespace.
func judgesInCEL(kind string) bool {
	switch strings.TrimPrefix(kind, "Namespaced") {
	case "ValidatingPolicy", "MutatingPolicy", "GeneratingPolicy", "ImageValidatingPolicy":
		return len(bundle.Versions(bundle.PoliciesGroup, kind)) > 0
	default:
		return false
	}
}
