package scale

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/holdfast-io/holdfast/e2e/controlplane"
)

// reading is what all clocks and counters say at one time.
type reading struct {
	at       time.Time
	usage    map[string]usage
	holdfast samples
	requests map[string]int // by verb and resource, without our own
	storage  int64          // bytes of etcd's database
}

// read takes a reading. The API server's metrics are large: they are read when the usage has been read, or before it is.
func (r *rig) read(ctx context.Context, when moment) (*reading, error) {
	m := &reading{usage: map[string]usage{}}
	steps := []func(context.Context) error{
		func(context.Context) error { return r.readUsage(m) },
		func(ctx context.Context) error { return r.readServer(ctx, m) },
	}
	if when == before {
		steps[0], steps[1] = steps[1], steps[0]
	}
	for _, step := range steps {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// moment is when a reading is taken.
type moment int

const (
	before moment = iota
	after
)

func (r *rig) readUsage(m *reading) (err error) {
	m.at = time.Now()
	pids := map[string]int{nameHoldfast: r.subject.pid()}
	for _, c := range []controlplane.Component{controlplane.APIServer, controlplane.Etcd} {
		pids[string(c)] = r.cp.PID(c)
	}
	for name, pid := range pids {
		if pid == 0 {
			continue // it does not run yet
		}
		if m.usage[name], err = usageOf(pid); err != nil {
			return err
		}
	}
	return nil
}

func (r *rig) readServer(ctx context.Context, m *reading) error {
	if r.subject.pid() != 0 {
		var err error
		if m.holdfast, err = r.subject.metrics(ctx); err != nil {
			return err
		}
	}
	raw, err := r.client.Get().AbsPath("/metrics").Do(ctx).Raw()
	if err != nil {
		return fmt.Errorf("ask the API server for its metrics: %w", err)
	}
	server, err := readSamples(strings.NewReader(string(raw)))
	if err != nil {
		return err
	}
	m.requests = map[string]int{}
	server.each("apiserver_request_total", func(labels map[string]string, value float64) {
		resource := labels["resource"]
		if labels["subresource"] != "" {
			resource += "/" + labels["subresource"]
		}
		if resource != "" {
			m.requests[labels["verb"]+" "+resource] += int(value)
		}
	})
	r.own.mu.Lock()
	own := maps.Clone(r.own.made)
	r.own.mu.Unlock()
	for key, n := range own {
		m.requests[key] -= n
	}
	server.each("apiserver_storage_size_bytes", func(_ map[string]string, value float64) { m.storage += int64(value) })
	return nil
}

// background are requests that a control plane makes by itself, at any time.
func background(request string) bool {
	for _, resource := range []string{"leases", "apiservices", "apiservices/status", "prioritylevelconfigurations", "prioritylevelconfigurations/status", "flowschemas", "flowschemas/status", "servicecidrs", "ipaddresses"} {
		if strings.HasSuffix(request, " "+resource) {
			return true
		}
	}
	return false
}

// phase measures what happens while run runs.
func (r *rig) phase(ctx context.Context, name string, run func(context.Context, *Phase) error) (*Phase, error) {
	r.say("%s", name)
	p := &Phase{Name: name, CPU: map[string]float64{}, RSS: map[string]int64{}, PeakRSS: map[string]int64{}, Requests: map[string]int{}}
	from, err := r.read(ctx, before)
	if err != nil {
		return nil, err
	}
	if err := run(ctx, p); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	to, err := r.read(ctx, after)
	if err != nil {
		return nil, err
	}
	p.Seconds = to.at.Sub(from.at).Seconds()
	for process, u := range to.usage {
		p.CPU[process], p.RSS[process], p.PeakRSS[process] = u.cpu-from.usage[process].cpu, u.rss, u.peak
	}
	p.Judged = int(to.holdfast.sum("holdfast_audit_objects_judged_total") - from.holdfast.sum("holdfast_audit_objects_judged_total"))
	p.Unchanged = int(to.holdfast.sum("holdfast_audit_objects_unchanged_total") - from.holdfast.sum("holdfast_audit_objects_unchanged_total"))
	p.Writes = int(to.holdfast.reportWrites() - from.holdfast.reportWrites())
	for key, n := range to.requests {
		if n -= from.requests[key]; n != 0 && !background(key) {
			p.Requests[key] = n
		}
	}
	p.Listed = listedSince(to.holdfast, from.at)
	r.result.Phases = append(r.result.Phases, p)
	r.say("%s took %.1f s, %.2f s of CPU", name, p.Seconds, p.CPU[nameHoldfast])
	return p, nil
}

// reportWrites counts the requests that write reports.
func (s samples) reportWrites() (n float64) {
	s.each("holdfast_report_writes_total", func(labels map[string]string, value float64) {
		if labels["operation"] != "list" {
			n += value
		}
	})
	return n
}
