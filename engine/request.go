package engine

import (
	"io"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Operation is what a request does with an object, in the words of the admission API.
type Operation string

// The operations of the admission API.
const (
	Create  Operation = "CREATE"
	Update  Operation = "UPDATE"
	Delete  Operation = "DELETE"
	Connect Operation = "CONNECT"
)

// Request is one object and what is known about the write that brings it.
//
// An object at rest (a file, an object of a cluster that is audited) is judged as if it were created
// as it is now: Operation is Create and User is nil. Rules that need more say so instead of guessing.
type Request struct {
	UID       string // the admission request's, empty at rest
	Operation Operation
	// Kind is the one that rules know the object by: of a request on a subresource, the parent's.
	Kind        schema.GroupVersionKind
	Resource    schema.GroupVersionResource // zero when unknown
	SubResource string
	// Sent says what the request was about in its own words; nil where they are the same.
	Sent      *Sent
	Namespace string // empty for cluster-scoped objects
	Name      string
	// Object is the object as it will be; OldObject as it was. On DELETE only OldObject is set. On UPDATE Late may stand
	// in its place, and gives it when a rule asks: most do not.
	Object    map[string]any
	OldObject map[string]any
	Late      func() map[string]any
	// Options are the CreateOptions and the like, as sent. May be nil.
	Options map[string]any
	DryRun  bool
	// Own says that the write is one that rules asked for (skipBackgroundRequests).
	Own bool
	// User is who asks; nil when there is no request.
	User *authenticationv1.UserInfo
}

// Sent is a request in its own words, for expressions that read them.
type Sent struct {
	// Kind is that of the object that was sent, such as PodExecOptions on pods/exec.
	Kind schema.GroupVersionKind
	// RequestKind, RequestResource and RequestSubResource are those of the writer, before the API server converted
	// the object to a version that it was asked to send.
	RequestKind        schema.GroupVersionKind
	RequestResource    schema.GroupVersionResource
	RequestSubResource string
}

// Target is the resource that the request is about.
func (r *Request) Target() Resource {
	return Resource{Kind: r.Kind, Plural: r.Resource.Resource, SubResource: r.SubResource}
}

// Old is the object as it was, nil where there was none.
func (r *Request) Old() map[string]any {
	if r.Late != nil {
		r.OldObject, r.Late = r.Late(), nil
	}
	return r.OldObject
}

// subject is the object that a rule judges: what is being deleted, or else what will be.
func (r *Request) subject() map[string]any {
	if r.Operation == Delete {
		return r.OldObject
	}
	return r.Object
}

// Inputs are the facts of the world at evaluation.
type Inputs struct {
	Lookups Lookups
	Now     func() time.Time
	// Rand is the source of the function random(); nil makes that function an error.
	Rand io.Reader
	// Given gives values that stand in for what the rule's context would look up, by dotted path
	// (dictionary.data.env); element is the index in the foreach at hand, or -1. It is for tests without a
	// cluster: nil where the world answers. What is asked with it is a request even if its User is nil: then a
	// match by user holds and an exclude by user does not, as in the tests of Kyverno's CLI.
	Given func(rule *Rule, element int) map[string]any
	// ManagedBy is the value of app.kubernetes.io/managed-by on what is generated; empty means DefaultManagedBy.
	ManagedBy string
	// Watch sees the rules come and go, for who has a clock; nil for nobody. It changes nothing.
	Watch Watch
}

// Watch sees one evaluation's rules, one after the other. It is asked by one goroutine.
type Watch interface {
	// Began is called before it is known whether the rule is to be evaluated.
	Began(*Rule)
	// Decided is called with the decision of the rule that began last; not for one that has nothing to say.
	Decided(*Decision)
}
