package bundle

import (
	"context"
	"testing"
	"testing/fstest"
)

// Conditions reach the engine as they are written: an empty any is never met, and null is a value.
func TestConditionsAreCompiledAsWritten(t *testing.T) {
	digest := func(conditions string) string {
		t.Helper()
		text := `
apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {name: p}
spec:
  rules:
  - name: r
    match: {any: [{resources: {kinds: [Pod]}}]}
    preconditions: ` + conditions + `
    validate: {deny: {}}
`
		s, _, err := Load(context.Background(), Sources{FS: fstest.MapFS{"p.yaml": {Data: []byte(text)}}})
		if err != nil {
			t.Fatalf("%s: %v", conditions, err)
		}
		return s.Digest()
	}
	const one = "all: [{key: a, operator: Equals, value: a}]"
	if digest("{"+one+"}") == digest("{any: [], "+one+"}") {
		t.Error("an empty any makes no difference")
	}
	if digest("{"+one+"}") == digest("{all: [{key: a, operator: Equals, value: null}]}") {
		t.Error("a null value makes no difference")
	}
}
