package app

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/holdfast-io/holdfast/api/v1alpha1"
	"github.com/holdfast-io/holdfast/report"
)

// writeRemediations writes Remediations in the form that is asked for.
func writeRemediations(list []v1alpha1.Remediation, output Format, streams IO) error {
	switch output {
	case JSON:
		return printJSON(streams.Out, listOf(list))
	case YAML:
		raw, err := yaml.Marshal(listOf(list))
		if err != nil {
			return fmt.Errorf("writing YAML: %w", err)
		}
		if _, err := streams.Out.Write(raw); err != nil {
			return fmt.Errorf("writing YAML: %w", err)
		}
		return nil
	}
	p := planPrinter{printer{w: streams.Out}, streams.Colour}
	for i := range list {
		p.remediation(&list[i])
	}
	p.total(list)
	return p.err
}

// planPrinter writes plans for people.
type planPrinter struct {
	printer
	colour report.Colour
}

// The colours of ANSI terminals.
const (
	red    = "31"
	green  = "32"
	yellow = "33"
	bold   = "1"
)

func (p *planPrinter) paint(code, text string) string {
	if p.colour == report.Plain {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

func (p *planPrinter) remediation(r *v1alpha1.Remediation) {
	plan := &r.Spec.Plan
	p.printf("%s  %s\n", p.paint(bold, r.Name), p.paint(phaseColour(r.Status.Phase), string(cmp.Or(r.Status.Phase, v1alpha1.PhaseProposed))))
	p.printf("  %s/%s, risk %s, mode %s\n", plan.Policy.Key(), plan.Policy.Rule, riskText(&plan.Risk), r.Status.Mode)
	if plan.Rationale != "" {
		p.printf("  %s\n", plan.Rationale)
	}
	if r.Status.Message != "" {
		p.printf("  %s\n", r.Status.Message)
	}
	for _, g := range r.Status.Gates {
		p.printf("  %s\n", p.paint(yellow, gateText(&g)))
	}
	for i := range plan.Targets {
		p.target(&plan.Targets[i], "  ")
	}
	p.printf("\n")
}

func (p *planPrinter) target(t *v1alpha1.Target, indent string) {
	p.printf("%s%s\n", indent, p.paint(bold, strings.ToLower(string(t.Action))+" "+t.String()))
	for line := range strings.Lines(t.Diff) {
		line = strings.TrimSuffix(line, "\n")
		switch {
		case strings.HasPrefix(line, "+"):
			line = p.paint(green, line)
		case strings.HasPrefix(line, "-"):
			line = p.paint(red, line)
		}
		p.printf("%s  %s\n", indent, line)
	}
	if t.Withheld != "" {
		p.printf("%s  the patch itself is withheld: %s\n", indent, map[v1alpha1.Withheld]string{
			v1alpha1.WithheldSecret: "it holds values of a Secret", v1alpha1.WithheldTooLong: "it is too long",
		}[t.Withheld])
	}
	if len(t.Repairs) > 0 {
		p.printf("%s  also repairs %s\n", indent, strings.Join(t.Repairs, ", "))
	}
	if drift := driftText(t.DriftedBy); drift != "" {
		p.printf("%s  %s\n", indent, drift)
	}
	if o := t.Obstacle; o != nil {
		p.printf("%s  %s\n", indent, p.paint(yellow, string(o.Reason)+": "+o.Message))
	}
}

func (p *planPrinter) total(list []v1alpha1.Remediation) {
	if len(list) == 0 {
		p.printf("nothing to propose\n")
		return
	}
	targets, blocked := 0, 0
	for i := range list {
		for j := range list[i].Spec.Plan.Targets {
			targets++
			if list[i].Spec.Plan.Targets[j].Obstacle != nil {
				blocked++
			}
		}
	}
	p.printf("%s for %s, %d of them left alone\n", count(len(list), "remediation", "remediations"), count(targets, "target", "targets"), blocked)
}

// gateText says which gate stands in the way, of how many targets, and until when.
func gateText(g *v1alpha1.GateStatus) string {
	out := "waits at the gate " + g.Gate
	if g.Targets > 0 {
		out += " with " + count(int(g.Targets), "target", "targets")
	}
	out += ": " + g.Message
	if g.Until != nil {
		out += " (to be looked at again at " + g.Until.UTC().Format("2006-01-02 15:04 UTC") + ")"
	}
	return out
}

func phaseColour(p v1alpha1.Phase) string {
	switch {
	case slices.Contains([]v1alpha1.Phase{v1alpha1.PhaseBlocked, v1alpha1.PhaseConflict, v1alpha1.PhaseAwaitingApproval, v1alpha1.PhasePaused}, p):
		return yellow
	case p == v1alpha1.PhaseFailed || p == v1alpha1.PhaseRejected:
		return red
	default:
		return green
	}
}

func riskText(r *v1alpha1.Risk) string {
	if len(r.Reasons) == 0 {
		return string(r.Level)
	}
	return string(r.Level) + " (" + strings.Join(r.Reasons, "; ") + ")"
}

func originText(o *v1alpha1.Origin) string {
	if o == nil {
		return ""
	}
	text := o.User
	if o.Manager != "" {
		text = strings.TrimSpace(text + " with " + o.Manager)
	}
	if text != "" && o.Time != nil {
		text += " at " + o.Time.UTC().Format("2006-01-02 15:04:05Z")
	}
	if text != "" && o.Slip != "" {
		text += " (" + o.Slip + ")"
	}
	return text
}

// driftText says who brought an object into its state; nothing where nobody knows.
func driftText(o *v1alpha1.Origin) string {
	switch who := originText(o); {
	case who == "":
		return ""
	case o.User == "":
		return "drifted by a write " + who
	default:
		return "drifted by " + who
	}
}

// remediationOf reads a Remediation as a dynamic client has it.
func remediationOf(object map[string]any) (*v1alpha1.Remediation, error) {
	raw, err := json.Marshal(object)
	if err != nil {
		return nil, fmt.Errorf("reading a Remediation: %w", err)
	}
	r := &v1alpha1.Remediation{}
	if err := json.Unmarshal(raw, r); err != nil {
		return nil, fmt.Errorf("reading a Remediation: %w", err)
	}
	return r, nil
}
