//go:build e2e

package app

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/holdfast-io/holdfast/engine"
)

// compareObjects waits for the server to make of the object what Holdfast makes of it, or to refuse it as Holdfast does.
func (p *parity) compareObjects(t *testing.T, r *prepared) {
	ours, denials := p.mutate(t, r.req)
	var theirs answer
	var made map[string]any
	err := wait.PollUntilContextTimeout(t.Context(), 100*time.Millisecond, 3*time.Second, true, func(context.Context) (bool, error) {
		said, object := p.ask(t.Context(), r)
		theirs, made = said, nil
		if object != nil && r.req.Operation != engine.Delete {
			made = withoutSystemFields(values(object))
		}
		if len(denials) > 0 || !theirs.allowed {
			return slices.ContainsFunc(denials, func(d string) bool { return says(d, theirs.denial) }), nil
		}
		return cmp.Equal(ours, made), nil
	})
	if err != nil {
		t.Errorf("the API server: allowed %v, %q\nHoldfast: refused by %q\n(-Holdfast +API server):\n%s", theirs.allowed, theirs.denial, denials, cmp.Diff(ours, made))
	}
}

// mutate gives what the snapshot makes of the object of the request, or with which words it would refuse it.
func (p *parity) mutate(t *testing.T, req *engine.Request) (object map[string]any, denials []string) {
	t.Helper()
	m, err := p.snapshot.Mutate(t.Context(), req, &engine.Inputs{Lookups: p.lookups, Now: time.Now, Rand: rand.Reader})
	must(t, err)
	for _, d := range m.Decisions {
		if d.Status == engine.Error && d.Policy.FailurePolicy == engine.FailOnError {
			denials = append(denials, fmt.Sprintf("policy '%s' with binding '%s' denied request: *", d.Policy.Name, d.Rule.Binding()),
				fmt.Sprintf("policy %q denied request: *", d.Policy.Name))
		}
	}
	if len(denials) > 0 || req.Operation == engine.Delete {
		return nil, denials
	}
	return withoutSystemFields(m.Object), denials
}

// withoutSystemFields leaves out what the server sets on every object.
func withoutSystemFields(object map[string]any) map[string]any {
	object = runtime.DeepCopyJSON(object)
	meta, _ := object["metadata"].(map[string]any)
	for _, field := range []string{"uid", "creationTimestamp", "managedFields", "resourceVersion", "generation"} {
		delete(meta, field)
	}
	return object
}
