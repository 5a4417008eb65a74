package app

import (
	"testing"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/holdfast-io/holdfast/api/v1alpha1"
	"github.com/holdfast-io/holdfast/audit"
	"github.com/holdfast-io/holdfast/engine"
	"github.com/holdfast-io/holdfast/engine/enginetest"
)

func TestTheObjectsThatARuleIsAboutAreCounted(t *testing.T) {
	s := enginetest.Snapshot(t, `
apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {name: p}
spec:
  rules:
  - {name: a, match: {any: [{resources: {kinds: [Pod]}}]}, validate: {message: m, pattern: {spec: {hostNetwork: "false"}}}}
  - {name: b, match: {any: [{resources: {kinds: [ConfigMap]}}]}, validate: {message: m, pattern: {data: {b: "?*"}}}}
`)
	p := s.Policies()[0]
	rule := map[string]*engine.Rule{}
	for _, r := range p.Rules {
		rule[r.Name] = r
	}
	m := newMatches()
	kind := func(name string) schema.GroupVersionKind { return schema.GroupVersionKind{Version: "v1", Kind: name} }
	say := func(kind schema.GroupVersionKind, uid string, verdicts map[string]engine.Status) {
		t.Helper()
		f := audit.Finding{Object: audit.Object{Kind: kind, Namespace: "web", Name: uid, UID: uid}}
		for name, status := range verdicts {
			if rule[name] == nil {
				t.Fatalf("no rule %s", name)
			}
			f.Result.Decisions = append(f.Result.Decisions, engine.Decision{Policy: p, Rule: rule[name], Status: status})
		}
		m.Found(&f)
	}
	count := func(what string, a, b int) {
		t.Helper()
		of := func(rule string) int { return m.of(&v1alpha1.PolicyReference{Kind: p.Kind, Name: p.Name, Rule: rule}) }
		if of("a") != a || of("b") != b {
			t.Errorf("%s: got %d and %d, want %d and %d", what, of("a"), of("b"), a, b)
		}
	}
	count("nothing", 0, 0)
	say(kind("Pod"), "1", map[string]engine.Status{"a": engine.Pass})
	say(kind("Pod"), "2", map[string]engine.Status{"a": engine.Fail})
	say(kind("Pod"), "3", map[string]engine.Status{"a": engine.Skip})
	say(kind("Pod"), "4", map[string]engine.Status{"a": engine.Error})
	count("what passes and what fails; not what is skipped or cannot be told", 2, 0)
	say(kind("Deployment"), "5", map[string]engine.Status{"autogen-a": engine.Warn})
	count("a rule that was made for pod controllers counts as its author's", 3, 0)
	say(kind("Pod"), "1", map[string]engine.Status{"a": engine.Fail})
	count("the same object again", 3, 0)
	say(kind("ConfigMap"), "6", map[string]engine.Status{"a": engine.Fail, "b": engine.Pass})
	count("one that two rules are about", 4, 1)
	say(kind("ConfigMap"), "6", map[string]engine.Status{"b": engine.Pass})
	count("and then only one", 3, 1)
	m.Gone(audit.Object{UID: "5"})
	m.Gone(audit.Object{UID: "unheard of"})
	count("one is gone", 2, 1)
	m.Listed(audit.Type{Kind: kind("Pod")}, func(uid string) bool { return uid == "1" })
	count("a full list of Pods without one of them", 1, 1)
	if len(m.objects) != 2 || len(m.sets) != 2 {
		t.Errorf("%d objects in %d sets are remembered, want 2 in 2", len(m.objects), len(m.sets))
	}
	m.reset()
	count("another auditor begins", 0, 0)
	if len(m.objects)+len(m.sets)+len(m.counts) != 0 {
		t.Error("something is remembered")
	}
	m = nil // where nobody changes anything
	m.reset()
	m.Found(&audit.Finding{})
	m.Gone(audit.Object{})
	m.Listed(audit.Type{}, func(string) bool { return true })
}
