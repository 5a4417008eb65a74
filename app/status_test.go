package app

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/holdfast-io/holdfast/report"
)

func seen(kind string, objects int, listed time.Time, change ...func(*statusCoverage)) statusCoverage {
	c := statusCoverage{Coverage: report.Coverage{Source: "cluster", APIVersion: "v1", Kind: kind, Objects: objects, Listed: &listed}, Watching: true}
	for _, f := range change {
		f(&c)
	}
	return c
}

func auditing(shard *statusShard, coverage ...statusCoverage) *status {
	return &status{Bundle: report.Bundle{Digest: "sha256:a", Policies: 2}, Leader: true, Shard: shard, Coverage: coverage}
}

func TestGapsOfTheStatus(t *testing.T) {
	now := time.Now()
	admitting := &status{Bundle: report.Bundle{Digest: "sha256:a", Policies: 2}}
	for name, c := range map[string]struct {
		replicas []replicaStatus
		want     []string
	}{
		"one audits, one admits":    {[]replicaStatus{{Name: "a", Status: auditing(nil, seen("Pod", 3, now))}, {Name: "b", Status: admitting}}, nil},
		"nobody audits":             {[]replicaStatus{{Name: "b", Status: admitting}}, []string{"no replica audits"}},
		"a replica does not answer": {[]replicaStatus{{Name: "a", Status: auditing(nil)}, {Name: "b", Error: "the Pod is pending"}}, []string{"replica b does not answer: the Pod is pending"}},
		"a replica is not ready": {
			[]replicaStatus{{Name: "a", Status: auditing(nil)}, {Name: "b", Status: &status{Bundle: admitting.Bundle, Unready: "there is no certificate yet"}}},
			[]string{"replica b is not ready: there is no certificate yet"},
		},
		"failures do not refuse yet, as two replicas say": {
			[]replicaStatus{{Name: "a", Status: auditing(nil)}, {Name: "b", Status: &status{Bundle: admitting.Bundle, FailNotYetOn: "1 of 2 is ready"}}, {Name: "c", Status: &status{Bundle: admitting.Bundle, FailNotYetOn: "1 of 2 is ready"}}},
			[]string{"failurePolicy Fail is not on yet, so that writes pass while nobody answers: 1 of 2 is ready"},
		},
		"bundles differ": {
			[]replicaStatus{{Name: "a", Status: auditing(nil)}, {Name: "b", Status: &status{Bundle: report.Bundle{Digest: "sha256:b"}}}},
			[]string{"replicas have different bundles: sha256:a, sha256:b"},
		},
		"a type is not allowed": {
			[]replicaStatus{{Name: "a", Status: auditing(nil, seen("Secret", 0, now, func(c *statusCoverage) { c.Listed, c.Stale, c.Error = nil, true, "listing secrets: forbidden" }))}},
			[]string{"v1 Secret: listing secrets: forbidden"},
		},
		"a type is not listed yet": {
			[]replicaStatus{{Name: "a", Status: auditing(nil, seen("Pod", 0, now, func(c *statusCoverage) { c.Listed = nil }))}},
			[]string{"v1 Pod: it has not been listed yet"},
		},
		"a type is not there, which is as it should be": {
			[]replicaStatus{{Name: "a", Status: auditing(nil, seen("Widget", 0, now, func(c *statusCoverage) { c.Listed, c.Skipped = nil, "not served" }))}}, nil,
		},
		"all shards": {[]replicaStatus{
			{Name: "a-0", Status: auditing(&statusShard{0, 2}, seen("Pod", 3, now))}, {Name: "a-1", Status: auditing(&statusShard{1, 2}, seen("Pod", 4, now))},
		}, nil},
		"a shard is away": {[]replicaStatus{
			{Name: "a-0", Status: auditing(&statusShard{0, 3})}, {Name: "a-2", Status: auditing(&statusShard{2, 3})},
		}, []string{"nobody audits shard 1 of 3"}},
		"one shard is stale": {[]replicaStatus{
			{Name: "a-0", Status: auditing(&statusShard{0, 2}, seen("Pod", 3, now))},
			{Name: "a-1", Status: auditing(&statusShard{1, 2}, seen("Pod", 4, now, func(c *statusCoverage) { c.Stale = true }))},
		}, []string{"v1 Pod: what is known of it may be out of date"}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := together(c.replicas).Gaps; !slices.Equal(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestShardsAreAddedUp(t *testing.T) {
	early, late := time.Now().Add(-time.Hour), time.Now()
	s := together([]replicaStatus{
		{Name: "a-0", Status: auditing(&statusShard{0, 2}, seen("Pod", 3, late))},
		{Name: "a-1", Status: auditing(&statusShard{1, 2}, seen("Pod", 4, early, func(c *statusCoverage) { c.Watching = false }))},
	})
	if len(s.Coverage) != 1 || s.Coverage[0].Objects != 7 || !s.Coverage[0].Listed.Equal(early) || s.Coverage[0].Watching {
		t.Errorf("got %+v, want 7 objects, listed at %s, not watched", s.Coverage, early)
	}
}

func TestStatusAsTable(t *testing.T) {
	now := time.Now()
	since := now.Add(-3 * time.Minute)
	s := together([]replicaStatus{
		{Name: "holdfast-0", Status: &status{
			Bundle: report.Bundle{Digest: "sha256:a", Policies: 2}, Leader: true,
			Coverage: []statusCoverage{
				seen("Pod", 12, now.Add(-90*time.Second)),
				seen("Secret", 0, now, func(c *statusCoverage) {
					c.Listed, c.Stale, c.StaleSince, c.Watching, c.Error = nil, true, &since, false, "listing secrets: forbidden\x1b[31m"
				}),
			},
			Gaps: []statusNotJudged{{Kind: "ClusterPolicy", Policy: "who", Rule: "r", Reason: "needs request.userInfo"}},
		}},
		{Name: "holdfast-1", Error: "the Pod is pending"},
	})
	var out bytes.Buffer
	if err := s.write(&out, now); err != nil {
		t.Fatal(err)
	}
	want := `REPLICA     READY    AUDITS  POLICIES  BUNDLE
holdfast-0  yes      yes     2         sha256:a
holdfast-1  unknown

TYPE       OBJECTS  LISTED   WATCHED  NOTE
v1 Pod     12       90s ago  yes
v1 Secret  0        never    no       stale for 3m: listing secrets: forbidden [31m

NOT AUDITABLE      RULE  REASON
ClusterPolicy who  r     needs request.userInfo

gap: replica holdfast-1 does not answer: the Pod is pending
gap: v1 Secret: listing secrets: forbidden [31m
`
	if got := out.String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestStatusOfAddresses(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /status", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`{"bundle":{"digest":"sha256:a","policies":1},"leader":true,"coverage":[]}`))
	})
	mux.HandleFunc("GET /other/status", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) })
	server := httptest.NewServer(mux)
	defer server.Close()
	for name, c := range map[string]struct {
		url  string
		want Exit
		err  string
	}{
		"a replica":        {server.URL, Clean, ""},
		"something else":   {server.URL + "/other", Failed, "no replica has answered"},
		"nothing at all":   {server.URL + "/none", Failed, "no replica has answered"},
		"a trailing slash": {server.URL + "/", Clean, ""},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			exit, err := Status(t.Context(), StatusOptions{URLs: []string{c.url}, Namespace: "n", Output: Table}, IO{Out: &out})
			if exit != c.want || (err == nil) != (c.err == "") || (err != nil && err.Error() != c.err) {
				t.Errorf("got %d and %v, want %d and %q; it wrote\n%s", exit, err, c.want, c.err, out.String())
			}
		})
	}
}
