package bundle

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

const reconciled = `apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata:
  name: p
  annotations:
    %s
spec:
  rules:
    - name: r
      match: {any: [{resources: {kinds: [ConfigMap]}}]}
      %s
`

func TestWhatAPolicySaysOfReconcilingIsChecked(t *testing.T) {
	const validates, mutates = `validate: {pattern: {data: {a: "?*"}}}`, "mutate: {patchStrategicMerge: {data: {a: b}}}"
	for name, test := range map[string]struct{ annotation, rule, problem, warning string }{
		"a mode":                   {"holdfast.dev/reconcile: enforce", validates, "", ""},
		"a mode that is none":      {"holdfast.dev/reconcile: enforced", validates, `:6:5: ClusterPolicy/p: metadata.annotations.holdfast.dev/reconcile: unknown mode "enforced": expected report, propose, approve or enforce`, ""},
		"objects that tools keep":  {"holdfast.dev/managed-objects: patch", validates, "", ""},
		"something else with them": {"holdfast.dev/managed-objects: leave", validates, `:6:5: ClusterPolicy/p: metadata.annotations.holdfast.dev/managed-objects: unknown value "leave": expected propose or patch`, ""},
		"windows":                  {`holdfast.dev/windows: "allow 0 22 * * * for 6h in Europe/Zurich; deny @daily for 1h"`, validates, "", ""},
		"a window without a time":  {"holdfast.dev/windows: allow 0 22 * * *", validates, `:6:5: ClusterPolicy/p: metadata.annotations.holdfast.dev/windows: "allow 0 22 * * *": expected "allow" or "deny", a cron expression of five fields, "for" and a duration, and if need be "in" and a time zone: "allow 0 22 * * 1-5 for 6h in Europe/Zurich"`, ""},
		"limits":                   {`holdfast.dev/limits: "share=20%, budget=5"`, validates, "", ""},
		"limits with a slip":       {`holdfast.dev/limits: "shares=20%"`, validates, `:6:5: ClusterPolicy/p: metadata.annotations.holdfast.dev/limits: unknown name "shares": expected share, budget, attempts, fights or failures`, ""},
		"a strategy":               {`holdfast.dev/strategy: "canary=2, wave=10%"`, validates, "", ""},
		"a strategy that is none":  {`holdfast.dev/strategy: "wave=0"`, validates, `:6:5: ClusterPolicy/p: metadata.annotations.holdfast.dev/strategy: wave: "0" is no number from 1 to 200, and no share up to 100%`, ""},
		"an order":                 {"holdfast.dev/after: q, web/p", validates, "", ""},
		"an order of one":          {"holdfast.dev/after: q, p", validates, `:6:5: ClusterPolicy/p: metadata.annotations.holdfast.dev/after: the order is a circle: p after p`, ""},
		"an order with a gap":      {`holdfast.dev/after: "p,,q"`, validates, `:6:5: ClusterPolicy/p: metadata.annotations.holdfast.dev/after: "p,,q": expected names of policies with commas between: NAME, or NAMESPACE/NAME`, ""},
		"a remedy":                 {"holdfast.dev/remediate-with: p/r", mutates, "", ""},
		"a remedy that is not":     {"holdfast.dev/remediate-with: q", validates, "", `:6:5: ClusterPolicy/p: metadata.annotations.holdfast.dev/remediate-with: names "q", and no mutate rule of the bundle is that`},
		"one that mutates nothing": {"holdfast.dev/remediate-with: p", validates, "", `:6:5: ClusterPolicy/p: metadata.annotations.holdfast.dev/remediate-with: names "p", and no mutate rule of the bundle is that`},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "p.yaml")
			if err := os.WriteFile(file, fmt.Appendf(nil, reconciled, test.annotation, test.rule), 0o600); err != nil {
				t.Fatal(err)
			}
			_, sum, err := Load(t.Context(), Sources{Paths: []string{file}})
			if want := test.problem; want != "" {
				if err == nil || err.Error() != file+want {
					t.Errorf("got %v\nwant %s%s", err, file, want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			for _, w := range sum.Warnings {
				got += w.String()
			}
			if want := test.warning; (want == "") != (got == "") || want != "" && got != file+want {
				t.Errorf("warnings: got %s\nwant %s%s", got, file, want)
			}
		})
	}
}
