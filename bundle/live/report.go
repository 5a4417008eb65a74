package live

import (
	"cmp"
	"slices"
)

// Report says how it stands with the policies of the cluster.
type Report struct {
	// Types are those that are watched, in the order of their names.
	Types []TypeReport `json:"types"`
	// Problems are the policies that are not in force as they stand.
	Problems []PolicyReport `json:"problems,omitempty"`
}

// TypeReport is about one type of policies.
type TypeReport struct {
	Resource string `json:"resource"` // clusterpolicies.v1.kyverno.io
	Policies int    `json:"policies"`
	// Synced says that all of them have been read once; Error is why the last list or watch failed.
	Synced bool   `json:"synced"`
	Error  string `json:"error,omitempty"`
}

// PolicyReport is about one policy.
type PolicyReport struct {
	Policy     string `json:"policy"` // ClusterPolicy/require-labels
	Generation int64  `json:"generation"`
	State      State  `json:"state"`
	Problem    string `json:"problem"`
}

// Report tells of this moment.
func (s *Source) Report() *Report {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := &Report{Types: []TypeReport{}}
	for _, w := range s.watchers {
		t := TypeReport{
			Resource: w.resource.Resource + "." + w.resource.Version + "." + w.resource.Group,
			Policies: len(w.informer.GetStore().ListKeys()), Synced: w.informer.HasSynced(),
		}
		if failure := w.failure.Load(); failure != nil {
			t.Error = *failure
		}
		r.Types = append(r.Types, t)
	}
	for k, e := range s.entries {
		if state := e.state(); state != InForce {
			r.Problems = append(r.Problems, PolicyReport{k.String(), e.generation, state, e.message(k)})
		}
	}
	slices.SortFunc(r.Types, func(a, b TypeReport) int { return cmp.Compare(a.Resource, b.Resource) })
	slices.SortFunc(r.Problems, func(a, b PolicyReport) int { return cmp.Compare(a.Policy, b.Policy) })
	return r
}
