package engine

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

func TestValidatingPolicy(t *testing.T) {
	const pod = "{apiVersion: v1, kind: Pod, metadata: {name: web, namespace: shop, labels: {app: web}}, spec: {priority: 5}}"
	for name, c := range map[string]struct {
		spec string
		op   Operation
		old  string
		want string
		rest string // the verdict at rest, if it is another
	}{
		"an expression that is true":        {spec: "validations: [{expression: object.spec.priority == 5}]", want: " pass"},
		"one that is false":                 {spec: "validations: [{expression: object.spec.priority > 5}]", want: " fail: failed expression: object.spec.priority > 5"},
		"its message":                       {spec: "validations: [{expression: object.spec.priority > 5, message: too low}]", want: " fail: too low"},
		"a message that is made":            {spec: "validations: [{expression: object.spec.priority > 5, message: too low, messageExpression: \"'is ' + string(object.spec.priority)\"}]", want: " fail: is 5"},
		"a message that cannot be made":     {spec: "validations: [{expression: object.spec.priority > 5, message: too low, messageExpression: string(object.spec.none)}]", want: " fail: too low"},
		"the first failure counts":          {spec: "validations: [{expression: 'true'}, {expression: 'false', message: b}, {expression: 'false', message: c}]", want: " fail: b"},
		"a failure before an error":         {spec: "validations: [{expression: 'false', message: a}, {expression: object.spec.none == 1}]", want: " fail: a"},
		"an error before a failure":         {spec: "validations: [{expression: object.spec.none == 1}, {expression: 'false', message: a}]", want: " error: could not be evaluated: expression 'object.spec.none == 1': no such key: none"},
		"a variable without a result":       {spec: "variables: [{name: v, expression: object.spec.none}], validations: [{expression: variables.v == 1}]", want: " error: could not be evaluated: expression 'variables.v == 1': variables.v: no such key: none"},
		"a variable that is not read":       {spec: "variables: [{name: v, expression: object.spec.none}], validations: [{expression: 'true'}]", want: " pass"},
		"a condition that is met":           {spec: "matchConditions: [{name: c, expression: object.spec.priority == 5}], validations: [{expression: 'true'}]", want: " pass"},
		"one that is not":                   {spec: "matchConditions: [{name: b, expression: 'true'}, {name: c, expression: 'false'}], validations: [{expression: 'false'}]", want: " skip: matchConditions not met: c"},
		"one without a result":              {spec: "matchConditions: [{name: c, expression: object.spec.none == 1}], validations: [{expression: 'true'}]", want: " error: could not be evaluated: matchConditions: c: expression 'object.spec.none == 1': no such key: none"},
		"and another that is not met":       {spec: "matchConditions: [{name: b, expression: object.spec.none == 1}, {name: c, expression: 'false'}], validations: [{expression: 'false'}]", want: " skip: matchConditions not met: c"},
		"and failurePolicy Ignore":          {spec: "failurePolicy: Ignore, matchConditions: [{name: c, expression: object.spec.none == 1}], validations: [{expression: 'false'}]", want: " skip: failurePolicy Ignore, and matchConditions: c: expression 'object.spec.none == 1': no such key: none"},
		"an expression, and Ignore":         {spec: "failurePolicy: Ignore, validations: [{expression: object.spec.none == 1}]", want: " error: could not be evaluated: expression 'object.spec.none == 1': no such key: none"},
		"a condition on the user":           {spec: "matchConditions: [{name: c, expression: request.userInfo.username == 'jane'}], validations: [{expression: 'true'}]", want: " pass", rest: " skip: not auditable: needs request.userInfo"},
		"an expression on the user":         {spec: "validations: [{expression: \"'dev' in request.userInfo.groups\"}]", want: " pass", rest: " skip: not auditable: needs request.userInfo"},
		"a message on the user":             {spec: "validations: [{expression: 'false', messageExpression: \"request.userInfo.username + ' may not'\"}]", want: " fail: jane may not", rest: " skip: not auditable: needs request.userInfo"},
		"the resource of the request":       {spec: "validations: [{expression: request.resource.resource == 'pods' && request.requestResource.version == 'v1'}]", want: " pass"},
		"the object of the request":         {spec: "validations: [{expression: request.object.spec.priority == 5}]", want: " pass"},
		"a creation has an empty oldObject": {spec: "validations: [{expression: '!has(oldObject.spec) && oldObject != null'}]", want: " pass"},
		"a field of it":                     {spec: "validations: [{expression: oldObject.spec.priority == 5}]", want: " error: could not be evaluated: expression 'oldObject.spec.priority == 5': no such key: spec", rest: " skip: not auditable: needs oldObject"},
		"an update has it":                  {spec: "validations: [{expression: oldObject.spec.priority == object.spec.priority}]", op: Update, old: pod, want: " pass"},
		"a deletion has no object":          {spec: "validations: [{expression: '!has(object.spec) && oldObject.spec.priority == 5'}]", op: Delete, want: " pass"},
		"a field of what is not there":      {spec: "validations: [{expression: object.spec.priority == 5}]", op: Delete, want: " error: could not be evaluated: expression 'object.spec.priority == 5': no such key: spec"},
		"a connection":                      {spec: "validations: [{expression: request.operation == 'CONNECT'}]", op: Connect, want: " pass"},
		"the name of the namespace":         {spec: "validations: [{expression: namespaceObject.metadata.name == 'shop'}]", want: " pass"},
		"annotations alone":                 {spec: "auditAnnotations: [{key: k, valueExpression: \"'v'\"}]", want: " pass"},
	} {
		t.Run(name, func(t *testing.T) {
			s := validatingSnapshot(t, "", withoutControllers+"matchConstraints: {resourceRules: [{apiGroups: [''], apiVersions: [v1], operations: ['*'], resources: [pods]}]}, "+c.spec)
			req := asking(t, pod)
			if c.op != "" {
				req.Operation = c.op
			}
			switch {
			case c.op == Delete:
				req.Object, req.OldObject = nil, req.Object
			case c.old != "":
				req.OldObject = object(t, c.old)
			}
			same(t, "at admission", lines(s.Validate(t.Context(), req, world{}.inputs())), c.want)
			if c.op != "" {
				return
			}
			if c.rest == "" {
				c.rest = c.want
			}
			same(t, "at rest", lines(s.Validate(t.Context(), resting(t, pod), world{}.inputs())), c.rest)
		})
	}
}

func TestValidatingPolicyActions(t *testing.T) {
	for name, c := range map[string]struct {
		actions string
		want    Action
		quiet   bool
	}{
		"none means Deny":   {"", Enforce, true},
		"an empty list too": {"validationActions: [], ", Enforce, true},
		"Deny":              {"validationActions: [Deny], ", Enforce, true},
		"Deny and Audit":    {"validationActions: [Audit, Deny], ", Enforce, true},
		"Audit":             {"validationActions: [Audit], ", Audit, true},
		"Warn":              {"validationActions: [Warn], ", Audit, false},
		"Warn and Audit":    {"validationActions: [Warn, Audit], ", Audit, false},
		"Deny and Warn":     {"validationActions: [Deny, Warn], ", Enforce, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := validatingSnapshot(t, "", onPodResources+c.actions+"validations: [{expression: 'false'}]")
			d := s.Validate(t.Context(), asking(t, "{apiVersion: v1, kind: Pod, metadata: {name: a}}"), world{}.inputs())
			if len(d) != 1 || d[0].Action != c.want || d[0].Policy.Quiet != c.quiet {
				t.Errorf("got %+v, want one decision with the action %v, quiet %v", d, c.want, c.quiet)
			}
		})
	}
}

// A policy of a namespace judges what is in it, whatever its constraints say.
func TestNamespacedValidatingPolicy(t *testing.T) {
	s := validatingSnapshot(t, "shop", "matchConstraints: {resourceRules: [{apiGroups: ['*'], apiVersions: ['*'], operations: ['*'], resources: ['*']}]}, validations: [{expression: 'false', message: m}]")
	for text, want := range map[string]string{
		"{apiVersion: v1, kind: Pod, metadata: {name: a, namespace: shop}}":             " fail: m",
		"{apiVersion: v1, kind: Pod, metadata: {name: a, namespace: bank}}":             "",
		"{apiVersion: v1, kind: Node, metadata: {name: a}}":                             "",
		"{apiVersion: apps/v1, kind: Deployment, metadata: {name: a, namespace: shop}}": " fail: m",
	} {
		same(t, text, lines(s.Validate(t.Context(), asking(t, text), world{}.inputs())), want)
	}
	same(t, "key", s.Policies()[0].Key(), "shop/p")
}

// A policy that is off at a door says nothing there.
func TestValidatingPolicyDoors(t *testing.T) {
	for name, c := range map[string]struct{ evaluation, admission, rest string }{
		"both":               {"", " pass", " pass"},
		"without admission":  {"evaluation: {admission: {enabled: false}}, ", "", " pass"},
		"without background": {"evaluation: {background: {enabled: false}}, ", " pass", ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := validatingSnapshot(t, "", onPodResources+c.evaluation+"validations: [{expression: 'true'}]")
			const pod = "{apiVersion: v1, kind: Pod, metadata: {name: a, namespace: shop}}"
			same(t, "at admission", lines(s.Validate(t.Context(), asking(t, pod), world{}.inputs())), c.admission)
			out, err := s.Audit(t.Context(), resting(t, pod), world{}.inputs())
			if err != nil {
				t.Fatal(err)
			}
			same(t, "at rest", lines(out.Decisions), c.rest)
		})
	}
}

func TestValidatingPolicyAnnotations(t *testing.T) {
	const annotations = "auditAnnotations: [{key: app, valueExpression: \"'app ' + object.metadata.labels.app\"}, {key: none, valueExpression: \"''\"}]"
	for name, c := range map[string]struct{ spec, object, want string }{
		"of a pass":             {"validations: [{expression: 'true'}], " + annotations, "{apiVersion: v1, kind: Pod, metadata: {name: a, labels: {app: web}}}", " pass app=app web"},
		"of a failure":          {"validations: [{expression: 'false', message: m}], " + annotations, "{apiVersion: v1, kind: Pod, metadata: {name: a, labels: {app: web}}}", " fail: m app=app web"},
		"of a policy in itself": {annotations, "{apiVersion: v1, kind: Pod, metadata: {name: a, labels: {app: web}}}", " pass app=app web"},
		"one without a result": {"validations: [{expression: 'true'}], " + annotations, "{apiVersion: v1, kind: Pod, metadata: {name: a}}",
			" error: could not be evaluated: audit annotation app: expression ''app ' + object.metadata.labels.app': no such key: labels"},
	} {
		t.Run(name, func(t *testing.T) {
			s := validatingSnapshot(t, "", onPodResources+c.spec)
			d := s.Validate(t.Context(), asking(t, c.object), world{}.inputs())
			got := lines(d)
			for _, key := range slices.Sorted(maps.Keys(d[0].Annotations)) {
				got += fmt.Sprintf(" %s=%s", key, d[0].Annotations[key])
			}
			same(t, "decision", got, c.want)
		})
	}
}

func TestValidatingPolicyThatIsRefused(t *testing.T) {
	cc, err := NewCompiler()
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ spec, want string }{
		"no validations":       {onPodResources + "failurePolicy: Fail", "spec.validations: is empty: expected at least one validation"},
		"an unknown operation": {"matchConstraints: {resourceRules: [{apiGroups: [''], apiVersions: [v1], operations: [Create], resources: [pods]}]}, validations: [{expression: 'true'}]", `spec.matchConstraints.resourceRules[0].operations[0]: unknown operation "Create": expected CREATE, UPDATE, DELETE, CONNECT or *`},
		"an unknown scope":     {"matchConstraints: {resourceRules: [{apiGroups: [''], apiVersions: [v1], operations: [CREATE], resources: [pods], scope: All}]}, validations: [{expression: 'true'}]", `spec.matchConstraints.resourceRules[0].scope: unknown value "All": expected Cluster, Namespaced or *`},
		"an unknown match":     {"matchConstraints: {matchPolicy: Loose}, validations: [{expression: 'true'}]", `spec.matchConstraints.matchPolicy: unknown value "Loose": expected Exact or Equivalent`},
		"a wrong selector":     {"matchConstraints: {namespaceSelector: {matchExpressions: [{key: a, operator: Is}]}}, validations: [{expression: 'true'}]", `spec.matchConstraints.namespaceSelector: not a label selector: "Is" is not a valid label selector operator`},
		"an unknown action":    {onPodResources + "validationActions: [deny], validations: [{expression: 'true'}]", `spec.validationActions[0]: unknown action "deny": expected Deny, Warn or Audit`},
		"an unknown failure":   {onPodResources + "failurePolicy: fail, validations: [{expression: 'true'}]", `spec.failurePolicy: unknown failurePolicy "fail": expected Fail or Ignore`},
		"too much time":        {onPodResources + "webhookConfiguration: {timeoutSeconds: 31}, validations: [{expression: 'true'}]", "spec.webhookConfiguration.timeoutSeconds: is 31: expected 1 to 30 seconds"},
		"what is no bool":      {onPodResources + "validations: [{expression: '1'}]", "spec.validations[0].expression: gives int: expected bool"},
		"a broken condition":   {onPodResources + "matchConditions: [{name: c, expression: 'object.'}], validations: [{expression: 'true'}]", "spec.matchConditions[0].expression: CEL at 1:8: Syntax error: no viable alternative at input '.'"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := cc.CompileValidating(validatingSource(t, "", c.spec))
			var wrong *CompileError
			if !errors.As(err, &wrong) {
				t.Fatalf("got %v, want a *CompileError", err)
			}
			var got []string
			for _, p := range wrong.Problems {
				got = append(got, p.PathString()+": "+p.Message)
			}
			same(t, "problems", strings.Join(got, "\n"), c.want)
		})
	}
}
