package gate

// Gate is one question that stands before a change.
type Gate struct {
	Name string
	// Scope says what it is about.
	Scope Scope
	// Judge answers.
	Judge func(*Facts) Verdict
}

// Scope is what a gate is about.
type Scope uint8

const (
	// Whole: the Remediation, whatever the target.
	Whole Scope = iota
	// Each: one target. Without one the gate is not asked.
	Each
)

// Gates lists the gates in their order: what people say first, then what the object says, then what was done before.
func Gates() []Gate {
	return []Gate{
		{"switch", Whole, killSwitch},
		{"mode", Whole, mode},
		{"pause", Whole, paused},
		{"settings", Whole, settings},
		{"approval", Whole, approved},
		{"obstacle", Each, obstacle},
		{"object", Each, present},
		{"hold", Each, hold},
		{"exception", Each, exception},
		{"settled", Each, settled},
		{"observed", Each, observed},
		{"window", Whole, window},
		{"share", Whole, share},
		{"breaker", Whole, breaker},
		{"attempts", Each, attempts},
		{"fight", Each, fight},
		{"order", Each, order},
		{"budget", Each, budget},
	}
}

// Judge asks every gate, and gives their verdicts in order.
func Judge(f *Facts) []Verdict {
	var out []Verdict
	for _, g := range Gates() {
		if g.Scope == Each && f.Target == nil {
			continue
		}
		v := g.Judge(f)
		v.Gate = g.Name
		out = append(out, v)
	}
	return out
}

// First gives the verdict of the first gate that stops; false if all let it pass.
func First(f *Facts) (Verdict, bool) {
	for _, g := range Gates() {
		if g.Scope == Each && f.Target == nil {
			continue
		}
		if v := g.Judge(f); !v.Passes {
			v.Gate = g.Name
			return v, true
		}
	}
	return Verdict{}, false
}
