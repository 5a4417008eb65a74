package cel

import (
	"errors"
	"strings"
	"testing"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// jane asks for a scale of a Deployment.
func jane() Requester {
	return Requester{
		User: &authenticationv1.UserInfo{
			Username: "jane", UID: "7", Groups: []string{"dev"}, Extra: map[string]authenticationv1.ExtraValue{"scopes": {"a", "b"}},
		},
		Resource: schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "deployments"}, SubResource: "scale", Namespace: "shop", Name: "web",
	}
}

// What the authorizer asks, in the words of a SubjectAccessReview.
func TestAuthorizerAsks(t *testing.T) {
	const (
		who     = `{U,"user":"jane","groups":["dev"],"extra":{"scopes":["a","b"]},"uid":"7"}`
		account = `{U,"user":"system:serviceaccount:shop:robot","groups":["system:serviceaccounts","system:serviceaccounts:shop"]}`
		pods    = `"verb":"list","version":"*","resource":"pods"`
	)
	for expression, c := range map[string]struct{ who, attributes string }{
		"authorizer.requestResource.check('delete')":           {who, `"resourceAttributes":{"namespace":"shop","verb":"delete","group":"apps","version":"*","resource":"deployments","subresource":"scale","name":"web"}`},
		"authorizer.requestResource.name('x').check('update')": {who, `"resourceAttributes":{"namespace":"shop","verb":"update","group":"apps","version":"*","resource":"deployments","subresource":"scale","name":"x"}`},
		"authorizer.path('/healthz').check('get')":             {who, `"nonResourceAttributes":{"path":"/healthz","verb":"get"}`},
		"authorizer.group('').resource('pods').check('list')":  {who, `"resourceAttributes":{` + pods + `}`},
		"variables.pods.check('list')":                         {who, `"resourceAttributes":{` + pods + `}`},
		"authorizer.group('apps').resource('deployments').subresource('status').namespace('bank').name('a').check('patch')": {who, `"resourceAttributes":{"namespace":"bank","verb":"patch","group":"apps","version":"*","resource":"deployments","subresource":"status","name":"a"}`},
		"authorizer.serviceAccount('shop', 'robot').group('').resource('pods').check('list')":                               {account, `"resourceAttributes":{` + pods + `}`},
		"authorizer.serviceAccount('shop', 'robot').path('/a').check('get')":                                                {account, `"nonResourceAttributes":{"path":"/a","verb":"get"}`},
		"authorizer.group('').resource('pods').fieldSelector('spec.nodeName=a,spec.b!=c').check('list')":                    {who, `"resourceAttributes":{` + pods + `,"fieldSelector":{"requirements":[{"key":"spec.b","operator":"NotIn","values":["c"]},{"key":"spec.nodeName","operator":"In","values":["a"]}]}}`},
		"authorizer.group('').resource('pods').labelSelector('a=b,c in (e,d),f!=g,h,!i,j notin (k),l>1').check('list')":     {who, `"resourceAttributes":{` + pods + `,"labelSelector":{"requirements":[{"key":"a","operator":"In","values":["b"]},{"key":"c","operator":"In","values":["d","e"]},{"key":"f","operator":"NotIn","values":["g"]},{"key":"h","operator":"Exists"},{"key":"i","operator":"DoesNotExist"},{"key":"j","operator":"NotIn","values":["k"]}]}}`},
		"authorizer.group('').resource('pods').labelSelector('=').fieldSelector('a').check('list')":                         {who, `"resourceAttributes":{` + pods + `}`},
	} {
		t.Run(expression, func(t *testing.T) {
			world := &aWorld{requester: jane(), access: authorizationv1.SubjectAccessReviewStatus{Allowed: true}}
			src := withVariables(one(expression+".allowed()"), "pods", "authorizer.group('').resource('pods')")
			same(t, "verdict", line(mustCompile(t, src).Evaluate(t.Context(), &Input{World: world})), "pass")
			same(t, "asked", strings.Join(world.asked, "; "), strings.Replace(c.who, "U", c.attributes, 1))
		})
	}
}

// As on an API server, messages and audit annotations know no authorizer, nor what a variable has asked of it before.
func TestMessagesAndAnnotationsKnowNoAuthorizer(t *testing.T) {
	world := &aWorld{requester: jane()}
	src := withVariables(Source{
		Validations: []admissionregistrationv1.Validation{{Expression: "variables.may.allowed()", MessageExpression: "variables.name + ': ' + variables.may.reason()"}},
		Annotations: []admissionregistrationv1.AuditAnnotation{{Key: "may", ValueExpression: "string(variables.may.allowed())"}},
	}, "may", "authorizer.path('/a').check('get')", "name", "'jane'")
	rule := mustCompile(t, src)
	same(t, "verdict", line(rule.Evaluate(t.Context(), &Input{World: world})), "fail 0: failed expression: variables.may.allowed()")
	_, err := rule.Annotate(t.Context(), &Input{World: world})
	if !errors.Is(err, ErrExpression) {
		t.Fatalf("got %v", err)
	}
	same(t, "error", err.Error(), "audit annotation may: expression 'string(variables.may.allowed())': variables.may: authorizer is not known to messages and audit annotations")
}

// What the API server answers is for the expression to look at, with an error of its own too.
func TestAuthorizerAnswers(t *testing.T) {
	const check = "authorizer.path('/a').check('get')."
	type status = authorizationv1.SubjectAccessReviewStatus
	for name, c := range map[string]struct {
		expression string
		answer     status
	}{
		"allowed":               {check + "allowed() && !" + check + "errored()", status{Allowed: true}},
		"refused":               {"!" + check + "allowed()", status{Denied: true}},
		"no opinion":            {"!" + check + "allowed() && " + check + "reason() == ''", status{}},
		"a reason":              {check + "reason() == 'because'", status{Reason: "because"}},
		"no error":              {check + "error() == ''", status{Allowed: true}},
		"an error":              {"!" + check + "allowed() && " + check + "errored() || " + check + "error() == 'x'", status{EvaluationError: "broken"}},
		"its text":              {check + "error() == 'broken'", status{EvaluationError: "broken"}},
		"allowed, and an error": {check + "allowed() && " + check + "errored()", status{Allowed: true, EvaluationError: "broken"}},
	} {
		t.Run(name, func(t *testing.T) {
			world := &aWorld{requester: jane(), access: c.answer}
			same(t, "verdict", line(mustCompile(t, one(c.expression)).Evaluate(t.Context(), &Input{World: world})), "pass")
		})
	}
}

// No answer at all is neither a refusal nor an error that an expression could pass over.
func TestAuthorizerThatCannotBeAsked(t *testing.T) {
	dead := errors.New("the line is dead")
	const pods = "authorizer.check list pods"
	for expression, what := range map[string]string{
		"!authorizer.group('').resource('pods').check('list').allowed()":                                  pods,
		"authorizer.group('').resource('pods').check('list').errored()":                                   pods,
		"authorizer.group('').resource('pods').check('list').error() != '' || true":                       pods,
		"[1].exists(x, authorizer.group('').resource('pods').check('list').allowed()) || true":            pods,
		"!authorizer.requestResource.check('get').allowed()":                                              "authorizer.check get deployments.apps/scale in shop",
		"!authorizer.path('/a').check('get').allowed()":                                                   "authorizer.check get /a",
		"!authorizer.serviceAccount('a', 'b').group('').resource('pods').check('list').allowed() || true": pods,
		"variables.may || true": pods,
	} {
		src := withVariables(one(expression), "may", "authorizer.group('').resource('pods').check('list').allowed()")
		rule := mustCompile(t, src)
		r := rule.Evaluate(t.Context(), &Input{World: &aWorld{requester: jane(), err: dead}})
		same(t, expression, line(r), "error 0: "+what+": the line is dead")
		if errors.Is(r.Err, ErrExpression) || !errors.Is(r.Err, dead) {
			t.Errorf("%s: %v is not told apart from an error of the expression", expression, r.Err)
		}
		src.Conditions = append(src.Conditions, conditionOf(expression), conditionOf("false"))
		if _, _, err := mustCompile(t, src).Match(t.Context(), &Input{World: &aWorld{requester: jane(), err: dead}}); !errors.Is(err, dead) {
			t.Errorf("condition %s: got %v, want %v", expression, err, dead)
		}
	}
	rule := mustCompile(t, one("!authorizer.path('/a').check('get').allowed()"))
	same(t, "nobody asks", line(rule.Evaluate(t.Context(), &Input{World: &aWorld{}})), "error 0: authorizer.check get /a: there is no request, and so no user")
	same(t, "no world", line(rule.Evaluate(t.Context(), &Input{})), "error 0: expression '!authorizer.path('/a').check('get').allowed()': cannot be looked up here")
	account := mustCompile(t, one("authorizer.serviceAccount('a', 'b').path('/a').check('get').allowed()"))
	world := &aWorld{access: authorizationv1.SubjectAccessReviewStatus{Allowed: true}}
	same(t, "nobody asks of an account", line(account.Evaluate(t.Context(), &Input{World: world})), "pass")
	for expression, want := range map[string]string{
		"authorizer.path('').check('get').allowed()":                             "path must not be empty",
		"authorizer.group('').resource(' ').check('get').allowed()":              "resource must not be empty",
		"authorizer.serviceAccount('A', 'b').path('/a').check('get').allowed()":  "Invalid service account namespace",
		"authorizer.serviceAccount('a', 'B_').path('/a').check('get').allowed()": "Invalid service account name",
	} {
		r := mustCompile(t, one(expression)).Evaluate(t.Context(), &Input{World: &aWorld{requester: jane()}})
		same(t, expression, line(r), "error 0: expression '"+expression+"': "+want)
	}
}

// An expression can afford two checks, as on an API server, and all of them together as many as the cost allows.
func TestAuthorizerIsDear(t *testing.T) {
	const may = "authorizer.path('/a').check('get').allowed()"
	world := func() *aWorld {
		return &aWorld{requester: jane(), access: authorizationv1.SubjectAccessReviewStatus{Allowed: true}}
	}
	three := may + " && " + may + " && " + may
	same(t, "three", line(mustCompile(t, one(three)).Evaluate(t.Context(), &Input{World: world()})),
		"error 0: expression '"+three+"': operation cancelled: actual cost limit exceeded")
	src := Source{}
	for range 30 {
		src.Validations = append(src.Validations, one(may).Validations...)
	}
	w := world()
	same(t, "thirty", line(mustCompile(t, src).Evaluate(t.Context(), &Input{World: w})),
		"error 28: expression '"+may+"': the expressions of the rule cost more than an evaluation may")
	if len(w.asked) != 29 {
		t.Errorf("it asked %d times, want 29: as long as the cost allows, and once more", len(w.asked))
	}
}

func TestReferencesToTheAuthorizer(t *testing.T) {
	for expression, want := range map[string]string{
		"authorizer.requestResource.check('get').allowed()":                                                                     "authorizer",
		"authorizer.path('/a').check('get').allowed()":                                                                          "authorizer",
		"authorizer.serviceAccount('a', 'b').path('/a').check('get').allowed()":                                                 "authorizer.serviceAccount",
		"authorizer.serviceAccount(object.metadata.namespace, 'b').path('/a').check('get').allowed()":                           "authorizer.serviceAccount object",
		"[authorizer].all(a, a.serviceAccount('a', 'b').path('/a').check('get').allowed())":                                     "authorizer",
		"authorizer.serviceAccount('a', 'b').serviceAccount('c', 'd').path('/a').check('get').allowed()":                        "authorizer.serviceAccount",
		"authorizer.serviceAccount('a', 'b').path('/a').check('get').allowed() && authorizer.path('/a').check('get').allowed()": "authorizer authorizer.serviceAccount",
		"variables.it.path('/a').check('get').allowed()":                                                                        "authorizer",
	} {
		rule := mustCompile(t, withVariables(one(expression), "it", "authorizer"))
		same(t, expression, strings.Join(rule.References(), " "), want)
	}
}
