package bench

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/holdfast-io/holdfast/bench/traffic"
)

func TestMain(m *testing.M) {
	traffic.ServeIfAsked(map[string]func() (http.Handler, error){"noop": noop, "holdfast": func() (http.Handler, error) { return ours() }})
	os.Exit(m.Run())
}

func noop() (http.Handler, error) { return http.HandlerFunc(traffic.Floor), nil }

// ours has the policies to measure, and further ones.
func ours(further ...[]byte) (http.Handler, error) {
	policies, err := traffic.Policies()
	if err != nil {
		return nil, err
	}
	return traffic.Holdfast(append(policies, further...))
}

func reviews(b *testing.B) [][]byte {
	b.Helper()
	list, err := traffic.Reviews()
	if err != nil {
		b.Fatal(err)
	}
	return list
}

// BenchmarkAdmission is the whole way of a request, from the bytes of the review to those of the answer, and of one that
// is only decoded.
func BenchmarkAdmission(b *testing.B) {
	for _, c := range []struct {
		name    string
		handler func() (http.Handler, error)
	}{{"noop", noop}, {"holdfast", func() (http.Handler, error) { return ours() }}} {
		b.Run("engine="+c.name, func(b *testing.B) {
			h, err := c.handler()
			if err != nil {
				b.Fatal(err)
			}
			traffic.Called(b, h, "/validate", reviews(b))
		})
	}
}

// BenchmarkAdmissionOfUpdates is the same of changes, whose reviews have the object as it was, too: by the policies, some of
// which are broken and so ask whether they were before, and by one that is met and does not.
func BenchmarkAdmissionOfUpdates(b *testing.B) {
	updates, err := traffic.Updates(reviews(b))
	if err != nil {
		b.Fatal(err)
	}
	for _, c := range []struct {
		name    string
		handler func() (http.Handler, error)
	}{
		{"noop", noop}, {"all", func() (http.Handler, error) { return ours() }},
		{"met", func() (http.Handler, error) { return traffic.Holdfast([][]byte{[]byte(met)}) }},
	} {
		b.Run("rules="+c.name, func(b *testing.B) {
			h, err := c.handler()
			if err != nil {
				b.Fatal(err)
			}
			traffic.Called(b, h, "/validate", updates)
		})
	}
}

const met = `
apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {name: met}
spec:
  rules:
  - name: check
    match: {any: [{resources: {kinds: [Pod, Deployment]}}]}
    validate: {message: a name is missing, failureAction: Enforce, pattern: {metadata: {name: "?*"}}}
`

// BenchmarkAdmissionServed is the same over TLS, on 1, 8 and 32 connections.
func BenchmarkAdmissionServed(b *testing.B) {
	for _, name := range []string{"noop", "holdfast"} {
		for _, connections := range []int{1, 8, 32} {
			b.Run(fmt.Sprintf("engine=%s/connections=%d", name, connections), func(b *testing.B) {
				traffic.Served(b, name, "/validate", reviews(b), connections)
			})
		}
	}
}

// BenchmarkAdmissionAmong is a request among 1000 policies more, none of which matches it: it must not tell.
func BenchmarkAdmissionAmong(b *testing.B) {
	for _, c := range []struct{ others, meta, match string }{
		{"none", "", ""},
		{"kinds", "", "kinds: [Other%d]"},
		{"namespaces", "", "kinds: [Pod], namespaces: [elsewhere-%d]"},
		{"wild-namespaces", "", "kinds: [Pod], namespaces: [elsewhere-%d-*]"},
		{"names", "", "kinds: [Pod], names: [elsewhere-%d]"},
		{"operations", "", "kinds: [Pod], operations: [DELETE]"},
		{"labels", "", "kinds: [Pod], selector: {matchLabels: {elsewhere: in-%d}}"},
		{"annotations", "", "kinds: [Pod], annotations: {elsewhere: in-%d}"},
		{"namespace-labels", "", "kinds: [Pod], namespaceSelector: {matchLabels: {elsewhere: in-%d}}"},
		{"policies-of-namespaces", "namespace: elsewhere-%d, ", "kinds: [Pod]"},
	} {
		b.Run("others="+c.others, func(b *testing.B) {
			var further [][]byte
			if c.match != "" {
				further = elsewhere(1000, c.meta, c.match)
			}
			h, err := ours(further...)
			if err != nil {
				b.Fatal(err)
			}
			traffic.Called(b, h, "/validate", reviews(b))
		})
	}
}

// elsewhere writes policies with %d of meta and match numbered.
func elsewhere(n int, meta, match string) [][]byte {
	kind := "ClusterPolicy"
	if meta != "" {
		kind = "Policy"
	}
	out := make([][]byte, n)
	for i := range out {
		out[i] = []byte(strings.ReplaceAll(`
apiVersion: kyverno.io/v1
kind: `+kind+`
metadata: {`+meta+`name: elsewhere-%d}
spec:
  rules:
  - name: check
    match: {any: [{resources: {`+match+`}}]}
    validate: {message: field is missing, failureAction: Enforce, pattern: {spec: {field: "?*"}}}
`, "%d", fmt.Sprint(i)))
	}
	return out
}
