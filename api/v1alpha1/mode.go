package v1alpha1

import (
	"fmt"
	"slices"
)

// Mode says how far Holdfast goes with what it finds. Each does all that the one before does.
// +kubebuilder:validation:Enum=report;propose;approve;enforce
type Mode string

// The modes, from the least to the most.
const (
	// Report finds and reports, and plans nothing.
	Report Mode = "report"
	// Propose plans, proves the plan and shows it as a Remediation. Nothing is carried out. The default.
	Propose Mode = "propose"
	// Approve carries out what somebody with the right to has approved.
	Approve Mode = "approve"
	// Enforce carries out what the gates let pass, without asking.
	Enforce Mode = "enforce"
)

// Modes lists the modes from the least to the most.
func Modes() []Mode { return []Mode{Report, Propose, Approve, Enforce} }

// ParseMode reads the value of an annotation or an option.
func ParseMode(s string) (Mode, error) {
	if !slices.Contains(Modes(), Mode(s)) {
		return Report, fmt.Errorf("unknown mode %q: expected report, propose, approve or enforce", s)
	}
	return Mode(s), nil
}

// Allows reports whether the mode goes as far as the other. A mode that is none goes nowhere.
func (m Mode) Allows(other Mode) bool {
	return slices.Index(Modes(), m) >= slices.Index(Modes(), other)
}

// Strictest gives the mode that goes least far: an option, a policy and a namespace can each only narrow what the others
// say. A mode that is none counts as Report.
func Strictest(first Mode, more ...Mode) Mode {
	least := len(Modes()) - 1
	for _, m := range append(more, first) {
		least = min(least, max(slices.Index(Modes(), m), 0))
	}
	return Modes()[least]
}
