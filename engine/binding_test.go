package engine

import (
	"testing"
)

// A policy is joined with its bindings into a new one: the policy that was compiled stays as it is, and the digest of what
// is in force tells which bindings it has, so that an audit judges anew when they change.
func TestBindingsMakePoliciesAnew(t *testing.T) {
	text := admissionPolicy("validations: [{expression: 'true'}]")
	p, err := tryCompileAdmission(t, text)
	if err != nil {
		t.Fatal(err)
	}
	bind := func(name, more string) *Binding {
		b, err := tryCompileBinding(t, admissionBinding(name, more))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	assemble := func(policies []*Policy, bindings ...*Binding) *Snapshot {
		s, err := Assemble(Contents{Policies: policies, Bindings: bindings})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	own := p.Digest
	a, b := bind("a", ""), bind("b", ", matchResources: {objectSelector: {matchLabels: {a: b}}}")
	none := assemble([]*Policy{p})
	one := assemble([]*Policy{p}, a)
	both := assemble([]*Policy{p}, b, a)

	if p.Digest != own || len(p.Rules) != 0 || len(none.Policies()[0].Rules) != 0 {
		t.Error("joining has changed the policy itself")
	}
	for what, s := range map[string]*Snapshot{"one": one, "both": both} {
		if got := s.Policies()[0]; got.Digest == own || s.Digest() == none.Digest() || got.Rules[0].Policy != got {
			t.Errorf("%s: the policy in force is not one of its own", what)
		}
	}
	if one.Policies()[0].Digest == both.Policies()[0].Digest || one.Digest() == both.Digest() {
		t.Error("another binding leaves the digest as it was")
	}
	same(t, "order", both.Policies()[0].Rules[0].Binding()+both.Policies()[0].Rules[1].Binding(), "ab")
	same(t, "property", both.Policies()[0].Rules[1].Properties["binding"], "b")

	again := assemble(both.Policies(), both.Bindings()...)
	same(t, "digest of what is assembled again", again.Digest(), both.Digest())
	back := assemble(both.Policies())
	same(t, "digest without the bindings", back.Digest(), none.Digest())
}

func TestABindingBindsPoliciesOfItsKind(t *testing.T) {
	p, err := tryCompileAdmission(t, admissionPolicy("validations: [{expression: 'true'}]"))
	if err != nil {
		t.Fatal(err)
	}
	other := *p
	other.Name = "q"
	b, err := tryCompileBinding(t, admissionBinding("b", ""))
	if err != nil {
		t.Fatal(err)
	}
	if !b.Binds(p) || b.Binds(&other) {
		t.Error("a binding binds the policy that it names, and no other")
	}
	namesake := mustCompile(t, clusterPolicy("p", "{rules: [{name: r, match: {any: [{resources: {kinds: [Pod]}}]}, validate: {deny: {}}}]}"))
	if b.Binds(namesake) || namesake.NeedsBinding() || !p.NeedsBinding() {
		t.Error("a policy of Kyverno's needs no binding")
	}
}
