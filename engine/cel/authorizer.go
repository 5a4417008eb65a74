package cel

import (
	"context"
	"errors"

	"github.com/google/cel-go/common/types"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/selection"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	"k8s.io/apiserver/pkg/cel/library"
)

// Requester is who makes the request and on what, as the authorizer has it.
type Requester struct {
	// User is nil where there is no request. Other accounts may be asked about all the same.
	User                         *authenticationv1.UserInfo
	Resource                     schema.GroupVersionResource
	SubResource, Namespace, Name string
}

// errNobody is the answer to a check of the requester's rights where nobody requests anything.
var errNobody = errors.New("there is no request, and so no user")

// asksAuthorizer reports whether the facts that an expression reads have the authorizer among them.
func (r *reading) asksAuthorizer() (string, bool) {
	for _, fact := range r.facts {
		if fact == varAuthorizer || fact == factAccount {
			return fact, true
		}
	}
	return "", false
}

// errUnauthorized is what a message or an audit annotation gets that reads the authorizer, or a variable that does.
var errUnauthorized = errors.New("authorizer is not known to messages and audit annotations")

// unauthorize takes the authorizer away, as an API server does from messages and audit annotations, and from the variables
// that they read: these are evaluated anew. What it gives back brings it back.
func (e *evaluation) unauthorize() (authorize func()) {
	values := e.values
	if e.rule.asking {
		e.values = nil
	}
	e.unauthorized = true
	return func() { e.values, e.unauthorized = values, false }
}

// rights is the authorizer behind the API server's functions: each check asks the World. An answer of the API server, also
// one with an error of its own, is for the expression to look at. No answer ends the evaluation: it is no refusal.
type rights struct{ e *evaluation }

// authorizer gives the value of a name of the authorizer.
func (e *evaluation) authorizer(name string) any {
	if e.unauthorized {
		return types.WrapErr(errUnauthorized)
	}
	if e.in.World == nil {
		return types.WrapErr(ErrNoWorld)
	}
	requester := e.in.World.Requester()
	var info user.Info
	if u := requester.User; u != nil {
		info = &user.DefaultInfo{Name: u.Username, UID: u.UID, Groups: u.Groups, Extra: extraOf(u)}
	}
	if name == varRequestAuthorizer {
		return library.NewResourceAuthorizerVal(info, rights{e}, requested{requester})
	}
	return library.NewAuthorizerVal(info, rights{e})
}

func extraOf(u *authenticationv1.UserInfo) map[string][]string {
	extra := make(map[string][]string, len(u.Extra))
	for key, values := range u.Extra {
		extra[key] = values
	}
	return extra
}

// requested is the resource of a request.
type requested struct{ r Requester }

func (q requested) GetName() string                          { return q.r.Name }
func (q requested) GetNamespace() string                     { return q.r.Namespace }
func (q requested) GetResource() schema.GroupVersionResource { return q.r.Resource }
func (q requested) GetSubresource() string                   { return q.r.SubResource }

// Authorize asks the World. The context of the evaluation is the one that counts: the API server's functions have none.
func (r rights) Authorize(_ context.Context, a authorizer.Attributes) (authorizer.Decision, string, error) {
	var status authorizationv1.SubjectAccessReviewStatus
	asked := r.e.ask(checked(a), func(w World) (any, error) {
		if a.GetUser() == nil {
			return nil, errNobody
		}
		var err error
		status, err = w.Authorize(question(a))
		return nil, err
	})
	if failed, ok := asked.(*types.Err); ok {
		return authorizer.DecisionNoOpinion, "", failed
	}
	var err error
	if status.EvaluationError != "" {
		err = errors.New(status.EvaluationError)
	}
	switch {
	case status.Allowed:
		return authorizer.DecisionAllow, status.Reason, err
	case status.Denied:
		return authorizer.DecisionDeny, status.Reason, err
	default:
		return authorizer.DecisionNoOpinion, status.Reason, err
	}
}

// checked says in an error what was asked: authorizer.check list deployments.apps/scale in shop.
func checked(a authorizer.Attributes) string {
	what := "authorizer.check " + a.GetVerb() + " "
	if !a.IsResourceRequest() {
		return what + a.GetPath()
	}
	what += schema.GroupResource{Group: a.GetAPIGroup(), Resource: a.GetResource()}.String()
	if a.GetSubresource() != "" {
		what += "/" + a.GetSubresource()
	}
	if a.GetNamespace() != "" {
		what += " in " + a.GetNamespace()
	}
	return what
}

// question is the question in the words of the API server. A selector that cannot be read is none, as there.
func question(a authorizer.Attributes) *authorizationv1.SubjectAccessReviewSpec {
	who := a.GetUser()
	out := &authorizationv1.SubjectAccessReviewSpec{User: who.GetName(), UID: who.GetUID(), Groups: who.GetGroups()}
	if extra := who.GetExtra(); len(extra) > 0 {
		out.Extra = make(map[string]authorizationv1.ExtraValue, len(extra))
		for key, values := range extra {
			out.Extra[key] = values
		}
	}
	if !a.IsResourceRequest() {
		out.NonResourceAttributes = &authorizationv1.NonResourceAttributes{Path: a.GetPath(), Verb: a.GetVerb()}
		return out
	}
	out.ResourceAttributes = &authorizationv1.ResourceAttributes{
		Namespace: a.GetNamespace(), Verb: a.GetVerb(), Group: a.GetAPIGroup(), Version: a.GetAPIVersion(),
		Resource: a.GetResource(), Subresource: a.GetSubresource(), Name: a.GetName(),
	}
	if list, err := a.GetFieldSelector(); err == nil && len(list) > 0 {
		out.ResourceAttributes.FieldSelector = &authorizationv1.FieldSelectorAttributes{Requirements: fieldRequirements(list)}
	}
	if list, err := a.GetLabelSelector(); err == nil && len(list) > 0 {
		out.ResourceAttributes.LabelSelector = &authorizationv1.LabelSelectorAttributes{Requirements: labelRequirements(list)}
	}
	return out
}

func fieldRequirements(list fields.Requirements) []metav1.FieldSelectorRequirement {
	out := make([]metav1.FieldSelectorRequirement, 0, len(list))
	for _, r := range list {
		one := metav1.FieldSelectorRequirement{Key: r.Field, Operator: metav1.FieldSelectorOpIn, Values: []string{r.Value}}
		if r.Operator == selection.NotEquals {
			one.Operator = metav1.FieldSelectorOpNotIn
		}
		out = append(out, one)
	}
	return out
}

// labelRequirements leaves out what the question has no word for (greater, less). It is wider then, and harder to allow.
func labelRequirements(list labels.Requirements) []metav1.LabelSelectorRequirement {
	words := map[selection.Operator]metav1.LabelSelectorOperator{
		selection.Equals: metav1.LabelSelectorOpIn, selection.DoubleEquals: metav1.LabelSelectorOpIn, selection.In: metav1.LabelSelectorOpIn,
		selection.NotEquals: metav1.LabelSelectorOpNotIn, selection.NotIn: metav1.LabelSelectorOpNotIn,
		selection.Exists: metav1.LabelSelectorOpExists, selection.DoesNotExist: metav1.LabelSelectorOpDoesNotExist,
	}
	out := make([]metav1.LabelSelectorRequirement, 0, len(list))
	for _, r := range list {
		if word, ok := words[r.Operator()]; ok {
			out = append(out, metav1.LabelSelectorRequirement{Key: r.Key(), Operator: word, Values: r.Values().List()})
		}
	}
	return out
}
