package webhook

import (
	"net/http"
	"strings"
	"testing"

	jsonpatch "gopkg.in/evanphx/json-patch.v4"
)

// Whatever comes in, the answer is an AdmissionReview that an API server can take: with the uid when one was
// sent, not a patch of what cannot be patched, and never from a panic.
func FuzzReview(f *testing.F) {
	d := newDoor(f, requireTeam+and+denyLatest+and+auditProbes+and+addTeam)
	for _, path := range []string{"/validate", "/mutate", "/validate/fail-10s", "/mutate/ignore-10s"} {
		for _, body := range []string{
			reviewOf(nil),
			reviewOf(obj{"operation": "DELETE", "object": nil, "oldObject": pod("web", obj{"team": "sea"})}),
			reviewOf(obj{"operation": "UPDATE", "oldObject": pod("web", nil), "dryRun": true}),
			reviewOf(obj{"operation": "CONNECT", "subResource": "exec"}),
			reviewOf(obj{"object": obj{"metadata": "text", "spec": []int{1}}}),
			reviewOf(obj{"object": obj{"metadata": obj{"labels": []int{1}}, "spec": obj{"containers": obj{}}}}),
			reviewOf(obj{"object": nil}), reviewOf(obj{"uid": ""}), reviewOf(obj{"userInfo": 1}),
			`{}`, `null`, `[`, "", `{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":{"uid":"u"}}`,
			strings.Repeat(`{"request":`, 200),
		} {
			f.Add(path, body)
		}
	}
	f.Fuzz(func(t *testing.T, path, body string) {
		if _, err := parsePath(path); err != nil || strings.ContainsAny(path, "?#%") {
			t.Skip("not a path of ours")
		}
		w := d.post(path, body)
		resp := parse(t, w.Body.Bytes())
		req, err := decodeReview(body)
		switch {
		case err != nil && (w.Code != http.StatusBadRequest || resp.Allowed || resp.UID != ""):
			t.Errorf("no review, and the answer is %d %s", w.Code, w.Body)
		case err == nil && (w.Code != http.StatusOK || string(resp.UID) != strings.ToValidUTF8(req.UID, "\uFFFD")):
			t.Errorf("a review, and the answer is %d %s", w.Code, w.Body)
		}
		if resp.Allowed == (resp.Result != nil) {
			t.Errorf("allowed %t with the status %+v", resp.Allowed, resp.Result)
		}
		if (resp.Patch != nil) != (resp.PatchType != nil) || (resp.Patch != nil && !resp.Allowed) {
			t.Errorf("a patch where none belongs: %s", w.Body)
		}
		if resp.Patch != nil {
			patch, err := jsonpatch.DecodePatch(resp.Patch)
			if err != nil {
				t.Fatalf("the patch cannot be read: %v: %s", err, resp.Patch)
			}
			if _, err := patch.Apply([]byte(req.Object)); err != nil {
				t.Errorf("the patch does not apply: %v: %s to %s", err, resp.Patch, req.Object)
			}
		}
		if strings.Contains(d.log.String(), "panic") {
			t.Fatalf("a panic: %s", d.log)
		}
		d.log.Reset()
		if n := d.limiter.count.Load(); n != 0 {
			t.Errorf("%d reviews are still in hand", n)
		}
	})
}
