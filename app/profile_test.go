package app

import (
	"context"
	"log/slog"
	"net/http"
	"testing"
)

func TestProfilesAreServedUntilTheEnd(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	p, err := newProfiler(ctx, "127.0.0.1:0", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer p.close()
	done := make(chan error, 1)
	go func() { done <- p.run(ctx) }()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.listener.Addr().String()+"/debug/pprof/heap", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		t.Error(answer.Status)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestNoProfilesUnlessAskedFor(t *testing.T) {
	p, err := newProfiler(t.Context(), DefaultServeOptions().ProfileListen, slog.New(slog.DiscardHandler))
	if err != nil || p.listener != nil {
		t.Fatalf("%v, %v", p.listener, err)
	}
	if err := p.run(t.Context()); err != nil {
		t.Error(err)
	}
	p.close()
}
