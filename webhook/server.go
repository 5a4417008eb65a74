package webhook

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// Server answers API servers by TLS. All fields are required.
type Server struct {
	// Listener is closed by Run.
	Listener net.Listener
	TLS      *tls.Config
	Handler  http.Handler
	Logger   *slog.Logger
}

// Run serves until ctx ends; then it takes no more and gives the reviews in hand the time that their API
// server gives them. The error is nil after an end by ctx.
func (s Server) Run(ctx context.Context) error {
	server := &http.Server{
		Handler:   s.Handler,
		TLSConfig: s.TLS,
		// The longest that an API server waits for an answer: what takes longer, nobody reads.
		ReadTimeout:  maxTimeoutSeconds * time.Second,
		WriteTimeout: 2 * maxTimeoutSeconds * time.Second,
		// A head is a few hundred bytes, sent at once.
		ReadHeaderTimeout: 5 * time.Second,
		MaxHeaderBytes:    32 << 10,
		// API servers keep their connections; longer than their own 90 s, so that it is they who close.
		IdleTimeout: 2 * time.Minute,
		// Handshakes that fail are somebody's probes more often than not.
		ErrorLog: slog.NewLogLogger(s.Logger.Handler(), slog.LevelDebug),
	}
	done := make(chan error, 1)
	go func() { done <- server.ServeTLS(s.Listener, "", "") }()
	select {
	case err := <-done:
		return fmt.Errorf("serving admission reviews: %w", err)
	case <-ctx.Done():
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), maxTimeoutSeconds*time.Second)
	defer cancel()
	err := server.Shutdown(last)
	if served := <-done; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("ending the admission server: %w", err), server.Close())
	}
	return nil
}
