package app

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// together makes one status of what the replicas say. Each type is as well covered as by the worst of those that audit
// a part of it.
func together(replicas []replicaStatus) *clusterStatus {
	out := &clusterStatus{Replicas: replicas, Coverage: []statusCoverage{}}
	types := map[[2]string]*statusCoverage{}
	auditors, shards := map[int]string{}, 0
	digests := map[string]bool{}
	notYetOn := ""
	for i := range replicas {
		r := &replicas[i]
		s := r.Status
		if s == nil {
			out.gap("replica %s does not answer: %s", r.Name, r.Error)
			continue
		}
		digests[s.Bundle.Digest] = true
		notYetOn = cmp.Or(notYetOn, s.FailNotYetOn)
		if s.Unready != "" {
			out.gap("replica %s is not ready: %s", r.Name, s.Unready)
		}
		if s.Error != "" {
			out.gap("replica %s does not know all types of the cluster: %s", r.Name, s.Error)
		}
		if s.Ledger.Error != "" {
			out.gap("replica %s cannot write its ledger: %s", r.Name, s.Ledger.Error)
		}
		if s.Ledger.Aside != "" {
			out.gap("replica %s has begun a new ledger, because its file was damaged: the old one is %s", r.Name, s.Ledger.Aside)
		}
		if !s.Leader {
			continue
		}
		out.Stopped = cmp.Or(out.Stopped, s.Stopped)
		shard := 0
		if s.Shard != nil {
			shard, shards = s.Shard.Ordinal, max(shards, s.Shard.Of)
		}
		auditors[shard] = r.Name
		for j := range s.Coverage {
			c := s.Coverage[j]
			key := [2]string{c.APIVersion, c.Kind}
			if types[key] == nil {
				types[key] = &c
			} else {
				types[key].add(&c)
			}
		}
		if out.NotAuditable == nil {
			out.NotAuditable = s.Gaps
		}
	}
	for shard := range max(shards, 1) {
		switch _, ok := auditors[shard]; {
		case ok:
		case shards > 0:
			out.gap("nobody audits shard %d of %d", shard, shards)
		default:
			out.gap("no replica audits")
		}
	}
	if notYetOn != "" {
		out.gap("failurePolicy Fail is not on yet, so that writes pass while nobody answers: %s", notYetOn)
	}
	if len(digests) > 1 {
		out.gap("replicas have different bundles: %s", strings.Join(slices.Sorted(maps.Keys(digests)), ", "))
	}
	for _, c := range types {
		out.Coverage = append(out.Coverage, *c)
	}
	slices.SortFunc(out.Coverage, func(a, b statusCoverage) int {
		return cmp.Or(strings.Compare(a.APIVersion, b.APIVersion), strings.Compare(a.Kind, b.Kind))
	})
	for i := range out.Coverage {
		if why := out.Coverage[i].gap(); why != "" {
			out.gap("%s: %s", out.Coverage[i].name(), why)
		}
	}
	return out
}

func (s *clusterStatus) gap(format string, args ...any) {
	s.Gaps = append(s.Gaps, fmt.Sprintf(format, args...))
}

// add joins what another replica has seen of its part of the type.
func (c *statusCoverage) add(other *statusCoverage) {
	c.Objects += other.Objects
	switch {
	case other.Listed == nil:
		c.Listed = nil
	case c.Listed != nil && other.Listed.Before(*c.Listed):
		c.Listed = other.Listed
	}
	c.Watching = c.Watching && other.Watching
	c.Stale = c.Stale || other.Stale
	if other.StaleSince != nil && (c.StaleSince == nil || other.StaleSince.Before(*c.StaleSince)) {
		c.StaleSince = other.StaleSince
	}
	c.Error = cmp.Or(c.Error, other.Error)
	c.Skipped = cmp.Or(c.Skipped, other.Skipped)
}

// gap says what is missing of the type, or nothing.
func (c *statusCoverage) gap() string {
	switch {
	case c.Error != "":
		return c.Error
	case c.Stale:
		return "what is known of it may be out of date"
	case c.Skipped != "":
		return ""
	case c.Listed == nil:
		return "it has not been listed yet"
	default:
		return ""
	}
}

func (c *statusCoverage) name() string { return c.APIVersion + " " + c.Kind }
