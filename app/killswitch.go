package app

import (
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/holdfast-io/holdfast/ledger"
	"github.com/holdfast-io/holdfast/reconcile/gate"
	"github.com/holdfast-io/holdfast/reconcile/killswitch"
)

// killSwitch makes what follows the kill switch.
func (o *ServeOptions) killSwitch(clients *cluster, record *chronicle, log *slog.Logger, metrics prometheus.Registerer) (*killswitch.Watcher, error) {
	return killswitch.New(killswitch.Options{
		Client: clients.kube.CoreV1().ConfigMaps(o.Namespace), Changed: record.switched, Logger: log, Metrics: metrics,
	})
}

// switched records that everything was stopped, or goes on.
func (c *chronicle) switched(s gate.Switch) {
	if c == nil {
		return
	}
	e := ledger.Entry{Kind: ledger.SwitchChanged, Outcome: "released"}
	if s.Stopped {
		e.Outcome, e.Message, e.Actor.User = "stopped", s.Reason, s.By
	}
	c.Note(e)
}

// statusStopped is why nothing is changed at all.
type statusStopped struct {
	By     string     `json:"by,omitempty"`
	Reason string     `json:"reason,omitempty"`
	Since  *time.Time `json:"since,omitempty"`
}

// stopped says how the kill switch stands; nil if nothing is stopped.
func stopped(s *gate.Switch) *statusStopped {
	switch {
	case s == nil:
		return &statusStopped{Reason: "it cannot be told how the kill switch stands"}
	case s.Stopped:
		out := &statusStopped{By: s.By, Reason: s.Reason}
		if !s.Since.IsZero() {
			out.Since = &s.Since
		}
		return out
	default:
		return nil
	}
}

// String says it in words.
func (s *statusStopped) String() string {
	who := gate.Switch{By: s.By, Reason: s.Reason}
	if s.Since != nil {
		who.Since = *s.Since
	}
	return "everything is stopped" + who.String()
}
