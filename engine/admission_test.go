package engine

import (
	"strings"
	"testing"
)

func TestAdmissionPolicies(t *testing.T) {
	const atMost = "validations: [{expression: object.spec.replicas <= 3, message: too many}]"
	bind := func(more ...string) (out []string) {
		for i, m := range more {
			out = append(out, admissionBinding("b"+string(rune('1'+i)), m))
		}
		return out
	}
	for name, c := range map[string]struct {
		policy   string
		bindings []string
		object   string // a Deployment of 5 replicas, if empty
		op       Operation
		old      string
		want     string
		rest     string // at rest, if it is another
	}{
		"a policy that nothing binds does nothing": {policy: atMost, want: ""},
		"a binding puts it in force":               {policy: atMost, bindings: bind(""), want: "p fail: too many"},
		"on what is in order":                      {policy: atMost, bindings: bind(""), object: deploymentOf("3", ""), want: "p pass"},
		"each binding gives a verdict":             {policy: atMost, bindings: bind("", ""), want: "p fail: too many\np fail: too many"},
		"a binding on other objects":               {policy: atMost, bindings: bind(", matchResources: {objectSelector: {matchLabels: {tier: web}}}"), want: ""},
		"a binding on these objects":               {policy: atMost, bindings: bind(", matchResources: {objectSelector: {matchLabels: {tier: web}}}"), object: deploymentOf("5", "tier: web"), want: "p fail: too many"},
		"a binding on other namespaces":            {policy: atMost, bindings: bind(", matchResources: {namespaceSelector: {matchLabels: {env: prod}}}"), want: ""},
		"a binding on this namespace":              {policy: atMost, bindings: bind(", matchResources: {namespaceSelector: {matchLabels: {env: dev}}}"), want: "p fail: too many"},
		"a binding that leaves it out":             {policy: atMost, bindings: bind(", matchResources: {excludeResourceRules: [{apiGroups: [apps], apiVersions: [v1], operations: ['*'], resources: [deployments], resourceNames: [web]}]}"), want: ""},
		"a binding that leaves others out":         {policy: atMost, bindings: bind(", matchResources: {excludeResourceRules: [{apiGroups: [apps], apiVersions: [v1], operations: ['*'], resources: [deployments], resourceNames: [api]}]}"), want: "p fail: too many"},
		"a binding on other resources":             {policy: atMost, bindings: bind(", matchResources: {resourceRules: [{apiGroups: [''], apiVersions: [v1], operations: ['*'], resources: [pods]}]}"), want: ""},
		"a binding on another operation": {policy: atMost, bindings: bind(", matchResources: {resourceRules: [{apiGroups: [apps], apiVersions: [v1], operations: [UPDATE], resources: ['*']}]}"),
			want: "", rest: "p skip: not auditable: matches only UPDATE"},
		"a message that is made":                  {policy: "validations: [{expression: object.spec.replicas <= 3, messageExpression: '''has '' + string(object.spec.replicas)'}]", bindings: bind(""), want: "p fail: has 5"},
		"no message":                              {policy: "validations: [{expression: object.spec.replicas <= 3}]", bindings: bind(""), want: "p fail: failed expression: object.spec.replicas <= 3"},
		"a variable":                              {policy: "variables: [{name: r, expression: object.spec.replicas}], validations: [{expression: variables.r <= 3, message: too many}]", bindings: bind(""), want: "p fail: too many"},
		"a condition that is not met":             {policy: "matchConditions: [{name: a.b/c, expression: object.spec.replicas > 9}], " + atMost, bindings: bind(""), want: ""},
		"a condition without a result":            {policy: "matchConditions: [{name: a, expression: object.spec.none > 9}], " + atMost, bindings: bind(""), want: "p error: could not be evaluated: matchConditions: a: expression 'object.spec.none > 9': no such key: none"},
		"a field that the object lacks":           {policy: "validations: [{expression: object.spec.none > 9}]", bindings: bind(""), want: "p error: could not be evaluated: expression 'object.spec.none > 9': no such key: none"},
		"a division by zero":                      {policy: "validations: [{expression: 1 / (object.spec.replicas - 5) == 1}]", bindings: bind(""), want: "p error: could not be evaluated: expression '1 / (object.spec.replicas - 5) == 1': division by zero"},
		"an error before a failure":               {policy: "validations: [{expression: object.spec.none > 9}, {expression: 'false', message: never}]", bindings: bind(""), want: "p error: could not be evaluated: expression 'object.spec.none > 9': no such key: none"},
		"a failure before an error":               {policy: "validations: [{expression: 'false', message: never}, {expression: object.spec.none > 9}]", bindings: bind(""), want: "p fail: never"},
		"an error that is ignored, and a failure": {policy: "failurePolicy: Ignore, validations: [{expression: object.spec.none > 9}, {expression: 'false', message: never}]", bindings: bind(""), want: "p fail: never"},
		"work without end": {policy: "variables: [{name: l, expression: 'lists.range(1000)'}], validations: [{expression: 'variables.l.all(a, variables.l.all(b, variables.l.all(c, a + b + c >= 0)))'}]", bindings: bind(""),
			want: "p error: could not be evaluated: expression 'variables.l.all(a, variables.l.all(b, variables.l.all(c, a + b + c >= 0)))': operation cancelled: actual cost limit exceeded"},
		"the request": {policy: "validations: [{expression: \"request.operation == 'CREATE' && request.namespace == 'shop' && request.resource.resource == 'deployments'\"}]", bindings: bind(""), want: "p pass"},
		"the user": {policy: "validations: [{expression: request.userInfo.username == 'bob', message: not bob}]", bindings: bind(""),
			want: "p fail: not bob", rest: "p skip: not auditable: needs request.userInfo"},
		"the old object":                       {policy: "validations: [{expression: object.spec.replicas >= oldObject.spec.replicas, message: fewer}]", bindings: bind(""), op: Update, old: deploymentOf("9", ""), want: "p fail: fewer"},
		"no old object":                        {policy: "validations: [{expression: object.spec.replicas >= oldObject.spec.replicas}]", bindings: bind(""), want: "p error: could not be evaluated: expression 'object.spec.replicas >= oldObject.spec.replicas': no such key: spec", rest: "p skip: not auditable: needs oldObject"},
		"what goes is null":                    {policy: "validations: [{expression: object == null && oldObject.spec.replicas == 5}]", bindings: bind(""), op: Delete, want: "p pass"},
		"the namespace":                        {policy: "validations: [{expression: namespaceObject.metadata.labels.env == 'dev'}]", bindings: bind(""), want: "p pass"},
		"parameters without a reference to be": {policy: "paramKind: {apiVersion: v1, kind: ConfigMap}, validations: [{expression: params == null}]", bindings: bind(""), want: "p pass"},
		"a reference without a kind":           {policy: atMost, bindings: bind(", paramRef: {name: a, parameterNotFoundAction: Deny}"), want: "p fail: too many"},
	} {
		t.Run(name, func(t *testing.T) {
			a := &archive{objects: map[string]map[string]any{"Namespace//shop": object(t, "{metadata: {name: shop, labels: {env: dev}}}")}}
			a.labels = map[string]map[string]string{"shop": {"env": "dev"}}
			s := boundSnapshot(t, admissionPolicy(c.policy), c.bindings...)
			if c.object == "" {
				c.object = deploymentOf("5", "")
			}
			req := toDeployments(asking(t, c.object))
			switch c.op {
			case Delete:
				req.Operation, req.Object, req.OldObject = Delete, nil, req.Object
			case Update:
				req.Operation, req.OldObject = Update, object(t, c.old)
			}
			same(t, "at admission", lines(s.Validate(t.Context(), req, a.inputs())), c.want)
			if c.op != "" {
				return
			}
			if c.rest == "" {
				c.rest = c.want
			}
			m, err := s.Audit(t.Context(), toDeployments(resting(t, c.object)), a.inputs())
			if err != nil {
				t.Fatal(err)
			}
			same(t, "at rest", lines(m.Decisions), c.rest)
		})
	}
}

func TestAdmissionParameters(t *testing.T) {
	const policy = "paramKind: {apiVersion: v1, kind: ConfigMap}, validations: [{expression: object.spec.replicas <= int(params.data.max), messageExpression: '''above '' + params.data.max'}]"
	for name, c := range map[string]struct{ more, ref, object, want string }{
		"by name, in the object's namespace":   {ref: "{name: a, parameterNotFoundAction: Deny}", want: "p fail: above 4"},
		"by name, in another namespace":        {ref: "{name: a, namespace: bank, parameterNotFoundAction: Deny}", want: "p pass"},
		"by selector: one failure is enough":   {ref: "{selector: {}, parameterNotFoundAction: Deny}", want: "p fail: above 4"},
		"none by name":                         {ref: "{name: z, parameterNotFoundAction: Deny}", want: "p error: could not be evaluated: the parameters: does not exist"},
		"none by name, and none need be":       {ref: "{name: z, parameterNotFoundAction: Allow}", want: "p pass: there is no parameter to judge by"},
		"none by selector":                     {ref: "{selector: {matchLabels: {a: b}}, namespace: empty, parameterNotFoundAction: Deny}", want: "p error: could not be evaluated: the parameters: no ConfigMap with the labels a=b: does not exist"},
		"none by selector, and none need be":   {ref: "{selector: {}, namespace: empty, parameterNotFoundAction: Allow}", want: "p pass: there is no parameter to judge by"},
		"a condition that reads them":          {more: "matchConditions: [{name: high, expression: int(params.data.max) > 4}], ", ref: "{selector: {}, parameterNotFoundAction: Deny}", want: "p pass"},
		"a condition that none of them meets":  {more: "matchConditions: [{name: high, expression: int(params.data.max) > 99}], ", ref: "{selector: {}, parameterNotFoundAction: Deny}", want: ""},
		"of an object that is in no namespace": {ref: "{selector: {}, parameterNotFoundAction: Deny}", object: "{apiVersion: apps/v1, kind: Deployment, metadata: {name: web}, spec: {replicas: 1}}", want: "p error: could not be evaluated: the parameters: a paramRef without namespace means the object's own, and the object is in none"},
	} {
		t.Run(name, func(t *testing.T) {
			config := func(name, namespace, top string) map[string]any {
				return object(t, "{apiVersion: v1, kind: ConfigMap, metadata: {name: "+name+", namespace: "+namespace+"}, data: {max: '"+top+"'}}")
			}
			a := &archive{objects: map[string]map[string]any{
				"ConfigMap/shop/a": config("a", "shop", "4"), "ConfigMap/shop/b": config("b", "shop", "6"), "ConfigMap/bank/a": config("a", "bank", "9"),
			}}
			if c.object == "" {
				c.object = deploymentOf("5", "")
			}
			s := boundSnapshot(t, admissionPolicy(c.more+policy), admissionBinding("b", ", paramRef: "+c.ref))
			m, err := s.Audit(t.Context(), toDeployments(resting(t, c.object)), a.inputs())
			if err != nil {
				t.Fatal(err)
			}
			same(t, "decisions", lines(m.Decisions), c.want)
			if len(m.Dependencies) == 0 {
				t.Error("the audit would not notice a change of the parameters")
			}
		})
	}
}

// What an Error would do to a write depends on who is to blame: a binding that cannot be carried out refuses it, and an
// expression does what the binding says of failures.
func TestAdmissionErrorsAndActions(t *testing.T) {
	const erring, param = "validations: [{expression: object.spec.none > 1}]", "paramKind: {apiVersion: v1, kind: ConfigMap}, "
	for name, c := range map[string]struct{ policy, actions, more, want string }{
		"an expression under Deny":                    {erring, "Deny", "", "Enforce error"},
		"an expression under Audit":                   {erring, "Audit", "", "Audit error"},
		"a parameter under Audit":                     {param + erring, "Audit", ", paramRef: {name: z, parameterNotFoundAction: Deny}", "Enforce error"},
		"a failure under Audit, Warn":                 {"validations: [{expression: 'false'}]", "Audit, Warn", "", "Audit fail"},
		"a failure under Deny, Audit":                 {"validations: [{expression: 'false'}]", "Deny, Audit", "", "Enforce fail"},
		"an annotation under Audit":                   {"validations: [{expression: 'true'}], auditAnnotations: [{key: k, valueExpression: string(object.spec.none)}]", "Audit", "", "Enforce error"},
		"an annotation of a failure that is let pass": {"validations: [{expression: 'false'}], auditAnnotations: [{key: k, valueExpression: string(object.spec.none)}]", "Audit", "", "Enforce error"},
	} {
		t.Run(name, func(t *testing.T) {
			s := boundSnapshot(t, admissionPolicy(c.policy), strings.Replace(admissionBinding("b", c.more), "[Deny]", "["+c.actions+"]", 1))
			list := s.Validate(t.Context(), toDeployments(asking(t, deploymentOf("1", ""))), (&archive{}).inputs())
			if len(list) != 1 {
				t.Fatalf("got %d decisions:\n%s", len(list), lines(list))
			}
			same(t, "decision", list[0].Action.String()+" "+list[0].Status.String(), c.want)
		})
	}
}

// An API server asks its own policies neither about themselves nor about the reviews on which it depends, and it puts a
// Namespace into itself.
func TestAdmissionOfSpecialKinds(t *testing.T) {
	const everything = "{metadata: {name: p}, spec: {matchConstraints: {resourceRules: [{apiGroups: ['*'], apiVersions: ['*'], operations: ['*'], resources: ['*/*']}]}, validations: [{expression: \"request.namespace == 'shop'\", message: not of shop}]}}"
	s := boundSnapshot(t, everything, admissionBinding("b", ""))
	for text, want := range map[string]string{
		"{apiVersion: admissionregistration.k8s.io/v1, kind: ValidatingAdmissionPolicy, metadata: {name: x}}":         "",
		"{apiVersion: admissionregistration.k8s.io/v1, kind: MutatingAdmissionPolicyBinding, metadata: {name: x}}":    "",
		"{apiVersion: authorization.k8s.io/v1, kind: SubjectAccessReview, metadata: {name: x}}":                       "",
		"{apiVersion: authentication.k8s.io/v1, kind: TokenReview, metadata: {name: x}}":                              "",
		"{apiVersion: v1, kind: Namespace, metadata: {name: shop}}":                                                   "p pass",
		"{apiVersion: v1, kind: Namespace, metadata: {name: bank}}":                                                   "p fail: not of shop",
		"{apiVersion: admissionregistration.k8s.io/v1, kind: ValidatingWebhookConfiguration, metadata: {name: x}}":    "p error: could not be evaluated: expression 'request.namespace == 'shop'': no such key: namespace",
		"{apiVersion: authentication.k8s.io/v1, kind: SomethingElse, metadata: {name: x, namespace: shop}, spec: {}}": "p pass",
	} {
		same(t, text, lines(s.Validate(t.Context(), asking(t, text), (&archive{}).inputs())), want)
	}
}

func TestAdmissionPoliciesThatAreRefused(t *testing.T) {
	const fine = "validations: [{expression: 'true'}]"
	for name, c := range map[string]struct{ text, want string }{
		"nothing to say":                    {admissionPolicy("failurePolicy: Fail"), "spec.validations: is empty: expected at least one validation or audit annotation"},
		"an expression that does not exist": {admissionPolicy("validations: [{expression: objec.spec == 1}]"), "spec.validations[0].expression: CEL at 1:1: undeclared reference to 'objec': did you mean object?"},
		"a variable that needs itself":      {admissionPolicy("variables: [{name: a, expression: variables.a}], " + fine), "spec.variables[0].expression: CEL at 1:10: undefined field 'a'"},
		"variables that need each other":    {admissionPolicy("variables: [{name: a, expression: variables.b}, {name: b, expression: variables.a}], " + fine), "spec.variables[0].expression: CEL at 1:10: undefined field 'b'"},
		"a condition that reads a variable": {admissionPolicy("variables: [{name: a, expression: '1'}], matchConditions: [{name: c, expression: variables.a == 1}], " + fine), "spec.matchConditions[0].expression: CEL at 1:10: undefined field 'a'"},
		"params without a kind":             {admissionPolicy("validations: [{expression: params.x == 1}]"), "spec.validations[0].expression: CEL at 1:1: params is read, but there is no parameter: expected paramKind and paramRef"},
		"a kind without a version":          {admissionPolicy("paramKind: {kind: ConfigMap}, " + fine), `spec.paramKind.apiVersion: "" is no version: expected one like v1 or example.com/v1`},
		"an unknown failurePolicy":          {admissionPolicy("failurePolicy: Maybe, " + fine), `spec.failurePolicy: unknown failurePolicy "Maybe": expected Fail or Ignore`},
		"an unknown reason":                 {admissionPolicy("validations: [{expression: 'true', reason: Because}]"), `spec.validations[0].reason: unknown reason "Because": expected Forbidden, Invalid, RequestEntityTooLarge or Unauthorized`},
		"a message of two lines":            {admissionPolicy(`validations: [{expression: 'true', message: "a\nb"}]`), "spec.validations[0].message: has several lines: expected one"},
		"conditions of one name":            {admissionPolicy("matchConditions: [{name: c, expression: 'true'}, {name: c, expression: 'true'}], " + fine), `spec.matchConditions[1].name: "c" stands twice: names of matchConditions are unique`},
		"annotations of one key":            {admissionPolicy("auditAnnotations: [{key: k, valueExpression: '''a'''}, {key: k, valueExpression: '''b'''}]"), `spec.auditAnnotations[1].key: "k" stands twice: keys are unique`},
		"a message of no known type":        {admissionPolicy("validations: [{expression: 'true', messageExpression: object.metadata.name}]"), "spec.validations[0].messageExpression: gives dyn: expected string"},
		"an annotation of no known type":    {admissionPolicy("auditAnnotations: [{key: k, valueExpression: object.metadata.name}]"), "spec.auditAnnotations[0].valueExpression: gives dyn: expected string or null_type"},
		"no resources":                      {"{metadata: {name: p}, spec: {" + fine + "}}", "spec.matchConstraints: selects nothing: expected resourceRules"},
		"a library of Kyverno's":            {admissionPolicy("validations: [{expression: 'resource.Get(\"v1\", \"configmaps\", \"a\", \"b\") == null'}]"), "spec.validations[0].expression: CEL at 1:1: undeclared reference to 'resource'; spec.validations[0].expression: CEL at 1:13: undeclared reference to 'Get'"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := tryCompileAdmission(t, c.text)
			same(t, "error", refusal(err, "ValidatingAdmissionPolicy/p: "), c.want)
		})
	}
}

func TestBindingsThatAreRefused(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"no policy":                        {"{metadata: {name: b}, spec: {validationActions: [Deny]}}", "spec.policyName: is missing: expected the name of a ValidatingAdmissionPolicy"},
		"an unknown action":                {"{metadata: {name: b}, spec: {policyName: p, validationActions: [Block]}}", `spec.validationActions[0]: unknown action "Block": expected Deny, Warn or Audit`},
		"Deny with Warn":                   {"{metadata: {name: b}, spec: {policyName: p, validationActions: [Deny, Warn]}}", "spec.validationActions: has both Deny and Warn: expected one of them, since a refusal tells what a warning would"},
		"an action twice":                  {"{metadata: {name: b}, spec: {policyName: p, validationActions: [Deny, Deny]}}", `spec.validationActions[1]: "Deny" stands twice`},
		"a parameter by name and selector": {admissionBinding("b", ", paramRef: {name: a, selector: {}, parameterNotFoundAction: Deny}"), "spec.paramRef: expected one of name and selector"},
		"a parameter by neither":           {admissionBinding("b", ", paramRef: {parameterNotFoundAction: Deny}"), "spec.paramRef: expected one of name and selector"},
		"an unknown action without one":    {admissionBinding("b", ", paramRef: {name: a, parameterNotFoundAction: Pass}"), `spec.paramRef.parameterNotFoundAction: unknown value "Pass": expected Allow or Deny`},
		"a resource rule without versions": {admissionBinding("b", ", matchResources: {resourceRules: [{apiGroups: [''], operations: ['*'], resources: [pods]}]}"), "spec.matchResources.resourceRules[0].apiVersions: is empty: expected at least one, or *"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := tryCompileBinding(t, c.text)
			same(t, "error", refusal(err, "ValidatingAdmissionPolicyBinding/b: "), c.want)
		})
	}
}

// refusal is the text of a compile error without the name that it begins with.
func refusal(err error, name string) string {
	if err == nil {
		return "no error"
	}
	return strings.TrimPrefix(err.Error(), name)
}

// What an API server would not take, but says clearly what it means, is taken with a warning.
func TestBindingsThatAreIncomplete(t *testing.T) {
	b, err := tryCompileBinding(t, "{metadata: {name: b}, spec: {policyName: p, paramRef: {name: a}}}")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, w := range b.Warnings {
		got = append(got, w.String())
	}
	same(t, "warnings", strings.Join(got, "\n"), "spec.paramRef.parameterNotFoundAction: is missing: an API server refuses the binding; here it is taken for Deny\n"+
		"spec.validationActions: is empty: an API server refuses the binding; here it is taken for Deny")
}
