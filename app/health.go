package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/holdfast-io/holdfast/audit"
	"github.com/holdfast-io/holdfast/bundle"
	"github.com/holdfast-io/holdfast/bundle/live"
	"github.com/holdfast-io/holdfast/ledger"
	"github.com/holdfast-io/holdfast/lookup"
	"github.com/holdfast-io/holdfast/reconcile/killswitch"
	"github.com/holdfast-io/holdfast/report"
)

// health answers how this replica is.
type health struct {
	door      *door // nil without admission
	lookups   *lookup.Cluster
	policies  policySource
	auditor   *audit.Auditor
	snapshots *bundle.Store
	division  *division
	record    *chronicle
	halt      *killswitch.Watcher
	version   string // of the program
}

// status is the answer of /status.
type status struct {
	Version string        `json:"version,omitempty"`
	Bundle  report.Bundle `json:"bundle"`
	// Unready says what is missing before this replica can do its work.
	Unready string `json:"unready,omitempty"`
	// FailNotYetOn says why failures of the webhook do not refuse writes although policies have failurePolicy Fail.
	FailNotYetOn string `json:"failNotYetOn,omitempty"`
	// Leader says whether this replica audits; only then does it have coverage.
	Leader bool `json:"leader"`
	// Shard is its part of the audited objects, where several share them.
	Shard *statusShard `json:"shard,omitempty"`
	// Findings is how many rules objects fail, transient ones and settled ones.
	Findings map[audit.State]int `json:"findings,omitempty"`
	Coverage []statusCoverage    `json:"coverage"`
	Unserved []statusUnserved    `json:"unserved,omitempty"`
	// Cluster is what is known of the policies that the cluster holds.
	Cluster *live.Report      `json:"clusterPolicies,omitempty"`
	Gaps    []statusNotJudged `json:"notAuditable,omitempty"`
	Error   string            `json:"error,omitempty"`
	// GlobalContext are the global context entries of the bundle in force.
	GlobalContext []statusEntry `json:"globalContext,omitempty"`
	// Stopped says why nothing is changed at all, by the replica that audits; nil if nothing is stopped.
	Stopped *statusStopped `json:"stopped,omitempty"`
	// Ledger is the record of what this replica decides and does.
	Ledger ledger.Status `json:"ledger"`
}

// statusEntry is a global context entry: when its call was answered last, and why it was not since.
type statusEntry struct {
	Name      string     `json:"name"`
	Refreshed *time.Time `json:"refreshed,omitempty"`
	Error     string     `json:"error,omitempty"`
}

// statusShard is one of several parts, counted from 0.
type statusShard struct {
	Ordinal int `json:"ordinal"`
	Of      int `json:"of"`
}

type statusCoverage struct {
	report.Coverage
	Watching   bool       `json:"watching"`
	Stale      bool       `json:"stale"`
	StaleSince *time.Time `json:"staleSince,omitempty"`
}

// statusUnserved is a kind that policies select and the cluster does not have.
type statusUnserved struct {
	Kind     string   `json:"kind"`
	Policies []string `json:"policies"`
}

type statusNotJudged struct {
	Kind   string `json:"kind"`
	Policy string `json:"policy"`
	Rule   string `json:"rule"` // empty for a policy that speaks as a whole
	Reason string `json:"reason"`
}

func (h *health) handler(metrics *prometheus.Registry) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { say(w, http.StatusOK, "ok") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if reason := h.unready(); reason != "" {
			say(w, http.StatusServiceUnavailable, reason)
			return
		}
		say(w, http.StatusOK, "ok")
	})
	mux.HandleFunc("GET /status", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		encoder := json.NewEncoder(w)
		encoder.SetIndent("", "  ")
		_ = encoder.Encode(h.status(r.Context())) // the reader has gone
	})
	mux.Handle("GET /metrics", promhttp.HandlerFor(metrics, promhttp.HandlerOpts{}))
	return mux
}

func say(w http.ResponseWriter, code int, text string) {
	w.WriteHeader(code)
	_, _ = fmt.Fprintln(w, text) // the reader has gone
}

// unready says what is missing before this replica can answer reviews, or nothing.
func (h *health) unready() string {
	switch {
	case !h.lookups.Synced():
		return "what rules look up has not been read yet"
	case h.policies.Unready() != "":
		return h.policies.Unready()
	default:
		return h.door.unready()
	}
}

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

func (h *health) status(ctx context.Context) status {
	s := h.snapshots.Current()
	out := status{Version: h.version, Bundle: report.Bundle{Digest: s.Digest(), Policies: len(s.Policies())}, Unready: h.unready(), FailNotYetOn: h.door.failNotYetOn(), Leader: h.division.audits(), Shard: h.division.shard()}
	if out.Leader {
		coverage := h.auditor.Coverage()
		for i, c := range coverageOf(coverage) {
			entry := statusCoverage{Coverage: c, Watching: coverage[i].Watching, Stale: coverage[i].Stale}
			if entry.Stale {
				entry.StaleSince = &coverage[i].StaleSince
			}
			out.Coverage = append(out.Coverage, entry)
		}
		out.Stopped = stopped(h.halt.State())
		out.Error, out.Findings = h.auditor.DiscoveryError(), h.auditor.Findings()
	}
	out.Cluster = h.policies.Report()
	for _, u := range h.door.unserved() {
		out.Unserved = append(out.Unserved, statusUnserved(u))
	}
	for _, e := range h.lookups.Entries() {
		entry := statusEntry{Name: e.Name, Error: e.Error}
		if !e.Refreshed.IsZero() {
			entry.Refreshed = &e.Refreshed
		}
		out.GlobalContext = append(out.GlobalContext, entry)
	}
	out.Ledger = h.record.status(ctx)
	for _, p := range s.Policies() {
		for _, r := range p.Rules {
			if ok, reason := r.Auditable(); !ok {
				out.Gaps = append(out.Gaps, statusNotJudged{p.Kind, p.Key(), r.Name, reason})
			}
		}
	}
	return out
}

// plainServer serves health and metrics without TLS.
type plainServer struct {
	listener net.Listener
	handler  http.Handler
	log      *slog.Logger
}

func (p plainServer) run(ctx context.Context) error {
	server := &http.Server{
		Handler: p.handler, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 30 * time.Second,
		ErrorLog: slog.NewLogLogger(p.log.Handler(), slog.LevelDebug),
	}
	done := make(chan error, 1)
	go func() { done <- server.Serve(p.listener) }()
	select {
	case err := <-done:
		return fmt.Errorf("serving health and metrics: %w", err)
	case <-ctx.Done():
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	err := server.Shutdown(last)
	if served := <-done; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	return err
}
