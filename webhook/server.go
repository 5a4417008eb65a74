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

// Serve answers on the listener, by TLS, until ctx ends; then it takes no more and gives the reviews in hand
// the time that their API server gives them. It closes the listener. The error is nil after an end by ctx.
func Serve(ctx context.Context, listener net.Listener, config *tls.Config, handler http.Handler, logger *slog.Logger) error {
	server := &http.Server{
		Handler:   handler,
		TLSConfig: config,
		// The longest that an API server waits for an answer: what takes longer, nobody reads.
		ReadTimeout:  maxTimeoutSeconds * time.Second,
		WriteTimeout: 2 * maxTimeoutSeconds * time.Second,
		// A head is a few hundred bytes, sent at once.
		ReadHeaderTimeout: 5 * time.Second,
		MaxHeaderBytes:    32 << 10,
		// API servers keep their connections; longer than their own 90 s, so that it is they who close.
		IdleTimeout: 2 * time.Minute,
		// Handshakes that fail are somebody's probes more often than not.
		ErrorLog: slog.NewLogLogger(logger.Handler(), slog.LevelDebug),
	}
	done := make(chan error, 1)
	go func() { done <- server.ServeTLS(listener, "", "") }()
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
