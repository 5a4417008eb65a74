package app

import (
	"context"
	"fmt"
	"hash/fnv"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	informers "k8s.io/client-go/informers/apps/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
)

// shards divides the audited objects among the Pods of a StatefulSet: each has those whose UID falls to its ordinal.
// A change of the number of replicas ends the term of the audit and begins another one, on every Pod at about the same
// time, so that soon after each object is in exactly one of them.
type shards struct {
	client    kubernetes.Interface
	namespace string
	name      string // of the StatefulSet
	ordinal   int
	// together says that objects of one namespace fall to one Pod.
	together bool
	log      *slog.Logger
	// replicas is how many share the work as this Pod knows it; 0 until the StatefulSet has been read.
	replicas atomic.Int64
	changed  chan struct{}
}

// newShards finds the ordinal of the Pod, whose name ends in it.
func newShards(client kubernetes.Interface, namespace, name, pod string, log *slog.Logger, metrics prometheus.Registerer) (*shards, error) {
	ordinal, err := ordinalOf(name, pod)
	if err != nil {
		return nil, err
	}
	s := &shards{client: client, namespace: namespace, name: name, ordinal: ordinal, log: log, changed: make(chan struct{}, 1)}
	for _, gauge := range []prometheus.Collector{
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "holdfast_audit_shard", Help: "The part of the objects that this replica audits, counted from 0.",
		}, func() float64 { return float64(ordinal) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "holdfast_audit_shards", Help: "How many parts the objects are divided into, as this replica knows it.",
		}, func() float64 { return float64(s.replicas.Load()) }),
	} {
		if err := metrics.Register(gauge); err != nil {
			return nil, fmt.Errorf("registering the metrics of shards: %w", err)
		}
	}
	return s, nil
}

func ordinalOf(statefulSet, pod string) (int, error) {
	digits, ok := strings.CutPrefix(pod, statefulSet+"-")
	ordinal, err := strconv.ParseUint(digits, 10, 16)
	if !ok || err != nil {
		return 0, fmt.Errorf("pod %q is none of StatefulSet %s: expected a name like %s-0", pod, statefulSet, statefulSet)
	}
	return int(ordinal), nil
}

// mine tells whether the object falls to this Pod: by its UID, or where the objects of a namespace share reports, by the
// namespace, because a report has one writer.
func (s *shards) mine(namespace, uid string) bool {
	by := uid
	if s.together {
		by = namespace
	}
	n := s.replicas.Load()
	return n > 0 && shardOf(by, uint64(n)) == uint64(s.ordinal)
}

// shardOf spreads UIDs, and names, evenly. Versions of this program must agree about it, because they run beside one another during
// an upgrade.
func shardOf(uid string, n uint64) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(uid)) // never fails
	return h.Sum64() % n
}

// run has this Pod lead its part whenever there is one for it, until ctx ends or a term fails.
func (s *shards) run(ctx context.Context, lead func(context.Context) error) error {
	watching, stop := context.WithCancel(ctx)
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		s.watch(watching)
	}()
	defer func() { stop(); <-watched }()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-s.changed:
		}
		for again := true; again && ctx.Err() == nil; {
			n := s.replicas.Load()
			if int64(s.ordinal) >= n {
				s.log.Info("this Pod is no part of the audit", "replicas", n, "ordinal", s.ordinal)
				break
			}
			s.log.Info("this Pod audits its part", "replicas", n, "ordinal", s.ordinal)
			var err error
			if again, err = s.term(ctx, lead); err != nil {
				return err
			}
		}
	}
}

// term leads until ctx ends or the number of parts changes; then there is to be another.
func (s *shards) term(ctx context.Context, lead func(context.Context) error) (again bool, err error) {
	leading, stop := context.WithCancel(ctx)
	defer stop()
	led := make(chan error, 1)
	go func() { led <- lead(leading) }()
	select {
	case err := <-led:
		return false, err
	case <-s.changed:
		stop()
		return true, <-led
	}
}

// watch keeps the number of replicas up to date until ctx ends.
func (s *shards) watch(ctx context.Context) {
	set := func(o any) {
		sts, ok := o.(*appsv1.StatefulSet)
		if !ok {
			return
		}
		n := int64(1) // the API's default
		if sts.Spec.Replicas != nil {
			n = int64(*sts.Spec.Replicas)
		}
		if s.replicas.Swap(n) != n {
			signal(s.changed)
		}
	}
	informer := informers.NewFilteredStatefulSetInformer(s.client, s.namespace, 0, cache.Indexers{}, func(o *metav1.ListOptions) {
		o.FieldSelector = fields.OneTermEqualSelector(metav1.ObjectNameField, s.name).String()
	})
	// Both calls fail on an informer that runs already, which this one does not.
	_ = informer.SetWatchErrorHandlerWithContext(func(ctx context.Context, _ *cache.Reflector, err error) {
		s.log.WarnContext(ctx, "The StatefulSet that shares the audit cannot be watched; its number of replicas is taken to be as before", "statefulset", s.name, "error", err)
	})
	_, _ = informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    set,
		UpdateFunc: func(_, o any) { set(o) },
	})
	informer.RunWithContext(ctx)
}

// podName is the name that the Pod has as its host name.
func podName() (string, error) {
	host, err := os.Hostname()
	if err != nil {
		return "", fmt.Errorf("finding the name of this host: %w", err)
	}
	return host, nil
}
