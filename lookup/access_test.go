package lookup

import (
	"net/http"
	"testing"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
)

func TestAUsersRightsAreAskedFor(t *testing.T) {
	type status = authorizationv1.SubjectAccessReviewStatus
	question := &authorizationv1.SubjectAccessReviewSpec{
		User: "jane", Groups: []string{"dev"}, ResourceAttributes: &authorizationv1.ResourceAttributes{Verb: "list", Resource: "pods", Version: "*"},
	}
	for name, test := range map[string]struct {
		answer  http.HandlerFunc
		want    status
		err     string
		outcome string
	}{
		"allowed":      {saying(201, "application/json", `{"kind":"SubjectAccessReview","status":{"allowed":true,"reason":"because"}}`), status{Allowed: true, Reason: "because"}, "", "found"},
		"refused":      {saying(201, "application/json", `{"status":{"allowed":false,"denied":true}}`), status{Denied: true}, "", "found"},
		"with errors":  {saying(201, "application/json", `{"status":{"allowed":false,"evaluationError":"no role"}}`), status{EvaluationError: "no role"}, "", "found"},
		"no status":    {saying(201, "application/json", `{"kind":"SubjectAccessReview"}`), status{}, "the API server answers a SubjectAccessReview without a status", "error"},
		"no review":    {saying(201, "application/json", `[]`), status{}, "the API server answers a SubjectAccessReview without a status", "error"},
		"another type": {saying(201, "application/json", `{"status":{"allowed":"yes"}}`), status{}, "reading the status of a SubjectAccessReview: unrecognized type: bool", "error"},
		"we may not ask": {saying(403, "application/json", `{"kind":"Status","message":"cannot create resource"}`), status{},
			"POST /apis/authorization.k8s.io/v1/subjectaccessreviews: the API server answers 403 Forbidden: cannot create resource", "forbidden"},
	} {
		t.Run(name, func(t *testing.T) {
			s := answering(t, test.answer)
			got, err := apiAt(t, s.Server, time.Minute).accessReview(t.Context(), question)
			says(t, err, test.err)
			if got != test.want {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
			if outcome(err) != test.outcome {
				t.Errorf("it counts as %s, want %s", outcome(err), test.outcome)
			}
			const want = `{"kind":"SubjectAccessReview","apiVersion":"authorization.k8s.io/v1","metadata":{},"spec":{"resourceAttributes":{"verb":"list","version":"*","resource":"pods"},"user":"jane","groups":["dev"]},"status":{"allowed":false}}`
			if s.bodies[0] != want {
				t.Errorf("asked with %s\nwant %s", s.bodies[0], want)
			}
		})
	}
}
