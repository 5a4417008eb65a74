package peers

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/holdfast-io/holdfast/bench/traffic"
)

// webhooks are those that are measured: ours, Kyverno's, and the floor.
func webhooks() map[string]func() (http.Handler, error) {
	return map[string]func() (http.Handler, error){
		"noop": func() (http.Handler, error) { return http.HandlerFunc(traffic.Floor), nil },
		"holdfast": func() (http.Handler, error) {
			policies, err := traffic.Policies()
			if err != nil {
				return nil, err
			}
			return traffic.Holdfast(policies)
		},
		"kyverno": peerWebhook,
	}
}

var engines = []string{"noop", "holdfast", "kyverno"}

// BenchmarkAdmission is the whole way of a request, from the bytes of the review to those of the answer.
func BenchmarkAdmission(b *testing.B) {
	reviews, err := traffic.Reviews()
	if err != nil {
		b.Fatal(err)
	}
	for _, name := range engines {
		b.Run("engine="+name, func(b *testing.B) {
			h, err := webhooks()[name]()
			if err != nil {
				b.Fatal(err)
			}
			traffic.Called(b, h, "/validate", reviews)
		})
	}
}

// BenchmarkAdmissionServed is the same over TLS, each from a process of its own.
func BenchmarkAdmissionServed(b *testing.B) {
	reviews, err := traffic.Reviews()
	if err != nil {
		b.Fatal(err)
	}
	for _, name := range engines {
		for _, connections := range []int{1, 8, 32} {
			b.Run(fmt.Sprintf("engine=%s/connections=%d", name, connections), func(b *testing.B) {
				traffic.Served(b, name, "/validate", reviews, connections)
			})
		}
	}
}
