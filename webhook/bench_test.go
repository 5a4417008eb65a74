package webhook

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
)

// discard is a ResponseWriter that costs nothing.
type discard struct{ header http.Header }

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) Write(b []byte) (int, error) { return len(b), nil }
func (d *discard) WriteHeader(int)             {}

// body is a request body that can be read again.
type body struct{ *bytes.Reader }

func (body) Close() error { return nil }

func serve(b *testing.B, h http.Handler, path, review string) {
	b.Helper()
	r, err := http.NewRequest(http.MethodPost, path+"?timeout=10s", nil)
	if err != nil {
		b.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.ContentLength = int64(len(review))
	content := body{bytes.NewReader([]byte(review))}
	r.Body = content
	w := &discard{header: http.Header{}}
	b.ReportAllocs()
	b.SetBytes(int64(len(review)))
	b.ResetTimer()
	for range b.N {
		_, _ = content.Seek(0, 0)
		h.ServeHTTP(w, r)
	}
}

// realistic is a Pod of the usual size, about 4 KiB, as an API server sends it.
func realistic(labels obj) obj {
	containers := make([]obj, 3)
	for i := range containers {
		containers[i] = obj{
			"name": fmt.Sprintf("c%d", i), "image": "registry.example.com/team/app:1.2.3", "imagePullPolicy": "IfNotPresent",
			"env":            []obj{{"name": "A", "value": "a"}, {"name": "B", "valueFrom": obj{"secretKeyRef": obj{"name": "s", "key": "k"}}}},
			"resources":      obj{"requests": obj{"cpu": "100m", "memory": "128Mi"}, "limits": obj{"memory": "256Mi"}},
			"readinessProbe": obj{"httpGet": obj{"path": "/", "port": 8080, "scheme": "HTTP"}, "periodSeconds": 10, "timeoutSeconds": 1},
			"volumeMounts":   []obj{{"name": "data", "mountPath": "/data"}, {"name": "token", "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount", "readOnly": true}},
		}
	}
	p := pod("web", labels)
	p["spec"] = obj{
		"containers": containers, "serviceAccountName": "default", "restartPolicy": "Always", "dnsPolicy": "ClusterFirst",
		"terminationGracePeriodSeconds": 30, "tolerations": []obj{{"key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}},
		"volumes": []obj{{"name": "data", "emptyDir": obj{}}, {"name": "token", "projected": obj{"sources": []obj{{"serviceAccountToken": obj{"path": "token"}}}}}},
	}
	return p
}

// BenchmarkFloor is a webhook that decodes, allows and encodes, and nothing else.
func BenchmarkFloor(b *testing.B) {
	review := reviewOf(obj{"object": realistic(obj{"team": "sea"})})
	serve(b, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var buffer bytes.Buffer
		_, _ = buffer.ReadFrom(r.Body)
		req, err := decodeReview(buffer.String())
		if err != nil {
			b.Fatal(err)
		}
		var object map[string]any
		if err := json.Unmarshal([]byte(req.Object), &object); err != nil {
			b.Fatal(err)
		}
		_, _ = w.Write(encodeReview(&admissionv1.AdmissionResponse{Allowed: true}))
	}), "/validate", review)
}

func BenchmarkHandler(b *testing.B) {
	policies := requireTeam + and + denyLatest + and + auditProbes + and + addTeam
	unmatched := make([]string, 1000)
	for i := range unmatched {
		unmatched[i] = rule(fmt.Sprintf("other-%d", i), kindsOf(fmt.Sprintf("Kind%d", i)), checks)
	}
	quiet := func(o *Options) { o.Logger, o.Inputs.Now = slog.New(slog.DiscardHandler), time.Now }
	for _, c := range []struct {
		name, policies, path string
		change               obj
		decision             string
	}{
		{"no match", policies, "/validate", obj{"kind": obj{"group": "", "version": "v1", "kind": "ConfigMap"}, "object": realistic(nil)}, "allowed"},
		{"validate pass", policies, "/validate", obj{"object": realistic(obj{"team": "sea"})}, "allowed"},
		{"validate pass among 1000 others", policies + and + strings.Join(unmatched, and), "/validate", obj{"object": realistic(obj{"team": "sea"})}, "allowed"},
		{"validate deny", policies, "/validate", obj{"object": realistic(nil)}, "denied"},
		{"mutate", policies, "/mutate", obj{"object": realistic(obj{})}, "mutated"},
	} {
		b.Run(c.name, func(b *testing.B) {
			d := newDoor(b, c.policies, quiet)
			review := reviewOf(c.change)
			d.post(c.path, review)
			seen := false
			for k, v := range gathered(b, d.metrics) {
				seen = seen || (v == 1 && strings.HasPrefix(k, "holdfast_admission_requests_total{decision="+c.decision+","))
			}
			if !seen {
				b.Fatalf("it is not %s", c.decision)
			}
			serve(b, d, c.path, review)
		})
	}
}
