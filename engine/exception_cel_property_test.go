package engine

import (
	"encoding/json"
	"fmt"
	"testing"

	"pgregory.net/rapid"
)

// Whatever exceptions in CEL there are, in whatever order: the audit says what admission says, and no object is changed.
func TestExceptionsInCELAreTheSameAtEveryDoorAndInEveryOrder(t *testing.T) {
	policy := mustCompileValidating(t, inCEL("matchConditions: [{name: c, expression: '!(object.metadata.name in exceptions.allowedValues)'}], "+
		"validations: [{expression: 'object.spec.containers.all(c, string(c.image) in exceptions.allowedImages)', message: refused}]"))
	var pool []*Exception
	for i, spec := range []string{
		conditionInCEL("object.metadata.?labels.app.orValue('') == 'web'"),
		"reportResult: pass, " + conditionInCEL("object.metadata.?labels.app.orValue('') == 'web'"),
		"images: [nginx], " + conditionInCEL("has(object.metadata.labels)"),
		"images: [redis], allowedValues: [q]",
		"allowedValues: [p], expiresAt: '2020-01-01T00:00:00Z'",
		"allowedValues: [p], expiresAt: '2030-01-01T00:00:00Z', " + conditionInCEL("object.metadata.?labels.app.orValue('') == 'db'"),
		conditionInCEL("object.metadata.labels.app == 'none'"),
		"images: [nginx], " + conditionInCEL("object.metadata.labels.app.startsWith('d')"),
		"evaluationMode: JSON",
	} {
		pool = append(pool, mustCompileCELException(t, exceptionInCEL(fmt.Sprintf("x%d", i), spec)))
	}
	rapid.Check(t, func(rt *rapid.T) {
		chosen := rapid.SliceOfNDistinct(rapid.IntRange(0, len(pool)-1), 0, len(pool), rapid.ID[int]).Draw(rt, "exceptions")
		var some, reversed []*Exception
		for _, i := range chosen {
			some = append(some, pool[i])
			reversed = append([]*Exception{pool[i]}, reversed...)
		}
		labels := rapid.SampledFrom([]string{"", ", labels: {}", ", labels: {app: web}", ", labels: {app: db}"}).Draw(rt, "labels")
		image := rapid.SampledFrom([]string{"nginx", "redis", "other"}).Draw(rt, "image")
		pod := "{apiVersion: v1, kind: Pod, metadata: {name: p, namespace: team-a" + labels + "}, spec: {containers: [{name: c, image: " + image + "}]}}"
		var verdicts []string
		for _, exceptions := range [][]*Exception{some, reversed} {
			s, err := Assemble(Contents{Policies: []*Policy{policy}, Exceptions: exceptions})
			if err != nil {
				rt.Fatal(err)
			}
			req := onPod(asking(t, pod))
			before, _ := json.Marshal(req.Object)
			verdicts = append(verdicts, lines(s.Validate(t.Context(), req, world{}.inputs())))
			m, err := s.Audit(t.Context(), onPod(resting(t, pod)), world{}.inputs())
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
