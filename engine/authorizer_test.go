package engine

import (
	"errors"
	"strings"
	"testing"
)

// mayScale is whether the requester may update Deployments of the object's namespace; robotMay asks it of an account.
const (
	mayScale = "authorizer.group(\"apps\").resource(\"deployments\").namespace(object.metadata.namespace).check(\"update\").allowed()"
	robotMay = "authorizer.serviceAccount(\"shop\", \"robot\").group(\"apps\").resource(\"deployments\").namespace(\"shop\").check(\"update\").allowed()"
	robot    = "system:serviceaccount:shop:robot"
)

// In the API server's own policies the authorizer is asked about the requester, and the audit has none.
func TestAuthorizerOfAdmissionPolicies(t *testing.T) {
	const asked, ofRobot = "jane update shop/deployments", robot + " update shop/deployments"
	for name, c := range map[string]struct {
		policy, want, asked string
		rest                string // the verdict at rest
		restAsked           string
	}{
		"the requester may":            {"validations: [{expression: '" + mayScale + "'}]", "p pass", asked, "p skip: not auditable: needs request.userInfo", ""},
		"the requester may not":        {"validations: [{expression: '!" + mayScale + "', message: may}]", "p fail: may", asked, "p skip: not auditable: needs request.userInfo", ""},
		"an account may":               {"validations: [{expression: '" + robotMay + "', message: may not}]", "p fail: may not", ofRobot, "p fail: may not", ofRobot},
		"what is asked for":            {"validations: [{expression: 'authorizer.requestResource.check(\"create\").allowed()'}]", "p pass", "jane create shop/deployments", "p skip: not auditable: needs request.userInfo", ""},
		"the same thing twice":         {"variables: [{name: may, expression: '" + mayScale + "'}], validations: [{expression: variables.may}, {expression: '" + mayScale + "'}]", "p pass", asked, "p skip: not auditable: needs request.userInfo", ""},
		"a condition":                  {"matchConditions: [{name: c, expression: '!" + mayScale + "'}], validations: [{expression: 'false'}]", "", asked, "p skip: not auditable: needs request.userInfo", ""},
		"a condition about an account": {"matchConditions: [{name: c, expression: '" + robotMay + "'}], validations: [{expression: 'false'}]", "", ofRobot, "", ofRobot},
		"an annotation":                {"validations: [{expression: 'true'}], auditAnnotations: [{key: k, valueExpression: 'string(" + mayScale + ")'}]", "p error: could not be evaluated: audit annotation k: expression 'string(" + mayScale + ")': authorizer is not known to messages and audit annotations", "", "p skip: not auditable: needs request.userInfo", ""},
		"a variable that nobody reads": {"variables: [{name: may, expression: '" + mayScale + "'}], validations: [{expression: 'true'}]", "p pass", "", "p pass", ""},
		"a message from a variable":    {"variables: [{name: may, expression: '" + mayScale + "'}], validations: [{expression: '!variables.may', messageExpression: '\"may: \" + string(variables.may)'}]", "p fail: failed expression: !variables.may", asked, "p skip: not auditable: needs request.userInfo", ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := boundSnapshot(t, admissionPolicy(c.policy), admissionBinding("b", ""))
			a := &archive{allowed: map[string]bool{"jane update shop/deployments": true, "jane create shop/deployments": true}}
			same(t, "at admission", lines(s.Validate(t.Context(), toDeployments(asking(t, deploymentOf("1", ""))), a.inputs())), c.want)
			same(t, "asked", strings.Join(a.asked, "; "), c.asked)
			a.asked = nil
			m, err := s.Audit(t.Context(), toDeployments(resting(t, deploymentOf("1", ""))), a.inputs())
			if err != nil {
				t.Fatal(err)
			}
			same(t, "at rest", lines(m.Decisions), c.rest)
			same(t, "asked at rest", strings.Join(a.asked, "; "), c.restAsked)
			if m.Unwatched != (c.restAsked != "") {
				t.Errorf("unwatched is %v: who asked for rights must be asked again, and nobody else", m.Unwatched)
			}
		})
	}
}

// A mutation may depend on who asks.
func TestAuthorizerOfMutatingAdmissionPolicies(t *testing.T) {
	s := mutatingBound(t, mutatingAdmission(mutatesBy("Object{spec: Object.spec{replicas: "+mayScale+" ? 5 : 2}}")), "")
	for who, want := range map[string]string{"jane": "5", "joe": "2"} {
		req := toDeployments(asking(t, deploymentOf("1", "")))
		req.User.Username = who
		m, err := s.Mutate(t.Context(), req, (&archive{allowed: map[string]bool{"jane update shop/deployments": true}}).inputs())
		if err != nil {
			t.Fatal(err)
		}
		same(t, who, mutationText(t, m), "pp pass: mutated\n"+`[{"op":"replace","path":"/spec/replicas","value":`+want+`}]`)
	}
	m, err := s.Audit(t.Context(), toDeployments(resting(t, deploymentOf("1", ""))), (&archive{}).inputs())
	if err != nil {
		t.Fatal(err)
	}
	same(t, "at rest", mutationText(t, m), "pp skip: not auditable: needs request.userInfo\nnull")
}

// That the API server cannot be asked is an error for the failurePolicy, and never a refusal or a condition that is not met.
func TestAuthorizerThatFails(t *testing.T) {
	dead := errors.New("the line is dead")
	for policy, want := range map[string]string{
		"validations: [{expression: '!" + mayScale + "'}]":                                                  "p error: could not be evaluated: authorizer.check update deployments.apps in shop: the line is dead",
		"validations: [{expression: '" + mayScale + " || true'}]":                                           "p error: could not be evaluated: authorizer.check update deployments.apps in shop: the line is dead",
		"matchConditions: [{name: c, expression: '" + mayScale + "'}], validations: [{expression: 'true'}]": "p error: could not be evaluated: matchConditions: c: authorizer.check update deployments.apps in shop: the line is dead",
		"failurePolicy: Ignore, validations: [{expression: '" + mayScale + "'}, {expression: 'true'}]":      "p error: could not be evaluated: authorizer.check update deployments.apps in shop: the line is dead",
	} {
		s := boundSnapshot(t, admissionPolicy(policy), admissionBinding("b", ""))
		decisions := s.Validate(t.Context(), toDeployments(asking(t, deploymentOf("1", ""))), (&archive{accessErr: dead}).inputs())
		same(t, policy, lines(decisions), want)
		if !errors.Is(decisions[0].Err, dead) {
			t.Errorf("%s: got the error %v", policy, decisions[0].Err)
		}
	}
}

// A Namespace is in itself, and what is yet without a name has none.
func TestAuthorizerOfTheRequestedResource(t *testing.T) {
	const everything = "{metadata: {name: p}, spec: {matchConstraints: {resourceRules: [{apiGroups: ['*'], apiVersions: ['*'], operations: ['*'], resources: ['*/*']}]}, validations: [{expression: \"authorizer.requestResource.check('create').allowed()\", message: refused}]}}"
	s := boundSnapshot(t, everything, admissionBinding("b", ""))
	for text, want := range map[string]string{
		"{apiVersion: v1, kind: Namespace, metadata: {name: shop}}":                           "jane create shop/namespaces",
		"{apiVersion: v1, kind: Node, metadata: {name: n}}":                                   "jane create /nodes",
		"{apiVersion: v1, kind: Pod, metadata: {generateName: n, namespace: shop}, spec: {}}": "jane create shop/pods",
	} {
		a := &archive{}
		same(t, text, lines(s.Validate(t.Context(), asking(t, text), a.inputs())), "p fail: refused")
		same(t, text+": asked", strings.Join(a.asked, "; "), want)
	}
}

// Rules of kyverno.io have the authorizer too, in expressions and conditions.
func TestAuthorizerOfRules(t *testing.T) {
	const may = "authorizer.group('').resource('pods').namespace('shop').check('delete').allowed()"
	for name, c := range map[string]struct{ rule, want, rest string }{
		"an expression": {onPods + "validate: {message: may not, cel: {expressions: [{expression: \"" + may + "\"}]}}", "r fail: may not", "r skip: not auditable: needs request.userInfo"},
		"a condition":   {onPods + "celPreconditions: [{name: c, expression: \"" + may + "\"}], validate: {cel: {expressions: [{expression: 'false'}]}}", "r skip: celPreconditions not met: c", "r skip: not auditable: needs request.userInfo"},
		"an account":    {onPods + "validate: {message: may not, cel: {expressions: [{expression: \"" + strings.Replace(may, "authorizer.", "authorizer.serviceAccount('shop', 'robot').", 1) + "\"}]}}", "r fail: may not", "r fail: may not"},
	} {
		t.Run(name, func(t *testing.T) {
			s := snapshot(t, withoutAutogen("p", "{rules: [{name: r, "+c.rule+"}]}"))
			same(t, "at admission", lines(s.Validate(t.Context(), asking(t, plainPod), (&archive{}).inputs())), c.want)
			same(t, "at rest", lines(s.Validate(t.Context(), resting(t, plainPod), (&archive{}).inputs())), c.rest)
		})
	}
}

// In a test without a cluster nobody can be asked; nor is the requester known where the test names none.
func TestAuthorizerWithoutACluster(t *testing.T) {
	s := snapshot(t, withoutAutogen("p", "{rules: [{name: r, "+onPods+"validate: {cel: {expressions: [{expression: \"authorizer.path('/a').check('get').allowed()\"}]}}}]}"))
	in := world{}.inputs()
	in.Lookups = NoLookups{}
	same(t, "without a cluster", lines(s.Validate(t.Context(), asking(t, plainPod), in)), "r error: could not be evaluated: authorizer.check get /a: cannot be looked up here")
	a := &archive{allowed: map[string]bool{" get /a": true}}
	in = a.inputs()
	in.Given = func(*Rule, int) map[string]any { return nil }
	same(t, "in a test", lines(s.Validate(t.Context(), resting(t, plainPod), in)), "r pass")
}
