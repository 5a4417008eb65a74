package plan

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/holdfast-io/holdfast/api/v1alpha1"
	"github.com/holdfast-io/holdfast/engine/enginetest"
)

// many are items of one policy for n objects.
func many(t testing.TB, n int, text string) []Item {
	t.Helper()
	p := planner(t, Options{Snapshot: enginetest.Snapshot(t, policy("team", "policies.kyverno.io/description: Somebody has to answer for it.", "ConfigMap", mutating("{data: {team: "+text+"}}")))})
	var out []Item
	for i := range n {
		items, err := p.Object(t.Context(), subject(t, fmt.Sprintf(`{apiVersion: v1, kind: ConfigMap, metadata: {name: c-%d, namespace: web, uid: u%d}, data: {}}`, i, i)))
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, items...)
	}
	return out
}

func proposals(t testing.TB, items []Item) []Proposal {
	t.Helper()
	out, err := Remediations(items, strings.Repeat("b", 64), DefaultStrategy())
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestARemediationHoldsTheItemsOfOneRule(t *testing.T) {
	items := many(t, 3, "a")
	got := proposals(t, append(items, items[0])) // one of them twice
	if len(got) != 1 || len(got[0].Remediation.Spec.Plan.Targets) != 3 || got[0].Mode != v1alpha1.Propose {
		t.Fatalf("got %d: %+v", len(got), got)
	}
	r := got[0].Remediation
	if !strings.HasPrefix(r.Name, "team-r-") || !strings.HasSuffix(r.Name, r.Spec.PlanDigest[:10]) || r.Spec.Plan.Rationale != "Somebody has to answer for it." {
		t.Errorf("got name %s, digest %s, rationale %q", r.Name, r.Spec.PlanDigest, r.Spec.Plan.Rationale)
	}
	phase, message, counts := State(&r.Spec.Plan)
	if phase != v1alpha1.PhaseProposed || message != "" || counts != (v1alpha1.TargetCounts{Total: 3}) {
		t.Errorf("got %s %q %+v", phase, message, counts)
	}
}

func TestThePhaseSaysWhatStandsInTheWay(t *testing.T) {
	conflict := &v1alpha1.Obstacle{Reason: v1alpha1.Conflict, Message: "a and b"}
	helm := &v1alpha1.Obstacle{Reason: v1alpha1.ManagedElsewhere, Message: "Helm"}
	for name, test := range map[string]struct {
		obstacles []*v1alpha1.Obstacle
		want      string
	}{
		"nothing":    {[]*v1alpha1.Obstacle{nil, nil}, "Proposed "},
		"some":       {[]*v1alpha1.Obstacle{nil, helm}, "Proposed 1 of 2 targets are left alone, the first because ManagedElsewhere: Helm"},
		"all":        {[]*v1alpha1.Obstacle{helm, helm}, "Blocked ManagedElsewhere: Helm"},
		"a conflict": {[]*v1alpha1.Obstacle{helm, conflict}, "Conflict a and b"},
	} {
		p := v1alpha1.Plan{}
		for _, o := range test.obstacles {
			p.Targets = append(p.Targets, v1alpha1.Target{Obstacle: o})
		}
		phase, message, _ := State(&p)
		if got := string(phase) + " " + message; got != test.want {
			t.Errorf("%s: got %q, want %q", name, got, test.want)
		}
	}
}

// What is too much for one Remediation is divided so that one more object changes one of them.
func TestManyTargetsAreDividedForGood(t *testing.T) {
	const n = 3 * v1alpha1.MaxTargets
	items := many(t, n+1, "a")
	before, after := proposals(t, items[:n]), proposals(t, items)
	total, same := 0, map[string]bool{}
	for i := range before {
		targets := before[i].Remediation.Spec.Plan.Targets
		total += len(targets)
		if len(targets) > v1alpha1.MaxTargets {
			t.Errorf("one has %d targets", len(targets))
		}
		same[before[i].Remediation.Name] = true
	}
	if total != n || len(before) < 3 {
		t.Errorf("%d targets in %d remediations", total, len(before))
	}
	others := 0
	for i := range after {
		if !same[after[i].Remediation.Name] {
			others++
		}
	}
	if others > 2 { // it falls into one, which may be divided for it
		t.Errorf("%d of %d remediations are others for one more object", others, len(after))
	}
}

func TestLongPatchesAreDividedBySize(t *testing.T) {
	for _, p := range proposals(t, many(t, 40, strings.Repeat("x", v1alpha1.MaxPatchBytes-100))) {
		raw, err := json.Marshal(p.Remediation.Spec.Plan)
		if err != nil {
			t.Fatal(err)
		}
		if len(raw) > v1alpha1.MaxPlanBytes {
			t.Errorf("%s has %d bytes", p.Remediation.Name, len(raw))
		}
	}
}

func TestTheDigestIsOverWhatIsToBeDone(t *testing.T) {
	plan := func(change func(*v1alpha1.Target)) string {
		target := v1alpha1.Target{APIVersion: "v1", Kind: "ConfigMap", Name: "c", UID: "u", Action: v1alpha1.ActionPatch, Patch: "[]", ResourceVersion: "1"}
		change(&target)
		sum, err := Digest(&v1alpha1.Plan{Targets: []v1alpha1.Target{target}})
		if err != nil {
			t.Fatal(err)
		}
		return sum
	}
	was := plan(func(*v1alpha1.Target) {})
	for name, test := range map[string]struct {
		change func(*v1alpha1.Target)
		same   bool
	}{
		"the object was written": {func(t *v1alpha1.Target) { t.ResourceVersion, t.Generation = "2", 5 }, true},
		"who did it is known":    {func(t *v1alpha1.Target) { t.DriftedBy = &v1alpha1.Origin{User: "jane"} }, true},
		"another patch":          {func(t *v1alpha1.Target) { t.Patch = "[1]" }, false},
		"another object":         {func(t *v1alpha1.Target) { t.UID = "v" }, false},
		"an obstacle":            {func(t *v1alpha1.Target) { t.Obstacle = &v1alpha1.Obstacle{Reason: v1alpha1.Conflict} }, false},
		"a patch is withheld":    {func(t *v1alpha1.Target) { t.Withheld = v1alpha1.WithheldSecret }, false},
	} {
		if got := plan(test.change); (got == was) != test.same {
			t.Errorf("%s: the digest is the same: %t", name, got == was)
		}
	}
	withheld := func(version string) string {
		return plan(func(t *v1alpha1.Target) { t.Withheld, t.ResourceVersion = v1alpha1.WithheldSecret, version })
	}
	if withheld("1") == withheld("2") {
		t.Error("what is withheld has the same digest in another state")
	}
}

// The laws of planning: what is planned repairs its finding and breaks nothing, its inverse leads back, the same twice is
// the same, and what is planned for what is mended is nothing.
func TestLawsOfPlanning(t *testing.T) {
	s := enginetest.Snapshot(t,
		policy("size", "", "ConfigMap", validating(`{=(data): {=(size): "1-5"}}`)),
		policy("tier", "", "ConfigMap", validating(`{data: {tier: "gold | silver"}}`)),
		policy("no-debug", "", "ConfigMap", validating(`{=(data): {"X(debug)": "null"}}`)),
		policy("team", "", "ConfigMap", mutating(`{metadata: {labels: {+(team): none}}}`)),
		policy("opposed", "", "ConfigMap", mutating(`{data: {(mode): lax, tier: iron}}`)),
	)
	p := planner(t, Options{Snapshot: s})
	rapid.Check(t, func(rt *rapid.T) {
		data := map[string]any{}
		for _, key := range []string{"size", "tier", "debug", "mode"} {
			if rapid.Bool().Draw(rt, key+" is there") {
				data[key] = rapid.SampledFrom([]string{"0", "3", "9", "gold", "iron", "lax", ""}).Draw(rt, key)
			}
		}
		meta := map[string]any{"name": "c", "namespace": "web", "uid": "u"}
		if rapid.Bool().Draw(rt, "labels") {
			meta["labels"] = map[string]any{"app": "x"}
		}
		o := map[string]any{"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": data}
		sub := Subject{Kind: subject(t, shop).Kind, Object: o}
		items, err := p.Object(t.Context(), sub)
		if err != nil {
			rt.Fatal(err)
		}
		again, _ := p.Object(t.Context(), sub)
		if lines(items) != lines(again) {
			rt.Errorf("once\n%s\nonce\n%s", lines(items), lines(again))
		}
		before, _ := (&planning{Planner: p, ctx: t.Context(), subject: sub}).judge(o)
		for i := range items {
			target := &items[i].Target
			if target.Patch == "" {
				continue
			}
			after := applied(rt, o, target.Patch)
			if back, _ := json.Marshal(applied(rt, after, target.Inverse)); string(back) != mustJSON(rt, o) {
				rt.Errorf("the inverse leads to %s, not to %s", back, mustJSON(rt, o))
			}
			if target.Obstacle != nil {
				continue
			}
			judged, _ := (&planning{Planner: p, ctx: t.Context(), subject: sub}).judge(after)
			now, was := failing(judged), failing(before)
			for r := range now {
				if !was[r] {
					rt.Errorf("%s makes %s fail", target.Patch, name(r))
				}
				if r.Policy == items[i].Policy {
					rt.Errorf("%s does not repair %s", target.Patch, name(r))
				}
			}
			mended, _ := p.Object(t.Context(), Subject{Kind: sub.Kind, Object: after})
			for j := range mended {
				if mended[j].Policy == items[i].Policy {
					rt.Errorf("after %s there is still %s", target.Patch, lines(mended))
				}
			}
		}
	})
}

func mustJSON(t interface{ Fatal(...any) }, v any) string {
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func TestAPolicySaysInWhichSteps(t *testing.T) {
	most := DefaultStrategy()
	for annotation, want := range map[string]string{
		"":                                    "1 25% 0 30s 5m0s",
		"'holdfast.dev/strategy': 'wave=10%'": "1 10% 0 30s 5m0s",
		"'holdfast.dev/strategy': 'canary=5, wave=100%, pause=1s, health-timeout=1m'": "1 25% 0 30s 1m0s",
	} {
		p := enginetest.Snapshot(t, policy("p", annotation, "ConfigMap", mutating("{metadata: {labels: {a: b}}}"))).Policies()[0]
		s := strategyOf(p, most, 20)
		if got := fmt.Sprintf("%d %s %s %s %s", s.Canary, s.Wave.String(), s.MaxFailures.String(), s.Pause.Duration, s.HealthTimeout.Duration); got != want {
			t.Errorf("%q: got %s, want %s", annotation, got, want)
		}
	}
}
