package engine

import (
	"context"
	"errors"

	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// ErrNotFound is wrapped by the answer to a look-up of something that does not exist. Any other error
// means that it could not be told.
var ErrNotFound = errors.New("does not exist")

// ErrNoLookup is wrapped by the answer to a look-up where there is nothing to look in: no cluster, no
// network, no given value.
var ErrNoLookup = errors.New("cannot be looked up here")

// Lookups answers what rules ask beyond the request. An error is never "no": the decision becomes an
// error and the policy's failurePolicy applies. Answers are JSON values, shared, and never changed by
// the engine. The engine asks only for what the policy may reach (see gate.go), and asks the same thing
// once in an evaluation.
type Lookups interface {
	// NamespaceLabels gives the labels of a namespace.
	NamespaceLabels(ctx context.Context, namespace string) (map[string]string, error)
	// Roles gives the Roles (as namespace:name) and ClusterRoles that are bound to the user.
	Roles(ctx context.Context, user *authenticationv1.UserInfo) (roles, clusterRoles []string, err error)
	// Get gives one object. The namespace is empty for cluster-scoped kinds.
	Get(ctx context.Context, kind schema.GroupVersionKind, namespace, name string) (map[string]any, error)
	// List gives the objects of a kind in a namespace, or in all of them if it is empty. A nil selector
	// selects everything.
	List(ctx context.Context, kind schema.GroupVersionKind, namespace string, selector labels.Selector) ([]map[string]any, error)
	// Call asks the API server or a service.
	Call(ctx context.Context, call *Call) (any, error)
	// GlobalContext gives the value of a GlobalContextEntry, or of one of its projections (entry.projection).
	GlobalContext(ctx context.Context, name string) (any, error)
	// Image gives what a registry knows of an image: image, resolvedImage, registry, repository, identifier,
	// manifestList, manifest, configData.
	Image(ctx context.Context, image *ImageCall) (map[string]any, error)
	// AccessReview tells whether a user may do something.
	AccessReview(ctx context.Context, question *authorizationv1.SubjectAccessReviewSpec) (authorizationv1.SubjectAccessReviewStatus, error)
}

// Mapper is what Lookups know beside where they know a cluster: which resource a kind has. An ErrNoLookup means that they
// know it of no kind.
type Mapper interface {
	// Map gives the kind and the resource of a kind, which may be named by the plural name of its resource.
	Map(ctx context.Context, kind schema.GroupVersionKind) (schema.GroupVersionKind, schema.GroupVersionResource, error)
}

// AtHand is what Lookups answer beside without a wait, where they keep the answers. Rules on other namespaces are told from
// it before they are asked.
type AtHand interface {
	// NamespaceLabelsAtHand gives the labels of a namespace, and false where they would have to be looked up.
	NamespaceLabelsAtHand(namespace string) (map[string]string, bool)
}

// Call is one HTTP call of a context entry, or of an expression.
type Call struct {
	// Path, with its query, is asked of the API server; URL of a service. Exactly one is set. The host of a context
	// entry's URL was constant when the policy was compiled; an expression computes its own.
	Path, URL string
	Method    string // GET or POST
	// Body is the JSON value to send with POST; nil for none.
	Body any
	// Headers and CABundle (PEM) are for services alone.
	Headers  []Header
	CABundle string
	// Status asks for an object with the status of the answer (a number) and its body, in place of the body. It is for
	// services alone.
	Status bool
}

// Header is one header of a call.
type Header struct{ Name, Value string }

// ImageCall asks a registry about an image.
type ImageCall struct {
	Reference string
	// Secrets name pull secrets; Namespace is where they are, empty for our own. A namespaced policy has
	// those of its namespace only.
	Secrets   []string
	Namespace string
	// Providers are the credential helpers to ask: default, amazon, azure, google, github.
	Providers []string
	Insecure  bool // plain HTTP, or a certificate that nobody vouches for, is allowed
}

// NoLookups answers every look-up with ErrNoLookup. Embed it where only some can be answered.
type NoLookups struct{}

// NamespaceLabels is answered with ErrNoLookup.
func (NoLookups) NamespaceLabels(context.Context, string) (map[string]string, error) {
	return nil, ErrNoLookup
}

// Roles is answered with ErrNoLookup.
func (NoLookups) Roles(context.Context, *authenticationv1.UserInfo) (roles, clusterRoles []string, err error) {
	return nil, nil, ErrNoLookup
}

// Get is answered with ErrNoLookup.
func (NoLookups) Get(context.Context, schema.GroupVersionKind, string, string) (map[string]any, error) {
	return nil, ErrNoLookup
}

// List is answered with ErrNoLookup.
func (NoLookups) List(context.Context, schema.GroupVersionKind, string, labels.Selector) ([]map[string]any, error) {
	return nil, ErrNoLookup
}

// Call is answered with ErrNoLookup.
func (NoLookups) Call(context.Context, *Call) (any, error) { return nil, ErrNoLookup }

// GlobalContext is answered with ErrNoLookup.
func (NoLookups) GlobalContext(context.Context, string) (any, error) { return nil, ErrNoLookup }

// Image is answered with ErrNoLookup.
func (NoLookups) Image(context.Context, *ImageCall) (map[string]any, error) { return nil, ErrNoLookup }

// AccessReview is answered with ErrNoLookup.
func (NoLookups) AccessReview(context.Context, *authorizationv1.SubjectAccessReviewSpec) (authorizationv1.SubjectAccessReviewStatus, error) {
	return authorizationv1.SubjectAccessReviewStatus{}, ErrNoLookup
}
