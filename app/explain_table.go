package app

import (
	"fmt"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/holdfast-io/holdfast/api/v1alpha1"
)

// writeExplanation writes what there is to say of an object, in the form that is asked for.
func writeExplanation(e *explanation, output Format, streams IO) error {
	switch output {
	case JSON:
		return printJSON(streams.Out, e)
	case YAML:
		raw, err := yaml.Marshal(e)
		if err != nil {
			return fmt.Errorf("writing YAML: %w", err)
		}
		return printf(streams.Out, "%s", raw)
	}
	p := planPrinter{printer{w: streams.Out}, streams.Colour}
	p.printf("%s\n", p.paint(bold, e.Object.String()))
	if who := originText(e.Written); who != "" {
		p.printf("  last written %s\n", who)
	}
	if e.Hold != "" {
		p.printf("  %s\n", p.paint(yellow, e.Hold))
	}
	if len(e.Findings) == 0 {
		p.printf("  is as every rule wants it\n")
	}
	for i := range e.Findings {
		p.finding(&e.Findings[i])
	}
	return p.err
}

func (p *planPrinter) finding(f *explainedFinding) {
	p.printf("\n  %s  %s/%s\n  %s\n", p.paint(red, strings.ToUpper(string(f.Result))), f.Policy, f.Rule, f.Message)
	if drift := driftText(f.DriftedBy); drift != "" {
		p.printf("  %s\n", drift)
	}
	switch {
	case f.Target != nil:
		p.target(f.Target, "  ")
	case f.Mode == v1alpha1.Report:
		p.printf("  nothing is planned: the mode is report\n")
	default:
		p.printf("  nothing is planned\n")
	}
	if f.Mode != v1alpha1.Report {
		p.printf("  the mode is %s\n", f.Mode)
	}
	if len(f.Remediations) > 0 {
		p.printf("  proposed as %s\n", strings.Join(f.Remediations, ", "))
	}
}
