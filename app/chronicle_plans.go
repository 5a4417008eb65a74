package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"sync"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/holdfast-io/holdfast/api/v1alpha1"
	"github.com/holdfast-io/holdfast/engine"
	"github.com/holdfast-io/holdfast/ledger"
	"github.com/holdfast-io/holdfast/reconcile/approval"
	"github.com/holdfast-io/holdfast/reconcile/propose"
)

// planRecord records what is proposed, what people decide about it, and what takes its place: what each Remediation of the
// cluster says is compared with what the ledger has of it. So nothing is recorded twice, whoever leads, and nothing is lost
// while the ledger is away or nobody leads.
type planRecord struct {
	ledger planLedger
	// read reads a Remediation as it is now; engine.ErrNotFound if it is gone.
	read func(ctx context.Context, name string) (*v1alpha1.Remediation, error)
	// keys prove who decided.
	keys approval.Keys
	part string
	log  *slog.Logger
	wake chan struct{}

	mu sync.Mutex
	// waiting are the names of Remediations that say something new.
	waiting map[string]bool
	// told is what the ledger has of each Remediation, by its UID: the marks of facts.
	told map[string]map[string]bool
}

// planLedger is what a planRecord needs of a ledger.
type planLedger interface {
	Append(ctx context.Context, entries ...ledger.Entry) (ledger.Receipt, error)
	Query(ctx context.Context, q ledger.Query) (ledger.Page, error)
}

// plans completes a record of plans, which hears of them from those that are known; nil without a ledger.
func (c *chronicle) plans(known *propose.Remediations, r *planRecord) *planRecord {
	if c == nil {
		return nil
	}
	r.ledger, r.wake, r.waiting, r.told = c.Recorder, make(chan struct{}, 1), map[string]bool{}, map[string]map[string]bool{}
	known.Listen(r.heard)
	return r
}

// heard takes that a Remediation is another than before.
func (r *planRecord) heard(before, after *unstructured.Unstructured) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if after == nil {
		if before != nil {
			delete(r.told, string(before.GetUID()))
		}
		return
	}
	if after.GetLabels()[propose.LabelPart] != r.part || after.GetLabels()[v1alpha1.LabelGroup] == "" || before != nil && samePlan(before, after) {
		return // another's, or somebody's own; or a target has moved on
	}
	r.waiting[after.GetName()] = true
	signal(r.wake)
}

// samePlan reports whether two states of a Remediation say the same of what is recorded here.
func samePlan(a, b *unstructured.Unstructured) bool {
	phase := func(u *unstructured.Unstructured) string {
		s, _, _ := unstructured.NestedString(u.Object, "status", "phase")
		return s
	}
	return a.GetUID() == b.GetUID() && a.GetGeneration() == b.GetGeneration() && phase(a) == phase(b)
}

// run records until ctx ends. What is known is forgotten then: another replica may go on.
func (r *planRecord) run(ctx context.Context) error {
	if r == nil {
		<-ctx.Done()
		return nil
	}
	defer r.reset()
	whenWoken(ctx, r.wake, func(ctx context.Context) (bool, error) {
		name := r.next()
		if name == "" {
			return false, nil
		}
		err := r.record(ctx, name)
		if err != nil {
			r.again(name)
			err = fmt.Errorf("remediation %s: %w", name, err)
		}
		return true, err
	}, func(err error) { r.log.Debug("plans cannot be recorded yet", "error", err) })
	return nil
}

func (r *planRecord) reset() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.waiting, r.told = map[string]bool{}, map[string]map[string]bool{}
}

// next takes one that waits, the first by its name; empty if none does.
func (r *planRecord) next() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	names := slices.Sorted(maps.Keys(r.waiting))
	if len(names) == 0 {
		return ""
	}
	delete(r.waiting, names[0])
	return names[0]
}

func (r *planRecord) again(name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.waiting[name] = true
}

// record records what the ledger does not have of a Remediation.
func (r *planRecord) record(ctx context.Context, name string) error {
	one, err := r.read(ctx, name)
	if errors.Is(err, engine.ErrNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading it: %w", err)
	}
	if one.Status.Phase == "" {
		return nil // it is being written, and comes again
	}
	facts, err := r.facts(ctx, one)
	if err != nil {
		return err
	}
	told, err := r.known(ctx, one)
	if err != nil {
		return err
	}
	var entries []ledger.Entry
	for i := range facts {
		if !told[markOf(&facts[i])] {
			entries = append(entries, facts[i])
		}
	}
	if len(entries) == 0 {
		return nil
	}
	if _, err := r.ledger.Append(ctx, entries...); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range entries {
		told[markOf(&entries[i])] = true
	}
	return nil
}

// known gives the marks of what the ledger has of a Remediation. It is asked once for each.
func (r *planRecord) known(ctx context.Context, one *v1alpha1.Remediation) (map[string]bool, error) {
	r.mu.Lock()
	told := r.told[string(one.UID)]
	r.mu.Unlock()
	if told != nil {
		return told, nil
	}
	told = map[string]bool{}
	q := ledger.Query{Kinds: []ledger.Kind{ledger.Planned, ledger.Approved, ledger.Rejected, ledger.Superseded}, Remediation: one.Name}
	for {
		page, err := r.ledger.Query(ctx, q)
		if err != nil {
			return nil, fmt.Errorf("asking what is on record: %w", err)
		}
		for i := range page.Entries {
			if e := &page.Entries[i]; e.Details["remediationUID"] == string(one.UID) {
				told[markOf(e)] = true
			}
		}
		if !page.More {
			break
		}
		q.From = page.Next
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.told[string(one.UID)] = told
	return told, nil
}

// markOf tells a fact from the others about a Remediation. People may decide more than once, each time at another.
func markOf(e *ledger.Entry) string {
	mark := string(e.Kind)
	if e.Kind == ledger.Approved || e.Kind == ledger.Rejected {
		mark += " " + strconv.FormatInt(e.Time.Unix(), 10)
	}
	return mark
}
