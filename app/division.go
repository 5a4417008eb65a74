package app

import (
	"context"
	"fmt"
	"log/slog"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/client-go/kubernetes"

	"github.com/holdfast-io/holdfast/report"
)

// division says which part of the background work this replica does: all of it while it holds the lease, a shard of the
// audit, or nothing of the audit.
type division struct {
	leader *leadership
	shards *shards // nil where one audits all
	audit  bool
	// mine tells which objects this replica audits; nil for all.
	mine func(namespace, uid string) bool
	// statuses says that this replica, when it leads, writes the status of policies: one that admits knows whether they
	// are enforced.
	statuses bool
}

func (o *ServeOptions) division(kube kubernetes.Interface, log *slog.Logger, metrics prometheus.Registerer) (*division, error) {
	d := &division{audit: o.Audit, statuses: o.Admission || o.AuditStatefulSet == ""}
	lease := leaseName
	switch {
	case !o.Audit:
		lease = statusLeaseName
	case o.AuditStatefulSet != "":
		pod := o.PodName
		if pod == "" {
			name, err := podName()
			if err != nil {
				return nil, err
			}
			pod = name
		}
		var err error
		if d.shards, err = newShards(kube, o.Namespace, o.AuditStatefulSet, pod, log, metrics); err != nil {
			return nil, err
		}
		d.shards.together = o.Reports.Layout == report.PerNamespace
		d.mine = d.shards.mine
		// One Pod of a name at a time is what a StatefulSet promises, as long as nobody deletes with force.
		lease += "-" + strconv.Itoa(d.shards.ordinal)
	}
	err := metrics.Register(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "holdfast_audit_leader",
		Help: "1 on the replica that audits and writes reports, and on each of several that share the objects.",
	}, func() float64 {
		if d.audits() {
			return 1
		}
		return 0
	}))
	if err != nil {
		return nil, fmt.Errorf("registering the metric of leadership: %w", err)
	}
	d.leader, err = newLeadership(kube, o.Namespace, lease, log)
	return d, err
}

// run leads whenever it is this replica's turn, until ctx ends or a term fails.
func (d *division) run(ctx context.Context, lead func(context.Context) error) error {
	if d.shards == nil {
		return d.leader.run(ctx, lead)
	}
	return d.shards.run(ctx, func(ctx context.Context) error { return d.leader.run(ctx, lead) })
}

// part names this replica's part; empty where one has all.
func (d *division) part() string {
	if d.shards == nil {
		return ""
	}
	return strconv.Itoa(d.shards.ordinal)
}

// audits reports whether this replica audits now.
func (d *division) audits() bool { return d.audit && d.leader.leading.Load() }

// shard is this replica's part; nil where one has all.
func (d *division) shard() *statusShard {
	if d.shards == nil {
		return nil
	}
	return &statusShard{Ordinal: d.shards.ordinal, Of: int(d.shards.replicas.Load())}
}
