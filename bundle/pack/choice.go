package pack

import (
	"fmt"
	"slices"
	"strings"
)

// The annotations by which a policy says what can be chosen of it.
const (
	// PacksAnnotation has the names of the packs that the policy belongs to, divided by commas.
	PacksAnnotation = "holdfast.dev/packs"
	// ParametersAnnotation has the names of its parameters, divided by commas. Each is a variable with a value in the context
	// of one or more of its rules; the value is the default.
	ParametersAnnotation = "holdfast.dev/parameters"
)

// EnforceLabel is how a namespace asks for more, or for less, than the policies do everywhere: with the value true what is
// audited and heeds the label is refused there, with false what is enforced is only reported there.
const EnforceLabel = "holdfast.dev/enforce"

// Mode is how far policies go.
type Mode string

// The modes.
const (
	// AsWritten leaves policies as they are.
	AsWritten Mode = ""
	// Off takes policies out of the bundle.
	Off Mode = "off"
	// Audit reports, and refuses and changes nothing at admission but in namespaces that ask for it by a label.
	Audit Mode = "audit"
	// Enforce refuses, but in namespaces that are left out, and changes what mutating policies change.
	Enforce Mode = "enforce"
)

// Modes are those that can be asked for, from the least to the strictest.
func Modes() []Mode { return []Mode{Off, Audit, Enforce} }

// ParseMode reads a mode.
func ParseMode(text string) (Mode, error) {
	if !slices.Contains(Modes(), Mode(text)) {
		return AsWritten, fmt.Errorf("unknown mode %q: expected off, audit or enforce", text)
	}
	return Mode(text), nil
}

// Choice says what is chosen of a bundle. Its zero value leaves everything as it is written.
type Choice struct {
	// Packs are the modes of whole packs. Of a policy in several the strictest counts.
	Packs map[string]Mode
	// Policies are the modes of single policies, by name (NAMESPACE/NAME of a Policy), before those of their packs.
	Policies map[string]Mode
	// Parameters are the values that take the place of policies' own. One that takes a single value has one.
	Parameters map[string][]string
}

// mode is what was chosen for a policy.
func (c *Choice) mode(name string, packs []string) Mode {
	if m, ok := c.Policies[name]; ok {
		return m
	}
	strictest := AsWritten
	for _, p := range packs {
		if m := c.Packs[p]; rank(m) > rank(strictest) {
			strictest = m
		}
	}
	return strictest
}

// rank orders modes, AsWritten first: it stands for nothing that was chosen.
func rank(m Mode) int { return slices.Index(Modes(), m) + 1 }

// names reads an annotation with a list of names.
func names(text string) []string {
	var list []string
	for name := range strings.SplitSeq(text, ",") {
		if name = strings.TrimSpace(name); name != "" {
			list = append(list, name)
		}
	}
	return list
}
