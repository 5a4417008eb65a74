package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"time"
)

// profiler serves profiles of the running program, for go tool pprof. They show in part what is in its memory: that is
// why they are off unless asked for, and answer on a loopback address only, which kubectl port-forward reaches.
type profiler struct {
	listener net.Listener // nil for no profiles
	log      *slog.Logger
}

func newProfiler(ctx context.Context, address string, log *slog.Logger) (p profiler, err error) {
	p.log = log
	if address != "" {
		p.listener, err = listen(ctx, address)
	}
	return p, err
}

// run serves until the context ends. It cuts short whoever still takes a profile then. There is no limit to how long an
// answer takes: who asks says for how long a profile is to be taken.
func (p profiler) run(ctx context.Context) error {
	if p.listener == nil {
		return nil
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	server := &http.Server{
		Handler: mux, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second,
		ErrorLog: slog.NewLogLogger(p.log.Handler(), slog.LevelDebug),
	}
	defer context.AfterFunc(ctx, func() { _ = server.Close() })()
	if err := server.Serve(p.listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serving profiles: %w", err)
	}
	return nil
}

// close gives the address back, if run has not.
func (p profiler) close() {
	if p.listener != nil {
		_ = p.listener.Close()
	}
}

// checkLoopback refuses an address that others than this host, or this Pod, can reach.
func checkLoopback(address string) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("--pprof-listen %q: expected HOST:PORT", address)
	}
	if ip := net.ParseIP(host); ip == nil || !ip.IsLoopback() {
		return fmt.Errorf("--pprof-listen %q: expected a loopback address such as 127.0.0.1:6060, because profiles are for nobody else", address)
	}
	return nil
}
