package certs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// store keeps the state of a Rotator where it outlives the process.
type store interface {
	// load gives what is kept; nil when nothing is.
	load(ctx context.Context) (map[string][]byte, error)
	// save replaces what the last load gave. errConflict means that somebody else has written since.
	save(ctx context.Context, data map[string][]byte) error
	// watch calls poke after others may have written, until ctx ends.
	watch(ctx context.Context, poke func())
	// String names the place.
	String() string
}

// errConflict is the answer of a store that somebody else has written to.
var errConflict = errors.New("somebody else has written in the meantime")

const (
	// recheck is how often a Rotator looks at its store although nothing is due: for changes that the
	// watch has missed. It is far below any sensible Overlap.
	recheck = 5 * time.Minute
	// Failing stores are asked again after doubling times.
	firstRetry, lastRetry = time.Second, time.Minute
)

// Rotator is a CA of our own, and a Source. Several may share a store: each step is saved before anybody
// serves its outcome, and whoever comes second takes over what the first has made.
type Rotator struct {
	current
	issuer issuer
	store  store
	logger *slog.Logger
	poked  chan struct{}
	// last is the state that is served.
	last *state
}

// rotatorOptions are what all stores' options have in common.
type rotatorOptions struct {
	names     []string
	lifetimes Lifetimes
	logger    *slog.Logger
	metrics   prometheus.Registerer
}

func newRotator(s store, o rotatorOptions) (*Rotator, error) {
	if len(o.names) == 0 || slices.Contains(o.names, "") {
		return nil, errors.New("certificate options: Names is empty or holds an empty name: expected host names and IP addresses")
	}
	lifetimes := o.lifetimes.withDefaults()
	if err := lifetimes.validate(); err != nil {
		return nil, fmt.Errorf("certificate options: Lifetimes: %w", err)
	}
	if o.logger == nil {
		o.logger = slog.New(slog.DiscardHandler)
	}
	names := slices.Clone(o.names)
	slices.Sort(names)
	r := &Rotator{
		current: newCurrent(), store: s, logger: o.logger, poked: make(chan struct{}, 1),
		issuer: issuer{lifetimes: lifetimes, names: slices.Compact(names)},
	}
	return r, registerExpiry(o.metrics, &r.current)
}

// Run keeps CA and certificate fresh until ctx ends. Failures are logged and tried again, and what is served
// stays.
func (r *Rotator) Run(ctx context.Context) error {
	watching, stop := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		r.store.watch(watching, func() {
			select {
			case r.poked <- struct{}{}:
			default: // it will look anyway
			}
		})
	}()
	defer func() {
		stop()
		<-done
	}()
	retry := firstRetry
	for {
		wait, err := r.settle(ctx)
		if ctx.Err() != nil {
			return nil
		}
		switch {
		case errors.Is(err, errConflict):
			wait, retry = 0, firstRetry
		case err != nil:
			r.logger.ErrorContext(ctx, "the certificates could not be kept; trying again", "store", r.store.String(), "error", err, "after", retry)
			wait, retry = retry, min(2*retry, lastRetry)
		default:
			retry = firstRetry
		}
		timer := time.NewTimer(min(wait, recheck))
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-r.poked:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// settle takes the steps that are due, serves what comes of them, and says how long it will hold.
func (r *Rotator) settle(ctx context.Context) (time.Duration, error) {
	s, err := r.load(ctx)
	if err != nil {
		return 0, err
	}
	for {
		now := time.Now()
		what, next := r.issuer.plan(s, now)
		if what == rest {
			r.serve(s)
			return next.Sub(now), nil
		}
		if s, err = r.issuer.perform(what, s, now); err != nil {
			return 0, fmt.Errorf("renewing the certificates: %w", err)
		}
		data, err := s.encode()
		if err != nil {
			return 0, fmt.Errorf("renewing the certificates: %w", err)
		}
		if err := r.store.save(ctx, data); err != nil {
			return 0, fmt.Errorf("saving the certificates to %s: %w", r.store, err)
		}
		r.logger.InfoContext(ctx, "renewed certificates", "step", what.String(), "store", r.store.String(),
			"leafExpires", s.leaf.cert.NotAfter, "caExpires", s.signing.cert.NotAfter)
	}
}

// load reads the state. One that is gone or broken is put back as it is served: a new CA would be one that
// no API server trusts yet.
func (r *Rotator) load(ctx context.Context) (*state, error) {
	data, err := r.store.load(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading the certificates from %s: %w", r.store, err)
	}
	s, broken := decodeState(data)
	if broken == nil {
		return s, nil
	}
	if data != nil {
		r.logger.WarnContext(ctx, "the stored certificates cannot be used and are replaced", "store", r.store.String(), "error", broken)
	}
	if r.last == nil {
		return nil, nil
	}
	if data, err = r.last.encode(); err != nil {
		return nil, fmt.Errorf("putting the certificates back: %w", err)
	}
	if err := r.store.save(ctx, data); err != nil {
		return nil, fmt.Errorf("putting the certificates back to %s: %w", r.store, err)
	}
	return r.last, nil
}

func (r *Rotator) serve(s *state) {
	r.last = s
	r.set(s.served())
}
