package app

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	"github.com/google/uuid"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	"k8s.io/klog/v2"
)

// leadership holds the lease that lets one replica audit. The durations are those of Kubernetes' own
// controllers: a leader that dies is replaced within about 15 s, and a clean one gives the lease back.
type leadership struct {
	kube      kubernetes.Interface
	namespace string
	name      string // of the lease
	identity  string
	log       *slog.Logger
	leading   atomic.Bool
	elector   atomic.Pointer[leaderelection.LeaderElector] // of the term
}

const (
	// leaseDuration is how long a lease counts that nobody renews, renewDeadline when its holder gives it up. Between the two
	// nobody leads.
	leaseDuration, renewDeadline = 15 * time.Second, 10 * time.Second
	// renewPeriod is how often it is renewed, or looked at by those who wait for it.
	renewPeriod = 2 * time.Second
)

// holds reports whether this replica leads by its own clock. A process that has stood still for a while, as on a machine that
// was suspended, goes on where it was before it hears that its term has ended.
func (l *leadership) holds() bool {
	e := l.elector.Load()
	return l.leading.Load() && e != nil && e.IsLeader() && e.Check(renewDeadline-leaseDuration) == nil
}

// leaseName is the lease of the one that audits everything; each shard has one of its own, with its ordinal behind.
const leaseName = "holdfast-audit"

// statusLeaseName is the lease of the one that writes the status of policies where others audit.
const statusLeaseName = "holdfast-status"

func newLeadership(kube kubernetes.Interface, namespace, name string, log *slog.Logger) (*leadership, error) {
	host, err := os.Hostname()
	if err != nil {
		return nil, fmt.Errorf("finding the name of this host: %w", err)
	}
	return &leadership{kube: kube, namespace: namespace, name: name, identity: host + "_" + uuid.NewString(), log: log}, nil
}

// run leads whenever this replica holds the lease, until ctx ends or a term fails. A term has ended before
// the lease is given back, so that two never lead at once.
func (l *leadership) run(ctx context.Context, lead func(context.Context) error) error {
	for ctx.Err() == nil {
		if err := l.term(ctx, lead); err != nil {
			return err
		}
	}
	return nil
}

func (l *leadership) term(ctx context.Context, lead func(context.Context) error) error {
	electing, stop := context.WithCancel(klog.NewContext(context.WithoutCancel(ctx), logr.FromSlogHandler(l.log.Handler())))
	defer stop()
	begun, led, ended := make(chan struct{}), make(chan error, 1), make(chan struct{})
	elector, err := leaderelection.NewLeaderElector(leaderelection.LeaderElectionConfig{
		Lock: &resourcelock.LeaseLock{
			LeaseMeta:  metav1.ObjectMeta{Namespace: l.namespace, Name: l.name},
			Client:     l.kube.CoordinationV1(),
			LockConfig: resourcelock.ResourceLockConfig{Identity: l.identity},
		},
		LeaseDuration: leaseDuration, RenewDeadline: renewDeadline, RetryPeriod: renewPeriod,
		Name: l.name, ReleaseOnCancel: true,
		Callbacks: leaderelection.LeaderCallbacks{
			OnStartedLeading: func(leading context.Context) {
				leading, cancel := context.WithCancel(leading)
				defer cancel()
				defer context.AfterFunc(ctx, cancel)()
				close(begun)
				l.leading.Store(true)
				l.log.Info("this replica leads now", "lease", l.name, "identity", l.identity)
				err := lead(leading)
				l.leading.Store(false)
				led <- err
			},
			OnStoppedLeading: func() {},
		},
	})
	if err != nil {
		return fmt.Errorf("preparing the election of a leader: %w", err)
	}
	l.elector.Store(elector)
	go func() {
		defer close(ended)
		elector.Run(electing)
	}()
	select {
	case <-ctx.Done():
		stop()
		<-ended
		select {
		case <-begun: // elected at the last moment
			return <-led
		default:
			return nil
		}
	case <-begun:
		err := <-led
		stop()
		<-ended
		return err
	}
}
