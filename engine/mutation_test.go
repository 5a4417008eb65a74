package engine

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/holdfast-io/holdfast/engine/mutate"
)

func patchText(t testing.TB, ops []mutate.Operation) string {
	t.Helper()
	raw, err := json.Marshal(ops)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// chained has two rules, of which the second builds on the first.
var chained = withoutAutogen("p", "{rules: ["+
	"{name: team, "+onPods+"mutate: {patchStrategicMerge: {metadata: {labels: {+(team): none}}}}},"+
	"{name: mail, "+onPods+"preconditions: {all: [{key: \"{{ request.object.metadata.labels.team || '' }}\", operator: NotEquals, value: ''}]}, mutate: {patchesJson6902: '[{op: add, path: /metadata/labels/mail, value: \"{{ request.object.metadata.labels.team }}@example.com\"}]'}},"+
	"{name: same, "+onPods+"mutate: {patchStrategicMerge: {metadata: {labels: {app: web}}}}}]}")

func TestMutateAppliesRulesInOrder(t *testing.T) {
	s := snapshot(t, chained)
	req := asking(t, plainPod)
	m, err := s.Mutate(t.Context(), req, world{}.inputs())
	if err != nil {
		t.Fatal(err)
	}
	same(t, "decisions", lines(m.Decisions), "team pass: mutated\nmail pass: mutated\nsame skip: the object is as the rule wants it")
	same(t, "patch", patchText(t, m.Patch), `[{"op":"add","path":"/metadata/labels/mail","value":"none@example.com"},{"op":"add","path":"/metadata/labels/team","value":"none"}]`)
	if !reflect.DeepEqual(req.Object, object(t, plainPod)) {
		t.Errorf("the request's object was changed: %v", req.Object)
	}
}

func TestMutateWithoutEffectGivesTheSameObject(t *testing.T) {
	s := snapshot(t, withoutAutogen("p", "{rules: [{name: r, "+onPods+"mutate: {patchStrategicMerge: {metadata: {labels: {app: web}}}}}]}"))
	req := asking(t, plainPod)
	m, err := s.Mutate(t.Context(), req, world{}.inputs())
	if err != nil {
		t.Fatal(err)
	}
	if len(m.Patch) != 0 || reflect.ValueOf(m.Object).Pointer() != reflect.ValueOf(req.Object).Pointer() {
		t.Errorf("got another object, with patch %v", m.Patch)
	}
}

// A rule that fails leaves the object to the rules after it.
func TestMutateGoesOnAfterAnError(t *testing.T) {
	s := snapshot(t, withoutAutogen("p", "{rules: ["+
		"{name: bad, "+onPods+"mutate: {patchStrategicMerge: {metadata: {labels: {a: '{{ request.object.nothing }}'}}}}},"+
		"{name: good, "+onPods+"mutate: {patchStrategicMerge: {metadata: {labels: {b: c}}}}}]}"))
	m, err := s.Mutate(t.Context(), asking(t, plainPod), world{}.inputs())
	if err != nil {
		t.Fatal(err)
	}
	if got := m.Decisions[0].Status; got != Error {
		t.Errorf("the first rule: got %s, want error", got)
	}
	same(t, "patch", patchText(t, m.Patch), `[{"op":"add","path":"/metadata/labels/b","value":"c"}]`)
}

func TestAuditOfMutateRules(t *testing.T) {
	s := snapshot(t, chained)
	req := resting(t, plainPod)
	m, err := s.Audit(t.Context(), req, world{}.inputs())
	if err != nil {
		t.Fatal(err)
	}
	same(t, "decisions", lines(m.Decisions), strings.Join([]string{
		"team fail: the object differs from what the rule wants at /metadata/labels/team",
		"mail fail: the object differs from what the rule wants at /metadata/labels/mail, /metadata/labels/team",
		"same pass",
	}, "\n"))
	same(t, "a rule alone", patchText(t, m.Decisions[0].Patch), `[{"op":"add","path":"/metadata/labels/team","value":"none"}]`)
	same(t, "a rule that builds on another", patchText(t, m.Decisions[1].Patch),
		`[{"op":"add","path":"/metadata/labels/mail","value":"none@example.com"},{"op":"add","path":"/metadata/labels/team","value":"none"}]`)

	mended, err := mutate.ApplyPatch(req.Object, m.Patch)
	if err != nil {
		t.Fatal(err)
	}
	again := *req
	again.Object = mended
	after, err := s.Audit(t.Context(), &again, world{}.inputs())
	if err != nil {
		t.Fatal(err)
	}
	same(t, "after the patch", lines(after.Decisions), "team pass\nmail pass\nsame pass")
	same(t, "the second patch", patchText(t, after.Patch), "null")
	if !reflect.DeepEqual(req.Object, object(t, plainPod)) {
		t.Errorf("the audit changed the object: %v", req.Object)
	}
}

func TestDriftNamesFivePaths(t *testing.T) {
	labels := make([]string, 8)
	for i := range labels {
		labels[i] = fmt.Sprintf("l%d: x", i)
	}
	s := snapshot(t, withoutAutogen("p", "{rules: [{name: r, "+onPods+"mutate: {patchStrategicMerge: {metadata: {labels: {"+strings.Join(labels, ", ")+"}}}}}]}"))
	m, err := s.Audit(t.Context(), resting(t, plainPod), world{}.inputs())
	if err != nil {
		t.Fatal(err)
	}
	same(t, "decision", lines(m.Decisions), "r fail: the object differs from what the rule wants at "+
		"/metadata/labels/l0, /metadata/labels/l1, /metadata/labels/l2, /metadata/labels/l3, /metadata/labels/l4 and 3 more")
	if got := len(m.Decisions[0].Patch); got != 8 {
		t.Errorf("the patch has %d operations, want 8", got)
	}
}
