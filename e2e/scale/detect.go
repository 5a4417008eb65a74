package scale

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"

	"golang.org/x/sync/errgroup"
)

// reportPrefix stands before the UID of the object in the name of a report.
const reportPrefix = "holdfast-"

var reports = schema.GroupVersionResource{Group: "wgpolicyk8s.io", Version: "v1alpha2", Resource: "policyreports"}

// policyReport is what matters of a report here.
type policyReport struct {
	Metadata struct{ Name, ResourceVersion string }
	Results  []struct{ Policy, Result string }
}

// trouble counts the results that need somebody, without those of the policy that is applied meanwhile.
func (r *policyReport) trouble() (n int) {
	for _, result := range r.Results {
		if result.Policy != policyOnEverything && slices.Contains([]string{"fail", "warn", "error"}, result.Result) {
			n++
		}
	}
	return n
}

// detector takes the time from a write to the report on it: the first one with more trouble than before.
type detector struct {
	mu      sync.Mutex
	before  map[string]int       // trouble by UID
	sent    map[string]time.Time // writes whose report has not come, by UID
	took    []float64
	sending bool // there may be more writes
	done    chan struct{}
}

// newDetector reads what is reported of the objects before they are written.
func newDetector(ctx context.Context, client rest.Interface, objects []object) (*detector, error) {
	d := &detector{before: map[string]int{}, sent: map[string]time.Time{}, sending: true, done: make(chan struct{})}
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(loaders)
	for _, o := range objects {
		group.Go(func() error {
			var report policyReport
			raw, err := client.Get().AbsPath(path(reports, o.namespace, reportPrefix+o.uid)).Do(groupCtx).Raw()
			if err == nil {
				err = json.Unmarshal(raw, &report)
			}
			if err != nil && !apierrors.IsNotFound(err) {
				return fmt.Errorf("read the report on %s: %w", o.name, err)
			}
			d.mu.Lock()
			defer d.mu.Unlock()
			d.before[o.uid] = report.trouble()
			return nil
		})
	}
	return d, group.Wait()
}

// watch opens the stream of reports from now on.
func (d *detector) watch(ctx context.Context, client rest.Interface) (io.ReadCloser, error) {
	var now policyReport
	raw, err := client.Get().AbsPath(path(reports, "")).Param("limit", "1").Do(ctx).Raw()
	if err == nil {
		err = json.Unmarshal(raw, &now)
	}
	if err != nil {
		return nil, fmt.Errorf("list reports: %w", err)
	}
	stream, err := client.Get().AbsPath(path(reports, "")).Param("watch", "true").Param("resourceVersion", now.Metadata.ResourceVersion).Stream(ctx)
	if err != nil {
		return nil, fmt.Errorf("watch reports: %w", err)
	}
	return stream, nil
}

// follow takes the events of the stream until it is closed.
func (d *detector) follow(stream io.Reader) error {
	decoder := json.NewDecoder(stream)
	for {
		var event struct {
			Type   string
			Object policyReport
		}
		if err := decoder.Decode(&event); err != nil {
			return fmt.Errorf("read the watch of reports: %w", err)
		}
		d.seen(&event.Object, time.Now())
	}
}

func (d *detector) seen(r *policyReport, at time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	uid := strings.TrimPrefix(r.Metadata.Name, reportPrefix)
	sent, waits := d.sent[uid]
	if !waits || r.trouble() <= d.before[uid] {
		return
	}
	delete(d.sent, uid)
	d.took = append(d.took, at.Sub(sent).Seconds())
	d.finish()
}

// send notes that a write is about to be sent.
func (d *detector) send(o object) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.sent[o.uid] = time.Now()
}

// last says that there are no more writes. done is closed when all have been reported.
func (d *detector) last() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.sending = false
	d.finish()
}

func (d *detector) finish() {
	if !d.sending && len(d.sent) == 0 {
		d.sending = true // once
		close(d.done)
	}
}

func (d *detector) latencies() *Latencies {
	d.mu.Lock()
	defer d.mu.Unlock()
	return newLatencies(d.took, len(d.sent))
}

func newLatencies(took []float64, missed int) *Latencies {
	slices.Sort(took)
	at := func(share float64) float64 {
		if len(took) == 0 {
			return 0
		}
		return took[max(0, int(math.Ceil(share*float64(len(took))))-1)]
	}
	return &Latencies{Count: len(took), Missed: missed, P50: at(0.5), P99: at(0.99), Max: at(1)}
}
