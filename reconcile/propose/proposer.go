package propose

import (
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/util/workqueue"

	"github.com/holdfast-io/holdfast/api/v1alpha1"
	"github.com/holdfast-io/holdfast/engine"
	"github.com/holdfast-io/holdfast/reconcile/plan"
)

// Object names an object.
type Object struct {
	Kind            schema.GroupVersionKind
	Resource        schema.GroupVersionResource
	Namespace, Name string // Namespace is empty for cluster-scoped objects
	UID             string
}

// String names the object: Deployment/shop/web.
func (o Object) String() string {
	if o.Namespace == "" {
		return o.Kind.Kind + "/" + o.Name
	}
	return o.Kind.Kind + "/" + o.Namespace + "/" + o.Name
}

// Finding is what was found in an object.
type Finding struct {
	Object    Object
	Decisions []engine.Decision
	// Origins say who brought it into the state that a rule fails on, by plan.RuleKey.
	Origins map[string]v1alpha1.Origin
	// Settles is when it is to be taken for drift; zero for now.
	Settles time.Time
}

const (
	// maxItems bounds what is remembered: with a patch, its inverse and a diff an item has about 2 KiB, so that these are
	// 100 MiB at the very most. Who has more findings than that does not look at them one by one, and gets the first.
	maxItems = 50_000
	// maxPerObject bounds the items of one object: rules that fail on one and the same.
	maxPerObject = 100
)

// Proposer plans for objects and proposes. Make it with New, then Run it. Its other methods return at once, may be called
// at any time, and from several goroutines.
type Proposer struct {
	opts    Options
	metrics *metrics
	poke    chan struct{} // something is to be written
	server  *Server

	mu sync.Mutex
	// queue is there while the proposer runs; early are objects of just before.
	queue workqueue.TypedRateLimitingInterface[Object]
	early map[Object]time.Time // with when it settles
	// known are the objects with findings, with who did it, and what is planned for them.
	known map[Object]*plans
	items int
	// dropped counts items that there was no room for.
	dropped int
	busy    int // workers that plan now
}

type plans struct {
	origins map[string]v1alpha1.Origin
	settles time.Time
	items   []plan.Item
	times   times
}

// New checks the options and makes a Proposer.
func New(opts Options) (*Proposer, error) {
	if err := opts.Validate(); err != nil {
		return nil, err
	}
	p := &Proposer{opts: opts, poke: make(chan struct{}, 1)}
	var err error
	if p.metrics, err = newMetrics(opts.Metrics, p); err != nil {
		return nil, err
	}
	p.reset()
	opts.Remediations.Listen(func(before, after *unstructured.Unstructured) {
		if after == nil || before != nil && acting(before) && !acting(after) {
			p.changed() // what it was about is free to be planned for again
		}
	})
	return p, nil
}

// reset forgets everything: nobody tells what happens while the proposer does not run.
func (p *Proposer) reset() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.metrics.pending.Reset()
	p.metrics.targets.Reset()
	p.queue, p.early, p.known, p.items, p.dropped = nil, map[Object]time.Time{}, map[Object]*plans{}, 0, 0
}

// Found replaces what was known of an object.
func (p *Proposer) Found(f Finding) {
	wanted := false
	for i := range f.Decisions {
		d := &f.Decisions[i]
		wanted = wanted || (d.Rule.Kind != engine.Cleanup && (d.Status == engine.Fail || d.Status == engine.Warn))
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if !wanted {
		p.forget(f.Object)
		return
	}
	if p.known[f.Object] == nil {
		p.known[f.Object] = &plans{times: times{found: time.Now()}}
	}
	p.known[f.Object].origins, p.known[f.Object].settles = f.Origins, f.Settles
	if p.queue == nil {
		p.early[f.Object] = f.Settles
		return
	}
	p.add(f.Object, f.Settles)
}

func (p *Proposer) add(o Object, settles time.Time) {
	if wait := settles.Sub(p.opts.Inputs().Now()); !settles.IsZero() && wait > 0 {
		p.queue.AddAfter(o, wait)
		return
	}
	p.queue.Add(o)
}

// Gone tells that an object is no longer there, or that no rule is about it.
func (p *Proposer) Gone(o Object) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.forget(o)
}

// Listed tells which objects of a type are there: the others have vanished unseen.
func (p *Proposer) Listed(kind schema.GroupVersionKind, seen func(uid string) bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for o := range p.known {
		if o.Kind == kind && !seen(o.UID) {
			p.forget(o)
		}
	}
}

// forget drops an object. The lock must be held.
func (p *Proposer) forget(o Object) {
	was, known := p.known[o]
	if !known {
		return
	}
	delete(p.known, o)
	delete(p.early, o)
	p.items -= len(was.items)
	if len(was.items) > 0 {
		p.changed()
	}
}

// changed asks for Remediations to be written.
func (p *Proposer) changed() {
	select {
	case p.poke <- struct{}{}:
	default: // asked for already
	}
}

// waiting is how many objects wait to be planned for.
func (p *Proposer) waiting() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.queue == nil {
		return len(p.early)
	}
	return p.queue.Len() + p.busy
}

// planned gives all that is planned.
func (p *Proposer) planned() []plan.Item {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := make([]plan.Item, 0, p.items)
	for _, of := range p.known {
		out = append(out, of.items...)
	}
	return out
}

// replan asks for everything once more.
func (p *Proposer) replan() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for o := range p.known {
		p.queue.Add(o)
	}
}
