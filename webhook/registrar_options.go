package webhook

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes"

	"github.com/holdfast-io/holdfast/engine"
)

// Certificates knows how the endpoint can be verified.
type Certificates interface {
	// CABundle is PEM; nil as long as there is no certificate.
	CABundle() []byte
	// Changed receives after CABundle has changed. The registrar is its only reader.
	Changed() <-chan struct{}
}

// Resources knows what the API server serves.
type Resources interface {
	// Resources is empty as long as it is not known.
	Resources() []Resource
	// Changed receives after Resources has changed. The registrar is its only reader.
	Changed() <-chan struct{}
}

// Replicas knows whether all who are to answer the API server do.
type Replicas interface {
	// Missing says what is missing until they do, or nothing.
	Missing() string
	// Changed receives after Missing has changed. The registrar is its only reader.
	Changed() <-chan struct{}
}

// RegistrarOptions say what to register, and where.
type RegistrarOptions struct {
	Client kubernetes.Interface
	// Snapshots, Certificates and Resources are what the configurations are made of. Required.
	Snapshots    Snapshots
	Certificates Certificates
	Resources    Resources
	// Endpoint is where API servers reach the handler. Required.
	Endpoint Endpoint
	// Name of both configurations. Default: holdfast. Two installations on one cluster need two names.
	Name string
	// Spared is never asked about. Default: nothing but the lifelines of a cluster.
	Spared Spared
	// Replicas are waited for before failures refuse a write. Default: nobody, because this process is all.
	Replicas Replicas
	// RemoveOnShutdown takes the configurations away at the end of Run, if they point to Endpoint still. For
	// a process outside the cluster, which nobody starts again; in the cluster the next replica serves them.
	RemoveOnShutdown bool
	// Owners are the objects with which the configurations go: when all of them have gone, Kubernetes collects what they
	// own. They are asked for at each look; an error is one of writing the configurations. Default: nil, nobody.
	Owners func(context.Context) ([]metav1.OwnerReference, error)
	// Policies are the types of policies that the API server is to ask about when they are written, at
	// PoliciesPath: those of them that it serves. Default: none.
	Policies []schema.GroupVersionResource
	// Guards are asked about writes of resources of our own. Default: none.
	Guards []Guard
	// RepairAfter is how long to leave alone what somebody else has changed. Default: 0, repair at once. It
	// is for replicas that hear of policies by watches of their own: one that hears first writes what the
	// others are about to want, and must not be undone by them.
	RepairAfter time.Duration
	// Applied is called, from Run, whenever both configurations are right, with the snapshot that they are
	// made of. It must not block. Default: nobody is told.
	Applied func(*engine.Snapshot)
	// Recheck is how often to compare what is there with what should be, beside the watch. Default: 5 min.
	Recheck time.Duration
	// Logger default: nothing is written.
	Logger *slog.Logger
	// Metrics is where the holdfast_webhook_* metrics are registered. Default: nowhere.
	Metrics prometheus.Registerer
}

const (
	defaultName    = "holdfast"
	defaultRecheck = 5 * time.Minute
	// Writes that fail, and repairs of what somebody goes on editing, are spaced out by doubling: the
	// first comes at once, and a fight with another controller ends at two writes a minute.
	firstBackoff, lastBackoff = 250 * time.Millisecond, 30 * time.Second
	// A configuration that stays right for so long is no longer fought over.
	peace = 10 * time.Minute
	// What shutting down may take. Kubernetes gives a pod 30 s by default.
	removalTimeout = 10 * time.Second
)

// Validate names the first option that cannot be used.
func (o RegistrarOptions) Validate() error {
	switch {
	case o.Client == nil:
		return errors.New("webhook registrar options: Client is missing")
	case o.Snapshots == nil:
		return errors.New("webhook registrar options: Snapshots is missing")
	case o.Certificates == nil:
		return errors.New("webhook registrar options: Certificates is missing")
	case o.Resources == nil:
		return errors.New("webhook registrar options: Resources is missing")
	case o.RepairAfter < 0:
		return fmt.Errorf("webhook registrar options: RepairAfter is %s: expected a positive time, or 0 for none", o.RepairAfter)
	case o.Recheck < 0:
		return fmt.Errorf("webhook registrar options: Recheck is %s: expected a positive time, or 0 for the default", o.Recheck)
	}
	if err := o.Endpoint.Validate(); err != nil {
		return fmt.Errorf("webhook registrar options: Endpoint: %w", err)
	}
	if err := o.Spared.Validate(); err != nil {
		return fmt.Errorf("webhook registrar options: Spared: %w", err)
	}
	return nil
}
