package bundle

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

const expiring = `
apiVersion: policies.kyverno.io/v1
kind: PolicyException
metadata: {name: dated, namespace: team-a}
spec:
  expiresAt: "2026-05-01T12:00:00Z"
  policyRefs: [{name: p, kind: ValidatingPolicy}]
---
apiVersion: policies.kyverno.io/v1beta1
kind: PolicyException
metadata: {name: undated, namespace: team-a}
spec:
  policyRefs: [{name: p, kind: ValidatingPolicy}]
---
apiVersion: kyverno.io/v2
kind: PolicyException
metadata:
  name: labelled
  namespace: team-a
  labels:
    cleanup.kyverno.io/ttl: "2026-06-01"
spec:
  match: {any: [{resources: {kinds: [Pod]}}]}
  exceptions: [{policyName: q, ruleNames: ["*"]}]
---
apiVersion: kyverno.io/v2
kind: PolicyException
metadata: {name: short, namespace: team-a, labels: {cleanup.kyverno.io/ttl: 90m}}
spec:
  match: {any: [{resources: {kinds: [Pod]}}]}
  exceptions: [{policyName: q, ruleNames: ["*"]}]
`

func TestExceptionsWhoseTimeIsOver(t *testing.T) {
	file := filepath.Join(t.TempDir(), "exceptions.yaml")
	if err := os.WriteFile(file, []byte(expiring), 0o600); err != nil {
		t.Fatal(err)
	}
	_, sum, err := Load(t.Context(), Sources{Paths: []string{file}})
	if err != nil {
		t.Fatal(err)
	}
	const (
		dated    = ":6:3: PolicyException.policies.kyverno.io/team-a/dated: spec.expiresAt: the exception expired at 2026-05-01T12:00:00Z: it excuses nothing any more"
		labelled = ":21:5: PolicyException/team-a/labelled: metadata.labels.cleanup.kyverno.io/ttl: the exception was to be deleted at 2026-06-01T00:00:00Z: it still excuses while it is here"
	)
	for name, c := range map[string]struct {
		now  string
		want []string
	}{
		"before both":             {"2026-04-30T00:00:00Z", nil},
		"the last moment counts":  {"2026-05-01T12:00:00Z", nil},
		"after the first":         {"2026-05-01T12:00:01Z", []string{file + dated}},
		"after both, by the line": {"2027-01-01T00:00:00Z", []string{file + dated, file + labelled}},
	} {
		now, err := time.Parse(time.RFC3339, c.now)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		of := *sum
		of.Warnings = nil // of policies that are not there
		of.WarnOfExpired(now)
		for _, p := range of.Warnings {
			got = append(got, p.String())
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}
