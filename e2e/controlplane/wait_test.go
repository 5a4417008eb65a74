package controlplane

import (
	"bytes"
	"context"
	"sync"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
)

// patience bounds every single wait of these tests. It is long because the machine may be busy; nothing here takes it.
const patience = 90 * time.Second

// testContext ends with the test, or when the test has taken so long that something must be wrong.
func testContext(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// eventually waits until check gives an empty string, and fails with the last one that it gave.
func eventually(t *testing.T, what string, check func(ctx context.Context) string) {
	t.Helper()
	t.Logf("waiting for %s", what)
	var last string
	err := wait.PollUntilContextTimeout(t.Context(), pollInterval, patience, true, func(ctx context.Context) (bool, error) {
		last = check(ctx)
		return last == "", nil
	})
	if err != nil {
		t.Fatalf("waited for %s: %v; last seen: %s", what, err, last)
	}
}

// buffer is a bytes.Buffer for several writers.
type buffer struct {
	mu   sync.Mutex
	data bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.data.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.data.String()
}
