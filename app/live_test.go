//go:build e2e

package app

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// This test runs against the API server of $KUBECONFIG, which the test in e2e/scenarios starts and stops.

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

func TestLiveServeLeavesNothingRunning(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	opts := DefaultServeOptions()
	opts.Kubeconfig = os.Getenv("KUBECONFIG")
	opts.WebhookName = "leaves-nothing"
	opts.Listen, opts.MetricsListen = freeAddress(t), freeAddress(t)
	opts.WebhookURL = "https://" + opts.Listen
	opts.StateDir = t.TempDir()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	type end struct {
		exit Exit
		err  error
	}
	ended := make(chan end, 1)
	go func() {
		exit, err := Serve(ctx, opts, IO{Out: t.Output(), Err: t.Output(), Log: slog.New(slog.NewTextHandler(t.Output(), nil))})
		ended <- end{exit, err}
	}()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	deadline := time.Now().Add(60 * time.Second)
	for {
		response, err := client.Get("http://" + opts.MetricsListen + "/readyz")
		if err == nil {
			_ = response.Body.Close()
			if response.StatusCode == http.StatusOK {
				break
			}
		}
		select {
		case e := <-ended:
			t.Fatalf("serve ended early: %d, %v", e.exit, e.err)
		case <-time.After(50 * time.Millisecond): // until asked again
		}
		if time.Now().After(deadline) {
			t.Fatal("waited 60 s for serve to be ready")
		}
	}
	stop()
	if e := <-ended; e.err != nil || e.exit != Clean {
		t.Errorf("got %d, %v", e.exit, e.err)
	}
}
