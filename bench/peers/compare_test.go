package peers

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/go-logr/logr"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/holdfast-io/holdfast/bench/traffic"
)

func TestMain(m *testing.M) {
	log.SetLogger(logr.Discard()) // the peer's engine writes to the global one
	traffic.ServeIfAsked(webhooks())
	m.Run()
}

// seeds of the generated inputs. Each gives other ones; the same in every run.
var seeds = []uint64{1, 2, 3}

func random(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 0)) }

func pick[T any](r *rand.Rand, from ...T) T { return from[r.IntN(len(from))] }

// one reports true once in n times.
func one(r *rand.Rand, n int) bool { return r.IntN(n) == 0 }

// answer is what one engine says: a value, or an error. A panic is an error.
type answer struct {
	value any
	err   error
}

func (a answer) String() string {
	if a.err != nil {
		return "error: " + a.err.Error()
	}
	return written(a.value)
}

// guarded makes an error of a panic.
func guarded(ask func() (any, error)) (a answer) {
	defer func() {
		if r := recover(); r != nil {
			a = answer{err: fmt.Errorf("panic: %v", r)}
		}
	}()
	value, err := ask()
	return answer{value, err}
}

// pair is one comparison.
type pair struct {
	subject      string // what was compared: the name of a function, an operator
	args         []any
	theirs, ours answer
}

// same: both answer, and with the same JSON; or neither does.
func (p *pair) same() bool {
	if p.theirs.err != nil || p.ours.err != nil {
		return (p.theirs.err != nil) == (p.ours.err != nil)
	}
	return reflect.DeepEqual(plain(p.theirs.value), plain(p.ours.value))
}

// difference is a place where the two part.
type difference struct {
	subjects []string // of these; of all if there is none
	when     func(p *pair) bool
	why      string // ours is right
}

func (d *difference) explains(p *pair) bool {
	if len(d.subjects) == 0 {
		return d.when(p)
	}
	for _, s := range d.subjects {
		if s == p.subject {
			return d.when(p)
		}
	}
	return false
}

// book holds comparisons against the table of known differences.
type book struct {
	known            []difference
	seen             []int
	same, unanswered int
	unknown          map[string]int
}

func open(known []difference) *book {
	return &book{known: known, seen: make([]int, len(known)), unknown: map[string]int{}}
}

// shownOfEach is how many unknown differences of one subject are written out.
const shownOfEach = 5

func (b *book) enter(t *testing.T, p *pair) {
	t.Helper()
	if p.same() {
		b.same++
		if p.ours.err != nil {
			b.unanswered++
		}
		return
	}
	for i := range b.known {
		if b.known[i].explains(p) {
			b.seen[i]++
			return
		}
	}
	if b.unknown[p.subject]++; b.unknown[p.subject] <= shownOfEach {
		t.Errorf("%s of %s\n  Kyverno  %s\n  Holdfast %s", p.subject, written(p.args), p.theirs, p.ours)
	}
}

// close fails on a difference that is known and was not seen: it is none, or the inputs have become poor.
func (b *book) close(t *testing.T) {
	t.Helper()
	for i, n := range b.seen {
		if n == 0 {
			t.Errorf("%v: not seen any more: %s", b.known[i].subjects, b.known[i].why)
		}
	}
	known := 0
	for _, n := range b.seen {
		known += n
	}
	for subject, n := range b.unknown {
		t.Errorf("%s: %d differences without a reason", subject, n)
	}
	t.Logf("%d comparisons: %d the same (%d errors on both sides), %d known differences for %d reasons",
		b.same+known, b.same, b.unanswered, known, len(b.known))
}

// plain gives a value as JSON would: numbers of one kind, lists of one kind. What is no JSON stays.
func plain(v any) any {
	text, err := json.Marshal(v)
	if err != nil {
		return v
	}
	var out any
	if err := json.Unmarshal(text, &out); err != nil {
		return v
	}
	return out
}

func written(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprintf("%#v", v)
	}
	return string(text)
}
