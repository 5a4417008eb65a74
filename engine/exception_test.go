package engine

import (
	"errors"
	"slices"
	"strings"
	"testing"

	kyvernov2 "github.com/kyverno/kyverno/api/kyverno/v2"
	authenticationv1 "k8s.io/api/authentication/v1"
	"sigs.k8s.io/yaml"
)

// exception writes a PolicyException of namespace team-a around its spec, in flow style.
func exception(name, spec string) string {
	return "{apiVersion: kyverno.io/v2, kind: PolicyException, metadata: {name: " + name + ", namespace: team-a}, spec: " + spec + "}"
}

func tryCompileException(t testing.TB, text string) (*Exception, error) {
	t.Helper()
	src := &kyvernov2.PolicyException{}
	if err := yaml.UnmarshalStrict([]byte(text), src); err != nil {
		t.Fatalf("%v in:\n%s", err, text)
	}
	compiler, err := NewCompiler()
	if err != nil {
		t.Fatal(err)
	}
	return compiler.CompileException(src, object(t, text))
}

func mustCompileException(t testing.TB, text string) *Exception {
	t.Helper()
	x, err := tryCompileException(t, text)
	if err != nil {
		t.Fatalf("%v in:\n%s", err, text)
	}
	return x
}

// assemble makes a snapshot of one policy and exceptions.
func assemble(t testing.TB, policy string, exceptions ...string) *Snapshot {
	t.Helper()
	c := Contents{Policies: []*Policy{mustCompile(t, policy)}}
	for _, text := range exceptions {
		c.Exceptions = append(c.Exceptions, mustCompileException(t, text))
	}
	s, err := Assemble(c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// What most cases are about: a policy that refuses each Pod, and a Pod.
const (
	refusesPods = "{rules: [{name: r, " + onPods + "validate: {deny: {}}}]}"
	excusedPod  = "{apiVersion: v1, kind: Pod, metadata: {name: p, namespace: team-a, labels: {app: web}}, spec: {containers: [{name: c, image: nginx}]}}"
	named       = "exceptions: [{policyName: p, ruleNames: [r]}]"
	allPods     = "match: {any: [{resources: {kinds: [Pod]}}]}"
)

func TestExceptions(t *testing.T) {
	const failed = "r fail: rule r failed"
	const excused = "r skip: excused by PolicyException team-a/x"
	for name, c := range map[string]struct {
		policy     string // empty: the one that refuses Pods
		exceptions []string
		want       string
	}{
		"an object that is matched is excused": {"", []string{exception("x", "{"+named+", "+allPods+"}")}, excused},
		"another policy is not":                {"", []string{exception("x", "{exceptions: [{policyName: q, ruleNames: [r]}], "+allPods+"}")}, failed},
		"a policy of that name in a namespace": {"", []string{exception("x", "{exceptions: [{policyName: team-a/p, ruleNames: [r]}], "+allPods+"}")}, failed},
		"another rule is not":                  {"", []string{exception("x", "{exceptions: [{policyName: p, ruleNames: [s]}], "+allPods+"}")}, failed},
		"a rule is named with a wildcard":      {"", []string{exception("x", "{exceptions: [{policyName: p, ruleNames: ['?', s]}], "+allPods+"}")}, excused},
		"an object that is not matched is not": {"", []string{exception("x", "{"+named+", match: {any: [{resources: {kinds: [Service]}}]}}")}, failed},
		"all of the filters must match":        {"", []string{exception("x", "{"+named+", match: {all: [{resources: {kinds: [Pod]}}, {resources: {names: [q]}}]}}")}, failed},
		"without kinds, by namespace alone":    {"", []string{exception("x", "{"+named+", match: {any: [{resources: {namespaces: ['team-*']}}]}}")}, excused},
		"by the user who asks":                 {"", []string{exception("x", "{"+named+", match: {any: [{subjects: [{kind: User, name: jane}]}]}}")}, excused},
		"by another user":                      {"", []string{exception("x", "{"+named+", match: {any: [{subjects: [{kind: User, name: joe}]}]}}")}, failed},
		"conditions that hold":                 {"", []string{exception("x", "{"+named+", "+allPods+", conditions: {any: [{key: '{{ request.object.metadata.labels.app }}', operator: Equals, value: web}]}}")}, excused},
		"conditions that do not hold":          {"", []string{exception("x", "{"+named+", "+allPods+", conditions: {all: [{key: '{{ request.object.metadata.labels.app }}', operator: Equals, value: db}]}}")}, failed},
		"conditions on images, of which a rule knows nothing": {
			"", []string{exception("x", "{"+named+", "+allPods+", conditions: {any: [{key: '{{ images.containers.c.name }}', operator: Equals, value: nginx}]}}")}, excused,
		},
		"conditions on the rule's context": {
			"{rules: [{name: r, " + onPods + "context: [{name: base, variable: {value: web}}, {name: v, variable: {value: '{{ base }}!'}}, {name: unread, variable: {jmesPath: nope.nope}}], validate: {deny: {}}}]}",
			[]string{exception("x", "{"+named+", "+allPods+", conditions: {any: [{key: '{{ v }}', operator: Equals, value: web!}]}}")}, excused,
		},
		"what fails to be evaluated is an error and no excuse": {
			"", []string{exception("x", "{"+named+", "+allPods+", conditions: {any: [{key: '{{ request.object.spec.nope }}', operator: Equals, value: a}]}}")},
			`r error: could not be evaluated: PolicyException team-a/x: conditions: any[0]: key: request.object.spec.nope: not found: unknown key "nope"`,
		},
		"controls do not narrow what is no podSecurity rule": {"", []string{exception("x", "{"+named+", "+allPods+", podSecurity: [{controlName: Host Namespaces}]}")}, excused},
		"the preconditions come after": {
			"{rules: [{name: r, " + onPods + "preconditions: {all: [{key: a, operator: Equals, value: b}]}, validate: {deny: {}}}]}",
			[]string{exception("x", "{"+named+", "+allPods+"}")}, excused,
		},
		"a mutate rule is excused as well": {
			"{rules: [{name: r, " + onPods + "mutate: {patchStrategicMerge: {metadata: {labels: {a: b}}}}}]}",
			[]string{exception("x", "{"+named+", "+allPods+"}")}, excused,
		},
	} {
		t.Run(name, func(t *testing.T) {
			if c.policy == "" {
				c.policy = refusesPods
			}
			s := assemble(t, withoutAutogen("p", c.policy), c.exceptions...)
			req := asking(t, excusedPod)
			decisions := s.Validate(t.Context(), req, world{}.inputs())
			m, err := s.Mutate(t.Context(), req, world{}.inputs())
			if err != nil {
				t.Fatal(err)
			}
			decisions = append(decisions, m.Decisions...)
			same(t, "decisions", lines(decisions), c.want)
			if named := decisions[0].Exceptions; (c.want == excused) != slices.Equal(named, []string{"team-a/x"}) {
				t.Errorf("the decision names %q", named)
			}
			if m.Patch != nil {
				t.Errorf("it was changed: %v", m.Patch)
			}
		})
	}
}

// A rule that was made for pod controllers has its own name, and its objects are of another kind.
func TestExceptionsFromRulesForControllers(t *testing.T) {
	deployment := "{apiVersion: apps/v1, kind: Deployment, metadata: {name: d, namespace: team-a}, spec: {template: {spec: {}}}}"
	policy := clusterPolicy("p", "{rules: [{name: r, match: {any: [{resources: {kinds: [Pod]}}]}, validate: {pattern: {spec: {hostNetwork: true}}}}]}")
	for rules, want := range map[string]string{
		"[r]":              "autogen-r fail: failed at /spec/template/spec/hostNetwork/",
		"[r, autogen-r]":   "autogen-r skip: excused by PolicyException team-a/x",
		"['autogen-*']":    "autogen-r skip: excused by PolicyException team-a/x",
		"['*']":            "autogen-r skip: excused by PolicyException team-a/x",
		"[autogen-cron*]":  "autogen-r fail: failed at /spec/template/spec/hostNetwork/",
		"['', autogen-rr]": "autogen-r fail: failed at /spec/template/spec/hostNetwork/",
	} {
		s := assemble(t, policy, exception("x", "{exceptions: [{policyName: p, ruleNames: "+rules+"}], match: {any: [{resources: {kinds: [Deployment, Pod]}}]}}"))
		same(t, rules, lines(s.Validate(t.Context(), asking(t, deployment), world{}.inputs())), want)
	}
}

func TestExceptionsAtRest(t *testing.T) {
	for name, c := range map[string]struct{ spec, want string }{
		"one that counts":          {"{" + named + ", " + allPods + "}", "r skip: excused by PolicyException team-a/x"},
		"one without background":   {"{background: false, " + named + ", " + allPods + "}", "r fail: rule r failed"},
		"one that matches by user": {"{" + named + ", match: {any: [{resources: {kinds: [Pod]}, subjects: [{kind: User, name: jane}]}]}}", "r skip: not auditable: PolicyException team-a/x matches by request.userInfo"},
		"one for another kind":     {"{" + named + ", match: {any: [{resources: {kinds: [Service]}, subjects: [{kind: User, name: jane}]}]}}", "r fail: rule r failed"},
		"one whose conditions read who asks": {
			"{" + named + ", " + allPods + ", conditions: {any: [{key: '{{ request.userInfo.username }}', operator: Equals, value: jane}]}}",
			"r skip: not auditable: PolicyException team-a/x needs request.userInfo",
		},
		"one by user whose conditions do not hold": {
			"{" + named + ", match: {any: [{subjects: [{kind: User, name: jane}]}]}, conditions: {any: [{key: a, operator: Equals, value: b}]}}", "r fail: rule r failed",
		},
	} {
		t.Run(name, func(t *testing.T) {
			m, err := assemble(t, withoutAutogen("p", refusesPods), exception("x", c.spec)).Audit(t.Context(), resting(t, excusedPod), world{}.inputs())
			if err != nil {
				t.Fatal(err)
			}
			same(t, "decisions", lines(m.Decisions), c.want)
		})
	}
}

// An object that was excused before an update did not violate the rule, so that the violation that the update
// brings is not an existing one.
func TestExceptionsAndExistingViolations(t *testing.T) {
	policy := withoutAutogen("p", "{validationFailureAction: Enforce, rules: [{name: r, "+onPods+"validate: {deny: {}}}]}")
	s := assemble(t, policy, exception("x", "{"+named+", match: {any: [{resources: {kinds: [Pod], selector: {matchLabels: {free: 'true'}}}}]}}"))
	for labels, want := range map[string]string{
		"{free: 'true'}": "r fail: rule r failed",
		"{}":             "r skip: the object violated this rule before the update: existing violations are allowed",
	} {
		req := asking(t, excusedPod)
		req.Operation, req.OldObject = Update, object(t, strings.Replace(excusedPod, "{app: web}", labels, 1))
		same(t, labels, lines(s.Validate(t.Context(), req, world{}.inputs())), want)
	}
}

func TestExceptionProblems(t *testing.T) {
	for name, c := range map[string]struct{ spec, want string }{
		"no policy": {
			"{exceptions: [{ruleNames: [r]}], " + allPods + "}", "PolicyException/team-a/x: spec.exceptions[0].policyName: is missing",
		},
		"a filter that selects nothing": {
			"{" + named + ", match: {any: [{}]}}", "PolicyException/team-a/x: spec.match.any[0]: selects nothing: expected resources, subjects, roles or clusterRoles",
		},
		"any and all": {
			"{" + named + ", match: {any: [{resources: {kinds: [Pod]}}], all: [{resources: {kinds: [Pod]}}]}}",
			"PolicyException/team-a/x: spec.match: has both any and all: expected one of them",
		},
		"a condition without a value": {
			"{" + named + ", " + allPods + ", conditions: {any: [{key: a, operator: Equals}]}}", "PolicyException/team-a/x: spec.conditions.any[0]: the condition has no value",
		},
		"an unknown control": {
			"{" + named + ", " + allPods + ", podSecurity: [{controlName: Hats}]}", `PolicyException/team-a/x: spec.podSecurity[0].controlName: unknown control "Hats"`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := tryCompileException(t, exception("x", c.spec))
			var wrong *CompileError
			if !errors.As(err, &wrong) || !strings.HasPrefix(err.Error(), c.want) {
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
		})
	}
}

// Kyverno takes exceptions that excuse nothing, and so they must not keep a bundle from loading.
func TestExceptionWarnings(t *testing.T) {
	for name, c := range map[string]struct{ spec, want string }{
		"nothing in it":            {"{}", "spec.exceptions: is empty, so that nothing is excused: expected a policyName with ruleNames; spec.match: selects nothing, so that nothing is excused: expected any or all"},
		"no rules":                 {"{exceptions: [{policyName: p, ruleNames: []}], " + allPods + "}", "spec.exceptions[0].ruleNames: is empty, so that nothing is excused: expected names of rules, with wildcards"},
		"policies with a wildcard": {"{exceptions: [{policyName: '*', ruleNames: ['*']}], " + allPods + "}", `spec.exceptions[0].policyName: "*" names no policy: wildcards are for ruleNames`},
	} {
		t.Run(name, func(t *testing.T) {
			text := exception("x", c.spec)
			var got []string
			for _, w := range mustCompileException(t, text).Warnings {
				got = append(got, w.PathString()+": "+w.Message)
			}
			same(t, "warnings", strings.Join(got, "; "), c.want)
			same(t, "decisions", lines(assemble(t, withoutAutogen("p", refusesPods), text).Validate(t.Context(), asking(t, excusedPod), world{}.inputs())), "r fail: rule r failed")
		})
	}
}

func TestExceptionNamespaces(t *testing.T) {
	for _, c := range []struct {
		from      ExceptionNamespaces
		namespace string
		want      bool
	}{
		{nil, "holdfast", false},
		{ExceptionNamespaces{"holdfast"}, "holdfast", true},
		{ExceptionNamespaces{"holdfast"}, "team-a", false},
		{ExceptionNamespaces{"a", "team-*"}, "team-a", true},
		{ExceptionNamespaces{"*"}, "team-a", true},
	} {
		if got := c.from.Count(c.namespace); got != c.want {
			t.Errorf("%q of %q: %v", c.from, c.namespace, got)
		}
	}
}

func TestSnapshotHoldsExceptions(t *testing.T) {
	policy := withoutAutogen("p", refusesPods)
	one, two := exception("x", "{"+named+", "+allPods+"}"), exception("z", "{"+named+", "+allPods+"}")
	none, with := assemble(t, policy), assemble(t, policy, one)
	if none.Digest() == with.Digest() {
		t.Error("an exception makes no difference to the digest")
	}
	if assemble(t, policy, one, two).Digest() != assemble(t, policy, two, one).Digest() {
		t.Error("their order makes a difference")
	}
	if changed := assemble(t, policy, exception("x", "{background: false, "+named+", "+allPods+"}")); changed.Digest() == with.Digest() {
		t.Error("what is in it makes no difference")
	}
	if none.Digest() != snapshot(t, policy).Digest() {
		t.Error("a bundle without exceptions has another digest than its policies")
	}
	part := with.Where(func(*Policy) bool { return true })
	same(t, "a part of it", lines(part.Validate(t.Context(), asking(t, excusedPod), world{}.inputs())), "r skip: excused by PolicyException team-a/x")
	x := mustCompileException(t, one)
	if _, err := Assemble(Contents{Exceptions: []*Exception{x, x}}); err == nil || err.Error() != "PolicyException team-a/x stands twice in the bundle" {
		t.Errorf("the same twice: %v", err)
	}
}

// Of a podSecurity rule an exception may excuse single controls: the others still refuse.
func TestExceptionsFromControls(t *testing.T) {
	policy := withoutAutogen("p", "{rules: [{name: r, "+onPods+"validate: {podSecurity: {level: baseline, version: latest}}}]}")
	const (
		network  = "podSecurity: [{controlName: Host Namespaces}]"
		ports    = "podSecurity: [{controlName: Host Ports, images: ['nginx*']}]"
		nets     = "{apiVersion: v1, kind: Pod, metadata: {name: p, namespace: team-a}, spec: {hostNetwork: true, containers: [{name: c, image: nginx}]}}"
		netsPort = "{apiVersion: v1, kind: Pod, metadata: {name: p, namespace: team-a}, spec: {hostNetwork: true, containers: [{name: c, image: nginx, ports: [{containerPort: 80, hostPort: 80}]}]}}"
	)
	one := func(name, controls string) string { return exception(name, "{"+named+", "+allPods+", "+controls+"}") }
	for name, c := range map[string]struct {
		object     string
		exceptions []string
		want       string
	}{
		"the control that refuses":          {nets, []string{one("x", network)}, "r skip: excused by PolicyException team-a/x"},
		"another":                           {nets, []string{one("x", ports)}, "r fail: failed Pod Security Standard baseline:latest: Host Namespaces (spec.hostNetwork is true)"},
		"one of two":                        {netsPort, []string{one("x", network)}, "r fail: failed Pod Security Standard baseline:latest: Host Ports (spec.containers[0].ports[0].hostPort is 80)"},
		"two by two":                        {netsPort, []string{one("z", ports), one("x", network)}, "r skip: excused by PolicyExceptions team-a/x, team-a/z"},
		"a Pod that needs no excuse":        {excusedPod, []string{one("x", network)}, "r pass"},
		"the whole rule beside a control":   {netsPort, []string{one("x", network), exception("z", "{"+named+", "+allPods+"}")}, "r skip: excused by PolicyException team-a/z"},
		"of objects that are not matched":   {nets, []string{exception("x", "{"+named+", match: {any: [{resources: {names: [q]}}]}, "+network+"}")}, "r fail: failed Pod Security Standard baseline:latest: Host Namespaces (spec.hostNetwork is true)"},
		"a control, and an error elsewhere": {nets, []string{one("x", network), exception("z", "{"+named+", "+allPods+", conditions: {any: [{key: '{{ nope }}', operator: Equals, value: a}]}}")}, `r error: could not be evaluated: PolicyException team-a/z: conditions: any[0]: key: nope: not found: unknown key "nope"`},
	} {
		t.Run(name, func(t *testing.T) {
			for range c.exceptions {
				c.exceptions = append(c.exceptions[1:], c.exceptions[0])
				got := assemble(t, policy, c.exceptions...).Validate(t.Context(), asking(t, c.object), world{}.inputs())
				same(t, "decisions", lines(got), c.want)
			}
		})
	}
}

// An update that breaks a control is refused, whatever control was excused on what was there before.
func TestExceptionsFromControlsAndExistingViolations(t *testing.T) {
	policy := withoutAutogen("p", "{validationFailureAction: Enforce, rules: [{name: r, "+onPods+"validate: {podSecurity: {level: baseline, version: latest}}}]}")
	s := assemble(t, policy, exception("x", "{"+named+", "+allPods+", podSecurity: [{controlName: Host Namespaces}]}"))
	req := asking(t, "{apiVersion: v1, kind: Pod, metadata: {name: p}, spec: {hostNetwork: true, hostPID: true, containers: [{name: c, image: nginx, ports: [{containerPort: 80, hostPort: 80}]}]}}")
	req.Operation, req.OldObject = Update, object(t, "{apiVersion: v1, kind: Pod, metadata: {name: p}, spec: {hostNetwork: true, hostPID: true, containers: [{name: c, image: nginx}]}}")
	same(t, "decisions", lines(s.Validate(t.Context(), req, world{}.inputs())), "r fail: failed Pod Security Standard baseline:latest: Host Ports (spec.containers[0].ports[0].hostPort is 80)")
}

// Who cannot be told from the roles that are asked for is neither excused nor not.
func TestAnExceptionThatCannotBeTold(t *testing.T) {
	s := assemble(t, withoutAutogen("p", refusesPods), exception("x", "{"+named+", match: {any: [{clusterRoles: [admin]}]}}"))
	req := asking(t, excusedPod)
	req.User = &authenticationv1.UserInfo{Username: "jane"}
	same(t, "decisions", lines(s.Validate(t.Context(), req, world{rolesErr: errors.New("gone")}.inputs())),
		"r error: could not be evaluated: PolicyException team-a/x: finding the roles of user jane: gone")
}
