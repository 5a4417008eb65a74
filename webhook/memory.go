package webhook

import (
	"slices"
	"strings"
	"sync"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"

	"github.com/holdfast-io/holdfast/engine"
)

// Memory keeps the last writes that were let pass, for whoever asks how an object came to be as it is. It is safe for
// concurrent use, and takes nothing that could wait.
//
// A write is remembered when the API server asks its validating webhooks: then the object has its UID, its new generation
// and its new managedFields, by which it is found again. Whether the API server then stored it is not known: what it did
// not store left no trace that anybody asks for. Dry runs are not remembered.
type Memory struct {
	mu    sync.Mutex
	since time.Time // writes from then on are here
	ring  []memory
	count uint64 // of writes that were ever remembered; memory n is at n modulo the length of the ring
	last  map[string]uint64
}

// Remembered is a write that was let pass.
type Remembered struct {
	// User and Groups are those of the request.
	User   string   `json:"user"`
	Groups []string `json:"groups,omitempty"`
	// Manager is the field manager that the request named, or the API server for it. The admission API does not tell the
	// user agent; the server makes the name of its first part where the request names no manager.
	Manager     string           `json:"manager,omitempty"`
	Subresource string           `json:"subresource,omitempty"`
	Operation   engine.Operation `json:"operation"`
	Time        time.Time        `json:"time"`
	// Despite are the rules that it passed although they had something to say.
	Despite []Despite `json:"despite,omitempty"`
}

// Despite is a rule that a write passed, and why.
type Despite struct {
	Rule string `json:"rule"` // its ID
	Why  Why    `json:"why"`
}

// Why is the reason for which a rule let a write pass that it did not approve of.
type Why string

// The reasons.
const (
	// NotEnforced: the rule's action is Audit.
	NotEnforced Why = "not-enforced"
	// NotEvaluated: it ended in an error, and its failurePolicy is Ignore.
	NotEvaluated Why = "not-evaluated"
	// Excepted: a PolicyException excused the object.
	Excepted Why = "excepted"
)

// Trace is what an object tells of the write that is asked for. Times are as managedFields write them, to the second.
type Trace struct {
	UID        string `json:"uid"`
	Generation int64  `json:"generation,omitempty"`
	// Manager and Stamp are of the entry of managedFields that owns what is asked about; empty where none does.
	Manager string `json:"manager,omitempty"`
	Stamp   string `json:"stamp,omitempty"`
	// Newest is the newest time in managedFields, apart from those of status.
	Newest string `json:"newest,omitempty"`
}

type memory struct {
	Remembered
	uid        string
	generation int64
	stamp      string // the time of the manager's entry
	newest     string
	number     uint64
	before     uint64 // number of the object's write before this one
}

// memorySize is how many writes are kept. At 50 writes a second, which is a busy cluster, it goes back for five minutes;
// the auditor asks within seconds. A write takes some 400 bytes, so that all take 6 MB; with as many groups as are kept of
// one, 24 MB.
const memorySize = 1 << 14

// What is kept of one write. Names of users have no bound of their own: tokens bring them.
const (
	maxGroups     = 16
	maxNameBytes  = 256
	maxDespite    = maxListed
	maxGroupBytes = 1 << 10
)

// NewMemory gives an empty one. now is when it begins to be told of writes.
func NewMemory(now time.Time) *Memory {
	return &Memory{since: now, ring: make([]memory, memorySize), last: map[string]uint64{}}
}

// passed remembers a write that was let pass. Several calls for one write, of several groups of policies, make one.
func (m *Memory) passed(req *engine.Request, despite []Despite, now time.Time) {
	if m == nil || req.DryRun || req.User == nil || req.Operation != engine.Create && req.Operation != engine.Update {
		return
	}
	e := newMemory(req, despite, now)
	if e.uid == "" {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if last := m.at(m.last[e.uid]); last != nil && last.uid == e.uid && last.same(&e) {
		for _, d := range e.Despite {
			if len(last.Despite) < maxDespite && !slices.Contains(last.Despite, d) {
				last.Despite = append(slices.Clip(last.Despite), d) // whoever was given it keeps what it was given
			}
		}
		return
	}
	m.count++
	e.number, e.before = m.count, m.last[e.uid]
	slot := &m.ring[m.count%uint64(len(m.ring))]
	if slot.number != 0 {
		m.since = slot.Time
		if m.last[slot.uid] == slot.number {
			delete(m.last, slot.uid)
		}
	}
	*slot = e
	m.last[e.uid] = e.number
}

// newMemory takes of a request what is kept.
func newMemory(req *engine.Request, despite []Despite, now time.Time) memory {
	meta, _ := req.Object["metadata"].(map[string]any)
	e := memory{Remembered: Remembered{
		User: shortName(req.User.Username), Groups: shortGroups(req.User), Subresource: req.SubResource, Operation: req.Operation, Time: now,
		Despite: despite[:min(len(despite), maxDespite)],
	}}
	uid, _ := meta["uid"].(string)
	e.generation = generationOf(meta)
	manager, _ := req.Options["fieldManager"].(string)
	var newestManager string
	fields, _ := meta["managedFields"].([]any)
	for _, f := range fields {
		entry, _ := f.(map[string]any)
		subresource, _ := entry["subresource"].(string)
		at, _ := entry["time"].(string)
		name, _ := entry["manager"].(string)
		if subresource == "status" {
			continue
		}
		if at > e.newest {
			e.newest, newestManager = at, name
		}
		if name == manager && at > e.stamp {
			e.stamp = at
		}
	}
	if manager == "" {
		manager, e.stamp = newestManager, e.newest
	}
	e.Manager = shortName(manager)
	// Texts of a decoded object share the review's memory, which is not to be kept for a few of them.
	for _, text := range []*string{&e.Manager, &e.stamp, &e.newest} {
		*text = strings.Clone(*text)
	}
	e.uid = strings.Clone(uid)
	return e
}

// generationOf reads a number that JSON or a test has written.
func generationOf(meta map[string]any) int64 {
	switch n := meta["generation"].(type) {
	case float64:
		return int64(n)
	case int64:
		return n
	default:
		return 0
	}
}

func shortName(s string) string {
	if len(s) <= maxNameBytes {
		return s
	}
	return strings.ToValidUTF8(s[:maxNameBytes], "")
}

func shortGroups(user *authenticationv1.UserInfo) []string {
	bytes := 0
	for i, g := range user.Groups {
		if bytes += len(g); i == maxGroups || bytes > maxGroupBytes {
			return slices.Clone(user.Groups[:i])
		}
	}
	return user.Groups
}

// same reports whether two are of one write.
func (e *memory) same(other *memory) bool {
	return e.generation == other.generation && e.newest == other.newest && e.stamp == other.stamp &&
		e.User == other.User && e.Operation == other.Operation && e.Subresource == other.Subresource
}

// at gives the memory with the number, nil if it is forgotten.
func (m *Memory) at(number uint64) *memory {
	if e := &m.ring[number%uint64(len(m.ring))]; number != 0 && e.number == number {
		return e
	}
	return nil
}

// mostAsked is how many writes of one object are looked at: more than people and controllers make in the seconds between a
// write and the question.
const mostAsked = 64

// Recall gives the write that left the trace; false when it is not here.
//
// If a manager owns what is asked about, it is that manager's write of that time. If nobody does, because it is missing
// from the object, it is the object's last write, provided that managedFields and generation say that there was no other
// since.
func (m *Memory) Recall(t Trace) (Remembered, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e := m.at(m.last[t.UID])
	for range mostAsked {
		if e == nil || e.uid != t.UID {
			break
		}
		if e.left(t) {
			return e.Remembered, true
		}
		e = m.at(e.before)
	}
	return Remembered{}, false
}

func (e *memory) left(t Trace) bool {
	switch {
	case t.Stamp != "":
		return e.Manager == shortName(t.Manager) && e.stamp == t.Stamp
	case t.Newest != "":
		return e.newest == t.Newest && e.generation == t.Generation
	default:
		return e.newest == "" && t.Generation != 0 && e.generation == t.Generation
	}
}

// Since is from when on every write is here that was let pass by this program.
func (m *Memory) Since() time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.since
}

// despiteOf lists the rules that a write passes although they have something to say.
func despiteOf(f *findings, decisions []engine.Decision) []Despite {
	var out []Despite
	for _, d := range f.audits {
		out = append(out, Despite{d.Rule.ID(), NotEnforced})
	}
	for _, d := range f.open {
		out = append(out, Despite{d.Rule.ID(), NotEvaluated})
	}
	for i := range decisions {
		if d := &decisions[i]; len(d.Exceptions) > 0 && d.Status != engine.Fail && d.Status != engine.Warn {
			out = append(out, Despite{d.Rule.ID(), Excepted})
		}
	}
	return out
}
