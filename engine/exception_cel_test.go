package engine

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	policiesv1beta1 "github.com/kyverno/api/api/policies.kyverno.io/v1beta1"
	authenticationv1 "k8s.io/api/authentication/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/yaml"
)

// inCEL writes a ValidatingPolicy named p around what stands in its spec beside the Pods that it is about.
func inCEL(spec string) string {
	return "{apiVersion: policies.kyverno.io/v1, kind: ValidatingPolicy, metadata: {name: p}, spec: {" + onPodsInCEL + spec + "}}"
}

const (
	onPodsInCEL      = "matchConstraints: {resourceRules: [{apiGroups: [''], apiVersions: [v1], operations: [CREATE, UPDATE], resources: [pods]}]}, "
	refusesPodsInCEL = "validations: [{expression: 'false', message: refused}]"
)

func mustCompileValidating(t testing.TB, text string) *Policy {
	t.Helper()
	var src policiesv1beta1.ValidatingPolicyLike = &policiesv1beta1.ValidatingPolicy{}
	if strings.Contains(text, "kind: NamespacedValidatingPolicy") {
		src = &policiesv1beta1.NamespacedValidatingPolicy{}
	}
	if err := yaml.UnmarshalStrict([]byte(text), src); err != nil {
		t.Fatalf("%v in:\n%s", err, text)
	}
	compiler, err := NewCompiler()
	if err != nil {
		t.Fatal(err)
	}
	p, err := compiler.CompileValidating(src)
	if err != nil {
		t.Fatalf("%v in:\n%s", err, text)
	}
	return p
}

// exceptionInCEL writes a PolicyException of namespace team-a around what stands in its spec beside the policies, in flow
// style.
func exceptionInCEL(name, spec string) string {
	return exceptionOf(name, "policyRefs: [{name: p, kind: ValidatingPolicy}], "+spec)
}

func exceptionOf(name, spec string) string {
	return "{apiVersion: policies.kyverno.io/v1, kind: PolicyException, metadata: {name: " + name + ", namespace: team-a}, spec: {" + spec + "}}"
}

// conditionInCEL writes matchConditions of one expression.
func conditionInCEL(expression string) string {
	return "matchConditions: [{name: c, expression: \"" + expression + "\"}]"
}

func tryCompileCELException(t testing.TB, text string) (*Exception, error) {
	t.Helper()
	src := &policiesv1beta1.PolicyException{}
	if err := yaml.UnmarshalStrict([]byte(text), src); err != nil {
		t.Fatalf("%v in:\n%s", err, text)
	}
	compiler, err := NewCompiler()
	if err != nil {
		t.Fatal(err)
	}
	return compiler.CompileCELException(src)
}

func mustCompileCELException(t testing.TB, text string) *Exception {
	t.Helper()
	x, err := tryCompileCELException(t, text)
	if err != nil {
		t.Fatalf("%v in:\n%s", err, text)
	}
	return x
}

// excusing makes snapshots of a policy and exceptions, in the order given and in the opposite one.
func excusing(t testing.TB, p *Policy, exceptions ...string) []*Snapshot {
	t.Helper()
	var list []*Exception
	for _, text := range exceptions {
		list = append(list, mustCompileCELException(t, text))
	}
	var out []*Snapshot
	for range 2 {
		s, err := Assemble(Contents{Policies: []*Policy{p}, Exceptions: list})
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, s)
		list = slices.Clone(list)
		slices.Reverse(list)
	}
	return out
}

func onPod(req *Request) *Request {
	req.Resource = schema.GroupVersionResource{Version: "v1", Resource: "pods"}
	return req
}

func TestExceptionsInCEL(t *testing.T) {
	const failed = " fail: refused"
	const excused = " skip: excused by PolicyException team-a/x"
	allows := "validations: [{expression: 'object.spec.containers.all(c, string(c.image) in exceptions.allowedImages || c.image in exceptions.allowedValues)', message: refused}]"
	const broken = "PolicyException team-a/z: matchConditions: c: expression 'object.spec.nope == 1': no such key: nope"
	for name, c := range map[string]struct {
		policy     string // empty: the one that refuses Pods
		exceptions []string
		want       string
	}{
		"without conditions every object is excused": {"", []string{exceptionInCEL("x", "")}, excused},
		"an object that meets them is":               {"", []string{exceptionInCEL("x", conditionInCEL("object.metadata.name == 'p'"))}, excused},
		"one that does not is not":                   {"", []string{exceptionInCEL("x", conditionInCEL("object.metadata.name == 'q'"))}, failed},
		"all of them must be met": {
			"", []string{exceptionInCEL("x", "matchConditions: [{name: a, expression: 'true'}, {name: b, expression: 'false'}]")}, failed,
		},
		"another policy":                                    {"", []string{exceptionOf("x", "policyRefs: [{name: q, kind: ValidatingPolicy}]")}, failed},
		"a policy of another kind":                          {"", []string{exceptionOf("x", "policyRefs: [{name: p, kind: MutatingPolicy}]")}, failed},
		"a policy in a namespace":                           {"", []string{exceptionOf("x", "policyRefs: [{name: p, kind: NamespacedValidatingPolicy}]")}, failed},
		"one of several policies":                           {"", []string{exceptionOf("x", "policyRefs: [{name: q, kind: ValidatingPolicy}, {name: p, kind: ValidatingPolicy}]")}, excused},
		"the request and who asks":                          {"", []string{exceptionInCEL("x", conditionInCEL("request.operation == 'CREATE' && request.userInfo.username == 'jane'"))}, excused},
		"another user":                                      {"", []string{exceptionInCEL("x", conditionInCEL("request.userInfo.username == 'joe'"))}, failed},
		"the namespace":                                     {"", []string{exceptionInCEL("x", conditionInCEL("namespaceObject.metadata.name == 'team-a'"))}, excused},
		"an object that is not there":                       {"", []string{exceptionInCEL("x", conditionInCEL("!has(oldObject.metadata)"))}, excused},
		"an image that is allowed":                          {allows, []string{exceptionInCEL("x", "images: [redis, nginx]")}, " pass"},
		"a value that is allowed":                           {allows, []string{exceptionInCEL("x", "allowedValues: [nginx]")}, " pass"},
		"an image that is not":                              {allows, []string{exceptionInCEL("x", "images: [redis]")}, failed},
		"of two, each allows its own":                       {allows, []string{exceptionInCEL("x", "images: [redis]"), exceptionInCEL("z", "images: [nginx]")}, " pass"},
		"what is allowed for others":                        {allows, []string{exceptionInCEL("x", "images: [nginx], "+conditionInCEL("object.metadata.name == 'q'"))}, failed},
		"what nobody allows":                                {allows, nil, failed},
		"the whole beside an image":                         {allows, []string{exceptionInCEL("x", ""), exceptionInCEL("z", "images: [redis]")}, excused},
		"an image, of no use to a policy that does not ask": {"", []string{exceptionInCEL("x", "images: [nginx]")}, failed},
		"what is allowed is known to the conditions of the policy": {
			"matchConditions: [{name: c, expression: '!(object.spec.containers[0].image in exceptions.allowedImages)'}], " + refusesPodsInCEL,
			[]string{exceptionInCEL("x", "images: [nginx]")}, " skip: matchConditions not met: c",
		},
		"and is not, where there is none": {
			"matchConditions: [{name: c, expression: '!(object.spec.containers[0].image in exceptions.allowedImages)'}], " + refusesPodsInCEL, nil, failed,
		},
		"an object that the policy's conditions leave out": {
			"matchConditions: [{name: c, expression: 'false'}], " + refusesPodsInCEL, []string{exceptionInCEL("x", "")}, " skip: matchConditions not met: c",
		},
		"one that cannot be evaluated is neither excuse nor none": {
			"", []string{exceptionInCEL("z", conditionInCEL("object.spec.nope == 1"))}, " error: could not be evaluated: " + broken,
		},
		"nor is one beside it that does not match": {
			"", []string{exceptionInCEL("z", conditionInCEL("object.spec.nope == 1")), exceptionInCEL("x", conditionInCEL("false"))},
			" error: could not be evaluated: " + broken,
		},
		"nor one that allows an image": {
			allows, []string{exceptionInCEL("z", conditionInCEL("object.spec.nope == 1")), exceptionInCEL("x", "images: [nginx]")},
			" error: could not be evaluated: " + broken,
		},
		"but one that excuses is an excuse": {
			"", []string{exceptionInCEL("z", conditionInCEL("object.spec.nope == 1")), exceptionInCEL("x", "")}, excused,
		},
		"a condition without result beside one that is not met": {
			"", []string{exceptionInCEL("z", "matchConditions: [{name: a, expression: object.spec.nope == 1}, {name: b, expression: 'false'}]")}, failed,
		},
		"two that excuse":       {"", []string{exceptionInCEL("x", ""), exceptionInCEL("z", "")}, " skip: excused by PolicyExceptions team-a/x, team-a/z"},
		"reported as passed":    {"", []string{exceptionInCEL("x", "reportResult: pass")}, " pass: excused by PolicyException team-a/x"},
		"reported as skipped":   {"", []string{exceptionInCEL("x", "reportResult: skip")}, excused},
		"of two, one as passed": {"", []string{exceptionInCEL("x", "reportResult: pass"), exceptionInCEL("z", "")}, " skip: excused by PolicyExceptions team-a/x, team-a/z"},
		"the priority says which": {
			"", []string{strings.Replace(exceptionInCEL("x", "reportResult: pass"), "{name: x", "{labels: {polex.kyverno.io/priority: '7'}, name: x", 1), exceptionInCEL("z", "")},
			" pass: excused by PolicyExceptions team-a/x, team-a/z",
		},
		"for policies on objects":            {"", []string{exceptionInCEL("x", "evaluationMode: Kubernetes")}, excused},
		"for policies on JSON":               {"", []string{exceptionInCEL("x", "evaluationMode: JSON")}, failed},
		"for an authorization server's":      {"", []string{exceptionInCEL("x", "evaluationMode: Envoy")}, failed},
		"properties are for people":          {"", []string{exceptionInCEL("x", "properties: {ticket: A-1}")}, excused},
		"before its time is over":            {"", []string{exceptionInCEL("x", "expiresAt: '2027-01-15T08:00:01Z'")}, excused},
		"in the last moment":                 {"", []string{exceptionInCEL("x", "expiresAt: '2027-01-15T08:00:00Z'")}, excused},
		"after it":                           {"", []string{exceptionInCEL("x", "expiresAt: '2027-01-15T07:59:59Z'")}, failed},
		"after it, whatever was to evaluate": {"", []string{exceptionInCEL("x", "expiresAt: '2027-01-15T07:59:59Z', "+conditionInCEL("object.spec.nope == 1"))}, failed},
		"an image, after its time":           {allows, []string{exceptionInCEL("x", "expiresAt: '2027-01-15T07:59:59Z', images: [nginx]")}, failed},
	} {
		t.Run(name, func(t *testing.T) {
			if c.policy == "" {
				c.policy = refusesPodsInCEL
			}
			for _, s := range excusing(t, mustCompileValidating(t, inCEL(c.policy)), c.exceptions...) {
				decisions := s.Validate(t.Context(), onPod(asking(t, excusedPod)), world{}.inputs())
				same(t, "decisions", lines(decisions), c.want)
				if c.want == excused && !slices.Equal(decisions[0].Exceptions, []string{"team-a/x"}) {
					t.Errorf("the decision names %q", decisions[0].Exceptions)
				}
			}
		})
	}
}

// What one exception allows takes nothing from what another excuses, an error takes nothing from an excuse, and an excuse from
// one policy is none from another: in whatever order.
func TestGHSA_gg4x_fgg2_h9w9_inCEL(t *testing.T) {
	wide, narrow := exceptionInCEL("wide", ""), exceptionInCEL("narrow", "images: [other]")
	broken := exceptionInCEL("broken", conditionInCEL("object.spec.nope == 1"))
	for name, c := range map[string]struct {
		exceptions []string
		want       string
	}{
		"the wider beside the narrower":     {[]string{wide, narrow}, " skip: excused by PolicyException team-a/wide"},
		"the narrower alone":                {[]string{narrow}, " fail: refused"},
		"an error beside an excuse":         {[]string{broken, wide, narrow}, " skip: excused by PolicyException team-a/wide"},
		"an error beside what is allowed":   {[]string{narrow, broken}, " error: could not be evaluated: PolicyException team-a/broken: matchConditions: c: expression 'object.spec.nope == 1': no such key: nope"},
		"an excuse from a policy like this": {[]string{exceptionOf("x", "policyRefs: [{name: p, kind: MutatingPolicy}, {name: pp, kind: ValidatingPolicy}]")}, " fail: refused"},
	} {
		for _, s := range excusing(t, mustCompileValidating(t, inCEL(refusesPodsInCEL)), c.exceptions...) {
			same(t, name, lines(s.Validate(t.Context(), onPod(asking(t, excusedPod)), world{}.inputs())), c.want)
		}
	}
}

// Whatever failurePolicy makes of the policy's own conditions: an exception that cannot be told is no excuse, and not none.
func TestABrokenExceptionFromAForgivingPolicy(t *testing.T) {
	for _, s := range excusing(t, mustCompileValidating(t, inCEL("failurePolicy: Ignore, "+refusesPodsInCEL)), exceptionInCEL("x", conditionInCEL("object.spec.nope == 1"))) {
		same(t, "decisions", lines(s.Validate(t.Context(), onPod(asking(t, excusedPod)), world{}.inputs())),
			" error: could not be evaluated: PolicyException team-a/x: matchConditions: c: expression 'object.spec.nope == 1': no such key: nope")
	}
}

// Exceptions of one group excuse from policies of that group, whatever the names are.
func TestExceptionsOfTwoGroups(t *testing.T) {
	contents := Contents{
		Policies: []*Policy{mustCompile(t, withoutAutogen("p", refusesPods)), mustCompileValidating(t, inCEL(refusesPodsInCEL))},
		Exceptions: []*Exception{
			mustCompileException(t, exception("x", "{exceptions: [{policyName: p, ruleNames: ['*']}], "+allPods+"}")),
			mustCompileCELException(t, exceptionInCEL("x", "")),
		},
	}
	for name, c := range map[string]struct {
		exceptions []*Exception
		want       string
	}{
		"of kyverno.io":          {contents.Exceptions[:1], "r skip: excused by PolicyException team-a/x\n fail: refused"},
		"of policies.kyverno.io": {contents.Exceptions[1:], "r fail: rule r failed\n skip: excused by PolicyException team-a/x"},
		"of both":                {contents.Exceptions, "r skip: excused by PolicyException team-a/x\n skip: excused by PolicyException team-a/x"},
	} {
		s, err := Assemble(Contents{Policies: contents.Policies, Exceptions: c.exceptions})
		if err != nil {
			t.Fatal(err)
		}
		same(t, name, lines(s.Validate(t.Context(), onPod(asking(t, excusedPod)), world{}.inputs())), c.want)
	}
	x := contents.Exceptions[1]
	if _, err := Assemble(Contents{Exceptions: []*Exception{x, x}}); err == nil || err.Error() != "PolicyException.policies.kyverno.io team-a/x stands twice in the bundle" {
		t.Errorf("the same twice: %v", err)
	}
}

// A name alone means a policy of the exception's own namespace, so that one tenant's exception does not lift what another
// has laid on its own namespace.
func TestExceptionsFromPoliciesInNamespaces(t *testing.T) {
	const pods = "spec: {" + onPodsInCEL + refusesPodsInCEL + "}}"
	for name, c := range map[string]struct{ namespace, ref, want string }{
		"of its own namespace":               {"team-a", "p", " skip: excused by PolicyException team-a/x"},
		"of its own, in full":                {"team-a", "team-a/p", " skip: excused by PolicyException team-a/x"},
		"of another namespace":               {"team-b", "p", " fail: refused"},
		"of another, in full":                {"team-b", "team-b/p", " skip: excused by PolicyException team-a/x"},
		"a name in full leads nowhere else":  {"team-a", "team-b/p", " fail: refused"},
		"nor does a name that is cut in two": {"team-a", "/p", " fail: refused"},
	} {
		policy := mustCompileValidating(t, "{apiVersion: policies.kyverno.io/v1, kind: NamespacedValidatingPolicy, metadata: {name: p, namespace: "+c.namespace+"}, "+pods)
		s := excusing(t, policy, exceptionOf("x", "policyRefs: [{name: "+c.ref+", kind: NamespacedValidatingPolicy}]"))[0]
		req := onPod(asking(t, strings.Replace(excusedPod, "namespace: team-a", "namespace: "+c.namespace, 1)))
		same(t, name, lines(s.Validate(t.Context(), req, world{}.inputs())), c.want)
	}
}

func TestExceptionsInCELAtRest(t *testing.T) {
	const until = "expiresAt: '2028-01-01T00:00:00Z'"
	for name, c := range map[string]struct {
		exception string
		want      string
		unwatched bool
	}{
		"one that counts":  {"", " skip: excused by PolicyException team-a/x", false},
		"one that expires": {until, " skip: excused by PolicyException team-a/x", true},
		"one that expires and is about other objects": {until + ", " + conditionInCEL("false"), " fail: refused", false},
		"one that has expired":                        {"expiresAt: '2020-01-01T00:00:00Z'", " fail: refused", false},
		"one that expires and cannot be evaluated": {
			until + ", " + conditionInCEL("object.spec.nope == 1"),
			" error: could not be evaluated: PolicyException team-a/x: matchConditions: c: expression 'object.spec.nope == 1': no such key: nope", true,
		},
		"one that reads who asks": {
			conditionInCEL("request.userInfo.username == 'jane'"), " skip: not auditable: PolicyException team-a/x needs request.userInfo", false,
		},
		"one that reads who asks about other objects": {
			"matchConditions: [{name: a, expression: \"request.userInfo.username == 'jane'\"}, {name: b, expression: \"object.metadata.name == 'q'\"}]", " fail: refused", false,
		},
		"one that reads who asks about this one": {
			"matchConditions: [{name: a, expression: \"request.userInfo.username == 'jane'\"}, {name: b, expression: \"object.metadata.name == 'p'\"}]",
			" skip: not auditable: PolicyException team-a/x needs request.userInfo", false,
		},
		"one that reads what was there before": {
			conditionInCEL("oldObject.metadata.name == 'p'"), " skip: not auditable: PolicyException team-a/x needs oldObject", false,
		},
		"one that can do without": {conditionInCEL("!has(oldObject.metadata) || oldObject.metadata.name == 'p'"), " skip: excused by PolicyException team-a/x", false},
	} {
		t.Run(name, func(t *testing.T) {
			s := excusing(t, mustCompileValidating(t, inCEL(refusesPodsInCEL)), exceptionInCEL("x", c.exception))[0]
			m, err := s.Audit(t.Context(), onPod(resting(t, excusedPod)), world{}.inputs())
			if err != nil {
				t.Fatal(err)
			}
			same(t, "decisions", lines(m.Decisions), c.want)
			if m.Unwatched != c.unwatched {
				t.Errorf("unwatched is %v", m.Unwatched)
			}
			if due := !m.Due.IsZero(); due != c.unwatched || due && m.Due.Year() != 2028 {
				t.Errorf("due at %s", m.Due)
			}
		})
	}
}

// The time is asked at each evaluation: what is compiled goes on while time passes.
func TestAnExceptionExpiresBetweenTwoEvaluations(t *testing.T) {
	s := excusing(t, mustCompileValidating(t, inCEL(refusesPodsInCEL)), exceptionInCEL("x", "expiresAt: '2027-01-15T08:00:01Z'"))[0]
	in := world{}.inputs()
	now := time.Unix(1_800_000_000, 0)
	in.Now = func() time.Time { return now }
	for _, want := range []string{" skip: excused by PolicyException team-a/x", " skip: excused by PolicyException team-a/x", " fail: refused"} {
		same(t, now.UTC().String(), lines(s.Validate(t.Context(), onPod(asking(t, excusedPod)), in)), want)
		now = now.Add(time.Second)
	}
}

// Conditions are about the object as it is when the rule is asked: what one exception says of two policies is asked twice.
func TestExceptionsFromTwoPolicies(t *testing.T) {
	q := mustCompileValidating(t, strings.Replace(inCEL(refusesPodsInCEL), "name: p", "name: q", 1))
	x := mustCompileCELException(t, exceptionOf("x", "policyRefs: [{name: p, kind: ValidatingPolicy}, {name: q, kind: ValidatingPolicy}, {name: p, kind: ValidatingPolicy}]"))
	s, err := Assemble(Contents{Policies: []*Policy{q, mustCompileValidating(t, inCEL(refusesPodsInCEL))}, Exceptions: []*Exception{x}})
	if err != nil {
		t.Fatal(err)
	}
	same(t, "decisions", lines(s.Validate(t.Context(), onPod(asking(t, excusedPod)), world{}.inputs())), " skip: excused by PolicyException team-a/x\n skip: excused by PolicyException team-a/x")
}

func TestExceptionsInCELThatAreWrong(t *testing.T) {
	const at = "PolicyException.policies.kyverno.io/team-a/x: spec."
	for name, c := range map[string]struct{ spec, want string }{
		"no policies":            {"matchConditions: []", at + "policyRefs: is empty: expected at least one policy"},
		"a policy without name":  {"policyRefs: [{kind: ValidatingPolicy}]", at + "policyRefs[0].name: is missing"},
		"a policy without kind":  {"policyRefs: [{name: p}]", at + "policyRefs[0].kind: is missing"},
		"an unknown result":      {"policyRefs: [{name: p, kind: ValidatingPolicy}], reportResult: warn", at + `reportResult: unknown value "warn": expected skip or pass`},
		"an unknown mode":        {"policyRefs: [{name: p, kind: ValidatingPolicy}], evaluationMode: Json", at + `evaluationMode: unknown mode "Json": expected Kubernetes, JSON, HTTP or Envoy`},
		"a broken expression":    {"policyRefs: [{name: p, kind: ValidatingPolicy}], " + conditionInCEL("objekt.a"), at + "matchConditions[0].expression: "},
		"no boolean":             {"policyRefs: [{name: p, kind: ValidatingPolicy}], " + conditionInCEL("'a'"), at + "matchConditions[0].expression: "},
		"something is looked up": {"policyRefs: [{name: p, kind: ValidatingPolicy}], " + conditionInCEL("http.Get('http://a') == null"), at + "matchConditions[0].expression: reads http: an exception has the object, oldObject, the request and namespaceObject to read, and looks nothing up"},
		"what others allow":      {"policyRefs: [{name: p, kind: ValidatingPolicy}], " + conditionInCEL("'a' in exceptions.allowedImages"), at + "matchConditions[0].expression: reads exceptions: an exception has the object, oldObject, the request and namespaceObject to read, and looks nothing up"},
		"the time":               {"policyRefs: [{name: p, kind: ValidatingPolicy}], " + conditionInCEL("time.now() > timestamp('2020-01-01T00:00:00Z')"), at + "matchConditions[0].expression: reads time: an exception has the object, oldObject, the request and namespaceObject to read, and looks nothing up"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := tryCompileCELException(t, exceptionOf("x", c.spec))
			var wrong *CompileError
			if !errors.As(err, &wrong) || !strings.HasPrefix(err.Error(), c.want) {
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
		})
	}
}

func TestWarningsOfExceptionsInCEL(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"none": {exceptionInCEL("x", ""), ""},
		"a kind of another group": {
			exceptionOf("x", "policyRefs: [{name: p, kind: ClusterPolicy}]"),
			`spec.policyRefs[0].kind: "ClusterPolicy" is no kind of policy that this exception excuses from: expected one of DeletingPolicy, NamespacedDeletingPolicy, GeneratingPolicy, NamespacedGeneratingPolicy, ImageValidatingPolicy, NamespacedImageValidatingPolicy, MutatingPolicy, NamespacedMutatingPolicy, ValidatingPolicy, NamespacedValidatingPolicy`,
		},
		"a mode that is not ours": {exceptionInCEL("x", "evaluationMode: HTTP"), "spec.evaluationMode: is HTTP: nothing is evaluated so here, so that nothing is excused"},
		"a priority in words": {
			strings.Replace(exceptionInCEL("x", ""), "{name: x", "{labels: {polex.kyverno.io/priority: high}, name: x", 1),
			`metadata.labels.polex.kyverno.io/priority: "high" is no whole number: the priority is 0`,
		},
	} {
		var got []string
		for _, w := range mustCompileCELException(t, c.text).Warnings {
			got = append(got, w.PathString()+": "+w.Message)
		}
		same(t, name, strings.Join(got, "; "), c.want)
	}
}

func TestDigestsOfExceptionsInCEL(t *testing.T) {
	seen := map[string]string{}
	for i, text := range []string{
		exceptionInCEL("x", ""), exceptionInCEL("z", ""), exceptionInCEL("x", "images: [a]"), exceptionInCEL("x", "expiresAt: '2027-01-15T08:00:01Z'"),
		exceptionInCEL("x", conditionInCEL("true")),
		strings.Replace(exceptionInCEL("x", ""), "{name: x", "{labels: {polex.kyverno.io/priority: '1'}, name: x", 1),
	} {
		digest := mustCompileCELException(t, text).Digest
		if other, twice := seen[digest]; twice {
			t.Errorf("%d has the digest of %s", i, other)
		}
		seen[digest] = fmt.Sprint(i)
	}
	labelled := strings.Replace(exceptionInCEL("x", ""), "{name: x", "{labels: {team: a}, name: x", 1)
	if mustCompileCELException(t, labelled).Digest != mustCompileCELException(t, exceptionInCEL("x", "")).Digest {
		t.Error("a label that nothing rests on makes a difference")
	}
}

// What a request does not have is an error, as anywhere in CEL, and no answer.
func TestAnExceptionAboutAUserWithoutName(t *testing.T) {
	s := excusing(t, mustCompileValidating(t, inCEL(refusesPodsInCEL)), exceptionInCEL("x", conditionInCEL("request.userInfo.username == 'jane'")))[0]
	req := onPod(asking(t, excusedPod))
	req.User = &authenticationv1.UserInfo{}
	same(t, "decisions", lines(s.Validate(t.Context(), req, world{}.inputs())),
		" error: could not be evaluated: PolicyException team-a/x: matchConditions: c: expression 'request.userInfo.username == 'jane'': no such key: username")
}
