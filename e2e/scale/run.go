package scale

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"
)

// Run measures, phase by phase. What was measured up to an error comes with it.
func Run(ctx context.Context, options Options) (_ *Result, err error) {
	if err := options.Validate(); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "holdfast-scale-")
	if err != nil {
		return nil, fmt.Errorf("make a folder: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	r, err := newRig(ctx, options, dir)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.close()) }()
	r.result.CPUs = runtime.NumCPU()
	if r.result.Policies = "shipped"; len(options.Policies) > 0 {
		r.result.Policies = strings.Join(options.Policies, " ")
	}
	steps := []func(context.Context) error{r.base, r.load, r.firstSweep, r.weigh, r.nothing, r.heartbeats, r.writes}
	if !options.KeepPolicies {
		steps = append(steps, r.policyOnServices, r.policyOnEverything)
	}
	for _, step := range append(steps, r.restart) {
		if err := step(ctx); err != nil {
			return r.result, err
		}
	}
	return r.result, nil
}

// base weighs holdfast before there is anything to audit.
func (r *rig) base(ctx context.Context) error {
	r.say("weighing holdfast with an empty cluster")
	if err := r.subject.start(ctx); err != nil {
		return err
	}
	if err := r.subject.until(ctx, "the audit of an empty cluster", settled); err != nil {
		return err
	}
	var err error
	if r.result.BaseHeap, err = r.subject.heap(ctx, "base"); err != nil {
		return err
	}
	return r.subject.stop(ctx)
}

func (r *rig) load(ctx context.Context) (err error) {
	r.say("creating the objects")
	started := time.Now()
	r.result.Objects, r.sound, err = load(ctx, r.client, r.fleet(), r.say)
	if err != nil {
		return err
	}
	r.say("created %d objects in %s", r.result.Objects, time.Since(started).Round(time.Second))
	return nil
}

func (r *rig) firstSweep(ctx context.Context) error {
	from, err := r.read(ctx, before)
	if err != nil {
		return err
	}
	if _, err := r.phase(ctx, "first sweep", r.startAndSettle("first-sweep")); err != nil {
		return err
	}
	to, err := r.read(ctx, after)
	if err != nil {
		return err
	}
	r.result.EtcdBytes = to.storage - from.storage
	r.result.Reports, r.result.ReportBytes, err = r.weighReports(ctx)
	return err
}

func (r *rig) startAndSettle(profile string) func(context.Context, *Phase) error {
	return func(ctx context.Context, _ *Phase) error {
		if err := r.subject.start(ctx); err != nil {
			return err
		}
		finish := r.subject.record(ctx, profile)
		err := r.subject.until(ctx, "all objects to be judged and reported", settled)
		return errors.Join(err, finish())
	}
}

// weigh takes what lives in memory.
func (r *rig) weigh(ctx context.Context) (err error) {
	if r.result.Heap, err = r.subject.heap(ctx, "swept"); err != nil {
		return err
	}
	r.result.HeapPerObject = float64(r.result.Heap-r.result.BaseHeap) / float64(r.result.Objects)
	return nil
}

// idle is how long nothing happens: two terms of the lease, and a scrape or two.
const idle = 10 * time.Second

func (r *rig) nothing(ctx context.Context) error {
	p, err := r.phase(ctx, "nothing happens", func(ctx context.Context, _ *Phase) error {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(idle):
			return nil
		}
	})
	if err == nil {
		r.expectNone(p, "requests about objects", aboutObjects(p.Requests))
		r.expectNone(p, "types read anew", len(p.Listed))
	}
	return err
}

// aboutObjects counts requests, but not those that ask now and then what the API server serves or how the webhooks are
// registered, nor watches that begin again. The API server lists for itself the ConfigMaps of its authentication and the Services
// whose addresses it keeps; whether holdfast listed any is told by its own metrics.
func aboutObjects(requests map[string]int) (n int) {
	for request, count := range requests {
		verb, resource, _ := strings.Cut(request, " ")
		switch {
		case strings.HasPrefix(resource, "/"), verb == "WATCH":
		case request == "LIST configmaps", request == "LIST services", request == "GET validatingwebhookconfigurations":
		default:
			n += count
		}
	}
	return n
}

// expectNone notes what should not have happened.
func (r *rig) expectNone(p *Phase, what string, n int) {
	if n != 0 {
		r.result.Broken = append(r.result.Broken, fmt.Sprintf("%s: %d %s, expected none", p.Name, n, what))
	}
}

// many is how many writes there are in a phase.
func (r *rig) many() int { return r.options.Rate * int(r.options.Changes.Seconds()) }

func (r *rig) heartbeats(ctx context.Context) error {
	objects := r.sound[:min(len(r.sound), r.many())]
	p, err := r.phase(ctx, "status written", func(ctx context.Context, p *Phase) error {
		p.Events = len(objects)
		finish := r.subject.record(ctx, "status")
		start, err := r.subject.metrics(ctx)
		if err != nil {
			return err
		}
		err = write(ctx, r.options.Rate, objects, func(ctx context.Context, n int, o object) error { return heartbeat(ctx, r.client, n, o) })
		if err != nil {
			return err
		}
		looked := func(m samples) int {
			return int(m.sum("holdfast_audit_objects_judged_total") + m.sum("holdfast_audit_objects_unchanged_total"))
		}
		err = r.subject.until(ctx, "all writes of status to be seen", func(m samples) bool { return looked(m)-looked(start) >= len(objects) })
		return errors.Join(err, finish())
	})
	if err == nil {
		r.expectNone(p, "writes of reports", p.Writes)
	}
	return err
}

// latest is how long a report is waited for after the last write.
const latest = time.Minute

// detect makes workloads drift at the rate, and takes the time until it is reported.
func (r *rig) detect(ctx context.Context, p *Phase, objects []object, d *detector) error {
	p.Events = len(objects)
	stream, err := d.watch(ctx, r.client)
	if err != nil {
		return err
	}
	following := make(chan error, 1)
	go func() { following <- d.follow(stream) }()
	err = write(ctx, r.options.Rate, objects, func(ctx context.Context, _ int, o object) error {
		d.send(o)
		return drift(ctx, r.client, o)
	})
	d.last()
	if err == nil {
		late := time.NewTimer(latest)
		defer late.Stop()
		select {
		case <-d.done:
		case <-late.C:
		case err = <-following:
			following <- err
		case <-ctx.Done():
			err = ctx.Err()
		}
	}
	_ = stream.Close()
	<-following
	p.Detect = d.latencies()
	return err
}

func (r *rig) writes(ctx context.Context) error {
	objects := r.take(r.many())
	d, err := newDetector(ctx, r.client, objects)
	if err != nil {
		return err
	}
	p, err := r.phase(ctx, "writes", func(ctx context.Context, p *Phase) error {
		finish := r.subject.record(ctx, "writes")
		return errors.Join(r.detect(ctx, p, objects, d), finish())
	})
	r.expectDetected(p)
	return err
}

// expectDetected notes that drift has not been reported.
func (r *rig) expectDetected(p *Phase) {
	if p != nil {
		r.expectNone(p, fmt.Sprint("writes that were not reported within ", latest), p.Detect.Missed)
	}
}

// policyOnServices applies a policy on one type: no other is to be read again.
func (r *rig) policyOnServices(ctx context.Context) error {
	p, err := r.phase(ctx, "policy on Services", func(ctx context.Context, _ *Phase) error {
		finish := r.subject.record(ctx, "policy-on-services")
		err := r.policy(ctx, policyOnServices, "services.v1", "Service")
		return errors.Join(err, finish())
	})
	if err == nil && (len(p.Listed) != 1 || p.Listed[0] != "services.v1") {
		r.result.Broken = append(r.result.Broken, fmt.Sprintf("%s: read %v, expected services.v1 alone", p.Name, p.Listed))
	}
	return err
}

// policy applies a policy and waits until it has judged the type and all is reported.
func (r *rig) policy(ctx context.Context, name, typ string, kinds ...string) error {
	applied := time.Now()
	if err := applyPolicy(ctx, r.client, name, kinds...); err != nil {
		return err
	}
	return r.subject.until(ctx, name+" to be reported", func(m samples) bool {
		listed := listedSince(m, applied)
		return settled(m) && len(listed) > 0 && strings.Contains(strings.Join(listed, " "), typ)
	})
}

// policyOnEverything has every report written anew while workloads drift: what just happened goes before what waits.
func (r *rig) policyOnEverything(ctx context.Context) error {
	objects := r.take(r.many())
	d, err := newDetector(ctx, r.client, objects)
	if err != nil {
		return err
	}
	p, err := r.phase(ctx, "policy on everything, and writes", func(ctx context.Context, p *Phase) error {
		finish := r.subject.record(ctx, "policy-on-everything")
		reported := make(chan error, 1)
		go func() {
			reported <- r.policy(ctx, policyOnEverything, "deployments.v1.apps", "Pod", "Deployment", "Service", "ConfigMap", "Ingress")
		}()
		return errors.Join(r.detect(ctx, p, objects, d), <-reported, finish())
	})
	r.expectDetected(p)
	return err
}

// restart ends holdfast in order, once nothing is left to be written of the last writes, and starts it again: nothing has
// changed.
func (r *rig) restart(ctx context.Context) error {
	err := r.subject.until(ctx, "findings to settle", func(m samples) bool { return settled(m) && m.sum("holdfast_audit_settling") == 0 })
	if err != nil {
		return err
	}
	if err := r.subject.stop(ctx); err != nil {
		return err
	}
	p, err := r.phase(ctx, "restart", r.startAndSettle("restart"))
	if err == nil {
		r.expectNone(p, "writes of reports", p.Writes)
	}
	return err
}
