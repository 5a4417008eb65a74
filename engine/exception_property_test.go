package engine

import (
	"encoding/json"
	"fmt"
	"testing"

	"pgregory.net/rapid"
)

// Whatever exceptions there are, in whatever order: the audit says what admission says, and no object is changed.
func TestExceptionsAreTheSameAtEveryDoorAndInEveryOrder(t *testing.T) {
	policies := []*Policy{
		mustCompile(t, withoutAutogen("p", refusesPods)),
		mustCompile(t, withoutAutogen("q", "{rules: [{name: r, "+onPods+"validate: {podSecurity: {level: baseline, version: latest}}}]}")),
	}
	var pool []*Exception
	for i, spec := range []string{
		"{" + named + ", " + allPods + "}",
		"{" + named + ", match: {any: [{resources: {kinds: [Pod], selector: {matchLabels: {app: web}}}}]}}",
		"{exceptions: [{policyName: q, ruleNames: ['*']}], match: {all: [{resources: {names: ['p*']}}, {resources: {namespaces: [team-a]}}]}}",
		"{exceptions: [{policyName: q, ruleNames: [r]}], " + allPods + ", podSecurity: [{controlName: Host Namespaces}]}",
		"{exceptions: [{policyName: q, ruleNames: [r]}], " + allPods + ", podSecurity: [{controlName: Host Ports, images: [nginx]}]}",
		"{exceptions: [{policyName: p, ruleNames: [r]}, {policyName: q, ruleNames: [r]}], " + allPods + ", conditions: {any: [{key: '{{ request.object.metadata.labels.app }}', operator: Equals, value: db}]}}",
	} {
		pool = append(pool, mustCompileException(t, exception(fmt.Sprintf("x%d", i), spec)))
	}
	rapid.Check(t, func(rt *rapid.T) {
		chosen := rapid.SliceOfNDistinct(rapid.IntRange(0, len(pool)-1), 0, len(pool), rapid.ID[int]).Draw(rt, "exceptions")
		var some, reversed []*Exception
		for _, i := range chosen {
			some = append(some, pool[i])
			reversed = append([]*Exception{pool[i]}, reversed...)
		}
		labels := rapid.SampledFrom([]string{"", "labels: {}", "labels: {app: web}", "labels: {app: db}"}).Draw(rt, "labels")
		spec := rapid.SampledFrom([]string{"", "hostNetwork: true,", "hostPID: true,"}).Draw(rt, "spec")
		port := rapid.SampledFrom([]string{"80", "0"}).Draw(rt, "port")
		pod := "{apiVersion: v1, kind: Pod, metadata: {name: p, namespace: team-a, " + labels + "}, spec: {" + spec + "containers: [{name: c, image: nginx, ports: [{containerPort: 80, hostPort: " + port + "}]}]}}"
		var verdicts []string
		for _, exceptions := range [][]*Exception{some, reversed} {
			s, err := Assemble(Contents{Policies: policies, Exceptions: exceptions})
			if err != nil {
				rt.Fatal(err)
			}
			req := asking(t, pod)
			before, _ := json.Marshal(req.Object)
			verdicts = append(verdicts, lines(s.Validate(t.Context(), req, world{}.inputs())))
			m, err := s.Audit(t.Context(), resting(t, pod), world{}.inputs())
			if err != nil {
				rt.Fatal(err)
			}
			verdicts = append(verdicts, lines(m.Decisions))
			if after, _ := json.Marshal(req.Object); string(after) != string(before) {
				rt.Fatalf("the object was changed to %s", after)
			}
		}
		for _, v := range verdicts[1:] {
			if v != verdicts[0] {
				rt.Fatalf("of %s with %v\n%s\nand\n%s", pod, chosen, verdicts[0], v)
			}
		}
	})
}
