package app

import (
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/holdfast-io/holdfast/reconcile/gate"
	"github.com/holdfast-io/holdfast/reconcile/killswitch"
)

// killSwitch makes what follows the kill switch, and tells when that stands otherwise.
func (o *ServeOptions) killSwitch(clients *cluster, changed func(), log *slog.Logger, metrics prometheus.Registerer) (*killswitch.Watcher, error) {
	return killswitch.New(killswitch.Options{
		Client: clients.kube.CoreV1().ConfigMaps(o.Namespace), Changed: func(gate.Switch) { changed() }, Logger: log, Metrics: metrics,
	})
}

// whyStopped says why nothing at all may be written; empty if it may. What nobody knows stops, too.
func whyStopped(s *gate.Switch) string {
	switch {
	case s == nil:
		return "it is not known how the kill switch stands"
	case s.Stopped:
		return "everything is stopped" + s.String()
	default:
		return ""
	}
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
