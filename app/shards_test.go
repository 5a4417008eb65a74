package app

import (
	"fmt"
	"testing"
)

func TestOrdinalOfPods(t *testing.T) {
	for name, c := range map[string]struct {
		set, pod string
		want     int
		err      string
	}{
		"the first":                  {"audit", "audit-0", 0, ""},
		"of several digits":          {"holdfast-audit", "holdfast-audit-12", 12, ""},
		"of another set":             {"audit", "other-0", 0, `pod "other-0" is none of StatefulSet audit: expected a name like audit-0`},
		"of a Deployment":            {"audit", "audit-7c9d8-x2x4k", 0, `pod "audit-7c9d8-x2x4k" is none of StatefulSet audit: expected a name like audit-0`},
		"of a set with a like name":  {"audit", "audit-b-1", 0, `pod "audit-b-1" is none of StatefulSet audit: expected a name like audit-0`},
		"below the first":            {"audit", "audit--1", 0, `pod "audit--1" is none of StatefulSet audit: expected a name like audit-0`},
		"without an ordinal":         {"audit", "audit", 0, `pod "audit" is none of StatefulSet audit: expected a name like audit-0`},
		"with more than any set has": {"audit", "audit-99999999", 0, `pod "audit-99999999" is none of StatefulSet audit: expected a name like audit-0`},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := ordinalOf(c.set, c.pod)
			if text := fmt.Sprint(err); got != c.want || (c.err != "" && text != c.err) || (c.err == "" && err != nil) {
				t.Errorf("got %d and %v, want %d and %q", got, err, c.want, c.err)
			}
		})
	}
}

func TestEveryObjectFallsToOneShard(t *testing.T) {
	const objects = 10_000
	for _, n := range []int{1, 2, 3, 7} {
		counts := make([]int, n)
		for i := range objects {
			uid := fmt.Sprintf("6f1c2b3a-%04x-4b1e-9d2f-%012x", i%65536, i*7919)
			owners := 0
			for ordinal := range n {
				s := &shards{ordinal: ordinal}
				s.replicas.Store(int64(n))
				if s.mine("n", uid) {
					owners++
					counts[ordinal]++
				}
			}
			if owners != 1 {
				t.Fatalf("of %d shards, %d have %s", n, owners, uid)
			}
		}
		for ordinal, c := range counts {
			if c < objects/n*8/10 || c > objects/n*12/10 {
				t.Errorf("of %d objects in %d shards, shard %d has %d", objects, n, ordinal, c)
			}
		}
	}
}

func TestNothingIsMineBeforeTheStatefulSetIsKnown(t *testing.T) {
	if (&shards{}).mine("n", "6f1c2b3a-0000-4b1e-9d2f-000000000000") {
		t.Error("an object is taken although nobody knows how many share the work")
	}
}

// A report about several objects has one writer, so these fall to one shard.
func TestWhereObjectsShareReportsANamespaceFallsToOneShard(t *testing.T) {
	counts := make([]int, 3)
	for i := range 300 {
		namespace, owners := fmt.Sprint("team-", i), 0
		for ordinal := range counts {
			s := &shards{ordinal: ordinal, together: true}
			s.replicas.Store(int64(len(counts)))
			if s.mine(namespace, "one") != s.mine(namespace, "another") {
				t.Fatalf("shard %d has a part of %s", ordinal, namespace)
			}
			if s.mine(namespace, "one") {
				owners++
				counts[ordinal]++
			}
		}
		if owners != 1 {
			t.Fatalf("%d shards have %s", owners, namespace)
		}
	}
	for ordinal, n := range counts {
		if n < 70 || n > 130 {
			t.Errorf("of 300 namespaces shard %d has %d", ordinal, n)
		}
	}
}
