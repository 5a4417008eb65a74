package app

import (
	"cmp"
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/holdfast-io/holdfast/audit"
	"github.com/holdfast-io/holdfast/bundle"
	"github.com/holdfast-io/holdfast/engine"
	"github.com/holdfast-io/holdfast/ledger"
	"github.com/holdfast-io/holdfast/report"
)

// findingRecord records when findings open and close: what the auditor says of an object is compared with what the
// ledger has of it. Nothing is lost while the ledger is away, because the comparison waits, not its outcome.
type findingRecord struct {
	ledger    findingLedger
	snapshots *bundle.Store
	// mine tells the objects that this replica audits; nil for all.
	mine func(namespace, uid string) bool
	log  *slog.Logger
	wake chan struct{}

	mu sync.Mutex
	// open is what the ledger has, by UID; nil until it was asked. It holds what is open and no more.
	open map[string]openFindings
	// waiting are the objects of which the auditor has said something that is not compared yet.
	waiting map[string]*judged
	// listed are full lists of types, told before the ledger was asked.
	listed []fullList
}

// findingLedger is what a findingRecord needs of a ledger.
type findingLedger interface {
	Append(ctx context.Context, entries ...ledger.Entry) (ledger.Receipt, error)
	OpenFindings(ctx context.Context) ([]ledger.Entry, error)
}

// findingKey is a rule of a policy, of one object.
type findingKey struct{ policyKind, policy, rule string }

// judged is what the auditor said of an object last.
type judged struct {
	object ledger.Object
	bundle string
	at     time.Time
	found  map[findingKey]ledger.Entry
	// unsure are rules that could not be evaluated, or whose failure may pass by itself: what was known of them stands.
	unsure map[findingKey]bool
	gone   bool
}

// leave says that what was known of a rule stands.
func (j *judged) leave(key findingKey) {
	if j.unsure == nil {
		j.unsure = map[findingKey]bool{}
	}
	j.unsure[key] = true
}

type fullList struct {
	apiVersion, kind string
	seen             func(uid string) bool
}

// findings gives the record of findings; nil without a ledger.
func (c *chronicle) findings(snapshots *bundle.Store, mine func(namespace, uid string) bool, log *slog.Logger) *findingRecord {
	if c == nil {
		return nil
	}
	return newFindingRecord(c.Recorder, snapshots, mine, log)
}

func newFindingRecord(l findingLedger, snapshots *bundle.Store, mine func(namespace, uid string) bool, log *slog.Logger) *findingRecord {
	return &findingRecord{ledger: l, snapshots: snapshots, mine: mine, log: log, wake: make(chan struct{}, 1), waiting: map[string]*judged{}}
}

// Found takes what the rules say of an object. results are those of its decisions, without values of Secrets.
func (r *findingRecord) Found(f *audit.Finding, results []report.Result) {
	if r == nil {
		return
	}
	j := &judged{object: auditedObject(f.Object), bundle: f.Digest, at: f.Seen}
	for i := range f.Result.Decisions {
		d := &f.Result.Decisions[i]
		key := findingKey{d.Policy.Kind, d.Policy.Key(), d.Rule.Name}
		switch d.Status {
		case engine.Fail, engine.Warn:
			if i < len(f.Origins) && !f.Origins[i].Settles.IsZero() { // it may pass, and is told again if it does not
				j.leave(key)
				continue
			}
			if j.found == nil {
				j.found = map[findingKey]ledger.Entry{}
			}
			j.found[key] = opened(f, i, &results[i])
		case engine.Error:
			j.leave(key)
		}
	}
	r.put(j)
}

// opened is the entry of a finding.
func opened(f *audit.Finding, i int, result *report.Result) ledger.Entry {
	d := &f.Result.Decisions[i]
	e := ledger.Entry{
		Kind: ledger.FindingOpened, Time: f.Seen, Object: auditedObject(f.Object), Policy: policyOf(d), Bundle: f.Digest,
		Message: result.Message, Outcome: string(result.Result), Diff: result.Properties[report.PropertyPatch],
		Details: map[string]string{},
	}
	for name, value := range map[string]string{"severity": result.Severity, "path": d.Path} {
		if value != "" {
			e.Details[name] = value
		}
	}
	if i < len(f.Origins) {
		from := &f.Origins[i]
		e.Actor = ledger.Actor{User: from.Write.User, Groups: from.Write.Groups, Manager: from.Write.Manager}
		if from.Slip != "" {
			e.Details["slip"] = string(from.Slip)
		}
		if !from.Write.Time.IsZero() {
			e.Details["written"] = from.Write.Time.UTC().Format(time.RFC3339Nano)
		}
	}
	return e
}

// Gone takes that an object is no longer there, or matched by no rule.
func (r *findingRecord) Gone(o audit.Object) {
	if r != nil {
		r.put(&judged{object: auditedObject(o), at: time.Now(), gone: true})
	}
}

func (r *findingRecord) put(j *judged) {
	r.mu.Lock()
	defer r.mu.Unlock()
	uid := j.object.UID
	if _, open := r.open[uid]; r.open != nil && !open && r.waiting[uid] == nil && len(j.found) == 0 {
		return // it was well, and is
	}
	r.waiting[uid] = j
	signal(r.wake)
}

// Listed takes that all objects of a type were judged: others are no longer there.
func (r *findingRecord) Listed(t audit.Type, seen func(uid string) bool) {
	if r == nil {
		return
	}
	list := fullList{seen: seen}
	list.apiVersion, list.kind = t.Kind.ToAPIVersionAndKind()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.listed = append(r.listed, list)
	signal(r.wake)
}

// run records until ctx ends. What is known is forgotten then: another replica may go on.
func (r *findingRecord) run(ctx context.Context) error {
	if r == nil {
		<-ctx.Done()
		return nil
	}
	defer r.reset()
	whenWoken(ctx, r.wake, r.step, func(err error) { r.log.Debug("findings cannot be recorded yet", "error", err) })
	return nil
}

// whenWoken takes steps at each wake as long as there are more, until ctx ends. A step that fails is taken again after a while.
func whenWoken(ctx context.Context, wake <-chan struct{}, step func(context.Context) (more bool, err error), failed func(error)) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-wake:
		}
		for more := true; more && ctx.Err() == nil; {
			var err error
			if more, err = step(ctx); err != nil && ctx.Err() == nil {
				failed(err)
				sleepFor(ctx, recordAgain)
				more = true
			}
		}
	}
}

func sleepFor(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

func (r *findingRecord) reset() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.open, r.waiting, r.listed = nil, map[string]*judged{}, nil
}

// step records what has changed of some objects. It answers whether more may wait.
func (r *findingRecord) step(ctx context.Context) (more bool, err error) {
	if err := r.load(ctx); err != nil {
		return false, err
	}
	batch := r.take()
	if len(batch) == 0 {
		return false, nil
	}
	var entries []ledger.Entry
	for _, j := range batch {
		entries = append(entries, r.changes(j)...)
	}
	if len(entries) > 0 {
		if _, err := r.ledger.Append(ctx, entries...); err != nil {
			r.putBack(batch)
			return false, err
		}
	}
	r.recorded(batch)
	return true, nil
}

// load asks the ledger what is open. What is open by rules that are in force no more is closed: nobody judges by them.
func (r *findingRecord) load(ctx context.Context) error {
	if r.open != nil { // only this goroutine sets it
		return nil
	}
	entries, err := r.ledger.OpenFindings(ctx)
	if err != nil {
		return err
	}
	inForce := map[findingKey]bool{}
	for _, p := range r.snapshots.Current().Policies() {
		for _, rule := range p.Rules {
			inForce[findingKey{p.Kind, p.Key(), rule.Name}] = true
		}
	}
	objects, keys := map[string]ledger.Object{}, map[string][]findingKey{}
	abandoned := map[string]*judged{}
	for i := range entries {
		e := &entries[i]
		uid := e.Object.UID
		if r.mine != nil && !r.mine(e.Object.Namespace, uid) {
			continue
		}
		key := findingKey{e.Policy.Kind, e.Policy.Name, e.Policy.Rule}
		objects[uid], keys[uid] = e.Object, append(keys[uid], key)
		if !inForce[key] {
			abandoned[uid] = nil
		}
	}
	open := make(map[string]openFindings, len(objects))
	for uid, o := range objects {
		open[uid] = newOpenFindings(o, keysOf(keys[uid]))
	}
	for uid := range abandoned {
		j := &judged{object: objects[uid], bundle: r.snapshots.Current().Digest(), at: time.Now(), unsure: map[findingKey]bool{}}
		for _, key := range open[uid].keys.sorted() {
			j.unsure[key] = inForce[key] // the auditor will tell of these
		}
		abandoned[uid] = j
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.open = open
	for uid, j := range abandoned {
		if r.waiting[uid] == nil {
			r.waiting[uid] = j
		}
	}
	return nil
}

// findingBatch is how many objects are recorded at a time.
const findingBatch = 64

// take takes some of the objects that wait, in the order of their names.
func (r *findingRecord) take() []*judged {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, list := range r.listed {
		for uid, o := range r.open {
			if in := o.in.Value(); in.apiVersion == list.apiVersion && in.kind == list.kind && r.waiting[uid] == nil && !list.seen(uid) {
				r.waiting[uid] = &judged{object: o.object(uid), at: time.Now(), gone: true}
			}
		}
	}
	r.listed = nil
	var out []*judged
	for uid, j := range r.waiting {
		out = append(out, j)
		delete(r.waiting, uid)
		if len(out) == findingBatch {
			break
		}
	}
	if len(r.waiting) == 0 {
		r.waiting = map[string]*judged{} // one that was full keeps its size
	}
	slices.SortFunc(out, func(a, b *judged) int {
		return cmp.Or(cmp.Compare(a.object.String(), b.object.String()), cmp.Compare(a.object.UID, b.object.UID))
	})
	return out
}

// putBack makes objects wait again, unless the auditor has said something newer.
func (r *findingRecord) putBack(batch []*judged) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, j := range batch {
		if r.waiting[j.object.UID] == nil {
			r.waiting[j.object.UID] = j
		}
	}
}

// changes are the entries that lead from what the ledger has to what was found. Only run's goroutine changes open.
func (r *findingRecord) changes(j *judged) []ledger.Entry {
	before := r.open[j.object.UID].keys.sorted()
	var out []ledger.Entry
	for _, key := range slices.SortedFunc(maps.Keys(j.found), compareKeys) {
		if !slices.Contains(before, key) {
			out = append(out, j.found[key])
		}
	}
	for _, key := range before {
		if _, found := j.found[key]; found || j.unsure[key] {
			continue
		}
		e := ledger.Entry{
			Kind: ledger.FindingClosed, Time: j.at, Object: j.object, Bundle: j.bundle, Message: "the rule finds nothing more",
			Policy: ledger.Policy{Kind: key.policyKind, Name: key.policy, Rule: key.rule, Digest: r.digestOf(key)},
		}
		if j.gone {
			e.Message = "the object is gone, or no rule matches it any more"
		}
		out = append(out, e)
	}
	return out
}

// digestOf is that of the policy in force; empty for one that is so no more.
func (r *findingRecord) digestOf(key findingKey) string {
	for _, p := range r.snapshots.Current().Policies() {
		if p.Kind == key.policyKind && p.Key() == key.policy {
			return p.Digest
		}
	}
	return ""
}

func compareKeys(a, b findingKey) int {
	return cmp.Or(cmp.Compare(a.policyKind, b.policyKind), cmp.Compare(a.policy, b.policy), cmp.Compare(a.rule, b.rule))
}

// recorded takes in that the ledger has what was found.
func (r *findingRecord) recorded(batch []*judged) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, j := range batch {
		uid := j.object.UID
		keys := slices.Collect(maps.Keys(j.found))
		for _, key := range r.open[uid].keys.sorted() {
			if j.unsure[key] {
				keys = append(keys, key)
			}
		}
		if len(keys) == 0 {
			delete(r.open, uid)
			continue
		}
		r.open[uid] = newOpenFindings(j.object, keysOf(keys))
	}
}

func auditedObject(o audit.Object) ledger.Object {
	apiVersion, kind := o.Kind.ToAPIVersionAndKind()
	return ledger.Object{APIVersion: apiVersion, Kind: kind, Namespace: o.Namespace, Name: o.Name, UID: o.UID}
}
