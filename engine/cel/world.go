package cel

import (
	"errors"
	"fmt"
	"time"

	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	authorizationv1 "k8s.io/api/authorization/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// World answers what expressions ask beyond the request: in Kubernetes' language what users may do, in Kyverno's
// the rest. An error is never "no": the evaluation ends
// with it, and it is no ErrExpression. Values are JSON values; those of an answer may be shared and are never changed.
type World interface {
	// Get gives one object, nil where it does not exist. The resource is a plural name (configmaps), with a subresource
	// behind a slash where one is meant; the namespace is empty for what has none, and a namespaced policy's own otherwise.
	Get(apiVersion, resource, namespace, name string) (map[string]any, error)
	// List gives the objects of a resource with all the labels, in all namespaces if the namespace is empty.
	List(apiVersion, resource, namespace string, labels map[string]string) ([]map[string]any, error)
	// Post sends an object that asks something of the API server, such as a SubjectAccessReview, and gives the answer.
	Post(apiVersion, resource, namespace string, object map[string]any) (map[string]any, error)
	// Resource gives the resource of a kind.
	Resource(apiVersion, kind string) (schema.GroupVersionResource, error)
	// GlobalContext gives the value of an entry, or of one of its projections if that is not empty; nil where there is no
	// such entry.
	GlobalContext(name, projection string) (any, error)
	// HTTP makes a call. The answer is what an expression sees: the fields of the answer's JSON object and statusCode, or
	// body and statusCode if it is none.
	HTTP(call HTTPCall) (any, error)
	// Image gives what a registry knows of an image.
	Image(reference string) (map[string]any, error)
	// Generate notes objects to be generated. The namespace is empty for objects that have none. The objects are the
	// World's to keep, and to change.
	Generate(namespace string, objects []map[string]any) error
	// Requester tells who makes the request, and on what.
	Requester() Requester
	// Authorize asks whether a user may do something. That it could not be told is an error, and no refusal.
	Authorize(question *authorizationv1.SubjectAccessReviewSpec) (authorizationv1.SubjectAccessReviewStatus, error)
	// Now is the time of the evaluation.
	Now() time.Time
	// Random fills p with random bytes, as io.Reader does.
	Random(p []byte) (int, error)
}

// HTTPCall is a call of an expression. Nothing about it is constant: who makes it decides whether it may be made.
type HTTPCall struct {
	Method  string // GET or POST
	URL     string
	Headers map[string]string
	Body    any // with POST
	// CABundle is PEM, empty for the usual authorities.
	CABundle string
}

// Exceptions is what the exceptions to a policy allow beside what it allows itself.
type Exceptions struct{ AllowedImages, AllowedValues []string }

// ErrNoWorld is wrapped by the error of a function that asks the World where there is none.
var ErrNoWorld = errors.New("cannot be looked up here")

// maxCalls is how often the expressions of a rule may call the World in one evaluation. Each call can take as long as the
// network takes, so a list in the object must not multiply them without end.
const maxCalls = 100

// ask calls the World. Its error ends the evaluation, whatever the rest of the expression makes of it.
func (e *evaluation) ask(what string, call func(World) (any, error)) ref.Val {
	if e.outside != nil {
		return types.WrapErr(e.outside)
	}
	if e.calls++; e.calls > maxCalls {
		return types.WrapErr(errTooManyCalls)
	}
	return e.tell(what, call)
}

// tell asks what the World knows without looking it up: such a call is not counted.
func (e *evaluation) tell(what string, call func(World) (any, error)) ref.Val {
	if e.outside != nil {
		return types.WrapErr(e.outside)
	}
	answer, err := any(nil), e.ctx.Err()
	switch {
	case err != nil:
	case e.in.World == nil:
		err = ErrNoWorld
	default:
		answer, err = call(e.in.World)
	}
	if err != nil {
		e.outside = fmt.Errorf("%s: %w", what, err)
		return types.WrapErr(e.outside)
	}
	return value(answer)
}

var errTooManyCalls = fmt.Errorf("the expressions of the rule look up more than %d things", maxCalls)
