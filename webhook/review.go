package webhook

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"

	admissionv1 "k8s.io/api/admission/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/holdfast-io/holdfast/engine"
	"github.com/holdfast-io/holdfast/webhook/jsontree"
)

const (
	reviewAPIVersion = "admission.k8s.io/v1"
	reviewKind       = "AdmissionReview"
)

// review is an AdmissionReview as it comes in. Objects stay as they were sent until a rule asks for them.
// Source: https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/#request
type review struct {
	APIVersion string   `json:"apiVersion"`
	Kind       string   `json:"kind"`
	Request    *request `json:"request"`
}

// Kind and Resource are those that the webhook entry asked for: with matchPolicy Equivalent the API server
// converts the object to them, whatever version the user wrote.
type request struct {
	UID         string                      `json:"uid"`
	Kind        metav1.GroupVersionKind     `json:"kind"`
	Resource    metav1.GroupVersionResource `json:"resource"`
	SubResource string                      `json:"subResource"`
	// What was written, before the conversion.
	RequestKind        *metav1.GroupVersionKind     `json:"requestKind"`
	RequestResource    *metav1.GroupVersionResource `json:"requestResource"`
	RequestSubResource string                       `json:"requestSubResource"`
	Name               string                       `json:"name"`
	Namespace          string                       `json:"namespace"`
	Operation          engine.Operation             `json:"operation"`
	UserInfo           authenticationv1.UserInfo    `json:"userInfo"`
	Object             asSent                       `json:"object"`
	OldObject          asSent                       `json:"oldObject"`
	Options            asSent                       `json:"options"`
	DryRun             *bool                        `json:"dryRun"`
	// lateErr is what was found wrong with oldObject when a rule asked for it.
	lateErr error
}

// asSent is JSON that is not decoded.
type asSent string

func (s *asSent) UnmarshalJSON(raw []byte) error {
	*s = asSent(raw)
	return nil
}

// decodeReview reads the envelope. What is long is cut out before, so that it is looked at once, when it is decoded.
func decodeReview(body string) (*request, error) {
	envelope, parts := jsontree.Cut(body, "request", "object", "oldObject", "options")
	var r review
	if err := json.Unmarshal([]byte(envelope), &r); err != nil {
		return nil, fmt.Errorf("the body is not an AdmissionReview: %w", err)
	}
	if r.APIVersion != reviewAPIVersion || r.Kind != reviewKind {
		return nil, fmt.Errorf("the body is %q %q: expected %q %q", r.APIVersion, r.Kind, reviewAPIVersion, reviewKind)
	}
	if r.Request == nil {
		return nil, errors.New("the AdmissionReview has no request")
	}
	if r.Request.UID == "" {
		return nil, errors.New("the AdmissionReview's request has no uid")
	}
	for name, to := range map[string]*asSent{"object": &r.Request.Object, "oldObject": &r.Request.OldObject, "options": &r.Request.Options} {
		if part, ok := parts[name]; ok {
			*to = asSent(part)
		}
	}
	return r.Request, nil
}

// check finds what makes a request with an uid unanswerable.
func (r *request) check() error {
	switch r.Operation {
	case engine.Create, engine.Update, engine.Delete, engine.Connect:
	default:
		return fmt.Errorf("unknown operation %q: expected CREATE, UPDATE, DELETE or CONNECT", r.Operation)
	}
	if r.Kind.Kind == "" {
		return errors.New("the request has no kind")
	}
	return nil
}

// decode gives what the rules are asked about. kind is the one that rules know the object by.
func (r *request) decode(kind schema.GroupVersionKind) (*engine.Request, error) {
	out := &engine.Request{
		UID: r.UID, Operation: r.Operation, Kind: kind, Resource: schema.GroupVersionResource(r.Resource), SubResource: r.SubResource,
		Namespace: r.Namespace, Name: r.Name, User: &r.UserInfo, DryRun: r.DryRun != nil && *r.DryRun, Sent: r.sent(),
	}
	if r.Kind.Group == "" && r.Kind.Kind == "Namespace" {
		// The API server puts a Namespace into itself. A Namespace at rest is in none, and has to get
		// the same verdict.
		out.Namespace = ""
	}
	var errs [3]error
	out.Object, errs[0] = r.Object.decode("object")
	if r.Operation == engine.Update {
		out.Late = r.late
	} else {
		out.OldObject, errs[1] = r.OldObject.decode("oldObject")
	}
	out.Options, errs[2] = r.Options.decode("options")
	switch {
	case errors.Join(errs[:]...) != nil:
		return nil, errors.Join(errs[:]...)
	case r.Operation == engine.Delete && out.OldObject == nil:
		return nil, errors.New("the request is to DELETE and has no oldObject")
	case (r.Operation == engine.Create || r.Operation == engine.Update) && out.Object == nil:
		return nil, fmt.Errorf("the request is to %s and has no object", r.Operation)
	}
	return out, nil
}

// late decodes oldObject when a rule asks for it. What is wrong with it is found out then, and noted.
func (r *request) late() (object map[string]any) {
	object, r.lateErr = r.OldObject.decode("oldObject")
	return object
}

// decode gives the object; nil for none.
func (s asSent) decode(name string) (map[string]any, error) {
	if s == "" {
		return nil, nil
	}
	object, err := jsontree.Object(string(s))
	if err != nil {
		return nil, fmt.Errorf("the request's %s is not an object: %w", name, err)
	}
	return object, nil
}

// sent is the request in its own words.
func (r *request) sent() *engine.Sent {
	out := &engine.Sent{
		Kind: schema.GroupVersionKind(r.Kind), RequestKind: schema.GroupVersionKind(r.Kind),
		RequestResource: schema.GroupVersionResource(r.Resource), RequestSubResource: r.SubResource,
	}
	if r.RequestKind != nil && r.RequestResource != nil {
		out.RequestKind, out.RequestResource = schema.GroupVersionKind(*r.RequestKind), schema.GroupVersionResource(*r.RequestResource)
		out.RequestSubResource = r.RequestSubResource
	}
	return out
}

// describe names the object for people: Pod default/web. A generated name has no end yet.
func describe(r *engine.Request) string {
	name := r.Name
	if name == "" {
		meta, _ := r.Object["metadata"].(map[string]any)
		if name, _ = meta["name"].(string); name == "" {
			if name, _ = meta["generateName"].(string); name != "" {
				name += "*"
			}
		}
	}
	if r.Namespace != "" {
		name = r.Namespace + "/" + name
	}
	kind := r.Kind.Kind
	if r.SubResource != "" {
		kind += "/" + r.SubResource
	}
	return kind + " " + name
}

// encodeReview writes the answer. It is made of texts, numbers and bytes: encoding them cannot fail.
func encodeReview(resp *admissionv1.AdmissionResponse) []byte {
	out := admissionv1.AdmissionReview{Response: resp}
	out.APIVersion, out.Kind = reviewAPIVersion, reviewKind
	body, err := json.Marshal(&out)
	if err != nil {
		panic(fmt.Sprintf("encoding an admission response: %v", err))
	}
	return body
}

// peekUID reads no further than it must to find request.uid, for an answer without an evaluation. The API
// server writes it first. Empty when it is not found within the first bytes.
func peekUID(body io.Reader) string {
	// The envelope before the object is a few hundred bytes; users may bring a few KiB of groups.
	const window = 64 << 10
	d := json.NewDecoder(io.LimitReader(body, window))
	var keys []string // of the objects that we are in
	var closers []json.Delim
	expectKey := false
	for {
		token, err := d.Token()
		if err != nil {
			return ""
		}
		switch token := token.(type) {
		case json.Delim:
			if token == '{' || token == '[' {
				closers = append(closers, token)
				keys = append(keys, "")
				expectKey = token == '{'
				continue
			}
			closers, keys = closers[:len(closers)-1], keys[:len(keys)-1]
		case string:
			if expectKey {
				keys[len(keys)-1], expectKey = token, false
				continue
			}
			if len(keys) == 2 && keys[0] == "request" && keys[1] == "uid" {
				return token
			}
		}
		expectKey = len(closers) > 0 && closers[len(closers)-1] == '{'
	}
}
